"""ONNX files from anywhere: what is wrong with one is said before anything in it is used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError
from spikewright.teachers.onnx_model import read_onnx

WEIGHT = np.arange(64 * 10, dtype=np.float32).reshape(64, 10)


@pytest.fixture
def model() -> onnx.ModelProto:
    """Flatten and one matrix."""
    nodes = [helper.make_node("Flatten", ["images"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        [numpy_helper.from_array(WEIGHT, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def external(model: onnx.ModelProto, path: Path, **entries: str) -> None:
    """Write ``model`` with its weights said to be elsewhere."""
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path.write_bytes(model.SerializeToString())


def test_a_sound_file_is_read(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "teacher.onnx"
    onnx.save(model, path)
    file = read_onnx(path)
    assert file.sha256 == sha256_of(path)
    assert np.array_equal(numpy_helper.to_array(file.model.graph.initializer[0]), WEIGHT)


def test_external_data_are_loaded_and_hashed(model: onnx.ModelProto, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    weights = tmp_path / "data" / "weights.bin"
    weights.write_bytes(b"head" + WEIGHT.tobytes())
    external(model, tmp_path / "t.onnx", location="data/weights.bin", offset="4", length=str(WEIGHT.nbytes))
    file = read_onnx(tmp_path / "t.onnx")
    assert np.array_equal(numpy_helper.to_array(file.model.graph.initializer[0]), WEIGHT)
    weights.write_bytes(b"head" + (WEIGHT + 1).tobytes())
    assert read_onnx(tmp_path / "t.onnx").sha256 != file.sha256


def test_functions_are_inlined(model: onnx.ModelProto, tmp_path: Path) -> None:
    body = [helper.make_node("Flatten", ["x"], ["y"])]
    opsets = [helper.make_opsetid("", 13)]
    function = helper.make_function("own", "Flat", ["x"], ["y"], body, opsets)
    model.graph.node[0].CopyFrom(helper.make_node("Flat", ["images"], ["flat"], domain="own"))
    model.functions.append(function)
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, tmp_path / "t.onnx")
    assert [node.op_type for node in read_onnx(tmp_path / "t.onnx").model.graph.node] == ["Flatten", "MatMul"]


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_onnx(path)
    return str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "t.onnx") == f"{tmp_path / 't.onnx'}: there is no such file; expected an ONNX model"


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b"PK\x03\x04", bytes(100)])
def test_another_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.onnx"
    path.write_bytes(content)
    assert refusal(path) == f"{path}: is not an ONNX model, or is cut short; export the model again"


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    path.write_bytes(b"")
    assert refusal(path) == f"{path}: is not an ONNX model with a network in it; export the model again"


def test_a_file_that_is_cut_short(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    path.write_bytes(model.SerializeToString()[:-300])
    assert refusal(path) == f"{path}: is not an ONNX model, or is cut short; export the model again"


def test_a_model_that_breaks_the_standard(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    model.graph.node[1].input[0] = "nothing"
    path.write_bytes(model.SerializeToString())
    message = refusal(path)
    assert message.startswith(f"{path}: is not a valid ONNX model (")
    assert message.endswith("); export the model again")
    assert "\n" not in message


def test_missing_external_data(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    external(model, path, location="t.onnx.data")
    assert refusal(path) == (
        f"{path}: its weights are in the external data file 't.onnx.data', which is missing; put it beside the model"
    )


def test_external_data_that_are_too_short(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    (tmp_path / "w.bin").write_bytes(bytes(100))
    external(model, path, location="w.bin", offset="0", length=str(WEIGHT.nbytes))
    assert (
        refusal(path) == f"{path}: its external data file 'w.bin' is too short for tensor 'w'; export the model again"
    )


def test_external_data_of_another_size(model: onnx.ModelProto, tmp_path: Path) -> None:
    path = tmp_path / "t.onnx"
    (tmp_path / "w.bin").write_bytes(bytes(100))
    external(model, path, location="w.bin")
    message = refusal(path)
    assert message.startswith(f"{path}: is not a valid ONNX model (")
    assert "\n" not in message


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "link/secret.bin", "link.bin"])
def test_external_data_outside_of_the_folder(model: onnx.ModelProto, tmp_path: Path, location: str) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(WEIGHT.tobytes())
    (folder / "link").symlink_to(tmp_path)
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    path = folder / "t.onnx"
    external(model, path, location=location)
    assert refusal(path) == (
        f"{path}: tensor 'w' names the file {location!r} outside of the model's folder, which is not read; "
        "export the model with its data beside it"
    )


@pytest.mark.parametrize("entries", [{}, {"location": "w.bin", "offset": "-4"}, {"location": "w.bin", "length": "1e9"}])
def test_external_data_without_a_proper_place(model: onnx.ModelProto, tmp_path: Path, entries: dict[str, str]) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    path = tmp_path / "t.onnx"
    external(model, path, **entries)
    assert refusal(path) == (
        f"{path}: tensor 'w' does not state properly where its external data are; export the model again"
    )


def test_external_data_with_words_that_onnx_does_not_have(model: onnx.ModelProto, tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(WEIGHT.tobytes())
    path = tmp_path / "t.onnx"
    external(model, path, location="w.bin", images="3")
    assert refusal(path) == (
        f"{path}: tensor 'w' says images of its external data; may be basepath, checksum, length, location, offset"
    )


def test_external_data_in_a_branch_are_looked_at_too(model: onnx.ModelProto, tmp_path: Path) -> None:
    hidden = TensorProto(name="deep", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    hidden.external_data.add(key="location", value="../deep.bin")
    branch = helper.make_graph([helper.make_node("Constant", [], ["c"], value=hidden)], "branch", [], [])
    model.graph.node.append(helper.make_node("If", ["flat"], ["out"], then_branch=branch, else_branch=branch))
    path = tmp_path / "t.onnx"
    path.write_bytes(model.SerializeToString())
    assert "tensor 'deep' names the file '../deep.bin' outside" in refusal(path)
