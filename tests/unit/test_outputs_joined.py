"""Several outputs of a graph, each of which reads neurons: one readout, whose scores are side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.graph.wiring import wire
from spikewright.simulation import integer

DT = 1e-4
RNG = np.random.default_rng(3)
FIRST, SECOND = RNG.normal(size=(3, 6)), RNG.normal(size=(2, 18))


def li(count: int, tau: float = 4e-4) -> nir.NIRNode:
    tall = np.full(count, tau)
    return nir.LI(tau=tall, r=tall / DT, v_leak=np.zeros(count))


def lif(*shape: int, threshold: float = 0.5) -> nir.NIRNode:
    tall = np.full(shape, 4e-4)
    return nir.LIF(tau=tall, r=tall / DT, v_leak=0 * tall, v_threshold=np.full(shape, threshold))


def body() -> dict[str, nir.NIRNode]:
    """Spikes of three dimensions, of which one readout gets a part through a pool, and the other all."""
    random = np.random.default_rng(4)
    return {
        "input": nir.Input(np.array([1, 4, 4])),
        "conv": nir.Conv2d((4, 4), random.normal(size=(2, 1, 2, 2)), 1, 0, 1, 1, np.full(2, 0.2)),
        "lif": lif(2, 3, 3),
        "flat": nir.Flatten(input_type={"input": np.array([2, 3, 3])}, start_dim=0, end_dim=-1),
        "pool": nir.SumPool2d(np.array([3, 1]), np.array([1, 1]), np.array([0, 0])),
        "pooled": nir.Flatten(input_type={"input": np.array([2, 1, 3])}, start_dim=0, end_dim=-1),
    }


BODY = [("input", "conv"), ("conv", "lif"), ("lif", "flat"), ("lif", "pool"), ("pool", "pooled")]


def of(one: Any, two: Any, **metadata: Any) -> nir.NIRGraph:
    nodes = body() | {
        "a": nir.Affine(FIRST, np.array([0.1, 0.0, -0.1])),
        "one": one,
        "b": nir.Linear(SECOND),
        "two": two,
        "left": nir.Output(np.array([3])),
        "right": nir.Output(np.array([2])),
    }
    edges = [*BODY, ("pooled", "a"), ("a", "one"), ("one", "left"), ("flat", "b"), ("b", "two"), ("two", "right")]
    return nir.NIRGraph(nodes, edges, metadata={"dt_s": DT, "reset": "zero", **metadata}, type_check=False)


def alone(end: str, node: nir.NIRNode) -> nir.NIRGraph:
    """The graph with one of the outputs."""
    whole = of(li(3), li(2))
    layer, size = {"left": ("a", 3), "right": ("b", 2)}[end]
    nodes = body() | {layer: whole.nodes[layer], "readout": node, end: nir.Output(np.array([size]))}
    before = "pooled" if end == "left" else "flat"
    edges = [*BODY, (before, layer), (layer, "readout"), ("readout", end)]
    if end == "right":
        nodes = {name: kind for name, kind in nodes.items() if name not in ("pool", "pooled")}
        edges = [edge for edge in edges if not {*edge} & {"pool", "pooled"}]
    else:
        nodes.pop("flat")
        edges.remove(("lif", "flat"))
    return nir.NIRGraph(nodes, edges, metadata={"dt_s": DT, "reset": "zero"}, type_check=False)


def drive() -> Any:
    return (np.random.default_rng(5).random((6, 7, 1, 4, 4)) < 0.4).astype(float)


def test_scores_are_those_of_each_output_side_by_side() -> None:
    found = sw.interpret(of(li(3), li(2)), drive())
    one, two = sw.interpret(alone("left", li(3)), drive()), sw.interpret(alone("right", li(2)), drive())
    np.testing.assert_allclose(found.scores, np.concatenate([one.scores, two.scores], 1), rtol=1e-12, atol=1e-12)
    assert wire(of(li(3), li(2))).assumed == (
        "outputs 'left', 'right' are joined: scores 0 to 2 are those of 'one', 3 to 4 are those of 'two'",
    )


def test_spiking_readouts_of_different_thresholds() -> None:
    graph = of(lif(3, threshold=0.4), lif(2, threshold=0.9))
    found = sw.interpret(graph, drive())
    one = sw.interpret(alone("left", lif(3, threshold=0.4)), drive())
    two = sw.interpret(alone("right", lif(2, threshold=0.9)), drive())
    np.testing.assert_array_equal(found.scores, np.concatenate([one.scores, two.scores], 1))
    assert found.scores.any()


def test_the_chip_has_one_readout() -> None:
    chip = sw.lower(of(li(3), li(2)), "loihi2-assumed", timesteps=6, encoding="events")
    assert (chip.outputs, [c.source for c in chip.into(chip.output.name)]) == (5, ["lif"])
    ran = integer.run(chip, np.moveaxis(drive()[:, :6].astype(np.int64), 1, 0))
    expected = sw.interpret(of(li(3), li(2)), drive()[:, :6]).scores
    scale = chip.provenance["scales"][chip.output.name]  # type: ignore[index]
    np.testing.assert_allclose(ran.scores / (64 * scale), expected, atol=0.15)


def test_neurons_of_other_kinds_or_resets_are_not_joined() -> None:
    other_reset = of(lif(3), lif(2))
    other_reset.nodes["two"].metadata = {"reset": "subtract"}
    for graph, says in (
        (of(li(3), lif(2)), "that read LI and LIF; neurons of one kind can be joined to one readout"),
        (other_reset, "that read neurons of different resets; those of one can be joined to one readout"),
    ):
        with pytest.raises(InputError) as caught:
            wire(graph)
        assert str(caught.value) == f"NIR graph: has 2 Output nodes (left, right) {says}"


def test_an_output_reads_one_node() -> None:
    graph = of(li(3), li(3))
    graph.nodes["b"] = nir.Linear(RNG.normal(size=(3, 18)))
    graph.edges.append(("two", "left"))
    with pytest.raises(InputError, match="'left' reads 2 nodes, and each must read one"):
        wire(graph)


def test_two_outputs_of_the_same_neurons_are_one() -> None:
    graph = of(li(3), li(2))
    graph.nodes["again"] = nir.Output(np.array([3]))
    graph.edges.append(("one", "again"))
    assert (
        "outputs 'left', 'right', 'again' are joined: scores 0 to 2 are those of 'one', 3 to 4"
        in wire(graph).assumed[0]
    )


def test_their_order_is_that_of_the_output_nodes(tmp_path: Path) -> None:
    """Whatever the order of edges, of other nodes, and of the search from the input is."""
    plain = of(li(3), li(2))
    one_first, two_first = ("left", "right"), ("right", "left")
    says = {one_first: "0 to 2 are those of 'one', 3 to 4", two_first: "0 to 1 are those of 'two', 2 to 4"}
    scores = sw.interpret(plain, drive()).scores
    for order, columns in ((one_first, [0, 1, 2, 3, 4]), (two_first, [3, 4, 0, 1, 2])):
        for edges in (plain.edges, plain.edges[::-1]):
            for rest in (list(plain.nodes), list(plain.nodes)[::-1]):
                names = [*(name for name in rest if name not in order), *order]
                graph = nir.NIRGraph({n: plain.nodes[n] for n in names}, edges, metadata=plain.metadata)
                found = sw.interpret(graph, drive())
                assert says[order] in found.assumed[0]
                np.testing.assert_allclose(found.scores, scores[:, columns], rtol=1e-12, atol=1e-12)
                nir.write(tmp_path / "g.nir", graph)
                assert says[one_first] in sw.interpret(tmp_path / "g.nir", drive()).assumed[0]  # by name
