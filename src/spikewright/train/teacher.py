"""Teachers: where the soft answers come from that a student learns."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import InputError, did_you_mean
from .ann import ARCHITECTURES, build
from .data import Dataset
from .teacher_training import Progress, train_teacher
from .torch_teacher import LOGITS, Teacher, TorchTeacher, precompute_logits

__all__ = [
    "LOGITS",
    "Progress",
    "Teacher",
    "TorchTeacher",
    "precompute_logits",
    "teacher_from",
    "teacher_shapes",
    "train_teacher",
]

ONNX = ".onnx"


def teacher_from(
    spec: str,
    dataset: Dataset,
    *,
    epochs: int | None = None,
    seed: int = 0,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Teacher:
    """The teacher that ``spec`` describes.

    Args:
        spec: the name of an architecture, which is trained (or found in the cache); or the path of an ONNX file,
            ``model.onnx``, where needed with the output that is the logits, ``model.onnx:output``.
        dataset: what the teacher must know.
        epochs: for training, None for the data set's default.
        seed: for training.
        cache_dir: of trained teachers, None for the user's cache folder.
        progress: shows training steps.

    Raises:
        InputError: neither an architecture nor a usable ONNX file.
    """
    file, output = _onnx(spec)
    if file is not None:
        if epochs is not None:
            raise InputError(f"teacher {spec}: comes trained; leave the teacher's epochs out")
        from ..convert.onnx_teacher import OnnxTeacher

        return OnnxTeacher(file, dataset.shape, dataset.classes, output)
    if spec not in ARCHITECTURES:
        raise InputError(
            f"teacher {spec!r}: is no architecture; {did_you_mean(spec, ARCHITECTURES)}, or a path that ends in {ONNX}"
        )
    return train_teacher(dataset, spec, epochs=epochs, seed=seed, cache_dir=cache_dir, progress=progress)


def teacher_shapes(spec: str, dataset: Dataset) -> Mapping[str, tuple[int, ...]]:
    """The shapes of the values that :func:`teacher_from` will have, for one image, without training it.

    Raises:
        InputError: as :func:`teacher_from`.
    """
    if spec in ARCHITECTURES:
        return TorchTeacher(build(spec, dataset.shape, dataset.classes), dataset.shape, spec).shapes
    return teacher_from(spec, dataset).shapes


def _onnx(spec: str) -> tuple[Path | None, str | None]:
    """The file and the output that ``spec`` names; no file when it is no ONNX path."""
    if spec.lower().endswith(ONNX):
        return Path(spec), None
    file, found, output = spec.rpartition(f"{ONNX}:")
    return (Path(f"{file}{ONNX}"), output) if found else (None, None)
