"""What the outputs of a network mean: classes, a population of outputs for each class, or values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from ..base.errors import InputError, refuse
from ..sources.found import TASKS, Task

Rule = TypeVar("Rule")
ValueLoss = Literal["mse", "huber"]
"""The loss of a regression: squared error, or Huber's with a corner at 1, of values in standard deviations."""
OutputUnit = Literal["unit", "deviations"]
"""What outputs of a teacher of values are: in the labels' own unit, or standard deviations from the training mean."""
LARGEST = float(np.finfo(np.float32).max)
SMALLEST = 1e-30
"""The least deviation of the values in training, by which a regression divides them."""
NO_LABEL = -100
"""The label of a training sample without one; torch's cross-entropy leaves it out."""


@dataclass(frozen=True)
class OutputRule:
    """What the outputs of a network mean.

    Attributes:
        task: ``classification`` or ``regression``.
        names: of the classes, or of the values; empty where they have none.
        population: outputs for each class, which lie side by side and are added up; 1 for a value.
        center, spread: of each value of a regression, the mean and the standard deviation of the training part:
            ``value = center + spread x logit``; empty for classes.

    Raises:
        InputError: fields that contradict each other, all of them at once.
    """

    task: Task = "classification"
    names: tuple[str, ...] = ()
    population: int = 1
    center: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        refuse("outputs", list(self._faults()))

    def _faults(self) -> Iterator[str]:
        if self.task not in TASKS:
            yield f"task is {self.task!r}; may be {' or '.join(TASKS)}"
        if self.population < 1:
            yield f"population is {self.population}; must be at least 1"
        if self.task == "regression":
            if self.population != 1:
                yield f"population is {self.population}; a population code is for classes"
            if not self.center or len(self.center) != len(self.spread):
                yield "center and spread must hold one number for each value"
            if not all(abs(each) <= LARGEST for each in self.center):
                yield f"center is {self.center}; must be numbers of up to {LARGEST:g}, the largest of 32 bits"
            if not all(SMALLEST <= each <= LARGEST for each in self.spread):
                yield f"spread is {self.spread}; must be above 0, from {SMALLEST:g} to {LARGEST:g}"

    @classmethod
    def from_json(cls, facts: object) -> OutputRule:
        """The rule that :meth:`as_json` wrote.

        Raises:
            InputError: ``facts`` is no such rule.
        """
        return rule_of(cls, facts)

    def as_json(self) -> dict[str, Any]:
        """The rule as a JSON-able dictionary."""
        return asdict(self)

    @property
    def is_classes(self) -> bool:
        """Whether the outputs stand for classes."""
        return self.task == "classification"

    def name_of(self, index: int) -> str:
        """The name of a class or value, its number where it has none."""
        return self.names[index] if self.names else str(index)

    def by_class(self, scores: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Scores of classes ``(n, K)`` from those of outputs ``(n, K x population)``: sums over each population."""
        if self.population == 1:
            return scores
        return scores.reshape(*scores.shape[:-1], -1, self.population).sum(-1)

    def values(self, logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Values ``(n, D)`` in the data's own unit from logits ``(n, D)``."""
        return np.asarray(self.center) + np.asarray(self.spread) * logits

    def targets(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """The logits ``(n, D)`` that stand for values ``(n, D)``."""
        return ((values - np.asarray(self.center)) / np.asarray(self.spread)).astype(np.float32)


CLASSES = OutputRule()
"""One output for each class, without names: what every data set and every network had before there were others."""


def rule_of(kind: type[Rule], facts: object) -> Rule:
    """A rule of this class from what a file holds of it.

    Args:
        facts: a JSON object, as text or read already.

    Raises:
        InputError: it is no such rule; every fault at once.
    """
    adapter = TypeAdapter(kind)
    try:
        return adapter.validate_json(facts) if isinstance(facts, str) else adapter.validate_python(facts)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'rule'}: {e['msg'].lower()}" for e in error.errors())
        raise InputError(f"{kind.__name__}: cannot be read ({faults}); make the file again") from error
