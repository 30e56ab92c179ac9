"""Budgets and points of a sweep, and what its table says of them."""

import json
from pathlib import Path

import pytest
import torch

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.bench.point import Outcome, Point, read_budgets
from spikewright.bench.sweep.plot import write_plot
from spikewright.bench.sweep.result import PointResult, SweepResult, best_within
from spikewright.bench.sweep.sweep import LOWEST, points_of, spaced
from spikewright.bench.sweep.text import COLUMNS, cells, markdown, remarks
from spikewright.pages.numbers import pareto
from spikewright.profile.profile import load_profile
from spikewright.profile.units import parse_budget, spelled
from spikewright.teachers.training_loop import epoch_seed
from spikewright.training.again import same_settings
from spikewright.training.settings import DistillSettings

PROFILE = load_profile("loihi2-assumed")


def done(budget, seed, energy, accuracy, on_test=None):
    """A point with its energy in joules and its accuracy on validation, and on test where that is another."""
    other = on_test or (energy, accuracy)
    outcome = Outcome(
        energy={"validation": energy, "test": other[0]},
        energy_is_at_least=True,
        floor=1e-9,
        accuracy={"validation": accuracy, "test": other[1]},
        synaptic_ops={"validation": 1.0, "test": 1.0},
        spikes={"validation": 1.0, "test": 1.0},
        samples={"validation": 10, "test": 10},
        timesteps=2,
        width=4,
        encoding="direct",
        files={},
        made_by="a test",
        host="here",
        seconds=1.0,
    )
    return PointResult(Point(budget, seed), "done", outcome)


def swept(*points):
    return SweepResult(PROFILE, "digits", {}, ("name", "sqlite://"), points)


@pytest.mark.parametrize("text", ["8uJ", "350nJ", "1.5uJ", "2J", "999.999nJ", "1nJ"])
def test_a_spelled_budget_is_read_back(text):
    budget = parse_budget(text, PROFILE)
    assert spelled(budget.value, "J") == text


def test_operations_are_spelled_too():
    assert [spelled(value, "ops") for value in (40e3, 999.0, 2.5e6)] == ["40kops", "999ops", "2.5Mops"]


def test_budgets_are_sorted_and_each_is_there_once():
    assert read_budgets(["500nJ", "2uJ", "0.5uJ", "2000nJ"], PROFILE, "budgets") == (["2uJ", "500nJ"], [])


def test_every_faulty_budget_is_named():
    _, faults = read_budgets(["2uJ", "4", "1kops", "x"], PROFILE, "budgets")
    assert [str(InputError(fault)).split(": ")[0] for fault in faults] == ["budgets 4", "budgets 1kops", "budgets x"]


def test_each_seed_begins_without_a_budget():
    assert [point.name for point in points_of(["2uJ", "1uJ"], (3, 4))] == [
        "no-budget-seed3", "2uJ-seed3", "1uJ-seed3", "no-budget-seed4", "2uJ-seed4", "1uJ-seed4",
    ]  # fmt: skip


def test_budgets_between_floor_and_energy_are_even_on_the_log_scale():
    budgets = spaced(1e-6 / LOWEST, 16e-6, 4, "J")
    assert budgets == ["8uJ", "4uJ", "2uJ", "1uJ"]


def test_no_room_between_floor_and_energy():
    with pytest.raises(InputError, match=r"points=3: .* costs 1uJ, and 1.25 times the floor .* is 1.25uJ"):
        spaced(1e-6, 1e-6, 3, "J")


def test_pareto_by_hand():
    table = [(8.0, 0.90), (4.0, 0.91), (2.0, 0.85), (2.0, 0.80), (1.0, 0.70), (4.0, 0.91), (3.0, 0.85)]
    assert pareto(table) == [False, True, True, False, True, True, False]


def test_the_mark_is_by_means_on_validation():
    """On test the middle budget would be the best of all; on validation the largest and the smallest are."""
    result = swept(
        done("4uJ", 0, 4e-6, 0.90),
        done("2uJ", 0, 1.9e-6, 0.70, on_test=(1.9e-6, 0.99)),
        done("1uJ", 0, 1.0e-6, 0.80),
        done("1uJ", 1, 0.8e-6, 0.70),
    )
    assert [(row.budget, row.pareto) for row in result.rows] == [("4uJ", True), ("2uJ", False), ("1uJ", True)]


