"""NIR graphs of any tool as students: equal spikes, and what has no counterpart is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch
from torch import nn

import spikewright as sw
from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.graph.nir_io import read_graph, write_graph
from spikewright.student.config import StudentConfig
from spikewright.student.graph_start import FromGraph
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator

RNG = np.random.default_rng(1)


def weights(*shape: int) -> Any:
    return RNG.normal(0, 0.6, shape).astype(np.float32)


def graph(nodes: dict[str, Any], edges: list[tuple[str, str]] | None = None, **metadata: Any) -> nir.NIRGraph:
    names = list(nodes)
    wired = edges or list(pairwise(names))
    return nir.NIRGraph(nodes, wired, metadata={"dt_s": 1e-3, "reset": "zero", **metadata}, type_check=False)


def lif(
    *shape: int, tau: float = 5e-3, r: float = 3.0, leak: float = 0.0, threshold: float = 0.4, reset: float = 0.0
) -> nir.LIF:
    def of(value: float) -> Any:
        return np.full(shape, value, np.float32)

    return nir.LIF(tau=of(tau), r=of(r), v_leak=of(leak), v_threshold=of(threshold), v_reset=of(reset))


def ends(first: tuple[int, ...], last: tuple[int, ...]) -> tuple[nir.Input, nir.Output]:
    return nir.Input(np.array(first)), nir.Output(np.array(last))


@pytest.mark.parametrize("encoding", ["direct", "current", "rate", "latency"])
@pytest.mark.parametrize("kind", ["lif", "cubalif"])
@pytest.mark.parametrize("reset", ["zero", "subtract", "subtract-late"])
def test_our_own_graphs_come_back(encoding: str, kind: str, reset: str) -> None:
    torch.manual_seed(2)
    neuron = NeuronSettings(kind, 0.7, 0.6, 0.3, reset=reset)  # type: ignore[arg-type]
    config = sw.StudentConfig("skipnet", 3, (1, 8, 8), 5, 4, encoding, neuron=neuron)  # type: ignore[arg-type]
    student = sw.Student(config).eval()
    again = sw.Student.from_nir(sw.to_nir(student))
    images = torch.rand(6, 1, 8, 8)
    with torch.no_grad():
        one, other = student(images), again(images)
    assert torch.allclose(one.logits, other.logits, atol=1e-4)
    assert again.config.architecture == "imported" and again.config.encoding == encoding
    assert again.config.timesteps == 4 and again.config.readout == "membrane"


@pytest.mark.parametrize("architecture", ["mlp", "convnet", "skipnet", "vgg", "temporal"])
@pytest.mark.parametrize("readout", ["membrane", "count"])
def test_graphs_and_students_of_them_are_stable_in_bytes(architecture: str, readout: str, tmp_path: Path) -> None:
    """From a student to its graph, to the student of it, and on; names with dots lose these on the way, once."""
    torch.manual_seed(0)
    config = StudentConfig(architecture, 3, (1, 16, 16), 10, 4, readout=readout)
    student, written = sw.Student(config).eval(), []
    for number in range(3):
        path = tmp_path / f"{number}.nir"
        write_graph(sw.to_nir(student), path)
        student = sw.Student.from_nir(path)
        written.append(path.read_bytes())
    assert written[1] == written[2]
    assert (written[0] == written[1]) == (architecture != "skipnet")
    first, second = (read_graph(tmp_path / f"{number}.nir") for number in (0, 1))
    renamed = [tuple(end.replace(".", "_") for end in edge) for edge in first.edges]
    assert renamed == second.edges
    for name, node in first.nodes.items():
        other = second.nodes[name.replace(".", "_")]
        assert type(node) is type(other)
        for key, value in vars(node).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_array_equal(value, getattr(other, key))


def test_gains_leaks_and_time_constants_of_each_channel(tmp_path: Path) -> None:
    first, last = ends((2, 7, 7), (3,))
    neurons = lif(4, 4, 4, leak=0.05)
    neurons.tau = np.broadcast_to(np.array([3e-3, 4e-3, 5e-3, 9e-3])[:, None, None], (4, 4, 4)).astype(np.float32)
    made = graph(
        {
            "input": first,
            "c.1": nir.Conv2d((7, 7), weights(4, 2, 3, 3), (2, 2), (1, 1), (1, 1), 1, weights(4)),
            "lif.1": neurons,
            "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
            "scale": nir.Scale(np.full((4, 2, 2), 0.5, np.float32)),
            "flat": nir.Flatten({"input": np.array([4, 2, 2])}, 0, -1),
            "fc": nir.Affine(weights(3, 16), weights(3)),
            "out": nir.LI(tau=np.full(3, 4e-3), r=np.full(3, 2.0), v_leak=np.full(3, 0.1)),
            "output": last,
        }
    )
    write_graph(made, tmp_path / "g.nir")
    student = sw.Student.from_nir(tmp_path / "g.nir", 6)
    images = torch.rand(5, 2, 7, 7)
    drive = student.drive(images)
    found = sw.interpret(made, drive[0].double().numpy(), timesteps=6)
    with torch.no_grad():
        assert torch.allclose(student(images).scores, torch.from_numpy(found.scores).float(), atol=1e-4)
    sw.save_student(student, tmp_path / "s.pt", {})
    assert sw.load_student(tmp_path / "s.pt").config == student.config


def test_vectors_sums_and_a_dense_loop() -> None:
    first, last = ends((6,), (3,))
    nodes = {
        "input": first,
        "a": nir.Linear(weights(5, 6)),
        "b": nir.Affine(weights(5, 6), weights(5)),
        "lif": lif(5, r=5.0),
        "loop": nir.Affine(weights(5, 5), weights(5)),
        "fc": nir.Linear(weights(3, 5)),
        "out": nir.IF(r=np.full(3, 1e3), v_threshold=np.full(3, 0.5), v_reset=np.zeros(3)),
        "output": last,
    }
    edges = [("input", "a"), ("input", "b"), ("a", "lif"), ("b", "lif"), ("lif", "loop"), ("loop", "lif")]
    made = graph(nodes, [*edges, ("lif", "fc"), ("fc", "out"), ("out", "output")])
    student = sw.Student.from_nir(made, timesteps=5)
    assert student.config.input_shape == (6, 1, 1) and student.config.readout == "count"
    images = torch.rand(4, 6, 1, 1)
    found = sw.interpret(made, student.drive(images)[0].double().flatten(1).numpy(), timesteps=5)
    with torch.no_grad():
        assert torch.equal(student(images).scores, torch.from_numpy(found.scores).float())


def refusal(made: nir.NIRGraph, **asked: Any) -> str:
    with pytest.raises(InputError) as raised:
        sw.Student.from_nir(made, **asked)
    return str(raised.value)


def test_what_has_no_counterpart_is_refused_at_once() -> None:
    first, last = ends((4,), (2,))
    middle = nir.LI(tau=np.full(4, 5e-3), r=np.ones(4), v_leak=np.zeros(4))
    below = lif(2, reset=0.5)  # above its threshold
    nodes = {"input": first, "li": middle, "fc": nir.Linear(weights(2, 4)), "out": below, "output": last}
    told = refusal(graph(nodes), timesteps=3)
    assert "li: does not fire" in told and "out: has a threshold that is not above 0" in told
    plain = {"input": first, "fc": nir.Linear(weights(2, 4)), "output": last}
    assert "a student answers by one layer of neurons" in refusal(graph(plain), timesteps=3)
    good = graph({"input": first, "fc": nir.Linear(weights(2, 4)), "out": lif(2), "output": last})
    assert "over how many steps" in refusal(good)
    assert "no multiple" in refusal(good, timesteps=2, classes=3)
    assert "may be" in refusal(good, timesteps=2, encoding="morse")


@pytest.mark.parametrize("kind", ["LIF", "IF", "CubaLIF"])
def test_potentials_are_counted_from_their_reset(kind: str) -> None:
    """The student's begin there: it fires as the graph does whose potentials are shifted by hand."""

    def made(reset: float, threshold: float, leak: float) -> nir.NIRGraph:
        first, last = ends((6,), (2,))
        ones, drawn = np.ones(5), np.random.default_rng(3)
        constants: dict[str, Any] = {"r": 5 * ones, "v_threshold": threshold * ones, "v_reset": reset * ones}
        if kind == "IF":
            node: nir.NIRNode = nir.IF(**constants | {"r": ones / 1e-3})
        elif kind == "LIF":
            node = nir.LIF(tau=5e-3 * ones, v_leak=leak * ones, **constants)
        else:
            node = nir.CubaLIF(tau_mem=5e-3 * ones, tau_syn=2e-3 * ones, w_in=2 * ones, v_leak=leak * ones, **constants)
        return graph(
            {
                "input": first, "fc": nir.Affine(drawn.normal(size=(5, 6)), drawn.normal(size=5) / 9), "lif": node,
                "head": nir.Linear(drawn.normal(size=(2, 5))), "out": lif(2), "output": last,
            }
        )  # fmt: skip

    heard: list[str] = []

    class Remarks(sw.Callback):
        def on_message(self, text: str, kind: Any) -> None:
            heard.append(text)

    # CubaLIF: the leak is to v_reset, since a student has no bias behind the synaptic filter.
    leak = -0.25 if kind == "CubaLIF" else 0.1
    student = sw.Student.from_nir(made(-0.25, 0.5, leak), 7, callbacks=[Remarks()])
    said = "'lif': its potentials are counted from v_reset (-0.25 to -0.25), so that those of chip and student begin"
    assert any(said in each for each in heard)
    images = torch.rand(20, 6, 1, 1)
    with torch.no_grad():
        output = student(images)
    shifted = sw.interpret(made(0.0, 0.75, leak + 0.25), output.drive[0].double().reshape(20, 6).numpy(), timesteps=7)
    assert np.array_equal(output.spikes["lif"].numpy(), shifted.spikes["lif"].swapaxes(0, 1))
    assert 0.05 < float(output.spikes["lif"].mean()) < 0.95
    chip, by_hand = (sw.lower(each, timesteps=7, encoding="direct", input_bits=6) for each in (
        made(-0.25, 0.5, leak), made(0.0, 0.75, leak + 0.25)))  # fmt: skip
    ours = sw.lower(sw.to_nir(student))
    for one, two, three in zip(chip.populations, by_hand.populations, ours.populations, strict=True):
        if one.neuron is not None:
            assert one.neuron.vth == two.neuron.vth == three.neuron.vth
            assert np.array_equal(one.neuron.bias, three.neuron.bias)


