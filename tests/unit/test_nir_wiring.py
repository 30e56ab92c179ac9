"""A graph made plain: sub-graphs, loops and shapes, and every fault with the node it is in."""

from __future__ import annotations

import nir
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.graph.wiring import survey, wire


def lif(*shape: int) -> nir.LIF:
    ones = np.ones(shape, np.float32)
    return nir.LIF(tau=ones * 2e-4, r=ones * 2, v_leak=ones * 0, v_threshold=ones)


def graph(nodes: dict[str, nir.NIRNode], *edges: tuple[str, str]) -> nir.NIRGraph:
    return nir.NIRGraph(nodes, list(edges), metadata={}, type_check=False)


def ends(inputs: int, outputs: int) -> dict[str, nir.NIRNode]:
    return {"input": nir.Input(np.array([inputs])), "output": nir.Output(np.array([outputs]))}


def test_a_nested_recurrent_graph_is_opened_and_its_loop_delayed() -> None:
    inner = graph(
        {**ends(3, 3), "lif": lif(3), "w_rec": nir.Linear(np.eye(3))},
        ("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output"),
    )  # fmt: skip
    outer = graph(
        {**ends(2, 3), "fc": nir.Linear(np.ones((3, 2))), "rnn": inner},
        ("input", "fc"),
        ("fc", "rnn"),
        ("rnn", "output"),
    )
    wiring = wire(outer)
    assert set(wiring.nodes) == {"input", "fc", "rnn.lif", "rnn.w_rec", "output"}
    assert wiring.delayed == {("rnn.w_rec", "rnn.lif")}
    assert wiring.neurons == ("rnn.lif",)
    assert wiring.readout == "rnn.lif"


def test_an_edge_straight_to_a_node_inside_a_sub_graph_is_followed() -> None:
    inner = graph({"lif": lif(3), "output": nir.Output(np.array([3]))}, ("lif", "output"))
    outer = graph(
        {**ends(2, 3), "fc": nir.Linear(np.ones((3, 2))), "rnn": inner},
        ("input", "fc"), ("fc", "rnn.lif"), ("rnn", "output"),
    )  # fmt: skip
    assert set(wire(outer).nodes) == {"input", "fc", "rnn.lif", "output"}


def test_shapes_follow_from_the_input_through_grouped_and_non_square_kernels() -> None:
    conv = nir.Conv2d(None, np.ones((6, 2, 3, 2)), (2, 1), (1, 0), (1, 2), 2, np.zeros(6))
    wiring = wire(
        graph(
            {**ends(1, 1), "input": nir.Input(np.array([4, 9, 8])), "conv": conv, "lif": lif(6, 5, 6)},
            ("input", "conv"),
            ("conv", "lif"),
            ("lif", "output"),
        )
    )
    assert wiring.shapes["conv"] == ((4, 9, 8), (6, 5, 6))
    assert wiring.assumed == (
        "convolution 'conv' has no input_shape: (9, 8) follows from what feeds it",
        "output 'output' says shape (1,): (6, 5, 6) is what arrives",
    )


def test_missing_ends_and_a_batch_dimension_are_supplied_and_said() -> None:
    flat = graph({"fc": nir.Linear(np.ones((3, 2))), "lif": lif(3)}, ("fc", "lif"))
    assert wire(flat).assumed == (
        "no Input node: one was put before 'fc'",
        "no Output node: one was put after 'lif'",
    )
    pool = nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    batched = graph(
        {**ends(1, 1), "input": nir.Input(np.array([1, 3, 4, 4])), "pool": pool, "lif": lif(3, 2, 2)},
        ("input", "pool"), ("pool", "lif"), ("lif", "output"),
    )  # fmt: skip
    assert (
        wire(batched).assumed[0] == "input 'input' has shape (1, 3, 4, 4): its first 1 is read as a batch and left out"
    )


def test_single_parameters_stand_for_all_neurons() -> None:
    one = np.float32(1)
    node = nir.IF(r=np.array(one), v_threshold=np.array(one))
    found = wire(
        graph(
            {**ends(2, 3), "fc": nir.Linear(np.ones((3, 2))), "if": node},
            ("input", "fc"),
            ("fc", "if"),
            ("if", "output"),
        )
    )
    assert found.assumed == ("neuron 'if' has single parameters: they are taken for all (3,) of its neurons",)


