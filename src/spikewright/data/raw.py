"""Data as they were found: samples and labels of three parts, before they are prepared for a network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.shown import Brief
from ..base.types import IntArray
from ..sources.found import Layout, View
from ..sources.rows import Rows
from .output_rule import OutputRule
from .recipe import Recipe


@dataclass(frozen=True, eq=False, repr=False)
class RawPart(Brief):
    """One part of data as they were found.

    Attributes:
        samples: ``(n, features)``, ``(n, channels, height, width)``, ``(n, steps, channels)`` with NaN behind the end
            of a recording, or frames of events ``(n, steps, channels, height, width)``.
        labels: classes 0..K-1, int64, ``(n,)``, or values, float32, ``(n, D)``.
        lengths: steps of each recording where they differ; None where they are equal.
        groups: of each sample, the number of its group (person, recording), which no split cuts; None without groups.
    """

    samples: Rows
    labels: npt.NDArray[Any]
    lengths: IntArray | None = None
    groups: IntArray | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False, repr=False)
class RawData(Brief):
    """Data as they were found.

    Attributes:
        name: of the data.
        layout: of the samples; images have their channels first.
        output: what the labels mean.
        notes: sentences about what was assumed in reading them.
        reading: how they were read from files (of sounds the parameters of the spectrum, of a table its columns), so
            that other files are read alike; JSON-able.
        recipe: how students are trained on them; None for one that suits the number of samples.
        view: how a network takes series, where nothing else is asked for; None: by its architecture.
        prepared: by how it was asked for, what was made of them last, so that a whole road prepares them once.
    """

    name: str
    layout: Layout
    train: RawPart
    validation: RawPart
    test: RawPart
    output: OutputRule
    notes: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe | None = None
    view: View | None = None
    prepared: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def parts(self) -> dict[str, RawPart]:
        """The three parts by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def classes(self) -> int:
        """The number of classes, or of values of a regression."""
        if not self.output.is_classes:
            return len(self.output.center)
        return len(self.output.names) or int(np.max(self.train.labels, initial=0)) + 1
