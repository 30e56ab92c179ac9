"""A trained network of another tool as a description, weights and a configuration, found by recording it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..base.errors import InputError, Refusal, arg, refuse
from .assembling import Asked, Assembled, assembled
from .building import Builder
from .calls import Recording
from .folding import Folding
from .neuron import CannotImport, Neuron, hidden_in, rest, translator_of
from .of_sinabs import steps_of_merged
from .prepared import is_leaf, of_the_user
from .reads import faults_of_reads
from .recording import Recorder
from .sample import Sample

_AGAIN = "goes through all steps in one call and is called more than once; make a layer of its own for each place"
MOST_VALUES = 2**26
"""Numbers of one recording: 256 MiB."""


class WrongForm(Refusal):
    """Samples with other axes than a network takes."""


@dataclass(eq=False)
class Found:
    """An imported network.

    Attributes:
        module: the copy that was recorded.
        folding: of the recording.
        made: what became of it.
        outside: whether the loop over time is not the network's own.
        sample_values: numbers that a recording holds for each sample.
    """

    module: nn.Module
    folding: Folding
    made: Assembled
    outside: bool
    sample_values: int

    @property
    def timesteps(self) -> int:
        """T."""
        return self.folding.steps

    @property
    def width(self) -> int:
        """Channels of the first layer with weights."""
        weights = (
            module.weight for module in self.made.network.children() if isinstance(module, nn.Linear | nn.Conv2d)
        )
        return int(next(weights, torch.zeros(1)).shape[0])

    def in_parts(self, tensor: Tensor) -> Iterator[Tensor]:
        """Samples as the network takes them, as many at once as a recording of :data:`MOST_VALUES` holds."""
        sample = self.folding.sample
        axis = 1 if sample.time_axis == 0 else 0
        length = max(1, MOST_VALUES // self.sample_values) * max(sample.merged, 1)
        yield from torch.split(tensor, length, axis)

    def again(self, tensor: Tensor) -> Folding:
        """The same network recorded on other samples, with the same axes."""
        rest(self.module)
        before = self.folding.sample
        batch = int(tensor.shape[0 if before.time_axis is None or before.merged else 1 - before.time_axis])
        batch = batch // before.merged if before.merged else batch
        sample = replace(before, tensor=tensor, batch=batch)
        recording = record(self.module, sample, self.timesteps, self.outside)
        fold = Folding(recording, self.folding.neurons, sample, self.timesteps)
        fold.row = self.folding.row
        builder = Builder(fold, self.made.input_shape)
        for layer in dict.fromkeys(self.made.layers.values()):
            if layer in fold.neurons:
                builder.neurons(layer)
        return fold


def neurons_of(module: nn.Module, called: str) -> dict[str, Neuron]:
    """The layers of neurons of a module, translated.

    Raises:
        InputError: all that have no counterpart, or there are none.
    """
    neurons, faults = {}, []
    for name, layer in module.named_modules():
        if (found := translator_of(layer)) is None:
            continue
        try:
            neurons[name or type(layer).__name__.lower()] = found[1](layer)
        except CannotImport as fault:
            faults.append(f"{name or called}: {fault}")
    if not neurons and not faults:
        faults.append(
            "has no spiking neurons that are known here; they may be of snnTorch, SpikingJelly, sinabs or Norse"
        )
    refuse(called, faults)
    return neurons


def record(module: nn.Module, sample: Sample, steps: int, outside: bool) -> Recording:
    """Run a network on a sample: once, or once for each step where the loop over time is not its own."""
    recorder = Recorder(module, is_leaf, hidden_in)
    if not outside:
        return recorder.record([(sample.tensor,)])
    extra = _states_wanted(module)

    def next_pass(step: int, result: Any) -> tuple[Any, ...] | None:
        if step == steps:
            return None
        states = (None,) * extra if step == 0 else tuple(result[-extra:]) if extra else ()
        return (sample.step(step), *states)

    return recorder.record(next_pass)


def _states_wanted(module: nn.Module) -> int:
    """How many states a network takes beside its input, and returns behind its output."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    wanted = [p for p in positional[1:] if p.default is p.empty or (p.default is None and _is_state(p.name))]
    return len(wanted)


