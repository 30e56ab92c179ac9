"""Networks as ONNX files: a teacher in floats, for use elsewhere and as a teacher again; a chip network on integers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from ..base.artefacts import as_path
from ..base.errors import InputError, arg, refuse
from ..chip.network import ChipNetwork
from ..exchange.onnx_graph import GraphWriter, save
from ..exchange.onnx_network import network_model
from .onnx_layers import LAYERS, Axes, kind_of, layer_faults, layers_of, shape_fault, uses_of
from .onnx_model import VALUES_KEY, Array
from .onnx_proof import check_same
from .onnx_teacher import OnnxTeacher
from .samples import LAYOUTS, Shape
from .torch_teacher import LOGITS, Teacher, TorchTeacher
from .trial import samples_for

SAMPLES, UNITS = "samples", "values"
"""Names of a teacher's input, and of its output where labels are values."""


def write_onnx(network: object, path: Path | str) -> None:
    """Write a network to ``path`` as an ONNX model, atomically.

    A chip network becomes a model that computes all its timesteps on integers
    (:func:`spikewright.exchange.onnx_network.network_model`). A teacher that is a sequence of layers, as those that are
    trained here, becomes a model in float32 from samples ``(batch, C, H, W)``, prepared as a student gets them, to
    ``logits`` ``(batch, K)``, or to values ``(batch, D)`` in the unit of the labels; its modules' outputs keep their
    names, so that a method can request them. Read again as a teacher it gives the same logits.

    Args:
        network: a chip network, or a teacher that knows the shape of its samples.
        path: of the file; a teacher is recognised by the ending ``.onnx``.

    Raises:
        InputError: a network that cannot be written, with every reason; the model of a teacher gives other answers in
            onnxruntime than the teacher itself; or the folder does not exist.
    """
    path = as_path(path)
    if isinstance(network, ChipNetwork):
        save(network_model(network), path)
    elif isinstance(network, Teacher):
        save(teacher_model(network), path)
    else:
        kind = type(network).__name__
        raise InputError(f"{arg('network')}: is a {kind}, and must be a ChipNetwork, from sw.lower, or a Teacher")


def teacher_model(teacher: Teacher) -> onnx.ModelProto:
    """The ONNX model of a teacher, which onnxruntime has run: it gives the network's own answers.

    Raises:
        InputError: a teacher that cannot be written, with every reason; or the model gives other answers.
    """
    if isinstance(teacher, OnnxTeacher):
        raise InputError(f"teacher {teacher.name}: is an ONNX model already; copy {teacher.path}")
    if not isinstance(teacher, TorchTeacher):
        why = "spikes; lower it, and write its chip network" if teacher.spikes else "is no network of torch layers"
        raise InputError(f"teacher {teacher.name}: {why}")
    network, shape = teacher.network, teacher.input_shape
    faults = [*layer_faults(network), *_format_faults(teacher)]
    if shape is None:
        faults.append(f"has not seen any data yet; give {arg('input_shape')} when it is made")
    refuse(f"teacher {teacher.name}", [f"{fault}{HOW if fault == faults[-1] else ''}" for fault in faults])
    assert shape is not None
    graph = GraphWriter()
    value = _prepared(teacher, graph, graph.input(_free(SAMPLES, network), np.float32, ("batch", *shape)))
    samples, answers = _own_answers(teacher, shape)
    shapes = _shapes(teacher, samples)
    for (name, module), entering in zip(uses_of(network), shapes, strict=True):
        graph.prefix = name
        value = LAYERS[kind_of(module)](graph, module, value, entering)
    graph.prefix = ""
    _write_answer(teacher, graph, value)
    model = graph.model("teacher", f"{teacher.name}: samples of {shape} as a student gets them.", _facts(teacher))
    check_same(f"teacher {teacher.name}", model, samples, answers, HOW)
    return model


