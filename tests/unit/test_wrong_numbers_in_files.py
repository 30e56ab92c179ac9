"""Files whose shapes, types or claims are wrong inside a valid form: read with the right values, or refused by name."""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path

import h5py
import nir
import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from PIL import Image, PngImagePlugin

from spikewright.base.errors import InputError
from spikewright.data.dataset import Dataset
from spikewright.data.describe import describe
from spikewright.graph.nir_io import read_graph, write_graph
from spikewright.lowering.lower import lower
from spikewright.sources.event_sources import Files
from spikewright.sources.options import ReadingOptions
from spikewright.student.config import StudentConfig
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.teachers.onnx_model import read_onnx
from spikewright.teachers.onnx_teacher import OnnxTeacher


@pytest.fixture
def graph() -> nir.NIRGraph:
    torch.manual_seed(0)
    return to_nir(Student(StudentConfig("mlp", 2, (1, 2, 2), 3, 2)).eval())


def first_dense(graph: nir.NIRGraph) -> str:
    return next(name for name, node in graph.nodes.items() if isinstance(node, nir.Affine))


def test_one_row_of_weights_is_not_spread_over_the_neurons_of_a_bias(graph: nir.NIRGraph) -> None:
    name = first_dense(graph)
    dense = graph.nodes[name]
    dense.weight = dense.weight[:1]
    with pytest.raises(InputError, match=rf"{name}.* has a bias of shape \(2,\) for 1 outputs"):
        lower(graph, "loihi2-assumed")


def test_numbers_in_the_other_byte_order_are_the_same_numbers(graph: nir.NIRGraph, tmp_path: Path) -> None:
    write_graph(graph, tmp_path / "g.nir")
    name = first_dense(graph)
    place = f"node/nodes/{name}/weight"
    with h5py.File(tmp_path / "g.nir", "r+") as file:
        values = file[place][()]
        del file[place]
        file[place] = values.astype(">f4")
    read = read_graph(tmp_path / "g.nir")
    assert read.nodes[name].weight.dtype.isnative
    np.testing.assert_array_equal(read.nodes[name].weight, graph.nodes[name].weight)
    mine, theirs = lower(read, "loihi2-assumed"), lower(graph, "loihi2-assumed")
    for one, other in zip(mine.connections, theirs.connections, strict=True):
        np.testing.assert_array_equal(one.weight, other.weight)


def test_a_convolution_of_stride_0_is_named(tmp_path: Path) -> None:
    conv = nir.Conv2d((4, 4), np.ones((1, 1, 2, 2), np.float32), 1, 0, 1, 1, np.zeros(1, np.float32))
    made = nir.NIRGraph(
        {"input": nir.Input(np.array([1, 4, 4])), "conv": conv, "output": nir.Output(np.array([1, 3, 3]))},
        [("input", "conv"), ("conv", "output")],
        type_check=False,
    )
    write_graph(made, tmp_path / "g.nir")
    with h5py.File(tmp_path / "g.nir", "r+") as file:
        file["node/nodes/conv/stride"][...] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="node 'conv' is a Conv2d with parameters that do not fit each other"):
            read_graph(tmp_path / "g.nir")