def _is_state(name: str) -> bool:
    return any(part in name.lower() for part in ("mem", "syn", "state", "hidden", "spk"))


def found_in(module: nn.Module, example: Tensor, asked: Asked, called: str) -> Found:
    """The network as a student's.

    Args:
        module: prepared.
        example: samples as the network takes them.

    Raises:
        InputError: all that keeps the network from being imported, each with its remedy.
    """
    neurons = neurons_of(module, called)
    merged = steps_of_merged(module, len(example), asked.timesteps)
    first = Sample(example, tuple(example.shape[1:]), len(example))
    recording = of_the_user(called, lambda: record(module, first, 1, _states_wanted(module) > 0))
    _refuse_reads(recording, neurons, first, called)
    counts = {name: len(recording.of_layer(name)) for name in neurons}
    if not any(counts.values()):
        raise InputError(f"{called}: its forward pass runs none of its layers of neurons; give one that does")
    again = [f"{name}: {_AGAIN}" for name, count in counts.items() if neurons[name].over_time and count > 1]
    refuse(called, again)
    outside = max(counts.values()) == 1 and not any(neurons[name].over_time for name, count in counts.items() if count)
    if outside:
        return _looped(module, first, asked, neurons, called)
    found: list[list[str]] = []
    steps = merged or _steps(recording, neurons, counts, called)
    together = any(counts[name] and neuron.over_time == "TB" for name, neuron in neurons.items())
    for sample in _hypotheses(example, steps, merged or 0, called):
        sample = replace(sample, order="B" if together else "")
        if not _runs_over(recording, neurons, sample, steps):
            continue
        fold = Folding(recording, neurons, sample, steps)
        if sample.batch == steps:
            counted = _of_another_count(module, fold, called)
            if counted is None:
                continue
            fold = counted
        try:
            return _finished(module, fold, asked, called, outside=False)
        except Refusal as error:
            found.append([*error.faults])
    if not found:
        how = "" if asked.timesteps is not None else f", and say how many steps there are: {arg('timesteps', 25)}"
        told = (
            f"samples {tuple(example.shape)} are not what its layers of neurons take, which go through time "
            f"themselves; give (T, B, ...) to those of SpikingJelly and Norse and (B, T, ...) to those of sinabs{how}"
        )
        raise WrongForm(called, [told])
    raise Refusal(called, min(reversed(found), key=len))


def _refuse_reads(recording: Recording, neurons: dict[str, Neuron], sample: Sample, called: str) -> None:
    """Refuse code that decides by what the sample makes it compute."""
    refuse(called, faults_of_reads(recording.reads, Folding(recording, neurons, sample, 1).moves))


def _runs_over(recording: Recording, neurons: dict[str, Neuron], sample: Sample, steps: int) -> bool:
    """Whether layers that go through time themselves get as many steps and samples as there are."""
    sizes = {"T": (steps, sample.batch), "B": (sample.batch, steps), "TB": (steps * sample.batch,)}
    for name, neuron in neurons.items():
        for call in recording.of_layer(name) if neuron.over_time else ():
            wanted = sizes[neuron.over_time]
            if tuple(call.sources[0].tensor.shape[: len(wanted)]) != wanted:
                return False
    return True


def _of_another_count(module: nn.Module, fold: Folding, called: str) -> Folding | None:
    """The same of one sample less, or of one twice where there is no other, since axes are told apart by lengths.

    Returns:
        None where the layers of neurons are not run as often as before, on as much less or more: what was counted are
        no samples.
    """
    before = fold.sample
    axis, each, count = 1 if before.time_axis == 0 else 0, max(before.merged, 1), max(before.batch - 1, 1)
    if before.batch == 1:
        sample = replace(before, tensor=torch.cat((before.tensor, before.tensor), axis), batch=2)
    else:
        sample = replace(before, tensor=before.tensor.narrow(axis, 0, count * each), batch=count)
    rest(module)
    try:
        recording = of_the_user(called, lambda: record(module, sample, 1, False))
    except InputError:  # of another length of an axis that is not the samples'
        return None
    for name in fold.neurons:
        one, other = fold.recording.of_layer(name), recording.of_layer(name)
        if len(one) != len(other):
            return None
        sizes = [call.sources[0].tensor.numel() for call in (*one[:1], *other[:1])]
        if sizes and sizes[0] * sample.batch != sizes[1] * before.batch:
            return None
    if not _runs_over(recording, fold.neurons, sample, fold.steps):
        return None
    return Folding(recording, fold.neurons, sample, fold.steps)


