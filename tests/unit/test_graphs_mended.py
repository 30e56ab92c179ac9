"""Scars of exporters are mended: a scarred graph computes what the plain one does, and what was changed is said."""

from __future__ import annotations

from copy import copy
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.graph.interpreter import interpret
from spikewright.graph.nir_io import graph_bytes
from spikewright.graph.wiring import survey, wire
from spikewright.lowering.check import check, repair
from spikewright.lowering.lower import lower

DT = 1e-4
Nodes = dict[str, nir.NIRNode]


def lif(*shape: int) -> nir.LIF:
    ones = np.ones(shape, np.float32)
    return nir.LIF(tau=ones * 2e-4, r=ones * 2, v_leak=ones * 0, v_threshold=ones, v_reset=ones * 0)


def dense() -> Nodes:
    rng = np.random.default_rng(0)
    return {
        "input": nir.Input(np.array([6])),
        "a": nir.Affine(rng.random((5, 6), np.float32), np.full(5, 0.25, np.float32)),
        "n": lif(5),
        "scale": nir.Scale(np.full(5, 0.5, np.float32)),
        "b": nir.Linear(rng.random((3, 5), np.float32)),
        "m": lif(3),
        "output": nir.Output(np.array([3])),
    }


def convolutional() -> Nodes:
    rng = np.random.default_rng(0)
    return {
        "input": nir.Input(np.array([2, 6, 6])),
        "a": nir.Conv2d((6, 6), rng.random((3, 2, 3, 3), np.float32), 1, 0, 1, 1, np.full(3, 0.25, np.float32)),
        "n": lif(3, 4, 4),
        "pool": nir.SumPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "scale": nir.Scale(np.full((3, 2, 2), 0.5, np.float32)),
        "flat": nir.Flatten({"input": np.array([3, 2, 2])}, 0, -1),
        "b": nir.Affine(rng.random((4, 12), np.float32), np.full(4, 0.5, np.float32)),
        "m": lif(4),
        "output": nir.Output(np.array([4])),
    }


def graph_of(nodes: Nodes) -> nir.NIRGraph:
    return nir.NIRGraph(nodes, list(pairwise(nodes)), metadata={}, type_check=False)


def potentials(graph: nir.NIRGraph) -> dict[str, np.ndarray]:
    wiring = wire(graph)
    shape = wiring.shapes[wiring.input][1]
    drive = (np.random.default_rng(1).random((8, 2, *shape)) < 0.3).astype(float)
    return {k: v.numpy() for k, v in interpret(wiring, torch.from_numpy(drive), DT, 8).membranes.items()}


def changed(nodes: Nodes, name: str, **fields: Any) -> None:
    nodes[name] = copy(nodes[name])
    for field, value in fields.items():
        setattr(nodes[name], field, value)


def batch_in_ends(nodes: Nodes) -> None:
    for name, kind in (("input", nir.Input), ("output", nir.Output)):
        (shape,) = nodes[name].input_type.values() if name == "input" else nodes[name].output_type.values()
        nodes[name] = kind(np.array([1, *shape]))


def batch_in_neurons(nodes: Nodes) -> None:
    for name in ("n", "m"):
        fields = ("tau", "r", "v_leak", "v_threshold", "v_reset")
        changed(nodes, name, **{field: getattr(nodes[name], field)[None] for field in fields})


def batch_in_scale(nodes: Nodes) -> None:
    changed(nodes, "scale", scale=nodes["scale"].scale[None])


def scalar_scale(nodes: Nodes) -> None:
    changed(nodes, "scale", scale=np.array(0.5))


def scalar_parameters(nodes: Nodes) -> None:
    changed(nodes, "a", bias=np.array(0.25))
    changed(nodes, "n", v_threshold=np.array(1.0), v_leak=np.array(0.0))


def batch_in_bias(nodes: Nodes) -> None:
    changed(nodes, "a", bias=nodes["a"].bias.reshape(1, -1, *[1] * (nodes["a"].weight.ndim - 2)))


def batch_in_weights(nodes: Nodes) -> None:
    changed(nodes, "b", weight=nodes["b"].weight[None])


def transposed(nodes: Nodes) -> None:
    changed(nodes, "b", weight=np.swapaxes(nodes["b"].weight, -1, -2))


def zero_delay(nodes: Nodes) -> None:
    kept = dict(nodes)
    nodes.clear()
    for name, node in kept.items():
        nodes[name] = node
        if name == "n":
            nodes["delay"] = nir.Delay(np.zeros(node.tau.shape))


