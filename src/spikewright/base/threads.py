"""How many threads a student takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

FEW_CORES = 2
"""On so few, handing a small layer to a second thread and waiting for it costs more than it saves: two threads took two
to three times as long as one for the presets' networks (`python benchmarks/train_step.py --threads 1 --threads 2`)."""


@contextmanager
def student_threads() -> Iterator[None]:
    """One torch thread on a machine of :data:`FEW_CORES` or fewer, unless ``OMP_NUM_THREADS`` says how many."""
    before = torch.get_num_threads()
    if "OMP_NUM_THREADS" not in os.environ and (os.cpu_count() or 1) <= FEW_CORES:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
