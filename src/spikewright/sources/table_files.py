"""Tables in CSV and Parquet files as samples and labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..base.errors import refuse
from .csv_file import CsvTable
from .found import PARTS, Found, Layout
from .official import part_files
from .options import ReadingOptions
from .parquet_file import ParquetTable
from .rows import Rows
from .tables import Column, Roles, read_columns, roles_of, samples_of

OPTIONS = ("label", "group", "id_column", "time_column", "columns")


def read_table(path: Path, options: ReadingOptions) -> Found:
    """The data in a CSV or Parquet file, and in the files of its official parts beside it.

    Each row is a sample; or, where ``id_column`` is given, a step of the recording that it names.

    Raises:
        InputError: columns that are not there, missing values, text where numbers are expected, or a damaged file.
    """
    name, files = part_files(path)
    parts: dict[str, tuple[Any, Any]] = {}
    groups: Column | None = None
    notes: list[str] = []
    roles = None
    for part in sorted(files, key=PARTS.index):
        table = _table(files[part])
        roles = roles or roles_of(str(files[part]), table.columns, options)
        _check_columns(files[part], table.columns, roles)
        columns = read_columns(str(files[part]), table, roles, options.task == "regression")
        samples, labels, of, more = samples_of(str(files[part]), columns, roles)
        parts[part] = samples, labels
        groups = of if part == "train" else groups
        notes += [each for each in (*table.notes, *more) if each not in notes]
    assert roles is not None
    layout: Layout = "vectors" if roles.recording is None else "series"
    notes.append(f"the label is {', '.join(roles.label)}; learnt from are {_listed(roles.features)}")
    reading = {
        "label": list(roles.label),
        "columns": list(roles.features),
        "id_column": roles.recording,
        "time_column": roles.time,
    }
    given = {option: value for option, value in reading.items() if value is not None}
    return Found(name, parts, groups, layout=layout, notes=tuple(notes), reading=given)


def read_features(path: Path, reading: Mapping[str, Any]) -> Rows:
    """The samples of a table without their labels, of the columns that others were read from before.

    Args:
        reading: of the table that was read before: ``columns``, and of a long one ``id_column`` and ``time_column``.

    Raises:
        InputError: columns that are not there, missing values, text where numbers are expected, or a damaged file.
    """
    table, recording = _table(path), reading.get("id_column")
    label = () if recording is None else (recording,)  # the recording is its own, so that rows of one have one
    roles = Roles(tuple(reading["columns"]), label, None, recording, reading.get("time_column"))
    _check_columns(path, table.columns, roles)
    columns = read_columns(str(path), table, roles, is_regression=False)
    return columns.features if recording is None else samples_of(str(path), columns, roles)[0]


def _table(path: Path) -> CsvTable | ParquetTable:
    return ParquetTable(path) if path.suffix.lower() in (".parquet", ".pq") else CsvTable(path)


def _check_columns(path: Path, columns: Any, roles: Roles) -> None:
    """Refuse a file of another part that lacks columns, or that has nothing to learn from."""
    lacking = [name for name in [*roles.features, *roles.others] if name not in columns]
    faults = [f"has no column {', '.join(lacking)}; its parts need the same columns"] if lacking else []
    if not roles.features:
        faults.append("has no column to learn from beside the label; give a table with features")
    refuse(str(path), faults)


def _listed(names: tuple[str, ...]) -> str:
    if len(names) <= 6:
        return ", ".join(names)
    return f"{', '.join(names[:3])} to {names[-1]}, {len(names)} columns"
