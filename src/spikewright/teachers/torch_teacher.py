"""The interface of a teacher, and the teacher that is a torch network."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from ..augmentation.augment import still
from ..base.errors import InputError, arg, refuse
from ..data.dataset import Dataset
from ..data.input_rule import InputRule
from ..data.output_rule import CLASSES, OutputRule
from ..data.quality import Quality, quality_of
from ..data.split import Split
from ..energy.macs import Macs
from ..sources.rows import Rows, at_once
from ..student.label_loss import standardised
from .built import build_network
from .features import no_map, unknown_feature, watched
from .frozen import frozen_copy
from .hashes import weights_sha256, with_format
from .samples import Given, SampleFormat, Shape, by
from .torch_macs import count_macs
from .trial import SEVERAL, require_logits, samples_for

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
        remarks: sentences on what was assumed, and what was done to its weights.
        output: what the network's own outputs mean; values of a regression become logits by it.
        in_deviations: of a regression, whether its outputs are standard deviations from the training mean, as those of
            networks that are trained here; else they are values in their own unit.
        meaning: what the labels of its data mean, once it has seen data.
        prepared_by: the rule by which its data were prepared; None for data that have a name, and before there are any.
    """

    name: str
    sha256: str
    spikes: bool = False
    remarks: tuple[str, ...] = ()
    output: OutputRule = CLASSES
    in_deviations: bool = False
    meaning: OutputRule = CLASSES
    prepared_by: InputRule | None = None

    @property
    @abstractmethod
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """By name of each value that exists once per sample, its shape for one sample; in order of computation."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the values that :meth:`features` can return; ``logits`` is one of them."""
        return tuple(self.shapes)

    @property
    def macs(self) -> Macs | None:
        """Multiply-accumulates of one inference; None if they are not counted."""
        return None

    def for_data(self, dataset: Dataset) -> Teacher:
        """This teacher for the samples of a data set.

        Raises:
            InputError: it does not take such samples, or distinguishes another number of classes.
        """
        if (classes := self.shapes[LOGITS][-1]) == dataset.classes:
            return self
        does, kind = ("distinguishes", "classes") if dataset.output.is_classes else ("gives", "values")
        raise InputError(
            f"teacher {self.name}: {does} {classes} {kind}, and {dataset.name} has {dataset.classes}; give a teacher "
            f"for these {kind}"
        )

    def as_logits(self, outputs: Tensor) -> Tensor:
        """Outputs of the network ``(B, K)`` as the logits of a student: classes as they are, values by their spread."""
        if self.output.is_classes:
            return outputs
        center, spread = (
            torch.tensor(each, device=outputs.device) for each in (self.output.center, self.output.spread)
        )
        return (outputs - center) / spread

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
        return self.quality(split).accuracy

    def quality(self, split: Split, output: OutputRule = CLASSES) -> Quality:
        """How good its answers to a split are.

        Args:
            output: what the labels mean.
        """
        logits = self.standardised(precompute_logits(self, split.samples), output)
        return quality_of(output, logits.numpy(), split.labels, split.recordings)

    def standardised(self, logits: Tensor, output: OutputRule) -> Tensor:
        """Logits ``(B, D)`` as a student's are: of values in standard deviations from the training mean."""
        done = output.is_classes or self.in_deviations or not self.output.is_classes
        return logits if done else standardised(logits, output)

    @staticmethod
    def from_module(
        network: nn.Module,
        input_shape: Shape | None = None,
        name: str | None = None,
        *,
        layout: str | None = None,
        normalize: Given | None = None,
        channels: int | None = None,
        size: int | tuple[int, int] | None = None,
        values: str | None = None,
    ) -> TorchTeacher:
        """A teacher that is a copy of a trained torch network.

        A method can request the outputs of its modules by their names in ``network.named_modules()``.

        Args:
            network: samples, as ``layout`` orders them, to logits ``(B, K)``.
            input_shape: ``(C, H, W)`` of a sample; None for that of the data which the teacher will be used with.
            name: for people, None for the name of the class.
            layout: ``images`` ``(B, C, H, W)``, which None is too; for samples over time ``series`` ``(B, T, C)`` or
                ``channels`` ``(B, C, T)``; ``vectors`` ``(B, F)``.
            normalize: what the network's samples were normalised by: ``imagenet``, ``MEAN/STD`` with commas between
                channels, or mean and std themselves; None for samples as they are.
            channels: of the network's images; those of grey images become copies of the one that they have.
            size: height and width of the network's images, to which others are interpolated.
            values: ``raw`` for the units of the data, ``scaled`` for the scaling of the student's input; None for
                ``raw`` of vectors and series of one's own.

        Raises:
            InputError: options that are not allowed, or a network that does not give logits for samples of this shape.
        """
        taken = SampleFormat.of(layout, normalize, channels, size, values)
        teacher = TorchTeacher(network, None, name or type(network).__name__, taken=taken)
        return teacher if input_shape is None else teacher.on_shape(input_shape)

    @staticmethod
    def from_file(
        spec: str,
        weights: Path | str | None = None,
        *,
        input_shape: Shape | None = None,
        classes: int | None = None,
        layout: str | None = None,
        normalize: Given | None = None,
        channels: int | None = None,
        size: int | tuple[int, int] | None = None,
        values: str | None = None,
    ) -> TorchTeacher:
        """A teacher that a function in a file builds, or torchvision, with weights from another file.

        Args:
            spec: ``file.py:function``, whose code is run; or ``torchvision:NAME``.
            weights: a state dict written by ``torch.save``, or ``.safetensors``; None for a function whose network is
                trained already.
            input_shape: ``(C, H, W)`` of a sample, which a function may ask for; None for that of the data.
            classes: of the data, which a function may ask for.
            layout, normalize, channels, size, values: as in :meth:`from_module`.

        Raises:
            InputError: files that cannot be used, weights that do not fit, and as :meth:`from_module`.
        """
        taken = SampleFormat.of(layout, normalize, channels, size, values)
        built = build_network(spec, None if weights is None else Path(weights), input_shape, classes)
        teacher = TorchTeacher(built.network, None, built.name, taken=taken, remarks=built.remarks)
        return teacher if input_shape is None else teacher.on_shape(input_shape)


