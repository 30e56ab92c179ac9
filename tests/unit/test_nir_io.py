"""NIR files: what was written comes back, other tools' oddities are read, and every fault is one sentence."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.graph.nir_io import read_graph, write_graph
from spikewright.graph.wiring import FORMAT_VERSION


def chain(*nodes: nir.NIRNode, metadata: dict[str, object] | None = None) -> nir.NIRGraph:
    names = ["input", *(f"n{i}" for i in range(1, len(nodes) - 1)), "output"]
    edges = list(pairwise(names))
    return nir.NIRGraph(dict(zip(names, nodes, strict=True)), edges, metadata=metadata or {}, type_check=False)


@pytest.fixture
def graph() -> nir.NIRGraph:
    ones = np.ones(3, np.float32)
    return chain(
        nir.Input(np.array([2])),
        nir.Affine(np.arange(6, dtype=np.float32).reshape(3, 2), ones),
        nir.CubaLIF(tau_syn=ones, tau_mem=2 * ones, r=ones, v_leak=0 * ones, v_threshold=ones, w_in=3 * ones),
        nir.Output(np.array([3])),
        metadata={"dt_s": 1e-4, "reset": "zero", "input_shape": np.array([2]), "nested": {"a": 1}},
    )


def test_a_graph_survives_its_file(graph: nir.NIRGraph, tmp_path: Path) -> None:
    write_graph(graph, tmp_path / "g.nir")
    again = read_graph(tmp_path / "g.nir")
    assert set(again.nodes) == set(graph.nodes)
    assert sorted(again.edges) == sorted(graph.edges)
    assert again.metadata == {"dt_s": 1e-4, "reset": "zero", "input_shape": [2], "nested": {"a": 1}}
    for field in ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"):
        mine, theirs = getattr(graph.nodes["n2"], field), getattr(again.nodes["n2"], field)
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype
    np.testing.assert_array_equal(graph.nodes["n1"].weight, again.nodes["n1"].weight)


def test_the_same_graph_gives_the_same_bytes(graph: nir.NIRGraph, tmp_path: Path) -> None:
    write_graph(graph, tmp_path / "a.nir")
    write_graph(graph, tmp_path / "b.nir")
    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()


def test_nir_itself_reads_what_is_written(graph: nir.NIRGraph, tmp_path: Path) -> None:
    write_graph(graph, tmp_path / "g.nir")
    assert set(nir.read(tmp_path / "g.nir").nodes) == set(graph.nodes)


def test_files_older_than_a_field_are_read(graph: nir.NIRGraph, tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    write_graph(graph, path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/n2/v_reset"]
        del file["node/nodes/n2/w_in"]
    node = read_graph(path).nodes["n2"]
    np.testing.assert_array_equal(node.v_reset, np.zeros(3))
    np.testing.assert_array_equal(node.w_in, np.ones(3))


def test_a_convolution_without_input_shape_and_scalar_parameters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    kernel = np.ones((1, 1, 2, 2), np.float32)
    node = nir.Conv2d((3, 3), kernel, 1, 0, 1, 1, np.zeros(1, np.float32))
    write_graph(chain(nir.Input(np.array([1, 3, 3])), node, nir.Output(np.array([1, 2, 2]))), path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/n1/input_shape"]
    assert read_graph(path).nodes["n1"].input_shape is None


def _fault(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_graph(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("dataset", "value", "says"),
    [
        ("node/nodes/n2/type", b"Izhikevich", "node 'n2' is of unknown type 'Izhikevich'; handled are Input, LIF"),
        ("node/nodes/n1/weight", None, "node 'n1' has no 'weight'"),
        ("node/nodes/n1/type", None, "node 'n1' has no 'type'"),
        (
            "node/nodes/n2/r",
            np.ones(4, np.float32),
            "node 'n2' is a CubaLIF with parameters that do not fit each other",
        ),
        ("node/nodes/n2/r", np.full(3, np.nan), "node 'n2' has a 'r' that is not finite everywhere"),
        ("node/edges", np.zeros((2, 3)), "graph 'at the top' has edges of shape (2, 3); expected (n, 2)"),
        ("node/edges", None, "graph 'at the top' has no 'edges'"),
    ],
)
def test_a_fault_names_its_node(graph: nir.NIRGraph, tmp_path: Path, dataset: str, value: object, says: str) -> None:
    path = tmp_path / "g.nir"
    write_graph(graph, path)
    with h5py.File(path, "a") as file:
        del file[dataset]
        if value is not None:
            file[dataset] = value
    message = _fault(path)
    assert message.startswith(f"{path}: ") and says in message


def test_every_fault_is_said_at_once(graph: nir.NIRGraph, tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    write_graph(graph, path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/n1/weight"]
        del file["node/nodes/n2/r"]
    assert _fault(path) == f"{path}: 2 faults\n  - node 'n1' has no 'weight'\n  - node 'n2' has no 'r'"


def test_an_array_that_promises_more_than_it_stores_is_refused(graph: nir.NIRGraph, tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    write_graph(graph, path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/n1/weight"]
        file["node/nodes/n1"].create_dataset(
            "weight", shape=(1 << 16, 1 << 16), dtype="<f4", chunks=(256, 256), compression="gzip"
        )
    assert "node 'n1' has a 'weight' that claims 4294967296 values and stores 1 bytes" in _fault(path)


def test_a_link_out_of_the_file_is_not_followed(graph: nir.NIRGraph, tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    write_graph(graph, tmp_path / "other.nir")
    write_graph(graph, path)
    with h5py.File(path, "a") as file:
        del file["node/nodes/n1/weight"]
        file["node/nodes/n1/weight"] = h5py.ExternalLink("other.nir", "node/nodes/n1/weight")
    assert "node 'n1' has no 'weight'" in _fault(path)


def test_a_graph_linked_into_itself_is_refused(graph: nir.NIRGraph, tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    write_graph(graph, path)
    with h5py.File(path, "a") as file:
        file["node/nodes/inner"] = file["node"]
    assert "graph 'inner' is linked in several places of the file, or in itself" in _fault(path)


def test_graphs_inside_graphs_are_read_up_to_a_depth(graph: nir.NIRGraph, tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    write_graph(graph, path)
    with h5py.File(path, "a") as file:
        place = "node/nodes"
        for _ in range(16):
            file.copy(file["node"] if place == "node/nodes" else file["plain"], f"{place}/inner")
            if "plain" not in file:
                file.copy(file[f"{place}/inner"], "plain")
            place += "/inner/nodes"
    assert "is nested deeper than 15 graphs" in _fault(path)


def test_an_interrupted_write_leaves_the_old_file(graph: nir.NIRGraph, tmp_path: Path) -> None:
    path = tmp_path / "g.nir"
    write_graph(graph, path)
    before = path.read_bytes()
    graph.metadata["bad"] = object()
    with pytest.raises(TypeError):
        write_graph(graph, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["g.nir"]


@pytest.mark.parametrize("version", [None, 3, b"\xff", "0.1.1"])
def test_the_version_of_a_file_is_noted_where_it_says_one(tmp_path: Path, version: object) -> None:
    path = tmp_path / "g.nir"
    write_graph(nir.NIRGraph({"input": nir.Input(np.array([2]))}, [], metadata={}, type_check=False), path)
    with h5py.File(path, "a") as file:
        del file["version"]
        if version is not None:
            file["version"] = version
    assert vars(read_graph(path))[FORMAT_VERSION] == (version if isinstance(version, str) else "")


@pytest.mark.parametrize("where", ["metadata", "nodes"])
def test_a_group_that_is_linked_into_itself_twice(where: str, graph: nir.NIRGraph, tmp_path: Path) -> None:
    """Each level would have twice as many groups as the one above it."""
    write_graph(graph, path := tmp_path / "g.nir")
    with h5py.File(path, "r+") as file:
        if where == "metadata":
            group = file["node"]["metadata"]
            group["one"] = group["two"] = group
        else:
            inner = file["node"]["nodes"]
            inner["one"] = inner["two"] = file["node"]
    assert "is linked in several places of the file, or in itself; each node needs a group of its own" in _fault(path)


def test_metadata_are_no_place_for_large_arrays(graph: nir.NIRGraph, tmp_path: Path) -> None:
    write_graph(graph, path := tmp_path / "g.nir")
    with h5py.File(path, "r+") as file:
        file["node"]["metadata"].create_dataset("wide", (70_000,), np.uint8, fillvalue=1)
        file["node"]["metadata"]["wide"][:] = 1
    assert "has 70,000 values of 'wide' in its metadata; may have 65,536" in _fault(path)


def test_arrays_without_an_axis_are_written_as_numbers(tmp_path: Path) -> None:
    """nir's own writer asks HDF5 to compress them, which it does not do."""
    inner = nir.NIRGraph({"t": nir.Threshold(np.array(1.5))}, [], metadata={"a": {"b": np.array(2)}}, type_check=False)
    conv = nir.Conv2d((4, 4), np.ones((2, 1, 3, 3)), 1, 0, 1, np.array(1.0, np.float32), np.zeros(2))
    graph = nir.NIRGraph({"conv": conv, "inner": inner}, [], type_check=False)
    write_graph(graph, tmp_path / "a.nir")
    again = read_graph(tmp_path / "a.nir")
    assert float(again.nodes["conv"].groups) == 1
    assert float(again.nodes["inner"].nodes["t"].threshold) == 1.5
    assert again.nodes["inner"].metadata == {"a": {"b": 2}}
    assert isinstance(conv.groups, np.ndarray), "the graph is not changed"
    write_graph(again, tmp_path / "b.nir")
