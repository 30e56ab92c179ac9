"""A student as a simulator of the chip network made from it: its own spikes and updates, counted for that network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ..base.errors import refuse
from ..base.threads import student_threads
from ..base.types import IntArray
from ..chip.encoding import full_scale
from ..chip.law import Law, State
from ..chip.network import ChipNetwork, Population
from ..simulation.drive import check_drive
from ..simulation.recording import Progress, Recording, SpikeArray, Tally
from .config import StudentConfig
from .neurons import NeuronTrace, law_of
from .student_output import StudentOutput

ADDED = ("relay", "bias")


class Runs(Protocol):
    """What is needed of a :class:`~spikewright.student.student.Student`."""

    config: StudentConfig

    def run(self, drive: Tensor) -> StudentOutput:
        """Run an encoded drive ``(1 or T, B, *input shape)``."""

    def neuron(self, name: str) -> nn.Module:
        """The neuron layer of this name."""


@dataclass(frozen=True, eq=False)
class StudentBackend:
    """A student with the interface of a simulator, :class:`spikewright.simulation.backends.Run`."""

    student: Runs

    def __call__(
        self, chip: ChipNetwork, drive: IntArray, *, record_states: bool = False, progress: Progress | None = None
    ) -> Recording:
        """Run the student on all samples of ``drive``.

        Args:
            chip: the network that it becomes; its weights are not used.
            drive: int64, shape ``(timesteps or 1, samples, *input shape)``.
            record_states: must be False: a student's potentials are in other units.
            progress: called with the number of samples done.

        Raises:
            InputError: the network is not one that this student becomes, or the drive does not fit it.
        """
        if record_states:
            raise ValueError("a student records no registers; ask Student.registers")
        check_drive(chip, drive)
        refuse("student", list(unlike(self.student.config, chip)))
        recording = _recording(chip, self.student, drive)
        if progress is not None:
            progress(recording.samples)
        return recording


def unlike(config: StudentConfig, chip: ChipNetwork) -> Iterator[str]:
    """Settings in which ``chip`` differs from the network that a student becomes."""
    pairs: list[tuple[str, object, object]] = [
        ("time steps", config.timesteps, chip.timesteps),
        ("encoding", config.encoding, chip.encoding),
        ("readout", config.readout, chip.readout),
        ("classes", config.classes, chip.classes),
        ("input lines", prod(config.input_shape), chip.input.size),
    ]
    if config.encoding in ("direct", "current"):
        bits = chip.input.payload_bits or chip.provenance.get("input_bits")
        pairs.append(("input bits", config.input_bits, bits))
    for what, mine, theirs in pairs:
        if mine != theirs:
            yield f"its {what}: {mine}, the chip network's: {theirs}; take the network that was lowered from it"


def _unlike_layers(output: StudentOutput, chip: ChipNetwork) -> Iterator[str]:
    mine = {name: tuple(trace.membrane.shape[2:]) for name, trace in output.traces.items()}
    theirs = {p.name: p.shape for p in chip.populations if p.neuron is not None and p.role not in ADDED}
    for name in sorted(mine.keys() | theirs.keys()):
        if mine.get(name) != theirs.get(name):
            yield (
                f"layer {name!r}: {mine.get(name, 'is not there')}, the chip network's: "
                f"{theirs.get(name, 'is not there')}; take the network that was lowered from it"
            )


def _recording(chip: ChipNetwork, student: Runs, drive: IntArray) -> Recording:
    config = student.config
    values = torch.from_numpy(drive).to(torch.float32) / full_scale(config.encoding, config.input_bits)
    # A chip's input may be flat where the student's is an image.
    values = values.reshape(*drive.shape[:2], *config.input_shape)
    with torch.no_grad(), student_threads():
        output = student.run(values)
    refuse("student", list(_unlike_layers(output, chip)))
    spikes: dict[str, SpikeArray] = {}
    active: dict[str, IntArray] = {}
    for population in chip.populations:
        spikes[population.name] = fired = _spikes(chip, population, output, spikes, drive)
        if population.neuron is not None:
            active[population.name] = _active(population, student, output, fired)
    return Recording(
        spikes=spikes,
        scores=output.scores.numpy(),
        tallies={name: Tally(int(counts.sum())) for name, counts in active.items()},
        active=active,
    )


def _spikes(
    chip: ChipNetwork,
    population: Population,
    output: StudentOutput,
    before: dict[str, SpikeArray],
    drive: IntArray,
) -> SpikeArray:
    """Spikes of one population, ``(timesteps, samples, *shape)``."""
    shape = (chip.timesteps, drive.shape[1], *population.shape)
    if population.neuron is None:
        return np.broadcast_to(drive, shape)
    if population.role == "relay":  # repeats what feeds it, one step later on the chip
        return before[chip.into(population.name)[0].source]
    if population.role == "bias":
        return np.ones(shape, np.uint8)
    if population.name not in output.spikes:
        return np.zeros(shape, np.uint8)
    return output.spikes[population.name].numpy().astype(np.uint8)


def _active(population: Population, student: Runs, output: StudentOutput, spikes: SpikeArray) -> IntArray:
    """Active updates of one population, ``(timesteps, samples)``."""
    if population.role in ADDED:  # a relay has where its source spiked, and resets in that step; a bias always
        return np.count_nonzero(spikes.reshape(*spikes.shape[:2], -1), axis=2).astype(np.int64)
    if output.active is not None:
        found: IntArray = output.active[population.name].round().to(torch.int64).numpy()
        return found
    assert population.neuron is not None
    biased = torch.from_numpy(population.neuron.bias != 0)
    law = law_of(student.neuron(population.name))
    busy = _busy(output.traces[population.name], law, len(spikes))
    counts: IntArray = (busy | biased).flatten(2).sum(2).numpy()
    return counts


def _busy(trace: NeuronTrace, law: Law, timesteps: int) -> Tensor:
    """Where a step of a layer in floats had something to do, ``(T, B, *shape)``; a bias is in what arrived."""
    arrived = trace.current.expand(timesteps, *trace.current.shape[1:])
    state, busy = State(torch.zeros_like(arrived[0]), torch.zeros_like(arrived[0])), []
    for step in range(timesteps):
        busy.append(law.busy(state, arrived[step]))
        v = trace.membrane[step]
        if trace.spikes is not None:
            v = law.reset(v, trace.spikes[step] != 0)
        state = State(law.current(state.u, arrived[step]), v)
    return torch.stack(busy)