def counted_batch(nodes: Nodes) -> None:
    if "flat" in nodes:
        nodes["flat"] = nir.Flatten({"input": np.array([1, 3, 2, 2])}, 1, -1)


def unknown_batch(nodes: Nodes) -> None:
    """sinabs writes (0, 0, 0, 0)."""
    if "flat" in nodes:
        nodes["flat"] = nir.Flatten({"input": np.array([0, 0, 0, 0])}, 1, 3)


def batch_left_over(nodes: Nodes) -> None:
    if "flat" in nodes:
        nodes["flat"] = nir.Flatten({"input": np.array([3, 2, 2])}, 1, -1)


def one_value_by_channel(nodes: Nodes) -> None:
    if "pool" in nodes:
        changed(nodes, "n", tau=nodes["n"].tau[:, :1, :1], r=nodes["n"].r[:, :1, :1])


SCARS = [
    batch_in_ends, batch_in_neurons, batch_in_scale, scalar_scale, scalar_parameters, batch_in_bias, batch_in_weights,
    transposed, zero_delay, counted_batch, unknown_batch, batch_left_over, one_value_by_channel,
]  # fmt: skip


@given(st.sampled_from([dense, convolutional]), st.lists(st.sampled_from(SCARS), max_size=6, unique=True))
@settings(max_examples=40, deadline=None)
def test_a_scarred_graph_computes_what_the_plain_one_does(make: Any, scars: list[Any]) -> None:
    nodes = make()
    expected = potentials(graph_of(make()))
    if transposed in scars:  # by whose weights a batch that nothing else tells is told
        scars = [scar for scar in scars if scar is not batch_left_over]
    for scar in scars:
        scar(nodes)
    scarred = graph_of(nodes)
    found = potentials(scarred)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    mended = repair(scarred)
    assert graph_bytes(mended)
    plain = wire(mended)
    assert plain.assumed == ()
    for name, values in expected.items():
        np.testing.assert_array_equal(potentials(mended)[name], values)


@pytest.mark.parametrize("make", [dense, convolutional])
@pytest.mark.parametrize("scar", SCARS)
def test_what_was_mended_is_said(make: Any, scar: Any) -> None:
    nodes = make()
    scar(nodes)
    is_scarred = any(nodes.get(name) is not node for name, node in graph_of(make()).nodes.items()) and (
        "flat" in nodes or scar not in (counted_batch, unknown_batch, batch_left_over, one_value_by_channel)
    )
    assert bool(wire(graph_of(nodes)).assumed) == (is_scarred and scar is not scalar_scale)


def test_an_input_of_one_channel_is_no_batch() -> None:
    nodes = convolutional()
    nodes["input"] = nir.Input(np.array([1, 6, 6]))
    changed(nodes, "a", weight=nodes["a"].weight[:, :1])
    wiring = wire(graph_of(nodes))
    assert wiring.shapes["input"][1] == (1, 6, 6)
    assert wiring.assumed == ()


def test_a_threshold_is_a_neuron_that_keeps_nothing() -> None:
    nodes = dense()
    nodes["n"] = nir.Threshold(np.full(5, 1.5, np.float32))
    graph = graph_of(nodes)
    wiring = wire(graph)
    drive = (np.random.default_rng(1).random((8, 1, 6)) < 0.4).astype(float)
    found = interpret(wiring, torch.from_numpy(drive), DT, 8)
    arriving = drive[:, 0] @ nodes["a"].weight.astype(float).T + 0.25
    np.testing.assert_array_equal(found.spikes["n"][:, 0].numpy(), arriving > 1.5)
    chip = lower(graph, "loihi2", timesteps=4)
    assert chip.by_name["n"].neuron.dv == 4096


