"""Parquet files, read by pyarrow (the extra ``tables``)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError
from .needs import needed
from .tables import Column

ROWS = 65536
"""Rows that are read at once."""


class ParquetTable:
    """A table in a Parquet file.

    Attributes:
        columns: the names; the index that pandas writes is left out.
        notes: sentences about what was assumed.
    """

    def __init__(self, path: Path) -> None:
        """Read the names.

        Raises:
            InputError: pyarrow is not installed, or the file is damaged.
        """
        self._arrow, parquet = needed("pyarrow", "tables", str(path)), needed("pyarrow.parquet", "tables", str(path))
        self._path = path
        try:
            self._file = parquet.ParquetFile(path)
        except (self._arrow.ArrowException, OSError) as error:
            raise InputError(f"{path}: cannot be read as Parquet ({_short(error)}); write it again") from error
        self._types = {field.name: field.type for field in self._file.schema_arrow}
        self.columns: Sequence[str] = [name for name in self._types if not name.startswith("__index_level_")]
        self.notes = tuple(
            f"column {name} is an index that pandas wrote, and is left out"
            for name in self._types
            if name not in self.columns
        )

    def chunks(self, names: Sequence[str]) -> Iterator[list[Column]]:
        """Rows in order, some at a time: of each named column its numbers, NaN where missing, or its texts.

        Raises:
            InputError: a column of neither numbers nor texts, or a damaged file.
        """
        try:
            for batch in self._file.iter_batches(ROWS, columns=list(names)):
                yield [self._values(name, batch.column(batch.schema.get_field_index(name))) for name in names]
        except (self._arrow.ArrowException, OSError) as error:
            raise InputError(f"{self._path}: cannot be read as Parquet ({_short(error)}); write it again") from error

    def _values(self, name: str, values: Any) -> Column:
        kinds = self._arrow.types
        if kinds.is_dictionary(values.type):
            values = values.dictionary_decode()
        kind = values.type
        if kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind):
            if values.null_count:
                return np.asarray(values.cast(self._arrow.float64()).to_numpy(zero_copy_only=False))
            return np.asarray(values.to_numpy(zero_copy_only=False))
        if kinds.is_string(kind) or kinds.is_large_string(kind):
            return np.array(["" if text is None else text for text in values.to_pylist()], dtype=np.str_)
        if kinds.is_decimal(kind):
            return np.asarray(values.cast(self._arrow.float64()).to_numpy(zero_copy_only=False))
        if kinds.is_temporal(kind) and not values.null_count:
            return np.asarray(values.cast(self._arrow.int64()).to_numpy(zero_copy_only=False))
        raise InputError(
            f"{self._path}: column {name} is of type {kind}; columns may be numbers or texts, one for each row"
        )


def _short(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
