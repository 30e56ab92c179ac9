"""`spikewright methods`: what a student can be distilled by, and how sure we are of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Literal, get_args, get_origin

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from ..base.errors import InputError, did_you_mean
from ..pages.numbers import WIDTH, filled
from . import console as cli

if TYPE_CHECKING:
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

    @property
    def default_text(self) -> str:
        """The default as one would type it."""
        return str(self.default).lower() if isinstance(self.default, bool) else str(self.default)

    @property
    def text(self) -> str:
        """The description, with the values that the option may have."""
        return f"{self.description} ({', '.join(self.choices)})" if len(self.choices) > 1 else self.description


@dataclass(frozen=True)
class MethodEntry:
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
    as_json: cli.Json = False,
) -> None:
    """List the distillation methods and regularizers, or show one: equation, source, how sure we are, every option.

    Example: spikewright methods tser
    """
    from ..distillation.methods import METHODS, REGULARIZERS

    entries = [_entry(each, "method", terms) for each, terms in METHODS.items()]
    entries += [_entry(each, "regularizer", terms) for each, terms in REGULARIZERS.items()]
    found = [entry for entry in entries if name in (None, entry.name)]
    if not found:
        known = [entry.name for entry in entries]
        raise InputError(f"method or regularizer {name!r} is unknown; {did_you_mean(str(name), known)}")
    if as_json:
        cli.emit({"methods": [asdict(entry) for entry in found]})
    elif name is None:
        rows = [(e.name, FLAGS[e.kind], _teacher_word(e), e.confidence, e.title) for e in found]
        cli.print_result(filled([("name", "flag", "teacher", "confidence", "what it is"), *rows]), width=WIDTH)
    else:
        cli.print_result(Group(*(part for entry in found for part in _explained(entry))), width=WIDTH, crop=False)


main = cli.main_of(command, "methods")


def _entry(name: str, kind: Kind, terms: type[LossTerms]) -> MethodEntry:
    from ..distillation.base import Need

    options = tuple(
        Option(option, field.default, _choices(field.annotation), field.description or "")
        for option, field in terms.model_fields.items()
    )
    needs = tuple(need for need in get_args(Need) if need in terms.needs)
    return MethodEntry(name, kind, terms.title, terms.equation, terms.source, terms.confidence, needs, options)


def _choices(annotation: object) -> tuple[str, ...]:
    if annotation is bool:
        return ("true", "false")
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _teacher_word(entry: MethodEntry) -> str:
    if "spiking teacher" in entry.needs:
        return "spiking"
    return "yes" if any("teacher" in need for need in entry.needs) else "no"


def _explained(entry: MethodEntry) -> Iterator[RenderableType]:
    defaults = ",".join(f"{option.name}={option.default_text}" for option in entry.options)
    spec = f"{entry.name}:{defaults}" if defaults else entry.name
    yield Text(f"{entry.name}: {entry.title}", style="bold")
    yield Text(f"{FLAGS[entry.kind]} {spec}", no_wrap=True, overflow="ignore")  # to be copied whole
    yield Text(f"needs {', '.join(entry.needs) or 'labels only'}; confidence {entry.confidence}")
    yield from (Text("\nEquation", style="bold"), Text(entry.equation))
    yield from (Text("\nSource", style="bold"), Text(entry.source))
    if entry.options:
        yield Text("\nOptions", style="bold")
        rows = [(option.name, option.default_text, option.text) for option in entry.options]
        yield filled([("option", "default", "what it is"), *rows])
