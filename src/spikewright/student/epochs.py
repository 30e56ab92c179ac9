"""What every training here does in an epoch: the order of the samples, the optimiser, one step down the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..base.errors import InputError, arg
from ..data.augment import augmented
from ..data.dataset import Split
from .train_settings import TrainSettings

LONGEST_GRADIENT = 5.0


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples of one step.

    Attributes:
        rows: which of the training part they are, ``(B,)``.
        samples: as the networks see them this time, ``(B, C, H, W)`` or ``(B, T, C, H, W)``.
        labels: ``(B,)``.
    """

    rows: Tensor
    samples: Tensor
    labels: Tensor


def steps_per_epoch(split: Split, settings: TrainSettings) -> int:
    """Whole batches, at least one."""
    return max(1, len(split) // settings.batch)


def batches(split: Split, settings: TrainSettings, epoch: int, device: torch.device) -> Iterator[Batch]:
    """An epoch in the order, and with the augmentation, that belong to its number and the seed."""
    generator = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
    order = torch.randperm(len(split), generator=generator)
    images, labels = torch.from_numpy(split.images), torch.from_numpy(split.labels)
    for position in range(steps_per_epoch(split, settings)):
        rows = order[position * settings.batch : (position + 1) * settings.batch]
        samples = augmented(images[rows], settings.augmentation, generator, settings.reach)
        yield Batch(rows, samples.to(device), labels[rows].to(device))


def optimizer_of(modules: Sequence[nn.Module], settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW; weights decay; biases, normalisation and neuron constants do not."""
    parameters = [p for module in modules for p in module.parameters()]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def descend(optimizer: torch.optim.Optimizer, terms: dict[str, Tensor], step: int) -> None:
    """One step of the optimiser down the sum of all terms.

    Raises:
        InputError: the sum is not finite.
    """
    loss = torch.stack(list(terms.values())).sum()
    if not torch.isfinite(loss):
        values = ", ".join(f"{name} {float(term):.3g}" for name, term in terms.items())
        raise InputError(
            f"training: the loss is no longer finite at step {step} ({values}); lower {arg('learning_rate')}"
        )
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], LONGEST_GRADIENT)
    optimizer.step()
