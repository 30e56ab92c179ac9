"""Sessions of onnxruntime."""

from __future__ import annotations

import onnx
import onnxruntime
import torch


def new_session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A session that runs a model on the CPU, with as many threads as torch has.

    Raises:
        Exception: of :data:`~.onnx_refusals.RUNTIME_ERRORS`; onnxruntime cannot run the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # what goes wrong is raised, not printed
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # leaves the cores to torch in between
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