def test_a_student_that_computes_something_else_is_no_student(monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = ends((4,), (2,))
    good = graph({"input": first, "fc": nir.Linear(np.ones((2, 4))), "out": lif(2), "output": last})
    original = FromGraph.prove

    def spoilt(self: FromGraph, drive: Any, traces: Any) -> Any:
        for module in self.made.network.modules():
            if isinstance(module, nn.Linear):
                module.weight.data.mul_(2)
        return original(self, drive * 0.5, traces)

    monkeypatch.setattr(FromGraph, "prove", spoilt)
    with pytest.raises(AnswerIsNo, match="does not compute what the network does"):
        sw.Student.from_nir(good, 4)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("classes", "ten", "metadata say classes = 'ten'; must be a whole number"),
        ("timesteps", 2.5, r"metadata say timesteps = 2\.5; must be a whole number"),
        ("input_bits", [8], r"metadata say input_bits = \[8\]; must be a whole number"),
        ("input_rule", "{", "InputRule: cannot be read"),
        ("output_rule", "[]", "OutputRule: cannot be read"),
    ],
)
def test_metadata_that_are_damaged_are_refused(key: str, value: object, said: str) -> None:
    graph = sw.to_nir(sw.Student(sw.StudentConfig("mlp", 4, (1, 3, 3), 2, 3)).eval())
    graph.metadata[key] = value
    with pytest.raises(InputError, match=said):
        sw.Student.from_nir(graph)


