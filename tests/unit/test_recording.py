"""Counting and comparing recordings, and where samples are on the chip's clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.base.types import IntArray
from spikewright.chip.activity import Counts
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population, Schedule
from spikewright.simulation import recording as recordings
from spikewright.simulation.integer import run
from spikewright.simulation.recording import Mismatch, Recording, Tally, activity_of, compare


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
        active={"a": np.array([[2, 1], [2, 0]]), "out": np.array([[1, 0], [1, 1]])},
    )


def test_a_recording_shows_shapes_and_no_numbers() -> None:
    shown = repr(Recording({"a": np.zeros((4, 2, 3), np.int64)}, np.zeros((2, 3)), {"a": Tally(5)}))
    assert shown.startswith("Recording(spikes={'a': int64 (4, 2, 3)}, scores=float64 (2, 3), tallies={'a': Tally(...)}")


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


def test_the_first_sample_keeps_its_spikes(chip: ChipNetwork, recording: Recording) -> None:
    raster = activity_of(chip, recording, "lava").raster
    assert raster is not None
    assert {name: trace.fired.astype(int).tolist() for name, trace in raster.items()} == {
        "in": [[0, 1, 1], [0, 1, 1]],
        "a": [[1, 0], [1, 1]],
        "out": [[0, 0], [1, 0]],
    }
    second = replace(recording, spikes={name: spikes[:, 1:] for name, spikes in recording.spikes.items()})
    both = (activity_of(chip, recording, "lava") + activity_of(chip, second, "lava")).raster
    assert both is not None
    assert both["a"].fired.tolist() == raster["a"].fired.tolist()


def test_of_a_large_population_64_evenly_spaced_compartments_are_kept() -> None:
    chip = ChipNetwork(
        (
            Population("in", (641,), "input", None),
            Population("out", (2,), "readout", Neuron(4095, 0, 1, zero(2))),
        ),
        (Connection("in", "out", np.ones((2, 641), dtype=np.int64)),), 1, "rate", "count", "none", "",
    )  # fmt: skip
    spikes = np.zeros((1, 1, 641), dtype=np.int64)
    spikes[0, 0, [0, 1, 640]] = 1
    recording = Recording(
        {"in": spikes, "out": np.zeros((1, 1, 2), dtype=np.int64)}, np.zeros((1, 2)), {"out": Tally()}
    )
    raster = activity_of(chip, recording, "integer").raster
    assert raster is not None
    kept = raster["in"].compartments
    assert (len(kept), kept[0], kept[-1]) == (64, 0, 640)
    assert set(np.diff(kept)) == {10, 11}  # 640 / 63
    assert kept[raster["in"].fired[0]].tolist() == [0, 640]


def test_counts_of_halves_add_up(chip: ChipNetwork, recording: Recording) -> None:
    labels = np.array([0, 1])
    parts = [
        replace(
            recording,
            spikes={name: spikes[:, i : i + 1] for name, spikes in recording.spikes.items()},
            scores=recording.scores[i : i + 1],
            tallies={"a": Tally(5 * (1 - i)), "out": Tally(3 * i)},
            active={name: active[:, i : i + 1] for name, active in recording.active.items()},
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
    assert total.by_step is not None
    assert total.by_sample is not None
    assert tables(total.by_step) == tables(whole.by_step)
    assert tables(total.by_sample.counts) == tables(whole.by_sample.counts)
    assert total.by_sample.predicted.tolist() == whole.by_sample.predicted.tolist() == [0, 1]
    assert total.by_sample.classes.tolist() == [0, 1]


def tables(counts: Counts) -> dict[str, dict[str, list[int]]]:
    return {what: {name: column.tolist() for name, column in table.items()} for what, table in vars(counts).items()}


def test_each_step_and_each_sample_is_counted(chip: ChipNetwork, recording: Recording) -> None:
    activity = activity_of(chip, recording, "lava", np.array([0, 0]))
    assert tables(activity.by_step) == {
        "spikes": {"in": [3, 3], "a": [1, 2], "out": [1, 2]},
        "active_updates": {"a": [3, 2], "out": [1, 2]},
        "synaptic_ops": {"in->a": [6, 6], "a->out": [2, 4]},
    }
    assert tables(activity.by_sample.counts) == {
        "spikes": {"in": [4, 2], "a": [3, 0], "out": [1, 2]},
        "active_updates": {"a": [4, 1], "out": [2, 1]},
        "synaptic_ops": {"in->a": [8, 4], "a->out": [6, 0]},
    }
    assert activity.by_sample.predicted.tolist() == [0, 1]
    assert activity.by_sample.classes.tolist() == [0, 0]


def test_where_only_totals_are_known_nothing_is_said_of_steps_and_samples(
    chip: ChipNetwork, recording: Recording
) -> None:
    known = activity_of(chip, recording, "lava")
    unknown = activity_of(chip, replace(recording, active={}), "lava")
    assert (unknown.by_step, unknown.by_sample) == (None, None)
    assert ((known + unknown).by_step, (unknown + known).by_sample) == (None, None)
    assert known.by_sample.classes is None


def test_no_more_samples_are_kept_one_by_one_than_the_file_may_hold(
    chip: ChipNetwork, recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spikewright.chip.activity.SAMPLES_KEPT", 3)
    one = activity_of(chip, recording, "lava", np.array([0, 0]))
    three = one + one + one
    assert three.samples == 6
    assert three.by_sample.predicted.tolist() == [0, 1, 0]
    assert three.by_sample.counts.spikes["in"].tolist() == [4, 2, 4]
    assert three.by_step.spikes["in"].tolist() == [9, 9]
    monkeypatch.setattr("spikewright.simulation.recording.SAMPLES_KEPT", 1)
    first = activity_of(chip, recording, "lava", np.array([0, 0]))
    assert first.by_sample.counts.synaptic_ops == {"in->a": [8], "a->out": [6]}


def test_a_convolutions_operations_add_up_over_steps_and_over_samples() -> None:
    random = np.random.default_rng(0)
    populations = (
        Population("in", (2, 5, 5), "input", None),
        Population("conv", (3, 3, 3), "readout", Neuron(4095, 0, 20, np.zeros((3, 3, 3), dtype=np.int64))),
    )
    weight = random.integers(-9, 20, (3, 2, 3, 3))
    connection = Connection("in", "conv", weight, conv=ConvGeometry((2, 2), (1, 1)))
    chip = ChipNetwork(populations, (connection,), 3, "events", "count", "none", "")
    drive = random.integers(0, 2, (3, 4, 2, 5, 5))
    activity = activity_of(chip, run(chip, drive), "integer")
    reach = np.outer([1, 2, 1, 2, 1], [1, 2, 1, 2, 1]) * 3  # taps of a stride of two over five pixels, three channels
    by_hand = (drive * reach).sum(axis=(2, 3, 4))
    assert activity.by_step.synaptic_ops["in->conv"].tolist() == by_hand.sum(axis=1).tolist()
    assert activity.by_sample.counts.synaptic_ops["in->conv"].tolist() == by_hand.sum(axis=0).tolist()
    assert activity.synaptic_ops["in->conv"] == by_hand.sum()
    assert activity.by_sample.counts.active_updates["conv"].sum() == activity.populations["conv"].active_updates


def test_the_earliest_difference_is_named(recording: Recording) -> None:
    spikes = recording.spikes["a"].copy()
    spikes[1, 0, 1], spikes[0, 1, 0] = 0, 1
    other = replace(recording, spikes={**recording.spikes, "a": spikes})
    (found,) = compare(recording, other)
    assert found == Mismatch("a", "spikes", 2, (0, 1, 1))
    assert str(found) == "a: 2 spikes differ, first at sample 0, step 1, compartment 1"
    assert compare(recording, recording) == []


def test_the_place_of_a_difference_in_a_population_of_three_axes() -> None:
    """Three steps, four samples and 2 x 5 neurons: no two sizes are equal."""
    spikes = np.zeros((3, 4, 2, 5), np.uint8)
    other = spikes.copy()
    other[2, 1, 1, 3] = other[1, 3, 0, 0] = 1
    (found,) = compare(Recording({"a": spikes}, np.zeros((4, 2)), {}), Recording({"a": other}, np.zeros((4, 2)), {}))
    assert found == Mismatch("a", "spikes", 2, (1, 2, 8))


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


def test_the_compartments_of_a_raster_are_chosen_once_for_a_size() -> None:
    assert recordings._kept(1000) is recordings._kept(1000)
    assert recordings._kept(3).tolist() == [0, 1, 2]
