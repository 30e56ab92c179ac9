"""benchmarks/across_settings.py: means over comparisons, by hand."""

import json

import pytest
import typer


@pytest.fixture(scope="module")
def bench(benchmark_file):
    return benchmark_file("across_settings")


def entry(row, validation, over_budget=()):
    """Of seeds 0, 1, ...; accuracy on test is 0.1 below that on validation."""
    accuracies = [{"validation": value, "test": value - 0.1} for value in validation]
    trainings = [{"seed": s, "record": {"outcome": {"accuracy": a}}} for s, a in enumerate(accuracies)]
    return {"row": row, "over_budget": list(over_budget), "trainings": trainings}


@pytest.fixture
def comparison(tmp_path):
    def write(name, **entries_by_budget):
        groups = [{"budget": budget, "entries": entries} for budget, entries in entries_by_budget.items()]
        free = {"budget": None, "entries": [entry("none", [0.5]), entry("kd", [0.9])]}
        path = tmp_path / name
        path.write_text(json.dumps({"groups": [free, *groups]}))
        return path

    return write


def test_means_by_hand_and_who_is_left_out(bench, comparison, capsys):
    first = comparison("a.json", low=[entry("none", [0.8, 0.7]), entry("kd", [0.82, 0.71]), entry("nld", [0.83, 0.71])])
    last = [entry("none", [0.9, 0.9]), entry("kd", [0.9, 0.93]), entry("nld", [0.93, 0.93]), entry("samd", [0.9, 0.9])]
    second = comparison("b.json", high=[*last, entry("bkd", [1.0, 1.0], over_budget=[0])])
    bench.main([first, second])
    # By seed: nld (3 + 3)/2 and (1 + 3)/2, kd (2 + 0)/2 and (1 + 3)/2; free settings have no say.
    assert capsys.readouterr().out.splitlines() == [
        "| method | validation: gain | behind | test: gain |",
        "| --- | ---: | ---: | ---: |",
        "| nld | +2.50 ± 0.71 | - | +2.50 ± 0.71 |",
        "| kd | +1.50 ± 0.71 | 1.00 ± 1.41 | +1.50 ± 0.71 |",
        "",
        "Not in every setting: bkd, samd",
    ]


def test_what_cannot_be_compared_is_refused(bench, comparison):
    with pytest.raises(typer.BadParameter, match=r"b\.json: has no labels alone within low; add none to --methods"):
        bench.main([comparison("b.json", low=[entry("kd", [0.8])])])
    with pytest.raises(typer.BadParameter, match="has no setting with a budget"):
        bench.main([comparison("c.json")])
