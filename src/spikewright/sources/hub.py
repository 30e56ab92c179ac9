"""The items of a data set of Hugging Face: which columns are samples, labels and groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.errors import InputError, arg, did_you_mean, refuse
from .options import ReadingOptions
from .tables import LABELS

LABEL_COLUMNS = (*LABELS, "labels")
"""Names of the label column that are looked for where none is given, in small letters."""
RICH = ("Image", "Audio", "Array2D", "Array3D", "Array4D", "Sequence", "List", "LargeList")
"""Kinds of features each of which is a sample by itself."""


class HubItems:
    """The items of a ``datasets.Dataset``.

    The sample is the one column that is an image, a sound or an array; or, where all columns beside the label are
    numbers, the vector of them.

    Attributes:
        names: of the classes 0, 1, ... as the feature ``ClassLabel`` has them; None where the labels are the names.
    """

    def __init__(self, given: Any, where: str, options: ReadingOptions) -> None:
        """Find the columns.

        Raises:
            InputError: columns that are not there or not clear, all faults at once.
        """
        self._given, self._where = given, where
        columns, faults = list(given.column_names), list[str]()
        label = (
            [name for name in columns if name.lower() in LABEL_COLUMNS] if not options.label else list(options.label)
        )
        for option, names in (("label", options.label), ("columns", options.columns), ("group", (options.group,))):
            faults += [
                f"{arg(option, name)}: there is no such column; {did_you_mean(name, columns)}"
                for name in names or ()
                if name is not None and name not in columns
            ]
        if not options.label and len(label) != 1:
            found = f"{', '.join(label)} may all be it" if label else f"none is called {' or '.join(LABEL_COLUMNS)}"
            faults.append(f"which column is the label is not clear: {found}; give {arg('label', 'COLUMN')}, one of "
                          f"{', '.join(columns)}")  # fmt: skip
        self._samples = self._sample_columns(options, [*label, options.group], faults)
        refuse(where, faults)
        self._label, self._group = label, options.group
        self.names: Sequence[str] | None = getattr(given.features[label[0]], "names", None) if len(label) == 1 else None

    def _sample_columns(self, options: ReadingOptions, others: Sequence[str | None], faults: list[str]) -> list[str]:
        if options.columns:
            return list(options.columns)
        left = [name for name in self._given.column_names if name not in others]
        kinds = {name: type(self._given.features[name]).__name__ for name in left}
        rich = [name for name in left if kinds[name] in RICH]
        if len(rich) == 1:
            return rich
        numbers = [name for name in left if str(getattr(self._given.features[name], "dtype", "")) in _NUMBERS]
        if not rich and left and len(numbers) == len(left):
            return left
        listed = ", ".join(f"{name} ({kind})" for name, kind in kinds.items()) or "none"
        faults.append(f"which column holds the samples is not clear: {listed}; give {arg('columns', 'COLUMN')}")
        return []

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        """Sample, label and group of an item.

        Raises:
            InputError: an item without a value.
        """
        item = self._given[index]
        for name in (*self._samples, *self._label):
            if item[name] is None:
                raise InputError(f"{self._where}: item {index} has no {name}; leave such items out")
        values = [item[name] for name in self._label]
        found = [item[name] for name in self._samples]
        sample = found[0] if len(found) == 1 and not isinstance(found[0], int | float) else found
        group = None if self._group is None else item[self._group]
        return sample, values[0] if len(values) == 1 else np.array(values), group


_NUMBERS = {f"{kind}{bits}" for kind in ("int", "uint", "float") for bits in (8, 16, 32, 64)} | {"bool"}
"""Types of features that are numbers."""
