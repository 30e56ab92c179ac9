"""The forms in which a network may take samples of a known shape, and the first in which it runs."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import torch
from torch import Tensor

from ..base.errors import InputError
from .assembling import Asked
from .layer import Shape
from .network import Found

SAMPLES = 3
"""Of an example, a number that is unlikely to be that of steps or channels."""
SPIKING = 0.3
"""The share of spikes in the frames of an example."""


def examples(asked: Asked) -> Iterator[tuple[Tensor, int | None]]:
    """Random samples in each form, likeliest first, each with its axis of timesteps.

    Samples as they are, in one row, and without trailing axes of 1; then with the timesteps before, behind, and as one
    axis with them.
    """
    assert asked.input_shape is not None
    drawn = torch.Generator().manual_seed(0)
    samples = torch.rand(SAMPLES, *asked.input_shape, generator=drawn)
    for shape in _shapes(asked.input_shape):
        yield samples.reshape(SAMPLES, *shape), None
    if asked.timesteps is None:
        return
    steps = asked.timesteps
    frames = (torch.rand(steps, SAMPLES, *asked.input_shape, generator=drawn) < SPIKING).float()
    if asked.encoding in ("direct", "current"):
        frames = samples.expand(steps, *samples.shape).contiguous()
    for shape in _shapes(asked.input_shape):
        yield frames.reshape(steps, SAMPLES, *shape), 0
        yield frames.reshape(steps, SAMPLES, *shape).transpose(0, 1).contiguous(), 1
        yield frames.reshape(steps, SAMPLES, *shape).transpose(0, 1).flatten(0, 1), 1


def _shapes(shape: Shape) -> list[Shape]:
    forms = [shape, (prod(shape),)]
    if shape[2] == 1 and shape[1] > 1:
        forms.append(shape[:2])
    return list(dict.fromkeys(forms))


def as_taken(found: Found, images: Tensor, drive: Tensor) -> Tensor:
    """Samples in the form in which a network takes them.

    Args:
        images: ``(B, C, H, W)``, or frames ``(B, T, C, H, W)``.
        drive: what enters a student in each step, ``(1 or T, B, C, H, W)``.
    """
    sample = found.folding.sample
    if sample.time_axis is None:
        return images.float().reshape(len(images), *sample.shape)
    frames = drive.expand(found.timesteps, *drive.shape[1:]).float()
    shaped = frames.reshape(*frames.shape[:2], *sample.shape)
    if sample.time_axis == 0:
        return shaped
    batch_first = shaped.transpose(0, 1).contiguous()
    return batch_first.flatten(0, 1) if sample.merged else batch_first


def sized(text: str) -> tuple[int, int, int]:
    """A shape that is written ``C,H,W``, ``C,L`` or ``F``.

    Raises:
        InputError: anything else.
    """
    try:
        sizes = [int(each) for each in text.replace("x", ",").split(",")]
    except ValueError:
        sizes = []
    if not 1 <= len(sizes) <= 3 or min(sizes) < 1:
        raise InputError(f"{text!r}: must be channels, height and width, such as 1,28,28, or the length of a vector")
    return (*sizes, 1, 1)[:3]  # type: ignore[return-value]
