"""Graphs written for other tools: read back they are the same network, and what a tool cannot take is refused."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import torch
from hypothesis import assume, currently_in_test_context, given, settings
from hypothesis import strategies as st

import spikewright as sw
from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.base.types import RESETS, FloatArray
from spikewright.graph.interpreter import interpret
from spikewright.graph.nir_io import graph_bytes, read_graph
from spikewright.graph.readers import READERS
from spikewright.graph.same_spikes import same_spikes, write_for
from spikewright.graph.time_step import Convention, read_as
from spikewright.graph.translation import translate
from spikewright.graph.wiring import wire

STEPS, DT_S = 30, 1e-4
SIZES = (7, 6, 5)
CLOSE = 2e-5  # potentials this near the threshold fire or not by the rounding of float32


def full(shape: int | tuple[int, ...], value: float | FloatArray) -> np.ndarray:
    return np.full(shape, value, np.float32)


def neurons(
    shape: int | tuple[int, ...], keep: float, *, keep_u: float = 0.0, threshold: float | None = 1.0
) -> nir.NIRNode:
    """Neurons of ours: LIF, IF, CubaLIF, and what does not fire of each."""
    firing = {} if threshold is None else {"v_threshold": full(shape, threshold)}
    if keep == 1 and not keep_u:
        return (nir.IF if firing else nir.I)(r=full(shape, 1 / DT_S), **firing)
    tau, constants = DT_S / (1 - keep), {"v_leak": full(shape, 0)}
    if keep_u:
        synapse = DT_S / (1 - keep_u)
        constants |= {"tau_syn": full(shape, synapse), "w_in": full(shape, synapse / DT_S), "tau_mem": full(shape, tau)}
        return (nir.CubaLIF if firing else nir.CubaLI)(r=full(shape, tau / DT_S), **constants, **firing)
    return (nir.LIF if firing else nir.LI)(tau=full(shape, tau), r=full(shape, tau / DT_S), **constants, **firing)


def graph_of(
    nodes: dict[str, nir.NIRNode], *more: tuple[str, str], reset: str = "zero", **metadata: object
) -> nir.NIRGraph:
    edges = [*pairwise(name for name in nodes if name != "loop"), *more]
    return nir.NIRGraph(nodes, edges, metadata={"dt_s": DT_S, "reset": reset, **metadata}, type_check=False)


def mlp(
    *layers: nir.NIRNode, seed: int = 0, size: float = 1.0, loop: bool = False, reset: str = "zero"
) -> nir.NIRGraph:
    rng = np.random.default_rng(seed)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([SIZES[0]]))}
    for index, (layer, (inputs, outputs)) in enumerate(zip(layers, pairwise(SIZES), strict=True)):
        nodes[f"fc.{index}"] = nir.Linear(((rng.random((outputs, inputs)) - 0.3) * size).astype(np.float32))
        nodes[f"n.{index}"] = layer
    nodes["output"] = nir.Output(np.array([SIZES[-1]]))
    if loop:
        nodes["loop"] = nir.Linear(((rng.random((SIZES[1], SIZES[1])) - 0.5) * size).astype(np.float32))
    return graph_of(nodes, *([("n.0", "loop"), ("loop", "n.0")] if loop else []), reset=reset)


def image(pool: nir.NIRNode, groups: int = 1, pooled: int = 2) -> nir.NIRGraph:
    """A convolution with pooling of its spikes."""
    rng = np.random.default_rng(5)
    kernel = ((rng.random((4, 2 // groups, 3, 3)) - 0.3) * 0.8).astype(np.float32)
    nodes: dict[str, nir.NIRNode] = {
        "input": nir.Input(np.array([2, 4, 4])),
        "conv": nir.Conv2d((4, 4), kernel, 1, 1, 1, groups, full(4, 0.01)),
        "n0": neurons((4, 4, 4), 0.7),
        "pool": pool,
        "flatten": nir.Flatten({"input": np.array([4, pooled, pooled])}, 0, 2),
        "fc": nir.Linear(((rng.random((5, 4 * pooled * pooled)) - 0.4) * 1.0).astype(np.float32)),
        "n1": neurons(5, 0.6),
        "output": nir.Output(np.array([5])),
    }
    return graph_of(nodes)


def pool(kind: type[nir.NIRNode], size: int = 2, padding: int = 0) -> nir.NIRNode:
    return kind(kernel_size=np.array([size, size]), stride=np.array([size, size]), padding=np.array([padding, padding]))


def events(graph: nir.NIRGraph, seed: int = 0) -> FloatArray:
    shape = wire(graph).shapes["input"][1]
    return (np.random.default_rng(seed).random((1, STEPS, *shape)) < 0.4).astype(float)


def suits(condition: bool) -> None:
    """Another example where one is drawn, and a wrong test where it is not."""
    if currently_in_test_context():
        assume(condition)
    assert condition


def assert_the_same(graph: nir.NIRGraph, reader: str, folder: Path, seed: int = 0) -> nir.NIRGraph:
    """Translate, write, read with and without the tool's name, and compare all spikes and readouts."""
    drive = events(graph, seed)
    wanted = sw.interpret(graph, drive)
    first = wire(graph)
    for name, spikes in wanted.spikes.items():
        threshold = first.nodes[name].v_threshold
        suits(bool(np.min(np.abs(wanted.membranes[name] / threshold - 1)) > CLOSE))
        suits(bool(0 < spikes.mean() < 1))
    path = folder / "g.nir"
    path.write_bytes(graph_bytes(translate(graph, reader)))
    for said in ({}, {"producer": READERS[reader].producer}) if reader != "nir-1.0.4" else ({},):
        found = sw.interpret(path, drive.reshape(1, STEPS, *wire(read_graph(path)).shapes["input"][1]), **said)
        assert len(found.spikes) == len(wanted.spikes)
        for name, spikes in wanted.spikes.items():
            np.testing.assert_array_equal(found.spikes[name.replace(".", "_")], spikes)
        for name in wanted.membranes.keys() - wanted.spikes.keys():
            pair = found.membranes[name.replace(".", "_")], wanted.membranes[name]
            np.testing.assert_allclose(*pair, rtol=0, atol=1e-5 * np.abs(pair[1]).max())
    return read_graph(path)


