"""How many labels the students of a comparison learn from, and samples without labels beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...base.errors import InputError, arg, refuse
from ...data.dataset import Dataset
from ...data.few_labels import REST, with_few_labels
from ...data.recipe import Recipe
from ...teachers.order import LABELLED_SHARE
from ...training.prepare import train_settings
from ...training.samples import given_unlabelled, learnt_part
from ...training.settings import DistillSettings


@dataclass(frozen=True)
class WithoutLabels:
    """Samples without labels that students of a row learn from.

    Attributes:
        samples: a number of those whose labels are not used, ``rest`` for all of these, or others with the beginning of
            their SHA-256.
        share: of each batch that has labels.
    """

    samples: str
    share: float

    @property
    def is_of_training_part(self) -> bool:
        """Whether they are samples of the training part, their labels forgotten."""
        return self.samples == REST or self.samples.isdecimal()


@dataclass(frozen=True)
class Labels:
    """A share of the labels of the training part, and how long students that have few of them are trained.

    All students of a comparison take as many steps: where one has fewer samples than others, it sees them more often.

    Attributes:
        fraction: in (0, 1].
        labelled: samples that keep their labels.
        epochs, batch: of the training.
        epoch_samples: of an epoch.
    """

    fraction: float
    labelled: int
    epochs: int
    batch: int
    epoch_samples: int

    def __str__(self) -> str:
        return f"{self.fraction:.4g} of the labels" if self.fraction < 1 else "all labels"

    @property
    def title(self) -> str:
        """The share and the number, for people."""
        return f"{100 * self.fraction:.4g} % of the labels ({self.labelled:,})"


def read_fractions(texts: Sequence[float | str]) -> list[float]:
    """Shares of the labels, each once, from the smallest up.

    Args:
        texts: numbers in (0, 1], or text with commas between such numbers.

    Raises:
        InputError: what is no such number, all of it at once.
    """
    found, faults = set(), []
    for each in [texts] if isinstance(texts, str | float | int) else texts:
        for word in each.split(",") if isinstance(each, str) else [each]:
            try:
                number = float(word)
            except (TypeError, ValueError):
                number = float("nan")
            if 0 < number <= 1:
                found.add(number)
            else:
                faults.append(f"{arg('label_fractions', word)}: must be above 0 and at most 1, such as 0.01,0.1,1")
    refuse("compare", faults)
    return sorted(found)


def labels_of(fractions: Sequence[float], settings: DistillSettings, whole: Dataset) -> list[Labels]:
    """What the students of each share of the labels learn from; one with all of them where no shares are asked for.

    Raises:
        InputError: a share is asked for in the settings, too.
    """
    asked = settings.data
    if fractions and asked.label_fraction is not None:
        raise InputError(
            f"compare: {arg('label_fraction', asked.label_fraction)} is given beside {arg('label_fractions')}; leave "
            "one out"
        )
    learnt = with_few_labels(whole, asked.train_samples, asked.label_fraction)
    pool = settings.training.epoch_samples or len(learnt.train)
    recipe: Recipe = learnt.recipe
    course = train_settings(settings.training, recipe, pool)
    found = []
    for fraction in fractions or [1.0]:
        few = learnt if fraction == 1 else with_few_labels(whole, asked.train_samples, fraction)
        found.append(Labels(fraction, len(few.train), course.epochs, course.batch, pool))
    return found


def unlabelled_of(settings: DistillSettings, whole: Dataset) -> WithoutLabels | None:
    """The samples without labels that are asked for; None if none are.

    Raises:
        InputError: samples that are not like those of the data set.
    """
    given = settings.data.unlabelled
    if given is None:
        return None
    share = settings.training.labelled_share or LABELLED_SHARE
    if given_unlabelled(settings) is None:
        return WithoutLabels(str(given), share)
    part = learnt_part(settings.changed({"train_samples": None, "label_fraction": None}), whole).train
    return WithoutLabels(f"{given} {part.sha256[:12]}", share)
