"""What is said of data: counts by hand, rates as the encodings make them, and short forms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.base.types import Encoding
from spikewright.chip.encoding import encode
from spikewright.data.dataset import Dataset
from spikewright.data.describe import TIMESTEPS, describe
from spikewright.data.load import load
from spikewright.data.split import Split
from spikewright.pages.data import teachers
from spikewright.pages.samples import encodings_figure
from spikewright.profile.profile import load_profile
from spikewright.training.settings import Budget


def walks(window: int | None = None) -> Dataset:
    """24 recordings of 5 to 9 steps of six persons; the longest is one of the test part."""
    random = np.random.default_rng(7)
    x = [random.normal(size=(5 + i % 4, 2)).cumsum(0).astype(np.float32) for i in range(24)]
    test = [np.concatenate([each, each])[:9] for each in x[:4]]
    y = np.arange(24) % 3
    persons = [f"p{i // 4}" for i in range(24)]
    return Dataset.from_arrays(x, y, test=(test, y[:4]), groups=persons, names=["a", "b", "c"], window=window)


def test_parts_by_hand() -> None:
    data = walks()
    assert data.raw is not None
    found = describe(data)
    train, test = found.parts["train"], found.parts["test"]
    assert train.samples + found.parts["validation"].samples == 24
    assert sum(train.counts) == train.samples
    assert test.counts == (2, 1, 1)
    assert test.lengths == (9, 9, 9)
    assert (train.cut, test.cut) == (0, 4), "no training recording has more than 8 steps"
    assert (train.groups or 0) + (found.parts["validation"].groups or 0) == 6
    raw = np.concatenate([each[:n] for each, n in zip(data.raw.train.samples[:], data.raw.train.lengths, strict=True)])  # type: ignore[arg-type]
    assert (train.least, train.most) == (raw.min(), raw.max())
    scaled = data.input_rule.unbounded(raw)  # type: ignore[union-attr]
    assert train.beyond == pytest.approx((np.abs(scaled) > 1).mean())
    assert train.beyond > 0


def test_windows_are_counted_and_nothing_is_cut() -> None:
    found = describe(walks(window=3))
    assert found.parts["test"].samples == 4 * 3
    assert found.parts["test"].recordings == 4
    assert found.parts["test"].cut == 0


@pytest.mark.parametrize("name", ["digits", "digits-events"])
def test_rates_of_named_data_are_those_of_the_encodings(name: str) -> None:
    data = load(name)
    for rate in describe(data, input_bits=5).rates:
        if rate.encoding == "current":
            continue
        codes = codes_of(rate.encoding, np.asarray(data.train.samples), rate.timesteps, 5, by_step=False)
        assert rate.events == pytest.approx(codes, rel=0.01 if rate.encoding == "rate" else 1e-9)


def test_rates_of_series_are_those_of_the_encodings() -> None:
    data = walks()
    for rate in describe(data).rates:
        options = replace(data, options=data.options.model_copy(update={"view": rate.view}))  # type: ignore[union-attr]
        prepared = options.for_student("delta" if rate.encoding == "delta" else None, None, None)
        assert prepared.shape == rate.shape
        assert (prepared.timesteps or TIMESTEPS) == rate.timesteps
        samples = np.asarray(prepared.train.samples)
        if rate.encoding == "current":
            assert rate.events == pytest.approx(samples.sum() / len(samples) * (1 if prepared.timesteps else TIMESTEPS))
            continue
        events = codes_of(rate.encoding, samples, rate.timesteps, 6, by_step=prepared.timesteps is not None)
        assert rate.events == pytest.approx(events, rel=0.2 if rate.encoding == "rate" else 1e-9)
        assert rate.each_step * rate.timesteps == pytest.approx(rate.events)
        assert rate.share == pytest.approx(rate.each_step / np.prod(rate.shape))


def codes_of(encoding: str, samples: np.ndarray, timesteps: int, bits: int, *, by_step: bool) -> float:
    """Events of a sample, on average, as the chip gets them."""
    known: Encoding = "events" if encoding in ("events", "delta") else encoding  # type: ignore[assignment]
    codes = encode(known, samples, timesteps, bits, by_step=by_step and known != "events")
    return float(np.count_nonzero(codes)) / len(samples) * (timesteps if len(codes) == 1 else 1)


def test_timesteps_without_a_wish_are_those_of_the_default_profile() -> None:
    assert load_profile(Budget().profile).default_timesteps == TIMESTEPS


def test_values_of_a_regression() -> None:
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    y = np.linspace(0, 39, 40, dtype=np.float32)[:, None] * (1, -2)
    data = Dataset.from_arrays(x, y, test=(x, y), task="regression", names=["up", "down"])
    (up, down) = describe(data).parts["test"].values
    assert up == pytest.approx((19.5, np.arange(40).std(), 0, 39))
    assert down == pytest.approx((-39, 2 * np.arange(40).std(), -78, 0))
    assert repr(data).splitlines()[0] == "arrays: vectors (5), 2 values: up, down"


@pytest.mark.parametrize("data", [walks(), walks(3), load("digits"), load("digits-events")], ids=["a", "b", "c", "d"])
def test_the_short_form(data: Dataset) -> None:
    lines = repr(data).splitlines()
    assert len(lines) < 20
    assert lines[0].startswith(f"{data.name}: ")
    assert lines[1].split()[0] == "train"
    assert f"{len(data.train):,} " in lines[1]


def test_the_short_form_looks_at_some_samples_of_large_data() -> None:
    class Counted:
        """Images of which each row may be asked for."""

        shape, dtype, ndim = (10**7, 1, 4, 4), np.dtype(np.float32), 4
        asked = 0

        def __len__(self) -> int:
            return self.shape[0]

        def __getitem__(self, rows: np.ndarray) -> np.ndarray:
            Counted.asked += len(rows)
            return np.zeros((len(rows), *self.shape[1:]), np.float32)

    part = Split(Counted(), np.zeros(10**7, np.int64))
    assert "10,000,000 samples" in repr(Dataset("large", part, part, part, 2, (1, 4, 4)))
    assert Counted.asked < 10_000


@pytest.mark.parametrize("data", [walks(), walks(3), load("digits"), load("digits-events")], ids=["a", "b", "c", "d"])
def test_a_picture_has_a_panel_for_each_encoding(data: Dataset) -> None:
    drawn = encodings_figure(data, sample=1)
    titles = [axes.get_title(loc="left") for axes in drawn.axes if axes.get_title(loc="left")]
    assert titles[0].startswith("sample 1 as found: ")
    assert len(titles) == 1 + len(describe(data).rates)


@pytest.mark.parametrize("view", ["image", "channels"])
def test_a_picture_of_latency_has_the_step_of_each_spike(view: str) -> None:
    walk = [[1, 0], [-1, 0], [0, -1]]  # three steps of two channels
    x = np.array([walk] * 20, np.float32)
    data = Dataset.from_arrays(x, np.arange(20) % 2, layout="series", scaling="none", view=view)
    drawn = encodings_figure(data)
    (panel,) = [axes for axes in drawn.axes if axes.get_title(loc="left").startswith("latency, at once")]
    found = np.ma.filled(panel.images[0].get_array().astype(float), np.nan)
    none = np.nan
    if view == "image":  # of both signs together, channels over steps
        expected = [[1, 1, none], [none, none, 1]]
    else:  # positive parts, then negative ones
        expected = [[1, none, none], [none, none, none], [none, 1, none], [none, none, 1]]
    np.testing.assert_array_equal(found, expected)


def test_a_picture_of_latency_in_colours_has_the_earliest_spike_of_a_pixel() -> None:
    pixels = np.zeros((20, 3, 1, 2), np.float32)
    pixels[:, 0, 0, 0], pixels[:, 1, 0, 0] = 1, 0.3
    data = Dataset.from_arrays(pixels, np.arange(20) % 2, layout="images")
    drawn = encodings_figure(data)
    (panel,) = [axes for axes in drawn.axes if axes.get_title(loc="left").startswith("latency")]
    assert np.ma.filled(panel.images[0].get_array().astype(float), 0).tolist() == [[1, 0]]


def test_teachers_that_do_not_suit_are_named_with_the_reason() -> None:
    found = teachers(walks())
    assert found["temporal"] == found["mlp"] == ""
    assert "halves its input 3 times" in found["vgg"]