def _shapes(teacher: TorchTeacher, samples: Array) -> list[Axes]:
    """Of every layer the shape of what enters it.

    Raises:
        InputError: layers that cannot be written for these shapes.
    """
    value, shapes, faults = samples_for(teacher.network, teacher.taken, torch.from_numpy(samples)), [], []
    for name, module in layers_of(teacher.network):
        shapes.append(tuple(value.shape))
        if fault := shape_fault(name, module, shapes[-1]):
            faults.append(fault)
        if type(module) is not nn.Sequential:  # whose layers have run already
            with torch.no_grad():
                value = module(value)
    refuse(f"teacher {teacher.name}", [f"{fault}{HOW if fault == faults[-1] else ''}" for fault in faults])
    return shapes


def _own_answers(teacher: TorchTeacher, shape: Shape) -> tuple[Array, Array]:
    """Samples of noise in [0, 1], ``(4, *shape)``, and what the network answers, in the unit of the labels."""
    noise = np.random.default_rng(0).random((4, *shape), np.float32)
    network = teacher.network.to("cpu").eval()
    with torch.no_grad():
        answers: Array = network(samples_for(network, teacher.taken, torch.from_numpy(noise))).numpy()
    if not teacher.in_deviations or teacher.meaning.is_classes:
        return noise, answers
    return noise, answers * np.array(teacher.meaning.spread) + np.array(teacher.meaning.center)


HOW = "; write it with torch.onnx.export(network.eval(), ...), as docs/teachers.md says"


def _free(name: str, network: nn.Module) -> str:
    """``name``, with a number behind it where a module of the network is called so."""
    taken = {path for path, _ in network.named_modules()}
    return next(each for each in (name, *(f"{name}{i}" for i in range(len(taken) + 1))) if each not in taken)


def _format_faults(teacher: TorchTeacher) -> Iterator[str]:
    """What of how a teacher takes samples cannot be written."""
    taken = teacher.taken
    if taken.layout not in (None, "images", "vectors"):
        yield f"takes samples as {taken.layout} {LAYOUTS[taken.layout]}"
    if taken.rule is not None:
        yield "takes samples in the units of the data, and a model gets them as a student does"
    if taken.channels is not None or taken.size is not None:
        yield "takes images in other channels or of another size than the data have"


def _prepared(teacher: TorchTeacher, graph: GraphWriter, samples: str) -> str:
    """Samples in the order of axes that the network takes, normalised as it takes them."""
    taken = teacher.taken
    if taken.layout == "vectors":
        samples = graph.add("Flatten", samples, axis=1)
    if taken.mean is None or taken.std is None:
        return samples
    sizes = (-1,) if taken.layout == "vectors" else (-1, 1, 1)
    mean, std = (graph.constant(np.array(each, np.float32).reshape(1, *sizes)) for each in (taken.mean, taken.std))
    return graph.add("Div", graph.add("Sub", samples, mean), std)


def _write_answer(teacher: TorchTeacher, graph: GraphWriter, value: str) -> None:
    """The network's output as ``logits``, or as values in the unit of the labels."""
    rule, outputs = teacher.meaning, teacher.shapes[LOGITS][-1]
    if rule.is_classes:
        graph.output(value, LOGITS, np.float32, ("batch", outputs))
        return
    if teacher.in_deviations:
        spread, center = (graph.constant(np.array(each, np.float32)[None]) for each in (rule.spread, rule.center))
        value = graph.add("Add", graph.add("Mul", value, spread), center)
    graph.output(value, _free(UNITS, teacher.network), np.float32, ("batch", outputs))


def _facts(teacher: TorchTeacher) -> dict[str, str]:
    facts = {VALUES_KEY: "scaled", "meaning": json.dumps(teacher.meaning.as_json()), "sha256": teacher.sha256}
    if teacher.validation_accuracy is not None:
        facts["validation"] = f"{teacher.validation_accuracy:.6g}"
    if teacher.prepared_by is not None:
        facts["input_rule"] = json.dumps(teacher.prepared_by.as_json())
    return facts
