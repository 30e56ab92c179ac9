"""`spikewright drift`: where a float network and the chip network made from it differ, and why.

A graph that was trained in floats is compared with its chip network through the draft, which holds the same populations
in float64; one that was trained on integers must be on the chip what it was in training, and is compared with that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

import nir

from ..base.errors import InputError, arg, check_type, refuse
from ..base.progress import Advance
from ..chip.network import ChipNetwork
from ..chip.registers import TrainedGrid, trained_grid
from ..data.dataset import Dataset
from ..data.split import Split
from ..graph.nir_io import read_graph
from ..profile.profile import HardwareProfile, load_profile, named_profile
from ..simulation import integer
from ..simulation.simulate import Labelled, Labels, chosen_samples, data_for, drive_of, fitting
from ..sources.rows import Rows, at_once
from ..student.student import Student
from ..student.to_nir import to_nir
from .answers import Answers
from .references import FloatLevel, TrainedLevel
from .report import DriftReport, LayerDrift

Level: TypeAlias = FloatLevel | TrainedLevel
ELEMENTS = 2**21
"""Neuron updates compared at once: bounds the memory, as in the simulator."""
GIVE = f"give its file: {arg('profile', 'PATH')}"
SAMPLES = 200
"""Samples that are compared where no number is given, at most."""


def drift(
    graph: nir.NIRGraph | Student | str | Path,
    chip: ChipNetwork,
    data: str | Path | Dataset | Split | Labelled = "digits",
    samples: int | None = None,
    split: str = "validation",
    *,
    data_dir: Path | None = None,
    profile: HardwareProfile | str | Path | None = None,
    seed: int = 0,
    progress: Advance | None = None,
) -> DriftReport:
    """Compare a float network with its chip network on data, layer by layer, and say what their differences are due to.

    One that was trained on integers must be on the chip what it was in training; see ``is_wrong`` of the report.

    Args:
        graph: that ``chip`` was made from, the path of its file, or the student of which that graph is.
        chip: lowered from it.
        data: as :func:`spikewright.simulate` takes it.
        samples: how many, from the first; None: 200, or all of fewer.
        split: part of the data set: test, validation or train; of other data it is not used.
        data_dir: where a data set's files are.
        profile: the chip, or the name or file of its profile; None takes the name that the chip network gives.
        seed: of the rate code.
        progress: called with the number of samples done.

    Raises:
        InputError: the chip network was not made from this graph, no such data or part, samples that do not fit the
            network's input, or labels that mean something else than its outputs.
    """
    if isinstance(graph, str | Path):
        graph = read_graph(graph)
    check_type("graph", graph, nir.NIRGraph | Student, "a NIR graph, such as to_nir(student), or a Student")
    check_type("chip", chip, ChipNetwork, "a ChipNetwork, such as lower(graph)")
    whole = data_for(chip, data, data_dir)
    if samples is None:
        samples = min(SAMPLES, len(chosen_samples(whole, split, None).images))
    images, labels, _ = chosen_samples(whole, split, samples)
    target = None if profile is None else load_profile(profile)
    written = to_nir(graph) if isinstance(graph, Student) else graph
    return drift_on(written, chip, images, labels, profile=target, seed=seed, progress=progress)


def drift_on(
    graph: nir.NIRGraph,
    chip: ChipNetwork,
    images: Rows,
    labels: Labels | None = None,
    *,
    profile: HardwareProfile | None = None,
    seed: int = 0,
    progress: Advance | None = None,
) -> DriftReport:
    """Compare ``graph`` with ``chip`` as :func:`drift` does it, on samples as the network takes them.

    Args:
        graph: that ``chip`` was made from; trained in floats or (its metadata say) on integers.
        chip: lowered from it.
        images: intensities in [0, 1], shape ``(samples, *input shape)``; events ``(samples, timesteps, *input shape)``.
        labels: classes, shape ``(samples,)``; None leaves the accuracies open.
        profile: where the name that chip or graph give is of a file of one's own; None takes that name.
        seed: of the rate code.
        progress: called with the number of samples done.

    Raises:
        InputError: the chip was not made from this graph, or the samples do not fit.
    """
    refuse("drift", list(_contradictions(graph.metadata, chip)))
    images, trained = fitting(chip, images), trained_grid(graph.metadata)
    target = profile or named_profile(chip.profile if trained is None else trained.profile, "drift", GIVE)
    level: Level
    if trained is None:
        level = FloatLevel.of(graph, chip, target)
        remarks, facts = level.remarks(), {}
    else:
        level = TrainedLevel.of(graph, chip, target)
        remarks = _profile_remarks(trained, target, chip)
        facts = {"profile": target.name, "weight_bits": trained.registers.weight_bits}
    layers, answers = _compared(level, chip, images, labels, seed, progress)
    return DriftReport(
        reference=level.reference,
        layers=layers,
        answers=answers,
        timesteps=chip.timesteps,
        trained=facts,
        changed=level.changed,
        remarks=tuple(remarks),
        facts={"profile": chip.profile, "encoding": chip.encoding, "readout": chip.readout, "seed": seed},
    )


def _compared(
    level: Level, chip: ChipNetwork, images: Rows, labels: Labels | None, seed: int, progress: Advance | None
) -> tuple[tuple[LayerDrift, ...], Answers]:
    """Layers and answers of both levels, batch by batch of samples."""
    layers: tuple[LayerDrift, ...] = ()
    answers: Answers | None = None
    batch = at_once(images, max(1, ELEMENTS // (chip.timesteps * sum(p.size for p in chip.populations))))
    for start in range(0, len(images), batch):
        chosen = slice(start, min(start + batch, len(images)))
        drive = drive_of(chip, images[chosen], seed, first_index=start)
        found, scores = level.compare(drive, integer.run(chip, drive, record_states=True), start)
        right = None if labels is None else labels[chosen]
        counted = Answers.of(*scores, right, chip.meaning, chip.timesteps)
        layers = tuple(a + b for a, b in zip(layers, found, strict=True)) if layers else tuple(found)
        answers = counted if answers is None else answers + counted
        if progress:
            progress(chosen.stop - start)
    if answers is None:
        raise InputError("drift: there are no samples; give at least 1")
    return layers, answers


def _contradictions(metadata: Mapping[str, object], chip: ChipNetwork) -> Iterator[str]:
    """Facts of the graph that the chip network contradicts."""
    here = {"input_bits": chip.provenance.get("input_bits"), **vars(chip)}
    for name in ("timesteps", "encoding", "input_bits", "readout"):
        said, value = metadata.get(name), here[name]
        if said is not None and value is not None and said != value:
            yield f"the graph has {name} {said} and the chip network {value}; lower the graph again"


def _profile_remarks(trained: TrainedGrid, target: HardwareProfile, chip: ChipNetwork) -> Iterator[str]:
    if target.sha256 != trained.profile_sha256:
        yield f"profile {target.name} has changed since the graph was trained for it"
    if chip.profile != target.name:
        yield f"the graph was trained for {target.name}, and the chip network is lowered for {chip.profile}"
