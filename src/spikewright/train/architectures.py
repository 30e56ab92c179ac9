"""Named student architectures, and how to bring one's own.

Each is a plain torch module over snnTorch neurons, written as if for a single step. ``width`` is the number of
channels of the first convolution (of hidden neurons, for ``mlp``); everything else follows from it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ..chip import Readout
from ..errors import InputError, did_you_mean
from .neurons import NeuronSettings, integrator, spiking

Shape = tuple[int, int, int]
Builder = Callable[[Shape, int, int, NeuronSettings, Readout], nn.Module]


def _readout(settings: NeuronSettings, readout: Readout) -> nn.Module:
    return integrator() if readout == "membrane" else spiking(settings)


def _conv(inputs: int, outputs: int, kernel: int, settings: NeuronSettings, stride: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), spiking(settings)]


def _flat_size(layers: nn.Module, shape: Shape) -> int:
    """Number of values that reach a flatten, by pushing one sample through the stateless layers."""
    value = torch.zeros(1, *shape)
    with torch.no_grad():
        for layer in layers.modules():
            if isinstance(layer, nn.Conv2d | nn.AvgPool2d):
                value = layer(value)
    return value.numel()


def mlp(shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout) -> nn.Module:
    """Two hidden layers of ``width`` neurons."""
    size = shape[0] * shape[1] * shape[2]
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(size, width, bias=False),
        nn.BatchNorm1d(width),
        spiking(settings),
        nn.Linear(width, width, bias=False),
        nn.BatchNorm1d(width),
        spiking(settings),
        nn.Linear(width, classes),
        _readout(settings, readout),
    )


def convnet(shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout) -> nn.Module:
    """Three convolutions, the first two strided, and one hidden dense layer: few neurons and short fan-outs."""
    features = nn.Sequential(
        *_conv(shape[0], width, 3, settings, stride=2),
        *_conv(width, 2 * width, 3, settings, stride=2),
        *_conv(2 * width, 2 * width, 3, settings),
    )
    hidden = 8 * width
    return nn.Sequential(
        *features,
        nn.Flatten(),
        nn.Linear(_flat_size(features, shape), hidden, bias=False),
        nn.BatchNorm1d(hidden),
        spiking(settings),
        nn.Linear(hidden, classes),
        _readout(settings, readout),
    )


def vgg(shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout) -> nn.Module:
    """Six convolutions in three stages with average pooling between them, and one hidden dense layer."""
    layers: list[nn.Module] = []
    channels = shape[0]
    for outputs in (width, 2 * width, 4 * width):
        layers += _conv(channels, outputs, 3, settings) + _conv(outputs, outputs, 3, settings) + [nn.AvgPool2d(2)]
        channels = outputs
    features = nn.Sequential(*layers)
    hidden = 8 * width
    return nn.Sequential(
        *features,
        nn.Flatten(),
        nn.Linear(_flat_size(features, shape), hidden, bias=False),
        nn.BatchNorm1d(hidden),
        spiking(settings),
        nn.Linear(hidden, classes),
        _readout(settings, readout),
    )


class SkipNet(nn.Module):
    """A convolutional stem and one residual block whose short path skips a layer.

    The block's two paths meet as two connections into one population: ``lif(bn(conv(spikes)) + bn(skip(spikes)))``.
    """

    def __init__(self, shape: Shape, classes: int, width: int, settings: NeuronSettings, readout: Readout) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_conv(shape[0], width, 5, settings, stride=2))
        self.inner = nn.Sequential(*_conv(width, 2 * width, 3, settings, stride=2))
        self.outer = nn.Conv2d(2 * width, 2 * width, 3, padding=1, bias=False)
        self.outer_norm = nn.BatchNorm2d(2 * width)
        self.skip = nn.Conv2d(width, 2 * width, 1, stride=2, bias=False)
        self.skip_norm = nn.BatchNorm2d(2 * width)
        self.joined = spiking(settings)
        size = _flat_size(nn.Sequential(self.stem, self.inner, self.outer), shape)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(size, classes))
        self.readout = _readout(settings, readout)

    def forward(self, images: Tensor) -> Tensor:
        """``(B, *input shape)`` to the readout of one step, ``(B, classes)``."""
        stem = self.stem(images)
        outer = self.outer_norm(self.outer(self.inner(stem)))
        joined = self.joined(outer + self.skip_norm(self.skip(stem)))
        result: Tensor = self.readout(self.head(joined))
        return result


ARCHITECTURES: dict[str, Builder] = {"mlp": mlp, "convnet": convnet, "vgg": vgg, "skipnet": SkipNet}


def builder_of(spec: str) -> Builder:
    """The builder named by ``spec``: a name in :data:`ARCHITECTURES`, or ``file.py:function`` of the user's own.

    Raises:
        InputError: an unknown name, a missing file, or a file without that function.
    """
    if ".py:" not in spec:
        if spec not in ARCHITECTURES:
            raise InputError(
                f"student architecture {spec!r} is unknown; {did_you_mean(spec, ARCHITECTURES)}, file.py:function"
            )
        return ARCHITECTURES[spec]
    file, function = spec.rsplit(":", 1)
    path = Path(file)
    if not path.is_file():
        raise InputError(f"student architecture {spec!r}: there is no file {path}")
    module_spec = importlib.util.spec_from_file_location(path.stem, path)
    if module_spec is None or module_spec.loader is None:
        raise InputError(f"student architecture {spec!r}: {path} cannot be read as Python")
    module = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    found: Builder | None = getattr(module, function, None)
    if found is None:
        raise InputError(f"student architecture {spec!r}: {path} has no function {function!r}")
    return found
