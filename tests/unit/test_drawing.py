"""Pictures of networks: where boxes go, what they say, and that nothing in a name becomes markup."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.activity_file import save_activity
from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.commands.cli import main
from spikewright.graph.nir_io import write_graph
from spikewright.pages.drawing.layers import in_layers
from spikewright.pages.drawing.places import BETWEEN, _apart, across
from spikewright.pages.drawing.svg import width_of
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student, save_student

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).iter(f"{SVG}text")]


def neuron(shape: tuple[int, ...], **registers: object) -> Neuron:
    return Neuron(**({"du": 4095, "dv": 256, "vth": 40, "bias": np.zeros(shape, np.int64)} | registers))


def network(first: str = "input", second: str = "hidden", profile: str = "none") -> ChipNetwork:
    """Events of 2 x 4 x 4 into a convolution, a recurrent population and a readout of potentials."""
    random = np.random.default_rng(0)
    populations = (
        Population(first, (2, 4, 4), "input", None),
        Population(second, (3, 2, 2), "hidden", neuron((3, 2, 2), bias=np.arange(12).reshape(3, 2, 2))),
        Population("loop", (5,), "hidden", neuron((5,), law="lif-subtract", du=1000)),
        Population("readout", (2,), "readout", neuron((2,), vth=131071, fires=False)),
    )
    connections = (
        Connection(first, second, random.integers(-9, 9, (3, 2, 2, 2)), conv=ConvGeometry(stride=(2, 2))),
        Connection(second, "loop", random.integers(-9, 9, (5, 12))),
        Connection("loop", "loop", random.integers(-9, 9, (5, 5))),
        Connection("loop", "readout", random.integers(-9, 9, (2, 5))),
    )
    return ChipNetwork(populations, connections, 4, "rate", "membrane", profile, "")


def counts(chip: ChipNetwork, sha256: str = "") -> Activity:
    """Of ten samples: every input line gives 2 of 4 events in each, hidden neurons fire once, the others never."""
    fired = {"input": 20, "hidden": 10, "loop": 0, "readout": 0}
    populations = {
        each.name: PopulationActivity(
            np.full(each.shape, fired[each.name]), 0 if each.neuron is None else 40 * each.size, 0
        )
        for each in chip.populations
    }
    operations = {"input->hidden": 8_000, "hidden->loop": 600, "loop->loop": 0, "loop->readout": 0}
    return Activity(populations, operations, 10, 4, "integer", sha256, None, "test")


def graph(*extra: tuple[str, str]) -> nir.NIRGraph:
    ones = np.ones(4, np.float32)
    nodes = {
        "input": nir.Input(np.array([3])),
        "fc": nir.Affine(np.ones((4, 3), np.float32), ones),
        "lif": nir.LIF(ones * np.array([1, 2, 1, 1]) * 1e-3, ones * 10, ones * 0, ones, ones * 0),
        "rec": nir.Linear(np.eye(4, dtype=np.float32)),
        "output": nir.Output(np.array([4])),
    }
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output"), ("lif", "rec"), ("rec", "lif"), *extra]
    return nir.NIRGraph(nodes, edges, metadata={"timesteps": 4, "encoding": "events", "dt": 1e-4}, type_check=False)


# where boxes go


def test_layers_of_the_longest_way_and_a_loop_that_is_turned() -> None:
    found = in_layers(["a", "b", "c", "d"], [("a", "b"), ("b", "c"), ("a", "c"), ("c", "b"), ("d", "c"), ("c", "c")])
    nodes = [[item for item in row if item.startswith("node")] for row in found.rows]
    assert nodes == [["node a"], [], sorted(["node b", "node d"], key=found.rows[2].index), [], ["node c"]]
    assert {way.edge: way.is_turned for way in found.ways} == {0: False, 1: False, 2: False, 3: True, 4: False}
    assert [len(way.items) for way in found.ways] == [3, 3, 5, 3, 3]
    assert [item.split()[0] for item in found.ways[2].items] == ["node", "label", "bend", "bend", "node"]


def test_crossings_are_counted_and_taken_out() -> None:
    found = in_layers(["a", "b", "x", "y"], [("a", "y"), ("b", "x")])
    assert found.crossings() == 0
    assert found.rows[0] != found.rows[2]
    found.rows[2][:] = ["node x", "node y"]
    found.rows[0][:] = ["node a", "node b"]
    found.rows[1][:] = [way.items[1] for way in found.ways]
    assert found.crossings() == 1
    assert in_layers(["a", "b", "x", "y"], [(s, t) for s in "ab" for t in "xy"]).crossings() == 1


def test_items_that_want_one_place_stand_beside_it() -> None:
    assert _apart([50, 50], [1, 1], [20, 40]) == pytest.approx([50 - (30 + BETWEEN) / 2, 50 + (30 + BETWEEN) / 2])
    assert _apart([50, 50], [3, 1], [20, 20]) == pytest.approx([50 - 0.25 * (20 + BETWEEN), 50 + 0.75 * (20 + BETWEEN)])
    assert _apart([0, 500], [1, 1], [20, 20]) == [0, 500]


@given(st.integers(1, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_nothing_overlaps_and_every_edge_goes_through_each_layer_between(count: int, data: st.DataObject) -> None:
    names = [f"n {i}" for i in range(count)]
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names))
    edges = data.draw(st.lists(pairs, max_size=25))
    found = in_layers(names, edges)
    layer = {item: index for index, row in enumerate(found.rows) for item in row}
    assert sorted(item for item in layer if item.startswith("node")) == sorted(f"node {name}" for name in names)
    assert len(layer) == sum(map(len, found.rows))
    assert [way.edge for way in found.ways] == [i for i, (a, b) in enumerate(edges) if a != b]
    for way in found.ways:
        ends = (edges[way.edge][1], edges[way.edge][0]) if way.is_turned else edges[way.edge]
        assert (way.items[0], way.items[-1]) == tuple(f"node {name}" for name in ends)
        assert all(layer[lower] - layer[upper] == 1 for upper, lower in pairwise(way.items))
        assert sum(item.startswith("label") for item in way.items) == 1
    width = {item: 20.0 + 7 * (index % 5) for index, item in enumerate(layer)}
    x = across(found, width)
    for row in found.rows:
        for left, right in pairwise(row):
            assert x[right] - x[left] >= (width[left] + width[right]) / 2 + BETWEEN - 1e-6
    assert min(x[item] - width[item] / 2 for item in x) == pytest.approx(0)
    assert in_layers(names, edges).rows == found.rows


# what they say


def test_a_chip_network_with_registers_and_weights() -> None:
    said = texts(sw.draw(network()).svg)
    assert said[:2] == ["Chip network for none", "rate input, T = 4, membrane readout"]
    for line in (
        "2 × 4 × 4 events", "3 × 2 × 2 neurons", "vth 40 · du 4,095 · dv 256", "bias 0..11 × 2^6", "reset subtract",
        "never fires · du 4,095 · dv 256", "convolution 3 × 2 × 2 × 2, stride 2", "dense 5 × 12", "dense 5 × 5",
    ):  # fmt: skip
        assert line in said


def test_counts_are_per_inference_and_rates_per_neuron_and_step() -> None:
    chip = network()
    svg = sw.draw(chip, counts(chip)).svg
    said = texts(svg)
    assert said[1] == "rate input, T = 4, membrane readout; counts per inference, of 10 test samples"
    assert "64 events · rate 50.0%" in said  # 32 lines x 20 events / 10 samples; 2 of 4 steps
    assert "12 spikes · rate 25.0%" in said
    assert "800 synaptic operations" in said
    assert "60 synaptic operations" in said
    assert len([line for line in said if "rate" in line]) == 4  # of the subtitle, and of all but the readout
    bars = [each for each in ET.fromstring(svg).iter(f"{SVG}rect") if each.get("class") == "bar"]
    tracks = [each for each in ET.fromstring(svg).iter(f"{SVG}rect") if each.get("class") == "track"]
    assert len(tracks) == 3
    shares = [
        float(bar.get("width", 0)) / float(track.get("width", 1)) for bar, track in zip(bars, tracks, strict=False)
    ]
    assert shares == pytest.approx([0.5, 0.25], abs=0.01)
    widths = {float(each.get("stroke-width", 0)) for each in ET.fromstring(svg).iter(f"{SVG}path") if each.get("d")}
    assert {4.5, 1.3 + round(3.2 * 0.075, 1)} <= widths


def test_a_graph_of_any_tool_and_its_loop() -> None:
    svg = sw.draw(graph()).svg
    said = texts(svg)
    assert said[:2] == ["NIR graph", "events input, T = 4, dt = 0.0001 s"]
    for line in (
        "Affine · 3 → 4",
        "weights 4 × 3 + bias",
        "LIF · 4 neurons",
        "tau 0.001..0.002 · r 10 · v_threshold 1",
    ):
        assert line in said
    assert svg.count('class="line late"') == 1
    chip = network()
    counted = texts(sw.draw(graph(), Activity({"lif": chip_activity()}, {"input->lif": 90}, 10, 4, "integer")).svg)
    assert "2 spikes · rate 12.5%" in counted
    assert "9 synaptic operations arrive" in counted
    assert chip.populations


def chip_activity() -> PopulationActivity:
    return PopulationActivity(np.full(4, 5), 160, 160)


def test_a_graph_with_faults_is_drawn_and_says_what_is_missing() -> None:
    broken = graph()
    broken.nodes["fc"] = nir.Affine(np.ones((4, 7), np.float32), np.ones(4, np.float32))
    found = sw.draw(broken)
    assert found.remarks[0].startswith("shapes are not shown: NIR graph: ")
    assert "weights 4 × 7 + bias" in texts(found.svg)


def test_a_student_is_drawn_by_its_graph() -> None:
    torch.manual_seed(0)
    said = texts(sw.draw(Student(StudentConfig("mlp", 6, (1, 8, 8), 10, 4)).eval()).svg)
    assert said[0] == "Student: mlp, width 6"
    assert "LIF · 6 neurons" in said


EVIL = "<script>alert(1)</script>\"'&]]><!--\x1b[31m\u202eabc\ud800\ufffe\n"


def test_a_name_is_a_text_and_nothing_else() -> None:
    drawn = sw.draw(network(EVIL, "漢字 ü " + 200 * "x", f"{EVIL}p"))
    root = ET.fromstring(drawn.svg.encode())
    kinds = {each.tag.removeprefix(SVG) for each in root.iter()}
    assert kinds == {"svg", "title", "style", "rect", "text", "path", "g"}
    assert not any(key.startswith("on") or "href" in key for each in root.iter() for key in each.attrib)
    said = texts(drawn.svg)
    assert "<script>alert(1)</script>\"'&]]><!--\ufffd[31m\ufffdabc\ufffd\ufffd" in said
    assert not any(character in drawn.svg for character in "\x1b\u202e\ufffe")
    assert all(len(line) <= 60 for line in said[2:])
    page = str(drawn._repr_html_())
    assert "<script" not in page
    assert page.count("data:image/svg+xml;base64,") == 1


def test_every_text_lies_within_its_box_and_every_box_within_the_picture() -> None:
    chip = network("a name that is rather long, as names of modules are")
    root = ET.fromstring(sw.draw(chip, None).svg)
    width, height = (float(root.get(key, 0)) for key in ("width", "height"))
    for group in root.iter(f"{SVG}g"):
        box = next(each for each in group.iter(f"{SVG}rect") if each.get("class") == "box")
        left, top, wide, high = (float(box.get(key, 0)) for key in ("x", "y", "width", "height"))
        assert 0 <= left
        assert left + wide <= width
        assert top + high <= height
        for text in group.iter(f"{SVG}text"):
            size = 13.5 * 1.1 if "name" in text.get("class", "") else 11.5
            assert left < float(text.get("x", 0)) + width_of(text.text or "", size) <= left + wide
            assert top < float(text.get("y", 0)) < top + high


def test_equal_networks_give_equal_bytes_and_nothing_is_loaded() -> None:
    chip = network()
    svg = sw.draw(chip, counts(chip)).svg
    assert svg == sw.draw(network(), counts(chip)).svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert "prefers-color-scheme:dark" in svg


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(InputError, match="network: is a dict; may be a NIR graph, a chip network or a student"):
        sw.draw({})
    many = nir.NIRGraph({f"n{i}": nir.Linear(np.eye(1)) for i in range(1_001)}, [], type_check=False)
    with pytest.raises(InputError, match="NIR graph: has 1,001 nodes, and a picture of more than 1,000 shows nothing"):
        sw.draw(many)


def test_counts_of_another_network_are_refused_with_every_reason() -> None:
    with pytest.raises(InputError) as caught:
        sw.draw(network("input", "other"), counts(network()))
    assert str(caught.value) == (
        "activity: 2 faults\n  - does not count 'other': it is of another network; simulate this one\n"
        "  - counts 'hidden', which the network does not have; simulate this one"
    )
    fewer = Activity({"lif": PopulationActivity(np.zeros(3, np.int64), 0, 0)}, {}, 0, 4, "integer")
    with pytest.raises(InputError) as caught:
        sw.draw(graph(), fewer)
    assert str(caught.value) == (
        "activity: 2 faults\n  - counts no samples\n  - counts 3 of 'lif', and the network has 4; simulate this one"
    )


# from the command line


@pytest.mark.parametrize("kind", ["student.pt", "graph.nir", "chip.h5"])
def test_every_kind_of_file_is_drawn(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / kind, tmp_path / "network.svg"
    if kind == "student.pt":
        save_student(Student(StudentConfig("mlp", 6, (1, 8, 8), 10, 4)).eval(), file, {})
    elif kind == "graph.nir":
        write_graph(graph(), file)
    else:
        save_chip(network(), file)
    assert main(["draw", str(file), "-o", str(out)]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert ET.parse(out).getroot().tag == f"{SVG}svg"
    assert main(["draw", str(file), "-o", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["network"], found["svg"], found["remarks"]) == (str(file), str(out), [])


def test_counts_from_a_file_and_those_of_another_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from spikewright.base.artefacts import sha256_of

    chip, file, out = network(), tmp_path / "chip.h5", tmp_path / "n.svg"
    save_chip(chip, file)
    save_activity(counts(chip, sha256_of(file)), tmp_path / "a.json")
    save_activity(counts(chip, "0" * 64), tmp_path / "b.json")
    assert main(["draw", str(file), "--activity", str(tmp_path / "a.json"), "-o", str(out)]) == 0
    assert "12 spikes · rate 25.0%" in texts(out.read_text("utf-8"))
    out.unlink()
    assert main(["draw", str(file), "--activity", str(tmp_path / "b.json"), "-o", str(out)]) == 2
    assert "was counted on another chip network" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["net.onnx"], "net.onnx: what is drawn is told by its ending: student.pt, graph.nir or chip.h5"),
        (["g.nir", "--network", "n.py:f"], "--network n.py:f: is for a student's file, student.pt; leave it out"),
        (["g.nir"], "g.nir: there is no such file"),
    ],
)
def test_what_is_no_network_is_refused(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["draw", *words]) == 2
    assert message in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".")]


def test_a_graph_that_was_mended_says_so() -> None:
    ones = np.ones(2)
    neuron = nir.IF(r=1e4 * ones, v_threshold=ones)
    made = nir.NIRGraph.from_list(nir.Linear(np.ones((2, 3))), neuron)
    made.nodes["again"] = nir.Output(np.array([2]))
    made.edges.append(("if", "again"))
    (remark,) = sw.draw(made).remarks
    assert remark.startswith("drawn as it is read: outputs ") and "are joined" in remark


def test_an_activity_is_no_path() -> None:
    with pytest.raises(InputError, match=r"activity: is of type str; may be what `sw\.simulate` returns"):
        sw.draw(network(), "activity.json")  # type: ignore[arg-type]
