"""The road: teacher to budgeted student to NIR to chip network to Lava to report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ..base import command as cli
from ..base.artefacts import sha256_of
from ..base.errors import InputError
from ..chip.activity import Activity
from ..chip.activity_file import save_activity
from ..chip.agreement import Agreement, save_agreement
from ..chip.chip_file import load_chip, save_chip
from ..chip.network import ChipNetwork
from ..data.dataset import Dataset
from ..energy.pricing import provenance_of, report
from ..energy.report import EnergyReport
from ..graph.nir_io import read_graph
from ..lowering.lower import lower
from ..lowering.rules import remarks as lowering_remarks
from ..pages.card.card import card_path, write_card
from ..pages.document import Document
from ..pages.render import write_report
from ..pages.verdict import Paths, Verdict
from ..profile.profile import load_profile
from ..simulation.simulate import remarks, simulate
from ..student.student import Student, student_provenance
from ..student.to_nir import export
from ..training.distill import distill_to
from ..training.objects import dataset_of
from ..training.settings import DistillSettings
from .levels import agreement_of

EXPORT_SAMPLES = 64


def run(settings: DistillSettings, out: Path, samples_lava: int = 20, resume: bool = False) -> Verdict:
    """Take a network the whole way; every artefact lands in ``out``.

    Raises:
        SpikewrightError: a step refused its input, or the network does not fit the profile.
    """

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: the folder cannot be made ({error.strerror}); choose another") from error
    paths = Paths.under(out)
    card_path(paths.nir)  # refuses what it would write over
    cli.say("1/5 distil")
    student = distill_to(settings, paths.student, resume, cli.listeners()).student
    dataset = dataset_of(settings, student.config.timesteps)
    cli.say("2/5 export to NIR")
    export_student(student, dataset, paths, settings.limits.profile)
    cli.say(f"3/5 lower for {settings.limits.profile}")
    chip = lower_graph(settings.limits.profile, paths)
    cli.say("4/5 simulate the test split on integers, and samples of it on Lava")
    activity = _simulate(chip, dataset, settings, paths, sha256_of(paths.chip))
    agreement = agreement_of(
        student, paths.nir, chip, activity, dataset, settings, min(samples_lava, len(dataset.test))
    )
    save_agreement(agreement, paths.agreement)
    cli.say("5/5 report")
    verdict = Verdict(
        agreement=agreement,
        report=_report(activity, chip, settings, paths, agreement),
        timesteps=chip.timesteps,
        spikes=activity.spikes / activity.samples,
        synaptic_ops=activity.total_synaptic_ops / activity.samples,
        paths=paths,
    )
    write_card(paths.nir, verdict)
    return verdict


def export_student(student: Student, dataset: Dataset, paths: Paths, profile: str) -> None:
    """Write the student of ``paths`` as a NIR graph that computes the same on validation samples, and its card.

    Args:
        profile: that the student was trained for, a name or a file.
    """

    facts = student_provenance(paths.student) | {"parent_sha256": sha256_of(paths.student)}
    images = torch.from_numpy(dataset.validation.images[:EXPORT_SAMPLES])
    checked = export(student, paths.nir, images, facts, load_profile(profile))
    cli.say(f"{paths.nir}: {checked.spikes} spikes and silences equal the student's on {checked.samples} samples")
    write_card(paths.nir)


def lower_graph(profile: str, paths: Paths) -> ChipNetwork:
    """Lower the graph of ``paths`` for a profile, write the network and return what was written."""

    chip = lower(read_graph(paths.nir), profile).with_provenance(parent_sha256=sha256_of(paths.nir))
    for sentence in lowering_remarks(chip):
        cli.say(f"note: {sentence}")
    save_chip(chip, paths.chip)
    return load_chip(paths.chip)


def _simulate(
    chip: ChipNetwork, dataset: Dataset, settings: DistillSettings, paths: Paths, chip_sha256: str
) -> Activity:

    with cli.progress("simulating the test split", len(dataset.test)) as advance:
        activity = simulate(chip, dataset.test, seed=settings.training.seed, progress=advance, chip_sha256=chip_sha256)
    activity = replace(activity, provenance={**activity.provenance, "data": settings.data.name})
    save_activity(activity, paths.activity)
    for remark in remarks(chip, activity):
        cli.say(f"warning: {remark}")
    return activity


def _report(
    activity: Activity, chip: ChipNetwork, settings: DistillSettings, paths: Paths, agreement: Agreement
) -> EnergyReport:

    priced = report(activity, chip, settings.limits.profile, settings.limits.energy_budget)
    facts = provenance_of(paths.activity, paths.chip, activity, chip)
    priced = replace(priced, agreement=agreement, provenance={**facts, "profile_sha256": priced.profile.sha256})
    write_report(Document([priced]), paths.report)
    return priced
