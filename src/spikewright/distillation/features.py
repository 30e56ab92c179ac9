"""Feature pairs: which layer of the student learns from which feature map of the teacher, and how they are compared.

A vector is treated as a map of one pixel, so that all that applies to channels and pixels holds for both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..base.errors import InputError, did_you_mean
from .base import BatchOutputs, NetworkShapes, Shape

AUTO, LAST, MIDDLE = "auto", "last", "middle"
PAIRS = (
    "auto (all pairs that fit), last (the deepest of these), or pairs of a teacher's value and a student's layer, from "
    "shallow to deep: stage1:lif1+stage3:lif3"
)

Scale = Literal["percentile", "max", "none"]
SCALE = (
    "divisor of each channel of the teacher's map, before it is clipped to 1: the 99.9th percentile or the maximum "
    "over batch and pixels, or none"
)
QUANTILE = 0.999

Reduction = Literal["mean", "sum"]
REDUCTION = "squared errors averaged over batch, channels and pixels, or summed and divided by the batch size"


@dataclass(frozen=True)
class FeaturePair:
    """A value of the teacher and the student's layer that learns from it; shapes are of one sample."""

    teacher: str
    student: str
    teacher_shape: Shape
    student_shape: Shape

    def __str__(self) -> str:
        return f"{self.teacher} {_in_words(self.teacher_shape)} and {self.student} {_in_words(self.student_shape)}"


@dataclass(frozen=True)
class Fit:
    """The condition under which ``auto`` pairs a map of the teacher with one of the student.

    Attributes:
        holds: whether it is met, given the shapes of both.
        words: the condition in messages.
        remedy: what to do if no pair meets it.
    """

    holds: Callable[[Shape, Shape], bool]
    words: str = "has the height and width of"
    remedy: str = "name the pairs with pairs=VALUE:LAYER"


SAME_SIZE = Fit(lambda teacher, student: teacher[1:] == student[1:])


def pairs_of(spec: str, shapes: NetworkShapes, method: str, fit: Fit = SAME_SIZE) -> tuple[FeaturePair, ...]:
    """The feature pairs that the option ``pairs`` names, from shallow to deep.

    ``auto`` goes through the teacher's maps from the deepest to the shallowest and pairs each with the deepest layer
    of the student that fits and is shallower than the layer of the pair before. Of a torch teacher it takes the stages
    (names without a dot), of any other teacher the last of consecutive values of equal shape. ``last`` is the deepest
    of these pairs.

    Raises:
        InputError: an unknown name, a pair of a map and a vector, or networks of which nothing fits.
    """
    if spec not in (AUTO, LAST):
        return tuple(_named_pair(words, shapes, method) for words in spec.split("+"))
    pairs = _fitting_pairs(shapes, fit)
    if not pairs:
        raise InputError(
            f"method {method}: no map of the teacher ({_listed(_stages(shapes.teacher))}) {fit.words} a layer "
            f"of the student ({_listed(shapes.student)}); {fit.remedy}"
        )
    return pairs[-1:] if spec == LAST else pairs


def _fitting_pairs(shapes: NetworkShapes, fit: Fit) -> tuple[FeaturePair, ...]:
    layers = list(_maps(shapes.student).items())
    pairs: list[FeaturePair] = []
    for name, shape in reversed(_maps(_stages(shapes.teacher)).items()):
        fitting = [i for i, (_, layer_shape) in enumerate(layers) if fit.holds(shape, layer_shape)]
        if fitting:
            layer, layer_shape = layers[fitting[-1]]
            pairs.append(FeaturePair(name, layer, shape, layer_shape))
            del layers[fitting[-1] :]
    return tuple(reversed(pairs))


def _stages(values: Mapping[str, Shape]) -> dict[str, Shape]:
    """The teacher's values that ``auto`` considers."""
    stages = {name: shape for name, shape in values.items() if "." not in name}
    if _maps(stages) or not _maps(values):
        return stages or dict(values)
    return dict(list(run)[-1] for _, run in groupby(values.items(), key=lambda item: item[1]))


def _maps(values: Mapping[str, Shape]) -> dict[str, Shape]:
    return {name: shape for name, shape in values.items() if len(shape) == 3}


def _named_pair(words: str, shapes: NetworkShapes, method: str) -> FeaturePair:
    teacher, colon, student = words.strip().rpartition(":")
    if not colon:
        raise InputError(f"method {method}: {words!r} is no pair; write pairs=VALUE:LAYER+VALUE:LAYER")
    for name, known, whose in ((teacher, shapes.teacher, "teacher"), (student, shapes.student, "student")):
        if name not in known:
            raise InputError(f"method {method}: the {whose} has no {name!r}; {did_you_mean(name, known)}")
    pair = FeaturePair(teacher, student, shapes.teacher[teacher], shapes.student[student])
    if len(pair.teacher_shape) != len(pair.student_shape):
        raise InputError(
            f"method {method}: {teacher} is {_in_words(pair.teacher_shape)} and {student} "
            f"{_in_words(pair.student_shape)}; pair maps with maps and vectors with vectors"
        )
    return pair


