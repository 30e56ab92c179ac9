"""What a transform does to the samples of a batch: drawn once, and applied to samples of one or more forms alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .transforms import (
    CutOut,
    DropEvents,
    Flip,
    Form,
    FrequencyMask,
    Jitter,
    MixUp,
    Scaling,
    Shift,
    TimeJitter,
    TimeMask,
    TimeShift,
    Transform,
)

Change = Callable[[Tensor, Form], Tensor]
"""What was drawn for a batch, applied to samples of some form: those of a data set and those of its twin alike."""


def drawn(transform: Transform, batch: int, form: Form, generator: torch.Generator) -> Change:
    """What happens to each of ``batch`` samples, drawn from the generator."""
    return DRAWS[type(transform)](transform, batch, form, generator)


def _shift(transform: Shift, batch: int, form: Form, generator: torch.Generator) -> Change:
    reach = transform.pixels
    top, left = (torch.randint(0, 2 * reach + 1, (batch,), generator=generator) for _ in range(2))

    def change(samples: Tensor, _: Form) -> Tensor:
        height, width = samples.shape[-2:]
        padded = F.pad(samples.flatten(1, -3), (reach, reach, reach, reach))
        rows, columns = top[:, None] + torch.arange(height), left[:, None] + torch.arange(width)
        index = torch.arange(batch)[:, None, None]
        moved = padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        return moved.contiguous().reshape(samples.shape)

    del form
    return change


def _flip(transform: Flip, batch: int, form: Form, generator: torch.Generator) -> Change:
    del transform, form
    flips = torch.rand(batch, generator=generator) < 0.5
    return lambda samples, _: torch.where(_as(flips, samples), samples.flip(-1), samples)


def _cutout(transform: CutOut, batch: int, form: Form, generator: torch.Generator) -> Change:
    height, width = form.shape[1:]
    top, left = (
        torch.randint(0, size, (batch,), generator=generator) - transform.size // 2 for size in (height, width)
    )

    def change(samples: Tensor, _: Form) -> Tensor:
        rows, columns = (torch.arange(size)[None] - first[:, None] for size, first in ((height, top), (width, left)))
        inside = [(0 <= each) & (each < transform.size) for each in (rows, columns)]
        hole = inside[0][:, :, None] & inside[1][:, None, :]
        return samples.masked_fill(hole.reshape(batch, *[1] * (samples.ndim - 3), height, width), 0)

    return change


def partners(transform: MixUp, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The other sample of each mixture, and the share of the first one."""
    other = torch.randperm(batch, generator=generator)
    seed = int(torch.randint(2**31, (), generator=generator))
    first = np.random.RandomState(seed).beta(transform.alpha, transform.alpha, batch)  # NumPy keeps this stream
    return other, torch.from_numpy(np.maximum(first, 1 - first).astype(np.float32))


def mixing(other: Tensor, share: Tensor) -> Change:
    def change(samples: Tensor, form: Form) -> Tensor:
        values = _opened(samples, form)
        part = _as(share, values)
        return _closed(part * values + (1 - part) * values[other], form)

    return change


def _time_shift(transform: TimeShift, batch: int, form: Form, generator: torch.Generator) -> Change:
    del form
    moves = torch.randint(-transform.steps, transform.steps + 1, (batch,), generator=generator)

    def change(samples: Tensor, seen: Form) -> Tensor:
        if seen.kind not in ("series", "events"):
            return samples
        values = _opened(samples, seen) if seen.kind == "series" else samples
        steps = values.shape[1]
        source = torch.arange(steps)[None] - moves[:, None]
        there = (0 <= source) & (source < steps)
        moved = values[torch.arange(batch)[:, None], source.clamp(0, steps - 1)]
        moved = moved * there.reshape(batch, steps, *[1] * (values.ndim - 2)).to(values.dtype)
        return _closed(moved, seen) if seen.kind == "series" else moved

    return change


def _stretches(most: int, size: int, batch: int, generator: torch.Generator) -> Tensor:
    """For each sample, which of ``size`` neighbours lie in a stretch of 0 to ``most``, ``(B, size)``."""
    lengths = torch.randint(0, most + 1, (batch,), generator=generator)
    first = torch.floor(torch.rand(batch, generator=generator) * (size - lengths + 1))
    places = torch.arange(size)[None] - first[:, None]
    return (0 <= places) & (places < lengths[:, None])


def _time_mask(transform: TimeMask, batch: int, form: Form, generator: torch.Generator) -> Change:
    hidden = _stretches(transform.steps, form.steps or 1, batch, generator)
    return _on_values(lambda values: values.masked_fill(hidden[:, :, None], 0))


