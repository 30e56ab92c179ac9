"""How objects show themselves: views of notebooks, short texts, figures, and what tab completion offers."""

from __future__ import annotations

import base64
import copy
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nir
import numpy as np
import pytest
from matplotlib.figure import Figure

import spikewright as sw
from spikewright.base.shown import VIEWS, Brief, Shown, Views, brief
from spikewright.chip.activity import Overflows
from spikewright.data.output_rule import OutputRule
from spikewright.data.quality import Quality, quality_of
from spikewright.notebook import html
from spikewright.notebook.data import picture_of
from spikewright.training.deployment import Certificate

QUICK = {"student": sw.StudentSpec(width=2, timesteps=2), "training": sw.Training(epochs=2, integer_from=0.5)}
FEW = sw.DataSettings(name="digits", train_samples=60)
TEACHER = sw.TeacherSpec(name="mlp", teacher_epochs=1)


class Checked(HTMLParser):
    """A view's tables, pictures and words; refuses tags that are not closed."""

    VOID = ("img", "meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables = 0
        self.images: list[dict[str, str | None]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tables += tag == "table"
        if tag == "img":
            self.images.append(dict(attrs))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """One of each kind that has a view, from real trainings of two epochs."""
    pytest.importorskip("optuna")
    budget = sw.Budget(energy_budget="90nJ", profile="loihi2-assumed")
    trained = sw.distill(FEW, TEACHER, within=budget, **QUICK)
    graph = sw.to_nir(trained.student)
    chip = sw.lower(graph, profile="loihi2-assumed")
    activity = sw.simulate(chip, data="digits", on="integer", samples=20)
    priced = sw.report(activity, chip, profile="loihi2-assumed", energy_budget="90nJ")
    folder = tmp_path_factory.mktemp("bench")
    yield {
        "data": sw.load("digits"),
        "student": trained.student,
        "graph": graph,
        "chip": chip,
        "activity": activity,
        "report": priced,
        "energy": priced.energy,
        "certificate": trained.certificate,
        "distillation": trained,
        "quality": Quality(9, np.array([[3, 1, 0], [0, 2, 0], [1, 0, 2]])),
        "profile": sw.load_profile("loihi1-sanafe"),
        "sweep": sw.sweep(FEW, TEACHER, method="none", budgets=["90nJ"], out=folder / "sweep", **QUICK),
        "comparison": sw.compare(FEW, TEACHER, methods=["none"], seeds=1, out=folder / "compare", **QUICK),
    }


KINDS = {
    "data": ("digits: images (1, 8, 8), 10 classes", "input: 1 x 8 x 8 lines, T = 4; events of a sample: direct", 2),
    "student": ("Student: convnet, width 2", "Conv2d(1, 2, kernel_size=(3, 3)", 0),
    "graph": ("NIR graph: 13 nodes", "kernel 3 x 3, stride 2", 0),
    "chip": ("Chip network for loihi2-assumed", "2 x 1 x 3 x 3 convolution", 0),
    "activity": ("Activity", "20 samples of the test split, T = 2, integer simulation", 2),
    "report": ("loihi2-assumed: Loihi 2 limits", "nearest limit of the chip", 2),
    "energy": ("loihi2-assumed: Loihi 2 limits", "of 90 nJ", 2),
    "certificate": ("Certificate", "359 validation samples", 0),
    "distillation": ("Distilled: convnet, width 2, T = 2", "90 nJ", 1),
    "quality": ("Quality on 9 samples", "balanced accuracy", 1),
    "profile": ("loihi1-sanafe: Loihi 1", "synaptic_op_conv", 0),
    "sweep": ("Sweep: digits", "90nJ", 1),
    "comparison": ("Methods side by side: digits", "no budget", 1),
}
"""By kind, its view's title, what else it says, and its pictures."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_view_is_a_title_one_table_and_at_most_two_pictures(kind: str, objects: dict[str, object]) -> None:
    title, words, pictures = KINDS[kind]
    shown = sw.show(objects[kind])._repr_html_()
    assert shown is not None
    page = Checked(shown)
    assert page.words[0].startswith(title)
    assert words in page.text
    assert page.tables == 1
    assert len(page.images) == pictures <= 2
    for image in page.images:
        assert str(image["alt"]) != ""
        kind_of, _, data = str(image["src"]).partition(",")
        assert kind_of == "data:image/svg+xml;base64"
        assert b"<svg" in base64.b64decode(data)
    assert len(shown) < 150_000
    assert "http" not in re.sub(r'src="[^"]*"', "", shown)


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_is_short_and_holds_no_array(kind: str, objects: dict[str, object]) -> None:
    shown = objects[kind]
    text = repr(sw.show(shown)) if kind == "graph" else repr(shown)
    assert text.count("\n") < 20
    assert len(text) < 2_000
    assert "array(" not in text
    assert "tensor(" not in text


def test_our_objects_carry_their_view_themselves(objects: dict[str, object]) -> None:
    for kind, shown in objects.items():
        assert isinstance(shown, Shown) is (kind != "graph")
        if kind != "graph":
            assert shown._repr_html_() == VIEWS.html(shown)  # type: ignore[attr-defined]


def test_a_certificate_of_values_and_one_of_overflows_say_so(objects: dict[str, object]) -> None:
    found = objects["certificate"]
    assert isinstance(found, Certificate)
    values = sw.show(replace(found, accuracy=None, balanced_accuracy=None, f1=None, r2=(0.5,), mae=(2.0,)))
    assert "R^2 0.500, mean absolute error 2" in Checked(str(values._repr_html_())).text
    assert "R^2 0.500, mean absolute error 2 on 359 validation samples" in repr(values)
    wrapped = sw.show(replace(found, overflows={"validation": Overflows(wraps=3)}))
    assert "registers overflowed (3 on validation)" in Checked(str(wrapped._repr_html_())).text


def test_what_an_object_holds_is_brief_too(objects: dict[str, object]) -> None:
    activity, chip = objects["activity"], objects["chip"]
    assert isinstance(activity, sw.Activity)
    assert isinstance(chip, sw.ChipNetwork)
    held = [
        *activity.populations.values(),
        activity.answers,
        activity.by_step,
        activity.by_sample,
        *(activity.raster or {}).values(),
    ]
    held += [*chip.populations, *chip.connections, sw.load("digits").train]
    for each in held:
        assert isinstance(each, Brief)
        assert len(repr(each)) < 500
        assert "array(" not in repr(each)
    assert repr(chip.connections[0]).startswith("Connection(source='input', target='lif1', weight=int64 (2, 1, 3, 3), ")


def test_showing_and_telling_do_not_change_what_an_object_is(objects: dict[str, object]) -> None:
    activity = objects["activity"]
    assert isinstance(activity, sw.Activity)
    copied = pickle.loads(pickle.dumps(copy.deepcopy(activity)))
    assert repr(copied) == repr(activity)
    assert replace(activity, split="validation").split == "validation"


def test_a_graph_of_nir_stays_one(objects: dict[str, object], tmp_path: Path) -> None:
    graph = objects["graph"]
    assert type(graph) is nir.NIRGraph
    assert not hasattr(graph, "_repr_html_")
    nir.write(tmp_path / "graph.nir", graph)
    view = sw.show(nir.read(tmp_path / "graph.nir"))
    assert repr(view) == "NIR graph: 13 nodes (Conv2d, Affine, Flatten, Input, LIF, Output, I), 12 edges"


def test_a_graph_that_cannot_be_wired_says_why() -> None:
    nodes = {"input": nir.Input(np.array([3])), "scale": nir.Scale(np.ones(2)), "output": nir.Output(np.array([3]))}
    graph = nir.NIRGraph(nodes, [("input", "scale"), ("scale", "nowhere")], type_check=False)
    page = Checked(str(sw.show(graph)._repr_html_()))
    assert page.tables == 1
    assert "nowhere" in page.text


def test_an_ipython_shell_shows_graphs_once_it_is_asked_to(objects: dict[str, object]) -> None:
    formatters: dict[str, dict[type, Callable[..., object]]] = {"text/html": Formatter(), "text/plain": Formatter()}
    shell = SimpleNamespace(display_formatter=SimpleNamespace(formatters=formatters))
    sw.load_ipython_extension(shell)
    graph, told = objects["graph"], []
    assert formatters["text/html"][nir.NIRGraph](graph) == sw.show(graph)._repr_html_()
    formatters["text/plain"][nir.NIRGraph](graph, SimpleNamespace(text=told.append), False)
    assert told == [repr(sw.show(graph))]
    sw.unload_ipython_extension(shell)
    assert formatters == {"text/html": {}, "text/plain": {}}


class Formatter(dict):  # type: ignore[type-arg]
    """What is needed of a formatter of IPython."""

    def for_type(self, kind: type, function: Callable[..., object]) -> None:
        self[kind] = function


def test_a_view_is_saved_as_a_page(objects: dict[str, object], tmp_path: Path) -> None:
    file = sw.show(objects["certificate"]).save(tmp_path / "view.html")
    assert Checked(file.read_text(encoding="utf-8").split(">", 1)[1]).tables == 1


def test_what_has_no_view_is_refused() -> None:
    with pytest.raises(sw.InputError, match="shown: is a dict, of which there is no view; print it instead"):
        sw.show({})


def test_a_subclass_has_the_view_of_its_class_and_others_have_none() -> None:
    views = Views()

    class Kind(Shown):
        pass

    class Special(Kind):
        pass

    @views.of(Kind)
    def view(_: Kind) -> str:
        return "a view"

    assert views.html(Special()) == "a view"
    assert views.html(object()) is None
    assert Kind()._repr_html_() is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (np.zeros((3, 4), np.float32), "float32 (3, 4)"),
        ({"a": np.zeros(2, np.int64)}, "{'a': int64 (2,)}"),
        ({f"population {i}": 0 for i in range(20)}, "{20 entries}"),
        ((1, 2.5, None), "(1, 2.5, None)"),
        ([np.zeros(1)] * 40, "(40 entries of ndarray)"),
        ("x" * 100, f"'{'x' * 55} ..."),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_value_in_brief(value: object, told: str) -> None:
    assert brief(value) == told


def test_a_table_escapes_its_cells_and_says_what_it_leaves_out() -> None:
    shown = html.table([("name", ">count"), *((f"<b>{i}&", str(i)) for i in range(30))], most=5)
    page = Checked(shown)
    assert shown.count("<tr>") == 6
    assert "<b>" not in shown
    assert page.words[2] == "<b>0&"
    assert page.words[-1] == "and 25 more"
    assert html.table([("name", "count")]) == ""


@pytest.mark.parametrize(
    ("shape", "image"),
    [
        ((1, 8, 6), (8, 6)),
        ((3, 8, 6), (8, 6, 3)),
        ((2, 8, 6), (8, 6)),
        ((5, 8, 6), (40, 6)),
        ((12, 1, 1), (1, 12)),
        ((6, 40, 1), (6, 40)),
        ((40, 6, 1, 1), (6, 40)),
        ((10, 2, 8, 6), (8, 6)),
    ],
    ids=str,
)
def test_a_sample_of_any_shape_becomes_an_image(shape: tuple[int, ...], image: tuple[int, ...]) -> None:
    assert picture_of(np.random.default_rng(0).random(shape, dtype=np.float32))[0].shape == image


def test_on_is_red_and_off_is_blue() -> None:
    sample = np.zeros((1, 2, 2, 2), np.uint8)
    sample[0, 1, 0, 0] = 1  # an ON event
    image, options = picture_of(sample)
    assert image[0, 0] == -1.0
    assert options["cmap"] == "RdBu"  # low values are red


PLOTS: dict[str, Callable[[dict[str, object]], Figure]] = {
    "anchors": lambda o: sw.plot.anchors(o["report"], "mnist"),
    "budget": lambda o: sw.plot.budget(o["report"]),
    "comparison": lambda o: sw.plot.comparison(o["comparison"]),
    "confusion": lambda o: sw.plot.confusion(o["quality"], names=["ant", "bee", "cow"]),
    "encodings": lambda o: sw.plot.encodings(o["data"], sample=3),
    "energy_by_event": lambda o: sw.plot.energy_by_event(o["energy"]),
    "energy_by_layer": lambda o: sw.plot.energy_by_layer(o["report"]),
    "fit": lambda o: sw.plot.fit(o["report"]),
    "history": lambda o: sw.plot.history(o["distillation"]),
    "pareto": lambda o: sw.plot.pareto(o["sweep"]),
    "raster": lambda o: sw.plot.raster(o["activity"]),
    "rates": lambda o: sw.plot.rates(o["report"]),
    "spikes": lambda o: sw.plot.spikes(o["report"]),
}


def test_every_plot_is_tested() -> None:
    assert sorted(PLOTS) == sorted(sw.plot.__all__)


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_is_a_figure_that_a_notebook_shows(name: str, objects: dict[str, object]) -> None:
    drawn = PLOTS[name](objects)
    assert isinstance(drawn, Figure)
    assert drawn._repr_png_().startswith(b"\x89PNG")
    assert any(axes.has_data() for axes in drawn.axes)


def test_no_plot_starts_pyplot(objects: dict[str, object]) -> None:
    import matplotlib._pylab_helpers as helpers

    before = len(helpers.Gcf.get_all_fig_managers())
    for draw in PLOTS.values():
        draw(objects)
    assert len(helpers.Gcf.get_all_fig_managers()) == before


def test_the_history_shows_every_epoch_and_the_target(objects: dict[str, object]) -> None:
    trained = objects["distillation"]
    assert isinstance(trained, sw.Distillation)
    above, below = sw.plot.history(trained).axes
    lines = {line.get_label(): line for line in (*above.lines, *below.lines)}
    epochs = [record.epoch + 1 for record in trained.history]
    assert list(lines["validation"].get_xdata()) == epochs
    assert list(lines["validation"].get_ydata()) == [record.validation_accuracy for record in trained.history]
    assert list(lines["energy"].get_ydata()) == [record.cost for record in trained.history]
    assert list(lines["its target"].get_ydata())[-1] == trained.history[-1].targets["budget"]


def test_the_history_of_a_regression_is_that_of_r2(objects: dict[str, object]) -> None:
    trained = objects["distillation"]
    assert isinstance(trained, sw.Distillation)
    records = [
        replace(each, validation_accuracy=None, train_accuracy=None, quality={"r2": 0.5, "mae": 1.0}, train_r2=0.75)
        for each in trained.history
    ]
    above, _ = sw.plot.history(records).axes
    assert above.get_title(loc="left") == "R²"
    assert [list(line.get_ydata()) for line in above.lines[:2]] == [[0.5] * len(records), [0.75] * len(records)]


def test_records_of_a_callback_are_a_history_too(objects: dict[str, object]) -> None:
    trained = objects["distillation"]
    assert isinstance(trained, sw.Distillation)
    assert len(sw.plot.history(list(trained.history)).axes) == 2


def test_cells_of_a_confusion_matrix_say_counts_and_shades_say_shares() -> None:
    drawn = sw.plot.confusion(np.array([[3, 1], [0, 0]]))
    axes = drawn.axes[0]
    assert [text.get_text() for text in axes.texts] == ["3", "1"]
    assert np.array_equal(axes.images[0].get_array(), [[0.75, 0.25], [0, 0]])


def test_a_quality_shows_the_names_of_its_classes() -> None:
    rule = OutputRule(names=("ant", "bee"))
    quality = quality_of(rule, np.eye(2), np.array([0, 1]))
    assert [label.get_text() for label in sw.plot.confusion(quality).axes[0].get_yticklabels()] == ["ant", "bee"]
    named = sw.plot.confusion(quality, names=["A", "B"]).axes[0]
    assert [label.get_text() for label in named.get_yticklabels()] == ["A", "B"]
    unnamed = sw.plot.confusion(quality_of(OutputRule(), np.eye(2), np.array([0, 1]))).axes[0]
    assert [label.get_text() for label in unnamed.get_yticklabels()] == ["0", "1"]


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda _: sw.plot.confusion(Quality(3, None, (0.1,), (0.9,))), "a regression has no confusion matrix"),
        (lambda _: sw.plot.confusion(np.zeros((2, 3))), r"quality: has shape \(2, 3\); a confusion matrix is"),
        (lambda _: sw.plot.confusion(np.eye(2), names=["one"]), "names: 1 names for 2 classes"),
        (lambda o: sw.plot.budget(o["chip"]), "report: is a ChipNetwork; may be what `sw.report` returns"),
        (lambda o: sw.plot.fit(o["energy"]), "report: is an EnergyReport; may be what `sw.report` returns"),
        (
            lambda o: sw.plot.rates(o["student"]),
            "counted: is a Student; may be what `sw.simulate` or `sw.report` returns",
        ),
        (lambda o: sw.plot.pareto(o["comparison"]), "result: is a ComparisonResult; may be what `sw.sweep` returns"),
        (lambda _: sw.plot.history([]), "there is no epoch to plot yet"),
        (lambda o: sw.plot.raster(replace(o["activity"], raster=None)), "the spikes of the first sample were not kept"),
        (lambda o: sw.plot.rates(replace(o["activity"], by_step=None)), "the spikes of single steps were not counted"),
    ],
)
def test_what_cannot_be_plotted_is_refused(
    draw: Callable[[dict[str, object]], Figure], sentence: str, objects: dict[str, object]
) -> None:
    with pytest.raises(sw.InputError, match=sentence):
        draw(objects)


def test_tab_completion_offers_public_names_alone() -> None:
    assert dir(sw) == sorted(sw.__all__)
    assert [name for name in dir(sw) if name.startswith("_")] == ["__version__"]
    assert all(hasattr(sw, name) for name in dir(sw))
    assert [name for name in dir(sw.plot) if not name.startswith("_")] == sorted(sw.plot.__all__)