def _looped(module: nn.Module, first: Sample, asked: Asked, neurons: dict[str, Neuron], called: str) -> Found:
    """A network whose forward pass is a single step."""
    if asked.timesteps is None:
        raise Refusal(
            called,
            [
                "its forward pass is a single step, and the loop over time is not its own; say for how many steps it "
                f"is run: {arg('timesteps', 25)}"
            ],
        )
    sample = first
    if asked.encoding not in (None, "direct", "current"):
        frames = torch.rand(asked.timesteps, *first.tensor.shape, generator=torch.Generator().manual_seed(0))
        sample = replace(first, tensor=(frames < first.tensor).to(first.tensor.dtype), time_axis=0)
    rest(module)
    recording = of_the_user(called, lambda: record(module, sample, asked.timesteps or 1, True))
    _refuse_reads(recording, neurons, sample, called)
    return _finished(module, Folding(recording, neurons, sample, asked.timesteps), asked, called, outside=True)


def _steps(recording: Recording, neurons: dict[str, Neuron], counts: dict[str, int], called: str) -> int:
    """T, by how often the layers of neurons are called."""
    every = {count for name, count in counts.items() if count and not neurons[name].over_time}
    if len(every) > 1:
        told = ", ".join(f"{name} {count} times" for name, count in counts.items() if count)
        raise Refusal(
            called,
            [
                f"its layers of neurons are called unequally often ({told}); each layer is run once in each step: "
                "make a layer of its own for each place"
            ],
        )
    if every:
        return every.pop()
    name = next(name for name, count in counts.items() if count)
    shape = recording.of_layer(name)[0].sources[0].tensor.shape
    return int(shape[0 if neurons[name].over_time == "T" else 1])


def _hypotheses(example: Tensor, steps: int, merged: int, called: str) -> list[Sample]:
    """What the axes of an example may be: samples alone, or with the timesteps before, behind, or as one axis.

    Args:
        merged: T, where layers of neurons take samples and timesteps as one axis; 0 elsewhere.
    """
    made = [Sample(example, tuple(example.shape[1:]), len(example))]
    if merged and len(example) % merged == 0:
        made.insert(0, Sample(example, tuple(example.shape[1:]), len(example) // merged, 1, merged))
    for axis in (0, 1):
        if example.dim() > 2 and example.shape[axis] == steps:
            made.append(Sample(example, tuple(example.shape[2:]), int(example.shape[1 - axis]), axis))
    if not (possible := [sample for sample in made if len(sample.shape) <= 3]):
        refuse(
            called,
            [
                f"samples have shape {made[0].shape} and the network runs {steps} steps; may be vectors (F,), "
                "sequences (C, L) or images (C, H, W), with the steps before or behind the samples where they change"
            ],
        )
    return possible


def _finished(module: nn.Module, fold: Folding, asked: Asked, called: str, outside: bool) -> Found:
    made = assembled(fold, asked, called)
    if asked.timesteps not in (None, fold.steps):
        fault = (
            f"runs {fold.steps} steps, and {arg('timesteps', asked.timesteps)} are asked for; leave them out, or "
            "change the number in the network"
        )
        raise Refusal(called, [fault])
    values = sum(value.tensor.numel() for call in fold.recording.calls for value in call.results)
    light = Folding(Recording([], [], []), fold.neurons, fold.sample, fold.steps, row=fold.row)
    return Found(module, light, made, outside, max(1, values // fold.sample.batch))
