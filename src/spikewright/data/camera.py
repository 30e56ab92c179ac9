"""A virtual event camera in front of still images: what it would send while it moves as N-MNIST's did.

The camera makes three movements around a triangle, as wide and as high as an eighth of the image, and back to where it
began: ``(0, 0)``, ``(1/2, 1)``, ``(1, 0)``, ``(0, 0)`` in widths and heights of it, with the image at its centre in the
middle of the way. It is sampled at thirty instants, ten for each movement. Between pixels intensities are interpolated
bilinearly; beyond the border the border's pixels go on.

A pixel remembers ``m``, the logarithm of its intensity when it last sent an event, at first when the way begins. At an
instant with the logarithm ``l`` it sends ON where ``l - m > THRESHOLD``, OFF where ``m - l > THRESHOLD``, and then
``m = l``: one event however large the change, the pixel being blind until the next instant.

Everything is computed in integers (sixteenths of a pixel, bytes, thousandths of a logarithm), so that the events are
the same on every machine. Nothing is random, and there is no noise.

Sources: the movements of G. Orchard et al. 2015, Front. Neurosci. 9:437 (N-MNIST), and the code for stabilising its
recordings; the pixel of P. Lichtsteiner et al. 2008, IEEE J. Solid-State Circuits 43(2).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .dataset import Dataset, as_events, steps_within
from .split import Images, Pixels

INSTANTS = 30
DEFAULT_TIMESTEPS = 10
"""Frames of a sample where no number is asked for: three instants each."""
POLARITIES = 2
"""OFF and ON, in the order of N-MNIST."""
SUBPIXELS = 16
THRESHOLD = 300
"""Change that makes a pixel send an event, in thousandths of a natural logarithm: a contrast of 35 %."""
DARK = 0.1
"""Intensity that a black pixel sees, as a share of white: the logarithm of zero would be infinite."""
LOGARITHMS = np.rint(1000 * np.log(np.arange(256) / 255 + DARK)).astype(np.int16)
CHUNK = 64
"""Images computed at once, so that their arrays stay in the processor's cache."""

Place = tuple[int, int]
"""Position of the image before the camera: rows down and columns to the right, in sixteenths of a pixel."""


def load_filmed(
    name: str, stills: Callable[[Path | None], Dataset], data_dir: Path | None, timesteps: int | None
) -> Dataset:
    """The events of a static data set's images, which are the twin.

    Args:
        stills: loads the static data set from ``data_dir``, None for its usual places.
        timesteps: frames of each sample; None for :data:`DEFAULT_TIMESTEPS`.

    Raises:
        InputError: as the static data set's loader, or timesteps out of range.
    """
    steps = steps_within(name, timesteps, DEFAULT_TIMESTEPS, INSTANTS, "the instants of the simulation")
    twin = stills(data_dir)
    _, height, width = twin.shape
    places = way(width)

    def frames(images: Images) -> Pixels:
        return film(np.rint(images[:, 0] * 255).astype(np.uint8), places, steps)

    return as_events(name, twin, (POLARITIES, height, width), steps, frames)


def way(width: int) -> list[Place]:
    """Where an image of this width is at the beginning and at each of the instants."""
    corners = width * np.array([(-1, -1), (1, 0), (-1, 1), (-1, -1)])  # width sixteenths: half of an eighth
    each = INSTANTS // 3
    parts = np.arange(1, each + 1)[:, None]
    ways = [start + (2 * (end - start) * parts + each) // (2 * each) for start, end in pairwise(corners)]  # rounded
    return [(int(row), int(column)) for row, column in np.concatenate([corners[:1], *ways])]


def film(images: Pixels, places: Sequence[Place], timesteps: int) -> Pixels:
    """Frames of events: 1 where a pixel sent at least one of that polarity during the step.

    Of the ``K`` instants, step ``s`` takes the instants ``k`` with ``s <= (k - 1) T / K < s + 1``.

    Args:
        images: uint8, ``(n, height, width)``.
        places: of the images, at the beginning and at ``K`` instants.

    Returns:
        uint8 of 0 and 1, ``(n, T, 2, height, width)``: OFF, ON.
    """
    frames = np.zeros((len(images), timesteps, POLARITIES, *images.shape[1:]), np.uint8)
    margin = 2 + max(abs(shift) for place in places for shift in place) // SUBPIXELS
    for first in range(0, len(images), CHUNK):
        chunk = images[first : first + CHUNK].astype(np.uint16)
        wide = np.pad(chunk, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
        remembered = np.take(LOGARITHMS, _seen(wide, places[0], margin))
        for instant, place in enumerate(places[1:]):
            change = np.take(LOGARITHMS, _seen(wide, place, margin)) - remembered
            off, on = change < -THRESHOLD, change > THRESHOLD
            step = instant * timesteps // (len(places) - 1)
            frames[first : first + CHUNK, step, 0] |= off
            frames[first : first + CHUNK, step, 1] |= on
            remembered += change * (off | on)
    return frames


def _seen(wide: npt.NDArray[np.uint16], place: Place, margin: int) -> npt.NDArray[np.uint16]:
    """Intensities 0..255 where the image is at ``place``; ``wide`` has ``margin`` pixels more on every side."""
    (top, down), (left, right) = (divmod(-shift, SUBPIXELS) for shift in place)
    height, width = (size - 2 * margin for size in wide.shape[1:])
    rows = wide[:, margin + top : margin + top + height + 1, margin + left : margin + left + width + 1]
    between = (SUBPIXELS - down) * rows[:, :-1] + down * rows[:, 1:]
    total = (SUBPIXELS - right) * between[:, :, :-1] + right * between[:, :, 1:]
    return ((total + SUBPIXELS**2 // 2) // SUBPIXELS**2).astype(np.uint16, copy=False)
