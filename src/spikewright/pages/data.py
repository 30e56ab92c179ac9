"""What data hold, as tables and sentences for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import RenderableType
from rich.text import Text

from ..base.errors import InputError, Message
from ..data.dataset import Dataset
from ..data.describe import Description, InputRate, PartDescription
from ..data.summary import HOW, balance, headline, length_words, percent, rate_words, refusals, scaling_words
from ..teachers.ann import ARCHITECTURES, build
from .numbers import Rows, filled

CLASSES_LISTED = 40
"""Up to so many classes have a row of their own."""


def renderable(found: Description, teachers: Mapping[str, str]) -> list[RenderableType]:
    """Tables and sentences for a rich console.

    Args:
        teachers: by architecture of a teacher, why it does not suit; empty where it does. See :func:`teachers`.
    """
    parts: list[RenderableType] = [Text(headline(found), style="bold"), filled(part_rows(found))]
    if found.output.is_classes and len(found.parts["train"].counts) <= CLASSES_LISTED:
        parts += [Text("\nClasses", style="bold"), filled(_classes(found))]
    if not found.output.is_classes:
        parts += [Text("\nValues", style="bold"), filled(_values(found))]
    if found.rule is not None:
        parts += [Text("\nScaling", style="bold"), Text(scaling_words(found.rule, found.constant))]
    parts += [Text("\nInput events of each encoding (training part)", style="bold"), filled(_rates(found))]
    for title, sentences in (("Assumed", list(found.notes)), ("Would be refused", _refused(found, teachers))):
        if sentences:
            parts += [Text(f"\n{title}", style="bold"), *(Text(f"- {sentence}") for sentence in sentences)]
    return parts


def teachers(data: Dataset) -> dict[str, Message]:
    """By architecture of a teacher, why it does not suit the samples that it would see; empty where it does."""
    seen = data.twin or data
    found: dict[str, Message] = {}
    for name in ARCHITECTURES:
        try:
            build(name, seen.shape, max(2, seen.classes))
            found[name] = Message("")
        except InputError as error:
            found[name] = Message(error.message)
    return found


def _refused(found: Description, teachers: Mapping[str, str]) -> list[str]:
    return [*refusals(found), *(why for why in teachers.values() if why)]


def part_rows(found: Description) -> Rows:
    """A row for each part; columns that say nothing are left out."""
    columns = {
        "part": list(found.parts),
        ">samples": [f"{part.samples:,}" for part in found.parts.values()],
        ">recordings": ["" if part.recordings is None else f"{part.recordings:,}" for part in found.parts.values()],
        ">groups": ["" if part.groups is None else f"{part.groups:,}" for part in found.parts.values()],
        "length": ["" if part.lengths is None else length_words(part.lengths) for part in found.parts.values()],
        ">cut at the end": [f"{part.cut:,}" if part.cut else "" for part in found.parts.values()],
        "values": [_span(part) for part in found.parts.values()],
        ">beyond the scaling": [percent(part.beyond) if part.beyond else "" for part in found.parts.values()],
        "balance": [balance(part, found.output.names) if part.counts else "" for part in found.parts.values()],
    }
    kept = {heading: cells for heading, cells in columns.items() if any(cells)}
    return [tuple(kept), *zip(*kept.values(), strict=True)]


def _span(part: PartDescription) -> str:
    return "" if part.least is None else f"{part.least:.4g} to {part.most:.4g}"


def _classes(found: Description) -> Rows:
    rows: Rows = [("class", *(f">{name}" for name in found.parts))]
    for index in range(found.classes):
        rows.append((found.output.name_of(index), *(f"{part.counts[index]:,}" for part in found.parts.values())))
    return rows


def _values(found: Description) -> Rows:
    rows: Rows = [("value", "part", ">mean", ">deviation", ">least", ">most")]
    for index in range(found.classes):
        for name, part in found.parts.items():
            rows.append((found.output.name_of(index), name, *(f"{number:.4g}" for number in part.values[index])))
    return rows


def _rates(found: Description) -> Rows:
    heads = ("encoding", "input lines", ">T", ">events of a sample", ">of a step", ">for each line and step")
    return [heads, *map(_rate, found.rates)]


def _rate(rate: InputRate) -> tuple[str, ...]:
    how = f", {HOW[rate.view]}" if rate.view else ""
    size = " x ".join(map(str, rate.shape))
    step = f"{rate.each_step:.3g}"
    return f"{rate.encoding}{how}", size, str(rate.timesteps), rate_words(rate), step, percent(rate.share)
