"""Series and vectors in ``.arff`` files, Weka's format, with the series of several channels of the UEA archive."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..base.errors import InputError, arg, did_you_mean, refuse
from .found import PARTS, Found
from .official import part_files
from .options import ReadingOptions
from .rows import Array, Recordings, as_float32
from .ts_file import SHOWN, as_labels

OPTIONS = ("label",)
_ATTRIBUTE = re.compile(r"@attribute\s+(?P<name>'[^']*'|\"[^\"]*\"|[^\s{]+)\s*(?P<kind>\S.*)", re.IGNORECASE)
_NUMBERS = ("numeric", "real", "integer")


@dataclass
class _Header:
    """The attributes of a file, in order.

    Attributes:
        names: of the attributes.
        kinds: ``numeric``, ``relational``, or the braces with the classes.
    """

    names: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)


def read_arff(path: Path, options: ReadingOptions) -> Found:
    """The samples in an ``.arff`` file and in that of its other official part.

    Attributes that are numbers are the steps of a series of one channel, or the features of a vector, as the layout
    says; a relational attribute is a series of several channels.

    Raises:
        InputError: a damaged file, a layout that is not said, attributes that are no numbers, or missing values.
    """
    name, files = part_files(path)
    parts: dict[str, tuple[Any, Any]] = {}
    for part in sorted(files, key=PARTS.index):
        parts[part] = _part(files[part], options)
    is_series = any(not isinstance(samples, np.ndarray) or samples.ndim == 3 for samples, _ in parts.values())
    return Found(name, parts, layout="series" if is_series else "vectors")


def _part(path: Path, options: ReadingOptions) -> tuple[Any, Array]:
    try:
        with path.open(encoding="utf-8") as file:
            lines = ((number, line.strip()) for number, line in enumerate(file, 1))
            stated = ((number, line) for number, line in lines if line and not line.startswith("%"))
            header = _header(path, stated)
            label = _label(path, header, options)
            return _samples(path, header, label, stated, options)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is no text ({error.reason}); give an .arff file") from error


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> _Header:
    """The attributes up to ``@data``; those inside a relational one are its steps, and are not kept."""
    header, is_inside = _Header(), False
    for _, line in lines:
        key = line.split(maxsplit=1)[0].lower()
        if key == "@data":
            return header
        if key == "@end":
            is_inside = False
        if key == "@attribute" and not is_inside:
            name, kind = _attribute(line)
            header.names.append(name)
            header.kinds.append(kind)
            is_inside = kind == "relational"
        if not key.startswith("@"):
            break
    raise InputError(f"{path}: is no .arff file: it has no line @data after lines that begin with @")


def _attribute(line: str) -> tuple[str, str]:
    """Name and kind in a line ``@attribute name kind``; the name may be quoted."""
    match = _ATTRIBUTE.match(line)
    if match is None:
        return line, "unknown"
    kind = match["kind"].strip()
    return match["name"].strip("'\""), kind if kind.startswith("{") else kind.lower()


def _label(path: Path, header: _Header, options: ReadingOptions) -> int:
    """The place of the label among the attributes: the one that is asked for, else the last.

    Raises:
        InputError: no such attribute, or attributes beside it that are no numbers.
    """
    asked = options.label[0] if options.label else header.names[-1] if header.names else ""
    if asked not in header.names:
        hint = did_you_mean(asked, header.names)
        raise InputError(f"{path}: {arg('label', asked)}: there is no such attribute; {hint}")
    place = header.names.index(asked)
    others = [(name, kind) for name, kind in zip(header.names, header.kinds, strict=True) if name != asked]
    faults = [
        f"attribute {name} is {kind.split()[0]}, no number; leave it out of the file"
        for name, kind in others
        if kind not in (*_NUMBERS, "relational")
    ]
    if not others:
        faults.append("has no attribute beside the label")
    if any(kind == "relational" for _, kind in others) and len(others) > 1:
        faults.append("has a relational attribute and others beside it; a recording is one or the other")
    if not faults and others[0][1] != "relational" and options.layout is None:
        faults.append(
            f"{len(others)} numbers for each sample may be features or steps; give {arg('layout', 'vectors')} or "
            f"{arg('layout', 'series')}"
        )
    refuse(str(path), faults)
    return place


def _samples(
    path: Path, header: _Header, label: int, lines: Iterator[tuple[int, str]], options: ReadingOptions
) -> tuple[Any, Array]:
    found: list[Array] = []
    labels: list[str] = []
    faults: list[str] = []
    for number, line in lines:
        fields = _fields(number, line, faults)
        if fields is None:
            pass
        elif len(fields) != len(header.names):
            faults.append(f"line {number}: has {len(fields)} values for {len(header.names)} attributes")
        else:
            labels.append(fields.pop(label))
            made = _values(number, fields, "relational" in header.kinds, faults)
            found += [] if made is None else [made]
        if len(faults) >= SHOWN:
            break
    if not found and not faults:
        faults.append("holds no samples behind @data")
    shapes = {made.shape[1] for made in found if made.ndim == 2}
    if len(shapes) > 1:
        faults.append(f"its recordings have different numbers of channels: {', '.join(map(str, sorted(shapes)))}")
    refuse(str(path), faults)
    made_labels = as_labels(labels, header.kinds[label] in _NUMBERS and options.task != "classification", options.task)
    if shapes:
        return Recordings.of(found), made_labels
    together = np.stack(found)
    return together[:, :, None] if options.layout == "series" else together, made_labels


def _fields(number: int, line: str, faults: list[str]) -> list[str] | None:
    """The values of a line, of which some may be quoted; ``\\n`` in a quoted one stays as it is written.

    None where there is a fault, which is noted.
    """
    quote = "'" if "'" in line else '"'
    try:
        return [value.strip() for value in next(csv.reader([line], quotechar=quote, skipinitialspace=True))]
    except csv.Error as error:
        faults.append(f"line {number}: cannot be read ({error})")
        return None


def _values(number: int, fields: list[str], is_relational: bool, faults: list[str]) -> Array | None:
    """A vector ``(features,)`` or a recording ``(steps, channels)``; None where there is a fault, which is noted.

    A recording ends where all its channels have no value any more.
    """
    channels = [channel.split(",") for channel in fields[0].split("\\n")] if is_relational else [fields]
    if len({len(channel) for channel in channels}) > 1:
        faults.append(f"line {number}: has channels of different lengths; all must have as many steps")
        return None
    while is_relational and channels[0] and all(channel[-1].strip() == "?" for channel in channels):
        channels = [channel[:-1] for channel in channels]
    if not channels[0] or any(value.strip() == "?" for channel in channels for value in channel):
        faults.append(f"line {number}: holds missing values (?); fill them in, or leave the sample out")
        return None
    try:
        made = as_float32(channels)
    except ValueError:
        faults.append(f"line {number}: holds what is no number")
        return None
    return made.T if is_relational else made[0]
