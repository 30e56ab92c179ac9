"""The teacher of a training, kept as an ONNX model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..base.errors import arg, refuse
from ..base.progress import SILENT, Listeners
from ..distillation.methods import name_of
from ..teachers.ann import ARCHITECTURES
from ..teachers.files import ONNX
from ..teachers.onnx_writer import write_onnx
from ..teachers.torch_teacher import Teacher
from .fine_tuning import with_start
from .objects import dataset_of, loss_terms, objects_of, teaching_of
from .settings import DistillSettings


def check_keep(settings: DistillSettings, path: Path) -> None:
    """Check that the teacher of a training can be written to ``path``, before anything is trained.

    Raises:
        InputError: there is none, it is not trained here, or the file would not be recognised as a teacher.
    """
    refuse("keep_teacher", list(_faults(settings, path)))


def _faults(settings: DistillSettings, path: Path) -> Iterator[str]:
    settings = with_start(settings)
    method, _ = loss_terms(settings)
    given, name, flag = objects_of(settings).teacher, settings.teacher.name, arg("keep_teacher", path)
    if path.suffix.lower() != ONNX:
        yield f"{flag}: must end in {ONNX}, by which a teacher's file is recognised"
    if not method.needs_teacher():
        yield f"{flag}: {arg('method', name_of(method))} uses no teacher; leave it out"
    elif given is None and (name in ARCHITECTURES if name else "spiking teacher" not in method.needs):
        return
    else:
        title = given.name if given is not None else name or "snn"
        yield f"{flag}: the teacher {title} is none that is trained here; it is for {', '.join(ARCHITECTURES)}"


def keep_teacher(
    settings: DistillSettings, path: Path, teacher: Teacher | None = None, listeners: Listeners = SILENT
) -> None:
    """Write the teacher of a training to ``path``.

    Args:
        teacher: of the training; None to take it out of the cache.

    Raises:
        InputError: as :func:`check_keep`, or the folder does not exist.
    """
    check_keep(settings, path)
    if teacher is None:
        settings = with_start(settings)
        method, _ = loss_terms(settings)
        dataset = dataset_of(settings, settings.student.timesteps)
        teacher = teaching_of(settings, method, dataset).trained_teacher(dataset, listeners)
    write_onnx(teacher, path)
    listeners.say(f"{path}: the teacher {teacher.name}")
