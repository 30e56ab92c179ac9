"""How good every level from the teacher to the chip is on the same samples, and the values in which levels differ."""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from pathlib import Path

import torch
from torch import Tensor

from ..base.errors import InputError
from ..base.progress import SILENT, Listeners
from ..base.threads import student_threads
from ..chip.activity import Activity
from ..chip.agreement import Agreement
from ..chip.answers import Answers
from ..chip.network import ChipNetwork
from ..data.dataset import Dataset
from ..data.quality import Quality
from ..data.split import Split
from ..graph.interpreter import interpret
from ..graph.nir_io import read_graph
from ..graph.time_step import resolve_dt
from ..graph.wiring import wire
from ..simulation import integer
from ..simulation.backends import BACKENDS, backend
from ..simulation.recording import compare
from ..simulation.simulate import drive_of
from ..student.accuracy import quality_of_answers, quality_of_student
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
        _note(found, "float", quality_of_student(student, test, seed), len(test))
    else:
        _note(found, "student", quality_of_student(student, test, seed), len(test))
        found.mismatches["student_integer"] = _student_mismatches(student, chip, test, seed, listeners)
        found.compared["student_integer"] = len(test)
        _note(found, "float", float_quality(student, nir, test, seed), len(test))
    _note(found, "integer", activity.quality, activity.samples)
    _compare_simulators(found, chip, test, samples, seed, listeners)
    return found


def _note(found: Agreement, level: str, quality: Quality | None, samples: int) -> None:
    """Note how good the answers of a level are."""
    assert quality is not None
    if quality.confusion is not None:
        found.accuracy[level] = quality.accuracy
    else:
        found.r2[level] = None if isnan(quality.main) else quality.main
    found.samples[level] = samples


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
        few = split.first(samples)
        _note(found, name, theirs.answers(chip, few.labels, few.recordings).quality, samples)


def _measure_teacher(found: Agreement, settings: DistillSettings, listeners: Listeners) -> None:
    """How good an artificial teacher, out of the cache, is on what it sees of the test split."""
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
    quality = teaching.trained_teacher(dataset, listeners).quality(test, dataset.output)
    _note(found, "teacher", quality, len(test))


def float_quality(student: Student, nir: Path, split: Split, seed: int) -> Quality:
    """How good the equations of a student's graph answer a split in floats.

    Args:
        nir: file of the graph.
        seed: of the rate code.
    """
    graph = read_graph(nir)
    wiring, config, batches = wire(graph), student.config, []
    dt_s = resolve_dt(wiring, graph.metadata).dt_s
    unit = float(config.timesteps) if config.readout == "membrane" else 1.0
    with student_threads(), torch.no_grad():
        for first, images in _batches(student, split):
            found = interpret(wiring, student.drive(images, seed, first), dt_s, config.timesteps)
            batches.append(Answers(found.scores(wiring.readout).numpy(), unit, config.output))
    return quality_of_answers(batches, split)


def _student_mismatches(student: Student, chip: ChipNetwork, split: Split, seed: int, listeners: Listeners) -> int:
    """Spikes, currents and membrane potentials in which a student on integers differs from its chip network."""
    total = 0
    with listeners.task("comparing student and chip network", len(split)) as advance:
        for first, images in _batches(student, split):
            for mismatch in differences(student, chip, images, seed, first):
                listeners.say(f"student and integers, samples from {first} on: {mismatch}", "warning")
                total += mismatch.count
            advance(len(images))
    return total


def _batches(student: Student, split: Split) -> Iterator[tuple[int, Tensor]]:
    """The images of a split with the index of the first one."""
    batch = split.at_once(student.config.at_once(BATCH))
    for first in range(0, len(split), batch):
        yield first, torch.from_numpy(split.samples[first : first + batch])
