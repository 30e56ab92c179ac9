"""The loss of a network's outputs against labels: the same of students and teachers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from ..base.errors import arg, did_you_mean, refuse
from ..data.dataset import Dataset
from ..data.output_rule import NO_LABEL, OutputRule, ValueLoss

BALANCED, NONE = "balanced", "none"


@dataclass(frozen=True)
class LabelLoss:
    """The loss of outputs against labels.

    Classes: ``sum_b w[y_b] CE(softmax(z_b), y_b) / sum_b w[y_b]``. Values, in standard deviations of the training part:
    the mean over samples and values of ``(z - y)^2`` (mse), or of ``(z - y)^2 / 2`` up to a distance of 1 and beyond it
    ``|z - y| - 1/2`` (huber). A sample without a label is left out.

    Attributes:
        kind: ``cross_entropy`` of classes, ``mse`` or ``huber`` of values.
        weights: of the classes; empty: all 1.
    """

    kind: Literal["cross_entropy", "mse", "huber"] = "cross_entropy"
    weights: tuple[float, ...] = ()

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits ``(B, K)``, a scalar; 0 where no sample has a label.

        Args:
            labels: classes ``(B,)``, :data:`~spikewright.data.output_rule.NO_LABEL` for none; or values ``(B, D)`` in
                standard deviations, NaN for none.
        """
        if self.kind != "cross_entropy":
            return self._of_values(logits, labels)
        weights = logits.new_tensor(self.weights) if self.weights else None
        loss = F.cross_entropy(logits, labels, weight=weights, ignore_index=NO_LABEL)
        return loss if bool((labels != NO_LABEL).any()) else logits.sum() * 0.0

    def by_step(self, steps: Tensor, labels: Tensor) -> Tensor:
        """The loss of classes in each timestep, ``(T,)``, of logits ``(T, B, K)``."""
        flat, every = steps.flatten(0, 1), labels.expand(steps.shape[:2]).flatten()
        weights = steps.new_tensor(self.weights) if self.weights else None
        each = F.cross_entropy(flat, every, weight=weights, reduction="none", ignore_index=NO_LABEL)
        by_step, known = each.reshape(steps.shape[:2]), labels != NO_LABEL
        if weights is None and bool(known.all()):
            return by_step.mean(1)
        whole = known.sum() if weights is None else weights[labels[known]].sum()
        return by_step.sum(1) / whole.clamp(min=1e-12)

    def _of_values(self, logits: Tensor, labels: Tensor) -> Tensor:
        known = ~torch.isnan(labels).any(1)
        z, y = logits[known], labels[known].to(logits.dtype)
        if not len(z):
            return logits.sum() * 0.0
        return F.mse_loss(z, y) if self.kind == "mse" else F.huber_loss(z, y)


CROSS_ENTROPY = LabelLoss()
"""Of classes that weigh the same."""


def label_loss_of(dataset: Dataset, loss: ValueLoss | None = None, class_weights: str | None = None) -> LabelLoss:
    """The label loss for a data set.

    Args:
        loss: of a regression; None for ``mse``.
        class_weights: ``balanced``, by which a class of ``n_c`` out of ``n`` training samples weighs ``n / (K n_c)``;
            weights of some classes, ``name=2.0,other=0.5``, the others 1; None or ``none`` for equal weights.

    Raises:
        InputError: a loss for classes, weights for values, or weights that are none; all of them at once.
    """
    refuse(f"data {dataset.name}", list(loss_faults(dataset, loss, class_weights)))
    if not dataset.output.is_classes:
        return LabelLoss(loss or "mse")
    if class_weights == BALANCED:
        return LabelLoss(weights=_balanced(dataset.train.labels, dataset.classes))
    return LabelLoss(weights=tuple(_given(dataset, class_weights)[0].values()))


def loss_faults(dataset: Dataset, loss: ValueLoss | None = None, class_weights: str | None = None) -> Iterator[str]:
    """What is wrong with the options of :func:`label_loss_of`."""
    if dataset.output.is_classes and loss is not None:
        yield f"{arg('loss', loss)} is for values, and the labels are classes; leave it out"
    if not dataset.output.is_classes and class_weights not in (None, NONE):
        yield f"{arg('class_weights', class_weights)} is for classes, and the labels are values; leave it out"
    elif class_weights != BALANCED:
        yield from _given(dataset, class_weights)[1]


def standardised(values: Tensor, rule: OutputRule) -> Tensor:
    """The logits that stand for values ``(B, D)`` of a regression: standard deviations from the training mean."""
    center, spread = (
        torch.tensor(each, dtype=torch.float64, device=values.device) for each in (rule.center, rule.spread)
    )
    return ((values.double() - center) / spread).float()


def guess_of(loss: LabelLoss, dataset: Dataset) -> float:
    """The loss of an answer that knows nothing of the sample.

    Of K classes ``ln K``, that of equal probabilities; of values that of their means, which is 1 for ``mse``.
    """
    if loss.kind == "cross_entropy":
        return math.log(dataset.classes)
    targets = torch.from_numpy(dataset.output.targets(dataset.train.labels))
    return float(loss(torch.zeros_like(targets), targets))


def _given(dataset: Dataset, text: str | None) -> tuple[dict[str, float], list[str]]:
    """Weights by the name of their class, none where the text gives none; and what is wrong with the text."""
    if text in (None, NONE):
        return {}, []
    names = [dataset.output.name_of(index) for index in range(dataset.classes)]
    weights, faults = dict.fromkeys(names, 1.0), []
    for pair in str(text).split(","):
        name, equals, number = pair.strip().rpartition("=")
        weight, where = _positive(number), arg("class_weights", pair.strip())
        if not equals or weight is None:
            faults.append(f"{where}: is not name=weight with a weight above 0; give balanced, none or {names[0]}=2.0")
        elif name not in weights:
            faults.append(f"{where}: there is no class {name!r}; {did_you_mean(name, names)}")
        else:
            weights[name] = weight
    return weights, faults


def _balanced(labels: npt.NDArray[np.generic], classes: int) -> tuple[float, ...]:
    """``n / (K n_c)``; a class without a sample, whose weight is never used, weighs 1."""
    known = labels[labels != NO_LABEL].astype(np.int64)
    counts = np.bincount(known, minlength=classes)
    return tuple((len(known) / (classes * np.maximum(counts, 1)) if len(known) else np.ones(classes)).tolist())


def _positive(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None
