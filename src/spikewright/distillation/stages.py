"""Which layers of the student learn from which values of the teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

import torch.nn.functional as F
from torch import Tensor

from ..base.errors import InputError, did_you_mean
from .base import BatchOutputs, NetworkShapes

AUTO = "auto"
MIDDLE, LAST = "middle", "last"
_NAMED = "or values of the teacher and layers of the student that belong together, shallow ones first: "
PAIRS = f"auto (all that fit), last (the deepest of them), {_NAMED}stage1:lif1+stage3:lif3"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Pair:
    """A value of the teacher and the student's layer that learns from it; shapes are of one sample."""

    teacher: str
    student: str
    teacher_shape: Shape
    student_shape: Shape

    def __str__(self) -> str:
        return f"{self.teacher} {_said(self.teacher_shape)} and {self.student} {_said(self.student_shape)}"


@dataclass(frozen=True)
class Fit:
    """When ``auto`` may take a map of the teacher and one of the student for a pair.

    Attributes:
        holds: whether it may, given the shapes of both.
        words: how it is said.
        remedy: what to do where it holds nowhere.
    """

    holds: Callable[[Shape, Shape], bool]
    words: str = "has the height and width of"
    remedy: str = "say which belong together with pairs=VALUE:LAYER"


SAME_SIZE = Fit(lambda teacher, student: teacher[1:] == student[1:])


def pairs_of(spec: str, shapes: NetworkShapes, method: str, fit: Fit = SAME_SIZE) -> tuple[Pair, ...]:
    """The pairs that ``spec`` names, shallow ones first.

    ``auto`` goes through the teacher's maps from the deepest, and gives to each the deepest layer of the student that
    fits and is shallower than the one before. Of a torch teacher it takes the stages: names without a dot; of another
    the last of values that follow each other in one shape. ``last`` is the deepest of these pairs.

    Raises:
        InputError: a name that there is not, a pair of a map and a vector, or networks of which nothing fits.
    """
    chosen = _matched(shapes, fit) if spec in (AUTO, LAST) else _named(spec, shapes, method)
    pairs = tuple(chosen)
    if not pairs:
        raise InputError(
            f"method {method}: no map of the teacher ({_listed(_main(shapes.teacher))}) {fit.words} a layer "
            f"of the student ({_listed(shapes.student)}); {fit.remedy}"
        )
    return pairs[-1:] if spec == LAST else pairs


def hidden_layer(spec: str, shapes: NetworkShapes, method: str) -> str:
    """The student's spiking layer of that name; ``middle`` and ``last`` are those of the layers before the readout.

    Raises:
        InputError: there is no such layer.
    """
    hidden = shapes.hidden
    if spec in (MIDDLE, LAST) and hidden:
        return hidden[(len(hidden) - 1) // 2 if spec == MIDDLE else -1]
    if spec not in shapes.student:
        raise InputError(f"method {method}: the student has no spiking layer {spec!r}; {did_you_mean(spec, hidden)}")
    return spec


def mean_over_time(batch: BatchOutputs, layer: str) -> Tensor:
    """Rates of a layer, ``(B, *shape)``, in [0, 1]."""
    return batch.student.spikes[layer].mean(0)


def same_size(features: Tensor, shape: Shape) -> Tensor:
    """Maps ``(B, C, H, W)`` averaged or repeated to the height and width of ``shape``; vectors as they are."""
    if features.ndim != 4 or tuple(features.shape[2:]) == shape[1:]:
        return features
    return F.adaptive_avg_pool2d(features, (shape[1], shape[2]))


def _main(values: Mapping[str, Shape]) -> dict[str, Shape]:
    """The teacher's values that ``auto`` knows of: its stages, or the last of each run of one shape."""
    stages = {name: shape for name, shape in values.items() if "." not in name}
    if _maps(stages) or not _maps(values):
        return stages or dict(values)
    runs = [list(run) for _, run in groupby(values.items(), key=lambda item: item[1])]
    return dict(run[-1] for run in runs)


def _maps(values: Mapping[str, Shape]) -> dict[str, Shape]:
    return {name: shape for name, shape in values.items() if len(shape) == 3}


def _matched(shapes: NetworkShapes, fit: Fit) -> Iterator[Pair]:
    left = list(_maps(shapes.student).items())
    found: list[Pair] = []
    for name, shape in reversed(_maps(_main(shapes.teacher)).items()):
        fitting = [i for i, (_, layer_shape) in enumerate(left) if fit.holds(shape, layer_shape)]
        if fitting:
            layer, layer_shape = left[fitting[-1]]
            found.append(Pair(name, layer, shape, layer_shape))
            left = left[: fitting[-1]]
    yield from reversed(found)


def _named(spec: str, shapes: NetworkShapes, method: str) -> Iterator[Pair]:
    for words in spec.split("+"):
        teacher, colon, student = words.strip().rpartition(":")
        if not colon:
            raise InputError(f"method {method}: {words!r} is no pair; write pairs=VALUE:LAYER+VALUE:LAYER")
        for name, known, whose in ((teacher, shapes.teacher, "teacher"), (student, shapes.student, "student")):
            if name not in known:
                raise InputError(f"method {method}: the {whose} has no {name!r}; {did_you_mean(name, known)}")
        pair = Pair(teacher, student, shapes.teacher[teacher], shapes.student[student])
        if len(pair.teacher_shape) != len(pair.student_shape):
            raise InputError(
                f"method {method}: {teacher} is {_said(pair.teacher_shape)} and {student} "
                f"{_said(pair.student_shape)}; pair maps with maps and vectors with vectors"
            )
        yield pair


def _listed(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {_said(shape)}" for name, shape in shapes.items()) or "none"


def _said(shape: Shape) -> str:
    return " x ".join(map(str, shape))
