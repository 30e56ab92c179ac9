"""Valid models and weights of teachers."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper


def onnx_models() -> list[bytes]:
    """A dense network, a convolution with named axes, and one whose nodes hold a graph; for images of 1 x 4 x 4."""
    random = np.random.default_rng(0)
    weight = numpy_helper.from_array(random.normal(size=(16, 3)).astype(np.float32), "w")
    bias = numpy_helper.from_array(np.zeros(3, np.float32), "b")
    kernel = numpy_helper.from_array(random.normal(size=(2, 1, 3, 3)).astype(np.float32), "k")
    wide = numpy_helper.from_array(random.normal(size=(8, 3)).astype(np.float32), "w")
    flat = helper.make_node("Flatten", ["x"], ["f"])
    gemm = helper.make_node("Gemm", ["f", "w", "b"], ["logits"])
    convolution = helper.make_node("Conv", ["x", "k"], ["c"], kernel_shape=[3, 3])
    rest = [helper.make_node("Relu", ["c"], ["r"]), helper.make_node("Flatten", ["r"], ["f"])]
    branch = helper.make_graph(
        [helper.make_node("Gemm", ["f", "w", "b"], ["inside"])], "branch", [], [_value("inside", 2, (None, 3))]
    )
    choice = helper.make_node("If", ["yes"], ["logits"], then_branch=branch, else_branch=branch)
    yes = helper.make_tensor("yes", TensorProto.BOOL, [], [True])
    graphs = (
        ([flat, gemm], [weight, bias]),
        ([convolution, *rest, gemm], [kernel, wide, bias]),
        ([flat, choice], [weight, bias, yes]),
    )
    return [_model(nodes, values) for nodes, values in graphs]


def _value(name: str, kind: int, shape: Sequence[int | None]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, 1 if kind == 2 else kind, shape)


def _model(nodes: Sequence[onnx.NodeProto], values: Sequence[onnx.TensorProto]) -> bytes:
    into, out = _value("x", 1, ("n", 1, 4, 4)), _value("logits", 1, ("n", 3))
    graph = helper.make_graph(nodes, "g", [into], [out], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def state_dicts() -> list[bytes]:
    """Weights of a small dense network: alone, in a checkpoint, and in the form of before 1.6."""
    torch.manual_seed(0)
    weights = network().state_dict()
    return [_torch(weights), _torch({"state_dict": weights, "epoch": 3}), _torch(weights, False)]


def network() -> torch.nn.Module:
    """The network that these weights are of."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3))


def _torch(content: object, new: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=new)
    return buffer.getvalue()


def safetensors_files() -> list[bytes]:
    """The same weights as safetensors, with metadata."""
    from safetensors.torch import save

    torch.manual_seed(0)
    return [save(dict(network().state_dict()), {"format": "pt", "by": "code.py:run"})]
