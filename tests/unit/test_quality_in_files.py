"""How good answers are, in files and on pages: of classes, of many classes, of values and of recordings."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.bench.point import Outcome
from spikewright.bench.sweep.result import SweepResult
from spikewright.bench.sweep.text import markdown
from spikewright.bench.work import JobResult
from spikewright.chip.activity import Activity, Counts, PopulationActivity, Samples
from spikewright.chip.activity_file import as_json, load_activity, save_activity
from spikewright.chip.agreement import Agreement, load_agreement, save_agreement
from spikewright.chip.answers import Answers
from spikewright.data.output_rule import CLASSES, OutputRule
from spikewright.divergence.answers import Answers as BothAnswers
from spikewright.energy.report import EnergyReport
from spikewright.pages.measure import ACCURACY, R2, Spread, measure_of
from spikewright.pages.quality import confusion_rows, confusion_title, quality_json, quality_rows
from spikewright.profile.profile import load_profile

VALUES = OutputRule("regression", ("force", "speed"), center=(0.0, 100.0), spread=(1.0, 10.0))
NAMED = OutputRule(names=("walk", "sit", "run"))


def activity(answers: Answers, classes: bool = True) -> Activity:
    """What was counted of one neuron on as many samples as there are answers."""
    n = len(answers.scores)
    counts = Counts({"in": np.ones(n, np.int64)}, {}, {})
    each = Samples(counts, *((answers.scores.argmax(1), answers.labels) if classes else (None, None)))
    populations = {"in": PopulationActivity(np.array([n]), 0, 0)}
    return Activity(
        populations, {}, n, 1, "integer", correct=answers.correct, by_sample=each, answers=answers,
    )  # fmt: skip


def of_classes(right: list[int], answered: list[int], **more: Any) -> Answers:
    return Answers(np.eye(3, dtype=np.int64)[answered], labels=np.array(right), meaning=NAMED, **more)


def of_values() -> Answers:
    right = np.array([[0.0, 100], [2, 120]], np.float32)
    return Answers(np.array([[10, 0], [10, 0]]), unit=10.0, meaning=VALUES, labels=right)


def report_of(answers: Answers) -> EnergyReport:
    return EnergyReport(
        load_profile("loihi1-davies"), (), (), 0.0, (), 0.0, len(answers.scores), 1,
        None if answers.quality is None or answers.quality.confusion is None else answers.quality.accuracy,
        "integer", "test", quality=answers.quality, outputs=answers.meaning,
    )  # fmt: skip


def test_the_file_of_classes_holds_what_it_held_before_and_its_quality_follows(tmp_path: Path) -> None:
    whole = activity(of_classes([0, 0, 1, 2], [0, 1, 1, 2]))
    assert "quality" not in as_json(whole)
    save_activity(whole, tmp_path / "activity.json")
    again = load_activity(tmp_path / "activity.json")
    assert again.answers is None
    assert again.quality is not None
    assert again.quality.confusion is not None
    assert again.quality.confusion.tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert again.accuracy == whole.accuracy == 0.75


def test_the_file_of_values_states_their_quality(tmp_path: Path) -> None:
    save_activity(activity(of_values(), classes=False), tmp_path / "activity.json")
    held = json.loads((tmp_path / "activity.json").read_text())
    assert held["quality"] == {"samples": 2, "mae": [1.0, 10.0], "r2": [0.0, -1.0]}
    assert (held["correct"], held["by_sample"]["predicted"], held["by_sample"]["classes"]) == (None, None, None)
    again = load_activity(tmp_path / "activity.json")
    assert again.accuracy is None
    assert again.quality is not None
    assert again.quality.r2 == (0.0, -1.0)
    save_activity(again, tmp_path / "twice.json")
    assert (tmp_path / "twice.json").read_bytes() == (tmp_path / "activity.json").read_bytes()


def test_the_file_of_recordings_states_their_quality(tmp_path: Path) -> None:
    whole = activity(of_classes([0, 0, 1], [0, 1, 1], recordings=np.array([0, 0, 1])))
    save_activity(whole, tmp_path / "activity.json")
    again = load_activity(tmp_path / "activity.json")
    assert again.quality is not None
    assert again.quality.samples == 2
    assert again.accuracy == whole.accuracy == 1.0
    assert again.correct == 2
    assert as_json(again) == as_json(whole)


def test_activities_of_classes_add_up_without_their_scores() -> None:
    parts = [replace(activity(of_classes(right, [0, 1])), answers=None) for right in ([0, 0], [1, 1])]
    quality = (parts[0] + parts[1]).quality
    assert quality is not None
    assert quality.confusion is not None
    assert quality.confusion[:2, :2].tolist() == [[1, 1], [1, 1]]
    values = [replace(activity(of_values(), classes=False), stated=of_values().quality, answers=None)] * 2
    assert (values[0] + values[1]).quality is None


@pytest.mark.parametrize(
    ("quality", "said"),
    [
        ({"samples": 9, "mae": [1.0], "r2": [0.5]}, "quality: is of 9 answers to 2 samples"),
        ({"samples": 2, "confusion": [[1, 0], [0]]}, "quality: confusion must be square and hold 2 answers"),
        ({"samples": 2, "confusion": [[1, 0], [0, 0]]}, "quality: confusion must be square and hold 2 answers"),
        (
            {"samples": 2, "mae": [1.0], "r2": []},
            "quality: has 1 mean errors and 0 R^2; one of each for each value",
        ),
    ],
)
def test_a_quality_that_contradicts_the_file_is_refused(tmp_path: Path, quality: object, said: str) -> None:
    held = as_json(activity(of_values(), classes=False)) | {"quality": quality}
    (tmp_path / "activity.json").write_text(json.dumps(held))
    with pytest.raises(InputError) as caught:
        load_activity(tmp_path / "activity.json")
    assert str(caught.value) == f"{tmp_path / 'activity.json'}: {said}"


def test_an_agreement_of_values_has_r2_in_place_of_accuracies(tmp_path: Path) -> None:
    found = Agreement("", "test", {}, {"integer": 5, "lava": 1}, {}, {}, {}, {"integer": 0.5, "lava": None})
    save_agreement(found, tmp_path / "agreement.json")
    assert load_agreement(tmp_path / "agreement.json") == found
    classes = Agreement("", "test", {"integer": 0.5}, {"integer": 5}, {}, {})
    assert "r2" not in classes.as_json()
    assert classes.merits == {"integer": 0.5}


def test_pages_tell_accuracy_and_its_kin_and_the_confusion() -> None:
    report = report_of(of_classes([0, 0, 1, 2], [0, 1, 1, 2]))
    assert quality_rows(report) == [
        ("measure", ">value"),
        ("accuracy", "75.00%"),
        ("balanced accuracy, the mean of the classes' recalls", "83.33%"),
        ("F1, the mean of the classes'", "0.778"),
    ]
    assert confusion_rows(report) == [
        ("class", ">0", ">1", ">2"),
        ("0 walk", "1", "1", "0"),
        ("1 sit", "0", "1", "0"),
        ("2 run", "0", "0", "1"),
    ]
    facts = quality_json(report)
    assert facts is not None
    assert facts["classes"] == ["walk", "sit", "run"]
    assert facts["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_of_many_classes_the_most_frequent_mistakes_are_listed() -> None:
    right, answered = np.arange(40) % 20, np.arange(40) % 20
    answered[[3, 23]], answered[5] = 4, 6
    answers = Answers(np.eye(20, dtype=np.int64)[answered], labels=right)
    assert confusion_rows(report_of(answers)) == [
        ("class", "taken for", ">samples", ">of the class"),
        ("3", "4", "2", "100.0%"),
        ("5", "6", "1", "50.0%"),
    ]
    assert confusion_title(report_of(answers)) == "The most frequent mistakes among 20 classes"


def test_pages_tell_the_error_of_each_value() -> None:
    report = report_of(of_values())
    assert quality_rows(report) == [
        ("value", ">mean absolute error", ">R^2"),
        ("force", "1", "0.000"),
        ("speed", "10", "-1.000"),
    ]
    assert confusion_rows(report) == [("class",)]
    assert (report.accuracy, report.merit) == (None, -0.5)
    assert quality_rows(replace(report, quality=None)) == [("measure", ">value")]
    assert quality_json(replace(report, quality=None)) is None


def test_a_measure_says_accuracies_in_percent_and_r2_plainly() -> None:
    spread = Spread.of([0.5, 0.7])
    assert (ACCURACY.say(0.5), R2.say(0.5), R2.say(None), R2.say(float("nan"))) == (
        "50.00%", "0.500", "not defined", "not defined",
    )  # fmt: skip
    assert ACCURACY.spread(spread, unit=True) == "60.00% ±14.14"
    assert R2.spread(spread, sign="+", unit=True) == "+0.600 ±0.141"
    assert R2.heading("Accuracy is in %: gain, points; validation, %") == "R^2 is in %: gain, R^2; validation, R^2"
    assert ACCURACY.heading("accuracy, test") == "accuracy, test"
    assert (measure_of(CLASSES), measure_of(VALUES)) == (ACCURACY, R2)


def test_a_sweep_of_values_says_that_its_accuracies_are_r2() -> None:
    from spikewright.bench.point import Point

    outcome = Outcome.model_validate(
        {
            "energy": {"validation": 1e-6, "test": 1e-6}, "energy_is_at_least": False, "floor": 1e-7,
            "accuracy": {"validation": 0.5, "test": 0.4}, "synaptic_ops": {}, "spikes": {}, "samples": {},
            "timesteps": 2, "width": 4, "encoding": "direct", "files": {}, "made_by": "a test", "host": "here",
            "seconds": 1.0, "merit": "r2",
        }
    )  # fmt: skip
    points = (JobResult(Point(None, 0), "done", outcome),)
    result = SweepResult(load_profile("loihi1-davies"), "forces", {}, ("name", "sqlite://"), points)
    assert result.head()["accuracy_is"] == "r2"
    page = markdown(result)
    assert "# R^2 within energy budgets: forces on loihi1-davies" in page
    assert "| R^2, validation | R^2, test |" in page
    assert "| 0.500 | 0.400 |" in page
    assert "ccuracy" not in page
    of_classes = SweepResult(
        load_profile("loihi1-davies"), "digits", {}, ("name", "sqlite://"),
        (JobResult(Point(None, 0), "done", outcome.model_copy(update={"merit": "accuracy"})),),
    )  # fmt: skip
    assert "accuracy_is" not in of_classes.head()


def test_drift_of_values_is_told_in_their_unit() -> None:
    """Potentials over two steps: 2 and 4 are values 1 and 2, and 10 and 20 apart of 100."""
    float_side, chip = np.array([[2.0, 2.0]]), np.array([[4.0, 4.0]])
    found = BothAnswers.of(float_side, chip, np.array([[0.0, 100.0]]), VALUES, timesteps=2)
    assert found.values is not None
    assert found.values.apart == (1.0, 10.0)
    assert (found.values.reference, found.values.chip) == ((1.0, 10.0), (2.0, 20.0))
    both = found + BothAnswers.of(float_side, float_side, np.array([[1.0, 110.0]]), VALUES, timesteps=2)
    assert both.as_json() == {
        "samples": 2, "score": 2.0, "spread": 0.0, "apart": [0.5, 5.0], "mae_reference": [0.5, 5.0],
        "mae_chip": [1.0, 10.0], "furthest": [1.0, 10.0],
    }  # fmt: skip
    assert both.correct_chip is None


def test_drift_of_a_population_code_compares_classes() -> None:
    rule = OutputRule(population=2)
    one, other = np.array([[5.0, 0.0, 3.0, 3.0]]), np.array([[3.0, 3.0, 5.0, 0.0]])
    found = BothAnswers.of(one, other, np.array([1]), rule)
    assert (found.agreeing, found.correct_reference, found.correct_chip) == (0, 1, 0)