class TorchTeacher(Teacher):
    """A frozen copy of a torch network, in evaluation mode and without gradients.

    It is not a module, so that a module which refers to it does not change it by ``.train()`` or ``.to()``.

    Attributes:
        input_shape: ``(C, H, W)`` of a sample of the data; None until there are data.
        validation_accuracy: after training, in [0, 1]; None if it was not measured.
        taken: how the network takes samples.
    """

    def __init__(
        self,
        network: nn.Module,
        input_shape: Shape | None,
        name: str,
        validation_accuracy: float | None = None,
        *,
        taken: SampleFormat | None = None,
        remarks: tuple[str, ...] = (),
    ) -> None:
        self._network = frozen_copy(network, name)
        self._modules_by_name = {path: module for path, module in self._network.named_modules() if path}
        self.name = name
        self.input_shape = input_shape
        self.validation_accuracy = validation_accuracy
        self.taken = taken or SampleFormat()
        self.remarks = remarks
        self.sha256 = with_format(weights_sha256(self._network), self.taken)

    @property
    def network(self) -> nn.Module:
        """The network itself, which is not to be changed."""
        return self._network

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.shapes)

    @cached_property
    def macs(self) -> Macs:
        device = next(self._network.parameters(), torch.zeros(0)).device  # where the last batch was computed
        return count_macs(
            self._network, samples_for(self._network, self.taken, torch.zeros(1, *self._known_shape()).to(device))
        )

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        found: dict[str, Tensor] = {}
        with watched(dict(self._modules_by_name), found):
            found[LOGITS] = self.logits(torch.zeros(SEVERAL, *self._known_shape()))
        every = {name: value for name, value in found.items() if value.shape[:1] == (SEVERAL,)}
        ordered = dict.fromkeys([*(name for name in self._modules_by_name if name in every), LOGITS])
        return {name: tuple(every[name].shape[1:]) for name in ordered}

    def for_data(self, dataset: Dataset) -> TorchTeacher:
        fitted = copy.copy(self)
        for stale in ("shapes", "macs"):
            vars(fitted).pop(stale, None)
        fitted.taken, fitted.output = self.taken.for_data(dataset), CLASSES
        raw = fitted.taken.unscaled_shape(dataset.shape)
        if self.input_shape not in (None, dataset.shape, raw):
            made = by(self._known_shape())
            raise InputError(
                f"teacher {self.name}: was made for samples of {made}, and {dataset.name} has {by(raw)}; give a "
                "teacher for these samples"
            )
        fitted.sha256 = with_format(weights_sha256(self._network), fitted.taken)
        fitted = fitted.on_shape(dataset.shape, dataset.output)
        super(TorchTeacher, fitted).for_data(dataset)
        fitted.output = CLASSES if self.in_deviations else dataset.output
        fitted.meaning, fitted.prepared_by = dataset.output, dataset.input_rule
        if fitted.taken.rule is not None:
            fitted.remarks = (*self.remarks, fitted.taken.remark(self.name, dataset.shape))
        return fitted

    def on_shape(self, shape: Shape, output: OutputRule = CLASSES) -> TorchTeacher:
        """The same teacher, for samples of this shape; it is run once.

        Args:
            output: what the network's outputs mean.

        Raises:
            InputError: the network cannot be run on them, or what it gives is no logits.
        """
        require_logits(f"teacher {self.name}", self._network, self.taken, shape, output)
        fitted = copy.copy(self)
        fitted.input_shape = shape
        return fitted

    def logits(self, images: Tensor) -> Tensor:
        network = self._network.to(images.device).eval()
        with torch.no_grad():
            result: Tensor = network(samples_for(self._network, self.taken, still(images)))
        return self.as_logits(result.to(torch.float32))

    def features(self, images: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        unknown_feature(self.name, names, self.names)
        found: dict[str, Tensor] = {}
        with watched({name: self._modules_by_name[name] for name in names if name in self._modules_by_name}, found):
            logits = self.logits(images)
        return {name: found.get(name, logits) for name in names}

    def _known_shape(self) -> Shape:
        if self.input_shape is None:
            raise InputError(
                f"teacher {self.name}: has not seen any data yet; give {arg('input_shape')} when it is made"
            )
        return self.input_shape

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
        with watched({name: self._modules_by_name[name] for name in names}, kept, with_gradient=True):
            with torch.enable_grad():  # type: ignore[no-untyped-call]  # from the pixels, since the weights ask for no gradient
                logits = self.as_logits(
                    network(samples_for(network, self.taken, still(images.detach())).requires_grad_())
                )
            flat = [name for name in names if kept[name].ndim != 4]
            refuse(f"teacher {self.name}", [no_map(name, kept[name].shape[1:]) for name in flat])
            slopes = torch.autograd.grad(logits.max(1).values.sum(), [kept[name] for name in names])
        weights = [slope.mean((2, 3), keepdim=True) for slope in slopes]
        return {name: (w * kept[name].detach()).sum(1).relu() for name, w in zip(names, weights, strict=True)}

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of weights and buffers, for the cache and for tests."""
        return {name: value.detach().cpu().clone() for name, value in self._network.state_dict().items()}


def precompute_logits(teacher: Teacher, samples: Rows | Tensor, batch: int = BATCH) -> Tensor:
    """Logits ``(n, classes)`` of all samples ``(n, C, H, W)`` or ``(n, T, C, H, W)``, batch by batch."""
    return torch.cat([finite(teacher, LOGITS, teacher.logits(part)) for part in in_batches(samples, batch)])


def finite(teacher: Teacher, name: str, values: Tensor) -> Tensor:
    """``values`` ``(B, ...)`` of a teacher, as they are.

    Raises:
        InputError: some of them are NaN or infinite.
    """
    if bool(torch.isfinite(values).all()):
        return values
    samples = int((~torch.isfinite(values.reshape(len(values), -1))).any(1).sum())
    raise InputError(
        f"teacher {teacher.name}: its {name} are NaN or infinite for {samples:,} of {len(values):,} samples, and "
        "nothing can be learnt from that; check its weights, and how it takes samples "
        f"({arg('normalize')}, {arg('values')})"
    )


def tensor_of(samples: Rows | Tensor, rows: Tensor | slice) -> Tensor:
    """Some samples as a tensor; only they are read."""
    chosen = samples[rows if isinstance(rows, slice) else rows.numpy()]
    return chosen if isinstance(chosen, Tensor) else torch.from_numpy(chosen)


def in_batches(samples: Rows | Tensor, batch: int = BATCH) -> Iterator[Tensor]:
    """All samples in order, a batch at a time."""
    step = at_once(samples, batch)
    for first in range(0, len(samples), step):
        yield tensor_of(samples, slice(first, first + step))
