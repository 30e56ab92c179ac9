"""Which layers of the student learn from which values of the teacher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ...errors import InputError, did_you_mean
from .base import Evidence, Shapes

AUTO = "auto"
MIDDLE, LAST = "middle", "last"
PAIRS = (
    "auto, or values of the teacher and layers of the student that belong together, shallow ones first: "
    "stage1:lif1+stage3:lif3"
)


@dataclass(frozen=True)
class Pair:
    """A value of the teacher and the student's layer that learns from it; shapes are of one sample."""

    teacher: str
    student: str
    teacher_shape: tuple[int, ...]
    student_shape: tuple[int, ...]

    @property
    def key(self) -> str:
        """A name that a module may have."""
        return f"{self.teacher}_{self.student}".replace(".", "_")


def pairs_of(spec: str, shapes: Shapes, method: str) -> tuple[Pair, ...]:
    """The pairs that ``spec`` names, shallow ones first.

    ``auto`` goes through the teacher's maps from the deepest (of a torch teacher its stages: names without a dot), and
    gives to each the deepest layer of the student of the same height and width that is shallower than the one before.

    Raises:
        InputError: a name that there is not, a pair of a map and a vector, or networks without a common size.
    """
    pairs = tuple(_matched(shapes) if spec == AUTO else _named(spec, shapes, method))
    if not pairs:
        raise InputError(
            f"method {method}: no map of the teacher ({_listed(shapes.teacher)}) has the height and width of a layer "
            f"of the student ({_listed(shapes.student)}); say which belong together with pairs=VALUE:LAYER"
        )
    return pairs


def hidden_layer(spec: str, shapes: Shapes, method: str) -> str:
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


def mean_over_time(evidence: Evidence, layer: str) -> Tensor:
    """Rates of a layer, ``(B, *shape)``, in [0, 1]."""
    return evidence.student.spikes[layer].mean(0)


def same_size(features: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Maps ``(B, C, H, W)`` averaged or repeated to the height and width of ``shape``; vectors as they are."""
    if features.ndim != 4 or tuple(features.shape[2:]) == shape[1:]:
        return features
    return F.adaptive_avg_pool2d(features, (shape[1], shape[2]))


def _matched(shapes: Shapes) -> Iterator[Pair]:
    maps = {name: shape for name, shape in shapes.teacher.items() if len(shape) == 3}
    stages = {name: shape for name, shape in maps.items() if "." not in name} or maps
    left = [(name, shape) for name, shape in shapes.student.items() if len(shape) == 3]
    found: list[Pair] = []
    for name, shape in reversed(stages.items()):
        fitting = [i for i, (_, layer_shape) in enumerate(left) if layer_shape[1:] == shape[1:]]
        if fitting:
            layer, layer_shape = left[fitting[-1]]
            found.append(Pair(name, layer, shape, layer_shape))
            left = left[: fitting[-1]]
    yield from reversed(found)


def _named(spec: str, shapes: Shapes, method: str) -> Iterator[Pair]:
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
                f"method {method}: {teacher} is {_shape(pair.teacher_shape)} and {student} "
                f"{_shape(pair.student_shape)}; pair maps with maps and vectors with vectors"
            )
        yield pair


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {_shape(shape)}" for name, shape in shapes.items()) or "none"


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
