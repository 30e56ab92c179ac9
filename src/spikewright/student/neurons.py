"""snnTorch neurons run over all timesteps of a layer at once, and the outputs of a student.

The modules stay snnTorch's (`snn.Leaky`, `snn.Synaptic`): their parameters, their surrogate gradient. What differs is
the order of the work: a whole layer goes through all its steps before the next layer starts, so that the convolution
before it sees one large batch instead of T small ones. And one rule differs: reset by subtraction with
``reset_delay=False`` takes one threshold off for each spike, as SpikingJelly and sinabs do. snnTorch 1.0.0 itself asks
for two thresholds in a step that begins above the threshold, which is so only after a potential of more than two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import snntorch as snn
import torch
from torch import Tensor, nn

from ..base.errors import InputError
from ..base.types import Reset
from ..chip.law import Law
from ..chip.neuron_models import law_with
from ..chip.registers import STATE_UNIT
from .neuron_settings import NeuronSettings
from .recurrence import is_recurrent, step_by_step
from .surrogate import stepped, through_time


def spiking(settings: NeuronSettings) -> nn.Module:
    """A hidden neuron layer; with reset to zero, that of NIR, Lava's LIF and Loihi, in the step of the spike."""
    common = {
        "beta": float(settings.beta),
        "threshold": float(settings.threshold),
        "learn_beta": settings.learn_beta,
        "learn_threshold": settings.learn_threshold,
        "init_hidden": True,
        **reset_arguments(settings.reset),
        "spike_grad": snn.surrogate.atan(),
    }
    neuron: nn.Module = (
        snn.Synaptic(alpha=float(settings.alpha), **common) if settings.kind == "cubalif" else snn.Leaky(**common)
    )
    return neuron


def integrator(beta: float = 1.0) -> nn.Module:
    """A readout that never fires: its membrane is the answer."""
    neuron: nn.Module = snn.Leaky(beta=float(beta), init_hidden=True, reset_mechanism="none", reset_delay=False)
    return neuron


def is_neuron(module: nn.Module) -> bool:
    """Whether ``module`` is one of snnTorch's spiking neurons."""
    return isinstance(module, snn.SpikingNeuron)


def is_integrator(module: nn.Module) -> bool:
    """Whether ``module`` is a non-firing readout (reset mechanism "none")."""
    return is_neuron(module) and getattr(module, "_reset_mechanism", None) == "none"


def reset_arguments(reset: Reset) -> dict[str, Any]:
    """What makes a neuron layer of snnTorch reset like this."""
    return {"reset_mechanism": "zero" if reset == "zero" else "subtract", "reset_delay": reset == "subtract-late"}


def reset_of(module: nn.Module) -> Reset:
    """What a spike of a neuron layer does to its membrane; of an integrator, which has no spikes, ``zero``."""
    if module._reset_mechanism != "subtract":
        return "zero"
    return "subtract-late" if module.reset_delay else "subtract"


MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d)
"""Pooling that, of spikes, is neurons without a memory: one that hears a spike spikes."""
ANY_SPIKE = 0.5
"""The threshold of these neurons, whose weights are 1."""


@dataclass(frozen=True)
class NeuronTrace:
    """One layer over one batch, each tensor ``(T, B, *shape)``.

    Attributes:
        arriving: sums of weights, in float units once multiplied by ``gain``; ``(1, B, *shape)`` where every step has
            the same.
        spikes: 0 or 1; None for an integrator.
        membrane: after the step, before a reset.
        gain: of ``arriving``; not 1 where it is in the integers of a chip.
        bias: what each step adds to it, where that is kept apart.
    """

    arriving: Tensor
    spikes: Tensor | None
    membrane: Tensor
    gain: float = 1.0
    bias: Tensor | None = None

    @property
    def current(self) -> Tensor:
        """What arrived at the layer, in float units."""
        scaled = self.arriving if self.gain == 1.0 else self.arriving * self.gain
        return scaled if self.bias is None else scaled + self.bias

    def at(self, where: tuple[slice, ...]) -> NeuronTrace:
        """Some of the timesteps and samples."""
        spikes = None if self.spikes is None else self.spikes[where]
        return replace(self, arriving=self.arriving[where], spikes=spikes, membrane=self.membrane[where])


