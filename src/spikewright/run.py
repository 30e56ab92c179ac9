"""`spikewright run`: teacher to budgeted student to NIR to chip network to Lava to report, in one command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import command as cli
from .errors import AnswerIsNo, InputError
from .train.options import takes_settings
from .train.settings import DistillSettings
from .verdict import Paths, Verdict

if TYPE_CHECKING:
    from .activity import Activity
    from .chip import ChipNetwork
    from .energy_report import EnergyReport
    from .train.data import Dataset, Split
    from .train.student import Student

EXPORT_SAMPLES = 64
BATCH = 250


@takes_settings
def command(
    settings: DistillSettings,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder for every artefact")] = Path("build/run"),
    samples_lava: Annotated[
        int, typer.Option("--samples-lava", min=0, help="test samples that also go through Lava and netx; 0: none")
    ] = 20,
    resume: Annotated[bool, typer.Option("--resume", help="go on from a training that was stopped")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    """Do all five steps: distil, export to NIR, lower, simulate (integers, Lava, netx), report.

    Ends with the verdict; exit code 1 when the budget is exceeded or two simulators disagree.

    Example: spikewright run --data fashion-mnist --profile loihi2-assumed --energy-budget 3uJ
    """
    verdict = run(settings, out, samples_lava, resume)
    if json_output:
        cli.emit(verdict.as_json())
    else:
        verdict.print()
    if verdict.faults:
        raise AnswerIsNo(f"run: {'; '.join(verdict.faults)}")


def run(settings: DistillSettings, out: Path, samples_lava: int = 20, resume: bool = False) -> Verdict:
    """Take a network the whole way; every artefact lands in ``out``.

    Raises:
        SpikewrightError: a step refused its input, or the network does not fit the profile.
    """
    from .artefacts import sha256_of
    from .convert.card import card_path, write_card
    from .train.data import load
    from .train.distill import distill_to

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out}: the folder cannot be made ({error.strerror}); choose another") from error
    paths = Paths.under(out)
    card_path(paths.nir)  # refuses what it would write over
    cli.say("1/5 distil")
    student = distill_to(settings, paths.student, resume).student
    dataset = load(settings.data, settings.data_dir, student.config.timesteps)
    cli.say("2/5 export to NIR")
    export_student(student, dataset, paths)
    cli.say(f"3/5 lower for {settings.profile}")
    chip = lower_graph(settings.profile, paths)
    cli.say("4/5 simulate the test split on integers, and samples of it on Lava")
    activity = _simulate(chip, dataset, settings, paths, sha256_of(paths.chip))
    checked = cross_check(chip, dataset.test, min(samples_lava, len(dataset.test)), settings.seed)
    cli.say("5/5 report")
    report = _report(activity, chip, settings, paths)
    verdict = Verdict(
        accuracy={
            **_student_accuracies(student, paths, dataset.test, settings.seed),
            "integer": activity.accuracy,
            "lava": checked.lava_accuracy,
        },
        samples={"integer": activity.samples, "lava": checked.samples},
        mismatches={"student_integer": _student_mismatches(student, chip, dataset.test, settings.seed)}
        | checked.mismatches,
        skipped=checked.skipped,
        report=report,
        timesteps=chip.timesteps,
        spikes=activity.spikes / activity.samples,
        synaptic_ops=activity.total_synaptic_ops / activity.samples,
        paths=paths,
    )
    write_card(paths.nir, verdict)
    return verdict


@dataclass(frozen=True)
class CrossCheck:
    """The integer simulator against Lava's processes and lava-dl's, on the same samples.

    Attributes:
        mismatches: differing spikes, currents and membrane potentials; None where a simulator was not run.
        skipped: why it was not, by simulator.
        samples: that went through Lava.
    """

    mismatches: dict[str, int | None]
    skipped: dict[str, str]
    samples: int
    lava_accuracy: float | None


def cross_check(chip: ChipNetwork, split: Split, samples: int, seed: int) -> CrossCheck:
    """Run the first ``samples`` of a split on every simulator and compare spikes, currents and membranes."""
    from .deploy import integer
    from .deploy.recording import compare
    from .deploy.simulate import backend, drive_of

    mismatches: dict[str, int | None] = {"integer_lava": None, "integer_netx": None}
    skipped = _why_not(chip, samples)
    if skipped.keys() >= {"lava", "netx"}:
        return CrossCheck(mismatches, skipped, 0, None)
    drive = drive_of(chip, split.images[:samples], seed)
    ours = integer.run(chip, drive, record_states=True)
    accuracy = None
    for name in ("lava", "netx"):
        if name in skipped:
            continue
        with cli.progress(f"samples through {name}", samples) as advance:
            theirs = backend(name)(chip, drive, record_states=True, progress=advance)
        found = compare(ours, theirs)
        for mismatch in found:
            cli.say(f"warning: integer and {name}: {mismatch}")
        mismatches[f"integer_{name}"] = sum(m.count for m in found)
        if name == "lava":
            accuracy = float((theirs.predictions == split.labels[:samples]).mean())
    return CrossCheck(mismatches, skipped, 0 if accuracy is None else samples, accuracy)


def _student_accuracies(student: Student, paths: Paths, split: Split, seed: int) -> dict[str, float]:
    """Of a student, and where it computes on integers of its graph's equations in floats."""
    from .train.measurement import accuracy_of

    own = accuracy_of(student, split, seed)
    if student.grid is None:
        return {"float": own}
    return {"student": own, "float": float_accuracy(student, paths.nir, split, seed)}


