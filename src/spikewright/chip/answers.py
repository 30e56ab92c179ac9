"""What a network answered: the scores that the host reads, classes or values made of them, and how good they are."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.artefacts import write_bytes
from ..base.shown import Brief
from ..base.types import IntArray
from ..data.output_rule import CLASSES, OutputRule
from ..data.quality import Quality, answers_of, first_of, joined, quality_of


@dataclass(frozen=True, eq=False, repr=False)
class Answers(Brief):
    """What a network answered to samples.

    Attributes:
        scores: what the host reads, ``(n, outputs)``: potentials of the readout after the last step, or its spike
            counts; int64 of a chip network, float32 of a student in floats.
        unit: by which scores are divided to be logits.
        meaning: of the outputs.
        labels: classes ``(n,)``, or values ``(n, D)`` in their own unit; None where they are not known.
        recordings: of windows, the number of the recording that each is of, ``(n,)``, ascending; its windows have one
            answer. None where each sample has its own.
    """

    scores: npt.NDArray[np.int64] | npt.NDArray[np.float32]
    unit: float = 1.0
    meaning: OutputRule = CLASSES
    labels: npt.NDArray[Any] | None = None
    recordings: IntArray | None = None

    @classmethod
    def joined(
        cls, batches: Sequence[Answers], labels: npt.NDArray[Any] | None, recordings: IntArray | None = None
    ) -> Answers:
        """The answers to consecutive batches of samples, with the labels and recordings of all of them."""
        scores: Any = np.concatenate([each.scores for each in batches])
        return replace(batches[0], scores=scores, labels=labels, recordings=recordings)

    @cached_property
    def answers(self) -> npt.NDArray[np.int64] | npt.NDArray[np.float64]:
        """The classes ``(answers,)``, of equal scores the first, or the values ``(answers, D)`` in their own unit."""
        return answers_of(self.meaning, joined(self._logits, self.recordings))

    @cached_property
    def right(self) -> npt.NDArray[Any] | None:
        """The label of each answer; None where labels are not known."""
        if self.labels is None or self.recordings is None:
            return self.labels
        return self.labels[first_of(self.recordings)]

    @cached_property
    def quality(self) -> Quality | None:
        """How good the answers are; None where labels are not known."""
        if self.labels is None:
            return None
        return quality_of(self.meaning, self._logits, self.labels, self.recordings)

    @property
    def correct(self) -> int | None:
        """Right answers, of classes; None where labels are not known."""
        return None if self.quality is None or self.quality.confusion is None else self.quality.correct

    @property
    def _logits(self) -> npt.NDArray[Any]:
        """Logits; of classes the scores as they are, which decide the same and are whole numbers."""
        return self.scores if self.meaning.is_classes else self.scores.astype(np.float64) / self.unit

    def __add__(self, other: Answers) -> Answers:
        """The answers to both sets of samples; recordings of one are none of the other."""
        labels, recordings = None, None
        if self.labels is not None and other.labels is not None:
            labels = np.concatenate([self.labels, other.labels])
        if self.recordings is not None and other.recordings is not None:
            recordings = np.concatenate([self.recordings, other.recordings + self.recordings.max(initial=-1) + 1])
        scores: Any = np.concatenate([self.scores, other.scores])
        return replace(self, scores=scores, labels=labels, recordings=recordings)

    def save(self, path: Path | str) -> None:
        """Write an ``.npz`` file, atomically.

        Arrays: ``scores``, ``answers``, and where they are known ``labels`` (of the answers), ``names`` (of the classes
        or values) and ``recordings`` (of the scores; their answers are in the order of their numbers).

        Raises:
            InputError: the folder does not exist.
        """
        arrays: dict[str, npt.NDArray[Any]] = {"scores": self.scores, "answers": self.answers}
        if self.right is not None:
            arrays["labels"] = self.right
        if self.meaning.names:
            arrays["names"] = np.array(self.meaning.names)
        if self.recordings is not None:
            arrays["recordings"] = self.recordings
        packed = io.BytesIO()
        np.savez(packed, **arrays)
        write_bytes(path, packed.getbuffer())
