"""A student compared with its NIR graph, before the file gets its name, and with the chip network that it became."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor

from ..base.artefacts import atomic_write
from ..base.errors import AnswerIsNo, arg, refuse
from ..base.threads import student_threads
from ..chip.encoding import encode
from ..chip.network import ChipNetwork
from ..graph.interpreter import interpret
from ..graph.nir_io import graph_bytes, read_graph
from ..graph.same_spikes import READOUT_TOLERANCE, SameSpikes, write_for
from ..graph.time_step import resolve_dt
from ..graph.translation import reader_of
from ..graph.wiring import wire
from ..lowering.lower import lower
from ..lowering.split import wholes_of
from ..profile.profile import HardwareProfile, named_profile
from ..simulation import integer
from ..simulation.recording import Mismatch, Recording, compare
from .finite import weight_faults
from .student import Student
from .to_nir import to_nir

TIE = 1e-5
"""Relative distance of a membrane potential from its threshold below which float32 may decide either way."""


@dataclass(frozen=True)
class Verification:
    """How a graph was compared with its student.

    Attributes:
        samples: compared over all their timesteps.
        spikes: compared one by one.
        ties: samples that were left out because a membrane potential equals its threshold to within float32.
    """

    samples: int
    spikes: int
    ties: int


def export(
    student: Student,
    path: Path | str,
    images: Tensor,
    facts: dict[str, object] | None = None,
    profile: HardwareProfile | None = None,
) -> Verification:
    """Write the NIR graph of ``student`` to ``path`` and read it back, verified with :func:`verify_export`.

    Args:
        facts: provenance for the metadata; see :func:`~spikewright.student.to_nir.to_nir`.

    Raises:
        InputError: a module without a counterpart in NIR, or no folder to write to.
        AnswerIsNo: the file does not compute what the student computes; no file is left behind.
    """
    graph = to_nir(student, facts)
    with atomic_write(path) as temporary:
        temporary.write_bytes(graph_bytes(graph))
        return verify_export(student, read_graph(temporary), images, profile)


IN_FLOATS = (
    "the student computes on integers: other tools compute its weights and constants in floats, which may fire other "
    "spikes, and the scales of the integers are not in the file, so that lowering it rounds anew"
)
"""What is said of a student on integers that is written for another tool."""


def export_for(
    student: Student,
    path: Path | str,
    images: Tensor,
    reader: str,
    facts: dict[str, object] | None = None,
    profile: HardwareProfile | None = None,
) -> tuple[Verification, SameSpikes, tuple[str, ...]]:
    """Write ``student`` for another tool: verified as in :func:`export`, and compared with that graph spike by spike.

    Args:
        reader: as in :func:`spikewright.translate`.

    Returns:
        How student and graph, and how graph and file were compared; what the tool computes differently, as sentences.

    Raises:
        InputError: as :func:`export`, and everything that the tool cannot take.
        AnswerIsNo: the file computes other spikes; none is left behind.
    """
    reader_of(reader)
    graph = to_nir(student, facts)
    checked = verify_export(student, graph, images, profile)
    with torch.no_grad():
        drive = student(images).drive
    written, same = write_for(graph, reader, path, drive, student.config.timesteps)
    remarks = written.remarks if student.grid is None else (*written.remarks, IN_FLOATS)
    return checked, same, remarks


def verify_export(
    student: Student, graph: nir.NIRGraph, images: Tensor, profile: HardwareProfile | None = None
) -> Verification:
    """Compare a graph with its student on samples: every spike, and the readout.

    A student with integer arithmetic is compared with the chip network that the graph is lowered to: every spike,
    current and membrane potential, bit for bit.

    A floating-point student is compared with the graph's own equations, both in float64. Where a membrane potential is
    within :data:`TIE` of its threshold, the graph, which holds float32, may spike differently; such a sample is left
    out from then on and counted.

    Args:
        images: intensities in [0, 1], ``(B, *input shape)``.
        profile: the profile that a student with integer arithmetic was trained for; None: it comes with spikewright.

    Raises:
        InputError: a student with integer arithmetic was trained for a user's profile, and ``profile`` is missing;
            samples that are none of the student's, or numbers of student or graph that are NaN or infinite.
        AnswerIsNo: the first node and timestep that differ, or more ties than samples compared.
    """
    refuse("export", [*weight_faults(student), *_sample_faults(images)])
    if student.grid is not None:
        target = profile or named_profile(
            student.grid.profile, "export: the student", f"give its file: {arg('profile', 'PATH')}"
        )
        found = differences(student, lower(graph, target), images)
        if found:
            raise AnswerIsNo(f"export: the chip network is not what the student computes: {'; '.join(map(str, found))}")
        spikes = sum(int(s.numel()) for s in student(images[:1]).spikes.values())
        return Verification(len(images), spikes * len(images), 0)
    return _verify_floats(student, graph, images)


def _sample_faults(images: Tensor) -> Iterator[str]:
    """Why these samples prove nothing."""
    if not len(images):
        yield f"{arg('images')}: are none; give one sample or more"
        return
    if images.is_floating_point() and (bad := int((~torch.isfinite(images)).sum())):
        yield f"{arg('images')}: {bad:,} of {images.numel():,} values are NaN or infinite; give intensities of 0 to 1"
    elif float(images.min()) < 0 or float(images.max()) > 1:
        low, high = float(images.min()), float(images.max())
        yield f"{arg('images')}: reach from {low:.4g} to {high:.4g}; give intensities of 0 to 1"


def differences(
    student: Student, chip: ChipNetwork, images: Tensor, seed: int = 0, first_index: int = 0
) -> list[Mismatch]:
    """Every layer whose spikes, currents or membrane potentials are not the chip network's, bit for bit.

    Populations that lowering added (relays) have no counterpart in the student and are not compared.

    Args:
        images: intensities in [0, 1], ``(B, *input shape)``.

    Raises:
        ValueError: the student computes in floats.
    """
    config = student.config
    codes = encode(
        *(config.encoding, images.numpy(), config.timesteps, config.input_bits, seed, first_index),
        by_step=config.changes_each_step,
    )
    theirs = integer.run(chip, codes, record_states=True)
    with student_threads():
        states, recorded = student.registers(images, seed, first_index)

    spikes = {name: trains.astype(np.uint8) for name, trains in _by_population(chip, recorded).items()}
    u = _by_population(chip, {name: state.u for name, state in states.items()})
    v = _by_population(chip, {name: state.v for name, state in states.items()})
    ours = Recording(spikes=spikes, scores=theirs.scores, tallies={}, u=u, v=v)
    return compare(ours, replace(theirs, spikes={name: theirs.spikes[name] for name in spikes}))


def _by_population(chip: ChipNetwork, values: Mapping[str, Tensor]) -> dict[str, Any]:
    """What each layer has, ``(T, B, *shape)``, as the populations that it became have it."""
    whole = slice(None)
    places: dict[str, tuple[str, Any]] = {name: (name, whole) for name in values if name in chip.by_name}
    places |= {part: place for part, place in wholes_of(chip).items() if place[0] in values}
    found = {}
    for name, (layer, neurons) in places.items():  # values over one axis have two on the chip
        steps = values[layer].shape[:2]
        found[name] = values[layer].flatten(2)[..., neurons].numpy().reshape(*steps, *chip.by_name[name].shape)
    return found


def _verify_floats(student: Student, graph: nir.NIRGraph, images: Tensor) -> Verification:
    # A copied fx.GraphModule no longer shares its layers, so the student in float64 is built and traced anew.
    exact = type(student)(student.config, copy.deepcopy(student.network))
    exact.load_state_dict(student.state_dict())
    exact = exact.double().eval()
    wiring = wire(graph)
    with torch.no_grad():
        expected = exact(images.double())
        found = interpret(wiring, expected.drive, resolve_dt(wiring, graph.metadata).dt_s, student.config.timesteps)
    whole = torch.ones(len(images), dtype=torch.bool)
    for name in (n for n in wiring.neurons if n in found.spikes):
        threshold = torch.as_tensor(wiring.nodes[name].v_threshold).double()
        least = torch.finfo(threshold.dtype).tiny  # so that a potential of a threshold of 0 is that, or is not
        distance = (expected.traces[name].membrane - threshold).abs() / threshold.abs().clamp_min(least)
        whole &= _agreeing(name, expected.spikes[name], found.spikes[name], distance, whole)
    if whole.sum() * 2 < len(images):
        raise AnswerIsNo(
            f"export: {len(images) - int(whole.sum())} of {len(images)} samples hold a membrane potential that equals "
            "its threshold to within float32, too many to compare by; verify with other samples"
        )
    scores, theirs = expected.scores[whole], found.scores(wiring.readout)[whole]
    worst = float((scores - theirs).abs().max()) / max(float(scores.abs().max()), 1e-12)
    if not worst <= READOUT_TOLERANCE:  # which NaN is not either
        raise AnswerIsNo(
            f"export: the graph does not compute what the student does: readout {wiring.readout!r} differs by "
            f"{worst:.2g} of its largest value; up to {READOUT_TOLERANCE:g} is float32's rounding"
        )
    compared = sum(int(spikes[:, whole].numel()) for spikes in found.spikes.values())
    return Verification(int(whole.sum()), compared, int((~whole).sum()))


def _agreeing(name: str, expected: Tensor, found: Tensor, distance: Tensor, whole: Tensor) -> Tensor:
    """The samples whose spikes are equal, as a mask ``(B,)``.

    Raises:
        AnswerIsNo: spikes of a sample in ``whole`` differ where no membrane potential is within :data:`TIE`.
    """
    wrong = (expected != found).flatten(2)
    per_step = wrong.any(2)
    good = ~per_step.any(0)
    for sample in torch.nonzero(whole & ~good).flatten().tolist():
        step = int(per_step[:, sample].int().argmax())
        neurons = wrong[step, sample].nonzero().flatten()
        if not float(distance.flatten(2)[step, sample, neurons].max()) <= TIE:
            raise AnswerIsNo(
                f"export: the graph does not compute what the student does: node {name!r} spikes differently at step "
                f"{step} of sample {sample}, neuron {int(neurons[0])} first"
            )
    return good
