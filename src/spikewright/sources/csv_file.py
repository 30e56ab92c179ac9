"""CSV files, by Python's own reader: no dependency is needed for what it does."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from ..base.errors import InputError, refuse
from .tables import Column

ROWS = 8192
"""Rows that are read at once."""
SEPARATORS = ",;\t|"


class CsvTable:
    """A table in a CSV file, whose first line names its columns.

    Attributes:
        columns: the names; a column without a name, as pandas writes its index, is left out.
        notes: sentences about what was assumed.
    """

    def __init__(self, path: Path) -> None:
        """Read the first line.

        Raises:
            InputError: no names, names that occur twice, or a file that is no text.
        """
        self._path = path
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            self._separator = self._first_separator(file.readline())
        rows = self._rows()
        if (names := next(rows, None)) is None:
            raise InputError(f"{path}: holds empty lines alone; its first line must be the names of the columns")
        self._names = [name.strip() for name in names]
        self.columns: Sequence[str] = [name for name in self._names if name]
        nameless = [number for number, name in enumerate(self._names, 1) if not name]
        self.notes = tuple(f"column {number} has no name and is left out" for number in nameless)
        refuse(str(path), list(self._faults()))

    def _first_separator(self, line: str) -> str:
        if "\0" in line:
            raise InputError(f"{self._path}: holds no text; give a CSV file")
        return max(SEPARATORS, key=line.count)

    def _faults(self) -> Iterator[str]:
        twice = sorted({name for name in self.columns if self._names.count(name) > 1})
        if twice:
            yield f"several columns are called {', '.join(twice)}; give each a name of its own"
        numbers = [name for name in self.columns if _is_number(name)]
        # Columns may be called 0, 1, 2, as pandas numbers them, beside one that has a name; none is called -0.5.
        if numbers and (len(numbers) == len(self.columns) or not all(name.isdigit() for name in numbers)):
            some = ", ".join(numbers[:3])
            yield f"its first line holds numbers ({some}, ...); put a line with the names of the columns above it"

    def _rows(self) -> Iterator[list[str]]:
        """The lines as fields, empty lines left out.

        Raises:
            InputError: text that is not UTF-8, or quotes that do not end.
        """
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                yield from filter(None, csv.reader(file, delimiter=self._separator, strict=True))
        except UnicodeDecodeError as error:
            raise InputError(f"{self._path}: is not UTF-8 ({error.reason}); save it as CSV in UTF-8") from error
        except csv.Error as error:
            raise InputError(f"{self._path}: is no CSV ({error}); save it again") from error

    def chunks(self, names: Sequence[str]) -> Iterator[list[Column]]:
        """Rows in order, some at a time: of each named column its texts.

        Raises:
            InputError: a row with more or fewer fields than there are names.
        """
        places = [self._names.index(name) for name in names]
        rows, first = self._rows(), 1
        next(rows)
        while some := list(islice(rows, ROWS)):
            for place, row in enumerate(some):
                if len(row) != len(self._names):
                    raise InputError(
                        f"{self._path}: row {first + place} has {len(row)} fields, and there are {len(self._names)} "
                        f"columns; quote fields that hold {self._separator!r}"
                    )
            fields = list(zip(*some, strict=True))
            yield [np.array(fields[place], dtype=np.str_) for place in places]
            first += len(some)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
