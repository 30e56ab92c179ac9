"""Several runs in one report: names, what fits, the front, and exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError
from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.activity_file import save_activity
from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.commands.report import main
from spikewright.pages import chart
from spikewright.pages.pricing import report
from spikewright.pages.runs import RunRow, RunTable, names_of


def network(hidden, payload_bits=0):
    def neuron(size):
        return Neuron(4095, 0, 100, np.zeros((size,), dtype=np.int64), 6)

    populations = (
        Population("in", (4,), "input", None, payload_bits),
        Population("hidden", (hidden,), "hidden", neuron(hidden)),
        Population("out", (3,), "readout", neuron(3)),
    )
    connections = (
        Connection("in", "hidden", np.full((hidden, 4), 2, dtype=np.int64)),
        Connection("hidden", "out", np.full((3, hidden), 2, dtype=np.int64)),
    )
    return ChipNetwork(populations, connections, 5, "events", "count", "loihi1-davies", "", {"hidden": hidden})


def counts(hidden, correct, data="digits"):
    """Ten samples in which every input spikes once and nothing else does."""
    populations = {
        "in": PopulationActivity(np.full(4, 10), 0, 0),
        "hidden": PopulationActivity(np.zeros(hidden, dtype=np.int64), 10 * 5 * hidden, 0),
        "out": PopulationActivity(np.zeros(3, dtype=np.int64), 10 * 5 * 3, 0),
    }
    operations = {"in->hidden": 40 * hidden, "hidden->out": 0}
    return Activity(populations, operations, 10, 5, "integer", "", correct, "test", {"data": data} if data else {})


@pytest.fixture
def run(tmp_path):
    """A folder as `spikewright run` leaves it, without what a report does not read."""

    def make(name, hidden, correct, data="digits", payload_bits=0):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        save_chip(network(hidden, payload_bits), folder / "chip.h5")
        activity = replace(counts(hidden, correct, data), chip_sha256=sha256_of(folder / "chip.h5"))
        save_activity(activity, folder / "activity.json")
        return folder

    return make


def words(first, *others):
    return [str(first / "activity.json"), str(first / "chip.h5"), *(w for o in others for w in ("--also", str(o)))]


def rows_of(folder):
    (table,) = json.loads((folder / "report.json").read_text())["runs"]
    return {row["name"]: row for row in table["rows"]}


def test_runs_side_by_side_with_their_front(run, capsys):
    """20 neurons and 7 right, 10 and 7, 30 and 9: the first is beaten by the second."""
    first, second, third = run("first", 20, 7), run("second", 10, 7), run("third", 30, 9)
    assert main(words(first, second, third)) == 0
    rows = rows_of(first)
    assert {name: row["pareto"] for name, row in rows.items()} == {"first": False, "second": True, "third": True}
    expected = 4 * 10 * 23.6e-12 + 5 * 13 * 52e-12 + 4 * 1.7e-12  # operations, inactive updates, messages to one core
    assert rows["second"]["energy"] == pytest.approx(expected)
    assert rows["second"]["provenance"]["chip"]["sha256"] == sha256_of(second / "chip.h5")
    printed = capsys.readouterr().out
    assert printed.startswith("3 runs on loihi1-davies\n")
    html, markdown = ((first / f"report.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
    assert "<h1>3 runs</h1>" in html
    assert 'alt="Accuracy against energy, from the cheapest run up: second ' in html
    assert "| second | 70.00% |" in markdown
    assert "What follows is about first." in markdown


def test_one_run_has_no_table(run):
    first = run("first", 20, 7)
    assert main(words(first)) == 0
    assert json.loads((first / "report.json").read_text())["runs"] == []
    assert "Runs side by side" not in (first / "report.html").read_text(encoding="utf-8")


def test_other_runs_do_not_change_the_exit_code(run, capsys):
    """The first costs 6.1 nJ; the second is over the budget, the third sends what the chip does not take."""
    first, large, graded = run("first", 10, 7), run("large", 40, 9), run("graded", 10, 8, payload_bits=8)
    assert main([*words(first, large, graded), "--energy-budget", "6nJ"]) == 0
    rows = rows_of(first)
    assert (rows["first"]["within_budget"], rows["large"]["within_budget"]) == (True, False)
    assert rows["graded"]["refusal"].startswith("loihi1-davies: 'in' sends 8-bit payloads")
    assert "graded does not fit: loihi1-davies: 'in' sends" in capsys.readouterr().out
    assert main([*words(large, first), "--energy-budget", "6nJ"]) == 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("error: loihi1-davies: over budget")


def test_runs_on_other_data_are_shown_and_not_compared(run, capsys):
    first, same, other = run("first", 20, 7), run("same", 30, 9), run("other", 10, 9, data="mnist")
    assert main(words(first, same, other)) == 0
    assert {name: row["pareto"] for name, row in rows_of(first).items()} == {"first": True, "same": True, "other": None}
    assert "Not compared with the others, which are on digits: other (mnist)" in capsys.readouterr().out
    html = (first / "report.html").read_text(encoding="utf-8")
    alt = html[html.index('alt="Accuracy against energy') :].split('"')[1]
    assert "same " in alt
    assert "other" not in alt


def test_a_missing_file_is_2_and_nothing_is_written(run, tmp_path, capsys):
    first = run("first", 20, 7)
    (tmp_path / "empty").mkdir()
    assert main(words(first, tmp_path / "empty")) == 2
    assert "empty/activity.json: there is no such file" in capsys.readouterr().err
    assert not (first / "report.json").exists()


def test_an_activity_of_another_network_is_2(run, capsys):
    first, second = run("first", 20, 7), run("second", 10, 7)
    save_chip(network(11), second / "chip.h5")
    assert main(words(first, second)) == 2
    assert "second/activity.json: was counted on a network with SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("first", "others", "names"),
    [
        ("a/activity.json", ["b", "c"], ["a", "b", "c"]),
        ("x/run/activity.json", ["y/run"], ["x/run", "y/run"]),
        ("x/run/test.json", ["x/run"], ["test.json", "run"]),
    ],
)
def test_names_are_as_short_as_they_differ(tmp_path, first, others, names):
    assert names_of(tmp_path / first, [tmp_path / other for other in others]) == names


def test_the_same_run_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"also: .*b: is there twice; name every run once"):
        names_of(tmp_path / "a" / "activity.json", [tmp_path / "b", tmp_path / "b"])
    with pytest.raises(InputError, match="is there twice"):
        names_of(tmp_path / "a" / "activity.json", [Path(tmp_path / "a")])


@pytest.mark.parametrize("seed", range(4))
def test_names_in_the_plot_keep_off_each_other_and_the_line(seed):
    priced = report(counts(20, 7), network(20), "loihi1-davies", "1uJ")
    random = np.random.default_rng(seed)
    rows = tuple(
        RunRow(f"a run with a name {i}", _scaled(priced, factor, accuracy), "", bool(i % 2))
        for i, (factor, accuracy) in enumerate(zip(random.uniform(1, 3, 9), random.uniform(0.8, 0.9, 9), strict=True))
    )
    drawn = chart.pareto_plot(RunTable(priced.profile, rows, ()))
    drawn.draw_without_rendering()
    (axes,) = drawn.axes
    texts = [text for text in axes.texts if text.get_text().startswith("a run")]
    names = [chart._box_of(text) for text in texts]
    marks = [chart._around(axes.transData.transform(text.xy)) for text in texts]  # which may lie on each other
    assert len(texts) == 9
    assert not any(name.overlaps(other) for i, name in enumerate(names) for other in names[:i] + marks)


def _scaled(priced, factor, accuracy):
    rows = tuple(replace(row, count=row.count * factor) for row in priced.rows)
    return replace(priced, energy=replace(priced.energy, rows=rows, accuracy=accuracy))
