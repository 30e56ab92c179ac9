"""What a comparison says of its trainings: spread, ranks, table, JSON, picture."""

import json
from io import StringIO

import pytest
from rich.console import Console

from spikewright.bench.compare.jobs import TrainingJob, TrainingRecord, TrainingResult, history_facts
from spikewright.bench.compare.plot import apart, numbers_of, write_plot
from spikewright.bench.compare.result import ComparisonResult
from spikewright.bench.compare.rows import Variant
from spikewright.bench.compare.teachers import TeacherFacts
from spikewright.bench.compare.text import COLUMNS, WIDTH, duration, kilo, markdown, remarks, renderable
from spikewright.bench.point import Point
from spikewright.profile.profile import load_profile
from spikewright.training.times import EpochTimes

PROFILE = load_profile("loihi2-assumed")
NONE, KD, TSER = Variant("none"), Variant("kd"), Variant("tser", ("logits:weight=0.01",))
TEACHER = TeacherFacts("convnet on digits", "ab" * 32, 1000, False, {"validation": 0.99, "test": 0.98})


def done(row, budget, seed, validation, test, energy=(2e-6, 2e-6), seconds=90.0):
    """A training: accuracies, and energy in joules on validation and test."""
    record = TrainingRecord.model_validate(
        {
            "row": str(row),
            "facts": row.facts,
            "budget": budget,
            "seed": seed,
            "outcome": {
                "energy": {"validation": energy[0], "test": energy[1]},
                "energy_is_at_least": True,
                "floor": 1e-6,
                "accuracy": {"validation": validation, "test": test},
                "synaptic_ops": {"validation": 1.0, "test": 123_456.0},
                "spikes": {"validation": 1.0, "test": 1.0},
                "samples": {"validation": 10, "test": 10},
                "timesteps": 2,
                "width": 4,
                "encoding": "direct",
                "files": {},
                "made_by": "a test",
                "host": "here",
                "seconds": 1.0,
            },
            "float_accuracy": test - 0.01,
            "accuracy_by_step": (test - 0.2, test),
            "spikes": {"input": 400.0, "hidden": 1234.0, "readout": 0.0},
            "energy_by_part": {"input": 1e-6, "hidden": 1e-6, "readout": 0.0},
            "student_logit_range": 8.0,
            "teacher_logit_range": None if row == NONE else 17.0,
            "epochs": 5,
            "seconds": 2 * seconds,
            "processor_seconds": seconds,
            "teacher_sha256": None if row == NONE else TEACHER.sha256,
        }
    )
    return TrainingResult(TrainingJob(row, Point(budget, seed)), "done", record)


def compared(*results, rows=(NONE, KD, TSER), budgets=(None, "3uJ"), refusals=None):
    return ComparisonResult(
        PROFILE, "digits", {"width": 4}, rows, budgets, (0, 1), results, refusals or {}, (TEACHER,)
    )  # fmt: skip


TWO_SEEDS = (
    done(NONE, None, 0, 0.80, 0.78, (4e-6, 4e-6)),
    done(NONE, None, 1, 0.84, 0.80, (4e-6, 5e-6)),
    done(KD, None, 0, 0.90, 0.88, (6e-6, 6e-6), seconds=120.0),
    done(KD, None, 1, 0.86, 0.85, (6e-6, 6e-6), seconds=180.0),
    done(NONE, "3uJ", 0, 0.70, 0.69, (2.9e-6, 3e-6)),
    done(NONE, "3uJ", 1, 0.72, 0.71, (2.8e-6, 3e-6)),
    done(KD, "3uJ", 0, 0.75, 0.74, (2.9e-6, 3e-6)),
    done(KD, "3uJ", 1, 0.75, 0.74, (3.1e-6, 3e-6)),
)