KEEPS = st.one_of(st.floats(0.3, 0.95), st.sampled_from([0.0, 1.0]))


@given(
    keeps=st.tuples(KEEPS, KEEPS),
    thresholds=st.tuples(st.floats(0.5, 2), st.one_of(st.none(), st.floats(0.5, 2))),
    filtered=st.one_of(st.just(0.0), st.floats(0.2, 0.8)),
    reset=st.sampled_from(RESETS),
    loop=st.booleans(),
    reader=st.sampled_from(sorted(READERS)),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_a_graph_written_for_a_tool_is_read_back_as_what_it_was(
    tmp_path_factory: pytest.TempPathFactory, keeps: tuple[float, float], thresholds: tuple[float, float | None],
    filtered: float, reset: str, loop: bool, reader: str, seed: int,
) -> None:  # fmt: skip
    assume(not (filtered and (reader == "sinabs" or 1.0 in keeps)))
    layers = [neurons(n, k, keep_u=filtered, threshold=t) for n, k, t in zip(SIZES[1:], keeps, thresholds, strict=True)]
    graph = mlp(*layers, seed=seed, loop=loop, reset=reset, size=1 - filtered)
    assert_the_same(graph, reader, tmp_path_factory.mktemp("written"), seed)


@pytest.mark.parametrize("reader", [name for name in READERS if name != "rockpool"])
@pytest.mark.parametrize("kind", [nir.AvgPool2d, nir.SumPool2d])
def test_pooling_becomes_what_the_tool_has(tmp_path: Path, reader: str, kind: type[nir.NIRNode]) -> None:
    graph = image(pool(kind))
    if kind is nir.SumPool2d:
        graph.nodes["fc"].weight /= 4
    found = assert_the_same(graph, reader, tmp_path)
    maps = READERS[reader].maps
    assert isinstance(found.nodes["pool"], kind if kind in maps else {nir.AvgPool2d, nir.SumPool2d} - {kind} and maps)


def test_a_convolution_in_groups_becomes_one_without(tmp_path: Path) -> None:
    found = assert_the_same(image(pool(nir.AvgPool2d), groups=2), "norse", tmp_path)
    assert found.nodes["conv"].weight.shape == (4, 2, 3, 3)
    np.testing.assert_array_equal(found.nodes["conv"].weight[:2, 1], 0)
    kept = assert_the_same(image(pool(nir.AvgPool2d), groups=2), "nir-1.0.4", tmp_path)
    assert int(kept.nodes["conv"].groups) == 2


def test_a_loop_of_one_to_one_weights_becomes_a_matrix(tmp_path: Path) -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7), loop=True)
    graph.nodes["loop"] = nir.Scale(np.linspace(-0.5, 0.5, 6).astype(np.float32))
    found = assert_the_same(graph, "spikingjelly", tmp_path)
    np.testing.assert_array_equal(found.nodes["loop"].weight, np.diag(graph.nodes["loop"].scale))


