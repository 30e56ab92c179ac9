"""`spikewright methods`: what a student can be distilled by, and how sure we are of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo
from rich.console import Group, RenderableType
from rich.text import Text

from ..base.errors import InputError, did_you_mean
from ..pages.numbers import WIDTH, filled
from . import console as cli

if TYPE_CHECKING:
    from ..distillation.base import LossTerms

Kind = Literal["method", "regularizer"]
FLAGS: dict[Kind, str] = {"method": "--method", "regularizer": "--regularize"}


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

    tables: dict[Kind, Mapping[str, type[LossTerms]]] = {"method": METHODS, "regularizer": REGULARIZERS}
    known = [(each, kind, terms) for kind, table in tables.items() for each, terms in table.items()]
    found = [entry for entry in known if name in (None, entry[0])]
    if not found:
        raise InputError(f"method or regularizer {name!r} is unknown; {did_you_mean(str(name), [k[0] for k in known])}")
    if as_json:
        cli.emit({"methods": [_as_json(*entry) for entry in found]})
    elif name is None:
        rows = [(each, FLAGS[kind], _teacher_word(terms), terms.confidence, terms.title) for each, kind, terms in found]
        cli.print_result(filled([("name", "flag", "teacher", "confidence", "what it is"), *rows]), width=WIDTH)
    else:
        cli.print_result(Group(*(part for entry in found for part in _explained(*entry))), width=WIDTH, crop=False)


main = cli.main_of(command, "methods")


def _as_json(name: str, kind: Kind, terms: type[LossTerms]) -> dict[str, object]:
    options = [
        {
            "name": option,
            "default": field.default,
            "choices": _choices(field.annotation),
            "description": field.description or "",
        }
        for option, field in terms.model_fields.items()
    ]
    said = {each: getattr(terms, each) for each in ("title", "equation", "source", "differs", "confidence")}
    return {
        "name": name,
        "kind": kind,
        **said,
        "needs": _needs(terms),
        "tasks": sorted(terms.tasks),
        "options": options,
    }


def _needs(terms: type[LossTerms]) -> list[str]:
    """What the terms need, in the order of all needs."""
    from ..distillation.base import Need

    return [need for need in get_args(Need) if need in terms.needs]


def _choices(annotation: object) -> tuple[str, ...]:
    if annotation is bool:
        return ("true", "false")
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def _teacher_word(terms: type[LossTerms]) -> str:
    if "spiking teacher" in terms.needs:
        return "spiking"
    return "yes" if any("teacher" in need for need in terms.needs) else "no"


def _explained(name: str, kind: Kind, terms: type[LossTerms]) -> Iterator[RenderableType]:
    options = [_option(option, field) for option, field in terms.model_fields.items()]
    defaults = ",".join(f"{option}={default}" for option, default, _ in options)
    spec = f"{name}:{defaults}" if defaults else name
    yield Text(f"{name}: {terms.title}", style="bold")
    yield Text(f"{FLAGS[kind]} {spec}", no_wrap=True, overflow="ignore")  # to be copied whole
    values = "; also for values" if "regression" in terms.tasks else ""
    yield Text(f"needs {', '.join(_needs(terms)) or 'labels only'}; confidence {terms.confidence}{values}")
    yield from (Text("\nEquation", style="bold"), Text(terms.equation))
    yield from (Text("\nSource", style="bold"), Text(terms.source))
    yield from (Text("\nHow it differs from the published form", style="bold"), Text(terms.differs))
    if options:
        yield Text("\nOptions", style="bold")
        yield filled([("option", "default", "what it is"), *options])


def _option(name: str, field: FieldInfo) -> tuple[str, str, str]:
    """Name, default as one would type it, and description with the words that the option may be."""
    default = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    choices = _choices(field.annotation)
    words = f" ({', '.join(choices)})" if len(choices) > 1 else ""
    return name, default, (field.description or "") + words
