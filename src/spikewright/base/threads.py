"""The number of threads for a student."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

FEW_CORES = 2
"""With so few cores a second thread costs more than it saves, since layers are small: two threads took two to three
times as long as one for the presets' networks (`python benchmarks/train_step.py --threads 1 --threads 2`)."""


@contextmanager
def student_threads() -> Iterator[None]:
    """Use one torch thread on a machine of :data:`FEW_CORES` or fewer, unless ``OMP_NUM_THREADS`` is set."""
    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ and (os.cpu_count() or 1) <= FEW_CORES:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
