"""Recordings step by step: level crossings and means by hand, and what they must never do."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spikewright.data.steps import crossings, joined, means


def events_of(values: list[float], level: float, length: int | None = None) -> list[int]:
    """Per step +1 for an event up, -1 for one down, 0 for none."""
    there = np.arange(len(values)) < (len(values) if length is None else length)
    found = crossings(np.float32(values)[None, :, None], np.array([level]), there[None])
    assert not (found[..., 0] & found[..., 1]).any()
    return (found[0, :, 0].astype(int) - found[0, :, 1]).tolist()


def test_a_value_is_followed_by_one_level_a_step_from_zero() -> None:
    assert events_of([0.5, 0.5, 0.5, 0.5], 0.25) == [1, 1, 0, 0]
    assert events_of([-0.5, -0.25, 0.0], 0.25) == [-1, 0, 1], "from -0.25 to 0 is one level"
    assert events_of([1.0, -1.0, -1.0, -1.0], 0.5) == [1, -1, -1, -1]


def test_less_than_a_level_is_no_event_and_a_whole_level_is() -> None:
    assert events_of([0.24, 0.2, -0.2], 0.25) == [0, 0, 0]
    assert events_of([0.25, 0.0], 0.25) == [1, -1]


def test_behind_the_end_there_are_no_events() -> None:
    assert events_of([1.0, 1.0, 1.0, 0.0, 0.0], 0.25, length=3) == [1, 1, 1, 0, 0]


def test_each_channel_has_its_level() -> None:
    values = np.full((1, 2, 2), 0.4, np.float32)
    found = crossings(values, np.array([0.2, 0.5]), np.ones((1, 2), bool))
    assert found[0].astype(int).tolist() == [[1, 0, 0, 0], [1, 0, 0, 0]], "ups of both channels, then downs"


@given(
    values=arrays.arrays(np.float32, (2, 9, 3), elements=st.floats(-1, 1, width=32)),
    level=st.floats(0.02, 1.5),
    lengths=st.tuples(st.integers(1, 9), st.integers(1, 9)),
)
def test_the_events_added_up_follow_the_value(values: np.ndarray, level: float, lengths: tuple[int, int]) -> None:
    """What is remembered never lies beyond the values so far, and stays where it is less than a level away."""
    there = np.arange(9) < np.array(lengths)[:, None]
    found = crossings(values, np.full(3, level), there)
    moved = found[..., :3].astype(int) - found[..., 3:]
    assert not moved[~there].any()
    remembered = moved.cumsum(1) * level
    before = np.concatenate([np.zeros((2, 1, 3)), remembered[:, :-1]], 1)
    wants = np.abs(values - before) >= level * (1 + 1e-9)
    near = np.abs(np.abs(values - before) / level - 1) < 1e-6  # as close to a level as float rounding
    assert (moved[there] != 0)[~near[there]].tolist() == wants[there][~near[there]].tolist()
    assert (np.sign(values - before)[moved != 0] == moved[moved != 0]).all()


def test_means_leave_what_is_behind_the_end_out() -> None:
    values = np.float32([[1, 3, 5, 0, 0, 0]])[..., None]
    there = np.array([[True, True, True, False, False, False]])
    made, kept = means(values, there, 3)
    assert made[0, :, 0].tolist() == [2, 5, 0], "the second step holds one value, not the half of it"
    assert kept.tolist() == [[True, True, False]]


def test_as_many_steps_as_there_are_stay_as_they_are() -> None:
    values, there = np.float32([[1, 2, 3]])[..., None], np.ones((1, 3), bool)
    made, kept = means(values, there, 3)
    assert made is values
    assert kept is there


def test_steps_that_do_not_divide_evenly_are_each_in_one_frame() -> None:
    frames = np.arange(7, dtype=np.float32)[None]
    assert joined(frames, 3, np.add).tolist() == [[0 + 1 + 2, 3 + 4, 5 + 6]]
    assert joined(frames > 5, 7, np.logical_or) is not None