def test_spread_by_hand():
    """The sample standard deviation of two values is their distance over the root of two."""
    free = compared(*TWO_SEEDS).groups[0]
    assert [str(entry.row) for entry in free.entries] == ["kd", "none", "tser + logits:weight=0.01"]
    kd = free.entries[0]
    accuracy, energy = kd.accuracy("validation"), free.entries[1].energy("test")
    assert (accuracy.mean, accuracy.deviation) == (pytest.approx(0.88), pytest.approx(0.04 / 2**0.5))
    assert (energy.mean, energy.deviation) == (pytest.approx(4.5e-6), pytest.approx(1e-6 / 2**0.5))
    assert len(kd.records) == 2
    assert compared(done(KD, None, 0, 0.9, 0.88)).groups[0].entries[0].accuracy("test").deviation is None


def test_ranks_are_by_validation_among_those_that_keep_the_budget():
    """kd is more accurate within 3 uJ, but one of its seeds costs 3.1 uJ on validation."""
    free, tight = compared(*TWO_SEEDS).groups
    assert [(str(entry.row), entry.rank) for entry in free.entries][:2] == [("kd", 1), ("none", 2)]
    assert [(str(entry.row), entry.rank) for entry in tight.entries][:2] == [("none", 1), ("kd", None)]
    assert [record.seed for record in tight.entries[1].over_budget] == [1]


def test_the_choice_is_on_validation_even_where_test_says_otherwise():
    (group,) = compared(
        done(NONE, None, 0, 0.80, 0.99), done(KD, None, 0, 0.81, 0.50), rows=(NONE, KD), budgets=(None,)
    ).groups
    assert str(group.best.row) == "kd"


def test_of_equals_the_cheaper_comes_first_and_only_what_nothing_beats_is_pareto_optimal():
    (group,) = compared(
        done(NONE, None, 0, 0.80, 0.8, (4e-6, 9e-6)),
        done(KD, None, 0, 0.80, 0.8, (3e-6, 9e-6)),
        done(TSER, None, 0, 0.70, 0.7, (2e-6, 9e-6)),
        budgets=(None,),
    ).groups
    found = [(entry.row, entry.rank, entry.pareto) for entry in group.entries]
    assert found == [(KD, 1, True), (NONE, 2, False), (TSER, 3, True)]


def test_as_good_as_the_best_is_behind_by_less_than_the_differences_spread():
    """By hand: none is 3 and 5 points behind (mean 4, deviation 1.4), tser 1 behind and level."""
    accuracies = {KD: (0.80, 0.84), NONE: (0.77, 0.79), TSER: (0.79, 0.84)}
    results = [done(row, None, seed, value, 0.5) for row, pair in accuracies.items() for seed, value in enumerate(pair)]
    (group,) = compared(*results, budgets=(None,)).groups
    assert [entry.row for entry in group.as_good_as_best()] == [TSER]
    (one_seed,) = compared(*(r for r in results if r.job.point.seed == 0), budgets=(None,)).groups
    assert list(one_seed.as_good_as_best()) == []


def test_a_gain_is_the_mean_of_the_differences_seed_by_seed():
    """By hand: kd is 10 and 2 points over none; the third seed of kd has no partner."""
    result = compared(*TWO_SEEDS, done(KD, None, 2, 0.5, 0.5))
    kd = result.groups[0].entry(KD)
    gain = result.gain(kd, "validation")
    assert (gain.mean, gain.deviation) == (pytest.approx(0.06), pytest.approx(0.08 / 2**0.5))
    assert (gain.low, gain.high) == (pytest.approx(0.02), pytest.approx(0.10))
    assert result.gain(kd, "test").mean == pytest.approx(0.075)
    without = compared(done(KD, None, 0, 0.9, 0.9), done(TSER, None, 1, 0.8, 0.8), rows=(KD, TSER))
    assert without.baseline == KD and without.gain(without.groups[0].entry(TSER), "test") is None


TABLE = """\
Methods side by side: digits on loihi2-assumed
                 accuracy                accuracy
# method     n validation        gain        test float step 1 spikes synops energy  time
─────────────────────────────────────────────────────────────────────────────────────────
  no budget
1 kd         2      88.00 +6.00 ±5.66 86.50 ±2.12 85.50  66.50  1,234   123k   6 µJ 2 min
2 none       2      82.00           - 79.00 ±1.41 78.00  59.00  1,234   123k 4.5 µJ  90 s

  within 3uJ
1 none       2      71.00           - 70.00 ±1.41 69.00  50.00  1,234   123k   3 µJ  90 s
- kd         2      75.00 +4.00 ±1.41 74.00 ±0.00 73.00  54.00  1,234   123k   3 µJ  90 s
"""


