"""Text of any origin lands as text: in Markdown, in commands to copy, in HTML, in pictures and on a terminal."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO

import nir
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.table import Table
from rich.text import Text

import spikewright as sw
from spikewright.base.terminal import terminal
from spikewright.base.visible import visible
from spikewright.bench.text import markdown_page
from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.commands import console
from spikewright.data.output_rule import OutputRule
from spikewright.energy.provenance import Provenance
from spikewright.energy.report import ClassEnergy
from spikewright.pages import markdown
from spikewright.pages.plot_style import figure, in_style, svg
from spikewright.pages.render import Document, as_html, as_markdown
from spikewright.pages.report import Report
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student

RENDERER = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")
HOSTILE = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[here](javascript:alert(1))",
    "![x](http://example.org/x.png)", "<javascript:alert(1)>", "a | b\n| --- |", "`; rm -rf ~; `",
    "a\n```\n<b>", "\\`<b>`",
    "&lt;b&gt;", "# head", "1. list", "- list", "> quote", "===", "~~~", "_em_ *strong* **x** ~~gone~~", "\\", "a\\|b",
    "$(reboot)", "x'; reboot; '", "\x1b]0;title\x07\x1b[31m", "\u202etxt.exe", "--out=/etc/passwd", "$x^{$", "[x]: http://y",
)  # fmt: skip
texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=30)


class Page(HTMLParser):
    """Tags, attributes and text of a rendered page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, attrs))

    def handle_data(self, data):
        self.text += data

    def checked(self) -> Page:
        """Whether it holds nothing that acts."""
        for tag, attributes in self.tags:
            assert tag not in ("script", "img", "iframe", "b", "javascript:alert(1)", "em", "strong", "s", "blockquote")
            for name, value in attributes:
                assert not name.startswith("on")
                assert name != "href" or value in ("https://neuroir.org",), value
        return self


def lines(text: str) -> str:
    return " ".join(visible(text).split())


def cases(function):
    for text in HOSTILE:
        function = example(text)(function)
    return settings(max_examples=150)(given(texts)(function))


@cases
def test_text_shows_as_it_is_within_a_line_and_at_its_head(text):
    for made in (f"a {markdown.inline(text)} b", f"a\n\n- {markdown.text(text)}\n", f"> {markdown.text(text)}"):
        page = Page(RENDERER.render(made))
        assert {tag for tag, _ in page.tags} <= {"p", "ul", "li", "blockquote"}, made
        assert lines(text) in lines(page.text)


@cases
def test_a_cell_stays_one_cell(text):
    made = markdown.table(("what", ">value"), (text, "1"), ("x", markdown.inline(text)))
    page = Page(RENDERER.render(made))
    assert [tag for tag, _ in page.tags].count("td") == 4
    assert {tag for tag, _ in page.tags} <= {"table", "thead", "tbody", "tr", "th", "td"}
    assert lines(text) in lines(page.text)


@cases
def test_code_is_code_and_nothing_after_it_is(text):
    page = Page(RENDERER.render(f"a {markdown.code(text)} b"))
    assert [tag for tag, _ in page.tags] == (["p", "code"] if lines(text) else ["p"])
    assert lines(text) in lines(page.text)
    assert page.text.strip().endswith("b")
    table = Page(RENDERER.render(markdown.table(("what",), (markdown.code(text),), ("end",))))
    assert [tag for tag, _ in table.tags].count("td") == 2


@settings(max_examples=25, deadline=None)
@given(st.lists(texts.filter(lambda text: "\0" not in text), min_size=1, max_size=8))
@example(list(HOSTILE))
def test_a_word_of_a_command_is_one_word_of_bash(words):
    """Whatever it holds, bash gives it back, and it stands on one line without hidden characters."""
    quoted = [markdown.shell(word) for word in words]
    assert all(word.isprintable() for word in quoted)
    said = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {' '.join(quoted)}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    assert said.stdout.decode().split("\0")[:-1] == words


