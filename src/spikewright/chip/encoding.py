"""How a sample is encoded as the integers that drive the chip, for training, simulation and Lava alike.

Samples are intensities in [0, 1], or frames of events. The student sees exactly these integers divided by their full
scale, so nothing is lost between training and deployment.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError
from ..base.types import Drive, Encoding
from .network import ChipNetwork
from .registers import LAVA_WIDTHS

INPUT_TRANSFORM = "input_transform"
"""Key of a weight w and a bias b in the provenance of a network of lava-dl's: an intensity x becomes the current
``w x + b``, rounded."""


def full_scale(encoding: Encoding, input_bits: int) -> int:
    """The integer that an intensity of 1 becomes."""
    return 2**input_bits - 1 if encoding in ("direct", "current") else 1


def encode(
    encoding: Encoding,
    samples: npt.NDArray[np.float32 | np.uint8],
    timesteps: int,
    input_bits: int,
    seed: int = 0,
    first_index: int = 0,
    *,
    by_step: bool = False,
    transform: tuple[float, float] | None = None,
) -> Drive:
    """Integers that drive the input population.

    Args:
        samples: intensities in [0, 1], shape ``(batch, *input shape)``; for events frames of 0 and 1, shape
            ``(batch, timesteps, *input shape)``.
        by_step: whether intensities have an axis of timesteps too, ``(batch, timesteps, *input shape)``.
        timesteps: T.
        input_bits: width of a graded payload or of a current (direct and current only).
        seed: of the rate code; the same seed and index give the same spikes.
        first_index: index of ``samples[0]`` in its data set, so that batching does not change the code.
        transform: weight and bias by which an intensity becomes a current, in place of its full scale.

    Returns:
        ``(1, batch, *input shape)`` for direct and current of samples that are the same at every step, else
        ``(timesteps, batch, *input shape)``, of 0 and 1 but for direct and current; uint8, and int64 of currents and of
        payloads beyond it.

    Raises:
        InputError: frames in another number than there are timesteps, frames of intensities in a latency code, or NaN.
    """
    if (encoding == "events" or by_step) and (samples.ndim < 2 or samples.shape[1] != timesteps):
        raise InputError(
            f"{encoding}: the samples have shape {samples.shape}; must be (samples, {timesteps}, ...), one frame for "
            f"each time step: load the data with timesteps={timesteps}"
        )
    if samples.dtype.kind == "f" and (missing := int(np.isnan(samples).sum())):
        raise InputError(f"{encoding}: {missing:,} of {samples.size:,} values of the samples are NaN; must be 0 to 1")
    if encoding == "events":
        return np.moveaxis(_compact(np.rint(samples) if samples.dtype.kind == "f" else samples), 0, 1)
    unit = np.clip(samples.astype(np.float64), 0.0, 1.0)
    steps = np.moveaxis(unit, 1, 0) if by_step else unit[None]
    if encoding == "current" and transform is not None:
        return np.rint(steps * transform[0] + transform[1]).astype(np.int64)
    if encoding in ("direct", "current"):
        fits = encoding == "direct" and input_bits <= 8
        return np.rint(steps * full_scale(encoding, input_bits)).astype(np.uint8 if fits else np.int64)
    if encoding == "rate":
        shape = (timesteps, *steps.shape[2:])
        draws = [np.random.default_rng((seed, first_index + i)).random(shape) for i in range(len(unit))]
        return (np.stack(draws, axis=1) < steps).astype(np.uint8)
    if by_step:
        raise InputError("latency: frames change from step to step; use direct, current or rate")
    first = np.rint((1.0 - unit) * (timesteps - 1)).astype(np.int64)  # latency: the brighter, the earlier
    times = np.arange(timesteps).reshape(-1, *([1] * unit.ndim))
    return ((times == first[None]) & (unit[None] > 0)).astype(np.uint8)


def _compact(frames: npt.NDArray[Any]) -> Drive:
    """Whole numbers as uint8, and as int64 where some are beyond it; in an array that can be written to, for torch."""
    if frames.dtype == np.uint8:
        return frames if frames.flags.writeable else frames.copy()
    with np.errstate(invalid="ignore"):
        small = frames.astype(np.uint8)
    return small if np.array_equal(small, frames) else frames.astype(np.int64)


def input_transform(chip: ChipNetwork) -> tuple[float, float] | None:
    """Weight and bias by which an intensity becomes an input current, of a network of lava-dl's; None for its bits.

    Raises:
        InputError: the network's provenance is damaged there.
    """
    said = chip.provenance.get(INPUT_TRANSFORM)
    if said is None:
        return None
    numbers = [each for each in said if isinstance(each, int | float)] if isinstance(said, list) else []
    most = LAVA_WIDTHS.bias_max
    if len(numbers) != 2 or not max(abs(numbers[1]), abs(sum(numbers))) <= most:
        raise InputError(
            f"chip network: {INPUT_TRANSFORM!r} in its provenance is {str(said)[:40]}; must be a weight and a bias "
            f"that give currents of -{most}..{most}"
        )
    return numbers[0], numbers[1]
