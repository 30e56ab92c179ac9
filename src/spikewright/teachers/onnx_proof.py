"""A model that was written, run by onnxruntime and compared with the network that it was made of."""

from __future__ import annotations

import numpy as np
import onnx

from ..base.errors import InputError
from .onnx_model import Array
from .onnx_refusals import RUNTIME_ERRORS, why_not_run
from .onnx_session import new_session

TOLERANCE = 1e-4
"""Of the largest answer; the roundings of float32 in a deep network stay far below."""


def check_same(where: str, model: onnx.ModelProto, samples: Array, answers: Array, remedy: str) -> None:
    """Refuse a model whose only output is not ``answers`` for ``samples``, up to the rounding of float32.

    Args:
        where: of the refusal: which model.
        remedy: end of the refusal: what to do.

    Raises:
        InputError: it gives other answers, or onnxruntime does not run it.
    """
    try:
        (found,) = new_session(model).run(None, {model.graph.input[0].name: samples})
    except RUNTIME_ERRORS as error:
        raise InputError(f"{where}: {why_not_run(error)}") from error
    largest = float(np.abs(answers).max(initial=0, where=np.isfinite(answers)))
    if np.allclose(found, answers, rtol=0, atol=max(TOLERANCE * largest, 1e-6), equal_nan=True):
        return
    difference = float(np.abs(found - answers).max())
    raise InputError(
        f"{where}: its ONNX model answers differently in onnxruntime, by up to {difference:.3g} where the network's "
        f"own answers reach {largest:.3g}, so nothing is written{remedy}"
    )
