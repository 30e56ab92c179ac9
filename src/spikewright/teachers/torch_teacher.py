"""The interface of a teacher, and the teacher that is a torch network."""

from __future__ import annotations

import copy
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

import torch
from torch import Tensor, nn

from ..base.errors import InputError, did_you_mean, refuse
from ..data.augment import still
from ..data.split import Split
from ..sources.rows import Rows

LOGITS = "logits"
BATCH = 500


class Teacher(ABC):
    """A trained classifier, which is never changed.

    It takes samples as a data set has them: images ``(B, C, H, W)``, or event frames ``(B, T, C, H, W)``, of which an
    ANN takes the mean over time. For a teacher of your own, wrap a module by :meth:`from_module`, or write a subclass.

    Attributes:
        name: for people.
        sha256: of the weights, or of the file that they were read from.
        spikes: whether it is a spiking network.
    """

    name: str
    sha256: str
    spikes: bool = False

    @property
    @abstractmethod
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """By name of each value that exists once per sample, its shape for one sample; in order of computation."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values that :meth:`features` can return; ``logits`` is one of them."""
        return tuple(self.shapes)

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one inference in convolutions and matrix products; None if they are not counted."""
        return None

    @abstractmethod
    def features(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """The named values for samples, each ``(B, ...)``, without gradient, on the device of the samples.

        Raises:
            InputError: a name that the teacher does not have.
        """

    @abstractmethod
    def saliency(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """By name of a value ``(B, C, H, W)``, its importance for the predicted class, ``(B, H, W)``, detached.

        Raises:
            InputError: a name that the teacher does not have, or a value that is no feature map.
        """

    def logits(self, images: Tensor) -> Tensor:
        """The logits of samples, ``(B, K)``, without gradient, on the device of the samples."""
        return self.features(images, [LOGITS])[LOGITS]

    def accuracy(self, split: Split) -> float:
        """Fraction of a split that is classified correctly, in [0, 1]."""
        predicted = precompute_logits(self, split.samples).argmax(1)
        return float((predicted == torch.from_numpy(split.labels)).float().mean())

    @staticmethod
    def from_module(network: nn.Module, input_shape: tuple[int, int, int], name: str | None = None) -> TorchTeacher:
        """A teacher that is a copy of a trained torch network.

        A method can request the outputs of its modules by their names in ``network.named_modules()``.

        Args:
            network: images ``(B, C, H, W)`` in [0, 1] to logits ``(B, K)``.
            input_shape: ``(C, H, W)`` of the images.
            name: for people, None for the name of the class.

        Raises:
            InputError: the network does not give logits for images of this shape.
        """
        name = name or type(network).__name__
        try:
            teacher = TorchTeacher(network, input_shape, name)
            shape = teacher.logits(torch.zeros(2, *input_shape)).shape
        except (RuntimeError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise InputError(
                f"teacher {name}: cannot be run on images of shape {input_shape} ({error}); give a network for them"
            ) from error
        if len(shape) != 2 or shape[0] != 2:
            raise InputError(
                f"teacher {name}: its output for 2 images has shape {tuple(shape)}; it must be (2, classes)"
            )
        return teacher


class TorchTeacher(Teacher):
    """A frozen copy of a torch network, in evaluation mode and without gradients.

    It is not a module, so that a module which refers to it does not change it by ``.train()`` or ``.to()``.

    Attributes:
        validation_accuracy: after training, in [0, 1]; None if it was not measured.
    """

    def __init__(
        self, network: nn.Module, input_shape: tuple[int, int, int], name: str, validation_accuracy: float | None = None
    ) -> None:
        self._network = copy.deepcopy(network).eval().requires_grad_(False)
        use_channels_last(self._network)
        self._modules_by_name = {path: module for path, module in self._network.named_modules() if path}
        self.name = name
        self.input_shape = input_shape
        self.validation_accuracy = validation_accuracy
        self.sha256 = weights_sha256(self._network)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self._modules_by_name, LOGITS]))

    @cached_property
    def macs(self) -> int:
        return _macs(self._network, self.input_shape)

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        values = self.features(torch.zeros(1, *self.input_shape), self.names)
        return {name: tuple(value.shape[1:]) for name, value in values.items()}

    def logits(self, images: Tensor) -> Tensor:
        network = self._network.to(images.device).eval()
        with torch.no_grad():
            result: Tensor = network(still(images).contiguous(memory_format=torch.channels_last))
        return result

    def features(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        unknown_feature(self.name, names, self.names)
        found: dict[str, Tensor] = {}
        with _watched({name: self._modules_by_name[name] for name in names if name in self._modules_by_name}, found):
            logits = self.logits(images)
        return {name: found.get(name, logits) for name in names}

    def saliency(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Grad-CAM maps of the named modules: ``ReLU(sum_c w_c F_c)``, ``w_c`` the mean over pixels of ``dz_k/dF_c``.

        ``k`` is the predicted class of the sample, taken as a constant.

        Returns:
            By name, ``(B, H, W)``, at least 0.

        Raises:
            InputError: a name that the network does not have, or one whose value is no map.

        Source: Selvaraju et al. 2017, arXiv 1610.02391.
        """
        unknown_feature(self.name, names, self.names)
        network = self._network.to(images.device).eval()
        kept: dict[str, Tensor] = {}
        with _watched({name: self._modules_by_name[name] for name in names}, kept, with_gradient=True):
            with torch.enable_grad():  # type: ignore[no-untyped-call]  # from the pixels, since the weights ask for no gradient
                pixels = still(images.detach()).contiguous(memory_format=torch.channels_last)
                logits = network(pixels.requires_grad_())
            flat = [name for name in names if kept[name].ndim != 4]
            refuse(f"teacher {self.name}", [no_map(name, kept[name].shape[1:]) for name in flat])
            slopes = torch.autograd.grad(logits.max(1).values.sum(), [kept[name] for name in names])
        weights = [slope.mean((2, 3), keepdim=True) for slope in slopes]
        return {name: (w * kept[name].detach()).sum(1).relu() for name, w in zip(names, weights, strict=True)}

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of weights and buffers, for the cache and for tests."""
        return {name: value.detach().cpu().clone() for name, value in self._network.state_dict().items()}


def unknown_feature(teacher: str, asked: Sequence[str], known: Sequence[str]) -> None:
    """Refuse the first name that the teacher does not have."""
    for name in asked:
        if name not in known:
            raise InputError(f"teacher {teacher}: has no value {name!r} to distil from; {did_you_mean(name, known)}")


def no_map(name: str, shape: Sequence[int]) -> str:
    """The fault that a value of this shape, for one sample, has no saliency."""
    return f"{name} is of shape {tuple(shape)}, no map of channels, height and width"


def precompute_logits(teacher: Teacher, samples: Rows | Tensor, batch: int = BATCH) -> Tensor:
    """Logits ``(n, classes)`` of all samples ``(n, C, H, W)`` or ``(n, T, C, H, W)``, batch by batch."""
    return torch.cat([teacher.logits(part) for part in in_batches(samples, batch)])


def tensor_of(samples: Rows | Tensor, rows: Tensor | slice) -> Tensor:
    """Some samples as a tensor; only they are read."""
    chosen = samples[rows if isinstance(rows, slice) else rows.numpy()]
    return chosen if isinstance(chosen, Tensor) else torch.from_numpy(chosen)


def in_batches(samples: Rows | Tensor, batch: int = BATCH) -> Iterator[Tensor]:
    """All samples in order, a batch at a time."""
    for first in range(0, len(samples), batch):
        yield tensor_of(samples, slice(first, first + batch))


def use_channels_last(network: nn.Module) -> None:
    """Store the kernels with channels last, in place; with images in the same layout, a CPU needs half the time."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)


