"""Named teacher architectures: plain networks of analogue neurons.

Each is a sequence whose parts have names (``stage1``, ``hidden``, ``logits`` ...), so that a distillation method can
ask for a part's output by name.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from ..base.errors import InputError, did_you_mean

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Architecture:
    """A named architecture.

    Attributes:
        build: ``(input shape, classes) -> network``.
        halvings: how often height and width are halved; both must survive it, but for the height of a single row.
    """

    build: Callable[[Shape, int], nn.Sequential]
    halvings: int


def _convolution(inputs: int, outputs: int, halved: Shape | None = None) -> list[nn.Module]:
    """Convolution, pooling, normalisation, rectification: pooled first, the rest moves a quarter of the memory.

    Args:
        halved: the input shape of the network, where height and width are to be halved.
    """
    pooling: list[nn.Module] = [] if halved is None else [nn.MaxPool2d((2 if halved[1] > 1 else 1, 2))]
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), *pooling, nn.BatchNorm2d(outputs), nn.ReLU()]


def _head(size: int, hidden: int, classes: int, dropout: float) -> list[tuple[str, nn.Module]]:
    layers = nn.Sequential(nn.Linear(size, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU())
    return [
        ("flatten", nn.Flatten()),
        ("hidden", layers),
        ("dropout", nn.Dropout(dropout)),
        ("logits", nn.Linear(hidden, classes)),
    ]


def _flat(shape: Shape, channels: int, halvings: int) -> int:
    height = shape[1] >> halvings if shape[1] > 1 else 1
    return channels * height * (shape[2] >> halvings)


def mlp(shape: Shape, classes: int) -> nn.Sequential:
    """Two hidden layers of 256 neurons."""
    first = nn.Sequential(nn.Linear(_flat(shape, shape[0], 0), 256, bias=False), nn.BatchNorm1d(256), nn.ReLU())
    second = nn.Sequential(nn.Linear(256, 256, bias=False), nn.BatchNorm1d(256), nn.ReLU())
    return nn.Sequential(
        OrderedDict(
            [
                ("flatten", nn.Flatten()),
                ("hidden1", first),
                ("hidden2", second),
                ("dropout", nn.Dropout(0.2)),
                ("logits", nn.Linear(256, classes)),
            ]
        )
    )


def convnet(shape: Shape, classes: int) -> nn.Sequential:
    """Three 3 x 3 convolutions of 32, 64 and 128 channels, the first two halved, and 128 hidden neurons."""
    return nn.Sequential(
        OrderedDict(
            [
                ("stage1", nn.Sequential(*_convolution(shape[0], 32, shape))),
                ("stage2", nn.Sequential(*_convolution(32, 64, shape))),
                ("stage3", nn.Sequential(*_convolution(64, 128))),
                *_head(_flat(shape, 128, 2), 128, classes, dropout=0.3),
            ]
        )
    )


def vgg(shape: Shape, classes: int) -> nn.Sequential:
    """Six 3 x 3 convolutions in three halved stages of 32, 64 and 128 channels, and 128 hidden neurons."""
    stages: list[tuple[str, nn.Module]] = []
    inputs = shape[0]
    for number, outputs in enumerate((32, 64, 128), start=1):
        layers = [*_convolution(inputs, outputs), *_convolution(outputs, outputs, shape)]
        stages.append((f"stage{number}", nn.Sequential(*layers)))
        inputs = outputs
    return nn.Sequential(OrderedDict([*stages, *_head(_flat(shape, 128, 3), 128, classes, dropout=0.3)]))


ARCHITECTURES: dict[str, Architecture] = {
    "mlp": Architecture(mlp, 0),
    "convnet": Architecture(convnet, 2),
    "vgg": Architecture(vgg, 3),
}


def build(name: str, shape: Shape, classes: int) -> nn.Sequential:
    """A new network with random weights.

    Args:
        name: one of :data:`ARCHITECTURES`.
        shape: ``(channels, height, width)`` of one image.
        classes: number of logits.

    Raises:
        InputError: no such architecture, or an image too small for it.
    """
    architecture = ARCHITECTURES.get(name)
    if architecture is None:
        raise InputError(f"teacher {name!r}: there is no such architecture; {did_you_mean(name, ARCHITECTURES)}")
    least = 2**architecture.halvings
    if shape[2] < least or 1 < shape[1] < least:
        raise InputError(
            f"teacher {name!r}: halves its input {architecture.halvings} times and needs at least {least} x {least} "
            f"pixels, found {shape[1]} x {shape[2]}; choose the teacher 'mlp'"
        )
    return architecture.build(shape, classes)