def _listed(shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{name} {_in_words(shape)}" for name, shape in shapes.items()) or "none"


def _in_words(shape: Shape) -> str:
    return " x ".join(map(str, shape))


def hidden_layer(spec: str, shapes: NetworkShapes, method: str) -> str:
    """The student's spiking layer of that name; ``middle`` and ``last`` are positions among the hidden layers.

    Raises:
        InputError: there is no such layer.
    """
    hidden = shapes.hidden
    if spec in (MIDDLE, LAST) and hidden:
        return hidden[(len(hidden) - 1) // 2 if spec == MIDDLE else -1]
    if spec not in shapes.student:
        raise InputError(f"method {method}: the student has no spiking layer {spec!r}; {did_you_mean(spec, hidden)}")
    return spec


class FeaturePairs(nn.Module):
    """The feature pairs of a method, and a module for each that transforms the student's firing rates.

    Attributes:
        pairs: from shallow to deep.
        through: the module of each pair.
    """

    def __init__(self, pairs: tuple[FeaturePair, ...], through: Callable[[FeaturePair], nn.Module]) -> None:
        super().__init__()
        self.pairs = pairs
        self.through = nn.ModuleList([through(pair) for pair in pairs])

    @classmethod
    def of(cls, batch: BatchOutputs) -> FeaturePairs:
        """The feature pairs that the method made before training."""
        if not isinstance(batch.auxiliary, FeaturePairs):
            raise ValueError("this method needs the modules that its auxiliary() makes and the trainer gave none")
        return batch.auxiliary

    def rates(self, batch: BatchOutputs) -> list[Tensor]:
        """The student's firing rates of each pair, ``(B, C, H, W)``, in [0, 1] spikes per timestep."""
        return [_as_map(batch.rates(pair.student)) for pair in self.pairs]

    def targets(self, batch: BatchOutputs, scale: Scale = "none") -> list[Tensor]:
        """The teacher's rectified values, ``(B, C, H, W)`` with the student's height and width, without gradient.

        Stages of a torch teacher are rectified already; values of an ONNX file may be taken before their activation.
        """
        values = [(batch.teacher_features[pair.teacher].detach(), pair.student_shape) for pair in self.pairs]
        return [to_unit(_as_map(same_size(value, shape)).relu(), scale) for value, shape in values]

    def errors(self, batch: BatchOutputs, targets: Sequence[Tensor], reduction: Reduction = "mean") -> Tensor:
        """The squared error of each pair, ``(pairs,)``, between ``targets`` and the transformed firing rates.

        ``mean (through(r) - target)^2``, or ``(1/B) sum (through(r) - target)^2``.
        """
        found = [module(rates) for module, rates in zip(self.through, self.rates(batch), strict=True)]
        squares = [(one - target).square() for one, target in zip(found, targets, strict=True)]
        return torch.stack([each.mean() if reduction == "mean" else each.sum() / len(each) for each in squares])


def _as_map(values: Tensor) -> Tensor:
    return values if values.ndim == 4 else values[:, :, None, None]


def same_size(features: Tensor, shape: Shape) -> Tensor:
    """Maps ``(B, C, H, W)`` pooled or repeated to the height and width of ``shape``; vectors are not changed."""
    if features.ndim != 4 or tuple(features.shape[2:]) == shape[1:]:
        return features
    return F.adaptive_avg_pool2d(features, (shape[1], shape[2]))


def projection(pair: FeaturePair, norm: bool) -> nn.Module:
    """A 1 x 1 convolution from the student's channels to the teacher's; the identity if they are equally many.

    Args:
        norm: whether a batch normalisation follows the convolution.
    """
    inputs, outputs = pair.student_shape[0], pair.teacher_shape[0]
    if inputs == outputs:
        return nn.Identity()
    if norm:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))
    return nn.Conv2d(inputs, outputs, 1)


def to_unit(maps: Tensor, scale: Scale) -> Tensor:
    """Scale each channel of nonnegative maps ``(B, C, H, W)`` into [0, 1], the range of firing rates.

    The percentile is the smallest value that a share of at least 0.999 of the channel's values does not exceed. A
    channel for which it is 0 is not divided.
    """
    if scale == "none":
        return maps
    values = maps.transpose(0, 1).flatten(1)
    rank = values.shape[1] if scale == "max" else math.ceil(QUANTILE * values.shape[1])
    largest = values.kthvalue(rank, dim=1).values
    divisor = torch.where(largest > 0, largest, 1.0)
    return (maps / divisor[None, :, None, None]).clamp(max=1)
