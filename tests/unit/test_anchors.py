"""Published points beside one's own: their files, what is comparable, and every format that shows them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import spikewright as sw
from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError
from spikewright.bench.point import Outcome, Point
from spikewright.bench.sweep.plot import sweep_plot
from spikewright.bench.sweep.result import PointResult, SweepResult
from spikewright.bench.sweep.text import markdown, renderable
from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.activity_file import save_activity
from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.commands.report import main
from spikewright.commands.sweep import main as sweep_main
from spikewright.data.load import DATASETS
from spikewright.pages import anchors as words
from spikewright.pages.anchors import AnchorTable
from spikewright.pages.measure import R2
from spikewright.pages.render import Document, as_html, as_markdown
from spikewright.profile.anchors import anchor_names, load_anchors, read_anchors
from spikewright.profile.profile import load_profile

OWN = """
schema_version = 1
title = "digits of mine"
data = ["digits"]
samples = "8 x 8 pixels"

[sources.me]
cite = "my laboratory"
access = "primary"

[[points]]
chip = "alike"
accuracy = 0.9
energy = {value = 2, unit = "nJ", includes = "dynamic", kind = "measured"}
source = "me"
where = "p. 1"

[[points]]
chip = "whole"
network = "4-3"
accuracy = 0.8
energy = {value = 3, unit = "uJ", includes = "total", kind = "simulated"}
latency = {value = 2, unit = "ms"}
source = "me"
where = "p. 2"
samples = "4 pixels"

[[points]]
chip = "vague"
accuracy = 0.7
energy = {value = 4, unit = "mJ", includes = "unstated", kind = "unstated"}
source = "me"
where = "p. 3"

[[points]]
chip = "how good"
accuracy = 0.6
source = "me"
where = "p. 4"

