"""The samples that a student learns from: those that keep their labels, and those without."""

from __future__ import annotations

from ..base.progress import SILENT, Listeners
from ..data.dataset import Dataset
from ..data.few_labels import followed_by_unlabelled, known_from_elsewhere, with_few_labels
from ..data.unlabelled import unlabelled_split
from .objects import objects_of
from .settings import DistillSettings


def learnt_part(settings: DistillSettings, whole: Dataset, listeners: Listeners = SILENT) -> Dataset:
    """The data set whose training part the student learns from; its validation and test part are those of ``whole``.

    Args:
        whole: of which the teacher learns.

    Raises:
        InputError: more samples than there are, or samples without labels that are not like those with labels.
    """
    asked, given = settings.data, given_unlabelled(settings)
    if given is None:
        return with_few_labels(whole, asked.train_samples, asked.label_fraction, asked.unlabelled)
    part = with_few_labels(whole, asked.train_samples, asked.label_fraction)
    part = followed_by_unlabelled(part, *unlabelled_split(given, whole))
    held = ", ".join(f"{count} of the {name} part" for name, count in known_from_elsewhere(part).items() if count)
    if held:
        listeners.say(
            f"among the samples without labels are {held}: what is measured there says too much of new samples",
            "warning",
        )
    return part


def given_unlabelled(settings: DistillSettings) -> object:
    """The path or object with samples without labels; None where they are of the training part, or there are none."""
    given = objects_of(settings).unlabelled
    return settings.data.unlabelled if given is None and settings.data.has_unlabelled_path else given


def counts_of(dataset: Dataset) -> dict[str, int]:
    """How many samples of the training part have labels, and how many have none."""
    return {"labelled": dataset.train.labelled, "unlabelled": dataset.train.unlabelled}