def test_what_nir_1_0_4_does_not_know_is_left_out(tmp_path: Path) -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7, keep_u=0.5, threshold=None))
    for reader in READERS:
        if reader == "sinabs":
            continue
        nir.write(tmp_path / "g.nir", translate(graph, reader))  # by nir's own function, too
        with h5py.File(tmp_path / "g.nir") as file:
            kinds = {name: node["type"][()].decode() for name, node in file["node/nodes"].items()}
            assert ("v_reset" in file["node/nodes/n_0"]) == READERS[reader].knows_v_reset
        assert kinds["n_1"] == "CubaLIF"  # which never fires: CubaLI is of nir 1.0.5


def test_remarks_say_what_a_tool_does_differently() -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7, threshold=None), reset="subtract")
    said = {reader: translate(graph, reader).remarks for reader in READERS}
    names = "names of nodes have no dots: 'fc.0' is 'fc_0', 'n.0' is 'n_0', 'fc.1' is 'fc_1', 'n.1' is 'n_1'"
    assert said["nir-1.0.4"] == (names,)
    assert said["sinabs"] == (
        "sinabs: its neurons fire several times in a step where a potential is several thresholds high, unless "
        "spike_fn is SingleSpike",
        names,
    )
    assert said["spikingjelly"] == (
        "'n.1' is a readout: it never fires, and what it answers is its membrane potential",
        "SpikingJelly resets by 'zero' unless told otherwise: for 'subtract', set v_reset of its neurons to None",
        names,
    )
    assert said["snntorch"][1] == "snnTorch resets by 'zero', and this network by 'subtract': it computes other spikes"
    assert translate(image(pool(nir.AvgPool2d)), "norse").remarks[-1] == (
        "Norse flattens the batch, too: give it samples without a batch"
    )


def test_everything_that_a_tool_cannot_take_is_refused_at_once() -> None:
    with pytest.raises(InputError) as caught:
        translate(image(pool(nir.AvgPool2d)), "rockpool")
    assert str(caught.value).splitlines() == [
        "NIR graph for Rockpool: 4 faults",
        "  - Conv2d 'conv' is nothing that Rockpool reads: it takes Affine, Linear",
        "  - AvgPool2d 'pool' is nothing that Rockpool reads: it takes Affine, Linear",
        "  - Flatten 'flatten' is nothing that Rockpool reads: it takes Affine, Linear",
        "  - LIF 'n0' has neurons along several axes; Rockpool's have one",
    ]


