"""Comparisons with few labels: which students there are, what they are trained with, and their curves."""

import csv
from dataclasses import replace

import pytest

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.bench.compare.compare import _refusals, compare_with
from spikewright.bench.compare.curves import write_curves
from spikewright.bench.compare.jobs import TrainingJob, TrainingRecord, TrainingResult
from spikewright.bench.compare.labels import Labels, WithoutLabels, labels_of, read_fractions, unlabelled_of
from spikewright.bench.compare.result import ComparisonResult
from spikewright.bench.compare.rows import Variant, read_rows
from spikewright.bench.compare.text import markdown, remarks
from spikewright.bench.point import Point
from spikewright.data.load import load
from spikewright.profile.profile import load_profile
from spikewright.training.objects import objects_of, settings_of
from spikewright.training.settings import DistillSettings

REST = WithoutLabels("rest", 0.25)
FEW, ALL = Labels(0.1, 40, 5, 32, 400), Labels(1.0, 400, 5, 32, 400)
NONE, KD = Variant("none"), Variant("kd")
KD_MORE = replace(KD, unlabelled=REST)


def test_rows_with_a_teacher_are_taken_once_more():
    rows = read_rows(["none kd", "tssd + logits"], [], unlabelled=REST)
    assert [str(row) for row in rows] == ["none", "kd", "tssd + logits", "kd with unlabelled"]
    assert "unlabelled" not in KD.facts and KD_MORE.facts == {
        **KD.facts,
        "unlabelled": {"samples": "rest", "share": 0.25},
    }
    assert len({KD.name, KD_MORE.name, replace(KD, unlabelled=WithoutLabels("50", 0.25)).name}) == 3


@pytest.mark.parametrize(
    ("texts", "found"),
    [("0.1,0.01,1", [0.01, 0.1, 1.0]), (["0.3", "0.1,0.3"], [0.1, 0.3]), ([0.5, 1], [0.5, 1.0]), ((), [])],
)
def test_shares_are_read(texts, found):
    assert read_fractions(texts) == found


def test_shares_that_are_none():
    with pytest.raises(InputError) as refused:
        read_fractions(["0,half", "0.1,1.5"])
    message = "must be above 0 and at most 1, such as 0.01,0.1,1"
    assert str(refused.value) == (
        f"compare: 3 faults\n  - label_fractions=0: {message}\n  - label_fractions=half: {message}\n"
        f"  - label_fractions=1.5: {message}"
    )


def test_every_share_is_trained_for_as_many_steps():
    settings = DistillSettings.of(train_samples=400, batch=32)
    few, every = labels_of([0.1, 1.0], settings, load("digits"))
    assert (few.fraction, every.labelled, few.epoch_samples, every.epoch_samples) == (0.1, 400, 400, 400)
    assert 38 <= few.labelled <= 42 and (few.epochs, few.batch) == (every.epochs, 32)
    (longer, _) = labels_of([0.1, 1.0], settings.changed({"epoch_samples": 1000}), load("digits"))
    assert longer.epoch_samples == 1000
    with pytest.raises(InputError, match=r"label_fraction=0.2 is given beside label_fractions; leave one out"):
        labels_of([0.1], settings.changed({"label_fraction": 0.2}), load("digits"))


def test_what_each_training_is_given():
    common = DistillSettings.of(train_samples=400, unlabelled="rest", labelled_share=0.4)

    def given(row, labels):
        made = TrainingJob(row, Point(None, 3), labels).settings(common)
        data, training = made.data, made.training
        return (
            *(data.train_samples, data.label_fraction, data.unlabelled, training.labelled_share),
            *(training.epochs, training.epoch_samples),
        )

    assert given(KD, None) == given(KD, ALL) == (400, None, None, None, None, None), "as without shares"
    assert given(KD, FEW) == (400, 0.1, None, None, 5, 400)
    assert given(KD_MORE, FEW) == (400, 0.1, "rest", 0.4, 5, 400)
    assert given(KD_MORE, ALL) == (400, None, "rest", 0.4, 5, 400)
    assert TrainingJob(KD, Point(None, 0), ALL).name == TrainingJob(KD, Point(None, 0)).name
    assert TrainingJob(KD, Point(None, 0), FEW).name == f"{KD.name}/no-budget-seed0-labels0.1"
    assert str(TrainingJob(KD, Point("2uJ", 0), FEW)) == "kd, 2uJ, seed 0, 10 % of labels"


def test_samples_of_the_teacher_are_for_rows_that_have_one():
    common = DistillSettings.of(train_samples=400, teacher_samples=600)
    given = {str(row): TrainingJob(row, Point(None, 0)).settings(common).teacher.teacher_samples for row in (NONE, KD)}
    assert given == {"none": None, "kd": 600}
    both = [NONE, KD]
    assert _refusals(both, [None], common, load("digits"), load_profile("loihi2-assumed")) == {}


def test_samples_that_are_given_as_an_array_are_known_by_their_hash():
    x = load("digits").test.samples[:30]
    settings = settings_of(sw.DataSettings(train_samples=50), unlabelled=x)
    found, other = (unlabelled_of(each, load("digits")) for each in (settings, settings.changed({"unlabelled": 7})))
    assert found.samples.startswith("arrays ") and len(found.samples) == 19 and not found.is_of_training_part
    assert other == WithoutLabels("7", 0.1) and other.is_of_training_part
    assert objects_of(TrainingJob(KD, Point(None, 0)).settings(settings)).unlabelled is None
    assert objects_of(TrainingJob(Variant("kd", (), found), Point(None, 0)).settings(settings)).unlabelled is x


