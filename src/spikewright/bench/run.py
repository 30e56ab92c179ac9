"""One student from data to its price on the chip, with every file: `spikewright run` from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ..base.errors import refuse
from ..base.progress import Callback
from ..chip.agreement import save_agreement
from ..energy.provenance import provenance_of
from ..pages.card.card import write_card
from ..pages.pricing import report_on
from ..pages.render import Document, write_report
from ..pages.verdict import Verdict
from ..student.student import Student
from ..training import objects
from ..training.given import count_faults, path_faults
from ..training.objects import GivenData, GivenStudent, GivenTeacher, GivenTerms, dataset_of
from ..training.settings import Budget, DistillSettings, Training
from .begin import Begun, begin
from .levels import agreement_of
from .road import StepsInFolder


def run(
    data: GivenData = "digits",
    teacher: GivenTeacher = None,
    *,
    student: GivenStudent | None = None,
    method: GivenTerms = "kd",
    within: Budget | str | None = None,
    regularize: GivenTerms | Sequence[GivenTerms] = (),
    training: Training | None = None,
    unlabelled: object = None,
    init: Student | str | Path | None = None,
    out: Path | str = "build/run",
    samples_lava: int = 20,
    resume: bool = False,
    callbacks: Sequence[Callback] = (),
) -> Verdict:
    """Distil a student, deploy it, compare all levels from the teacher to Lava, and report; all files lie in ``out``.

    ``data``, ``teacher``, ``student``, ``method``, ``within``, ``regularize``, ``training``, ``unlabelled`` and
    ``init`` are as :func:`spikewright.distill` takes them.

    Args:
        out: folder for every artefact; it is made where it is missing.
        samples_lava: test samples that Lava's two simulators run as well, at most; 0 for none.
        resume: go on with the run in ``out`` that was stopped, wherever it was, with the same settings; a trained
            student is read, and what is made from it is made again.
        callbacks: hear messages and progress.

    Returns:
        the verdict, whose ``faults`` say why the run failed its checks; it is empty where it passed them.

    Raises:
        InputError: an unknown name, an impossible value, a budget below the student's floor, an unusable folder, one
            that another process or thread writes, or ``resume`` with other settings than at the beginning.
        Interrupted: by Ctrl-C or another request to end; says that ``resume`` goes on.
        AnswerIsNo: the network does not fit the profile.
    """
    refuse("run", [*path_faults("out", out), *count_faults("samples_lava", samples_lava, 0)])
    settings = objects.settings_of(data, teacher, student, method, within, regularize, training, unlabelled, init)
    return run_with(settings, Path(out), samples_lava, resume, callbacks=callbacks)


def run_with(
    settings: DistillSettings,
    out: Path,
    samples_lava: int = 20,
    resume: bool = False,
    *,
    callbacks: Sequence[Callback] = (),
) -> Verdict:
    """A run as :func:`run` does it, of what ``settings`` describe."""
    with begin(settings, out, resume, callbacks=callbacks) as begun:
        return finish(begun, samples_lava)


def finish(begun: Begun, samples_lava: int = 20) -> Verdict:
    """Deploy the student of a run, compare all levels from the teacher to Lava, and report.

    Args:
        samples_lava: test samples that Lava's two simulators run as well; 0 for none.

    Raises:
        SpikewrightError: a step refused its input, or the network does not fit the profile.
    """
    settings, paths, student, listeners = begun.settings, begun.paths, begun.student, begun.listeners
    dataset = dataset_of(settings, student.config.timesteps)
    deployed = StepsInFolder(paths, dataset, settings, listeners, listeners.say).deploy(student, "test")
    chip, activity = deployed.chip, deployed.activities["test"]
    agreement = agreement_of(
        student, paths.nir, chip, activity, dataset, settings, min(samples_lava, len(dataset.test)), listeners
    )
    save_agreement(agreement, paths.agreement)
    listeners.say("5/5 report")
    origin = provenance_of(paths.activity, paths.chip, activity, chip)
    report = replace(report_on(deployed.priced["test"], activity, chip, origin), agreement=agreement)
    write_report(Document([report]), paths.report)
    verdict = Verdict(
        agreement=agreement,
        report=report,
        timesteps=chip.timesteps,
        spikes=activity.spikes / activity.samples,
        synaptic_ops=activity.total_synaptic_ops / activity.samples,
        paths=paths,
        overflows=activity.overflows,
        answers=activity.answers,
    )
    write_card(paths.nir, verdict)
    return verdict
