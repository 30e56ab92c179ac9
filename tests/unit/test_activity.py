"""Activities add up count by count, and say what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.chip import activity as counting
from spikewright.chip.activity import (
    Activity,
    Counts,
    Overflows,
    PopulationActivity,
    Samples,
    Trace,
    overflow_sentences,
)
from spikewright.chip.agreement import Agreement
from spikewright.chip.answers import Answers
from spikewright.data.quality import Quality


def counts(*column: int) -> Counts:
    one = np.array(column)
    return Counts({"in": one, "out": one + 1}, {"out": one + 2}, {"in->out": one + 3})


ONE = Activity(
    populations={
        "in": PopulationActivity(np.array([3, 4]), 0, 0),
        "out": PopulationActivity(np.array([1]), 8, 5, Overflows(1, 2, 3)),
    },
    synaptic_ops={"in->out": 14}, samples=2, timesteps=4, backend="integer", chip_sha256="ab", correct=1, split="test",
    by_step=counts(1, 2, 3, 4), by_sample=Samples(counts(7, 8), np.array([0, 1]), np.array([0, 0])),
)  # fmt: skip
OTHER = replace(
    ONE,
    populations={
        "in": PopulationActivity(np.array([10, 0]), 0, 0),
        "out": PopulationActivity(np.array([2]), 12, 6, Overflows(10, 20, 30)),
    },
    synaptic_ops={"in->out": 20}, samples=3, correct=2,
    by_step=counts(10, 20, 30, 40), by_sample=Samples(counts(9, 5, 6), np.array([1, 1, 1]), np.array([1, 0, 1])),
)  # fmt: skip


def test_every_count_adds_up() -> None:
    both = ONE + OTHER
    assert (both.samples, both.correct, both.split, both.synaptic_ops) == (5, 3, "test", {"in->out": 34})
    assert both.populations["in"].spikes.tolist() == [13, 4]
    out = both.populations["out"]
    assert (out.spikes.tolist(), out.updates, out.active_updates) == ([3], 20, 11)
    assert out.overflows == both.overflows == Overflows(11, 22, 33)
    assert (both.spikes, both.total_synaptic_ops) == (20, 34)
    assert both.by_step is not None
    assert {name: column.tolist() for name, column in both.by_step.spikes.items()} == {
        "in": [11, 22, 33, 44], "out": [13, 24, 35, 46],
    }  # fmt: skip
    assert both.by_step.active_updates["out"].tolist() == [15, 26, 37, 48]
    assert both.by_step.synaptic_ops["in->out"].tolist() == [17, 28, 39, 50]
    assert both.by_sample is not None
    assert (both.by_sample.count, both.by_sample.counts.spikes["in"].tolist()) == (5, [7, 8, 9, 5, 6])
    assert both.by_sample.predicted is not None
    assert both.by_sample.classes is not None
    assert both.by_sample.predicted.tolist() == [0, 1, 1, 1, 1]
    assert both.by_sample.classes.tolist() == [0, 0, 1, 0, 1]
    assert both.quality is not None
    assert both.quality.confusion is not None
    assert both.quality.confusion.tolist() == [[1, 2], [0, 2]]
    assert both.accuracy == 3 / 5
    assert both.rates["in"] == (1.1, 2.2, 3.3, 4.4), "of two neurons, five samples"
    assert both.rates["out"] == (13 / 5, 24 / 5, 35 / 5, 46 / 5)


def test_what_one_does_not_know_their_sum_does_not() -> None:
    for less in ({"correct": None}, {"by_step": None}, {"by_sample": None}):
        for sum_ in (replace(ONE, **less) + OTHER, ONE + replace(OTHER, **less)):
            for name in ("correct", "by_step", "by_sample"):
                assert (getattr(sum_, name) is None) == (name in less)
    assert (ONE + replace(OTHER, split="train")).split == ""
    blind = replace(OTHER, by_sample=replace(OTHER.by_sample, classes=None))
    for sum_ in (ONE + blind, blind + ONE):
        assert sum_.by_sample is not None
        assert (sum_.by_sample.classes, sum_.by_sample.predicted is None) == (None, False)
    uncounted = replace(OTHER, populations={**OTHER.populations, "out": PopulationActivity(np.array([2]), 12, 6)})
    assert (uncounted.overflows, (ONE + uncounted).overflows, (uncounted + ONE).overflows) == (None, None, None)
    assert replace(ONE, by_step=None).rates == {}


def test_only_the_first_samples_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "SAMPLES_KEPT", 3)
    both = (ONE + OTHER).by_sample
    assert both is not None
    assert both.predicted is not None
    assert (both.counts.spikes["in"].tolist(), both.predicted.tolist()) == ([7, 8, 9], [0, 1, 1])


@pytest.mark.parametrize("change", [{"backend": "lava"}, {"chip_sha256": "cd"}, {"chip_sha256": "a"}])
def test_counts_of_other_backends_and_chips_do_not_add_up(change: dict[str, str]) -> None:
    for pair in ((ONE, replace(OTHER, **change)), (replace(ONE, **change), OTHER)):
        with pytest.raises(ValueError, match=r"^activities counted by different backends or on different chips do not"):
            _ = pair[0] + pair[1]


@pytest.mark.parametrize("change", [{"timesteps": 5}, {"timesteps": 3}, {"populations": {}}])
def test_counts_of_other_networks_do_not_add_up(change: dict) -> None:
    with pytest.raises(ValueError, match=r"^activities of different networks do not add up$"):
        _ = ONE + replace(OTHER, **change)


def test_an_activity_in_words() -> None:
    assert repr(ONE + OTHER) == (
        "Activity(5 test samples, T = 4, integer, accuracy 60.00%; per inference 4.0 spikes and 6.8 synaptic "
        "operations of 2 populations)"
    )
    assert repr(replace(ONE, split="", correct=None, by_sample=None)) == (
        "Activity(2 samples, T = 4, integer; per inference 4.0 spikes and 7.0 synaptic operations of 2 populations)"
    )
    assert "accuracy" not in repr(replace(ONE, samples=0, by_sample=None)), "none of no samples"
    assert "per inference 8.0 spikes and 14.0" in repr(replace(ONE, samples=0, by_sample=None))


def test_counts_of_a_population_show_shapes_and_no_numbers() -> None:
    shown = repr(PopulationActivity(np.array([3, 4]), 8, 5))
    assert shown == "PopulationActivity(spikes=int64 (2,), updates=8, active_updates=5, overflows=None)"
    assert repr(Trace(np.array([0, 2]), np.zeros((4, 2), bool))) == "Trace(compartments=int64 (2,), fired=bool (4, 2))"


def test_overflows_in_words() -> None:
    assert list(overflow_sentences(ONE)) == [
        "population 'out': a current left its 24 bits and wrapped around in 1 of 8 updates",
        "population 'out': a membrane potential was clipped to its 24 bits in 2 of 8 updates",
        "population 'out' must never fire and did so 3 times; its scores are wrong",
    ]
    for number, only in enumerate((Overflows(wraps=1), Overflows(clips=1), Overflows(resets=1))):
        assert only
        assert only.harmful == (number != 1)
        one = replace(ONE, populations={"out": PopulationActivity(np.array([1]), 8, 5, only)})
        (sentence,) = overflow_sentences(one)
        assert sentence.split(":")[-1].split()[0:3] == [
            ["a", "current", "left"], ["a", "membrane", "potential"], ["population", "'out'", "must"],
        ][number]  # fmt: skip
    assert not Overflows()
    assert Overflows(1, 2, 4).harmful == 5
    none = replace(ONE, populations={"out": PopulationActivity(np.array([1]), 8, 5)})
    assert list(overflow_sentences(none)) == []


def test_a_stated_quality_adds_up_of_classes_with_the_same_names() -> None:
    def stating(confusion: list[list[int]] | None, names: tuple[str, ...] = ("a", "b")) -> Activity:
        table = None if confusion is None else np.array(confusion)
        return replace(ONE, by_sample=None, stated=Quality(sum(map(sum, confusion or [[1]])), table, names=names))

    small, large = stating([[1, 2], [3, 4]]), stating([[1, 0, 0], [0, 1, 0], [0, 0, 7]])
    for sum_ in (small + large, large + small):
        quality = sum_.quality
        assert quality is not None
        assert quality.confusion is not None
        assert (quality.samples, quality.names) == (19, ("a", "b"))
        assert quality.confusion.tolist() == [[2, 2, 0], [3, 5, 0], [0, 0, 7]]
    other = (small + stating([[1, 0], [0, 1]], ("a", "c"))).quality
    assert other is not None
    assert other.names == ()
    for less in (stating(None), replace(ONE, by_sample=None)):
        assert (small + less).quality is None
        assert (less + small).quality is None


def answers(labels: list[int] | None, recordings: list[int] | None = None) -> Answers:
    scores = np.array([[1, 0], [1, 0], [0, 1]])
    given = None if recordings is None else np.array(recordings)
    return Answers(scores, labels=None if labels is None else np.array(labels), recordings=given)


def test_the_largest_class_is_among_labels_answers_and_a_stated_table() -> None:
    def knowing(classes: list[int], predicted: list[int]) -> Activity:
        return replace(ONE, by_sample=Samples(counts(7, 8), np.array(classes), np.array(predicted)))

    assert knowing([4, 1], [0, 2]).largest_class == 4
    assert knowing([0, 1], [5, 2]).largest_class == 5
    stated = replace(knowing([0, 1], [0, 1]), stated=Quality(2, np.eye(3, dtype=np.int64)))
    assert stated.largest_class == 2, "of a table of three classes"
    assert replace(ONE, by_sample=None).largest_class is None


def test_recordings_of_one_are_none_of_the_other() -> None:
    one, other = answers([0, 0, 1], [3, 3, 4]), answers([1, 1, 1], [2, 2, 7])
    both = one + other
    assert both.recordings is not None
    assert both.recordings.tolist() == [3, 3, 4, 7, 7, 12], "numbered on from 5"
    assert both.answers.tolist() == [0, 1, 0, 1]
    assert both.correct == 3, "the windows of recording 7 are of class 1 and look like 0"
    assert (one + answers([0, 0, 1])).recordings is None
    none = Answers(np.zeros((0, 2)), labels=np.zeros(0, np.int64), recordings=np.zeros(0, np.int64))
    assert [(none + one).recordings.tolist(), (one + none).recordings.tolist()] == [[3, 3, 4]] * 2
    assert (one + answers(None)).labels is None
    assert (answers(None).quality, answers(None).correct) == (None, None)
    assert answers([0, 1, 1]).correct == 2
    assert one.answers is one.answers, "worked out once"


def test_agreement_in_words() -> None:
    compared = {"student_integer": 1, "integer_lava": 2}
    skipped = {"netx": "no room", "teacher": "nobody asks"}
    found = Agreement("", "test", {}, {}, {"student_integer": 0, "integer_lava": 1200}, compared, skipped)
    assert found.in_words() == (
        "student and integer bit for bit on 1 sample; integer and lava differ in 1,200 values on 2 samples; "
        "netx was not compared (no room)"
    )
    assert Agreement("", "test", {}, {}, {}, {}, {"student": "in floats"}).in_words() == (
        "student was not compared (in floats)"
    )
    assert Agreement("", "test", {}, {}, {}, {}).in_words() == "nothing was compared"
    plain = Agreement("ab", "test", {"integer": 0.5}, {"integer": 2}, {}, {})
    assert "r2" not in plain.facts
    assert set(plain.facts) == {"chip_sha256", "split", "accuracy", "samples", "mismatches", "compared", "skipped"}
    assert replace(plain, accuracy={}, r2={"integer": 0.25}).facts["r2"] == {"integer": 0.25}