def comparison(results=()):
    left_out = {(KD_MORE, 1.0): "with 100 % of the labels (400), no sample is left without"}
    profile, rows = load_profile("loihi2-assumed"), (NONE, KD, KD_MORE)
    return ComparisonResult(
        profile, "digits", {}, rows, (None, "3uJ"), (0, 1), tuple(results), {}, (), (FEW, ALL), left_out
    )  # fmt: skip


def done(job, accuracy):
    both = {"validation": accuracy, "test": accuracy - 0.01}
    record = TrainingRecord.model_validate(
        {
            "row": str(job.row),
            "facts": job.row.facts,
            "budget": job.point.budget,
            "seed": job.point.seed,
            "outcome": {
                **{name: {"validation": 1e-6, "test": 1e-6} for name in ("energy", "synaptic_ops", "spikes")},
                "energy_is_at_least": False,
                "floor": 5e-7,
                "accuracy": both,
                "files": {},
                "made_by": "a test",
                "samples": {"validation": 9, "test": 9},
                "timesteps": 1,
                "width": 4,
                "encoding": "direct",
                "host": "here",
                "seconds": 1.0,
            },
            "float_accuracy": 0.5,
            "accuracy_by_step": (0.5,),
            "energy_by_part": {},
            "spikes": {"input": 1.0, "hidden": 1.0, "readout": 0.0},
            "student_logit_range": 1.0,
            "teacher_logit_range": None,
            "epochs": 5,
            "seconds": 1.0,
            "processor_seconds": 1.0,
            "teacher_sha256": None,
            "label_fraction": job.fraction,
            "samples": {"labelled": job.labels.labelled, "unlabelled": 360 if job.row.unlabelled else 0},
        }
    )
    return TrainingResult(job, "done", record)


def test_groups_and_curves_by_hand(tmp_path):
    plan = comparison()
    assert len(plan.jobs) == 2 * 2 * 5  # seeds, budgets; three rows with few labels and two with all
    accuracy = {(NONE, 0.1): 0.5, (KD, 0.1): 0.6, (KD_MORE, 0.1): 0.8, (NONE, 1.0): 0.85, (KD, 1.0): 0.9}
    results = [done(job, accuracy[job.row, job.fraction] + 0.02 * job.point.seed) for job in plan.jobs]
    result = comparison(results)
    assert not result.missing
    assert [group.title for group in result.groups] == [
        "no budget, 10 % of the labels (40)",
        "no budget, 100 % of the labels (400)",
        "within 3uJ, 10 % of the labels (40)",
        "within 3uJ, 100 % of the labels (400)",
    ]
    first, second, *_ = result.groups
    assert [str(entry.row) for entry in first.entries] == ["kd with unlabelled", "kd", "none"]
    assert result.gain(first.entries[0], "test").mean == pytest.approx(0.3)
    assert result.gain(second.entry(KD), "test").mean == pytest.approx(0.05)
    assert second.entries[-1].refusal == "with 100 % of the labels (400), no sample is left without"
    assert [r for r in remarks(result) if r.startswith("not trained")] == [
        "not trained: kd with unlabelled: with 100 % of the labels (400), no sample is left without"
    ]
    groups = result.as_json()["groups"]
    assert [(each["budget"], each["labels"]["fraction"], each["labels"]["labelled"]) for each in groups] == [
        (None, 0.1, 40), (None, 1.0, 400), ("3uJ", 0.1, 40), ("3uJ", 1.0, 400),
    ]  # fmt: skip
    assert "![Accuracy against labels](compare-labels.svg)" in markdown(result)
    files = write_curves(result, tmp_path / "curves")
    assert sorted(path.name for path in files.values()) == ["curves.csv", "curves.png", "curves.svg"]
    table = list(csv.DictReader((tmp_path / "curves.csv").read_text().splitlines()))
    assert len(table) == 10
    assert table[2] == {
        "budget": "", "label_fraction": "0.1", "labelled": "40", "unlabelled": "360", "method": "kd with unlabelled",
        "n": "2", "validation": "0.810000", "validation_deviation": "0.014142", "test": "0.800000",
        "test_deviation": "0.014142", "energy": "1e-06", "over_budget": "0",
    }  # fmt: skip
    assert (tmp_path / "curves.svg").read_text().count('<g id="axes_') == 2


def test_nothing_there_yet_can_be_drawn(tmp_path):
    write_curves(comparison(), tmp_path / "curves")
    assert (tmp_path / "curves.csv").read_text().count("\n") == 1


def test_faults_before_anything_is_trained(tmp_path):
    settings = DistillSettings.of(train_samples=100, unlabelled="rest")
    with pytest.raises(InputError, match=r"^compare: label_fractions=2: must be above 0 and at most 1"):
        compare_with(settings, ["kd"], 1, (), tmp_path / "out", label_fractions=[2])
    assert not (tmp_path / "out").exists()