def weights_sha256(network: nn.Module) -> str:
    """The SHA-256 of names, shapes and values of a network's weights and buffers."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        array = value.detach().cpu().contiguous().numpy()
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _macs(network: nn.Module, input_shape: tuple[int, int, int]) -> int:
    """Multiply-accumulates: for each layer, its outputs times the inputs that each output sums over."""
    outputs: dict[str, Tensor] = {}
    layers = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    device = next(network.parameters(), torch.zeros(0)).device  # where the last batch was taught
    with _watched(dict(layers), outputs), torch.no_grad():
        network(torch.zeros(1, *input_shape, device=device))
    return sum(output.numel() * layers[name].weight[0].numel() for name, output in outputs.items())


@contextmanager
def _watched(modules: dict[str, nn.Module], found: dict[str, Tensor], with_gradient: bool = False) -> Iterator[None]:
    """Within the block, put each module's output into ``found`` under its name: a copy, or what gradients go through.

    An in-place activation after the module would change the output itself, so that the copy is what goes on.
    """

    def keep(name: str, output: Tensor) -> Tensor | None:
        found[name] = output.clone() if with_gradient else output.detach().clone()
        return found[name] if with_gradient else None

    handles = [
        module.register_forward_hook(lambda _module, _inputs, output, name=name: keep(name, output))
        for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
