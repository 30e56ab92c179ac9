"""Readers of teachers: ONNX models and weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spikewright.data import load as loading
from spikewright.teachers import ann
from spikewright.teachers.files import no_teacher_in
from spikewright.teachers.onnx_teacher import OnnxTeacher
from spikewright.teachers.weights import load_weights, read_weights

from . import formats, teacher_seeds
from .onnx_file import of_onnx
from .reader import Reader
from .seeds import Seeds


def onnx(_: Seeds) -> Reader:
    """ONNX models."""

    def read(path: Path) -> OnnxTeacher:
        return OnnxTeacher(path, (1, 4, 4), 3, None, None, loading.Dataset.__dataclass_fields__["output"].default)

    def step(teacher: OnnxTeacher, _: int) -> None:
        teacher.logits(torch.zeros(2, 1, 4, 4))
        _ = teacher.macs, teacher.shapes

    return Reader(".onnx", "model.onnx", teacher_seeds.onnx_models(), of_onnx, read, step)


def weights(_: Seeds) -> Reader:
    """State dicts of torch."""
    return _weights_in("weights.pth", teacher_seeds.state_dicts(), formats.of_torch)


def safetensors(_: Seeds) -> Reader:
    """State dicts in safetensors."""
    return _weights_in("weights.safetensors", teacher_seeds.safetensors_files(), formats.of_safetensors)


def _weights_in(file: str, valid: Sequence[bytes], change: formats.Change) -> Reader:
    def read(path: Path) -> Any:
        no_teacher_in(path)
        return read_weights(path)

    return Reader(
        "teacher's weights",
        file,
        valid,
        change,
        read,
        lambda found, _: load_weights(teacher_seeds.network(), found, "the network"),
    )


def cached_teacher(_: Seeds) -> Reader:
    """Teachers in the cache."""
    content = {
        "format_version": ann.FORMAT_VERSION,
        "key": "k",
        "state": teacher_seeds.network().state_dict(),
        "validation_accuracy": 0.5,
    }
    return Reader(
        "teacher's weights",
        "teacher.pt",
        [teacher_seeds._torch(content)],
        formats.of_torch,
        lambda path: ann._restore(path, "k", teacher_seeds.network()),
    )