FAULTY = {
    "dangling": (
        {**ends(2, 2), "lif": lif(2)},
        [("input", "lif"), ("lif", "output"), ("lif", "ghost")],
        "edge 'lif' -> 'ghost' dangles: there is no node 'ghost'; remove it or add the node",
    ),
    "twice": (
        {**ends(2, 2), "lif": lif(2)},
        [("input", "lif"), ("input", "lif"), ("lif", "output")],
        "edge 'input' -> 'lif' occurs 2 times; keep one",
    ),
    "unhandled": (
        {**ends(2, 2), "delay": nir.Delay(np.ones(2)), "lif": lif(2)},
        [("input", "delay"), ("delay", "lif"), ("lif", "output")],
        "node 'delay' is a Delay; handled are Input, LIF, IF, CubaLIF, LI, I, CubaLI, Threshold, Conv2d, Conv1d, "
        "Linear, Affine, Scale, AvgPool2d, SumPool2d, Flatten, Output",
    ),
    "unreachable": (
        {**ends(2, 2), "lif": lif(2), "island": lif(2)},
        [("input", "lif"), ("lif", "output")],
        "node 'island' cannot be reached from the input; remove it or connect it",
    ),
    "loop of linear nodes": (
        {**ends(2, 2), "a": nir.Linear(np.eye(2)), "b": nir.Linear(np.eye(2)), "lif": lif(2)},
        [("input", "a"), ("a", "b"), ("b", "a"), ("b", "lif"), ("lif", "output")],
        "nodes a, b form a loop without a neuron; it has no order",
    ),
    "shapes": (
        {**ends(2, 3), "fc": nir.Linear(np.ones((3, 2))), "lif": lif(4)},
        [("input", "fc"), ("fc", "lif"), ("lif", "output")],
        "node 'lif' has a parameter of shape (4,) for neurons of shape (3,)",
    ),
    "sum of shapes": (
        {**ends(2, 2), "fc": nir.Linear(np.ones((3, 2))), "lif": lif(2)},
        [("input", "fc"), ("fc", "lif"), ("input", "lif"), ("lif", "output")],
        "node 'lif': its inputs have shapes (3,) and (2,); they must be equal",
    ),
    "two inputs": (
        {**ends(2, 2), "in": nir.Input(np.array([2])), "lif": lif(2)},
        [("input", "lif"), ("in", "lif"), ("lif", "output")],
        "has 2 Input nodes (in, input); one is handled: let one give all values side by side",
    ),
    "input of no size": (
        {**ends(0, 2), "lif": lif(2)},
        [("input", "lif"), ("lif", "output")],
        "input 'input' has shape (0,); sizes are at least 1, and all of them together at most 16,777,216",
    ),
    "padding without end": (
        {
            **ends(1, 2),
            "input": nir.Input(np.array([1, 3, 3])),
            "conv": nir.Conv2d((3, 3), np.ones((1, 1, 2, 2)), 1, 10**6, 1, 1, np.zeros(1)),
            "lif": lif(1),
        },
        [("input", "conv"), ("conv", "lif"), ("lif", "output")],
        "node 'conv' has shape (1, 2000002, 2000002); sizes are at least 1, and all of them together at most "
        "16,777,216",
    ),
    "no time": (
        {**ends(2, 2), "lif": nir.LIF(tau=np.zeros(2), r=np.ones(2), v_leak=np.zeros(2), v_threshold=np.ones(2))},
        [("input", "lif"), ("lif", "output")],
        "node 'lif' has a time constant of 0 s; must be above 0",
    ),
    "linear too wide": (
        {**ends(2, 3), "fc": nir.Linear(np.ones((3, 5))), "lif": lif(3)},
        [("input", "fc"), ("fc", "lif"), ("lif", "output")],
        "node 'fc' has weights (3, 5); what arrives has shape (2,)",
    ),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_fault_is_named(case: str) -> None:
    nodes, edges, says = FAULTY[case]
    found = survey(graph(nodes, *edges))
    assert found.wiring is None
    assert says in found.faults
    with pytest.raises(InputError, match="NIR graph"):
        wire(graph(nodes, *edges))
