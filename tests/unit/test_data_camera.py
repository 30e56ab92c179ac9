"""Events that a virtual camera makes of still images: small cases worked out by hand, and whole data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data.camera import film, way
from spikewright.data.load import load

OFF, ON = 0, 1


def row(*intensities: int) -> np.ndarray:
    """One image of one row."""
    return np.array([[intensities]], np.uint8)


def to_the_right(*sixteenths: int) -> list[tuple[int, int]]:
    return [(0, shift) for shift in (0, *sixteenths)]


def events(frames: np.ndarray) -> list[tuple[int, int, int]]:
    """Step, polarity and column of every event of the first image's first row."""
    return [(int(t), int(p), int(x)) for t, p, x in np.argwhere(frames[0, :, :, 0])]


def test_a_moving_bar_is_on_where_it_comes_and_off_where_it_goes() -> None:
    frames = film(row(0, 0, 255, 0, 0), to_the_right(16, 32), 2)
    assert (frames.shape, frames.dtype) == ((1, 2, 2, 1, 5), np.uint8)
    assert events(frames) == [(0, OFF, 2), (0, ON, 3), (1, OFF, 3), (1, ON, 4)]


def test_it_moves_down_as_it_moves_right() -> None:
    image = row(0, 0, 255, 0, 0)
    right = film(image, to_the_right(16, 32), 2)
    down = film(image.swapaxes(1, 2), [(0, 0), (16, 0), (32, 0)], 2)
    assert np.array_equal(down, right.swapaxes(3, 4))


def test_a_constant_image_is_silent() -> None:
    assert not film(np.full((2, 8, 8), 200, np.uint8), way(8), 10).any()


def test_an_image_that_stands_still_is_silent() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 6, 6)).astype(np.uint8)
    assert not film(image, [(5, -3)] * 4, 3).any()


def test_small_changes_add_up_until_they_pass_the_threshold() -> None:
    """ln(130/255 + 0.1) - ln(100/255 + 0.1) = 0.214 and ln(160/255 + 0.1) - ln(100/255 + 0.1) = 0.391."""
    frames = film(row(160, 130, 100), to_the_right(16, 32), 2)
    assert events(frames) == [(1, ON, 2)]


def test_between_pixels_intensities_are_interpolated() -> None:
    """A quarter of a pixel on, 150 of 200 is left: 0.251 less; five sixteenths, 137.5, as a byte 138: 0.321 less."""
    bar = row(0, 0, 200, 0, 0)
    assert (0, OFF, 2) not in events(film(bar, to_the_right(4), 1))
    assert (0, OFF, 2) in events(film(bar, to_the_right(5), 1))


def test_one_event_however_large_the_change_and_the_rest_is_forgotten() -> None:
    """From dark to white are eight thresholds: one event; from there it needs a change of its own."""
    frames = film(row(255, 255, 0), to_the_right(16, 32, 48), 3)
    assert events(frames) == [(0, ON, 2)]


def test_beyond_the_border_the_border_goes_on() -> None:
    assert events(film(row(255, 0, 0, 0), to_the_right(32), 1)) == [(0, ON, 1), (0, ON, 2)]


def test_the_way_is_a_triangle_and_ends_where_it_began() -> None:
    places = way(28)
    assert len(places) == 31
    assert [places[k] for k in (0, 10, 20, 30)] == [(-28, -28), (28, 0), (-28, 28), (-28, -28)]
    assert places[1] == (-22, -25)  # -28 + 5.6 and -28 + 2.8
    assert [place[0] for place in places[20:]] == [-28] * 11


def test_fewer_frames_hold_the_same_events() -> None:
    image = np.random.default_rng(1).integers(0, 256, (70, 5, 7)).astype(np.uint8)
    whole = film(image, way(7), 30)
    assert np.array_equal(film(image, way(7), 10), whole.reshape(70, 10, 3, 2, 5, 7).max(2))
    assert np.array_equal(film(image, way(7), 1), whole.max(1, keepdims=True))
    steps = np.arange(30) * 4 // 30
    assert np.array_equal(film(image, way(7), 4), np.stack([whole[:, steps == s].max(1) for s in range(4)], 1))


def test_an_images_events_are_its_own() -> None:
    images = np.random.default_rng(2).integers(0, 256, (70, 4, 4)).astype(np.uint8)
    together = film(images, way(4), 5)
    alone = np.concatenate([film(images[i : i + 1], way(4), 5) for i in range(70)])
    assert np.array_equal(together, alone)


def test_digits_as_events_and_their_twins() -> None:
    data, digits = load("digits-events"), load("digits")
    assert (data.name, data.shape, data.timesteps, data.classes) == ("digits-events", (2, 8, 8), 10, 10)
    assert data.twin is not None
    for part in ("train", "validation", "test"):
        events, twin = getattr(data, part), getattr(data.twin, part)
        assert twin.sha256 == getattr(digits, part).sha256
        assert np.array_equal(events.labels, twin.labels)
        bytes_of = np.rint(twin.samples[:9, 0] * 255).astype(np.uint8)
        assert np.array_equal(events.samples[:9], film(bytes_of, way(8), 10))
        assert events.samples.any(axis=(1, 2, 3, 4)).all()


def test_the_events_of_digits_never_change() -> None:
    data = load("digits-events")
    assert [part.sha256[:16] for part in (data.train, data.validation, data.test)] == [
        "144c95a1f7110f8e",
        "dfb2684ec04ccc7e",
        "311b2f87ded1b8a0",
    ]


def test_timesteps_are_as_asked() -> None:
    assert load("digits-events", timesteps=30).test.samples.shape == (359, 30, 2, 8, 8)


@pytest.mark.parametrize("timesteps", [0, 31])
def test_timesteps_out_of_range_are_refused(timesteps: int) -> None:
    with pytest.raises(InputError) as refusal:
        load("digits-events", timesteps=timesteps)
    assert str(refusal.value) == (
        f"digits-events: timesteps is {timesteps}; may be 1 to 30, the instants of the simulation"
    )


def test_a_folder_is_for_the_images(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        load("fashion-mnist-events", tmp_path)
    assert str(refusal.value).startswith(f"{tmp_path}: has not all files of fashion-mnist; missing ")
