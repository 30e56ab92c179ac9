"""Rules of input: values by hand, rules from files, and what a rule of one part must not know of the others."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.data import fitting
from spikewright.data.dataset import Dataset
from spikewright.data.input_rule import InputRule

RANDOM = np.random.default_rng(8)
VECTORS = np.array([[0.0, 10, 7], [2, 20, 7], [4, 30, 7], [6, 40, 7]] * 4, np.float32)
LABELS = np.array([0, 1] * 8)


def rule_of(x: object, scaling: str | None = None, **options: object) -> InputRule:
    """The rule fitted on ``x`` alone."""
    part = (x, np.arange(len(x)) % 2)  # type: ignore[arg-type]
    given = {"scaling": scaling} if scaling else {}
    data = Dataset.from_arrays(*part, validation=part, test=part, **given, **options)
    assert data.input_rule is not None
    return data.input_rule


def test_minmax_by_hand() -> None:
    rule = rule_of(VECTORS, "minmax")
    assert rule.low == (0, 10, 7)
    assert rule.gain == pytest.approx((1 / 6, 1 / 30, 0)), "a feature that never changes carries nothing"
    assert not rule.signed
    assert rule.input_shape == (3, 1, 1)
    made = rule(np.float32([[3, 25, 7], [-1, 100, 8]]))
    assert made.reshape(2, 3).tolist() == [[0.5, 0.5, 0], [0, 1, 0]], "beyond the range values are held at its ends"


def test_standard_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fitting.REACH_QUANTILE, "standard", 1.0)
    rule = rule_of(VECTORS, "standard")
    deviation = np.sqrt(5)  # of 0, 2, 4, 6; ten, fives: of 10, 20, 30, 40 five times as much
    assert rule.low == pytest.approx((3, 25, 7))
    reach = 3 / deviation  # the largest size of a value in standard deviations
    assert rule.gain == pytest.approx((1 / deviation / reach, 1 / (5 * deviation) / reach, 0))
    assert rule.input_shape == (6, 1, 1)
    made = rule(np.float32([[0, 40, 7]])).reshape(2, 3)
    assert made.tolist() == pytest.approx(np.array([[0, 1, 0], [1, 0, 0]])), "positive parts, then negative parts"


def test_robust_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(fitting.REACH_QUANTILE, "robust", 1.0)
    values = np.array([[0.0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0], [6, 0], [1000, 8]], np.float32)
    rule = rule_of(values, "robust")
    quarters = np.quantile(values[:, 0], (0.25, 0.5, 0.75))
    assert rule.low == (quarters[1], 0) == (3.5, 0)
    sizes = [996.5 / (quarters[2] - quarters[0]), 8 / values[:, 1].std()]
    assert rule.gain[0] == pytest.approx(1 / (quarters[2] - quarters[0]) / max(sizes))
    assert rule.gain[1] == pytest.approx(1 / values[:, 1].std() / max(sizes)), "half of it equal: by the deviation"


@pytest.mark.parametrize(("values", "signed"), [([[0.0, 0.5]], False), ([[-1.0, 0.25]], True)])
def test_none_takes_values_as_they_are(values: list[list[float]], signed: bool) -> None:
    rule = rule_of(np.float32(values * 8), "none")
    assert (rule.low, rule.gain, rule.signed) == ((0.0,), (1.0,), signed)
    made = rule(np.float32(values)).reshape(-1)
    assert made.tolist() == ([0, 0.25, 1, 0] if signed else [0, 0.5])


def test_none_refuses_what_lies_beyond() -> None:
    with pytest.raises(InputError) as refusal:
        rule_of(VECTORS, "none")
    assert str(refusal.value).splitlines()[1:] == [
        f"  - {part} reaches 0..40, outside -1..1; choose another scaling, such as standard"
        for part in ("train", "validation", "test")
    ]


@pytest.mark.parametrize("scaling", ["standard", "robust", "minmax"])
def test_chunks_of_a_large_array_give_the_same(monkeypatch: pytest.MonkeyPatch, scaling: str) -> None:
    x = (RANDOM.normal(size=(50, 13, 4)) * (1, 100, 0.01, 5) + (1000, 0, 0, -3)).astype(np.float32)
    whole = rule_of(x, scaling, layout="series")
    monkeypatch.setattr("spikewright.sources.rows.CHUNK_BYTES", 1000)
    parts = rule_of(x, scaling, layout="series")
    assert parts.low == pytest.approx(whole.low, rel=1e-12)
    assert parts.gain == pytest.approx(whole.gain, rel=1e-9)
    assert whole.low == pytest.approx(
        {"standard": x.mean((0, 1), float), "robust": np.median(x, (0, 1)), "minmax": x.min((0, 1))}[scaling], rel=1e-6
    )


@pytest.mark.parametrize("scaling", ["standard", "robust", "minmax"])
def test_padding_has_no_part_in_a_rule(scaling: str) -> None:
    short, long = RANDOM.normal(size=(16, 5, 2)), RANDOM.normal(size=(16, 9, 2))
    recordings = [*short.astype(np.float32), *long.astype(np.float32)]
    flat = np.concatenate(recordings)
    rule = rule_of(recordings, scaling)
    alone = rule_of(flat[:, None], scaling, layout="series")
    assert rule.low == pytest.approx(alone.low, rel=1e-6)
    assert rule.gain == pytest.approx(alone.gain, rel=1e-6)


@pytest.mark.parametrize("scaling", ["standard", "robust", "minmax"])
@pytest.mark.parametrize("encoding", [None, "delta"])
def test_a_rule_knows_the_training_part_alone(scaling: str, encoding: str | None) -> None:
    x, other = (RANDOM.normal(size=(30, 8, 3)).astype(np.float32) for _ in range(2))
    y = np.arange(30) % 3
    rules = []
    for held_out in (x, 100 + 7 * other):
        data = Dataset.from_arrays(x, y, validation=(held_out, y), test=(held_out, y), layout="series", scaling=scaling)
        rules.append(data.for_student(encoding, None, None).input_rule)
    assert rules[0] == rules[1]


def series(view: str, encoding: str | None, timesteps: int | None, window: int | None) -> Dataset:
    random = np.random.default_rng(2)
    walks = [random.normal(size=(n, 2)).cumsum(0).astype(np.float32) for n in random.integers(6, 12, 40)]
    data = Dataset.from_arrays(walks, np.arange(40) % 4, view=view, window=window)
    return data.for_student(encoding, None, timesteps)


@pytest.mark.parametrize(
    ("view", "encoding", "timesteps"),
    [("steps", None, None), ("steps", None, 3), ("steps", "delta", 4), ("image", None, None), ("channels", None, None)],
)
@pytest.mark.parametrize("window", [None, 5])
def test_a_stored_rule_prepares_the_same(
    view: str, encoding: str | None, timesteps: int | None, window: int | None
) -> None:
    data = series(view, encoding, timesteps, window)
    assert data.input_rule is not None
    stored = InputRule.from_json(json.dumps(data.input_rule.as_json()))
    assert stored == data.input_rule
    again = Dataset.of_raw(data.raw, rule=stored)  # type: ignore[arg-type]
    for mine, other in zip((data.train, data.test), (again.train, again.test), strict=True):
        assert mine.sha256 == other.sha256
    assert data.train.samples.shape[1:] == data.input_rule.sample_shape
    assert data.train.samples.dtype == data.input_rule.dtype
    assert 0 <= data.train.samples.min() <= data.train.samples.max() <= 1


@pytest.mark.parametrize("encoding", [None, "delta"])
@pytest.mark.parametrize("timesteps", [None, 4])
def test_a_padded_step_holds_nothing(encoding: str | None, timesteps: int | None) -> None:
    data = series("steps", encoding, timesteps, None)
    assert data.raw is not None and data.raw.train.lengths is not None and data.twin is not None
    longest = data.input_rule.shape[0]  # type: ignore[union-attr]
    steps = timesteps or longest
    for sample, still, length in zip(data.train.samples, data.twin.train.samples, data.raw.train.lengths, strict=True):
        last = (length - 1) * steps // longest
        assert not sample[last + 1 :].any()
        assert not still[:, length:].any()
    assert data.train.samples.any()


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=4, max_size=4))
def test_a_constant_feature_is_zero_whatever_comes(values: list[float]) -> None:
    rule = rule_of(np.full((16, 4), 3.5, np.float32), "standard")
    assert not rule(np.float32([values])).any()


VALID = InputRule("series", (9, 2), "standard", (0.0, 1.0), (1.0, 2.0), signed=True, view="steps", timesteps=9)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"shape": (9,)}, "shape is (9,); series have 2 sizes, each at least 1"),
        ({"view": None}, "view is None for series; series have one of steps, image, channels, others none"),
        ({"view": "image"}, "timesteps is 9; samples that change from step to step have some, others none"),
        ({"timesteps": None}, "timesteps is None; samples that change from step to step have some, others none"),
        ({"low": (0.0, 1.0, 2.0)}, "low has 3 numbers for 2 channels"),
        ({"gain": (0.0, float("nan"))}, "gain holds NaN or infinity; must be finite"),
        ({"delta": (0.1,)}, "delta has 1 numbers for 2 channels"),
        ({"delta": (0.1, 0.0)}, "delta holds 0; levels must be above 0"),
        ({"window": 0}, "window is 0; must be at least 1"),
        ({"scaling": "log"}, "scaling is 'log'; may be none, minmax, standard, robust"),
    ],
    ids=str,
)
def test_a_rule_that_contradicts_itself_is_refused(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(InputError) as refusal:
        replace(VALID, **changes)  # type: ignore[arg-type]
    assert fault in str(refusal.value)


def test_every_fault_is_said_at_once() -> None:
    with pytest.raises(InputError) as refusal:
        replace(VALID, low=(0.0,) * 3, hop=0, timesteps=0)
    assert len(str(refusal.value).splitlines()) == 4
