"""Teachers from ONNX files: the same answers as the network that was exported."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from spikewright.base.errors import InputError
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.data.output_rule import OutputRule
from spikewright.data.split import Split
from spikewright.energy.macs import Macs
from spikewright.teachers.ann import build
from spikewright.teachers.onnx_refusals import why_not_run
from spikewright.teachers.onnx_teacher import OnnxTeacher
from spikewright.teachers.samples import SampleFormat
from spikewright.teachers.teacher import teacher_from
from spikewright.teachers.torch_teacher import TorchTeacher, precompute_logits

SHAPE = (1, 8, 8)
Saved = Callable[..., Path]
RANDOM = np.random.default_rng(7)
IMAGES = torch.from_numpy(RANDOM.random((7, *SHAPE), np.float32))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A convolutional teacher whose batch normalisation has seen something."""
    torch.manual_seed(1)
    network = build("convnet", SHAPE, 10)
    network.train()(torch.rand(64, *SHAPE))
    return network.eval()


@pytest.fixture(scope="module", params=["free", "fixed"])
def exported(request: pytest.FixtureRequest, network: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network as torch exports it, with a batch size that is free, or fixed at 3."""
    path = tmp_path_factory.mktemp("onnx") / f"{request.param}.onnx"
    # Since torch 2.5 the exporter that needs no further package is asked for by name.
    exporter = {"dynamo": False} if torch.__version__ >= (2, 5) else {}
    axes = {"images": {0: "batch"}, "logits": {0: "batch"}} if request.param == "free" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(3, *SHAPE),),
            str(path),
            input_names=["images"],
            output_names=["logits"],
            dynamic_axes=axes,
            **exporter,
        )
    return path


def test_the_exported_network_gives_the_same_logits(network: nn.Module, exported: Path) -> None:
    ours, theirs = TorchTeacher(network, SHAPE, "torch"), OnnxTeacher(exported, SHAPE, 10)
    torch.testing.assert_close(theirs.logits(IMAGES), ours.logits(IMAGES), rtol=0, atol=1e-4)
    torch.testing.assert_close(precompute_logits(theirs, IMAGES, 2), ours.logits(IMAGES), rtol=0, atol=1e-4)
    assert theirs.signature.batch == (3 if exported.stem == "fixed" else None)
    assert theirs.macs == ours.macs
    assert not ours.macs.is_lower_bound


def test_a_named_value_is_what_the_module_gave(network: nn.Module, exported: Path) -> None:
    ours, theirs = TorchTeacher(network, SHAPE, "torch"), OnnxTeacher(exported, SHAPE, 10)
    model = onnx.load(exported)
    activation = next(node.output[0] for node in model.graph.node if node.op_type == "Relu")
    found = theirs.features(IMAGES, [activation, "logits"])
    assert activation in theirs.names
    assert list(found) == [activation, "logits"]
    torch.testing.assert_close(found[activation], ours.features(IMAGES, ["stage1"])["stage1"], rtol=0, atol=1e-4)
    torch.testing.assert_close(found["logits"], ours.logits(IMAGES), rtol=0, atol=1e-4)


def test_it_answers_about_digits(network: nn.Module, exported: Path) -> None:
    digits = load("digits")
    teacher = teacher_from(str(exported), digits)
    assert isinstance(teacher, OnnxTeacher)
    part = Split(digits.test.samples[:50], digits.test.labels[:50])
    assert teacher.accuracy(part) == TorchTeacher(network, SHAPE, "torch").accuracy(part)


def test_no_images_no_answers(exported: Path) -> None:
    assert OnnxTeacher(exported, SHAPE, 10).logits(IMAGES[:0]).shape == (0, 10)


MATRIX = RANDOM.standard_normal((64, 10)).astype(np.float32)


@pytest.fixture
def saved(tmp_path: Path) -> Saved:
    """Write a graph made by hand: one matrix on flat images."""

    def save(
        shape: Sequence[int | str] = ("batch", 1, 8, 8),
        *,
        nodes: Sequence[onnx.NodeProto] = (),
        outputs: Sequence[str] = ("logits",),
        kind: int = TensorProto.FLOAT,
        inputs: Sequence[str] = ("images",),
        matrix: np.ndarray = MATRIX,
    ) -> Path:
        first = [
            helper.make_node("Reshape", ["images", "size"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["logits"]),
        ]
        weights = matrix.astype(helper.tensor_dtype_to_np_dtype(kind)) if kind != TensorProto.INT64 else matrix
        graph = helper.make_graph(
            [*first, *nodes],
            "by hand",
            [helper.make_tensor_value_info(name, kind, shape) for name in inputs],
            [helper.make_tensor_value_info(name, kind, ["n", None]) for name in outputs],
            [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.array([-1, 64]), "size")],
        )
        path = tmp_path / "hand.onnx"
        opsets = [helper.make_opsetid("", 13)]
        path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
        return path

    return save


def expected(images: torch.Tensor = IMAGES) -> torch.Tensor:
    return images.flatten(1) @ torch.from_numpy(MATRIX)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        (("n", 1, 8, 8), "channels first"),
        (("n", "c", "h", "w"), "channels first"),
        ((2, 1, 8, 8), "channels first"),
        (("n", 8, 8, 1), "channels last"),
        (("n", 64), "flat"),
    ],
    ids=str,
)
def test_images_go_in_as_the_model_wants_them(saved: Saved, shape: Sequence[int | str], layout: str) -> None:
    teacher = OnnxTeacher(saved(shape), SHAPE, 10)
    assert teacher.signature.layout == layout
    torch.testing.assert_close(teacher.logits(IMAGES), expected())
    assert teacher.macs == Macs(640)


def test_channels_last_are_reordered(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["y"])],
        "flatten",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 3, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 24])],
    )
    path = tmp_path / "t.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    )
    images = torch.arange(5 * 24, dtype=torch.float32).reshape(5, 4, 2, 3)
    assert torch.equal(OnnxTeacher(path, (4, 2, 3), 24).logits(images), images.permute(0, 2, 3, 1).flatten(1))


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT16], ids=["double", "half"])
def test_other_floating_point_types_are_converted(saved: Saved, kind: int) -> None:
    logits = OnnxTeacher(saved(kind=kind), SHAPE, 10).logits(IMAGES)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, expected(), rtol=0, atol=1e-5 if kind == TensorProto.DOUBLE else 0.05)


def test_logits_are_taken_from_before_a_softmax(saved: Saved) -> None:
    nodes = [
        helper.make_node("Softmax", ["logits"], ["p"]),
        helper.make_node("Identity", ["p"], ["probabilities"]),
    ]
    teacher = OnnxTeacher(saved(nodes=nodes, outputs=["probabilities"]), SHAPE, 10)
    assert teacher.signature.logits_name == "logits"
    torch.testing.assert_close(teacher.logits(IMAGES), expected())


def test_values_are_the_output_as_it_is(saved: Saved) -> None:
    path = saved(nodes=[helper.make_node("Softmax", ["logits"], ["shares"])], outputs=["shares"])
    values = OutputRule("regression", center=(0.0,) * 10, spread=(1.0,) * 10)
    teacher = OnnxTeacher(path, SHAPE, 10, output=values)
    assert teacher.signature.logits_name == "shares"
    torch.testing.assert_close(teacher.logits(IMAGES), torch.softmax(expected(), 1))


def test_probabilities_made_otherwise_are_refused(saved: Saved) -> None:
    nodes = [
        helper.make_node("Exp", ["logits"], ["e"]),
        helper.make_node("ReduceSum", ["e", "axes"], ["s"], keepdims=1),
        helper.make_node("Div", ["e", "s"], ["p"]),
    ]
    nodes.insert(0, helper.make_node("Constant", [], ["axes"], value_ints=[1]))
    path = saved(nodes=nodes, outputs=["p"])
    assert refusal(path) == (
        f"{path}: its output 'p' holds probabilities (they sum to 1), a student learns from the logits before them; "
        "export the model without its last softmax"
    )


def test_of_several_outputs_the_named_one_is_taken(saved: Saved) -> None:
    double = helper.make_node("Add", ["logits", "logits"], ["double"])
    digits = load("digits")
    path = saved(nodes=[double], outputs=["double", "logits"])
    torch.testing.assert_close(OnnxTeacher(path, SHAPE, 10).logits(IMAGES), expected())
    torch.testing.assert_close(teacher_from(f"{path}:double", digits).logits(IMAGES), 2 * expected())


def refusal(path: Path, shape: tuple[int, int, int] = SHAPE, classes: int = 10, logits: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        OnnxTeacher(path, shape, classes, logits)
    return str(caught.value)


def test_several_outputs_without_a_name_are_refused(saved: Saved) -> None:
    double = helper.make_node("Add", ["logits", "logits"], ["double"])
    path = saved(nodes=[double], outputs=["double", "flat"])
    assert refusal(path) == (
        f"{path}: has 2 outputs (double, flat) and none is called 'logits'; say which one it is, as in {path}:double"
    )
    assert refusal(path, logits="dubble") == (
        f"{path}: has no output 'dubble'; did you mean 'double'? may be: double, flat"
    )


def with_outputs(path: Path, *, scores: str) -> Path:
    """The model with the outputs that skl2onnx gives a classifier: the label first, then the scores."""
    model = onnx.load(path)
    model.graph.ClearField("output")
    model.graph.node.append(helper.make_node("ArgMax", ["logits"], ["label"], axis=1, keepdims=0))
    outputs = [helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"])]
    if scores == "array":
        model.graph.node.append(helper.make_node("Identity", ["logits"], ["probabilities"]))
        outputs.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 10]))
    if scores == "dictionaries":
        zipped = helper.make_node("ZipMap", ["logits"], ["probabilities"], domain="ai.onnx.ml")
        zipped.attribute.append(helper.make_attribute("classlabels_int64s", list(range(10))))
        model.graph.node.append(zipped)
        model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
        row = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, []))
        value = helper.make_value_info("probabilities", helper.make_sequence_type_proto(row))
        outputs.append(value)
    model.graph.output.extend(outputs)
    path.write_bytes(model.SerializeToString())
    return path


def test_the_scores_of_scikit_learn_are_proposed_and_not_its_label(saved: Saved) -> None:
    path = with_outputs(saved(), scores="array")
    assert refusal(path) == (
        f"{path}: has 2 outputs (label, probabilities) and none is called 'logits' ('label' holds labels or other "
        f"INT64); say which one it is, as in {path}:probabilities"
    )
    assert refusal(path, logits="label") == (
        f"{path}: its output 'label' holds labels or other INT64, and logits are floating-point numbers; say which one "
        f"it is, as in {path}:probabilities"
    )
    torch.testing.assert_close(OnnxTeacher(path, SHAPE, 10, "probabilities").logits(IMAGES), expected())


@pytest.mark.parametrize("asked", [None, "probabilities"])
def test_scores_in_dictionaries_are_refused_with_what_to_do(saved: Saved, asked: str | None) -> None:
    path = with_outputs(saved(), scores="dictionaries")
    message = refusal(path, logits=asked)
    assert "'probabilities' holds a dictionary for each sample" in message
    assert message.endswith("export the model with its scores as one array (skl2onnx: options={'zipmap': False})")


def test_a_model_of_labels_alone_is_refused(saved: Saved) -> None:
    path = with_outputs(saved(), scores="none")
    assert refusal(path) == (
        f"{path}: its output 'label' holds labels or other INT64, and logits are floating-point numbers; export the "
        "model with its logits as an output"
    )


def test_operators_and_files_that_are_too_new_get_one_sentence(saved: Saved) -> None:
    path = saved()
    model = onnx.load(path)
    newest = onnx.defs.onnx_opset_version() + 1
    model.opset_import[0].version = newest
    path.write_bytes(model.SerializeToString())
    message = refusal(path)
    sentence = (
        rf"{re.escape(str(path))}: its operators are those of opset {newest}, and the onnxruntime that is installed "
        r"runs opsets up to (\d+); export the model for opset \1 \(torch.onnx.export: opset_version=\1\), or install "
        "a newer onnxruntime"
    )
    assert re.fullmatch(sentence, message)
    model.opset_import[0].version = 13
    model.ir_version = onnx.IR_VERSION + 1
    path.write_bytes(model.SerializeToString())
    assert "Your model ir_version" in refusal(path)  # what the onnx that is installed does not know either


def test_the_words_of_onnxruntime_without_its_places() -> None:
    place = "[ONNXRuntimeError] : 1 : FAIL : /src/onnxruntime/core/graph/model.cc:181 onnxruntime::Model::Model(a, b) "
    assert why_not_run(RuntimeError(f"{place}Unsupported model IR version: 12, max supported IR version: 11")) == (
        "its file is of ONNX IR version 12, and the onnxruntime that is installed reads versions up to 11; write the "
        "model with an older onnx, or install a newer onnxruntime"
    )
    assert why_not_run(RuntimeError(f"{place}Something else. ")) == (
        "onnxruntime cannot run it (Something else); export it for other operators"
    )
    assert why_not_run(RuntimeError("[ONNXRuntimeError] : 9 : NOT_IMPLEMENTED : No Flatten(21)")) == (
        "onnxruntime cannot run it (No Flatten(21)); export it for other operators"
    )


def test_images_of_another_shape_are_refused(saved: Saved) -> None:
    path = saved()
    assert refusal(path, (3, 32, 32)) == (
        f"{path}: its input has shape ? x 1 x 8 x 8 (batch first), the data set's images are 3 x 32 x 32 "
        "(channels, height, width; channels last or flat will do); use a model for such images"
    )


def test_another_number_of_classes_is_refused(saved: Saved) -> None:
    path = saved()
    assert refusal(path, classes=7) == (
        f"{path}: its output 'logits' has shape (10,) per image, the data set has 7 classes and needs (7,); "
        "use a model trained for these classes"
    )


def test_weights_that_are_not_numbers_are_refused(saved: Saved) -> None:
    path = saved(matrix=np.full_like(MATRIX, np.nan))
    assert refusal(path) == f"{path}: its output 'logits' is not finite for images of noise; check its weights"


def test_two_inputs_are_refused(saved: Saved) -> None:
    path = saved(inputs=["images", "more"])
    assert refusal(path) == f"{path}: has 2 inputs (images, more), a teacher has one, images; export it so"


def test_integers_as_input_are_refused(saved: Saved) -> None:
    path = saved(kind=TensorProto.INT64)
    assert refusal(path) == (
        f"{path}: its input 'images' takes INT64, images are floating-point numbers in [0, 1]; "
        "export the model with a float32 input"
    )


def test_an_operator_that_is_not_there_is_refused(saved: Saved) -> None:
    path = saved()
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("Magic", ["logits"], ["out"], domain="own"))
    model.opset_import.append(helper.make_opsetid("own", 1))
    path.write_bytes(model.SerializeToString())
    message = refusal(path)
    assert message.startswith(f"{path}: onnxruntime cannot run it (")
    assert "Magic" in message
    assert message.endswith("); export it for other operators")
    assert "\n" not in message


def test_a_value_that_is_not_one_per_image_is_refused(saved: Saved) -> None:
    teacher = OnnxTeacher(saved(nodes=[helper.make_node("Transpose", ["flat"], ["turned"])]), SHAPE, 10)
    with pytest.raises(InputError) as caught:
        teacher.features(IMAGES, ["turned"])
    assert str(caught.value) == (
        f"{teacher.path}: its value 'turned' has shape (64, 7) for 7 images, so it is not one array per image; "
        "choose another value"
    )


def test_an_unknown_value_is_refused_with_a_suggestion(saved: Saved) -> None:
    with pytest.raises(InputError) as caught:
        OnnxTeacher(saved(), SHAPE, 10).features(IMAGES, ["flatt"])
    assert str(caught.value) == (
        "teacher hand.onnx: has no value 'flatt' to distil from; did you mean 'flat'? may be: flat, logits"
    )


def test_what_is_not_counted_is_named(saved: Saved) -> None:
    nodes = [
        helper.make_node("Einsum", ["logits", "logits"], ["square"], equation="bi,bi->bi"),
        helper.make_node("Gemm", ["flat", "w"], ["more"], transA=0),
        helper.make_node("Det", ["images"], ["determinant"]),
    ]
    teacher = OnnxTeacher(saved(nodes=nodes), SHAPE, 10)
    assert teacher.macs == Macs(2 * 640, ("Det",))


def test_epochs_for_a_trained_teacher_are_refused(saved: Saved) -> None:
    digits = load("digits")
    path = saved()
    with pytest.raises(InputError) as caught:
        teacher_from(str(path), digits, epochs=3)
    assert str(caught.value) == f"teacher {path}: is already trained; leave the teacher's epochs out"


def test_both_kinds_of_teacher_keep_to_the_protocol(saved: Saved, network: nn.Module) -> None:
    digits: Dataset = load("digits")
    for teacher in (OnnxTeacher(saved(), SHAPE, 10), TorchTeacher(network, SHAPE, "t")):
        assert "logits" in teacher.names
        assert len(teacher.sha256) == 64
        assert teacher.name
        assert 0 <= teacher.accuracy(Split(digits.test.samples[:20], digits.test.labels[:20])) <= 1
        assert not teacher.logits(IMAGES).requires_grad


def over_time(path: Path, shape: Sequence[int | str]) -> Path:
    """A model that gives its input of 3 channels over 6 steps, in its own order, as 18 logits."""
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["logits"])],
        "over time",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", 18])],
    )
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8).SerializeToString()
    )
    return path


@pytest.mark.parametrize("shape", [(3, 6, 1), (1, 6, 3)], ids=str)
def test_a_model_of_series_gets_them_in_the_order_of_its_axes(shape: tuple[int, int, int], tmp_path: Path) -> None:
    values = torch.from_numpy(RANDOM.random((4, 6, 3), np.float32))  # samples, steps, channels
    prepared = values.transpose(1, 2)[..., None] if shape[0] == 3 else values[:, None]
    steps_first = OnnxTeacher(over_time(tmp_path / "s.onnx", (6, 3)), shape, 18)
    assert (steps_first.signature.layout, steps_first.taken.layout) == ("series", "series")
    assert torch.equal(steps_first.logits(prepared), values.flatten(1))
    channels_first = OnnxTeacher(over_time(tmp_path / "c.onnx", (3, 6)), shape, 18)
    assert channels_first.signature.layout == "channels"
    assert torch.equal(channels_first.logits(prepared), values.transpose(1, 2).flatten(1))
    taken = SampleFormat.of(normalize="1,2,3/0.5")
    normalised = OnnxTeacher(over_time(tmp_path / "s.onnx", (6, 3)), shape, 18, taken=taken)
    torch.testing.assert_close(normalised.logits(prepared), ((values - torch.tensor([1, 2, 3])) * 2).flatten(1))
    assert normalised.sha256 != steps_first.sha256


def test_series_whose_order_nobody_says_are_refused(tmp_path: Path) -> None:
    path = over_time(tmp_path / "s.onnx", ("t", "c"))
    assert refusal(path, (3, 6, 1), 18) == (
        f"{path}: its input has shape ? x ? x ? (batch first), which may be series (B, T, C) or channels (B, C, T); "
        "say which, layout=series or layout=channels"
    )
    values = torch.from_numpy(RANDOM.random((2, 3, 6, 1), np.float32))
    found = OnnxTeacher(path, (3, 6, 1), 18, taken=SampleFormat.of("channels")).logits(values)
    assert torch.equal(found, values.flatten(1))
    with pytest.raises(InputError) as caught:
        OnnxTeacher(over_time(tmp_path / "s.onnx", (6, 3)), (3, 6, 1), 18, taken=SampleFormat.of("vectors"))
    assert str(caught.value) == (
        f"{path}: its input has shape ? x 6 x 3 (batch first), the data set's images are 3 x 6 x 1 (channels, height, "
        "width; taken as vectors); use a model for such images"
    )


def test_a_model_gets_images_as_it_was_trained_on_them(saved: Saved) -> None:
    taken = SampleFormat.of(normalize="0.5/0.25")
    teacher = OnnxTeacher(saved(), SHAPE, 10, taken=taken)
    torch.testing.assert_close(teacher.logits(IMAGES), expected((IMAGES - 0.5) * 4))
    larger = torch.rand(2, 1, 16, 16)
    small = OnnxTeacher(saved(), (1, 16, 16), 10, taken=SampleFormat.of(size=8))
    torch.testing.assert_close(
        small.logits(larger), expected(nn.functional.interpolate(larger, (8, 8), mode="bilinear", antialias=True))
    )
