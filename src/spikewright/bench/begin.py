"""The first half of `run`, the training; it loads nothing that a refusal would have to wait for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..base.errors import InputError, arg
from ..base.progress import Callback, Listeners
from ..pages.paths import Paths, card_path
from ..student.student import Student
from ..training.distill import distill_to
from ..training.settings import DistillSettings


@dataclass(frozen=True, eq=False)
class Begun:
    """A run whose student is trained.

    Attributes:
        paths: of its files; that of the student is written.
    """

    settings: DistillSettings
    paths: Paths
    student: Student
    listeners: Listeners


def begin(settings: DistillSettings, out: Path, resume: bool = False, *, callbacks: Sequence[Callback] = ()) -> Begun:
    """Distil the student of a run.

    Args:
        out: folder for every artefact.
        resume: go on from the checkpoint of a training that was stopped.
        callbacks: hear messages and progress.

    Raises:
        SpikewrightError: the settings, the data or the folder cannot be used.
    """
    listeners = Listeners(callbacks)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{arg('out', out)}: the folder cannot be made ({error.strerror}); choose another") from error
    paths = Paths.under(out)
    card_path(paths.nir)  # refuses a file that is no card before any work
    listeners.say("1/5 distil")
    return Begun(settings, paths, distill_to(settings, paths.student, resume, listeners).student, listeners)
