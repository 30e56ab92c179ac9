"""Data and teachers that cannot be used: one ``error:`` line, exit code 2, and nothing written."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from spikewright.commands.cli import main


@pytest.fixture
def bare_onnx(tmp_path: Path) -> Path:
    """A model whose weights are in a file that is not there."""
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[64, 10], data_location=TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value="model.onnx.data")
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["images"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["logits"])],
        "bare",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 10])],
        [weights],
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.ModelProto.SerializeToString(helper.make_model(graph)))
    return path


def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path, *words: str) -> str:
    """The last line that ``distill`` says to these words on stderr, the only error in it."""
    student = tmp_path / "student.pt"
    assert main(["distill", *words, "-o", str(student)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert not student.exists()
    assert err.count("error:") == 1
    return err.splitlines(keepends=True)[-1]


def test_a_data_folder_without_the_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    words = ("--data", "fashion-mnist", "--data-dir", str(tmp_path))
    assert refused(capsys, tmp_path, *words) == (
        f"error: {tmp_path}: has not all files of fashion-mnist; missing train-images-idx3-ubyte, "
        "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz, here or in "
        "FashionMNIST/raw); put them there, or leave --data-dir out to have them found or downloaded\n"
    )


def test_an_onnx_teacher_without_its_external_data(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, bare_onnx: Path
) -> None:
    assert refused(capsys, tmp_path, "--data", "digits", "--teacher", str(bare_onnx)) == (
        f"error: {bare_onnx}: its weights are in the external data file 'model.onnx.data', which is missing; "
        "put it beside the model\n"
    )


def test_a_teacher_that_is_no_onnx_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"<html>not found</html>")
    assert refused(capsys, tmp_path, "--data", "digits", "--teacher", str(path)) == (
        f"error: {path}: is not an ONNX model, or is cut short; export the model again\n"
    )


def test_a_teacher_that_nobody_knows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert refused(capsys, tmp_path, "--data", "digits", "--teacher", "convnte") == (
        "error: teacher 'convnte': is no architecture; did you mean 'convnet'? may be: convnet, mlp, snn, temporal, "
        "vgg, file.py:function or torchvision:NAME with --teacher-weights, or a path that ends in .onnx or .pt\n"
    )
