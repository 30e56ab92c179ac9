"""What onnxruntime's refusals mean, in a sentence without its own source files and function names."""

from __future__ import annotations

import re

from onnxruntime.capi import onnxruntime_pybind11_state as ort

from .onnx_model import first_line

RUNTIME_ERRORS = (
    *(ort.EPFail, ort.Fail, ort.InvalidArgument, ort.InvalidGraph, ort.InvalidProtobuf, ort.NotImplemented),
    ort.RuntimeException,
)
_OPSET = re.compile(r"Opset (\d+) is under development.*till opset (\d+)", re.DOTALL)
_FILE_VERSION = re.compile(r"Unsupported model IR version: (\d+), max supported IR version: (\d+)")
_PLACE = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : (?:\S+\.(?:cc|h|cpp|hpp):\d+ .*?\) )?")
"""What onnxruntime writes before its words: a number, a kind, and the place in its own source."""


def why_not_run(error: Exception) -> str:
    """Why onnxruntime does not run a model, and what to do."""
    text = str(error)
    if (found := _OPSET.search(text)) is not None:
        opset, newest = found.groups()
        return (
            f"its operators are those of opset {opset}, and the onnxruntime that is installed runs opsets up to "
            f"{newest}; export the model for opset {newest} (torch.onnx.export: opset_version={newest}), or install a "
            "newer onnxruntime"
        )
    if (found := _FILE_VERSION.search(text)) is not None:
        version, newest = found.groups()
        return (
            f"its file is of ONNX IR version {version}, and the onnxruntime that is installed reads versions up to "
            f"{newest}; write the model with an older onnx, or install a newer onnxruntime"
        )
    return f"onnxruntime cannot run it ({_PLACE.sub('', first_line(error))}); export it for other operators"
