"""A graph that was written for another tool compared with the one that it was made from, spike by spike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path

import nir
import torch
from torch import Tensor

from ..base.artefacts import atomic_write
from ..base.errors import AnswerIsNo, InputError, arg
from ..base.memory import available_bytes, in_gib
from .interpreter import GraphTrace, interpret
from .nir_io import graph_bytes, read_graph
from .readers import READERS, WRITTEN_FOR
from .time_step import NOTHING_SAID, Convention, Reading, read_as
from .translation import WrittenGraph, plain_names, translate
from .wiring import Wiring, wire

_STEPS, _RATE = 32, 0.3
TIE = 1e-5
"""Relative distance of a potential from its threshold within which the rounding of constants to float32 decides."""
READOUT_TOLERANCE = 1e-5
"""How far potentials of neurons that do not fire may be apart by that rounding, relative to the largest of them."""


@dataclass(frozen=True)
class SameSpikes:
    """How a written graph was compared.

    Attributes:
        samples: compared over all their timesteps.
        spikes: spikes and silences compared one by one.
        ties: samples that were left out, because a potential meets its threshold to within the rounding of float32.
        untold: of the spikes and silences, how many are others where the tool resets as it does untold.
    """

    samples: int
    spikes: int
    ties: int
    untold: int


def same_spikes(
    graph: nir.NIRGraph, written: nir.NIRGraph, drive: Tensor, timesteps: int, said: Convention = NOTHING_SAID
) -> SameSpikes:
    """Compare a graph with what was written of it, each read in its own convention, in float64.

    Args:
        graph: as it was translated.
        written: read from its file.
        drive: what the input gives, ``(T, B, *input shape)``, or ``(1, B, *input shape)`` for the same in every step.
        said: how ``graph`` is read.

    Raises:
        AnswerIsNo: spikes differ where no potential meets its threshold, or potentials of neurons that do not fire do.
    """
    ours, theirs = read_as(wire(graph), graph.metadata, said), read_as(wire(written), written.metadata)
    drive = drive.double()
    flat = drive.reshape(*drive.shape[:2], *theirs.wiring.shapes[theirs.wiring.input][1])
    wanted = interpret(ours.wiring, drive, ours.step.dt_s, timesteps)
    found = interpret(theirs.wiring, flat, theirs.step.dt_s, timesteps)
    names = plain_names(ours.wiring.nodes)
    wrong = {name: (spikes != found.spikes[names[name]]).flatten(2) for name, spikes in wanted.spikes.items()}
    whole = torch.ones(drive.shape[1], dtype=torch.bool)
    for sample in range(drive.shape[1]):
        whole[sample] = not _meets_its_threshold(ours, wanted, wrong, sample)
    for name in wanted.membranes.keys() - wanted.spikes.keys():
        _compare_potentials(name, wanted.membranes[name][:, whole], found.membranes[names[name]][:, whole])
    compared = sum(int(each[:, whole].numel()) for each in wrong.values())
    untold = interpret(_untold(theirs, str(written.metadata[WRITTEN_FOR])), flat, theirs.step.dt_s, timesteps)
    others = sum(int((spikes != untold.spikes[names[n]])[:, whole].sum()) for n, spikes in wanted.spikes.items())
    return SameSpikes(int(whole.sum()), compared, int((~whole).sum()), others)


def write_for(
    graph: nir.NIRGraph,
    reader: str,
    path: Path | str,
    drive: Tensor,
    timesteps: int,
    said: Convention = NOTHING_SAID,
) -> tuple[WrittenGraph, SameSpikes]:
    """Write a graph for another tool, read it back, and compare it by :func:`same_spikes` before it gets its name.

    Raises:
        InputError: as :func:`~spikewright.graph.translation.translate`, or no folder to write to.
        AnswerIsNo: the file computes other spikes; none is left behind.
    """
    written = translate(graph, reader, dt_s=said.dt_s, producer=said.producer, reset=said.reset)
    with atomic_write(path) as temporary:
        temporary.write_bytes(graph_bytes(written))
        return written, same_spikes(graph, read_graph(temporary), drive, timesteps, said)


def drive_like(graph: nir.NIRGraph, samples: int, generator: torch.Generator) -> tuple[Tensor, int]:
    """Random events for a graph, ``(T, samples, *input shape)``, and how many steps these are.

    Raises:
        InputError: the graph has faults, or there is no memory for so many samples.
    """
    wiring, said = wire(graph), graph.metadata.get("timesteps")
    timesteps = said if isinstance(said, int) and 0 < said <= _STEPS else _STEPS
    shape = (timesteps, samples, *wiring.shapes[wiring.input][1])
    values = sum(prod(given) for _, given in wiring.shapes.values()) * timesteps * samples
    if 32 * values > (room := available_bytes()):
        raise InputError(
            f"{arg('samples', samples)}: take {in_gib(32 * values)}, and there are {in_gib(room)} of memory"
        )
    return (torch.rand(shape, generator=generator, dtype=torch.float64) < _RATE).double(), timesteps


def _untold(reading: Reading, reader: str) -> Wiring:
    """The network with the reset that a tool has where nobody tells it another one."""
    untold, wiring = next(iter(READERS[reader].resets)), reading.wiring
    if READERS[reader].neuron is None:
        return wiring
    firing = [name for name in wiring.neurons if hasattr(wiring.nodes[name], "v_threshold")]
    return replace(wiring, resets=dict.fromkeys(firing, untold))


def _compare_potentials(name: str, wanted: Tensor, found: Tensor) -> None:
    """Refuse potentials that differ by more than the rounding of float32."""
    if not wanted.numel():
        return
    worst = float((wanted - found).abs().max()) / max(float(wanted.abs().max()), torch.finfo(wanted.dtype).tiny)
    if not worst <= READOUT_TOLERANCE:  # which NaN is not either
        raise AnswerIsNo(
            f"the graph that was written computes other potentials: node {name!r} differs by {worst:.2g} of its "
            f"largest potential; up to {READOUT_TOLERANCE:g} is the rounding of float32"
        )


def _meets_its_threshold(reading: Reading, trace: GraphTrace, wrong: Mapping[str, Tensor], sample: int) -> bool:
    """Whether spikes of a sample differ, and where they first do, because a potential equals its threshold.

    Raises:
        AnswerIsNo: they differ for another reason.
    """
    steps = {name: each[:, sample].any(1) for name, each in wrong.items()}
    differing = [(int(each.int().argmax()), name) for name, each in steps.items() if each.any()]
    if not differing:
        return False
    step, name = min(differing, key=lambda each: each[0])
    threshold = reading.wiring.constants(name, reading.step.dt_s).threshold
    limit = torch.as_tensor(threshold).flatten()
    distance = (trace.membranes[name][step, sample].flatten() - limit).abs() / limit.abs().clamp_min(1e-30)
    neurons = wrong[name][step, sample].nonzero().flatten()
    if float(distance[neurons].max()) > TIE:
        raise AnswerIsNo(
            f"the graph that was written computes other spikes: node {name!r} at step {step} of sample {sample}, "
            f"neuron {int(neurons[0])} first"
        )
    return True
