"""Numbers in the fields of NIR nodes: what is no whole number is refused where it stands, and never cut to one."""

from __future__ import annotations

import itertools

import nir
import numpy as np
import pytest

from spikewright.graph.fields import NodeFault, one_number, pair, whole_numbers
from spikewright.lowering.check import check


def graph(node: nir.NIRNode, values: int) -> nir.NIRGraph:
    ones = np.ones(2)
    nodes = {
        "input": nir.Input(np.array([2, 4, 4])),
        "node": node,
        "flat": nir.Flatten(input_type={"input": None}, start_dim=0, end_dim=-1),
        "linear": nir.Linear(np.ones((2, values))),
        "neuron": nir.IF(r=ones * 1e4, v_threshold=ones),
        "output": nir.Output(np.array([2])),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(itertools.pairwise(names)))


def flatten() -> nir.NIRNode:
    return nir.Flatten(input_type={"input": np.array([2, 4, 4])}, start_dim=0, end_dim=-1)


def conv() -> nir.NIRNode:
    return nir.Conv2d((4, 4), np.ones((2, 2, 1, 1)), 1, 0, 1, 1, np.zeros(2))


def pool() -> nir.NIRNode:
    return nir.SumPool2d(np.array([1, 1]), np.array([1, 1]), np.array([0, 0]))


@pytest.mark.parametrize(
    ("node", "field", "value", "says"),
    [
        (flatten(), "start_dim", np.array([1, 2]), "has start_dim 1, 2; must be one whole number"),
        (flatten(), "end_dim", 1.5, "has end_dim 1.5; must be one whole number"),
        (conv(), "groups", 1.5, "has groups 1.5; must be one whole number"),
        (conv(), "groups", np.array([], np.int64), "has groups nothing; must be one whole number"),
        (conv(), "stride", 1.5, "has stride 1.5; must be one or two whole numbers"),
        (conv(), "padding", (0.5, 0), "has padding 0.5, 0.0; must be one or two whole numbers"),
        (conv(), "dilation", np.ones(5), "has dilation 1.0, 1.0, 1.0, 1.0, ...; must be one or two whole numbers"),
        (pool(), "kernel_size", np.array([np.inf, 1]), "has a 'kernel_size' that is not finite everywhere"),
        (pool(), "stride", np.array([1.5, 1]), "has stride 1.5, 1.0; must be one or two whole numbers"),
    ],
)
def test_what_is_no_whole_number_is_refused(node: nir.NIRNode, field: str, value: object, says: str) -> None:
    whole = graph(node, 32)
    setattr(node, field, value)  # nir's own constructor of graphs refuses some of these
    found = [finding.what for finding in check(whole) if finding.level == "blocks"]
    assert any(says in what for what in found), found


def test_whole_numbers_may_be_written_as_floats_or_arrays() -> None:
    assert pair(np.array([2.0, 3.0])) == (2, 3)
    assert pair(4) == (4, 4)
    assert one_number(np.array([[3]]), "groups") == 3
    assert whole_numbers([1, 2.5]) is None
    assert whole_numbers("same") is None
    with pytest.raises(NodeFault, match="has stride a; must be one or two whole numbers"):
        pair("a", "stride")


def test_weights_of_a_convolution_have_an_axis_for_each_of_space() -> None:
    whole = graph(conv(), 32)
    whole.nodes["node"].weight = np.ones((2, 2, 1, 1, 1))
    found = [finding.what for finding in check(whole) if finding.level == "blocks"]
    assert any("'node' has weights (2, 2, 1, 1, 1); those of a Conv2d have 4 axes" in what for what in found), found