def check_neuron(name: str, module: nn.Module) -> list[str]:
    """What keeps a neuron module from being trained and deployed here; empty when nothing does."""
    if type(module) not in (snn.Leaky, snn.Synaptic, snn.RLeaky, snn.RSynaptic):
        may_be = "may be snn.Leaky, snn.Synaptic, snn.RLeaky or snn.RSynaptic"
        return [f"{name}: {type(module).__name__} is not handled; {may_be}"]
    reset = module._reset_mechanism
    graded = bool((module.graded_spikes_factor != 1).any())
    late = reset == "zero" and module.reset_delay and not isinstance(module, snn.Leaky)
    faults = {
        "reset_delay is True, which resets one step late; set reset_delay=False": late,
        "init_hidden is False; set init_hidden=True so that the forward pass returns spikes": not module.init_hidden,
        "inhibition has no counterpart on the chip; set inhibition=False": module.inhibition,
        "state_quant is set; the chip's own rounding is applied in lowering, so remove it": module.state_quant,
        "graded_spikes_factor is not 1; spikes between layers are binary here": graded,
    }
    return [f"{name}: {fault}" for fault, there in faults.items() if there]


def law_of(module: nn.Module) -> Law:
    """The law of a neuron layer in floats, with the gradients of the module's parameters.

    ``syn = alpha * syn + I`` (cubalif), ``mem = beta * mem + I``, spike where ``mem > threshold``; then ``mem = 0``, or
    ``mem -= threshold`` at once or in the next step, behind the decay. Of max pooling, those that it is of spikes.
    """
    if isinstance(module, MAX_POOLS):
        return Law(keep_v=0.0, threshold=ANY_SPIKE)
    return law_with(reset_of(module))(
        keep_v=module.beta.clamp(0, 1),
        threshold=None if is_integrator(module) else module.threshold,
        keep_u=module.alpha.clamp(0, 1) if isinstance(module, snn.Synaptic | snn.RSynaptic) else None,
    )


def run_over_time(name: str, module: nn.Module, current: Tensor, timesteps: int) -> NeuronTrace:
    """Step a neuron layer T times from rest by :func:`law_of`.

    Args:
        current: ``(T, B, *shape)``, or ``(1, B, *shape)`` for a current that is the same at every step.

    Raises:
        InputError: the module is a neuron this project cannot deploy.
    """
    if faults := check_neuron(name, module):
        raise InputError(faults[0])
    law = law_of(module)
    if is_recurrent(module):
        return NeuronTrace(*step_by_step(law, module, current, timesteps))
    spikes, membrane = through_time(law, stepped(law, current, timesteps), current, module.spike_grad)
    return NeuronTrace(current, spikes, membrane)


@dataclass(frozen=True)
class Reading:
    """How the scores of a readout are read.

    Attributes:
        population: outputs for each class, side by side.
        scale: of the readout of a student on integers, integer units per float unit; None in floats.
    """

    population: int = 1
    scale: float | None = None

    @property
    def grain(self) -> float:
        """The float, in the precision of the scores, that stands for 1 in the register of a membrane potential."""
        assert self.scale is not None
        return float(np.float32(1.0 / STATE_UNIT * (1.0 / self.scale)))

    def by_class(self, outputs: Tensor) -> Tensor:
        """Means over each class's outputs, ``(..., outputs)`` to ``(..., K)``."""
        return outputs if self.population == 1 else outputs.reshape(*outputs.shape[:-1], -1, self.population).mean(-1)


