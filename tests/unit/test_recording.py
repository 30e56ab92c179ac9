"""Counting and comparing recordings, and where samples are on the chip's clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.chip import ChipNetwork, Connection, IntArray, Neuron, Population
from spikewright.deploy.recording import Mismatch, Recording, Tally, activity_of, compare, concatenate
from spikewright.deploy.schedule import Schedule


def zero(size: int) -> IntArray:
    return np.zeros(size, dtype=np.int64)


@pytest.fixture
def chip() -> ChipNetwork:
    populations = (
        Population("in", (3,), "input", None, 8),
        Population("a", (2,), "hidden", Neuron(4095, 0, 1, zero(2))),
        Population("out", (2,), "readout", Neuron(4095, 0, 1, zero(2))),
    )
    connections = (Connection("in", "a", np.ones((2, 3), dtype=np.int64)), Connection("a", "out", np.eye(2, dtype=int)))
    return ChipNetwork(populations, connections, 2, "direct", "count", "none", "")


@pytest.fixture
def recording() -> Recording:
    return Recording(
        spikes={
            "in": np.array([[[0, 7, 9], [0, 0, 1]]] * 2),
            "a": np.array([[[1, 0], [0, 0]], [[1, 1], [0, 0]]]),
            "out": np.array([[[0, 0], [0, 1]], [[1, 0], [0, 1]]]),
        },
        scores=np.array([[1, 0], [0, 2]]),
        tallies={"a": Tally(5), "out": Tally(3)},
    )


def test_counts(chip: ChipNetwork, recording: Recording) -> None:
    activity = activity_of(chip, recording, "lava", np.array([0, 0]), chip_sha256="c", split="test")
    assert {name: p.spikes.tolist() for name, p in activity.populations.items()} == {
        "in": [0, 2, 4],  # a graded event counts once, whatever it carries
        "a": [2, 1],
        "out": [1, 2],
    }
    assert activity.synaptic_ops == {"in->a": 6 * 2, "a->out": 3 * 2}
    assert {name: (p.updates, p.active_updates) for name, p in activity.populations.items()} == {
        "in": (0, 0),
        "a": (8, 5),
        "out": (8, 3),
    }
    assert (activity.samples, activity.timesteps, activity.correct, activity.backend) == (2, 2, 1, "lava")
    assert (activity.chip_sha256, activity.split) == ("c", "test")


def test_counts_of_halves_add_up(chip: ChipNetwork, recording: Recording) -> None:
    labels = np.array([0, 1])
    parts = [
        replace(
            recording,
            spikes={name: spikes[:, i : i + 1] for name, spikes in recording.spikes.items()},
            scores=recording.scores[i : i + 1],
            tallies={"a": Tally(5 * (1 - i)), "out": Tally(3 * i)},
        )
        for i in (0, 1)
    ]
    whole = activity_of(chip, recording, "integer", labels)
    total = activity_of(chip, parts[0], "integer", labels[:1]) + activity_of(chip, parts[1], "integer", labels[1:])
    assert total.synaptic_ops == whole.synaptic_ops
    assert (total.samples, total.correct) == (whole.samples, whole.correct) == (2, 2)
    for name, population in whole.populations.items():
        assert np.array_equal(total.populations[name].spikes, population.spikes)
        assert total.populations[name].updates == population.updates
        assert total.populations[name].active_updates == population.active_updates
    assert compare(concatenate(parts), recording) == []


def test_the_earliest_difference_is_named(recording: Recording) -> None:
    spikes = recording.spikes["a"].copy()
    spikes[1, 0, 1], spikes[0, 1, 0] = 0, 1
    other = replace(recording, spikes={**recording.spikes, "a": spikes})
    (found,) = compare(recording, other)
    assert found == Mismatch("a", "spikes", 2, (0, 1, 1))
    assert str(found) == "a: 2 spikes differ, first at sample 0, step 1, compartment 1"
    assert compare(recording, recording) == []


def test_states_are_compared_where_both_have_them(recording: Recording) -> None:
    v = {"a": np.zeros((2, 2, 2), dtype=np.int32)}
    assert compare(replace(recording, v=v), recording) == []
    other = replace(recording, v={"a": v["a"] + 1})
    assert [(m.what, m.count) for m in compare(replace(recording, v=v), other)] == [("v", 8)]


def test_recordings_that_cannot_be_compared(recording: Recording) -> None:
    fewer = replace(recording, spikes={"a": recording.spikes["a"]})
    with pytest.raises(ValueError, match="different populations"):
        compare(recording, fewer)
    shorter = replace(recording, spikes={**recording.spikes, "a": recording.spikes["a"][:1]})
    with pytest.raises(ValueError, match="cannot be compared"):
        compare(recording, shorter)


def test_samples_stream_back_to_back(chip: ChipNetwork) -> None:
    schedule = Schedule.of(chip, samples=3)
    assert (schedule.stride, schedule.deepest, schedule.chip_steps) == (2, 2, 8)
    assert schedule.places(0).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert schedule.places(2).tolist() == [[2, 4, 6], [3, 5, 7]]


def test_samples_of_a_recurrent_network_wait_for_each_other(chip: ChipNetwork) -> None:
    loop = Connection("a", "a", np.zeros((2, 2), dtype=np.int64))
    schedule = Schedule.of(replace(chip, connections=(*chip.connections, loop)), samples=3)
    assert (schedule.stride, schedule.chip_steps) == (4, 12)
    assert schedule.places(2).tolist() == [[2, 6, 10], [3, 7, 11]]
