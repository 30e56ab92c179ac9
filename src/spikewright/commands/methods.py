"""`spikewright methods`: what a student can be distilled by, and how sure we are of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal, get_args, get_origin

import typer

from ..base.errors import InputError, did_you_mean
from . import console as cli

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from ..distillation.base import LossTerms

Kind = Literal["method", "regularizer"]
FLAGS: dict[Kind, str] = {"method": "--method", "regularizer": "--regularize"}


@dataclass(frozen=True)
class Option:
    """One option of a method.

    Attributes:
        choices: the words that it may be; empty for a number.
    """

    name: str
    default: float | bool | str
    choices: tuple[str, ...]
    description: str


@dataclass(frozen=True)
class Entry:
    """One method or regulariser, as its class describes it."""

    name: str
    kind: Kind
    title: str
    equation: str
    source: str
    confidence: str
    needs: tuple[str, ...]
    options: tuple[Option, ...]


def command(
    name: Annotated[
        str | None, typer.Argument(help="a method or regularizer; without it, all are listed", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    """List the distillation methods and regularizers, or show one: equation, source, how sure we are, every option.

    Example: spikewright methods tser
    """
    found = [entry for entry in _entries() if name in (None, entry.name)]
    if not found:
        known = [entry.name for entry in _entries()]
        raise InputError(f"method or regularizer {name!r} is unknown; {did_you_mean(str(name), known)}")
    if as_json:
        cli.emit({"methods": [asdict(entry) for entry in found]})
    elif name is None:
        _console().print(_overview(found))
    else:
        from rich.console import Group

        _console().print(Group(*(part for entry in found for part in _explained(entry))), crop=False)


def main(argv: Sequence[str] | None = None) -> int:
    """The verb on command-line words; returns the exit code."""
    return cli.run(command, argv, "methods")


def _entries() -> Iterator[Entry]:
    from ..distillation.methods import METHODS, REGULARIZERS

    for name, terms in METHODS.items():
        yield _entry(name, "method", terms)
    for name, terms in REGULARIZERS.items():
        yield _entry(name, "regularizer", terms)


def _entry(name: str, kind: Kind, terms: type[LossTerms]) -> Entry:
    options = tuple(
        Option(option, field.default, _choices(field.annotation), field.description or "")
        for option, field in terms.model_fields.items()
    )
    return Entry(name, kind, terms.title, terms.equation, terms.source, terms.confidence, _needed(terms), options)


def _needed(terms: type[LossTerms]) -> tuple[str, ...]:
    """In the order in which needs are listed where they are defined."""
    from ..distillation.base import Need

    return tuple(need for need in get_args(Need) if need in terms.needs)


def _choices(annotation: object) -> tuple[str, ...]:
    if annotation is bool:
        return ("true", "false")
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _console() -> Console:
    import sys

    from rich.console import Console

    from ..pages.numbers import WIDTH

    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def _overview(entries: Sequence[Entry]) -> Table:
    from ..pages.numbers import table_of

    table = table_of("name", "flag", "teacher", "confidence", "what it is")
    for entry in entries:
        table.add_row(entry.name, FLAGS[entry.kind], _teacher_word(entry), entry.confidence, entry.title)
    return table


def _teacher_word(entry: Entry) -> str:
    if "spiking teacher" in entry.needs:
        return "spiking"
    return "yes" if any("teacher" in need for need in entry.needs) else "no"


def _explained(entry: Entry) -> Iterator[RenderableType]:
    from rich.text import Text

    yield Text(f"{entry.name}: {entry.title}", style="bold")
    yield Text(f"{FLAGS[entry.kind]} {_spec(entry)}", no_wrap=True, overflow="ignore")  # to be copied whole
    yield Text(f"needs {', '.join(entry.needs) or 'labels only'}; confidence {entry.confidence}")
    yield Text("\nEquation", style="bold")
    yield Text(entry.equation)
    yield Text("\nSource", style="bold")
    yield Text(entry.source)
    if entry.options:
        yield Text("\nOptions", style="bold")
        yield _options(entry)


def _spec(entry: Entry) -> str:
    """How the defaults would be written out."""
    pairs = ",".join(f"{option.name}={_word(option.default)}" for option in entry.options)
    return f"{entry.name}:{pairs}" if pairs else entry.name


def _options(entry: Entry) -> Table:
    from ..pages.numbers import table_of

    table = table_of("option", "default", "what it is")
    for option in entry.options:
        words = f" ({', '.join(option.choices)})" if len(option.choices) > 1 else ""
        table.add_row(option.name, _word(option.default), f"{option.description}{words}")
    return table


def _word(value: float | bool | str) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