def model(batch: int | str = "n") -> onnx.ModelProto:
    value = helper.make_tensor_value_info
    nodes = [helper.make_node("Flatten", ["x"], ["f"]), helper.make_node("Gemm", ["f", "w", "b"], ["logits"])]
    weights = [numpy_helper.from_array(np.ones((16, 3), np.float32), "w")]
    weights.append(numpy_helper.from_array(np.zeros(3, np.float32), "b"))
    graph = helper.make_graph(nodes, "g", [value("x", 1, (batch, 1, 4, 4))], [value("logits", 1, (batch, 3))], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def teacher(made: onnx.ModelProto, path: Path) -> OnnxTeacher:
    path.write_bytes(made.SerializeToString())
    return OnnxTeacher(path, (1, 4, 4), 3)


def test_a_tensor_of_no_type_is_refused_before_it_ends_the_process(tmp_path: Path) -> None:
    for kind in (-(2**31), 999):
        made = model()
        made.graph.initializer[1].data_type = kind
        with pytest.raises(InputError, match=f"tensor 'b' is of type {kind}, which ONNX does not have"):
            teacher(made, tmp_path / "a.onnx")


@pytest.mark.parametrize("batch", [2**31, -(2**63)])
def test_a_number_of_images_at_once_that_nobody_has(batch: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"takes {batch} images at once; may be 1 to 65536, or any number"):
        teacher(model(batch), tmp_path / "a.onnx")


def test_a_zero_byte_in_the_name_of_external_data(tmp_path: Path) -> None:
    made = model()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="a\0b")
    (tmp_path / "a.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(InputError, match="tensor 'w' does not state properly where its external data are"):
        read_onnx(tmp_path / "a.onnx")


def test_a_header_of_python_2_is_read_without_a_word(tmp_path: Path) -> None:
    x, y = np.arange(64, dtype=np.float32).reshape(32, 2), np.arange(32) % 2
    np.save(tmp_path / "y.npy", y)
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (32L, 2L), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    head = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header
    (tmp_path / "x.npy").write_bytes(head + x.tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Dataset.from_file(tmp_path / "x.npy")
    assert sum(len(part.labels) for part in (made.train, made.validation, made.test)) == 32


def test_classes_that_no_whole_number_holds(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((30, 4)), y=np.array([0.0, 1.0, 1e30] * 10))
    with pytest.raises(InputError, match=r"labels of .* reach 1e\+30; classes may be up to 2\.14748e\+09"):
        Dataset.from_file(tmp_path / "d.npz", task="classification")


def test_values_as_large_as_32_bits_hold_are_described(tmp_path: Path) -> None:
    y = np.array([0.0, 1e30] * 15, np.float32)
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).random((30, 4)), y=y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = Dataset.from_file(tmp_path / "d.npz", task="regression")
        assert "5e+29" in str(describe(made)) or "e+29" in repr(made)


def test_a_matrix_that_claims_more_than_the_memory_is_refused(tmp_path: Path) -> None:
    name = b"x\0"
    claims = struct.pack("<5i", 0, 2**30, 2**12, 0, len(name))
    (tmp_path / "a.mat").write_bytes(claims + name + bytes(64))
    with pytest.raises(InputError, match=r"a\.mat: cannot be read as \.mat"):
        Files((tmp_path / "a.mat",), ReadingOptions()).read(0)


def test_a_name_in_hdf5_that_is_no_text_is_no_recording(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "many.h5", "w") as file:
        file.create_group(b"\xff\xfe")
    with pytest.raises(InputError, match=r"many\.h5"):
        Dataset.from_file(tmp_path / "many.h5")


@pytest.mark.parametrize("kind", [0, 1, 3, 5, 18, 255])
def test_a_matrix_of_another_class_is_refused(tmp_path: Path, kind: int) -> None:
    """The class of an array stands in byte 144, behind the file's header and two tags."""
    scipy = pytest.importorskip("scipy.io")
    scipy.savemat(tmp_path / "a.mat", {"events": np.ones((2, 4))})
    content = bytearray((tmp_path / "a.mat").read_bytes())
    assert content[144] == 6, "double"
    content[144] = kind
    (tmp_path / "a.mat").write_bytes(content)
    says = f"cannot be read as .mat (an array of class {kind}, which there is not)" if kind in (0, 255) else "holds no"
    with pytest.raises(InputError, match=rf"a\.mat: {re.escape(says)}"):
        Files((tmp_path / "a.mat",), ReadingOptions()).read(0)


def _series(tmp_path: Path, kind: str) -> Path:
    """Ten recordings of four steps in a file, one value of which is beyond 32 bits."""
    values = np.random.default_rng(0).random((10, 4))
    values[3, 2] = 1e300
    path = tmp_path / f"series.{kind}"
    if kind == "npz":
        np.savez(path, x=values[..., None], y=np.arange(10) % 2, lengths=np.full(10, 4))
    else:
        rows = [f"{n},{t},{values[n, t]},{n % 2}" for n in range(10) for t in range(4)]
        path.write_text("\n".join(["id,time,v,label", *rows]))
    return path


@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_values_of_recordings_beyond_32_bits_are_refused(tmp_path: Path, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match="holds infinity, first in sample 3"):
            Dataset.from_file(
                _series(tmp_path, kind),
                layout="series",
                **({"id_column": "id", "time_column": "time"} if kind == "csv" else {}),
            )


def test_an_image_with_a_part_that_claims_more_than_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for label, number in ((label, number) for label in "ab" for number in range(4)):
        (tmp_path / label).mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / label / f"{number}.png")

    def load_end(_: object) -> None:  # reads as many bytes as the head of the part says
        raise MemoryError

    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load_end", load_end)
    with pytest.raises(
        InputError, match=r"0\.png: cannot be read as an image \(it claims more than the memory holds\)"
    ):
        Dataset.from_folder(tmp_path)