@pytest.mark.parametrize(
    ("reader", "first", "says"),
    [
        ("sinabs", neurons(6, 0.8, keep_u=0.5), "CubaLIF 'n.0' has a synaptic current, and sinabs' importer"),
        ("spikingjelly", neurons(6, 0.8, threshold=np.linspace(1, 2, 6)), "LIF 'n.0' has neurons with different"),
        ("snntorch", neurons(6, 0.8, threshold=np.linspace(1, 2, 6)), "LIF 'n.0' has several thresholds"),
        ("norse", nir.LIF(full(6, 5e-4), full(6, 5), full(6, 0.1), full(6, 1)), "LIF 'n.0' has a leak potential"),
        ("norse", nir.LIF(full(6, 5e-4), full(6, 5), full(6, 0), full(6, 1), full(6, 0.5)), "reset to another"),
        ("norse", nir.LIF(full(6, 5e-4), full(6, -5), full(6, 0), full(6, 1)), "'n.0' adds nothing of what"),
    ],
)  # fmt: skip
def test_neurons_that_a_tool_does_not_have(reader: str, first: nir.NIRNode, says: str) -> None:
    graph = mlp(first, neurons(5, 0.7))
    with pytest.raises(InputError, match=says):
        translate(graph, reader)


def test_pooling_that_a_tool_computes_differently_is_refused() -> None:
    with pytest.raises(InputError, match="AvgPool2d 'pool' is padded, which Norse leaves out"):
        translate(image(pool(nir.AvgPool2d, 2, padding=1), pooled=3), "norse")
    graph = image(pool(nir.AvgPool2d))
    graph.edges = [("input", "conv"), ("conv", "pool"), ("pool", "n0"), ("n0", "flatten"), *graph.edges[4:]]
    graph.nodes["n0"] = neurons((4, 2, 2), 0.7)
    with pytest.raises(InputError, match="AvgPool2d 'pool' pools what may be negative, and sinabs sums magnitudes"):
        translate(graph, "sinabs")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"dt_s": "1"}, "dt_s: is of type str; may be a number of seconds"),
        ({"dt_s": [1e-3]}, "dt_s: is of type list; may be a number of seconds"),
        ({"producer": 3}, "producer: is of type int; may be one of lava, nengo, norse"),
        ({"reset": 0}, "reset: is of type int; may be one of subtract, subtract-late, zero"),
    ],
)
def test_what_is_given_of_another_type(given: dict[str, object], says: str) -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7))
    for call, second in ((sw.interpret, events(graph)), (sw.translate, "norse"), (sw.lower, "loihi2-assumed")):
        with pytest.raises(InputError, match=says):
            call(graph, second, **given)  # type: ignore[operator]
    for reader in (None, 3):
        with pytest.raises(InputError, match=f"reader: is of type {type(reader).__name__}; may be the name of a tool"):
            sw.translate(graph, reader)  # type: ignore[arg-type]
    for timesteps, reason in (("6", "is of type str; may be a whole number"), (0, "must be 1 or more")):
        with pytest.raises(InputError, match=rf"timesteps.*: {reason}"):
            sw.interpret(graph, events(graph)[:, 0], timesteps=timesteps)  # type: ignore[arg-type]
    assert sw.interpret(graph, events(graph), dt_s=np.float32(DT_S), timesteps=np.int64(STEPS)).scores.any()


def test_no_such_tool() -> None:
    with pytest.raises(InputError, match="reader=sinab: did you mean 'sinabs'"):
        translate(mlp(neurons(6, 0.8), neurons(5, 0.7)), "sinab")


@pytest.mark.parametrize(
    ("metadata", "said", "says"),
    [
        ({"written_for": "nobody"}, {}, "its metadata say that it was written for 'nobody'"),
        ({"step_s": "short"}, {}, "its metadata give the time step as 'short'"),
        ({"step_s": -1.0}, {}, "must be a positive number of seconds"),
        ({"step_s": 1.0}, {}, "its neurons lose more than themselves in the time step"),
        ({}, {"producer": "sinabs"}, "producer=sinabs: the graph's metadata say 'norse'; leave it out"),
        ({}, {"dt_s": 1e-4}, "dt_s=0.0001: the graph's metadata say 0.001; leave it out"),
        ({}, {"reset": "subtract"}, "reset=subtract: the graph's metadata say 'zero'; leave it out"),
    ],
)
def test_metadata_that_contradict(metadata: dict[str, object], said: dict[str, object], says: str) -> None:
    graph = translate(mlp(neurons(6, 0.8), neurons(5, 0.7)), "norse")
    with pytest.raises(InputError, match=says):
        read_as(wire(graph), graph.metadata | metadata, Convention(**said))  # type: ignore[arg-type]


