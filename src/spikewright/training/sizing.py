"""Choosing the student's size: the largest whose spikes an energy budget can pay for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..base.errors import BelowFloor, refuse
from ..base.types import Encoding
from ..data.dataset import Dataset
from ..energy.estimate import Budget, Floor
from ..profile.schema import HardwareProfile
from ..student.architectures import Shape
from ..student.config import StudentConfig
from ..student.student import Student
from .cost import SpikeCost
from .settings import DistillSettings

ENOUGH = 0.8
"""A size is taken when the budget pays for this share of the spikes that it would send before training: to take away
many spikes costs more accuracy than fewer timesteps or channels do (`docs/results.md`)."""
DENSE_WIDTHS = (256, 192, 128, 96, 64, 32)
CONV_WIDTHS = (24, 16, 12, 8, 6, 4)
"""From the second on where the input differs from step to step: its first layer is computed at each of them."""
SAMPLES = 500
TRIAL = 128
"""Samples for a look at the spikes of an untrained student, whose batch norms keep its rates near those of later."""
INPUT_BITS: dict[Encoding, int] = {"direct": 6}
"""Where it is not 8. A graded payload multiplies the weights and not the bias of the first layer, whose 13 bits then
bound the scale of both: two bits less of input are two bits more of weights."""


@dataclass(frozen=True)
class Size:
    """A student before training, and what it costs at least."""

    student: Student
    cost: SpikeCost
    floor: Floor

    def paid(self, budget: Budget, images: Tensor) -> float:
        """Share of its spikes' energy that a budget leaves above the floor; at most 0 where the floor is above it.

        A network whose input sends nothing costs nothing and answers nothing: its share is 0.
        """
        kept = {name: tensor.clone() for name, tensor in self.student.state_dict().items()}
        with torch.no_grad():
            output = self.student.train()(images)
        self.student.load_state_dict(kept)
        if "encoder" in output.spikes and not output.spikes["encoder"].any():
            return 0.0
        untrained = float(self.cost.read(output).total)
        return (budget.value - self.floor.total) / max(untrained - self.floor.total, 1e-30)


def choose_size(settings: DistillSettings, dataset: Dataset, profile: HardwareProfile, budget: Budget | None) -> Size:
    """The student to train.

    What was asked for is taken as it is. Otherwise widths are tried from the widest, and for each the time steps from
    the profile's default downwards, until the budget pays for enough of the spikes; if it never does, the size is taken
    for which it pays most. Of input that tells by its rate or its time, fewer than half of the steps are tried last.

    The T of event data is the number of frames of its samples.

    Raises:
        BelowFloor: not even the smallest fits the budget; says the floor.
        InputError: settings that do not go with the data.
    """
    refuse(f"data {dataset.name}", list(_misfits(settings, dataset)))
    encoding = _encoding(settings, dataset, profile)
    asked = dataset.timesteps or settings.timesteps
    longest = asked or profile.default_timesteps
    widths = (settings.width,) if settings.width else _widths(settings.architecture, encoding)
    if budget is None:
        return _size(settings, dataset, profile, encoding, widths[0], longest)
    images = torch.from_numpy(dataset.train.images[:TRIAL])
    best: tuple[float, Size] | None = None
    for width, timesteps in _order(widths, longest, encoding, is_fixed=asked is not None):
        size = _size(settings, dataset, profile, encoding, width, timesteps)
        share = size.paid(budget, images)
        if share >= ENOUGH:
            return size
        if share > 0 and (best is None or share > best[0]):
            best = share, size
    if best is None:
        raise BelowFloor(smallest_size(settings, dataset, profile).floor.sentence(budget, profile.name))
    return best[1]


def _order(widths: tuple[int, ...], longest: int, encoding: Encoding, is_fixed: bool) -> list[tuple[int, int]]:
    """Widths and time steps, the preferred first."""
    steps = (longest,) if is_fixed else tuple(range(longest, 0, -1))
    first = [t for t in steps if encoding in ("direct", "current") or 2 * t >= longest]
    last = [t for t in steps if t not in first]
    return [(w, t) for w in widths for t in first] + [(w, t) for w in widths for t in last]


def smallest_size(settings: DistillSettings, dataset: Dataset, profile: HardwareProfile) -> Size:
    """The size with the lowest floor: the narrowest, at one time step where T is free."""
    encoding = _encoding(settings, dataset, profile)
    width = settings.width or _widths(settings.architecture, encoding)[-1]
    return _size(settings, dataset, profile, encoding, width, dataset.timesteps or settings.timesteps or 1)


def _encoding(settings: DistillSettings, dataset: Dataset, profile: HardwareProfile) -> Encoding:
    return "events" if dataset.timesteps else settings.encoding or profile.default_encoding


def _misfits(settings: DistillSettings, dataset: Dataset) -> Iterator[str]:
    """Settings that do not go with event data, or event input without any."""
    if dataset.timesteps is None:
        if settings.encoding == "events":
            yield "encoding is 'events', but the samples are images; may be direct, current, rate or latency"
        return
    if settings.encoding not in (None, "events"):
        yield f"encoding is {settings.encoding!r}, but the samples are events already; leave --encoding out"
    if settings.timesteps not in (None, dataset.timesteps):
        yield (
            f"timesteps is {settings.timesteps}, but the samples have {dataset.timesteps} frames; load them with "
            f"timesteps={settings.timesteps}"
        )
    if settings.chosen_augmentation != "none":
        yield f"augmentation is {settings.chosen_augmentation!r}, which is for images; leave --augmentation out"
    if settings.shorten is not None:
        yield f"T cannot be shortened, since the samples have {dataset.timesteps} frames; leave --shorten out"


def _widths(architecture: str, encoding: Encoding) -> tuple[int, ...]:
    if architecture == "mlp":
        return DENSE_WIDTHS
    return CONV_WIDTHS if encoding == "direct" else CONV_WIDTHS[1:]


def _size(
    settings: DistillSettings,
    dataset: Dataset,
    profile: HardwareProfile,
    encoding: Encoding,
    width: int,
    timesteps: int,
) -> Size:
    config = student_config(settings, dataset.shape, dataset.classes, encoding, width, timesteps)
    torch.manual_seed(settings.seed)
    student = Student(config)
    cost = SpikeCost.of(student, profile)
    drive = student.drive(torch.from_numpy(dataset.train.images[:SAMPLES]))
    return Size(student, cost, cost.floor(drive))


def student_config(
    settings: DistillSettings, shape: Shape, classes: int, encoding: Encoding, width: int, timesteps: int
) -> StudentConfig:
    """The student that these settings describe."""
    return StudentConfig(
        architecture=settings.architecture,
        width=width,
        input_shape=shape,
        classes=classes,
        timesteps=timesteps,
        encoding=encoding,
        readout=settings.readout,
        input_bits=settings.input_bits or INPUT_BITS.get(encoding, 8),
        neuron=settings.neuron_settings,
    )
