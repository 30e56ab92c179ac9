"""Where an imported student comes from, and the proof that it computes the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from ..base.errors import InputError, Refusal, arg, refuse
from ..base.threads import student_threads
from ..importing import tools
from ..importing.answer import misread, values_of
from ..importing.assembling import GRADED, Asked
from ..importing.examples import examples
from ..importing.folding import Folding
from ..importing.network import Found, WrongForm, found_in
from ..importing.neuron import rest
from ..importing.parts import NeuronPart
from ..importing.prepared import OwnCodeRaises, of_the_user, prepared
from ..importing.sample import part_of
from .finite import not_finite
from .neurons import check_neuron
from .proof import Proof, compared
from .tracing import trace, walk

ASSUMED = tools.TOOLS
"""The tables of neurons are filled when this module is imported."""


@dataclass(eq=False, repr=False)
class Origin:
    """The network that a student was imported from.

    Attributes:
        name: of its class.
        found: what was found in it.
        proof: over all samples so far; None before the first.
    """

    name: str
    found: Found
    proof: Proof | None = None

    def __repr__(self) -> str:
        return "\n".join([f"Origin({self.name}, {self.proof})", *(f"  {remark}" for remark in self.remarks)])

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was assumed or changed."""
        return tuple(dict.fromkeys(self.found.made.remarks))

    @property
    def facts(self) -> dict[str, object]:
        """For the provenance of a student file."""
        proof = None if self.proof is None else vars(self.proof)
        return {"network": self.name, "remarks": list(self.remarks), "proof": proof, "layers": self.found.made.layers}

    def prove(self, samples: Tensor) -> Proof:
        """Compare network and student on samples as the network takes them.

        Raises:
            AnswerIsNo: the first layer, step and neuron that differ.
            InputError: the network computes something behind its last neurons.
        """
        made = Proof(0, 0, 0, 0)
        for part in self.found.in_parts(samples):
            fold = of_the_user(self.name, partial(self.found.again, part))
            self._hold_the_answer(fold)
            with torch.no_grad(), student_threads():
                made += _compared(self.found, fold)
        self.proof = made if self.proof is None else self.proof + made
        return made

    def _hold_the_answer(self, fold: Folding) -> None:
        """Refuse a network whose outputs are not what the chip reads, unless its user has chosen what to read."""
        made = self.found.made
        if (fault := misread(fold, made.answer)) is None:
            return
        if not made.answer.was_asked_for:
            raise Refusal(self.name, [fault])
        left = f"{made.answer.layer}: what the network computes behind it is left out; its {made.readout} is read"
        made.remarks = (*made.remarks, left)


def imported(module: nn.Module, example: Tensor | None, asked: Asked) -> Origin:
    """Find the network in a module and prove it on the example.

    Args:
        example: samples as the network takes them; None: those of ``asked.input_shape`` in every form, until one fits.

    Raises:
        InputError: everything that keeps the network from being imported.
        AnswerIsNo: the student does not compute what the network does.
    """
    network = prepared(module)
    called = type(network).__name__
    refuse(called, [f"{fault}; train it again" for fault in not_finite(network.state_dict())])
    if example is None:
        found = _in_some_form(network, asked, called)
    elif not isinstance(example, Tensor) or example.dim() < 2:
        raise InputError(f"{arg('example')}: must be a tensor of samples, which lie along the first axis")
    else:
        found = found_in(network, example.detach().cpu().float(), asked, called)
    faults = [
        fault.replace(part.name, found.made.layers[part.name], 1)
        for part in found.made.network.description.parts
        if isinstance(part, NeuronPart)
        for fault in check_neuron(part.name, found.made.network.get_submodule(part.name))
    ]
    refuse(called, faults + _range_faults(found))
    origin = Origin(called, found)
    origin.prove(found.folding.sample.tensor)
    return origin


