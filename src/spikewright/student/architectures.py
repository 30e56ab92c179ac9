"""The named architectures of students, and how a user's own is loaded.

Each is a torch module with snnTorch neurons, written as for a single timestep. ``width`` is the number of channels of
the first convolution (of ``mlp``, the number of hidden neurons); the sizes of all other layers follow from it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..base.errors import InputError, arg, did_you_mean
from ..base.own_code import is_own, named_in
from ..base.types import Norm, Readout
from .neuron_settings import NeuronSettings
from .neurons import integrator, spiking
from .norms import norm_behind

Shape = tuple[int, int, int]
STEPS_LEFT = 16
"""Steps of a recording that the convolutions of ``temporal`` leave at most to its dense layer."""
Builder = Callable[[Shape, int, int, NeuronSettings, Readout], nn.Module]
NamedBuilder = Callable[[Shape, int, int, NeuronSettings, Readout, Norm], nn.Module]


def _readout(settings: NeuronSettings, readout: Readout) -> nn.Module:
    return integrator() if readout == "membrane" else spiking(settings)


class _Stack:
    """A network under construction, with layers named by kind: ``conv1``, ``norm1``, ``lif1``, ``pool1`` ..."""

    def __init__(self, shape: Shape, settings: NeuronSettings, norm: Norm) -> None:
        self._shape: tuple[int, ...] = shape
        self._settings, self._norm = settings, norm
        self._layers: OrderedDict[str, nn.Module] = OrderedDict()
        self._neurons = self._pools = 0

    def conv(self, channels: int, stride: int = 1) -> _Stack:
        """Add a 3 x 3 convolution, its norm and neurons."""
        return self._weighted("conv", nn.Conv2d(self._shape[0], channels, 3, stride, padding=1, bias=False))

    def temporal(self, channels: int, stride: int = 1) -> _Stack:
        """Add a convolution over 5 timesteps of a recording, its norm and neurons."""
        size, steps, padding = (5, 1), (stride, 1), (2, 0)
        return self._weighted("conv", nn.Conv2d(self._shape[0], channels, size, steps, padding, bias=False))

    def dense(self, size: int) -> _Stack:
        """Add a dense layer, its norm and neurons."""
        self._flatten()
        return self._weighted("dense", nn.Linear(self._shape[0], size, bias=False))

    def pool(self) -> _Stack:
        """Add average pooling over 2 x 2, or over 1 x 2 for inputs of a single row."""
        self._pools += 1
        self._add(f"pool{self._pools}", nn.AvgPool2d((2 if self._shape[1] > 1 else 1, 2)))
        return self

    def readout(self, classes: int, readout: Readout) -> nn.Sequential:
        """Add the last dense layer and the readout; returns the network."""
        self._flatten()
        self._add("head", nn.Linear(self._shape[0], classes))
        self._layers["readout"] = _readout(self._settings, readout)
        return nn.Sequential(self._layers)

    def _flatten(self) -> None:
        if len(self._shape) == 3:
            self._add("flatten", nn.Flatten())

    def _weighted(self, kind: str, layer: nn.Linear | nn.Conv2d) -> _Stack:
        self._neurons += 1
        self._add(f"{kind}{self._neurons}", layer)
        if (norm := norm_behind(layer, self._norm, self._settings)) is not None:
            self._layers[f"norm{self._neurons}"] = norm
        self._layers[f"lif{self._neurons}"] = spiking(self._settings)
        return self

    def _add(self, name: str, layer: nn.Module) -> None:
        with torch.no_grad():
            self._shape = tuple(layer(torch.zeros(1, *self._shape)).shape[1:])
        self._layers[name] = layer


def mlp(
    shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout, norm: Norm = "batch"
) -> nn.Module:
    """Two hidden layers of ``width`` neurons."""
    return _Stack(shape, settings, norm).dense(width).dense(width).readout(classes, readout)


def convnet(
    shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout, norm: Norm = "batch"
) -> nn.Module:
    """Three convolutions, the first two with stride 2, and one hidden dense layer: few neurons and small fan-outs."""
    stack = _Stack(shape, settings, norm).conv(width, stride=2).conv(2 * width, stride=2).conv(2 * width)
    return stack.dense(8 * width).readout(classes, readout)


def vgg(
    shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout, norm: Norm = "batch"
) -> nn.Module:
    """Six convolutions in three stages with average pooling between them, and one hidden dense layer.

    Raises:
        InputError: an image too small to be halved three times.
    """
    if shape[2] < 8 or 1 < shape[1] < 8:
        raise InputError(
            f"student architecture 'vgg': halves its input 3 times and needs at least 8 x 8 pixels, found {shape[1]} x "
            f"{shape[2]}; choose {arg('architecture', 'convnet')}"
        )
    stack = _Stack(shape, settings, norm)
    for channels in (width, 2 * width, 4 * width):
        stack.conv(channels).conv(channels).pool()
    return stack.dense(8 * width).readout(classes, readout)


def temporal(
    shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout, norm: Norm = "batch"
) -> nn.Module:
    """Convolutions over 5 steps of a recording with stride 2, one more without, and one hidden dense layer.

    For recordings that are taken at once, of shape ``(channels, steps, 1)``. As many strides halve the steps as leave
    at most :data:`STEPS_LEFT` of them, two at least: a long recording gets a deeper network and no larger dense layer.

    Raises:
        InputError: the input has a single step.
    """
    if shape[1] == 1:
        raise InputError(
            f"student architecture 'temporal': goes over the steps of recordings that are taken at once, and the input "
            f"has shape {shape}; give {arg('view', 'channels')}, or {arg('architecture', 'mlp')} for single steps and "
            "vectors"
        )
    strides = max(2, math.ceil(math.log2(shape[1] / STEPS_LEFT)))
    stack = _Stack(shape, settings, norm).temporal(width, stride=2)
    for _ in range(strides - 1):
        stack.temporal(2 * width, stride=2)
    return stack.temporal(2 * width).dense(8 * width).readout(classes, readout)


class SkipNet(nn.Module):
    """A convolutional stem and one residual block whose skip connection bypasses a layer.

    Both paths of the block are connections into one population: ``lif3(bn(conv(spikes)) + bn(skip(spikes)))``.
    """

    def __init__(
        self,
        shape: Shape,
        classes: int,
        width: int,
        settings: NeuronSettings,
        readout: Readout,
        norm: Norm = "batch",
    ) -> None:
        super().__init__()
        wide = 2 * width

        def behind(layer: nn.Conv2d, paths: int = 1) -> nn.Module:
            return norm_behind(layer, norm, settings, paths) or nn.Identity()

        self.conv1 = nn.Conv2d(shape[0], width, 3, 2, padding=1, bias=False)
        self.norm1, self.lif1 = behind(self.conv1), spiking(settings)
        self.conv2 = nn.Conv2d(width, wide, 3, 2, padding=1, bias=False)
        self.norm2, self.lif2 = behind(self.conv2), spiking(settings)
        self.conv3 = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.norm3 = behind(self.conv3, paths=2)
        self.skip = nn.Conv2d(width, wide, 1, 2, bias=False)
        self.skip_norm, self.lif3 = behind(self.skip, paths=2), spiking(settings)
        height, breadth = (((size + 1) // 2 + 1) // 2 for size in shape[1:])  # two strides of 2 with padding 1
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(wide * height * breadth, classes))
        self.readout = _readout(settings, readout)

    def forward(self, images: Tensor) -> Tensor:
        """One timestep: ``(B, *input shape)`` to the readout, ``(B, classes)``."""
        stem = self.lif1(self.norm1(self.conv1(images)))
        inner = self.lif2(self.norm2(self.conv2(stem)))
        joined = self.lif3(self.norm3(self.conv3(inner)) + self.skip_norm(self.skip(stem)))
        result: Tensor = self.readout(self.head(joined))
        return result


ARCHITECTURES: dict[str, NamedBuilder] = {
    "mlp": mlp,
    "convnet": convnet,
    "vgg": vgg,
    "skipnet": SkipNet,
    "temporal": temporal,
}


def builder_of(spec: str, norm: Norm = "batch") -> Builder:
    """The builder named by ``spec``: a name in :data:`ARCHITECTURES`, or ``file.py:function`` for the user's own.

    Args:
        norm: of a named architecture; the user's own has the norms that its function gives it.

    Raises:
        InputError: an unknown name, a missing file, or a file without that function.
    """
    if not is_own(spec):
        if spec not in ARCHITECTURES:
            raise InputError(
                f"student architecture {spec!r} is unknown; {did_you_mean(spec, ARCHITECTURES)}, file.py:function"
            )
        build = ARCHITECTURES[spec]
        return lambda shape, classes, width, settings, readout: build(shape, classes, width, settings, readout, norm)
    found: Builder = named_in(spec, f"student architecture {spec!r}")
    return found


def own_architecture(spec: str) -> str | None:
    """``spec`` if it names a function in a user's file; None for a named architecture."""
    return spec if is_own(spec) else None