def test_a_tool_that_resets_otherwise_untold_is_counted(tmp_path: Path) -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7))
    drive = torch.from_numpy(np.swapaxes(events(graph), 0, 1).copy())
    _, same = write_for(graph, "sinabs", tmp_path / "g.nir", drive, STEPS)
    other = mlp(neurons(6, 0.8), neurons(5, 0.7), reset="subtract")
    runs = [interpret(wire(each), drive, DT_S, STEPS).spikes for each in (graph, other)]
    differing = sum(int((runs[0][name] != runs[1][name]).sum()) for name in runs[0])
    assert differing > 0
    assert (same.samples, same.spikes, same.ties, same.untold) == (1, STEPS * 11, 0, differing)
    _, same = write_for(other, "sinabs", tmp_path / "g.nir", drive, STEPS)
    assert same.untold == 0


def test_a_file_that_computes_other_spikes_gets_no_name(tmp_path: Path) -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7))
    drive = torch.from_numpy(np.swapaxes(events(graph), 0, 1).copy())
    written = translate(graph, "snntorch")
    written.nodes["n_0"].v_threshold *= 0.9
    with pytest.raises(AnswerIsNo, match=r"computes other spikes: node 'n.0' at step \d+ of sample 0, neuron \d first"):
        same_spikes(graph, written, drive, STEPS)


def test_a_graph_of_one_tool_is_written_for_another(tmp_path: Path) -> None:
    """From sinabs, time in steps and input that decays, to Norse."""
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7))
    taus = 4.0, 3.0
    for name, tau in zip(("n.0", "n.1"), taus, strict=True):
        size = len(graph.nodes[name].r)
        graph.nodes[name] = nir.LIF(full(size, tau), full(size, 1), full(size, 0), full(size, 0.2))
    graph.metadata.clear()
    drive = events(graph)
    wanted = sw.interpret(graph, drive, producer="sinabs", reset="subtract")
    nir.write(tmp_path / "g.nir", translate(graph, "norse", producer="sinabs", reset="subtract"))
    said = translate(graph, "norse", producer="sinabs").assumed
    assert said[0].startswith("time step 1 s: tau in steps and r = 1, sinabs' convention")
    assert said[1].startswith("reset to zero: NIR cannot say how its neurons were reset in training")
    assert said == sw.interpret(graph, drive, producer="sinabs").assumed
    assert len(translate(graph, "norse", producer="sinabs", reset="subtract").assumed) == len(said) - 1
    found = sw.interpret(tmp_path / "g.nir", drive)
    assert all(0 < spikes.mean() < 1 for spikes in wanted.spikes.values())
    for name, spikes in wanted.spikes.items():
        np.testing.assert_array_equal(found.spikes[name.replace(".", "_")], spikes)


def test_potentials_of_a_readout_are_those_of_the_graph() -> None:
    """Rockpool's current that lasts for 1/24 of a step keeps 2**-24 of what arrives: its weights make up for it."""
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7, threshold=None))
    written = translate(graph, "rockpool")
    np.testing.assert_allclose(written.nodes["fc_1"].weight, graph.nodes["fc.1"].weight * 2.0**24, rtol=1e-5)
    assert "what arrives at 'n.1' is scaled by 1.67772e+07, so that its potentials in Rockpool are" in str(
        written.remarks
    )
    drive = events(graph)
    np.testing.assert_allclose(sw.interpret(written, drive).scores, sw.interpret(graph, drive).scores, rtol=1e-5)


