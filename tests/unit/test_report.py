"""The report command: exit codes, files, and a page that stands alone."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest

from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.chip.activity import Activity, Counts, Overflows, PopulationActivity, Trace
from spikewright.chip.activity_file import load_activity, save_activity
from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.commands.report import main
from spikewright.pages.pricing import report
from spikewright.profile.profile import load_profile, profile_names


def neuron(size):
    return Neuron(4095, 0, 100, np.zeros((size,), dtype=np.int64), 6)


def network(payload_bits=0, **provenance):
    populations = (
        Population("in", (10,), "input", None, payload_bits),
        Population("hidden", (20,), "hidden", neuron(20)),
        Population("out", (5,), "readout", neuron(5)),
    )
    connections = (
        Connection("in", "hidden", np.full((20, 10), 2, dtype=np.int64)),
        Connection("hidden", "out", np.full((5, 20), 2, dtype=np.int64)),
    )
    return ChipNetwork(populations, connections, 50, "events", "count", "loihi1-davies", "", provenance)


def counts():
    """The 195.6 nJ of loihi1-davies, twice over: two samples."""
    populations = {
        "in": PopulationActivity(np.array([34] * 8 + [0, 0]), 0, 0),
        "hidden": PopulationActivity(np.array([26] * 20) + np.array([4] + [0] * 19), 2000, 1940),
        "out": PopulationActivity(np.array([54, 54, 54, 55, 55]), 500, 458),
    }
    return Activity(populations, {"in->hidden": 5440, "hidden->out": 2620}, 2, 50, "integer", "", 1, "test")


@pytest.fixture
def files(tmp_path):
    """activity.json and chip.h5 that belong together."""

    def write(**change):
        chip = network(**change)
        save_chip(chip, tmp_path / "chip.h5")
        save_activity(replace(counts(), chip_sha256=sha256_of(tmp_path / "chip.h5")), tmp_path / "activity.json")
        return [str(tmp_path / "activity.json"), str(tmp_path / "chip.h5")]

    return write


def test_within_budget_is_0_and_writes_three_files(files, tmp_path, capsys):
    assert main([*files(), "--energy-budget", "200nJ"]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[:2] == [
        "loihi1-davies: Loihi 1 (Davies 2018, pre-silicon)",
        "within budget: at least 195.6 nJ per inference, 97.8% of 200 nJ",
    ]
    names = [str(tmp_path / f"report.{kind}") for kind in ("json", "md", "html")]
    assert said.err == f"wrote {', '.join(names)}\n"
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["schema_version"] == 1
    assert stored["within_budget"] is True
    assert stored["reports"][0]["energy"] == pytest.approx(1.955556e-07)
    assert stored["reports"][0]["provenance"]["chip"]["sha256"] == sha256_of(tmp_path / "chip.h5")


def test_over_budget_is_1_after_everything_is_written(files, tmp_path, capsys):
    out = tmp_path / "here"
    out.mkdir()
    assert main([*files(), "--energy-budget", "100nJ", "--out", str(out)]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: loihi1-davies: over budget: at least 195.6 nJ per inference, 195.6% of 100 nJ"
    )
    assert sorted(path.name for path in out.iterdir()) == ["report.html", "report.json", "report.md"]
    assert "over budget" in (out / "report.html").read_text(encoding="utf-8")


def test_registers_that_overflowed_stand_on_every_page_and_nothing_where_none_did(files, tmp_path, capsys):
    words = files()
    assert main(words) == 0
    assert "overflow" not in capsys.readouterr().out
    assert "overflows" not in json.loads((tmp_path / "report.json").read_text())["reports"][0]
    activity = load_activity(words[0])
    hidden = replace(activity.populations["hidden"], overflows=Overflows(wraps=3, clips=40))
    save_activity(replace(activity, populations=activity.populations | {"hidden": hidden}), words[0])
    assert main(words) == 0
    said = [
        "population 'hidden': a current left its 24 bits and wrapped around in 3 of 2000 updates",
        "population 'hidden': a membrane potential was clipped to its 24 bits in 40 of 2000 updates",
    ]
    printed = " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "report.html").read_text(encoding="utf-8").replace("&#39;", "'")
    for sentence in said:
        assert f"registers overflowed: {sentence}" in printed
        assert f"- registers overflowed: {sentence}" in (tmp_path / "report.md").read_text(encoding="utf-8")
        assert f"Registers overflowed: {sentence}" in page
    assert json.loads((tmp_path / "report.json").read_text())["reports"][0]["overflows"] == said


def test_several_profiles_share_one_page(files, tmp_path):
    words = [*files(), "-p", "loihi1-davies", "-p", "loihi1-sanafe", "-p", "loihi2", "-p", "loihi2-assumed"]
    assert main([*words, "--energy-budget", "400nJ", "-o", str(tmp_path / "all.html")]) == 0
    stored = json.loads((tmp_path / "all.json").read_text())
    assert {each["profile"]: each["within_budget"] for each in stored["reports"]} == {
        "loihi1-davies": True, "loihi1-sanafe": True, "loihi2": None, "loihi2-assumed": True,
    }  # fmt: skip
    assert len(Page((tmp_path / "all.html").read_text(encoding="utf-8")).images) == 4 * 5 + 3 + 1  # maps of three


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "Placement: by connectivity, seed 0: 0.00 hops a message, as with cores in order"),
        (
            ["--place-by", "spikes", "--seed", "3"],
            "Placement: by measured spikes, seed 3: 0.00 hops a message, as with cores in order",
        ),
        (["--place-by", "order"], "Placement: cores in order, 0.00 hops a message"),
    ],
)
def test_the_report_says_how_cores_were_laid_out(files, tmp_path, capsys, flags, sentence):
    assert main([*files(), *flags]) == 0
    assert sentence in capsys.readouterr().out.splitlines()
    assert f"{sentence}." in (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    assert f"{sentence}." in (tmp_path / "report.html").read_text(encoding="utf-8")
    (only,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    assert only["placement"]["messages"] == (524 if "spikes" in flags else 20)
    assert [core["uses"]["neurons"] for core in only["placement"]["cores"]] == [[20, 1024], [5, 1024]]


def test_a_network_over_chips(files, tmp_path, capsys):
    """Two neurons a core and a core a chip: thirteen chips, and no message stays on its own."""
    from spikewright.base.resources import profiles_dir

    text = (profiles_dir() / "loihi1-davies.toml").read_text(encoding="utf-8")
    text = text.replace("neurons_per_core = 1024", "neurons_per_core = 2").replace("cores = 128", "cores = 1")
    (tmp_path / "tiny.toml").write_text(text, encoding="utf-8")
    words = [*files(), "-p", str(tmp_path / "tiny.toml")]
    assert main(words) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("it would fit on 13 chips")
    assert main([*words, "--chips", "13"]) == 0
    (only,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    assert only["placement"]["chips"] == 13
    assert only["placement"]["between_chips"] == only["placement"]["messages"] == 20 * 3
    left_out = {item["event"]: item["count"] for item in only["not_modelled"]}
    assert left_out["chip_crossing"] == 524 * 3 / 2
    assert {use["resource"]: use["chip"] for use in only["fit"]}["neurons"] == 0


def test_a_profile_that_the_network_does_not_fit_is_1_and_the_others_are_written(files, tmp_path, capsys):
    words = [*files(payload_bits=8), "-p", "loihi2", "-p", "loihi1-davies"]
    assert main(words) == 1
    sentence = (
        "loihi1-davies: 'in' sends 8-bit payloads and the chip takes none; use binary spikes (current, rate or latency "
        "encoding)"
    )
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {sentence}"
    stored = json.loads((tmp_path / "report.json").read_text())
    assert stored["refusals"] == [sentence]
    assert [each["profile"] for each in stored["reports"]] == ["loihi2"]


def test_no_profile_that_fits_is_1(files, tmp_path, capsys):
    assert main([*files(payload_bits=8), "-p", "loihi1-davies"]) == 1
    assert "8-bit payloads" in capsys.readouterr().err
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--energy-budget", "2"], "--energy-budget 2: say the unit, e.g. 2uJ, 350nJ or 40kops"),
        (
            ["-p", "loihi2", "--energy-budget", "2uJ"],
            "--energy-budget 2uJ: profile 'loihi2' has no joules, since none are published for it; give its relative "
            "unit, e.g. 40kops, or choose a profile with joules",
        ),
        (
            ["-p", "loihi"],
            "profile 'loihi': there is none of that name; did you mean 'loihi2'? may be: "
            f"{', '.join(profile_names())}, or a path to a .toml",
        ),
    ],
)
def test_wrong_flags_are_2_and_write_nothing(files, flags, sentence, tmp_path, capsys):
    assert main([*files(), *flags]) == 2
    assert capsys.readouterr().err == f"error: {sentence}\n"
    assert not (tmp_path / "report.json").exists()


def test_an_activity_of_another_network_is_2(files, tmp_path, capsys):
    words = files()
    save_chip(network(seed=1), tmp_path / "chip.h5")
    assert main(words) == 2
    assert "activity.json: was counted on a network with SHA-256" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--json"], ["--format", "json"]])
def test_json_on_stdout(files, flags, capsys, tmp_path):
    assert main([*files(), *flags]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "report.json").read_text())


@pytest.mark.parametrize("kind", ["md", "html"])
def test_other_formats_on_stdout(files, kind, capsys, tmp_path):
    assert main([*files(), "--format", kind]) == 0
    assert capsys.readouterr().out == (tmp_path / f"report.{kind}").read_text(encoding="utf-8")


class Page(HTMLParser):
    """Collects what a page shows, what it loads, and how it is built."""

    def __init__(self, text):
        super().__init__()
        self.images, self.loads, self.text = [], [], []
        self.tags, self.ids, self.cells = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        if tag == "img":
            self.images.append(found)
        if tag == "th":
            self.cells.append(found)
        if "id" in found:
            self.ids.append(found["id"])
        self.loads += [value for key, value in attrs if key in ("src", "href", "srcset") and value]

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("profiles", [["loihi1-davies"], ["loihi1-davies", "loihi2", "cmos45"]])
def test_the_page_is_built_for_screen_readers(files, tmp_path, profiles):
    flags = [word for name in profiles for word in ("-p", name)]
    assert main([*files(teacher_macs=1_000_000), *flags]) == 0
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert html.lstrip().startswith("<!doctype html>\n<html lang=")
    assert [page.tags.count(tag) for tag in ("h1", "header", "main", "footer")] == [1, 1, 1, 1]
    assert len(page.ids) == len(set(page.ids))
    assert {load[1:] for load in page.loads if load.startswith("#")} <= set(page.ids)
    assert page.tags.count("table") - page.tags.count("caption") == (1 if len(profiles) > 1 else 0)
    unscoped = [cell for cell in page.cells if "scope" not in cell]
    assert all(cell == {"class": "num"} for cell in unscoped)  # sums within the table of counts
    levels = [int(tag[1]) for tag in page.tags if tag in ("h1", "h2", "h3", "h4")]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def contrast(one, other):
    def luminance(colour):
        digits = colour.lstrip("#")
        digits = "".join(c * 2 for c in digits) if len(digits) == 3 else digits
        parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_stands_out_on_light_and_dark_screens():
    from spikewright.pages.templating import TEMPLATES

    css = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    schemes = [dict(re.findall(r"--([\w-]+): (#\w+);", line)) for line in css.splitlines() if "--paper" in line]
    assert [scheme["paper"] for scheme in schemes if "ink" in scheme] == ["#fff", "#14191f"]
    for scheme in schemes:
        if "ink" not in scheme:
            continue
        for name in ("ink", "faint", "amber", "red", "green", "link"):
            assert contrast(scheme[name], scheme["paper"]) >= 4.5, name
        assert contrast(scheme["ink"], scheme["amber-wash"]) >= 4.5


def test_the_page_stands_alone_and_speaks(files, tmp_path):
    assert main([*files(), "-p", "loihi2-assumed", "--energy-budget", "1uJ"]) == 0
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    assert all(load.startswith(("data:image/svg+xml;base64,", "#loihi2-assumed-", "#report")) for load in page.loads)
    assert "@import" not in html
    assert "<script" not in html
    assert len(page.images) == 6
    assert all(len(image["alt"]) > 30 for image in page.images)
    order = ["Loihi 2 limits", "ASSUMED", "at least 196.6 nJ", "within budget"]
    headings = ["Energy by layer and event", "Count × constant = energy", "Agreement of floats, integers and Lava"]
    headings += ["ANN against SNN", "Not modelled", "Fit and cores", "How sure this is", "Where this comes from"]
    places = [html.index(words, html.index("<body>")) for words in order + [f">{words}</h2>" for words in headings]]
    assert places == sorted(places)
    assert 'name="viewport"' in html


def test_the_same_input_gives_the_same_page(files, tmp_path):
    words = files()
    assert main(words) == 0
    first = (tmp_path / "report.html").read_bytes()
    assert main(words) == 0
    assert (tmp_path / "report.html").read_bytes() == first


def test_names_from_files_are_escaped(tmp_path, capsys):
    chip = network(note="<script>alert(1)</script>")
    save_chip(chip, tmp_path / "chip.h5")
    save_activity(counts(), tmp_path / "activity.json")
    assert main([str(tmp_path / "activity.json"), str(tmp_path / "chip.h5")]) == 0
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_teacher_on_the_same_table():
    priced = report(counts(), network(teacher_macs=1_000_000), "cmos45")
    assert priced.teacher.energy == pytest.approx(1e6 * 4.6e-12)
    assert "ANN teacher: 1,000,000 MACs, 4.6 µJ per inference, 1.27e+03 times the spiking network" in str(priced)


def test_what_is_not_counted_of_a_teacher_stands_in_every_format(files, tmp_path, capsys):
    assert main([*files(teacher_macs=1_000_000, teacher_macs_unknown="If, LSTM"), "-p", "cmos45"]) == 0
    printed = capsys.readouterr().out
    for text in (printed, *((tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("md", "html"))):
        flat = " ".join(text.split())
        assert "ANN teacher: at least 1,000,000 MACs, at least 4.6 µJ per inference, at least 1.27e+03 times" in flat
        assert "not counted: If, LSTM" in flat
        assert "Against the ANN teacher: at least 1,000,000 MACs (not counted: If, LSTM)" in flat
        assert "≥ 4.6 µJ" in flat
    (only,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    assert only["ann"]["teacher_macs"] == only["teacher"]["macs"] == 1_000_000
    assert only["ann"]["teacher_macs_unknown"] == only["teacher"]["macs_unknown"] == ["If", "LSTM"]
    assert {tuple(each["macs_unknown"]) for each in only["teacher_elsewhere"]} == {("If", "LSTM")}


def test_unknown_teacher_is_said():
    assert "ANN teacher: left out" in str(report(counts(), network(), "cmos45"))
    assert "ANN teacher" not in str(report(counts(), network(), "loihi1-davies"))


def test_teacher_on_other_machines_in_every_format(files, tmp_path, capsys):
    assert main([*files(teacher_macs=1_000_000), "-p", "loihi1-davies"]) == 0
    printed = capsys.readouterr().out
    for text in (printed, *((tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("md", "html"))):
        flat = " ".join(text.split())
        assert "Against the ANN teacher: 1,000,000 MACs" in flat
        assert all(words in flat for words in ("edge GPU", "4.74 µJ", "900 µJ", "8.6 mJ"))
    for kind in ("md", "html"):
        flat = " ".join((tmp_path / f"report.{kind}").read_text(encoding="utf-8").split())
        assert all(words in flat for words in ("Jetson Orin NX", "derived, all-in", "MLPerf Inference v3.1 (2023)"))
    (only,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    elsewhere = {each["platform"]: each for each in only["teacher_elsewhere"]}
    assert elsewhere["edge-gpu"]["energy"] == pytest.approx(1e6 * 4.74e-12)
    assert elsewhere["edge-gpu"]["source"].startswith("MLCommons, MLPerf Inference v3.1 (2023), results of NVIDIA Orin")
    assert "(quoted at second hand), KerasSpiking" in elsewhere["edge-cpu"]["source"]
    assert only["teacher"] is None


JOULES = re.compile(r"\d\s*[fpnµumkMG]?J\b")


def test_joules_are_recognised():
    assert all(JOULES.search(text) for text in ("195.6 nJ", "8.6mJ", "3 J.", "1e-6 J"))
    assert not any(JOULES.search(text) for text in ("1.5 kops", "J. Timcheck", "2 Joules"))


@pytest.mark.parametrize("name", ["akida", "loihi2", "speck", "xylo"])
def test_a_profile_without_joules_never_prints_one(name, tmp_path, capsys):
    """Neither of the network nor of its teacher, in any format."""
    chip = fitting(network(teacher_macs=1_000_000), name)
    save_chip(chip, tmp_path / "chip.h5")
    save_activity(replace(counts(), timesteps=chip.timesteps), tmp_path / "activity.json")
    assert main([str(tmp_path / "activity.json"), str(tmp_path / "chip.h5"), "-p", name]) == 0
    printed = capsys.readouterr().out
    written = [(tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in ("md", "json", "html")]
    assert "ops per inference" in printed
    for text in (printed, *written[:2], " ".join(Page(written[2]).text)):
        assert not JOULES.search(text), JOULES.search(text)
    (only,) = json.loads(written[1])["reports"]
    assert (only["unit"], only["teacher"], only["teacher_elsewhere"]) == ("ops", None, [])


def fitting(chip, name):
    """The network with weights and time steps that the chip of ``name`` takes."""
    limits = load_profile(name).limits
    connections = tuple(replace(c, weight_bits=min(c.weight_bits, limits.weight_bits)) for c in chip.connections)
    steps = (limits.whole and limits.whole.timesteps) or chip.timesteps
    return replace(chip, connections=connections, timesteps=steps, profile=name)


def test_pure_function_takes_one_or_several():
    one = report(counts(), network(), "loihi1-davies", energy_budget="1uJ")
    assert one.within_budget is True
    several = report(counts(), network(), ["loihi1-davies", "loihi2"], energy_budget="1kops")
    assert [each.within_budget for each in several] == [None, False]
    with pytest.raises(InputError):
        report(counts(), network(), ["loihi1-davies"], energy_budget="1kops")
    with pytest.raises(AnswerIsNo):
        report(counts(), network(payload_bits=8), "loihi1-davies")


def test_provenance_in_json_text_is_opened(files, tmp_path):
    assert main(files(provenance='{"seed": 7}', note="{not json")) == 0
    (only,) = json.loads((tmp_path / "report.json").read_text())["reports"]
    assert only["provenance"]["chip"]["provenance"] == {"seed": 7}
    assert only["provenance"]["chip"]["note"] == "{not json"


def test_text_and_markdown_are_golden(files, root, capsys, tmp_path):
    assert main([*files(), "-p", "loihi1-davies", "-p", "cmos45", "--energy-budget", "200nJ"]) == 0
    golden = root / "tests" / "golden" / "report"
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == (
        (golden / "two_profiles.txt").read_text(encoding="utf-8").splitlines()
    )
    markdown = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    assert markdown[:-1] == (golden / "two_profiles.md").read_text(encoding="utf-8").splitlines()[:-1]
    assert markdown[-1].startswith("Written by spikewright ")


def lively():
    """The same counts with two samples' steps and the first one's spikes: one hidden neuron spikes at step 3."""
    steps = np.arange(50)
    spikes = {
        "in": np.where(steps < 34, 8, 0),
        "hidden": np.where(steps < 26, 20, 0),
        "out": np.where(steps < 54, 5, 0),
    }
    spikes["hidden"] = spikes["hidden"] + np.where(steps < 4, 1, 0)
    neurons = {name: spikes[name] for name in ("hidden", "out")}
    by_step = Counts(spikes, neurons, {"in->hidden": spikes["in"] * 20, "hidden->out": spikes["hidden"] * 5})
    raster = {name: Trace(np.arange(n), np.zeros((50, n), dtype=bool)) for name, n in (("in", 10), ("hidden", 20))}
    raster["hidden"].fired[2, 7] = True
    raster["out"] = Trace(np.arange(5), np.ones((50, 5), dtype=bool))
    return replace(counts(), by_step=by_step, raster=raster)


def test_rates_and_raster_are_drawn_and_told():
    from spikewright.pages.pictures import activity_pictures

    priced = report(lively(), network(), "loihi1-davies")
    assert priced.rates["hidden"][:5] == (21 / 40, 21 / 40, 21 / 40, 21 / 40, 20 / 40)
    rates, raster = activity_pictures(priced.energy.spikes, priced.rates, priced.raster)
    assert "hidden 26.2% of its neurons spike at a step, most at step 1 with 52.5%" in rates.alt
    assert "hidden: 1 spike of 20 out of 20 neurons; out: 250 spikes of 5 out of 5 neurons" in raster.alt
    assert raster.svg.startswith("<?xml")
    assert priced.as_json()["rates"]["in"][:1] == [8 / 20]


def test_without_steps_there_are_no_such_pictures():
    from spikewright.pages.pictures import activity_pictures

    priced = report(counts(), network(), "loihi1-davies")
    assert list(activity_pictures(priced.energy.spikes, priced.rates, priced.raster)) == []


@pytest.mark.parametrize("used", [5, 450, 610, 860, 1024])
def test_the_labels_of_the_fit_stay_in_the_picture_and_off_the_bars(used):
    """Whatever the share, also beside "binding", which is long."""
    from spikewright.pages import plots

    priced = report(counts(), network(), "loihi1-davies", None)
    uses = tuple(replace(use, used=used / 1024 * use.limit) for use in priced.fit if use.limit)
    binding = next(use for use in uses if use.resource == "synapse memory")
    drawn = plots.fit_plot(uses, binding)
    drawn.draw_without_rendering()
    (axes,) = drawn.axes
    assert [text.get_text().endswith("binding") for text in axes.texts].count(True) == 1
    right = drawn.bbox.width
    for text in axes.texts:
        box = text.get_window_extent()
        assert axes.get_window_extent().x1 <= box.x0 < box.x1 <= right, text.get_text()
