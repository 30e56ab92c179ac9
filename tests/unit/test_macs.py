"""Multiply-accumulates of teachers against counts worked out by hand, and what becomes of those that are not known."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from spikewright.energy.macs import Macs
from spikewright.student.facts import StudentFacts
from spikewright.teachers import onnx_macs, torch_macs
from spikewright.teachers.onnx_teacher import OnnxTeacher
from spikewright.teachers.torch_macs import count_macs
from spikewright.teachers.torch_teacher import Teacher

SERIES = torch.rand(1, 5, 8)
"""Five steps of eight channels."""
ATTENTION = 5 * (3 * 8 * 8 + 8 * 8) + 2 * 5 * 5 * 8
"""At each of 5 places four projections of 8 x 8; 5 x 5 scores of 8 products, and 5 x 8 sums of 5."""


class Calls(nn.Module):
    """A network whose forward pass is a function of the sample and of its modules."""

    def __init__(self, function: Callable[..., Tensor], *modules: nn.Module) -> None:
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(modules)

    def forward(self, sample: Tensor) -> Tensor:
        return self.function(sample, *self.parts)


def attention(weights: bool) -> nn.Module:
    module = nn.MultiheadAttention(8, 2, batch_first=True)
    return Calls(lambda x, a: a(x, x, x, need_weights=weights)[0], module)


def same_thrice(x: Tensor) -> Tensor:
    heads = x.reshape(1, 5, 2, 4).transpose(1, 2)
    return F.scaled_dot_product_attention(heads, heads, heads)


# name: (network, sample, multiply-accumulates by hand)
COUNTED: dict[str, tuple[nn.Module, Tensor, int]] = {
    "lstm": (nn.LSTM(8, 16, batch_first=True), SERIES, 5 * 4 * 16 * (8 + 16)),
    "lstm, time first": (nn.LSTM(8, 16), SERIES.transpose(0, 1), 5 * 4 * 16 * (8 + 16)),
    "lstm, two layers": (nn.LSTM(8, 16, 2, batch_first=True), SERIES, 5 * 64 * (8 + 16 + 16 + 16)),
    "lstm, both ways, two layers": (
        nn.LSTM(8, 16, 2, batch_first=True, bidirectional=True), SERIES, 5 * 2 * 64 * ((8 + 16) + (32 + 16)),
    ),
    "lstm, projected": (nn.LSTM(8, 16, batch_first=True, proj_size=4), SERIES, 5 * (64 * (8 + 4) + 16 * 4)),
    "gru": (nn.GRU(8, 16, batch_first=True), SERIES, 5 * 3 * 16 * (8 + 16)),
    "gru, both ways, two layers": (
        nn.GRU(8, 16, 2, batch_first=True, bidirectional=True), SERIES, 5 * 2 * 48 * ((8 + 16) + (32 + 16)),
    ),
    "rnn": (nn.RNN(8, 16, batch_first=True), SERIES, 5 * 16 * (8 + 16)),
    "cell": (Calls(lambda x, cell: cell(x[:, 0])[0], nn.LSTMCell(8, 16)), SERIES, 64 * (8 + 16)),
    "conv1d": (nn.Conv1d(5, 6, 3, padding=1), SERIES, 6 * 8 * 5 * 3),
    "conv3d": (nn.Conv3d(2, 3, 2), torch.rand(1, 2, 3, 4, 5), 3 * 2 * 3 * 4 * 2 * 8),
    "transposed": (nn.ConvTranspose2d(4, 6, 3, stride=2), torch.rand(1, 4, 5, 5), 4 * 25 * 6 * 9),
    "transposed, groups": (nn.ConvTranspose2d(4, 6, 3, groups=2), torch.rand(1, 4, 5, 5), 4 * 25 * 3 * 9),
    "einsum": (Calls(lambda x: torch.einsum("bti,bsi->bts", x, x)), SERIES, 5 * 5 * 8),
    "einsum of elements": (Calls(lambda x: torch.einsum("bti,bti->bti", x, x)), SERIES, 0),
    "two computed operands": (Calls(lambda x: x @ x.transpose(1, 2)), SERIES, 5 * 5 * 8),
    "vectors": (Calls(lambda x: x[0, 0] @ x[0, 1] + (x[0] @ x[0, 0]).sum()), SERIES, 8 + 5 * 8),
    "bilinear": (Calls(lambda x, b: b(x[..., :3], x[..., 3:7]), nn.Bilinear(3, 4, 6)), SERIES, 5 * 6 * 3 * 4),
    "embedding": (nn.Embedding(10, 4), torch.tensor([[1, 2]]), 0),
    "attention with weights": (attention(True), SERIES, ATTENTION),
    "attention": (attention(False), SERIES, ATTENTION),
    "attention of values": (Calls(same_thrice), SERIES, 2 * 5 * 5 * 8),
    "encoder": (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), SERIES, ATTENTION + 2 * 5 * 8 * 16),
    "no sums of products": (
        nn.Sequential(nn.BatchNorm1d(5), nn.LayerNorm(8), nn.GELU(), nn.Softmax(1), nn.AvgPool1d(2), nn.PReLU(5)),
        SERIES, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_a_torch_operator_by_hand(name: str) -> None:
    network, sample, expected = COUNTED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, about projections, and about encoders that cannot be nested
        assert count_macs(network.eval(), sample) == Macs(expected)


def test_fast_and_slow_attention_count_the_same() -> None:
    """Fused and separate operators, as torch chooses by whether gradients are asked for."""
    network, sample, expected = COUNTED["encoder"]
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        assert count_macs(network.eval(), sample) == Macs(expected)
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def test_the_lstm_that_was_said_to_take_160() -> None:
    """Over 8 rows of 8 pixels 4 x 16 x (8 + 16), and a dense layer of 16 x 10."""

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.head = nn.LSTM(8, 16, batch_first=True), nn.Linear(16, 10)

        def forward(self, rows: Tensor) -> Tensor:
            result: Tensor = self.head(self.lstm(rows)[0][:, -1])
            return result

    assert Teacher.from_module(Rows(), (1, 8, 8), layout="series").macs == Macs(12_448)


def test_the_recurrent_kernels_of_gpus() -> None:
    """``(input, weights and biases, ...)``, of both directions; steps of samples are counted wherever time is."""
    weights = [torch.empty(64, 8), torch.empty(64, 16), torch.empty(64), torch.empty(64)] * 2
    for name in ("aten::_cudnn_rnn", "aten::miopen_rnn"):
        assert torch_macs.FORMULAS[name]((torch.empty(5, 1, 8), weights), None) == 5 * 2 * 64 * (8 + 16)


@pytest.mark.parametrize("name", ["_fft_r2c", "_cdist_forward"])
def test_a_torch_operator_without_a_formula_is_named(name: str) -> None:
    calls = {"_fft_r2c": lambda x, _: torch.fft.rfft(x), "_cdist_forward": lambda x, _: torch.cdist(x, x)}
    found = count_macs(Calls(lambda x, layer: calls[name](layer(x), 0), nn.Linear(8, 4)), SERIES)
    assert found == Macs(5 * 8 * 4, (f"aten::{name}",))
    assert found.is_lower_bound
    assert (str(found), found.left_out) == ("at least 160", f"not counted: aten::{name}")


def test_an_operator_of_others_is_named() -> None:
    with torch.library._scoped_library("mine", "DEF") as library:
        library.define("mix(Tensor x) -> Tensor")
        library.impl("mix", lambda x: x @ x.transpose(1, 2), "CompositeExplicitAutograd")
        found = count_macs(Calls(lambda x: torch.ops.mine.mix(x)), SERIES)
    assert found == Macs(0, ("mine::mix",))


def test_a_branch_is_not_counted_and_said() -> None:
    def branch(x: Tensor, layer: nn.Module) -> Tensor:
        return torch.cond(x.sum() > 0, lambda y: y @ y.transpose(1, 2), lambda y: 2 * y, (layer(x),))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, which compiles the branches
        found = count_macs(Calls(branch, nn.Linear(8, 5)), SERIES)
    assert found.count == 5 * 8 * 5
    assert found.unknown in ((torch_macs.HIGHER_ORDER,), ("cond",))


def test_a_network_that_fails_says_so_itself() -> None:
    def fails(x: Tensor) -> Tensor:
        raise NotImplementedError("not yet")

    with pytest.raises(NotImplementedError, match="not yet"):
        count_macs(Calls(fails), SERIES)


def quantized(network: nn.Module, sample: Tensor) -> nn.Module:
    """The network with integer weights and activations, as ``torch.ao.quantization`` makes it."""
    ao = pytest.importorskip("torch.ao.quantization")
    stubs = nn.Sequential(ao.QuantStub(), *network.eval(), ao.DeQuantStub()).eval()
    stubs.qconfig = ao.QConfig(ao.default_observer, ao.default_weight_observer)
    prepared = ao.prepare(stubs)
    prepared(sample)
    return ao.convert(prepared)


def test_quantized_torch_layers_by_hand() -> None:
    """3 x 3 on 8 x 8 pixels, 3 x 3 up to 13 x 13, 3 x 3 in two groups down to 11 x 11, dense, and an LSTM."""
    ao = pytest.importorskip("torch.ao.quantization")
    sample = torch.rand(1, 1, 8, 8)
    layers = (nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 4, 3, 2), nn.Conv2d(4, 4, 3, groups=2))
    static = nn.Sequential(*layers, nn.Flatten(), nn.Linear(484, 3))
    lstm = nn.Sequential(nn.Linear(8, 4), nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch, that it will move these modules
        found = quantized(static, sample)
        dynamic = ao.quantize_dynamic(lstm, {nn.Linear, nn.LSTM}, dtype=torch.qint8)
        assert count_macs(found, sample) == Macs(72 * 9 + 72 * 4 * 9 + 484 * 2 * 9 + 484 * 3)
        assert count_macs(dynamic, SERIES) == Macs(5 * 8 * 4 + 5 * 2 * 12 * ((4 + 3) + (6 + 3)))
        teacher = Teacher.from_module(found, (1, 8, 8))
        again = Teacher.from_module(quantized(static, 2 * sample), (1, 8, 8))
    assert teacher.sha256 != again.sha256, "scales are part of the weights"
    assert teacher.logits(sample).shape == (1, 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "vit_b_32", "mobilenet_v3_small", "swin_t"])
def test_the_counts_that_torchvision_publishes(name: str) -> None:
    """``_ops`` of its weights, in billions of multiply-accumulates at the size they were made for."""
    from torchvision import models

    published = models.get_model_weights(name).DEFAULT.meta["_ops"]
    with torch.device("meta"):
        network, sample = models.get_model(name, weights=None).eval(), torch.rand(1, 3, 224, 224)
    found = count_macs(network, sample)
    assert not found.is_lower_bound
    assert found.count / 1e9 == pytest.approx(published, abs=5e-4)


def graph(
    path: Path,
    operator: str,
    shape: Sequence[int],
    *others: tuple[int, ...] | np.ndarray,
    domain: str = "",
    before: Sequence[onnx.NodeProto] = (),
    **attributes: Any,
) -> Path:
    """A model of one operator on a sample ``(1, 1, 5, 8)`` in the ``shape`` that it wants, and three logits."""
    constants = {
        f"c{place}": np.ones(other, np.float32) if isinstance(other, tuple) else other
        for place, other in enumerate(others)
    }
    inputs = ["x", *constants]
    nodes = [
        helper.make_node("Reshape", ["images", "shape"], ["x"]),
        *before,
        helper.make_node(operator, inputs, ["y"], domain=domain, **attributes),
        helper.make_node("Cast", ["y"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["values", "flat"], ["row"]),
        helper.make_node("ReduceMean", ["row"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["mean", "mean", "mean"], ["logits"], axis=1),
    ]
    constants |= {"shape": np.array(shape), "flat": np.array([1, -1])}
    made = helper.make_graph(
        nodes,
        operator,
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 1, 5, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    path.write_bytes(helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


SCALE, ZERO = np.float32(1), np.uint8(0)
BYTES = [
    helper.make_node("DynamicQuantizeLinear", ["x"], ["bytes", "scale", "zero"]),
    helper.make_node("Identity", ["bytes"], ["x8"]),
]


RECURRENT = {"LSTM": 4, "GRU": 3, "RNN": 1}


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_recurrent_onnx_operator_by_hand(name: str, directions: int, tmp_path: Path) -> None:
    rows = RECURRENT[name] * 16
    weights = (directions, rows, 8), (directions, rows, 16)
    way = "bidirectional" if directions == 2 else "forward"
    path = graph(tmp_path / "m.onnx", name, (5, 1, 8), *weights, hidden_size=16, direction=way)
    assert OnnxTeacher(path, (1, 5, 8), 3).macs == Macs(5 * directions * rows * (8 + 16))


@pytest.mark.parametrize(
    ("name", "shape", "others", "attributes", "expected"),
    [
        ("Conv", (1, 4, 10), [(6, 2, 3)], {"group": 2}, 6 * 8 * 2 * 3),
        ("ConvTranspose", (1, 4, 10), [(4, 3, 3)], {"group": 2, "strides": [2]}, 4 * 10 * 3 * 3),
        ("MatMul", (5, 8), [(8, 6)], {}, 5 * 6 * 8),
        ("MatMul", (5, 8), [(8,)], {}, 5 * 8),
        ("Gemm", (8, 5), [(8, 6)], {"transA": 1}, 5 * 6 * 8),
        ("Einsum", (5, 8), [(8, 6)], {"equation": "ij,jk->ik"}, 5 * 6 * 8),
        ("Einsum", (5, 8), [(8, 6), (6, 4)], {"equation": "ij,jk,kl->il"}, 5 * 8 * 6 + 5 * 6 * 4),
        ("Einsum", (2, 5, 4), [(3, 4)], {"equation": "...i,ji->...j"}, 2 * 5 * 3 * 4),
        ("Einsum", (5, 8), [(5, 8)], {"equation": "ij,ij"}, 5 * 8),
        ("Einsum", (5, 8), [(8,)], {"equation": "ij,j->ij"}, 0),
        ("Einsum", (40,), [(3,)], {"equation": "i,j->ij"}, 40 * 3),
        ("Relu", (5, 8), [], {}, 0),
    ],
)
def test_an_onnx_operator_by_hand(
    name: str, shape: Sequence[int], others: list[Any], attributes: dict[str, Any], expected: int, tmp_path: Path
) -> None:
    path = graph(tmp_path / "m.onnx", name, shape, *others, **attributes)
    assert OnnxTeacher(path, (1, 5, 8), 3).macs == Macs(expected)


def test_a_product_of_two_computed_operands(tmp_path: Path) -> None:
    turned = [helper.make_node("Transpose", ["x"], ["turned"], perm=[0, 2, 1])]
    path = graph(tmp_path / "m.onnx", "MatMul", (1, 5, 8), before=turned)
    model = onnx.load(path)
    next(node for node in model.graph.node if node.op_type == "MatMul").input.append("turned")
    onnx.save(model, path)
    assert OnnxTeacher(path, (1, 5, 8), 3).macs == Macs(5 * 5 * 8)


WHOLE = np.ones((8, 6), np.uint8)
KERNEL = np.ones((6, 2, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "shape", "others", "attributes", "expected"),
    [
        ("MatMulInteger", (5, 8), [WHOLE], {}, 5 * 6 * 8),
        ("ConvInteger", (1, 4, 10), [KERNEL], {"group": 2}, 6 * 8 * 2 * 3),
        ("QLinearMatMul", (5, 8), [SCALE, ZERO, WHOLE, SCALE, ZERO, SCALE, ZERO], {}, 5 * 6 * 8),
        ("QLinearConv", (1, 4, 10), [SCALE, ZERO, KERNEL, SCALE, ZERO, SCALE, ZERO], {"group": 2}, 6 * 8 * 2 * 3),
    ],
)
def test_a_quantized_onnx_operator_by_hand(
    name: str, shape: Sequence[int], others: list[Any], attributes: dict[str, Any], expected: int, tmp_path: Path
) -> None:
    path = graph(tmp_path / "m.onnx", name, shape, *map(np.asarray, others), before=BYTES, **attributes)
    model = onnx.load(path)
    next(node for node in model.graph.node if node.op_type == name).input[0] = "x8"
    onnx.save(model, path)
    assert OnnxTeacher(path, (1, 5, 8), 3).macs == Macs(expected)


def test_the_attention_of_onnxruntime_by_hand(tmp_path: Path) -> None:
    """A projection of 8 to 3 x 8 at each of 5 places, then 5 x 5 scores of 8 products, and 5 x 8 sums of 5."""
    path = graph(
        tmp_path / "m.onnx", "Attention", (1, 5, 8), (8, 24), (24,), domain="com.microsoft", num_heads=2
    )  # fmt: skip
    assert OnnxTeacher(path, (1, 5, 8), 3).macs == Macs(5 * 8 * 24 + 2 * 5 * 5 * 8)


def test_the_attention_of_onnx_by_hand() -> None:
    """Three queries to five keys, of two heads of 4; values of 6; two keys before them are remembered."""
    _, formula = onnx_macs.FORMULAS["Attention"]
    flat, heads = ((1, 3, 8), (1, 5, 8), (1, 5, 12)), ((1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 6))
    for query, key, value in (flat, heads):
        output = (1, 3, 12) if len(query) == 3 else (1, 2, 3, 6)
        assert formula((query, key, value, (), ()), output, {}) == 2 * 3 * 5 * (4 + 6)
        assert formula((query, key, value, (), (1, 2, 2, 4)), output, {}) == 2 * 3 * 7 * (4 + 6)


def test_onnx_operators_without_a_formula_are_named(tmp_path: Path) -> None:
    path = graph(tmp_path / "m.onnx", "Det", (10, 2, 2))
    assert OnnxTeacher(path, (1, 5, 8), 3).macs == Macs(0, ("Det",))
    other = graph(tmp_path / "n.onnx", "Inverse", (10, 2, 2), domain="com.microsoft")
    model = onnx.load(other)
    eye = numpy_helper.from_array(np.tile(np.eye(2, dtype=np.float32), (10, 1, 1)), "eye")
    model.graph.initializer.append(eye)
    next(node for node in model.graph.node if node.op_type == "Inverse").input[0] = "eye"
    onnx.save(model, other)
    assert OnnxTeacher(other, (1, 5, 8), 3).macs == Macs(0, ("com.microsoft::Inverse",))


def test_what_a_file_holds_comes_back() -> None:
    exact, partial = Macs(12_448), Macs(160, ("If", "LSTM"))
    assert exact.as_facts == {"teacher_macs": 12_448}
    for macs in (exact, partial):
        assert Macs.of_facts(json.loads(json.dumps(macs.as_facts))) == macs
        assert Macs.of_facts(vars(StudentFacts.model_validate(macs.as_facts))) == macs
    assert Macs.of_facts({"teacher_macs": 160, "teacher_macs_unknown": "If, LSTM"}) == partial, "of a NIR file"
    assert Macs.of_facts({}) is None
    assert Macs.of_facts({"teacher_macs": "many"}) is None