def test_a_gain_of_each_neuron_is_put_into_the_weights() -> None:
    """By hand: a membrane without memory whose gain is r dt / tau = 3 and 0.5, of an input of 1."""
    nodes = {
        "input": nir.Input(np.array([2])),
        "n": nir.LI(tau=full(2, DT_S), r=np.array([3, 0.5]), v_leak=full(2, 0)),
        "output": nir.Output(np.array([2])),
    }
    for reader in ("norse", "rockpool", "snntorch", "spikingjelly", "sinabs"):
        written = translate(graph_of(nodes), reader)
        assert isinstance(written.nodes["n_scaled"], nir.Affine if reader == "sinabs" else nir.Linear)
        np.testing.assert_allclose(sw.interpret(written, np.ones((1, 2, 2))).scores, [[3, 0.5]], rtol=1e-6)
    kept = translate(graph_of(nodes), "nir-1.0.4")
    np.testing.assert_allclose(sw.interpret(kept, np.ones((1, 2, 2))).scores, [[3, 0.5]], rtol=1e-6)


def test_other_potentials_of_a_readout_are_found() -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7, threshold=None))
    drive = torch.from_numpy(np.swapaxes(events(graph), 0, 1).copy())
    written = translate(graph, "rockpool")
    same_spikes(graph, written, drive, STEPS)
    written.nodes["fc_1"].weight = written.nodes["fc_1"].weight * np.float32(1.5)
    with pytest.raises(AnswerIsNo, match=r"other potentials: node 'n.1' differs by 0.5 of its largest potential"):
        same_spikes(graph, written, drive, STEPS)


def test_a_remark_lists_the_first_nodes_of_other_names() -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7), loop=True)
    graph.nodes = {(f"a.{n}" if n == "loop" else n): node for n, node in graph.nodes.items()}
    graph.edges = [tuple(f"a.{n}" if n == "loop" else n for n in edge) for edge in graph.edges]
    assert translate(graph, "nir-1.0.4").remarks == (
        "names of nodes have no dots: 'fc.0' is 'fc_0', 'n.0' is 'n_0', 'a.loop' is 'a_loop', 'fc.1' is 'fc_1' "
        "and 1 more",
    )
    assert translate(image(pool(nir.AvgPool2d)), "nir-1.0.4").remarks == ()  # none has a dot


def test_constants_beyond_32_bits_are_refused() -> None:
    ones = np.ones(2)
    fires = nir.LIF(tau=2e-4 * ones, r=2e-45 * ones, v_leak=0 * ones, v_threshold=ones)
    graph = nir.NIRGraph.from_list(nir.Linear(np.ones((2, 3))), fires)
    graph.metadata |= {"dt_s": 1e-4, "reset": "zero"}
    with pytest.raises(InputError, match="LIF 'lif' has constants beyond the range of 32-bit floating point"):
        translate(graph, "snntorch")


@pytest.mark.parametrize("reader", [name for name, each in READERS.items() if each.neuron is not None])
def test_thresholds_that_a_tiny_time_step_makes_infinite_are_refused(reader: str) -> None:
    # From the fuzzer: a time step of 5e-324 s makes the gain of neurons so small that their threshold overflows.
    ones = np.ones(2)
    fires = nir.LIF(tau=2e-4 * ones, r=2 * ones, v_leak=0 * ones, v_threshold=ones)
    graph = nir.NIRGraph.from_list(nir.Linear(np.ones((2, 3))), fires)
    graph.metadata |= {"dt_s": 5e-324, "reset": "zero"}
    with pytest.raises(InputError, match="LIF 'lif' has constants beyond the range of 32-bit floating point"):
        translate(graph, reader)