def _range_faults(found: Found) -> list[str]:
    """Whether an example holds what no student is fed with."""
    values, encoding = found.folding.sample.tensor, found.made.encoding
    low, high = float(values.min()), float(values.max())
    if encoding in GRADED and not 0 <= low <= high <= 1:
        return [
            f"{arg('example')}: reaches {low:.3g}..{high:.3g}, and values enter a student from 0 to 1: scale the data "
            "to that, put the scaling that the network was trained with into its first layer, and give such an example"
        ]
    if found.folding.sample.time_axis is not None and encoding not in GRADED and bool((values * (1 - values)).any()):
        return [
            f"{arg('example')}: holds other values than 0 and 1 in its frames, and {arg('encoding', encoding)} sends a "
            "spike or none: train on frames in which several events of a place and step are one"
        ]
    return []


def _in_some_form(network: nn.Module, asked: Asked, called: str) -> Found:
    """The network found with samples in the first form in which it runs and can be imported."""
    if asked.input_shape is None:
        raise InputError(f"{arg('example')}: is missing; give a few samples, or {arg('input_shape', '1,28,28')}")
    raised: InputError | None = None
    refused: list[Refusal] = []
    for example, axis in examples(asked):
        rest(network)
        try:
            found = found_in(network, example, asked, called)
        except OwnCodeRaises as error:
            raised = raised or error
        except Refusal as error:
            refused.append(error)
        else:
            if found.folding.sample.time_axis == axis or found.outside:
                return found
            refused.append(
                Refusal(
                    called,
                    [
                        "goes through its input along the first axes as through timesteps; say how many there are: "
                        f"{arg('timesteps', 25)}"
                    ],
                )
            )
    if refused:
        raise min(reversed(refused), key=lambda each: (isinstance(each, WrongForm), len(each.faults)))
    assert raised is not None
    if asked.timesteps is None:
        told = f"where its input has an axis of timesteps, say how many there are: {arg('timesteps', 25)}"
        raise InputError(f"{raised.message}; {told}") from raised
    raise raised


def _compared(found: Found, fold: Folding) -> Proof:
    steps, shape = found.timesteps, found.made.input_shape
    if missing := set(range(steps)) - fold.entries.keys():
        raise InputError(
            f"the network runs {steps} steps on one sample and {steps - len(missing)} on another; a chip runs every "
            "sample for as many: give it a loop of a fixed length"
        )
    drive = torch.stack([fold.entries[step].reshape(-1, *shape) for step in range(steps)])
    traces = walk(trace(found.made.network), drive, steps)
    theirs = {name: values for name in traces if (values := _theirs(found, fold, name)) is not None}
    thresholds = {name: torch.as_tensor(found.made.network.get_submodule(name).threshold) for name in theirs}
    caveats = {name: fold.neurons[layer].caveat for name, layer in found.made.layers.items() if layer in fold.neurons}
    return compared(theirs, traces, thresholds, found.made.layers, caveats)


def _theirs(found: Found, fold: Folding, name: str) -> Tensor | None:
    """What the network's own neurons computed, ``(T, B, *shape)``; of an integrator that was added, what it adds up."""
    layer = found.made.layers[name]
    if layer not in fold.neurons:  # an integrator that was added, or what only moves spikes
        return _integrated(found, fold) if name == found.made.network.description.parts[-1].name else None
    neuron = fold.neurons[layer]
    wanted = "spikes" if neuron.fires else "membrane"
    calls = fold.recording.of_layer(layer)
    if wanted not in neuron.results or neuron.results.index(wanted) >= len(calls[0].results):
        return None
    values = [call.results[neuron.results.index(wanted)].tensor for call in calls]
    if not neuron.over_time:
        return torch.stack(values)
    return torch.stack([part_of(values[0], step, fold.sample, fold.steps) for step in range(fold.steps)])


def _integrated(found: Found, fold: Folding) -> Tensor:
    """The potentials that an integrator behind the last layer has in each step, ``(T, B, K)``, or in the last."""
    answer = found.made.answer
    values = values_of(fold, answer)
    if answer.once:
        return values * found.timesteps if answer.gathered else values
    return values.cumsum(0) if answer.gathered else values