@dataclass(frozen=True)
class StudentOutput:
    """One forward pass over a batch.

    Attributes:
        scores: output of the readout as on the chip, ``(B, outputs)``: membrane potentials after the last timestep, or
            spike counts.
        logits: ``(B, K)``: scores divided by T for the membrane readout, spike counts for the count readout; of a
            population code the mean over each class's outputs.
        step_logits: ``(T, B, K)``: the input current of the readout in each timestep, or its spikes, likewise.
        spikes: by firing layer, the encoder included, ``(T, B, *shape)``.
        traces: by neuron layer, spikes, input currents and membrane potentials.
        drive: the input drive of the network, ``(1 or T, B, *input shape)``, in [0, 1].
        active: by layer, the number of neuron updates that are active, ``(T, B)``; of a student in floats only layers
            without biases, None where there is none.
        overflows: by layer, the number of currents that wrapped and of potentials that were clipped, int64,
            ``(T, B, 2)``; None in floats.
        resets: by integrator that may have been reset by an overflow, where it was, bool, ``(T, B, *shape)``; likewise.
        reading: how the scores are read.
    """

    scores: Tensor
    logits: Tensor
    step_logits: Tensor
    spikes: Mapping[str, Tensor]
    traces: Mapping[str, NeuronTrace]
    drive: Tensor
    active: Mapping[str, Tensor] | None = None
    overflows: Mapping[str, Tensor] | None = None
    resets: Mapping[str, Tensor] | None = None
    reading: Reading = Reading()

    @property
    def read_scores(self) -> npt.NDArray[np.int64] | npt.NDArray[np.float32]:
        """The scores, ``(B, outputs)``; of a student on integers the whole numbers that the host of its chip reads."""
        scores = self.scores.detach().cpu().numpy()
        if self.reading.scale is None:
            return scores
        return np.rint(scores.astype(np.float64) / (1.0 if self.counts_spikes else self.reading.grain)).astype(np.int64)

    @property
    def score_unit(self) -> float:
        """By which :attr:`read_scores` are divided to be logits of single outputs."""
        if self.counts_spikes:
            return 1.0
        scale = self.reading.scale
        return (1.0 if scale is None else STATE_UNIT * scale) * len(self.step_logits)

    @property
    def counts_spikes(self) -> bool:
        """Whether the readout fires; scores and logits are then its spike counts."""
        return self.traces[list(self.traces)[-1]].spikes is not None

    @cached_property
    def mean_counts(self) -> dict[str, Tensor]:
        """By layer, the spikes of each neuron per inference, averaged over the batch, ``(*shape)``."""
        return {name: spikes.sum(0).mean(0) for name, spikes in self.spikes.items()}

    @cached_property
    def mean_events(self) -> Tensor:
        """Events of each input per inference, averaged over the batch, ``(*input shape)``."""
        return events_of(self.drive, self.timesteps)

    @cached_property
    def mean_resets(self) -> dict[str, Tensor]:
        """By integrator that may have been reset, its resets per inference, averaged over the batch, ``(*shape)``."""
        return {name: resets.float().sum(0).mean(0) for name, resets in (self.resets or {}).items()}

    @cached_property
    def mean_active(self) -> dict[str, Tensor] | None:
        """By layer, the active updates of an inference, averaged over the batch; None for a student in floats."""
        return None if self.active is None else {name: each.sum(0).mean() for name, each in self.active.items()}

    @property
    def timesteps(self) -> int:
        """T of this pass."""
        return len(self.step_logits)

    def rates(self, layer: str) -> Tensor:
        """The firing rates in a layer, ``(B, *shape)``, in [0, 1] spikes per timestep."""
        return self.spikes[layer].mean(0)

    def first(self, timesteps: int) -> StudentOutput:
        """The same samples over the first timesteps only; as a network is causal, this is its output at a smaller T."""
        return self._at((slice(timesteps),), timesteps)

    def rows(self, start: int, stop: int) -> StudentOutput:
        """The outputs of the samples ``start`` to ``stop`` of the batch."""
        return self._at((slice(None), slice(start, stop)), len(self.step_logits))

    def _at(self, where: tuple[slice, ...], timesteps: int) -> StudentOutput:
        traces = {name: trace.at(where) for name, trace in self.traces.items()}
        active, overflows, resets = (
            None if counts is None else {name: count[where] for name, count in counts.items()}
            for counts in (self.active, self.overflows, self.resets)
        )
        made = output_of(self.drive[where], traces, timesteps, active, self.reading)
        return replace(made, overflows=overflows, resets=resets)


def events_of(drive: Tensor, timesteps: int) -> Tensor:
    """Events per inference of each input line, ``(*input shape)``; a payload of zero is not sent.

    Args:
        drive: ``(1 or T, B, *input shape)``.
    """
    repeats = timesteps if drive.shape[0] == 1 else 1
    return (drive != 0).to(torch.float32).sum(0).mean(0) * repeats


def output_of(
    drive: Tensor,
    traces: dict[str, NeuronTrace],
    timesteps: int,
    active: dict[str, Tensor] | None = None,
    reading: Reading = Reading(),
) -> StudentOutput:
    """The output of a forward pass, given the traces of all neuron layers, of which the last is the readout."""
    spikes = {name: trace.spikes for name, trace in traces.items() if trace.spikes is not None}
    readout = next(reversed(traces.values()))
    if readout.spikes is not None:
        counts, steps = readout.spikes.sum(0), reading.by_class(readout.spikes)
        return StudentOutput(counts, reading.by_class(counts), steps, spikes, traces, drive, active, reading=reading)
    steps = reading.by_class(readout.current.expand(timesteps, *readout.current.shape[1:]))
    scores = readout.membrane[-1]
    logits = reading.by_class(scores / timesteps)
    return StudentOutput(scores, logits, steps, spikes, traces, drive, active, reading=reading)
