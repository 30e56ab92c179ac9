"""What a trained network of another tool is, for the scripts of this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Case:
    """A network as somebody wrote it, and how it is used.

    Attributes:
        name: of the case.
        says: what is special about it.
        module: untrained; its parameters are made from the seed that is set before.
        logits: how its author runs it on a batch: from samples (B, *shape), or frames (B, T, *shape), to (B, classes).
        takes: from samples to what its forward pass is called with.
        asked: what `Student.from_module` has to be told beside the network and an example.
        data: ``digits`` (images of 8 x 8), ``rows`` (their rows, each for two steps) or
            ``spikes`` (of the rows), or ``frames`` (of events: where an image is brighter than each of 8 levels).
        epochs: of training.
        rate: of learning.
    """

    name: str
    says: str
    module: nn.Module
    logits: Callable[[nn.Module, Tensor], Tensor]
    takes: Callable[[Tensor], Tensor] = lambda samples: samples
    asked: dict[str, Any] = field(default_factory=dict)
    data: str = "digits"
    epochs: int = 15
    rate: float = 2e-3


def train(case: Case, samples: Tensor, labels: Tensor, batch: int = 64) -> None:
    """Train a network with Adam on cross entropy, as the tutorials do."""
    optimizer = torch.optim.Adam((p for p in case.module.parameters() if p.requires_grad), case.rate)
    case.module.train()
    for _ in range(case.epochs):
        for rows in torch.randperm(len(samples)).split(batch):
            loss = nn.functional.cross_entropy(case.logits(case.module, samples[rows]), labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    case.module.eval()


def accuracy(case: Case, samples: Tensor, labels: Tensor) -> float:
    """The share of samples that the network answers rightly, by its own forward pass."""
    with torch.no_grad():
        return float((case.logits(case.module, samples).argmax(1) == labels).float().mean())