def test_nodes_named_by_python_keywords(tmp_path: Path) -> None:
    """``NIRGraph.from_list`` names an IF node ``if``."""
    ones = np.ones(3)
    fires = nir.IF(r=ones / 1e-3, v_threshold=0.4 * ones)
    listed = nir.NIRGraph.from_list(
        nir.Linear(weights(3, 4)), fires, nir.Linear(weights(2, 3)), nir.I(r=1e3 * np.ones(2))
    )
    listed.metadata |= {"dt_s": 1e-3, "reset": "zero"}
    assert "if" in listed.nodes
    student = sw.Student.from_nir(listed, 4, encoding="rate")
    assert "if_" in student(torch.rand(2, 4, 1, 1)).spikes
    sw.save_student(student, tmp_path / "s.pt", {})
    assert "if_" in sw.load_student(tmp_path / "s.pt")(torch.rand(2, 4, 1, 1)).spikes


def test_layers_named_by_python_keywords_are_refused() -> None:
    body = nn.Sequential()
    for name, module in (("lambda", nn.Linear(4, 3)), ("lif", integrator())):
        body.add_module(name, module)
    with pytest.raises(InputError) as caught:
        sw.Student(sw.StudentConfig("own", 3, (4, 1, 1), 3, 4, "rate"), nn.Sequential(nn.Flatten(), body))
    assert str(caught.value) == "Sequential: layer '1.lambda' is named by a Python keyword; give it another name"