def test_a_factor_that_no_weight_can_hold_is_refused() -> None:
    # From the fuzzer: at a time step of 1e300 s a readout has to be scaled by that.
    nodes = {"input": nir.Input(np.array([2])), "fc": nir.Linear(full((2, 2), 1)), "out": nir.I(r=full(2, 1))}
    graph = graph_of({**nodes, "output": nir.Output(np.array([2]))}, dt_s=1e300)
    with pytest.raises(InputError, match="I 'out' has constants beyond the range of 32-bit floating point"):
        translate(graph, "snntorch")


@pytest.mark.parametrize("node", [nir.Linear(np.full((2, 2), 1e300)), nir.Scale(np.full(2, 1e300))])
@pytest.mark.parametrize("reader", list(READERS))
def test_weights_that_would_become_infinite_on_the_way_are_refused(node: nir.NIRNode, reader: str) -> None:
    # From the fuzzer.
    ones = np.ones(2)
    fires = nir.LIF(tau=2e-4 * ones, r=2 * ones, v_leak=0 * ones, v_threshold=ones)
    graph = nir.NIRGraph.from_list(node, fires)
    graph.metadata |= {"dt_s": 1e-4, "reset": "zero"}
    try:
        made = translate(graph, reader)
    except InputError as error:
        assert "beyond the range of 32-bit floating point" in str(error) or "is nothing that" in str(error)
    else:
        assert all(np.isfinite(getattr(each, "weight", 0)).all() for each in made.nodes.values())


def test_neurons_without_a_time_step_that_suits_them_are_refused() -> None:
    # From the fuzzer.
    nodes = {"input": nir.Input(np.array([2])), "fc": nir.Linear(full((2, 2), 1))}
    fires = nir.IF(r=np.full(2, 1e4), v_threshold=np.array([-1e300, 1e-300]), v_reset=np.zeros(2))
    graph = graph_of(
        {**nodes, "n": fires, "output": nir.Output(np.array([2]))}, written_for="spikingjelly", step_s=DT_S
    )
    del graph.metadata["dt_s"]
    with pytest.raises(InputError, match="IF 'n' has decays or gains that are not finite"):
        translate(graph, "snntorch")


@pytest.mark.parametrize("name", [0.5, ["norse"], "nors"])
def test_a_graph_for_a_tool_that_is_not_known_is_refused(name: object) -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7))
    del graph.metadata["dt_s"]
    graph.metadata |= {"written_for": name, "step_s": DT_S}
    with pytest.raises(InputError, match=r"its metadata say that it was written for .*norse"):
        read_as(wire(graph), graph.metadata)


def test_metadata_that_nir_cannot_write_are_refused() -> None:
    graph = mlp(neurons(6, 0.8), neurons(5, 0.7))
    graph.metadata["more"] = {"metadata": {"metadata": 1}}
    with pytest.raises(InputError, match="NIR graph: its metadata have an entry 'metadata', which NIR cannot write"):
        graph_bytes(graph)
    graph.metadata["more"] = {"metadata": {"is": 1}}
    graph_bytes(graph)
    graph.nodes["fc.0"].metadata = {"metadata": "text"}
    with pytest.raises(InputError, match=r"NIR node 'fc.0': its metadata have an entry 'metadata'"):
        graph_bytes(graph)


def test_a_flatten_that_does_not_say_its_shape_is_written_with_it() -> None:
    graph = image(pool(nir.AvgPool2d))
    for node in graph.nodes.values():
        if isinstance(node, nir.Flatten):
            node.input_type = {"input": None}
    written = translate(graph, "snntorch")
    assert [node.input_type["input"].tolist() for node in written.nodes.values() if isinstance(node, nir.Flatten)] != []
    graph_bytes(written)


@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_number_of_groups_in_an_array_is_a_number(reader: str) -> None:
    # From the fuzzer: numpy deprecates int() of an array with axes.
    graph = image(pool(nir.AvgPool2d))
    for node in graph.nodes.values():
        if isinstance(node, nir.Conv2d):
            node.groups = np.array([1])
    if reader != "rockpool":
        assert any(isinstance(node, nir.Conv2d) for node in translate(graph, reader).nodes.values())