def test_best_within_is_chosen_on_validation():
    points = (
        done(None, 0, 9e-6, 0.95),
        done("4uJ", 0, 3.9e-6, 0.80, on_test=(4.2e-6, 0.60)),
        done("2uJ", 0, 1.9e-6, 0.80, on_test=(1.9e-6, 0.70)),
        done("1uJ", 0, 1.1e-6, 0.75),
    )
    assert best_within(4e-6, points) == points[2]  # as accurate as 4uJ and cheaper
    assert best_within(1e-6, points) is None  # 1uJ itself is over its budget
    by_budget = {row.budget: row for row in swept(*points).rows}
    assert by_budget[None].best == points[0]
    assert by_budget["4uJ"].best == points[2]


def test_what_the_table_says():
    infeasible = PointResult(Point("1nJ", 0), "infeasible", sentence="is below the floor")
    result = swept(
        done(None, 0, 4e-6, 0.90),
        done(None, 1, 4e-6, 0.94),
        done("2uJ", 0, 1.9e-6, 0.80),
        done("2uJ", 1, 2.1e-6, 0.82, on_test=(2.0e-6, 0.78)),
        infeasible,
    )
    body = [dict(zip(COLUMNS, row, strict=True)) for row in cells(result)]
    assert body[0]["accuracy, validation"] == "92.00% ± 2.83"
    assert body[1] == {
        "budget": "2uJ",
        "student": "width 4, T 2, direct",
        "energy, test": "1.95 µJ ± 3.6%",
        "of none": "48.8%",
        "of budget, val/test": "105.0% / 100.0%",
        "accuracy, validation": "81.00% ± 1.41",
        "accuracy, test": "79.00% ± 1.41",
        "Pareto": "yes",
        "best within, test": "80.00% (2uJ, seed 0)",
    }
    assert set(body[2].values()) == {"1nJ", "-", ""}
    assert list(remarks(result)) == [
        "2uJ, seed 1: over budget on validation, 2.1 µJ",
        "1nJ, seed 0: infeasible: is below the floor",
    ]
    assert "| 2uJ | width 4, T 2, direct | 1.95 µJ ± 3.6% |" in markdown(result)


def test_json_of_a_sweep_has_no_infinity():
    infeasible = PointResult(Point("1nJ", 0), "infeasible", sentence="is below the floor")
    text = json.dumps(swept(done(None, 0, 4e-6, 0.9), infeasible).as_json(), allow_nan=False)
    value = json.loads(text)
    assert (value["format"], value["format_version"]) == ("spikewright sweep", 1)
    assert [row["limit"] for row in value["rows"]] == [None, pytest.approx(1e-9)]
    assert value["rows"][1]["points"][0]["sentence"] == "is below the floor"


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_plot_for_any_number_of_points(count, tmp_path):
    points = (PointResult(Point("1nJ", 0), "infeasible"), done(None, 0, 4e-6, 0.9), done("2uJ", 0, 2e-6, 0.8))
    files = write_plot(swept(*points[:count]), tmp_path / "pareto")
    assert files["png"].read_bytes().startswith(b"\x89PNG")
    assert files["svg"].read_text(encoding="utf-8").lstrip().startswith("<?xml")
    assert "Date" not in files["svg"].read_text(encoding="utf-8")


def test_a_student_is_the_same_wherever_it_was_trained():
    asked = DistillSettings.of(width=4, data_dir="there", regularize=("activation:weight=0.1",))
    made = json.loads(json.dumps(asked.flat(without={"data_dir"}))) | {"device": "another"}
    assert same_settings(made, asked)
    assert not same_settings(made | {"width": 8}, asked)
    assert not same_settings(None, asked)


def test_seeds_and_points_beyond_every_use_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        sw.sweep("digits", budgets=["1uJ"], seeds=2**64, out=tmp_path / "a")
    assert "seeds=18446744073709551616: may be up to 10000" in str(refused.value)
    with pytest.raises(InputError, match="points=1000000000: may be up to 10000"):
        sw.sweep("digits", points=10**9, out=tmp_path / "b")
    last = sw.Training(seed=2**63 - 2)
    for call in (sw.sweep, sw.compare):
        with pytest.raises(InputError, match="seeds=3: from seed=9223372036854775806 on there are 2; give a smaller"):
            call("digits", training=last, budgets=["1uJ"], seeds=3, out=tmp_path / "c")
    assert not list(tmp_path.iterdir())


def test_the_largest_seed_has_epochs() -> None:
    assert epoch_seed(3, 7) == 300_016, "100,003 for each seed, and the epoch"
    assert torch.manual_seed(epoch_seed(2**63 - 1, 9)).initial_seed() == (100_003 * (2**63 - 1) + 9) % 2**64
