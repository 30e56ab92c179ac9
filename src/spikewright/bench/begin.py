"""The first half of `run`, the training; it loads nothing that a refusal would have to wait for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..base.artefacts import sha256_of
from ..base.errors import InputError, arg
from ..base.interrupt import goes_on
from ..base.lock import only_writer
from ..base.progress import Callback, Listeners
from ..graph.nir_io import read_graph
from ..pages.paths import Paths, card_path
from ..student.student import Student
from ..training.distill import distill_alone
from ..training.fine_tuning import with_start
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


@contextmanager
def begin(
    settings: DistillSettings, out: Path, resume: bool = False, *, callbacks: Sequence[Callback] = ()
) -> Iterator[Begun]:
    """Distil the student of a run, and be the only one who writes its files until the run is finished.

    Args:
        out: folder for every artefact.
        resume: go on with a run that was stopped, wherever it was.
        callbacks: hear messages and progress.

    Raises:
        SpikewrightError: the settings, the data or the folder cannot be used.
        Interrupted: by Ctrl-C or another request to end; says that ``resume`` goes on.
    """
    settings, listeners = with_start(settings), Listeners(callbacks)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{arg('out', out)}: the folder cannot be made ({error.strerror}); choose another") from error
    paths = Paths.under(out)
    card_path(paths.nir)  # refuses a file that is no card before any work
    how = f"the same again with {arg('resume')} goes on from the trained student, {paths.student}"
    with only_writer(*paths.held, called=str(arg("out", out)), listeners=listeners):
        listeners.say("1/5 distil")
        tidy = partial(_remove_others, paths, listeners)
        student = distill_alone(settings, paths.student, resume, listeners, tidy).student
        with goes_on(lambda: how, "resume"):
            yield Begun(settings, paths, student, listeners)


def _remove_others(paths: Paths, listeners: Listeners) -> None:
    """Remove what was made from the student that stood here before: beside another one it would be wrong."""
    if _is_made_from(paths.nir, sha256_of(paths.student)):
        return
    stale = [file for file in (*paths.derived, card_path(paths.nir)) if file.is_file()]
    for file in stale:
        file.unlink()
    if stale:
        names = ", ".join(file.name for file in stale)
        listeners.say(f"{paths.student}: replaces another student; what was made from that is removed: {names}", "note")


def _is_made_from(graph: Path, sha256: str) -> bool:
    """Whether a graph's file says that it was made from the student with this hash."""
    try:
        return bool(read_graph(graph).metadata.get("parent_sha256") == sha256)
    except InputError:  # none, or nothing that could be read
        return False