[[points]]
chip = "how dear"
energy = {value = 1, unit = "pJ", includes = "dynamic", kind = "measured"}
source = "me"
where = "p. 5"
"""


@pytest.fixture
def own(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(OWN, encoding="utf-8")
    return file


def network():
    def neuron(size):
        return Neuron(4095, 0, 100, np.zeros((size,), dtype=np.int64), 6)

    populations = (Population("in", (4,), "input", None, 0), Population("out", (3,), "readout", neuron(3)))
    connections = (Connection("in", "out", np.full((3, 4), 2, dtype=np.int64)),)
    return ChipNetwork(populations, connections, 5, "events", "count", "loihi1-davies", "", {})


def counts(correct: int | None = 7, data="digits", chip_sha256=""):
    """Ten samples in which every input spikes once and nothing else does."""
    populations = {
        "in": PopulationActivity(np.full(4, 10), 0, 0),
        "out": PopulationActivity(np.zeros(3, dtype=np.int64), 10 * 5 * 3, 0),
    }
    facts = {"data": data} if data else {}
    return Activity(populations, {"in->out": 120}, 10, 5, "integer", chip_sha256, correct, "test", facts)


@pytest.fixture
def files(tmp_path):
    save_chip(network(), tmp_path / "chip.h5")
    save_activity(counts(chip_sha256=sha256_of(tmp_path / "chip.h5")), tmp_path / "activity.json")
    return [str(tmp_path / "activity.json"), str(tmp_path / "chip.h5")]


def by_chip(table):
    return {point.chip: table.differences(point) for point in table.anchors.points}


def table_on(file, data="digits", **others):
    return AnchorTable(read_anchors(file), load_profile("loihi1-davies"), data, **others)


@pytest.mark.parametrize("name", anchor_names())
def test_points_that_come_with_the_package_are_sound(name):
    anchors = load_anchors(name)
    assert anchors.name == name
    assert all(anchors.source_of(point) for point in anchors.points)


def test_the_guide_lists_the_points_that_come_with_the_package(root):
    guide = (root / "docs" / "reports.md").read_text(encoding="utf-8")
    for anchors in map(load_anchors, anchor_names()):
        data = ", ".join(f"`{name}`" for name in anchors.data) or "none that has a name here"
        assert f"| `{anchors.name}` | {anchors.title} | {len(anchors.points)} | {data} |" in guide
        assert set(anchors.data) <= DATASETS.keys()


def test_the_review_of_mnist_is_there():
    points = {point.name: point for point in load_anchors("mnist").points}
    loihi = points["Loihi: 400-400-10"]
    assert loihi.accuracy == 0.963
    assert loihi.energy is not None
    assert loihi.energy.joules == pytest.approx(2.5e-6)
    assert loihi.latency is not None
    assert loihi.latency.seconds == pytest.approx(0.17e-3)
    assert points["SpiNNaker: 784-500-500-10"].energy.joules == pytest.approx(3.3e-3)


def test_an_unknown_name_is_refused_with_those_there_are(files, capsys):
    assert main([*files, "--anchors", "mnst"]) == 2
    error = capsys.readouterr().err.strip()
    assert error == (
        "error: --anchors mnst: there are no points of that name; did you mean 'mnist'? may be: "
        f"{', '.join(anchor_names())}, or the path of a .toml file"
    )


def test_every_fault_of_a_file_is_named(own):
    faulty = (
        OWN.replace("0.9", "90").replace('"nJ"', '"Wh"').replace('"total"', '"all"').replace('"p. 5"', '"p. 5"\nx=1')
    )
    own.write_text(faulty, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_anchors(own)
    said = str(refused.value)
    assert all(part in said for part in ("points.0.accuracy: is 90", "points.0.energy.unit: is 'Wh'"))
    assert "points.1.energy.includes: is 'all'; may be: 'dynamic', 'total' or 'unstated'" in said
    assert "points.4.x: unknown key" in said


def test_points_that_contradict_the_file_are_named_together(own):
    faulty = OWN.replace('source = "me"\nwhere = "p. 1"', 'source = "you"\nwhere = "p. 1"')
    faulty = faulty.replace('chip = "how good"\naccuracy = 0.6', 'chip = "vague"')
    own.write_text(faulty, encoding="utf-8")
    with pytest.raises(InputError) as refused:
        read_anchors(own)
    said = str(refused.value)
    assert "points.0.source: is 'you'; may be: me" in said
    assert "points.3: has neither accuracy nor energy; give one of the two" in said
    assert "points.3: is 'vague' once more" in said


def test_what_is_comparable_and_why_the_rest_is_not(own):
    assert by_chip(table_on(own)) == {
        "alike": (),
        "whole": ("other samples (4 pixels)", "total energy", "energy simulated"),
        "vague": ("dynamic or total unstated", "measured or not unstated"),
        "how good": ("energy not known",),
        "how dear": ("accuracy not known",),
    }


def test_nothing_is_comparable_on_other_or_unknown_data(own):
    other, unknown = table_on(own, "mnist"), table_on(own, "")
    assert by_chip(other)["alike"] == ("other data",)
    assert by_chip(unknown)["alike"] == ("our data are not known",)
    assert words.remarks(other) == ["The points are of digits of mine, and ours is of mnist: none can be compared."]
    assert words.remarks(unknown) == ["On which data ours was counted is not known; the points are of digits of mine."]
    assert words.remarks(table_on(own)) == []


def test_values_have_no_place_beside_accuracies(own):
    table = table_on(own, measure=R2)
    assert [point.chip for point in table.drawn] == ["how dear"]
    assert words.remarks(table) == ["Ours is R^2 and no accuracy: points with an accuracy are not drawn."]


def test_the_table_has_ours_and_every_point(own):
    table = table_on(own, ours=(("mine", 1.5e-9, 0.75), ("dark", 2e-9, None)))
    found = {row[0]: row[1:] for row in words.rows(table)[1:]}
    assert found["mine"] == ("75.00%", "1.5 nJ", "modelled, dynamic", "", "", "")
    assert found["dark"][0] == "not known"
    assert found["alike"] == ("90.00%", "2 nJ", "measured, dynamic", "", "yes", "my laboratory, p. 1")
    reasons = "no: other samples (4 pixels); total energy; energy simulated"
    assert found["whole: 4-3"] == ("80.00%", "3 µJ", "simulated, total", "2 ms", reasons, "my laboratory, p. 2")
    assert found["how good"][:3] == ("60.00%", "not known", "")
    assert {len(row) for row in words.rows(table, sources=False)} == {6}


def test_a_report_shows_them_in_every_format(files, own, tmp_path, capsys):
    assert main([*files, "--anchors", str(own)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    pages = {kind: (tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("json", "md", "html")}
    assert "Published chips: digits of mine" in printed
    assert "| alike | 90.00% | 2 nJ | measured, dynamic |  | yes | my laboratory, p. 1 |" in pages["md"]
    assert "### Published chips: digits of mine" in pages["md"]
    assert "--anchors own.toml" in pages["md"]
    assert "Published: how good energy not known and 60.00%; how dear 1 pJ and accuracy not known; " in pages["html"]
    assert "; alike 2 nJ and 90.00%, comparable; whole: 4-3" in pages["html"]
    (only,) = json.loads(pages["json"])["reports"]
    found = {point["chip"]: point for point in only["anchors"]["points"]}
    assert only["anchors"]["data"] == ["digits"]
    assert found["alike"]["comparable"] is True
    assert found["whole"] == {
        "chip": "whole", "network": "4-3", "accuracy": 0.8, "energy_j": pytest.approx(3e-6), "includes": "total",
        "kind": "simulated", "latency_s": pytest.approx(2e-3), "comparable": False,
        "differences": ["other samples (4 pixels)", "total energy", "energy simulated"],
        "source": "my laboratory, p. 2", "note": "",
    }  # fmt: skip


def test_without_them_a_report_is_what_it_was(files, tmp_path):
    assert main(files) == 0
    (only,) = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["reports"]
    assert "anchors" not in only
    assert "Published" not in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_profile_without_joules_is_refused(files, capsys):
    assert main([*files, "--anchors", "mnist", "-p", "loihi1-davies", "-p", "loihi2"]) == 2
    assert capsys.readouterr().err.strip() == (
        "error: --anchors mnist: published points are in joules, and there are none on loihi2; choose profiles with "
        "joules, or leave it out"
    )
    with pytest.raises(InputError, match=r"^anchors=mnist: published points are in joules"):
        sw.report(counts(), network(), "loihi2", anchors="mnist")


def marks(figure):
    """By label, the marks in a figure: their faces and places."""
    (axes,) = figure.axes
    lines = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    return {
        label: (line.get_markerfacecolor(), list(zip(line.get_xdata(), line.get_ydata(), strict=True)))
        for label, line in lines.items()
    }


def test_marks_tell_what_is_comparable(own):
    """The activity does not know its data in Python, so nothing is comparable; a table that knows it differs."""
    report = sw.report(counts(), network(), "loihi1-davies", anchors=own)
    unlike = marks(sw.plot.anchors(report))["published, not comparable"]
    assert unlike[0] == "white"
    assert unlike[1] == pytest.approx([(2e-9, 0.9), (3e-6, 0.8), (4e-3, 0.7)])
    known = replace(report, provenance=replace(report.provenance, activity={"data": "digits"}))
    found = marks(sw.plot.anchors(known))
    face, places = found["published, comparable"]
    assert face != "white"
    assert places == pytest.approx([(2e-9, 0.9)])
    assert len(found["published, not comparable"][1]) == 2
    assert {"published, accuracy alone", "published, energy alone", "this network: modelled, dynamic"} <= found.keys()


def test_a_figure_needs_points_and_an_accuracy(own):
    report = sw.report(counts(), network(), "loihi1-davies")
    with pytest.raises(InputError, match="has no published points"):
        sw.plot.anchors(report)
    with pytest.raises(InputError, match="has no accuracy"):
        sw.plot.anchors(sw.report(counts(None), network(), "loihi1-davies"), own)


def swept(anchors=None, profile="loihi1-davies"):
    outcome = Outcome(
        energy={"validation": 2e-9, "test": 2e-9}, energy_is_at_least=True, floor=1e-9,
        accuracy={"validation": 0.9, "test": 0.9}, synaptic_ops={"validation": 1.0, "test": 1.0},
        spikes={"validation": 1.0, "test": 1.0}, samples={"validation": 10, "test": 10}, timesteps=2, width=4,
        encoding="direct", files={}, made_by="a test", host="here", seconds=1.0,
    )  # fmt: skip
    points = (PointResult(Point(None, 0), "done", outcome),)
    return SweepResult(load_profile(profile), "digits", {}, ("name", "sqlite://"), points, anchors)


def test_a_sweep_shows_them_in_table_page_and_plot(own):
    result, without = swept(load_anchors(own)), swept()
    assert "anchors" not in without.as_json()
    assert "published" not in str(marks(sweep_plot(without)))
    assert result.as_json()["anchors"]["points"][0]["comparable"] is True
    assert "## Published chips: digits of mine" in markdown(result)
    assert markdown(result).startswith(markdown(without))
    assert "published, comparable" in marks(sweep_plot(result))
    assert marks(sw.plot.pareto(without, own)).keys() == marks(sweep_plot(result)).keys()
    assert len(renderable(result).renderables) > len(renderable(without).renderables)
    view = sw.show(result)._repr_html_()
    assert "Published: " in view
    assert "alike 2 nJ and 90.00%, comparable" in view
    assert "Comparable with it is a measured dynamic energy" in view
    assert "Published" not in sw.show(without)._repr_html_()
    low, high = sweep_plot(result).axes[0].get_xlim()
    assert low < 1e-12
    assert high > 4e-3


def test_a_sweep_refuses_before_it_trains(tmp_path, capsys):
    out = tmp_path / "sweep"
    words_ = ["--data", "digits", "--points", "2", "--out", str(out), "--profile"]
    assert sweep_main([*words_, "loihi1-davies", "--anchors", "mnst"]) == 2
    assert sweep_main([*words_, "loihi2", "--anchors", "mnist"]) == 2
    assert "there are none on loihi2" in capsys.readouterr().err
    assert not out.exists()


def test_names_that_others_chose_stay_text(own):
    own.write_text(OWN.replace('"alike"', '"<b>x</b> | y"'), encoding="utf-8")
    report = sw.report(counts(), network(), "loihi1-davies", anchors=own)
    assert "| &lt;b>x&lt;/b> \\| y | 90.00% |" in as_markdown(Document([report]))
    assert "<b>x</b>" not in as_html(Document([report]))
