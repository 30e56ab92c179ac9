"""The order in which a training sees its samples: passes over them, and a share of each batch that has labels."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..data.split import Split

LABELLED_SHARE = 0.1
"""Share of a batch that has labels, where samples without labels are learned from and nothing else is asked for; chosen
on validation (`docs/few-labels.md`)."""


def steps_of(split: Split, batch: int, samples: int | None = None) -> int:
    """The batches of an epoch: whole ones, at least one.

    Args:
        samples: of an epoch; None: one pass.
    """
    return max(1, (samples or len(split)) // batch)


def rows_of(
    split: Split, batch: int, generator: torch.Generator, samples: int | None = None, share: float | None = None
) -> Iterator[Tensor]:
    """The rows of each batch of an epoch.

    Without samples that lack labels they come in a random order, in as many passes as make the epoch. Else each batch
    has the same number of samples with labels, which come in passes of their own, as do the others.

    Args:
        samples: of an epoch; None: as many as the training part has.
        share: of each batch that has labels, at least one sample and not all; None for :data:`LABELLED_SHARE`.
    """
    count, steps = samples or len(split), steps_of(split, batch, samples)
    if not split.unlabelled:
        order = passes(torch.arange(len(split)), count, generator)
        for step in range(steps):
            yield order[step * batch : (step + 1) * batch]
        return
    size = min(batch, count)
    labelled = min(max(1, round((share or LABELLED_SHARE) * size)), size - 1)
    known = torch.from_numpy(split.is_labelled)
    with_labels = passes(known.nonzero().flatten(), steps * labelled, generator)
    without = passes((~known).nonzero().flatten(), steps * (size - labelled), generator)
    for step in range(steps):
        mine, others = (
            rows[step * each : (step + 1) * each]
            for rows, each in ((with_labels, labelled), (without, size - labelled))
        )
        yield torch.cat([mine, others])


def passes(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """``count`` of these rows in random order: all of them once before any comes again."""
    whole = -(-count // len(rows))
    return torch.cat([rows[torch.randperm(len(rows), generator=generator)] for _ in range(whole)])[:count]
