"""How good answers are, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from spikewright.chip.answers import Answers
from spikewright.data.output_rule import OutputRule
from spikewright.data.quality import Quality, confusion_of, quality_of

THREE = OutputRule(names=("walk", "sit", "run"))
VALUES = OutputRule("regression", ("force", "speed"), center=(1.0, 100.0), spread=(2.0, 10.0))


def one_hot(classes, k=3):
    return np.eye(k, dtype=np.int64)[classes]


def test_accuracy_balanced_accuracy_and_f1_of_three_classes():
    """Right 0 0 0 1 1 2, answered 0 0 1 1 2 2: recalls 2/3, 1/2, 1; F1 4/5, 1/2, 2/3."""
    quality = quality_of(THREE, one_hot([0, 0, 1, 1, 2, 2]), np.array([0, 0, 0, 1, 1, 2]))
    assert quality.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert (quality.correct, quality.samples) == (4, 6)
    assert quality.accuracy == quality.main == 4 / 6
    assert quality.balanced_accuracy == pytest.approx(13 / 18)
    assert quality.f1 == pytest.approx(59 / 90)
    assert str(quality) == "66.67%"
    assert quality.facts == {"accuracy": 4 / 6, "balanced_accuracy": quality.balanced_accuracy, "f1": quality.f1}


def test_a_class_that_nobody_has_or_answers_counts_for_nothing_and_one_that_is_answered_only_in_f1():
    """Right 0 0 1, answered 0 2 1, of four classes: recalls 1/2 and 1; F1 2/3, 1 and 0."""
    quality = quality_of(OutputRule(), one_hot([0, 2, 1], 4), np.array([0, 0, 1]))
    assert quality.balanced_accuracy == pytest.approx(3 / 4)
    assert quality.f1 == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert np.isnan(quality.recalls[2:]).all()


def test_of_equal_scores_the_first_wins():
    assert quality_of(THREE, np.zeros((1, 3)), np.array([0])).accuracy == 1.0


def test_errors_and_r2_of_two_values():
    """Values 1 2 3 6 answered with 2 2 2 5: error 3/4, R^2 1 - 3/14; 100 110 answered exactly."""
    right = np.array([[1, 100], [2, 110], [3, 100], [6, 110]], np.float32)
    answered = np.array([[2, 100], [2, 110], [2, 100], [5, 110]])
    logits = (answered - [1.0, 100.0]) / [2.0, 10.0]
    quality = quality_of(VALUES, logits, right)
    assert quality.confusion is None
    assert quality.mae == pytest.approx((0.75, 0.0))
    assert quality.r2 == pytest.approx((11 / 14, 1.0))
    assert quality.main == pytest.approx((11 / 14 + 1) / 2)
    assert str(quality) == "R^2 0.893"
    assert quality.facts == pytest.approx({"r2": 25 / 28, "mae": 0.375})


def test_r2_of_a_value_that_never_changes_is_not_defined_and_left_out_of_the_mean():
    right = np.array([[1, 100], [3, 100]], np.float32)
    quality = quality_of(VALUES, (right - [1, 100]) / [2, 10], right)
    assert quality.r2[0] == 1.0
    assert math.isnan(quality.r2[1])
    assert quality.main == 1.0
    assert quality.as_json() == {"samples": 2, "mae": [0.0, 0.0], "r2": [1.0, None]}
    none = quality_of(VALUES, np.zeros((1, 2)), right[:1])
    assert math.isnan(none.main)


def test_windows_of_a_recording_have_the_answer_of_their_mean_score():
    """Two of three windows of the first recording alone would say 1; their mean says 0."""
    scores = np.array([[9, 0], [0, 2], [0, 2], [0, 1]])
    labels, recordings = np.array([0, 0, 0, 1]), np.array([5, 5, 5, 9])
    quality = quality_of(OutputRule(), scores, labels, recordings)
    assert quality.confusion.tolist() == [[1, 0], [0, 1]]
    assert quality.samples == 2
    alone = quality_of(OutputRule(), scores, labels)
    assert alone.accuracy == 0.5


def test_a_population_code_is_decided_by_the_sum_of_each_class():
    """One neuron of class 1 is the loudest, but both of class 0 together say more."""
    rule = OutputRule(population=2)
    scores = np.array([[5, 5, 9, 0], [0, 1, 9, 0]])
    assert quality_of(rule, scores, np.array([0, 1])).accuracy == 1.0
    assert scores.argmax(1).tolist() == [2, 2]


def test_a_confusion_may_be_padded_for_classes_that_come_later():
    quality = Quality(2, confusion_of(np.array([0, 1]), np.array([1, 1])))
    assert quality.padded(3).confusion.tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert quality.padded(3).facts == quality.facts


def test_answers_of_values_are_in_their_own_unit():
    """A score of 96 at 64 per unit of a logit is 1.5 standard deviations of 2 from a mean of 1: 4."""
    answers = Answers(np.array([[96, -64]]), unit=64.0, meaning=VALUES, labels=np.array([[4, 95]], np.float32))
    assert answers.answers.tolist() == [[4.0, 90.0]]
    assert answers.quality.mae == (0.0, 5.0)
    assert answers.correct is None


def test_answers_add_up_and_their_recordings_stay_apart():
    first = Answers(np.array([[1, 0], [0, 3]]), labels=np.array([0, 0]), recordings=np.array([0, 0]))
    both = first + Answers(np.array([[0, 1]]), labels=np.array([1]), recordings=np.array([0]))
    assert both.recordings.tolist() == [0, 0, 1]
    assert both.answers.tolist() == [1, 1]
    assert both.right.tolist() == [0, 1]
    assert both.correct == 1
    assert (first + Answers(np.array([[0, 1]]))).labels is None


def test_scores_are_written_with_what_they_mean(tmp_path):
    answers = Answers(np.array([[1, 0, 0], [0, 0, 5], [0, 1, 0]]), meaning=THREE, labels=np.array([0, 0, 1]))
    answers.save(tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    assert {name: value.tolist() for name, value in found.items()} == {
        "scores": [[1, 0, 0], [0, 0, 5], [0, 1, 0]],
        "answers": [0, 2, 1],
        "labels": [0, 0, 1],
        "names": ["walk", "sit", "run"],
    }
    assert found["scores"].dtype == np.int64


def test_scores_of_windows_are_written_with_their_recordings(tmp_path):
    scores, recordings = np.array([[1, 0], [0, 9], [2, 0]]), np.array([0, 0, 1])
    Answers(scores, labels=np.array([1, 1, 0]), recordings=recordings).save(tmp_path / "scores.npz")
    with np.load(tmp_path / "scores.npz", allow_pickle=False) as file:
        assert file["recordings"].tolist() == [0, 0, 1]
        assert file["answers"].tolist() == [1, 0]
        assert file["labels"].tolist() == [1, 0]
