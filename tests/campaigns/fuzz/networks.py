"""Readers of networks and of what is made of them: students, checkpoints, graphs, chips, activities, reports."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikewright.base.errors import SpikewrightError
from spikewright.chip.activity_file import load_activity
from spikewright.chip.agreement import load_agreement
from spikewright.chip.chip_file import load_chip
from spikewright.chip.network import ChipNetwork
from spikewright.data.split import Split
from spikewright.energy.pricing import price
from spikewright.energy.provenance import provenance_of
from spikewright.exchange.netx_reader import read_netx
from spikewright.graph.nir_io import graph_bytes, read_graph
from spikewright.graph.readers import READERS
from spikewright.graph.translation import translate
from spikewright.lowering.check import check
from spikewright.lowering.lower import lower
from spikewright.pages import render
from spikewright.pages.card.card import model_card
from spikewright.pages.pricing import report_on
from spikewright.profile.profile import load_profile
from spikewright.simulation.simulate import simulate
from spikewright.student.student import Student, load_student, student_provenance
from spikewright.student.to_nir import to_nir
from spikewright.training import checkpoint
from spikewright.training.times import times_of

from . import formats
from .hdf5 import of_hdf5
from .reader import SMALL, Reader
from .seeds import Seeds


def student(made: Seeds) -> Reader:
    """Students."""
    return Reader("student.pt", "student.pt", made.students(), formats.of_torch, _read_student, _run_student)


def _read_student(path: Path) -> Student:
    student_provenance(path)
    return load_student(path)


def _run_student(student: Student, _: int) -> None:
    shape = student.config.input_shape
    if student.config.timesteps * int(np.prod(shape)) > SMALL or sum(p.numel() for p in student.parameters()) > SMALL:
        return
    with torch.no_grad():
        sample = torch.zeros(1, *(shape if student.config.encoding != "events" else (student.config.timesteps, *shape)))
        student(sample)
    to_nir(student)


def checkpoint_of_training(made: Seeds) -> Reader:
    """Checkpoints of one training."""
    trainer, content = made.trainer
    whole = made.folder / "whole"
    whole.write_bytes(content)

    def read(path: Path) -> None:
        try:
            checkpoint.resume(trainer, path)
        finally:
            checkpoint.resume(trainer, whole)

    return Reader("checkpoint", "s.pt.checkpoint", [content], formats.of_torch, read)


def graph(made: Seeds) -> Reader:
    """NIR graphs, which are checked, described, lowered, and written for another tool."""
    return Reader(".nir", "graph.nir", made.graphs(), of_hdf5, read_graph, _lower)


def _lower(graph: Any, seed: int) -> None:
    check(graph)
    model_card(graph)
    with suppress(SpikewrightError):
        lower(graph, "loihi2-assumed")
    graph_bytes(translate(graph, tuple(READERS)[seed % len(READERS)]))


def netx(made: Seeds) -> Reader:
    """Networks of lava-dl's, which are simulated."""
    return Reader(".net", "theirs.net", made.nets(), of_hdf5, read_netx, _simulate)


def chip(made: Seeds) -> Reader:
    """Chip networks, which run one sample."""
    return Reader("chip.h5", "chip.h5", made.chips(), of_hdf5, load_chip, _simulate)


def _simulate(chip: ChipNetwork, _: int) -> None:
    """One sample on the integers, and its price as a report tells it."""
    shape = chip.input.shape
    if chip.timesteps * sum(population.size for population in chip.populations) > SMALL:
        return
    steps = (chip.timesteps,) if chip.encoding == "events" else ()
    kind = np.uint8 if steps else np.float32
    samples = np.zeros((1, *steps, *(shape if len(shape) == 3 else (int(np.prod(shape)), 1, 1))), kind)
    labels = np.zeros(1, np.int64) if chip.meaning.is_classes else np.zeros((1, chip.classes), np.float32)
    activity = simulate(chip, Split(samples, labels))
    _report(activity, chip, None)


def _report(activity: Any, chip: ChipNetwork, provenance: Any) -> None:
    profile = load_profile("loihi2-assumed")
    found = price(activity, chip, profile)
    if provenance is None:
        return
    document = render.Document([report_on(found, activity, chip, provenance)])
    render.as_json(document)
    render.as_markdown(document)


def activity(made: Seeds) -> Reader:
    """Activities, which are priced on their chip."""
    chips = made.chips()
    networks = [made.roads[-1 - number] / "chip.h5" for number in range(len(chips))]

    def read(path: Path) -> Any:
        return path, load_activity(path)

    def step(found: Any, seed: int) -> None:
        path, activity = found
        file = networks[min(seed, len(networks) - 1)]
        chip = load_chip(file)
        _report(activity, chip, provenance_of(path, file, activity, chip))

    return Reader("activity", "activity.json", made.activities(), formats.of_json, read, step)


def agreement(made: Seeds) -> Reader:
    """Agreements."""

    def say(found: Any, _: int) -> None:
        found.in_words()
        _ = found.levels, found.merits

    return Reader("reports", "agreement.json", made.records("agreement.json"), formats.of_json, load_agreement, say)


def times(made: Seeds) -> Reader:
    """Times of a training."""

    def read(path: Path) -> object:
        return times_of(path.with_name("student.pt"))

    students = made.records("student.pt")
    return Reader(
        "reports",
        "student.times.json",
        made.records("student.times.json"),
        formats.of_json,
        read,
        beside=lambda seed: {"student.pt": students[seed]},
    )
