"""Samples as the integers that drive a chip, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.chip.encoding import encode, full_scale

LIGHT = np.array([[-0.5, 0.0, 0.5, 1.0, 1.75]], np.float32)


def test_an_intensity_of_one_is_the_largest_integer() -> None:
    assert [full_scale(encoding, 3) for encoding in ("direct", "current", "rate", "latency", "events")] == [
        7,
        7,
        1,
        1,
        1,
    ]
    for encoding in ("direct", "current"):
        codes = encode(encoding, LIGHT, 4, 3)
        assert codes.tolist() == [[[0, 0, 4, 7, 7]]]


def test_codes_take_the_memory_that_they_need() -> None:
    direct = [encode("direct", LIGHT, 4, bits).dtype for bits in (1, 8, 9)]
    assert direct == [np.uint8, np.uint8, np.int64]
    assert encode("direct", LIGHT, 4, 9).tolist() == [[[0, 0, 256, 511, 511]]]
    assert [encode(code, LIGHT, 4, 8).dtype for code in ("current", "rate", "latency")] == [np.int64, *[np.uint8] * 2]
    frames = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    for dtype in (np.float32, np.uint8, np.int64, bool):
        assert encode("events", frames.astype(dtype), 2, 1).dtype == np.uint8
    still = frames.astype(np.uint8)
    still.flags.writeable = False  # as of a file that is mapped into memory; torch warns of such arrays
    assert encode("events", still, 2, 1).flags.writeable
    for value in (-1, 256, 2**40):
        beyond = encode("events", value * frames, 2, 1)
        assert (beyond.dtype, beyond.max() + beyond.min()) == (np.int64, value), "and the simulator refuses it"


def test_frames_are_of_steps_first() -> None:
    frames = np.array([[[0.0], [1.0]], [[1.0], [0.25]], [[0.0], [0.5]]], np.float32)
    assert encode("direct", frames, 2, 2, by_step=True).tolist() == [[[0], [3], [0]], [[3], [1], [2]]]
    assert encode("events", (frames > 0).astype(np.uint8), 2, 1).tolist() == [[[0], [1], [0]], [[1], [1], [1]]]
    assert encode("direct", frames, 5, 2).shape == (1, 3, 2, 1), "two rows, and not two steps"


def test_events_between_whole_numbers_are_rounded() -> None:
    frames = np.array([[[0.1, 0.6, 0.9999, 1.4, 2.6]]], np.float32)
    assert encode("events", frames, 1, 1).tolist() == [[[0, 1, 1, 1, 3]]]
    assert encode("events", frames > 0.5, 1, 1).tolist() == [[[0, 1, 1, 1, 1]]]


def test_a_rate_is_the_share_of_draws_below_the_intensity() -> None:
    samples = np.array([[0.0, 0.5, 1.0], [0.25, 0.75, 2.0]], np.float32)

    def by_hand(seed: int, first: int) -> list:
        draws = [np.random.default_rng((seed, first + sample)).random((6, 3)) for sample in (0, 1)]
        return [
            [(draw[step] < each).astype(int).tolist() for draw, each in zip(draws, samples, strict=True)]
            for step in range(6)
        ]

    assert encode("rate", samples, 6, 1, 3, 4).tolist() == by_hand(3, 4)
    assert encode("rate", samples, 6, 1).tolist() == by_hand(0, 0)
    assert np.array_equal(encode("rate", samples, 6, 1, 3, 4)[:, 1:], encode("rate", samples[1:], 6, 1, 3, 5))
    frames = np.repeat(samples[:, None], 6, axis=1)
    assert np.array_equal(encode("rate", frames, 6, 1, 3, 4, by_step=True), encode("rate", samples, 6, 1, 3, 4))


def test_the_brighter_the_earlier_and_nothing_for_the_dark() -> None:
    samples = np.array([[1.0, 0.75, 0.5, 0.25, 0.01, 0.0]], np.float32)
    assert encode("latency", samples, 5, 1)[:, 0].tolist() == [
        [1, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
    ]


@pytest.mark.parametrize(("encoding", "by_step"), [("events", False), ("direct", True), ("events", True)])
@pytest.mark.parametrize("shape", [(2, 3, 1), (2, 5, 1), (4,)])
def test_another_number_of_frames_is_refused(encoding: str, by_step: bool, shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as refusal:
        encode(encoding, np.zeros(shape, np.float32), 4, 1, by_step=by_step)
    assert str(refusal.value) == (
        f"{encoding}: the samples have shape {shape}; must be (samples, 4, ...), one frame for each time step: load "
        "the data with timesteps=4"
    )


def test_what_is_not_a_number_and_frames_by_latency_are_refused() -> None:
    samples = np.zeros((2, 3), np.float32)
    samples[0, 1] = samples[1, 2] = np.nan
    with pytest.raises(InputError, match=r"^direct: 2 of 6 values of the samples are NaN; must be 0 to 1$"):
        encode("direct", samples, 4, 1)
    with pytest.raises(InputError, match=r"^latency: frames change from step to step; use direct, current or rate$"):
        encode("latency", np.zeros((2, 4, 3), np.float32), 4, 1, by_step=True)
    assert encode("direct", np.ones((1, 3), np.uint8), 4, 2).tolist() == [[[3, 3, 3]]]
