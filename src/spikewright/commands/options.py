"""Command-line flags made from the fields of the settings, so that each is described in one place."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from rich.markup import escape

from ..data.options import DataOptions
from ..sources.options import ReadingOptions
from ..training.early import check_early
from ..training.settings import FLAT, OF_SIZE, preset_names, settings_from


def takes_settings(*left_out: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a command's first parameter, ``settings``, by one flag for each field, and ``--preset``.

    A flag that is not given stays None, and the preset's value or the field's default stands.

    Args:
        left_out: fields without a flag, which the command sets itself.
    """
    names = [name for name in FLAT if name not in left_out]
    return functools.partial(_with_flags, names=names, budgets_apart="energy_budget" in left_out)


def takes_data_options(function: Callable[..., None]) -> Callable[..., None]:
    """Replace a command's first parameter, ``options``, by one flag for each field of :class:`DataOptions`."""
    names = list(DataOptions.model_fields)

    @functools.wraps(function)
    def with_flags(**given: Any) -> None:
        values = {name: given.pop(name) for name in names}
        options = DataOptions.model_validate(
            {name: value for name, value in values.items() if value is not None}, context={"called": "data"}
        )
        function(options, **given)

    return _declaring(with_flags, function, list(map(_flag, _by_panel(names))))


def _with_flags(
    function: Callable[..., None], names: Sequence[str], budgets_apart: bool = False
) -> Callable[..., None]:
    preset = typer.Option("--preset", help=f"{', '.join(preset_names())}, or a .toml file; flags override it")
    flags = [_parameter("preset", Annotated[str | None, preset]), *map(_flag, _by_panel(names))]

    @functools.wraps(function)
    def with_flags(**given: Any) -> None:
        preset = given.pop("preset")
        values = {name: given.pop(name) for name in names}
        settings = settings_from(preset, values)
        check_early(settings, budgets_apart)
        function(settings, **given)

    return _declaring(with_flags, function, flags)


def _declaring(
    with_flags: Callable[..., None], function: Callable[..., None], flags: Sequence[inspect.Parameter]
) -> Callable[..., None]:
    """``with_flags`` with the signature of ``function``, whose first parameter is replaced by flags."""
    hints = get_type_hints(function, include_extras=True)
    own = [
        parameter.replace(annotation=_declared(hints[name]), kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in list(inspect.signature(function).parameters.items())[1:]
    ]
    with_flags.__signature__ = inspect.Signature([*flags, *own])  # type: ignore[attr-defined]
    with_flags.__annotations__ = {p.name: p.annotation for p in (*flags, *own)}
    return with_flags


def _declared(hint: object) -> object:
    """The annotation as written: Python 3.10 adds Optional where the default is None, and Typer then sees no option."""
    written = [each for each in get_args(hint) if get_origin(each) is Annotated]
    return written[0] if written and get_origin(hint) is Union else hint


READING = "Reading files"
PANELS = {
    "data": "Data",
    "reading": READING,
    "limits": "Chip and limits",
    "teacher": "Teacher",
    "method": "Method",
    "student": "Student",
    "training": "Training",
}
"""By group of settings, the panel of its flags in the help; how files are read stands apart from what data are."""


def _panel(name: str) -> str:
    is_reading = name in ReadingOptions.model_fields and name not in ("layout", "task")
    return READING if is_reading else PANELS[FLAT[name].group]


def _by_panel(names: Sequence[str]) -> list[str]:
    order = list(PANELS.values())
    return sorted(names, key=lambda name: order.index(_panel(name)))


def _flag(name: str) -> inspect.Parameter:
    field, panel = FLAT[name].info, _panel(name)
    default = "" if field.default in (None, (), False) else f" [dim]{escape(f'[{field.default}]')}[/dim]"
    kind = str if name in OF_SIZE else _flag_type(field.annotation)
    flag = name.replace("_", "-")
    words = [f"--{flag}/--no-{flag}" if field.default is True else f"--{flag}"]
    words += ["-T"] if name == "timesteps" else []
    words_taken = "<int|auto>" if name in OF_SIZE else None
    option = typer.Option(
        *words, help=f"{escape(field.description or '')}{default}", rich_help_panel=panel, metavar=words_taken
    )
    return _parameter(name, Annotated[kind | None, option])


def _flag_type(annotation: object) -> Any:
    """The type that Typer parses: choices are words, checked with everything else when the settings are made."""
    if get_origin(annotation) in (Union, types.UnionType):
        annotation = next(a for a in get_args(annotation) if a is not types.NoneType)
    if get_origin(annotation) is tuple:
        return list[str]
    return annotation if annotation in (bool, int, float, Path) else str


def _parameter(name: str, annotation: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