def printed(result):
    console = Console(file=StringIO(), width=WIDTH, highlight=False)
    console.print(renderable(result))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_table_whole():
    lines = [line for line in printed(compared(*TWO_SEEDS)) if not line.startswith(("ASSUMED", "2018", "2's"))]
    wanted = TABLE.splitlines()
    assert lines[: len(wanted)] == wanted


def test_a_hundred_columns_are_enough():
    """Long names wrap, and no number does."""
    rows = tuple(
        Variant(name, ("logits:weight=0.012345", "activation:weight=0.5")) for name in ("seal-kd", "strong2weak")
    )
    results = [done(row, None, s, 0.1 + s / 2, 0.1 + s / 2, (1e-9, 1e-9 + s / 1e10)) for row in rows for s in (0, 1)]
    lines = printed(compared(*results, rows=rows))
    assert max(map(len, lines)) <= WIDTH
    assert any(line.split()[:2] == ["1", "seal-kd"] and "35.00 ±35.36" in line for line in lines)
    assert not any("…" in line for line in lines)
    wrapped = "".join(line.strip() for line in lines if line.startswith("  "))
    assert wrapped.count("logits:weight=0.012345") == 2


def test_what_the_table_cannot_hold():
    failed = TrainingResult(TrainingJob(TSER, Point("3uJ", 0)), "failed", sentence="the loss is no longer finite")
    missing = TrainingResult(TrainingJob(TSER, Point("3uJ", 1)), "unfinished")
    result = compared(*TWO_SEEDS, failed, missing, refusals={(TSER, None): "needs maps"})
    assert list(remarks(result)) == [
        "no budget: width 4, T 2, direct",
        "no budget, best on validation: kd (test 86.50 ±2.12 %)",
        "no budget, Pareto-optimal on validation besides, for less energy: none",
        "within 3uJ: width 4, T 2, direct",
        "within 3uJ, best on validation: none (test 70.00 ±1.41 %)",
        "within 3uJ: kd, seed 1: over budget on validation, 3.1 µJ",
        "not trained: tser + logits:weight=0.01 (no budget): needs maps",
        "failed: tser + logits:weight=0.01, 3uJ, seed 0: the loss is no longer finite",
        "missing: 1 of 10 trainings; the next is tser + logits:weight=0.01, 3uJ, seed 1",
        "teacher convnet on digits: 99.00% on validation, 98.00% on test",
    ]


def test_markdown_has_every_column_for_every_row():
    lines = markdown(compared(*TWO_SEEDS)).splitlines()
    table = [line.strip("| ").split(" | ") for line in lines if line.startswith("|")]
    assert table[0] == ["setting", *(column.heading for column in COLUMNS)]
    assert table[2] == [
        "no budget", "1", "kd", "2", "88.00 ±2.83", "+6.00 ±5.66", "86.50 ±2.12", "85.50", "66.50", "400", "1,234", "0",
        "123k", "6 µJ ±0.0%", "1 µJ", "8.0", "17.0", "5", "2 min",
    ]  # fmt: skip
    assert [row[0] for row in table[2:]] == ["no budget", "no budget", "within 3uJ", "within 3uJ"]


