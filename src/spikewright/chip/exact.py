"""Floating-point kernels that compute with integers exactly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def exact_kernels() -> Iterator[None]:
    """Keep torch from using convolution and matrix kernels that round.

    NNPACK and cuDNN may choose transforms (Winograd, FFT) whose partial results are no integers, and TF32 or reduced
    precision drops bits. Sums of integers below 2^24 are exact in float32 in any order otherwise.
    """
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.nnpack.flags(enabled=False), torch.backends.cudnn.flags(enabled=False):
            yield
    finally:
        torch.set_float32_matmul_precision(precision)
