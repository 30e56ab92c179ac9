"""From a student to its counts with every artefact in a folder: for `run`, and for each student of a bench."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import nir
import torch

from ..base.artefacts import sha256_of
from ..base.progress import SILENT, Listeners
from ..base.version import __version__
from ..chip.activity import Activity
from ..chip.activity_file import save_activity
from ..chip.chip_file import load_chip, save_chip
from ..chip.network import ChipNetwork
from ..data.dataset import Dataset
from ..data.quality import Quality
from ..data.split import Split
from ..graph.nir_io import read_graph
from ..lowering.peaks import Measuring
from ..lowering.rules import remarks as lowering_remarks
from ..pages.card.card import write_card
from ..pages.paths import Paths
from ..profile.profile import HardwareProfile, load_profile
from ..simulation.simulate import remarks, simulate
from ..student.student import Student, load_student, student_provenance
from ..student.verify import export
from ..training.again import same_settings
from ..training.deployment import Deployment, DeploymentSteps, deploy
from ..training.distill import distill_to
from ..training.objects import dataset_of, network_of
from ..training.prepare import measuring_of
from ..training.result import Attempts
from ..training.settings import DistillSettings
from .point import SPLITS, Outcome

EXPORT_SAMPLES = 64
"""Validation samples on which a graph's file is compared with its student."""
ACTIVITIES = {"test": "activity.json", "validation": "activity-validation.json"}
"""By part of the data set, the name of the file with its counts."""


@dataclass(frozen=True, eq=False)
class StepsInFolder(DeploymentSteps):
    """The steps of a deployment with a file for what each makes; the next step takes what the file holds.

    Attributes:
        paths: of the files; that of the student is written.
        settings: of the student.
        announce: called with the name of each step before it begins.
    """

    paths: Paths
    dataset: Dataset
    settings: DistillSettings
    listeners: Listeners
    announce: Callable[[str], None] = lambda _: None

    def deploy(self, student: Student, *parts: str) -> Deployment:
        """Deploy a student for the profile, the budget and the seed of its settings, counting on parts of the data."""
        splits = {part: getattr(self.dataset, part) for part in parts}
        profile, budget = load_profile(self.settings.limits.profile), self.settings.limits.energy_budget
        data, training = self.dataset.with_train_samples(self.settings.data.train_samples), self.settings.training
        measuring = measuring_of(training, data)
        return deploy(
            student, splits, profile, seed=training.seed, energy_budget=budget, steps=self, measuring=measuring
        )

    def export(self, student: Student, profile: HardwareProfile) -> nir.NIRGraph:
        """Write the graph, which must compute what the student does on validation samples, and its model card."""
        self.announce("2/5 export to NIR")
        file = self.paths.nir
        facts = student_provenance(self.paths.student) | {"parent_sha256": sha256_of(self.paths.student)}
        images = torch.from_numpy(self.dataset.validation.samples[:EXPORT_SAMPLES])
        checked = export(student, file, images, facts, profile)
        self.listeners.say(
            f"{file}: {checked.spikes} spikes and silences equal the student's on {checked.samples} samples"
        )
        write_card(file)
        return read_graph(file)

    def lower(self, graph: nir.NIRGraph, profile: HardwareProfile, measuring: Measuring | None) -> ChipNetwork:
        """Lower the graph, write the chip network, and return what the file holds."""
        self.announce(f"3/5 lower for {self.settings.limits.profile}")
        chip = super().lower(graph, profile, measuring).with_provenance(parent_sha256=sha256_of(self.paths.nir))
        for remark in lowering_remarks(chip):
            self.listeners.say(remark, "note")
        save_chip(chip, self.paths.chip)
        return load_chip(self.paths.chip)

    def count(self, chip: ChipNetwork, part: str, samples: Split, seed: int) -> Activity:
        """Simulate one part of the data set and write the counts."""
        self.announce(f"4/5 simulate the {part} split on integers, and samples of it on Lava")
        digest = sha256_of(self.paths.chip)
        with self.listeners.task(f"simulating the {part} split", len(samples)) as advance:
            activity = simulate(chip, samples, split=part, seed=seed, progress=advance, chip_sha256=digest)
        activity = replace(activity, provenance={**activity.provenance, "data": self.settings.data.name})
        save_activity(activity, self.paths.activity.with_name(ACTIVITIES[part]))
        for remark in remarks(chip, activity):
            self.listeners.say(remark, "warning")
        return activity


@dataclass(frozen=True, eq=False)
class MeasuredStudent:
    """A student of a bench with its deployment.

    Attributes:
        facts: the provenance in the student's file.
        outcome: what the bench keeps of it.
    """

    student: Student
    facts: dict[str, object]
    dataset: Dataset
    paths: Paths
    deployed: Deployment
    outcome: Outcome


def make(settings: DistillSettings, folder: Path, out: Path, listeners: Listeners = SILENT) -> MeasuredStudent:
    """Distil the student of these settings, deploy it, and count on validation and test.

    A checkpoint or a finished student that an earlier worker left in the folder is used.

    Args:
        folder: for its files, below ``out``, the folder of the bench.

    Raises:
        BelowFloor: no candidate is small enough for the budget.
        SpikewrightError: a step refused its input, or the network does not fit the profile.
    """
    began = time.perf_counter()
    paths = Paths.under(folder)
    student, facts = _trained(settings, paths, listeners)
    dataset = dataset_of(settings, student.config.timesteps)
    deployed = StepsInFolder(paths, dataset, settings, listeners).deploy(student, *SPLITS)
    files = {"student": paths.student, "nir": paths.nir, "chip": paths.chip}
    files |= {f"activity_{part}": paths.activity.with_name(name) for part, name in ACTIVITIES.items()}
    reports, config = deployed.reports, student.config
    qualities = {part: cast(Quality, report.quality) for part, report in reports.items()}  # all data have labels
    outcome = Outcome(
        energy={part: report.total for part, report in reports.items()},
        energy_is_at_least=any(report.at_least for report in reports.values()),
        floor=reports["validation"].floor,
        accuracy={part: quality.main for part, quality in qualities.items()},
        synaptic_ops={part: report.synaptic_ops for part, report in reports.items()},
        spikes={part: sum(each.spikes for each in report.spikes) for part, report in reports.items()},
        samples={part: report.samples for part, report in reports.items()},
        timesteps=config.timesteps,
        width=config.width,
        encoding=config.encoding,
        certificate=facts.get("certificate"),
        files={name: path.relative_to(out).as_posix() for name, path in files.items()},
        made_by=f"spikewright {__version__}",
        host=socket.gethostname(),
        seconds=time.perf_counter() - began,
        merit="accuracy" if config.output.is_classes else "r2",
        quality={part: quality.facts for part, quality in qualities.items()},
    )
    return MeasuredStudent(student, facts, dataset, paths, deployed, outcome)


def _trained(settings: DistillSettings, paths: Paths, listeners: Listeners) -> tuple[Student, dict[str, object]]:
    """The student of these settings and its provenance, trained unless its file is there."""
    attempts = Attempts.beside(paths.student)
    if attempts.begun() is None and paths.student.is_file():
        facts = student_provenance(paths.student)
        if same_settings(facts.get("settings"), settings):
            listeners.say(f"{paths.student}: is trained already")
            attempts.forget()
            return load_student(paths.student, deepcopy(network_of(settings))), facts
    made = distill_to(settings, paths.student, attempts.can_resume, listeners)
    return made.student, made.provenance
