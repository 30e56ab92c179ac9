"""A student counted as the chip network that it becomes: its spikes and updates, the network's names and synapses."""

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
from ..chip.network import ChipNetwork, Population
from ..simulation.drive import check_drive
from ..simulation.recording import Progress, Recording, SpikeArray, Tally
from .config import StudentConfig
from .neurons import NeuronTrace
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
class OnStudent:
    """What :data:`spikewright.simulation.backends.BACKENDS` are, for one student."""

    student: Runs

    def __call__(
        self, chip: ChipNetwork, drive: IntArray, *, record_states: bool = False, progress: Progress | None = None
    ) -> Recording:
        """Run the student on all samples of ``drive``.

        Args:
            chip: the network that it becomes; its weights are not used.
            drive: int64, shape ``(timesteps or 1, samples, *input shape)``.
            record_states: not for a student, whose potentials are in other units.
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
    """What says that ``chip`` is not the network that a student becomes, its layers apart."""
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
    """Updates that had something to do, ``(timesteps, samples)``."""
    if population.role in ADDED:  # a relay has where its source spiked, and resets in that step; a bias always
        return np.count_nonzero(spikes.reshape(*spikes.shape[:2], -1), axis=2).astype(np.int64)
    if output.active is not None:
        found: IntArray = output.active[population.name].round().to(torch.int64).numpy()
        return found
    assert population.neuron is not None
    biased = torch.from_numpy(population.neuron.bias != 0)
    alpha = getattr(student.neuron(population.name), "alpha", None)
    busy = _busy(output.traces[population.name], None if alpha is None else alpha.clamp(0, 1), len(spikes))
    counts: IntArray = (busy | biased).flatten(2).sum(2).numpy()
    return counts


def _busy(trace: NeuronTrace, keep: Tensor | None, timesteps: int) -> Tensor:
    """Where something arrived, or a current or membrane potential was left, ``(T, B, *shape)``; of floats.

    Args:
        keep: share of the synaptic current that a step leaves; None without a filter.
    """
    arrived = trace.current.expand(timesteps, *trace.current.shape[1:])
    left = trace.membrane if trace.spikes is None else trace.membrane.masked_fill(trace.spikes != 0, 0.0)
    busy = arrived != 0  # a bias of the student's is in what arrived
    busy[1:] |= left[:-1] != 0
    if keep is not None:
        current = torch.zeros_like(arrived[0])
        for step in range(timesteps):
            busy[step] |= current != 0
            current = keep * current + arrived[step]
    return busy