def float_accuracy(student: Student, nir: Path, split: Split, seed: int) -> float:
    """Share of a split that the equations of a student's graph classify correctly in floats.

    Args:
        nir: the graph's file.
        seed: of the rate code.
    """
    import torch

    from .convert.interpreter import interpret
    from .convert.nir_io import read_graph
    from .convert.time_step import resolve_dt
    from .convert.wiring import wire
    from .train.threads import student_threads

    graph = read_graph(nir)
    wiring = wire(graph)
    dt_s, right = resolve_dt(wiring, graph.metadata).dt_s, 0
    with student_threads(), torch.no_grad():
        for first in range(0, len(split), BATCH):
            images = torch.from_numpy(split.images[first : first + BATCH])
            found = interpret(wiring, student.drive(images, seed, first), dt_s, student.config.timesteps)
            right += int((found.scores(wiring.readout).argmax(1).numpy() == split.labels[first : first + BATCH]).sum())
    return right / len(split)


def _student_mismatches(student: Student, chip: ChipNetwork, split: Split, seed: int) -> int | None:
    """Spikes, currents and membranes in which a student on integers is not its chip network; None in floats."""
    import torch

    from .train.quantized.agreement import differences

    if student.grid is None:
        return None
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
    from .deploy.lava_job import require_lava
    from .deploy.netx_file import netx_faults

    skipped = {}
    for name in ("lava", "netx"):
        try:
            require_lava(name)
        except InputError as error:
            skipped[name] = str(error)
    if faults := netx_faults(chip):
        skipped.setdefault("netx", "; ".join(faults))
    return skipped if samples else dict.fromkeys(("lava", "netx"), "--samples-lava is 0")


def export_student(student: Student, dataset: Dataset, paths: Paths) -> None:
    """Write the student of ``paths`` as a NIR graph that computes the same on validation samples, and its card."""
    import torch

    from .artefacts import sha256_of
    from .convert.card import write_card
    from .convert.to_nir import export
    from .train.student import student_provenance

    facts = student_provenance(paths.student) | {"parent_sha256": sha256_of(paths.student)}
    checked = export(student, paths.nir, torch.from_numpy(dataset.validation.images[:EXPORT_SAMPLES]), facts)
    cli.say(f"{paths.nir}: {checked.spikes} spikes and silences equal the student's on {checked.samples} samples")
    write_card(paths.nir)


def lower_graph(profile: str, paths: Paths) -> ChipNetwork:
    """Lower the graph of ``paths`` for a profile, write the network and return what was written."""
    from .artefacts import sha256_of
    from .convert.nir_io import read_graph
    from .deploy.chip_file import load_chip, save_chip
    from .deploy.lower import lower
    from .deploy.rules import remarks

    chip = lower(read_graph(paths.nir), profile).with_provenance(parent_sha256=sha256_of(paths.nir))
    for sentence in remarks(chip):
        cli.say(f"note: {sentence}")
    save_chip(chip, paths.chip)
    return load_chip(paths.chip)


def _simulate(
    chip: ChipNetwork, dataset: Dataset, settings: DistillSettings, paths: Paths, chip_sha256: str
) -> Activity:
    from .activity_file import save_activity
    from .deploy.simulate import remarks, simulate

    with cli.progress("simulating the test split", len(dataset.test)) as advance:
        activity = simulate(chip, dataset.test, seed=settings.seed, progress=advance, chip_sha256=chip_sha256)
    activity = replace(activity, provenance={**activity.provenance, "data": settings.data})
    save_activity(activity, paths.activity)
    for remark in remarks(chip, activity):
        cli.say(f"warning: {remark}")
    return activity


def _report(activity: Activity, chip: ChipNetwork, settings: DistillSettings, paths: Paths) -> EnergyReport:
    from .hardware_profiles.render import write_report
    from .hardware_profiles.report import provenance_of, report

    priced = report(activity, chip, settings.profile, settings.energy_budget)
    facts = provenance_of(paths.activity, paths.chip, activity, chip)
    priced = replace(priced, provenance={**facts, "profile_sha256": priced.profile.sha256})
    write_report([priced], paths.report)
    return priced


def main(argv: Sequence[str] | None = None) -> int:
    """The verb on command-line words; returns the exit code."""
    return cli.run(command, argv, "run")
