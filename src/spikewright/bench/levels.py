"""Every level from the teacher to the chip on the same samples: how accurate each is, and where they differ."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..base import command as cli
from ..base.errors import InputError
from ..base.threads import student_threads
from ..chip.activity import Activity
from ..chip.agreement import Agreement
from ..chip.network import ChipNetwork
from ..data.dataset import Dataset, Split
from ..graph.interpreter import interpret
from ..graph.nir_io import read_graph
from ..graph.time_step import resolve_dt
from ..graph.wiring import wire
from ..simulation import integer
from ..simulation.lava.job import require_lava
from ..simulation.netx.file import netx_faults
from ..simulation.recording import compare
from ..simulation.simulate import Simulator, backend, drive_of
from ..student.accuracy import accuracy_of
from ..student.integers.agreement import differences
from ..student.student import Student
from ..teachers.teacher import is_spiking
from ..training.objects import dataset_of, loss_terms, teaching_of
from ..training.settings import DistillSettings

BATCH = 250
NOT_ASKED = "--samples-lava is 0"


@dataclass
class _Found:
    """What an agreement is made of, as it comes in."""

    accuracy: dict[str, float] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)
    mismatches: dict[str, int] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def reached(self, level: str, accuracy: float, samples: int) -> None:
        self.accuracy[level], self.samples[level] = accuracy, samples

    def differ(self, pair: str, mismatches: int, samples: int) -> None:
        self.mismatches[pair], self.compared[pair] = mismatches, samples


def agreement_of(
    student: Student,
    nir: Path,
    chip: ChipNetwork,
    activity: Activity,
    dataset: Dataset,
    settings: DistillSettings,
    samples: int,
) -> Agreement:
    """Measure every level on the test split, those of Lava on its first ``samples``.

    Args:
        nir: the student's graph.
        activity: of the whole split, counted on integers.
    """
    test, seed, found = dataset.test, settings.training.seed, _Found()
    _teacher(found, settings)
    if student.grid is None:
        found.skipped["student"] = "the student computes in floats"
    else:
        found.reached("student", _accuracy_of(student, test, seed), len(test))
        found.differ("student_integer", _student_mismatches(student, chip, test, seed), len(test))
    own = student.grid is None
    found.reached(
        "float", _accuracy_of(student, test, seed) if own else float_accuracy(student, nir, test, seed), len(test)
    )
    found.reached("integer", activity.accuracy or 0.0, activity.samples)
    cross_check(found, chip, test, samples, seed)
    return Agreement(activity.chip_sha256, "test", **vars(found))


def cross_check(found: _Found, chip: ChipNetwork, split: Split, samples: int, seed: int) -> None:
    """Run the first ``samples`` of a split on every simulator and compare spikes, currents and membranes."""

    skipped = _why_not(chip, samples)
    found.skipped.update(skipped)
    if skipped.keys() >= {"lava", "netx"}:
        return
    drive = drive_of(chip, split.images[:samples], seed)
    ours = integer.run(chip, drive, record_states=True)
    names: tuple[Simulator, ...] = ("lava", "netx")
    for name in names:
        if name in skipped:
            continue
        with cli.progress(f"samples through {name}", samples) as advance:
            theirs = backend(name)(chip, drive, record_states=True, progress=advance)
        differing = compare(ours, theirs)
        for mismatch in differing:
            cli.say(f"warning: integer and {name}: {mismatch}")
        found.differ(f"integer_{name}", sum(m.count for m in differing), samples)
        found.reached(name, float((theirs.predictions == split.labels[:samples]).mean()), samples)


def _teacher(found: _Found, settings: DistillSettings) -> None:
    """How accurate the teacher is on the samples it sees of the test split, where it is an artificial network."""

    method, _ = loss_terms(settings)
    teaching = teaching_of(settings, method)
    if not method.needs_teacher():
        found.skipped["teacher"] = "the method has none"
    elif is_spiking(teaching.teacher):
        found.skipped["teacher"] = "it spikes"
    else:
        dataset = dataset_of(settings, settings.student.timesteps)
        test = teaching.seen(dataset).test
        found.reached("teacher", teaching.trained_teacher(dataset, cli.listeners()).accuracy(test), len(test))


def _accuracy_of(student: Student, split: Split, seed: int) -> float:

    return accuracy_of(student, split, seed)


def float_accuracy(student: Student, nir: Path, split: Split, seed: int) -> float:
    """Share of a split that the equations of a student's graph classify correctly in floats.

    Args:
        nir: the graph's file.
        seed: of the rate code.
    """

    graph = read_graph(nir)
    wiring = wire(graph)
    dt_s, right = resolve_dt(wiring, graph.metadata).dt_s, 0
    with student_threads(), torch.no_grad():
        for first in range(0, len(split), BATCH):
            images = torch.from_numpy(split.images[first : first + BATCH])
            found = interpret(wiring, student.drive(images, seed, first), dt_s, student.config.timesteps)
            right += int((found.scores(wiring.readout).argmax(1).numpy() == split.labels[first : first + BATCH]).sum())
    return right / len(split)


def _student_mismatches(student: Student, chip: ChipNetwork, split: Split, seed: int) -> int:
    """Spikes, currents and membranes in which a student on integers is not its chip network."""

    total = 0
    with cli.progress("comparing student and chip network", len(split)) as advance:
        for first in range(0, len(split), BATCH):
            images = torch.from_numpy(split.images[first : first + BATCH])
            found = differences(student, chip, images, seed, first)
            for mismatch in found:
                cli.say(f"warning: student and integers, samples from {first} on: {mismatch}")
            total += sum(m.count for m in found)
            advance(len(images))
    return total


def _why_not(chip: ChipNetwork, samples: int) -> dict[str, str]:

    skipped = {}
    for name in ("lava", "netx"):
        try:
            require_lava(name)
        except InputError as error:
            skipped[name] = str(error)
    if faults := netx_faults(chip):
        skipped.setdefault("netx", "; ".join(faults))
    return skipped if samples else dict.fromkeys(("lava", "netx"), NOT_ASKED)
