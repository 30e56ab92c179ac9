"""Tables: which columns are samples, labels, groups and time, whatever file they lie in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..base.errors import arg, did_you_mean, refuse
from ..base.types import IntArray
from .array_file import Spool
from .options import ReadingOptions
from .rows import Picked, Recordings, Rows

Column = npt.NDArray[Any]
LABELS = ("label", "class", "target")
"""Names of the label column that are looked for where none is given, in small letters."""
MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
"""Texts that stand for a missing value, in small letters."""


class Table(Protocol):
    """A table in a file.

    Attributes:
        columns: the names of its columns.
    """

    columns: Sequence[str]

    def chunks(self, names: Sequence[str]) -> Iterator[list[Column]]:
        """Rows in order, some at a time: of each named column its values, numbers (NaN where missing) or texts."""


@dataclass(frozen=True)
class Roles:
    """What the columns of a table are.

    Attributes:
        features: what is learned from.
        label: the class, or the values of a regression.
        group: person or recording; None for none.
        recording: of long tables, which recording a row is of; None where each row is a sample.
        time: by which the rows of a recording are put in order; None: as they are.
    """

    features: tuple[str, ...]
    label: tuple[str, ...]
    group: str | None = None
    recording: str | None = None
    time: str | None = None

    @property
    def others(self) -> list[str]:
        """The columns that are no features, each once."""
        extra = [name for name in (self.group, self.recording, self.time) if name is not None]
        return list(dict.fromkeys([*self.label, *extra]))


def roles_of(where: str, columns: Sequence[str], options: ReadingOptions) -> Roles:
    """What the columns are, by the options and by their names.

    Raises:
        InputError: names that are not there, columns with two roles, or no label; all faults at once.
    """
    faults: list[str] = []
    asked = _apart(options.label or (), columns)
    singles = {name: getattr(options, name) for name in ("group", "id_column", "time_column")}
    faults += [
        f"{arg(option, name)}: there is no such column; {did_you_mean(name, columns)}"
        for option, name in [*(("label", name) for name in asked), *singles.items()]
        if name is not None and name not in columns
    ]
    label = asked or tuple(name for name in columns if name.lower() in LABELS)
    if len(label) != 1 and not asked:
        found = f"{', '.join(label)} may all be it" if label else f"none is called {' or '.join(LABELS)}"
        faults.append(
            f"which column is the label is not clear: {found}; give {arg('label', 'COLUMN')}, one of "
            f"{', '.join(columns)}"
        )
    if options.time_column is not None and options.id_column is None:
        faults.append(f"{arg('time_column', options.time_column)}: is for long tables; give {arg('id_column')} too")
    roles = Roles((), label, options.group, options.id_column, options.time_column)
    features = _features(columns, options.columns, roles.others, faults)
    refuse(where, faults)
    return replace(roles, features=features)


def _apart(names: Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """Names with commas between them as names of their own, unless a column is called so."""
    parts = (name.split(",") if name not in columns else [name] for name in names)
    return tuple(name.strip() for part in parts for name in part)


def _features(
    columns: Sequence[str], asked: Sequence[str] | None, others: Sequence[str], faults: list[str]
) -> tuple[str, ...]:
    if asked is None:
        return tuple(name for name in columns if name not in others)
    found: list[str] = []
    for pattern in _apart(asked, columns):
        matching = [name for name in columns if name == pattern or fnmatchcase(name, pattern)]
        if not matching:
            faults.append(f"{arg('columns', pattern)}: there is no such column; {did_you_mean(pattern, columns)}")
        twice = [name for name in matching if name in others and name == pattern]
        faults += [f"{arg('columns', name)}: is the label, group, recording or time; leave it out" for name in twice]
        found += [name for name in matching if name not in others]
    return tuple(dict.fromkeys(found))


@dataclass
class _Faults:
    """What is wrong with the values of one column: how many are missing or text, and the first of them."""

    missing: int = 0
    first_missing: int = 0
    text: int = 0
    first_text: tuple[int, str] = (0, "")

    def sentences(self, name: str, is_feature: bool) -> Iterator[str]:
        """The faults in words."""
        out = f"leave the column out ({arg('columns')})" if is_feature else "leave such rows out"
        if self.missing:
            rows = "1 row" if self.missing == 1 else f"{self.missing} rows"
            yield f"column {name} lacks a value in {rows}, first in row {self.first_missing}; fill them in, or {out}"
        if self.text:
            row, text = self.first_text
            number = "number" if is_feature else "number, as a value to learn must be"
            yield f"column {name} holds text, first {text!r} in row {row}, where a {number} is expected; {out}"


@dataclass(eq=False)
class Columns:
    """The columns of a table that were asked for.

    Attributes:
        features: ``(rows, features)``.
        others: by name, the values of the other columns.
    """

    features: Rows
    others: Mapping[str, Column] = field(default_factory=dict)


def read_columns(where: str, table: Table, roles: Roles, is_regression: bool) -> Columns:
    """The values of all columns that have a role; features stay on disk where they are many.

    Raises:
        InputError: missing values, or text where numbers are expected; of all columns at once.
    """
    numbers = [*roles.features, *(roles.label if is_regression else ())]
    names = list(dict.fromkeys([*roles.features, *roles.others]))
    spool, faults = Spool((len(roles.features),), np.float64, where), {name: _Faults() for name in names}
    kept: dict[str, list[Column]] = {name: [] for name in names if name not in roles.features}
    first = 1
    for chunk in table.chunks(names):
        found = dict(zip(names, chunk, strict=True))
        for name, values in found.items():
            found[name] = (_as_numbers if name in numbers else _as_is)(values, faults[name], first)
        spool.add(np.stack([found[name] for name in roles.features], 1))
        for name, parts in kept.items():
            parts.append(found[name])
        first += len(chunk[0])
    sentences = [s for name, each in faults.items() for s in each.sentences(name, name in roles.features)]
    if not len(spool):
        sentences.append("holds no rows; give a table with samples")
    refuse(where, sentences)
    return Columns(spool.finish(), {name: _plain(np.concatenate(parts)) for name, parts in kept.items()})


def _as_numbers(values: Column, faults: _Faults, first: int) -> Column:
    """Values as float64, NaN where they are missing or text; both are noted."""
    if values.dtype.kind in "uifb":
        made = values.astype(np.float64)
        missing = np.isnan(made)
    else:
        made, missing = _parsed(values, faults, first)
    if missing.any():
        faults.first_missing = faults.first_missing or first + int(missing.argmax())
        faults.missing += int(missing.sum())
    return made


def _parsed(values: Column, faults: _Faults, first: int) -> tuple[Column, npt.NDArray[np.bool_]]:
    """Texts as numbers, NaN where they are none, and which of them are missing."""
    try:
        made = values.astype(np.float64)
        return made, np.isnan(made)
    except ValueError:
        made, missing = np.full(len(values), np.nan), np.zeros(len(values), bool)
    for place, text in enumerate(values.tolist()):
        try:
            made[place] = float(text)
        except ValueError:
            if text.strip().lower() in MISSING:
                missing[place] = True
                continue
            if not faults.text:
                faults.first_text = first + place, text
            faults.text += 1
    return made, missing | (np.isnan(made) & (np.char.lower(np.char.strip(values)) == "nan"))


def _as_is(values: Column, faults: _Faults, first: int) -> Column:
    """Values of a class, group, recording or time; missing ones are noted."""
    missing = np.isin(np.char.lower(np.char.strip(values)), MISSING) if values.dtype.kind == "U" else values != values
    if missing.any():
        faults.first_missing = faults.first_missing or first + int(missing.argmax())
        faults.missing += int(missing.sum())
    return values


def _plain(values: Column) -> Column:
    """Texts that are all whole numbers or numbers as such, so that 2 comes before 10; others as they are."""
    if values.dtype.kind == "f" and bool((values == np.rint(values)).all()) and bool((np.abs(values) < 2**53).all()):
        return values
    for kind in (np.int64, np.float64):
        if values.dtype.kind == "U":
            try:
                return values.astype(kind)
            except (ValueError, OverflowError):
                continue
    return np.char.strip(values) if values.dtype.kind == "U" else values


def samples_of(where: str, columns: Columns, roles: Roles) -> tuple[Rows, Column, Column | None, list[str]]:
    """Samples, labels, groups and notes: each row a sample, or of long tables each recording.

    Raises:
        InputError: recordings that change label or group, or have two rows of one time.
    """
    labels = columns.others[roles.label[0]]
    if len(roles.label) > 1:
        labels = np.stack([columns.others[name] for name in roles.label], 1)
    groups = None if roles.group is None else columns.others[roles.group]
    if roles.recording is None:
        return columns.features, labels, groups, []
    return _recordings(where, columns, roles, labels, groups)


def _recordings(
    where: str, columns: Columns, roles: Roles, labels: Column, groups: Column | None
) -> tuple[Rows, Column, Column | None, list[str]]:
    """The recordings of a long table, in the order in which they begin."""
    assert roles.recording is not None
    recording = columns.others[roles.recording]
    _, begins, of = np.unique(recording, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(begins))[of]
    times = None if roles.time is None else columns.others[roles.time]
    order = np.argsort(rank, kind="stable") if times is None else np.lexsort((times, rank))
    starts = np.flatnonzero(np.diff(rank[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(order)))
    heads = order[starts]
    faults = []
    for name, values in (("label", labels), (f"group {roles.group}", groups)):
        if values is not None:
            changes = np.asarray(values[order] != np.repeat(values[heads], lengths, 0)).reshape(len(order), -1).any(1)
            faults += [
                f"the {name} changes within recording {recording[order[place]]}; a recording has one"
                for place in np.flatnonzero(changes)[:1]
            ]
    notes: list[str] = []
    if times is not None:
        faults += _about_times(times[order], rank[order], roles, recording[order], notes)
    refuse(where, faults)
    steps: Rows = columns.features if bool((np.diff(order) == 1).all()) else Picked(columns.features, order)
    return Recordings(steps, lengths), labels[heads], None if groups is None else groups[heads], notes


def _about_times(times: Column, rank: IntArray, roles: Roles, names: Column, notes: list[str]) -> list[str]:
    """A fault where a recording has two rows of one time, and a note where its steps are not equally long."""
    same = rank[1:] == rank[:-1]
    twice = np.flatnonzero(same & (times[1:] == times[:-1]))
    if len(twice):
        place = int(twice[0])
        return [f"recording {names[place]} has two rows at {roles.time} {times[place]}; give it one row for each step"]
    if times.dtype.kind in "uif" and same.any():
        gaps = np.diff(times.astype(np.float64))[same]
        if gaps.max() > 1.5 * gaps.min():
            notes.append(
                f"the steps of {roles.time} are from {gaps.min():g} to {gaps.max():g} long; they were taken as equal"
            )
    return []