def _frequency_mask(transform: FrequencyMask, batch: int, form: Form, generator: torch.Generator) -> Change:
    hidden = _stretches(transform.bands, form.channels, batch, generator)
    return _on_values(lambda values: values.masked_fill(hidden[:, None, :], 0))


def _jitter(transform: Jitter, batch: int, form: Form, generator: torch.Generator) -> Change:
    shape = (batch, *_value_shape(form))
    noise = transform.deviation * torch.randn(shape, generator=generator)

    def change(values: Tensor) -> Tensor:
        if form.kind != "series":
            return values + noise
        return values + noise * ~_ended(values)[:, :, None]  # behind the end of a recording nothing is measured

    return _on_values(change)


def _scaling(transform: Scaling, batch: int, form: Form, generator: torch.Generator) -> Change:
    channels = form.channels if form.kind == "series" else 1
    factors = 1 + transform.deviation * torch.randn((batch, 1, channels), generator=generator)
    return _on_values(lambda values: values * factors)


def _drop(transform: DropEvents, batch: int, form: Form, generator: torch.Generator) -> Change:
    stay = torch.rand((batch, form.steps or 1, *form.shape), generator=generator) >= transform.share
    return _on_events(lambda events: events * stay.to(events.dtype))


def _time_jitter(transform: TimeJitter, batch: int, form: Form, generator: torch.Generator) -> Change:
    shape = (batch, form.steps or 1, *form.shape)
    moves = torch.randint(-transform.steps, transform.steps + 1, shape, generator=generator)

    def change(events: Tensor) -> Tensor:
        sample, step, *place = events.nonzero(as_tuple=True)
        moved = step + moves[events != 0]
        stays = (0 <= moved) & (moved < events.shape[1])
        made = torch.zeros_like(events)
        made[tuple(each[stays] for each in (sample, moved, *place))] = 1
        return made

    return _on_events(change)


DRAWS: dict[type[Transform], Callable[[Any, int, Form, torch.Generator], Change]] = {
    Shift: _shift,
    Flip: _flip,
    CutOut: _cutout,
    TimeShift: _time_shift,
    TimeMask: _time_mask,
    FrequencyMask: _frequency_mask,
    Jitter: _jitter,
    Scaling: _scaling,
    DropEvents: _drop,
    TimeJitter: _time_jitter,
}
"""By transform but for :class:`MixUp`, whose labels are mixed too, how it is drawn."""


def _on_values(change: Callable[[Tensor], Tensor]) -> Change:
    """A change of values with their signs."""
    return lambda samples, form: _closed(change(_opened(samples, form)), form)


def _on_events(change: Callable[[Tensor], Tensor]) -> Change:
    """A change of events alone; the images that they were made from stay as they are."""
    return lambda samples, form: change(samples) if form.kind == "events" else samples


def _value_shape(form: Form) -> Sequence[int]:
    """The shape of what :func:`_opened` returns, without the batch."""
    if form.kind == "series":
        return (form.steps or 1, form.channels)
    return (1, form.channels) if form.kind == "vectors" else form.shape


def _opened(samples: Tensor, form: Form) -> Tensor:
    """Values with their signs: of series and vectors ``(B, steps, channels)``, of a vector one step; images as are."""
    if form.kind not in ("series", "vectors"):
        return samples
    if form.view == "image":
        values = samples.permute(0, 2, 1, 3).flatten(2)
    else:
        values = samples.flatten(2)[..., : form.steps or 1].transpose(1, 2)
    if not form.signed:
        return values
    positive, negative = values.chunk(2, dim=2)
    return positive - negative


def _closed(values: Tensor, form: Form) -> Tensor:
    """The samples that have these values, held in their range."""
    if form.kind not in ("series", "vectors"):
        return values.clamp(0, 1)
    parts = torch.cat([values, -values], 2) if form.signed else values
    parts = parts.clamp(0, 1)
    if form.view == "image":
        return parts.reshape(*parts.shape[:2], form.shape[0], -1).permute(0, 2, 1, 3).contiguous()
    return parts.transpose(1, 2).unsqueeze(-1).contiguous()


def _ended(values: Tensor) -> Tensor:
    """Which steps lie behind the last one that is not zero, ``(B, steps)``."""
    there = (values != 0).any(2)
    return ~there.flip(1).cummax(1).values.flip(1)


def _as(each: Tensor, samples: Tensor) -> Tensor:
    """One value for each sample in the shape of the samples."""
    return each.reshape(-1, *[1] * (samples.ndim - 1))
