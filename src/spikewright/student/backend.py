"""A student as a simulator of the chip network made from it: its own spikes and updates, counted for that network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import prod
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..base.errors import InputError, arg, refuse
from ..base.progress import Advance
from ..base.threads import student_threads
from ..base.types import Drive, IntArray
from ..chip.activity import Overflows
from ..chip.encoding import full_scale
from ..chip.law import Constant, State
from ..chip.network import ChipNetwork, Population
from ..chip.registers import TrainedGrid
from ..lowering.linear_map import frame
from ..lowering.split import wholes_of
from ..simulation.backends import check_drive
from ..simulation.recording import Recording, SpikeArray, Tally
from .config import StudentConfig
from .integers.neurons import IntegerLaw, step_integers
from .neurons import StudentOutput, law_of

ADDED = ("relay", "bias")


class Runs(Protocol):
    """What is needed of a :class:`~spikewright.student.student.Student`."""

    config: StudentConfig
    grid: TrainedGrid | None

    def run(self, drive: Tensor) -> StudentOutput:
        """Run an encoded drive ``(1 or T, B, *input shape)``."""

    def neuron(self, name: str) -> nn.Module:
        """The neuron layer of this name."""


def run_student(
    student: Runs, chip: ChipNetwork, drive: Drive, *, record_states: bool = False, progress: Advance | None = None
) -> Recording:
    """Run the student on all samples of ``drive``, as a simulator does (:class:`~spikewright.simulation.backends.Run`).

    Args:
        chip: the network that it becomes; its weights are not used.
        drive: integers, shape ``(timesteps or 1, samples, *input shape)``.
        record_states: must be False: a student's potentials are in other units.
        progress: called with the number of samples done.

    Raises:
        InputError: the network is not one that this student becomes, the drive does not fit it, or states are to be
            recorded.
    """
    if record_states:
        raise InputError(f"{arg('record_states', True)}: a student records no registers; ask Student.registers")
    check_drive(chip, drive)
    config = student.config
    _refuse_unlike(_settings(config, chip))
    values = torch.from_numpy(drive).to(torch.float32) / full_scale(config.encoding, config.input_bits)
    # A chip's input may be flat where the student's is an image.
    values = values.reshape(*drive.shape[:2], *config.input_shape)
    with torch.no_grad(), student_threads():
        output = student.run(values)
    _refuse_unlike(_layers(output, chip))
    spikes: dict[str, SpikeArray] = {}
    active: dict[str, IntArray] = {}
    overflows: dict[str, Overflows | None] = {}
    for population in chip.populations:
        spikes[population.name] = fired = _spikes(chip, population, output, spikes, drive)
        if population.neuron is None:
            continue
        name, neurons = wholes_of(chip).get(population.name, (population.name, None))
        if student.grid is not None and neurons is not None:
            active[population.name], overflows[population.name] = _of_part(student, student.grid, output, name, neurons)
            continue
        active[population.name] = _active(population, student, output, fired, name, neurons)
        overflows[population.name] = _overflows(name, output)
    tallies = {name: Tally(int(counts.sum()), overflows[name]) for name, counts in active.items()}
    recording = Recording(spikes=spikes, scores=output.read_scores, tallies=tallies, active=active)
    if progress is not None:
        progress(recording.samples)
    return recording


def _overflows(name: str, output: StudentOutput) -> Overflows | None:
    """Of a layer; of a population that lowering added none, since its only weights are 1; None of a float student."""
    if output.overflows is None:
        return None
    if name not in output.overflows:
        return Overflows()
    wraps, clips = output.overflows[name].sum((0, 1)).tolist()
    resets = (output.resets or {}).get(name)
    return Overflows(wraps, clips, 0 if resets is None else int(resets.sum()))


@torch.no_grad()
def _of_part(
    student: Runs, grid: TrainedGrid, output: StudentOutput, name: str, neurons: IntArray
) -> tuple[IntArray, Overflows]:
    """Active updates ``(timesteps, samples)`` and overflows of some neurons of a layer, which are stepped once more.

    Args:
        neurons: their indices, in the flat order of the layer.
    """
    trace, module, own = output.traces[name], student.neuron(name), torch.from_numpy(neurons)

    def chosen(values: Constant) -> Tensor:
        return torch.as_tensor(values).expand(trace.membrane.shape[2:]).flatten()[own]

    law = IntegerLaw.of(module, grid.scales[name], grid.registers, trace.bias)
    chip = replace(law.chip, keep_v=chosen(law.chip.keep_v))
    if chip.keep_u is not None:
        chip = replace(chip, keep_u=chosen(chip.keep_u))
    if chip.bias is not None:
        chip = replace(chip, bias=chosen(chip.bias))
    arriving = trace.arriving.flatten(2)[..., own]
    found = step_integers(replace(law, chip=chip), arriving, len(trace.membrane), module.spike_grad)
    wraps, clips = found.overflows.sum((0, 1)).tolist()
    return found.active.round().to(torch.int64).numpy(), Overflows(wraps, clips)


def _refuse_unlike(pairs: Iterable[tuple[str, object, object]]) -> None:
    """Refuse what differs, of triples of a name, the student's value and the chip network's."""
    unlike = [(what, mine, theirs) for what, mine, theirs in pairs if mine != theirs]
    faults = [f"{what}: {mine}, the chip network's: {theirs}" for what, mine, theirs in unlike]
    refuse("student", [f"{fault}; take the network that was lowered from it" for fault in faults])


def _settings(config: StudentConfig, chip: ChipNetwork) -> Iterator[tuple[str, object, object]]:
    yield "its time steps", config.timesteps, chip.timesteps
    yield "its encoding", config.encoding, chip.encoding
    yield "its readout", config.readout, chip.readout
    yield "its outputs", config.outputs, chip.outputs
    yield "its input lines", prod(config.input_shape), chip.input.size
    if config.encoding in ("direct", "current"):
        yield "its input bits", config.input_bits, chip.input.payload_bits or chip.provenance.get("input_bits")


def _layers(output: StudentOutput, chip: ChipNetwork) -> Iterator[tuple[str, object, object]]:
    mine: dict[str, object] = {name: tuple(trace.membrane.shape[2:]) for name, trace in output.traces.items()}
    theirs: dict[str, object] = {
        p.name: p.shape for p in chip.populations if p.neuron is not None and p.role not in ADDED
    }
    for part, (whole, _) in wholes_of(chip).items():  # a layer of which every part is there is there
        if theirs.pop(part, None) is not None:
            theirs[whole] = mine.get(whole)
    for name in sorted(mine.keys() | theirs.keys()):
        one, other = mine.get(name, "is not there"), theirs.get(name, "is not there")
        if isinstance(one, tuple) and other in (frame(one), frame(one, lying=True)):
            one = other  # values over one axis lie in a frame of two
        yield f"layer {name!r}", one, other


def _spikes(
    chip: ChipNetwork, population: Population, output: StudentOutput, before: dict[str, SpikeArray], drive: Drive
) -> SpikeArray:
    """Spikes of one population, ``(timesteps, samples, *shape)``."""
    shape = (chip.timesteps, drive.shape[1], *population.shape)
    if population.neuron is None:
        return np.broadcast_to(drive, shape)
    if population.role == "relay":  # repeats what feeds it, one step later on the chip
        return before[chip.into(population.name)[0].source]
    if population.role == "bias":
        return np.ones(shape, np.uint8)
    name, neurons = wholes_of(chip).get(population.name, (population.name, slice(None)))
    fired = output.spikes.get(name, (output.resets or {}).get(name))
    if fired is None:
        return np.zeros(shape, np.uint8)
    return fired.numpy().astype(np.uint8).reshape(*shape[:2], -1)[..., neurons].reshape(shape)


def _active(
    population: Population,
    student: Runs,
    output: StudentOutput,
    spikes: SpikeArray,
    name: str,
    neurons: IntArray | None,
) -> IntArray:
    """Active updates of one population, ``(timesteps, samples)``.

    Args:
        name: of its layer.
        neurons: of a part of its layer, the indices there; None for all.
    """
    if population.role in ADDED:  # a relay has where its source spiked, and resets in that step; a bias always
        return np.count_nonzero(spikes.reshape(*spikes.shape[:2], -1), axis=2).astype(np.int64)
    if output.active is not None:
        found: IntArray = output.active[name].round().to(torch.int64).numpy()
        return found
    assert population.neuron is not None
    trace, law = output.traces[name], law_of(student.neuron(name))
    own = torch.arange(population.size) if neurons is None else torch.from_numpy(neurons)
    biased = torch.from_numpy(population.neuron.bias != 0).reshape(-1)
    arrived = trace.current.expand(len(spikes), *trace.current.shape[1:])  # a bias is in it
    rest = torch.zeros_like(arrived[0])
    state, busy = State(rest, rest), []
    for step in range(len(spikes)):
        busy.append(law.busy(state, arrived[step]))
        v = trace.membrane[step]
        if trace.spikes is not None:
            v = law.reset(v, trace.spikes[step] != 0)
        state = State(law.current(state.u, arrived[step]), v)
    counts: IntArray = (torch.stack(busy).flatten(2)[..., own] | biased).sum(2).numpy()
    return counts
