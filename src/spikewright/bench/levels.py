"""Accuracy of every level from the teacher to the chip on the same samples, and the values in which levels differ."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from ..base.errors import InputError
from ..base.progress import SILENT, Listeners
from ..base.threads import student_threads
from ..chip.activity import Activity
from ..chip.agreement import Agreement
from ..chip.network import ChipNetwork
from ..data.dataset import Dataset
from ..data.split import Split
from ..graph.interpreter import interpret
from ..graph.nir_io import read_graph
from ..graph.time_step import resolve_dt
from ..graph.wiring import wire
from ..simulation import integer
from ..simulation.backends import BACKENDS, backend
from ..simulation.recording import compare
from ..simulation.simulate import drive_of
from ..student.accuracy import accuracy_of
from ..student.student import Student
from ..student.verify import differences
from ..teachers.teacher import is_spiking
from ..training.objects import dataset_of, loss_terms, teaching_of
from ..training.settings import DistillSettings

BATCH = 250
NOT_ASKED = "--samples-lava is 0"


def agreement_of(
    student: Student,
    nir: Path,
    chip: ChipNetwork,
    activity: Activity,
    dataset: Dataset,
    settings: DistillSettings,
    samples: int,
    listeners: Listeners = SILENT,
) -> Agreement:
    """Measure every level on the test split, those of Lava on its first ``samples``.

    Args:
        nir: file of the student's graph.
        activity: counted by the integer simulator on the whole split.
    """
    test, seed = dataset.test, settings.training.seed
    found = Agreement(activity.chip_sha256, "test", {}, {}, {}, {}, {})
    _measure_teacher(found, settings, listeners)
    if student.grid is None:
        found.skipped["student"] = "the student computes in floats"
        found.accuracy["float"] = accuracy_of(student, test, seed)
    else:
        found.accuracy["student"] = accuracy_of(student, test, seed)
        found.mismatches["student_integer"] = _student_mismatches(student, chip, test, seed, listeners)
        found.compared["student_integer"] = len(test)
        found.accuracy["float"] = float_accuracy(student, nir, test, seed)
    found.samples.update({level: len(test) for level in ("student", "float") if level in found.accuracy})
    found.accuracy["integer"], found.samples["integer"] = activity.accuracy or 0.0, activity.samples
    _compare_simulators(found, chip, test, samples, seed, listeners)
    return found


def _compare_simulators(
    found: Agreement, chip: ChipNetwork, split: Split, samples: int, seed: int, listeners: Listeners
) -> None:
    """Compare spikes, currents and membrane potentials of every exact simulator on the first ``samples`` of a split."""
    names = [name for name, each in BACKENDS.items() if each.exact and name != "integer"]
    if not samples:
        found.skipped.update(dict.fromkeys(names, NOT_ASKED))
        return
    drive = drive_of(chip, split.samples[:samples], seed)
    ours = integer.run(chip, drive, record_states=True)
    for name in names:
        try:
            with listeners.task(f"samples through {name}", samples) as advance:
                theirs = backend(name)(chip, drive, record_states=True, progress=advance)
        except InputError as error:  # it is not installed, or cannot hold the network
            found.skipped[name] = "; ".join(line.removeprefix("  - ") for line in str(error).splitlines())
            continue
        differing = compare(ours, theirs)
        for mismatch in differing:
            listeners.say(f"integer and {name}: {mismatch}", "warning")
        pair = f"integer_{name}"
        found.mismatches[pair], found.compared[pair] = sum(m.count for m in differing), samples
        found.accuracy[name] = float((theirs.predictions == split.labels[:samples]).mean())
        found.samples[name] = samples


def _measure_teacher(found: Agreement, settings: DistillSettings, listeners: Listeners) -> None:
    """Accuracy of an artificial teacher, out of the cache, on what it sees of the test split."""
    method, _ = loss_terms(settings)
    dataset = dataset_of(settings, settings.student.timesteps)
    teaching = teaching_of(settings, method, dataset)
    if not method.needs_teacher():
        found.skipped["teacher"] = "the method has none"
        return
    if is_spiking(teaching.teacher):
        found.skipped["teacher"] = "it spikes"
        return
    test = teaching.seen(dataset).test
    found.accuracy["teacher"] = teaching.trained_teacher(dataset, listeners).accuracy(test)
    found.samples["teacher"] = len(test)


def float_accuracy(student: Student, nir: Path, split: Split, seed: int) -> float:
    """Share of a split that the equations of a student's graph classify correctly in floats.

    Args:
        nir: file of the graph.
        seed: of the rate code.
    """
    graph = read_graph(nir)
    wiring = wire(graph)
    dt_s, right = resolve_dt(wiring, graph.metadata).dt_s, 0
    with student_threads(), torch.no_grad():
        for first, images in _batches(split):
            found = interpret(wiring, student.drive(images, seed, first), dt_s, student.config.timesteps)
            right += int((found.scores(wiring.readout).argmax(1).numpy() == split.labels[first : first + BATCH]).sum())
    return right / len(split)


def _student_mismatches(student: Student, chip: ChipNetwork, split: Split, seed: int, listeners: Listeners) -> int:
    """Spikes, currents and membrane potentials in which a student on integers differs from its chip network."""
    total = 0
    with listeners.task("comparing student and chip network", len(split)) as advance:
        for first, images in _batches(split):
            for mismatch in differences(student, chip, images, seed, first):
                listeners.say(f"student and integers, samples from {first} on: {mismatch}", "warning")
                total += mismatch.count
            advance(len(images))
    return total


def _batches(split: Split) -> Iterator[tuple[int, Tensor]]:
    """The images of a split with the index of the first one."""
    for first in range(0, len(split), BATCH):
        yield first, torch.from_numpy(split.samples[first : first + BATCH])