def test_a_file_that_begins_with_a_dash_is_no_option():
    assert markdown.path("-o.nir") == "./-o.nir"
    assert markdown.path("my net.nir") == "'my net.nir'"
    assert markdown.shell(markdown.path("my net.nir")) == "'my net.nir'", "once is enough"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_model_card_shows_what_its_graph_says_and_does_nothing(text):
    facts = {
        "made_by": text, "teacher": text, "teacher_sha256": text, "method": text, "regularizers": [text],
        "settings": {"data": text, "profile": text, "method": text, "energy_budget": text},
        "student": {"architecture": text, "width": 6}, "assistants": [{"name": text}], "train_split_sha256": text,
        "training": {"epochs": 1, "augmentation": text}, "validation_accuracy": 0.5, "parent_sha256": text,
        "teacher_macs": 3, "teacher_macs_unknown": [text],
    }  # fmt: skip
    graph = sw.to_nir(Student(StudentConfig("mlp", 6, (1, 8, 8), 10, 4, "direct")).eval(), facts)
    graph.metadata |= {"source": text, "encoding": text}
    card = sw.model_card(graph)
    page = Page(RENDERER.render(card)).checked()
    assert lines(page.text).count(lines(text)) >= 12
    assert "How to use it" in page.text
    assert "What it is not for" in page.text
    (block,) = [token.content for token in RENDERER.parse(card) if token.type == "fence"]
    commands = block.splitlines()
    assert [command.split()[:2] for command in commands] == [
        ["spikewright", verb] for verb in ("lower", "simulate", "report")
    ]
    printed = subprocess.run(
        ["bash", "-c", f"spikewright() {{ printf '%s\\0' \"$@\"; }}; {commands[1]}"], capture_output=True, check=True,
        env={"LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert printed.stdout.decode().split("\0")[:-1] == [
        "simulate", "chip.h5", "--data", text, "--out", "activity.json"]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_nodes_of_hostile_names_stay_in_their_cells(text):
    graph = sw.to_nir(Student(StudentConfig("mlp", 6, (1, 8, 8), 10, 4, "direct")).eval())
    named = {"dense1": text}
    nodes = {named.get(name, name): node for name, node in graph.nodes.items()}
    edges = [(named.get(a, a), named.get(b, b)) for a, b in graph.edges]
    card = sw.model_card(nir.NIRGraph(nodes, edges, metadata=graph.metadata, type_check=False))
    tokens = RENDERER.parse(card)
    widths = [token for token in tokens if token.type == "th_open"]
    rows = [token for token in tokens if token.type == "tr_open"]
    assert (len(widths), len(rows)) == (7, 1 + len([line for line in card.splitlines() if line.startswith("| ")]) - 3)
    assert lines(text) in lines(Page(RENDERER.render(card)).checked().text)


def reported(text: str) -> Report:
    """A report in which every name that a file may give is ``text``."""
    neuron = Neuron(4095, 0, 100, np.zeros(3, np.int64), 6, True)
    populations = (Population("in", (4,), "input", None), Population(text, (3,), "readout", neuron))
    chip = ChipNetwork(
        populations, (Connection("in", text, np.full((3, 4), 2)),), 5, "events", "count", "loihi1-davies", "",
        meaning=OutputRule(names=(text, "b", "c")),
    )  # fmt: skip
    counts = {
        "in": PopulationActivity(np.ones(4, np.int64), 0, 0),
        text: PopulationActivity(np.ones(3, np.int64), 15, 9),
    }
    activity = Activity(counts, {f"in->{text}": 12}, 1, 5, text, split=text)
    found = sw.report(activity, chip, "loihi1-davies")
    energy = replace(found.energy, classes=(ClassEnergy(0, 1, 1.0, 1e-9, text),))
    origin = Provenance({"file": text, "sha256": text, "source": text}, {"file": text, "sha256": text}, text)
    return replace(found, energy=energy, provenance=origin, overflows=(text,))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_report_shows_what_files_say_and_does_nothing(text):
    document = Document((reported(text),), refusals=(text,))
    page = Page(RENDERER.render(as_markdown(document)))
    for tag, attributes in page.tags:
        assert tag in ("h1", "h2", "h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "strong",
                       "blockquote")  # fmt: skip
        assert all(name == "style" for name, _ in attributes), "of cells"
    assert lines(page.text).count(lines(text)) >= 8
    html = Page(as_html(document))
    assert "script" not in [tag for tag, _ in html.tags]
    assert not [name for _, attributes in html.tags for name, _ in attributes if name.startswith("on")]
    links = [value for _, attributes in html.tags for name, value in attributes if name in ("href", "src")]
    assert all(link.startswith(("#", "data:image/svg+xml")) for link in links)
    assert visible(html.text) == html.text


@pytest.mark.parametrize("text", HOSTILE)
def test_pages_of_benches_show_what_they_are_told(text):
    made = markdown_page(text, text, "plot.svg", [("what", ">n"), (text, "1")], text, [text])
    page = Page(RENDERER.render(made))
    assert [tag for tag, _ in page.tags].count("img") == 1
    assert [tag for tag, _ in page.tags].count("td") == 2
    assert lines(page.text).count(lines(text)) == 5


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_is_said_steers_a_terminal(text, capsys):
    table = Table()
    table.add_column(text)
    table.add_row(text)
    console.say(text)
    console.out(text)
    console.print_result(table, Text(text), text, width=200)
    shown = capsys.readouterr()
    assert visible(shown.out) == shown.out
    assert visible(shown.err) == shown.err == visible(text) + "\n"
    stream = StringIO()
    terminal(file=stream, force_terminal=True, width=80, legacy_windows=False).print(Text(text, style="bold"))
    assert "\x1b]0;" not in stream.getvalue()
    assert "\x1b[1m" in stream.getvalue(), "styles are ours"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_in_a_picture_is_no_formula_and_no_markup(text):
    @in_style
    def drawn():
        made, axes = figure(2)
        axes.set_title(text)
        return made

    assert "<script" not in svg(drawn())