SENTENCES = {
    "two outputs": (
        lambda nodes: nodes.update(second=nir.Output(np.array([3]))),
        [("n", "second")],
        "has 2 Output nodes (output, second); 'n' feeds further nodes, and each must read neurons that feed nothing "
        "else",
    ),
    "an Affine before the output": (
        lambda nodes: nodes.update(fc=nir.Linear(np.eye(3))),
        [("m", "fc"), ("fc", "output")],
        "output 'output' is fed by 'm', 'fc'; it must be one neuron node: end the network with an LI, I or spiking",
    ),
    "an LI in the middle": (
        lambda nodes: nodes.update(n=nir.LI(nodes["n"].tau, nodes["n"].r, nodes["n"].v_leak)),
        [],
        "node 'n' is a LI that does not feed the output; between layers only spikes travel",
    ),
    "a delay": (
        lambda nodes: nodes.update(scale=nir.Delay(np.full(5, 2e-4))),
        [],
        "node 'scale' is a Delay; handled are",
    ),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_what_cannot_be_mended_has_a_sentence(case: str) -> None:
    change, edges, says = SENTENCES[case]
    nodes = dense()
    graph = graph_of(nodes)
    change(nodes)
    made = nir.NIRGraph(nodes, [*graph.edges, *edges], metadata={}, type_check=False)
    assert any(says in finding.what for finding in check(made) if finding.level == "blocks")


def test_all_faults_of_all_nodes_are_found_at_once() -> None:
    nodes = dense()
    nodes["a"] = nir.Linear(np.ones((5, 7)))
    nodes["scale"] = nir.Delay(np.ones(5))
    nodes["m"] = lif(4)
    graph = nir.NIRGraph(nodes, [*pairwise(nodes), ("m", "ghost")], metadata={}, type_check=False)
    faults = survey(graph).faults
    assert [fault.split(";")[0] for fault in faults] == [
        "edge 'm' -> 'ghost' dangles: there is no node 'ghost'",
        "node 'scale' is a Delay",
        "node 'a' has weights (5, 7)",
        "node 'm' has a parameter of shape (4,) for neurons of shape (3,)",
    ]


@pytest.mark.parametrize(
    ("tau", "r", "weight", "says"),
    [
        (10.0, 1e5, 1.0, "no membrane decays by more than 1e-05 per step"),
        (1.0001e-4, 1.0001, 1.0, "every membrane loses all but 0.0001 of itself per step, so 0.0001 s"),
        (1e-3, 10.0, 0.01, "no neuron of 'n' can fire: with all its inputs at their largest"),
    ],
)
def test_a_network_that_can_do_nothing_is_refused_and_not_assumed(
    tau: float, r: float, weight: float, says: str
) -> None:
    ones = np.ones(4, np.float32)
    nodes = {
        "input": nir.Input(np.array([3])),
        "a": nir.Linear(np.full((4, 3), weight)),
        "n": nir.LIF(tau * ones, r * ones, 0 * ones, ones, 0 * ones),
        "output": nir.Output(np.array([4])),
    }
    graph = graph_of(nodes)
    with pytest.raises(InputError) as caught:
        lower(graph, "loihi2")
    assert says in str(caught.value)
    assert "so 0.0001 s is hardly its time step; give dt_s=SECONDS or producer=NAME" in str(caught.value)
    assert any(says in finding.what for finding in check(graph) if finding.level == "blocks")
    assert not [finding for finding in check(graph, 1e-4) if finding.level == "blocks"], "who gives it knows it"


def test_a_kernel_that_is_not_square_is_written_out() -> None:
    """nir's own check of shapes takes one side of a kernel for both."""
    nodes = {
        "input": nir.Input(np.array([1, 6, 6])),
        "a": nir.Conv2d((6, 6), np.ones((1, 1, 3, 1)), 1, 0, 1, 1, np.zeros(1)),
        "n": lif(1, 4, 6),
        "output": nir.Output(np.array([1, 4, 6])),
    }
    assert wire(repair(graph_of(nodes))).shapes["a"] == ((1, 6, 6), (1, 4, 6))


def test_a_convention_that_does_not_fit_is_a_finding_beside_the_others() -> None:
    graph = graph_of(dense())
    graph.metadata["source"] = "somebody"
    found = check(graph, producer="nobody")
    assert [each.level for each in found] == ["note", "assumed", "blocks"]
    assert found[-1].what.startswith("producer=nobody: ")


def test_a_gain_is_noted_where_it_is_not_1() -> None:
    def notes(r: float) -> list[str]:
        nodes = dense()
        changed(nodes, "n", r=np.full(5, r, np.float32))
        return [each.what for each in check(graph_of(nodes), DT) if each.where == "n" and "gain" in each.what]

    assert notes(2.0) == [], "tau is two steps: a current of 1 adds 2 x 1 / 2"
    assert notes(3.0) == ["gain per step 1.5; multiplied into the weights"]


def test_of_several_membranes_the_one_that_keeps_most_is_told() -> None:
    def of(tau: float, size: int) -> nir.LIF:
        ones = np.ones(size)
        return nir.LIF(tau * ones, tau / 1e-4 * ones, 0 * ones, ones, 0 * ones)

    layers = [nir.Linear(np.ones((4, 3))), of(1.0001e-4, 4), nir.Linear(np.ones((2, 4))), of(1.00005e-4, 2)]
    with pytest.raises(InputError, match=r"every membrane loses all but 0\.0001 of itself per step"):
        lower(nir.NIRGraph.from_list(*layers), "loihi2")
