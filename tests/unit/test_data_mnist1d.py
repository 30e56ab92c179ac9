"""MNIST-1D: signals as bytes, bytes as events, and the parts that the authors' package makes."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data import mnist1d
from spikewright.data.load import load
from spikewright.data.mnist1d import levels


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A made-up package of that name, and nothing remembered from another one."""
    made_up = ModuleType("mnist1d.data")
    monkeypatch.setitem(sys.modules, "mnist1d", ModuleType("mnist1d"))
    monkeypatch.setitem(sys.modules, "mnist1d.data", made_up)
    mnist1d._made.cache_clear()
    yield made_up
    mnist1d._made.cache_clear()


def message_of(*words: object) -> str:
    with pytest.raises(InputError) as refusal:
        load("mnist1d", *words)
    return str(refusal.value)


def test_every_point_is_one_event_on_the_line_of_its_level() -> None:
    frames = levels(np.array([[0, 15, 16, 128, 255]], np.uint8), 5)
    assert (frames.shape, frames.dtype) == ((1, 5, 1, 1, 16), np.uint8)
    assert np.argwhere(frames[0, :, 0, 0]).tolist() == [[0, 0], [1, 0], [2, 1], [3, 8], [4, 15]]


def test_events_give_the_signal_back_up_to_a_level() -> None:
    signals = np.random.default_rng(0).integers(0, 256, (50, 40)).astype(np.uint8)
    back = levels(signals, 40)[:, :, 0, 0].argmax(-1) * 16 + 8
    assert np.abs(back - signals.astype(int)).max() <= 8


def test_fewer_frames_stand_for_means() -> None:
    """Steps of 2, 2 and 3 points: k T / P = 0, 3/7, 6/7 | 9/7, 12/7 | 15/7, 18/7 begins them at points 0, 3 and 5."""
    signals = np.array([[0, 0, 255, 16, 17, 200, 255]], np.uint8)
    means = [255 // 3, 33 // 2, 455 // 2]
    assert levels(signals, 3)[0, :, 0, 0].argmax(-1).tolist() == [mean // 16 for mean in means] == [5, 1, 14]


def test_signals_are_bytes_of_their_range(package: ModuleType) -> None:
    """-3 to 3 becomes 0 to 255: 256 (x + 3) / 6 rounded down, and what is outside is held there."""
    signal = np.zeros(40)
    signal[:5] = (-9.0, -3.0, -2.95, 2.99, 4.0)
    made = {"x": np.tile(signal, (20, 1)), "y": np.arange(20) % 10, "x_test": signal[None], "y_test": np.array([3])}
    package.make_dataset = lambda: made
    data = load("mnist1d")
    assert data.twin is not None
    assert (data.shape, data.timesteps, data.twin.shape) == ((1, 1, 16), 40, (1, 1, 40))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [18, 2, 1]
    assert np.rint(data.twin.test.samples[0, 0, 0, :6] * 255).tolist() == [0, 0, 2, 255, 255, 128]
    assert data.test.samples[0, :6, 0, 0].argmax(-1).tolist() == [0, 0, 0, 15, 15, 8]
    assert data.test.labels.tolist() == [3]


def test_the_processs_own_random_numbers_go_on(package: ModuleType) -> None:
    def make_dataset() -> dict[str, np.ndarray]:
        random.seed(42)
        np.random.seed(42)
        signals, labels = np.zeros((20, 40)), np.zeros(20, int)
        return {"x": signals, "y": labels, "x_test": signals[:2], "y_test": labels[:2]}

    package.make_dataset = make_dataset
    random.seed(7)
    np.random.seed(7)
    load("mnist1d")
    found = random.random(), np.random.random()
    random.seed(7)
    np.random.seed(7)
    assert found == (random.random(), np.random.random())


def test_the_published_signals() -> None:
    pytest.importorskip("mnist1d", reason="mnist1d is not installed (the extra `data`)")
    data = load("mnist1d")
    assert data.twin is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [3600, 400, 1000]
    assert [part.sha256[:16] for part in (data.train, data.validation, data.test)] == [
        "7c01eaa602d09520",
        "6eacb9e1572306b8",
        "b91bc617009c30b1",
    ]
    for part in ("train", "validation", "test"):
        events, twin = getattr(data, part), getattr(data.twin, part)
        assert np.array_equal(events.labels, twin.labels)
        assert np.array_equal(events.samples[:, :, 0, 0].argmax(-1), np.rint(twin.samples[:, 0, 0] * 255) // 16)
        assert (events.samples.sum((2, 3, 4)) == 1).all()


def test_without_the_package_one_sentence_says_how_to_get_it(
    package: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mnist1d", "mnist1d.data"):
        monkeypatch.setitem(sys.modules, name, None)
    assert message_of() == (
        "mnist1d: needs mnist1d, which is not installed; install it with `pip install 'spikewright[data]'`"
    )


def test_it_reads_no_folder(tmp_path: Path) -> None:
    assert message_of(tmp_path) == (
        f"{tmp_path}: mnist1d comes with the package of that name and reads no folder; leave data_dir out"
    )


@pytest.mark.parametrize("timesteps", [0, 41])
def test_timesteps_out_of_range(timesteps: int) -> None:
    assert message_of(None, timesteps) == (f"mnist1d: timesteps is {timesteps}; may be 1 to 40, the points of a signal")