def test_json_of_a_comparison():
    result = compared(*TWO_SEEDS, refusals={(TSER, None): "needs maps", (TSER, "3uJ"): "needs maps"})
    value = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert list(value) == [
        "schema_version", "profile", "profile_sha256", "unit", "data", "settings", "seeds", "teachers", "rows",
        "baseline", "groups",
    ]  # fmt: skip
    assert value["schema_version"] == 1
    assert value["rows"][2]["regularizers"] == [{"name": "logits", "options": {"weight": 0.01, "norm": "l2"}}]
    free, tight = value["groups"]
    assert (free["budget"], free["limit"], free["best"], free["ranking"]) == (None, None, "kd", ["kd", "none"])
    assert (tight["budget"], tight["limit"], tight["ranking"]) == ("3uJ", pytest.approx(3e-6), ["none"])
    first, *_, last = free["entries"]
    assert first["accuracy"]["validation"] == {
        "mean": pytest.approx(0.88), "deviation": pytest.approx(0.04 / 2**0.5), "low": 0.86, "high": 0.90,
    }  # fmt: skip
    assert (value["baseline"], first["gain"]["test"]["mean"]) == ("none", pytest.approx(0.075))
    assert first["processor_seconds"]["mean"] == 150.0
    assert first["first_step_accuracy"]["mean"] == pytest.approx(0.865 - 0.2)
    assert (first["n"], [training["state"] for training in first["trainings"]]) == (2, ["done", "done"])
    assert "teacher_logit_range" not in free["entries"][1], "none has no teacher: absent, not zero"
    assert (last["row"], last["rank"], last["n"], last["refusal"]) == (str(TSER), None, 0, "needs maps")
    assert tight["entries"][1]["over_budget"] == [1]


def test_a_step_alone_has_no_first_one():
    record = TWO_SEEDS[0].value
    assert record.first_step_accuracy == pytest.approx(0.58)
    assert record.model_copy(update={"accuracy_by_step": (0.8,)}).first_step_accuracy is None


def test_what_a_history_adds_up_to():
    epoch = {"student_logit_range": 3.0, "teacher_logit_range": None, "seconds": 2.0, "processor_seconds": 1.5}
    last = {**epoch, "student_logit_range": 4.0}
    assert history_facts({"history": [epoch, last]}) == {
        "student_logit_range": 4.0,
        "teacher_logit_range": None,
        "epochs": 2,
        "seconds": 4.0,
        "processor_seconds": 3.0,
        "teacher_sha256": None,
        "samples": {},
    }
    untimed = history_facts({"history": [{**epoch, "seconds": None}, last], "teacher_sha256": "a"})
    assert (untimed["seconds"], untimed["processor_seconds"], untimed["teacher_sha256"]) == (None, 3.0, "a")
    beside = [EpochTimes(seconds=1.0, processor_seconds=2.0), EpochTimes(seconds=3.0)]
    timed = history_facts({"history": [{**epoch, "seconds": None}, last]}, beside)
    assert (timed["seconds"], timed["processor_seconds"]) == (4.0, None), "one epoch's processor time is not known"


def test_numbers_are_drawn_apart_by_hand():
    assert apart([], 0.1) == []
    assert apart([0.2, 0.5, 0.9], 0.1) == pytest.approx([0.2, 0.5, 0.9])
    assert apart([0.5, 0.5, 0.9], 0.1) == pytest.approx([0.45, 0.55, 0.9])
    assert apart([0.5, 0.5, 0.5], 0.1) == pytest.approx([0.4, 0.5, 0.6])
    assert apart([0.0, 0.0], 0.1) == pytest.approx([0.0, 0.1])
    assert apart([1.0, 1.0], 0.1) == pytest.approx([0.9, 1.0])
    assert apart([0.5] * 4, 0.5) == pytest.approx([0.125, 0.375, 0.625, 0.875])


@pytest.mark.parametrize("count", [0, 1, 8])
def test_a_picture_for_any_number_of_trainings(count, tmp_path):
    result = compared(*TWO_SEEDS[:count])
    files = write_plot(result, tmp_path / "compare")
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    svg = files["svg"].read_text(encoding="utf-8")
    assert svg.lstrip().startswith("<?xml")
    assert "Date" not in svg
    assert numbers_of(result) == {0: {}, 1: {"none": 1}, 8: {"none": 1, "kd": 2}}[count]


def test_durations_and_counts_in_words():
    assert [duration(s) for s in (0.84, 9.95, 90, 99.6, 5969, 5971, 36000)] == [
        "0.8 s", "10 s", "90 s", "2 min", "99 min", "1.7 h", "10.0 h",
    ]  # fmt: skip
    assert [kilo(n) for n in (0, 31.44, 1234.4, 12345, 999_499, 1_234_567)] == [
        "0", "31.40", "1,234", "12.3k", "999k", "1.23M",
    ]  # fmt: skip
