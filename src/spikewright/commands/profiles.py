"""`spikewright profiles`: which hardware profiles there are, or one of them with the source of every number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from . import console as cli

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from ..profile.costs import Citation, Constant, Source, StaticPower
    from ..profile.profile import HardwareProfile, ReferenceMachine

FLAGS = (bool, bool | None)
WIDTH = 80
"""Of what is printed elsewhere than on a terminal."""


def command(
    name: Annotated[
        str | None, typer.Argument(help="a profile's name or TOML file; without it, all are listed")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    """List the hardware profiles, or show one: limits, constants, and where each number comes from.

    Example: spikewright profiles loihi1-davies
    """
    from ..profile.profile import load_profile, load_teachers, profile_names

    found = [load_profile(each) for each in ([name] if name else profile_names())]
    teachers = () if name else load_teachers()
    if as_json:
        profiles = [{**p.model_dump(mode="json"), "sha256": p.sha256} for p in found]
        cli.emit({"profiles": profiles, "teachers": [t.model_dump(mode="json") for t in teachers]})
    elif name is None:
        _console().print(*_overview(found, teachers), sep="\n")
    else:
        _console().print(*_explained(found[0]), sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """The verb on command-line words; returns the exit code."""
    return cli.run(command, argv, "profiles")


def _console() -> Console:
    import sys

    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def _overview(profiles: Sequence[HardwareProfile], teachers: Sequence[ReferenceMachine]) -> list[RenderableType]:
    from rich.text import Text

    from ..pages.numbers import table_of

    table = table_of("profile", "unit", "input", ">T", "what it is")
    for profile in profiles:
        table.add_row(
            profile.name, profile.cost_unit, profile.default_encoding, str(profile.default_timesteps), profile.title
        )
    machines = table_of("the ANN teacher's MAC, for scale", ">each", "kind, scope")
    for teacher in teachers:
        mac = teacher.mac
        machines.add_row(teacher.title, f"{mac.value:g} {mac.unit}", f"{mac.kind}, {mac.scope}")
    return [table, Text(), machines, Text("\nspikewright profiles NAME explains one: every number and its source")]


def _explained(profile: HardwareProfile) -> list[RenderableType]:
    from rich.text import Text

    parts: list[RenderableType] = [Text(f"{profile.name}: {profile.title}", style="bold"), Text(profile.summary)]
    if profile.banner:
        parts.append(Text(profile.banner, style="yellow"))
    parts += [
        Text(f"default input {profile.default_encoding}, {profile.default_timesteps} timesteps"),
        Text("\nConstants", style="bold"),
        _constants(profile),
        *_durations(profile),
        Text("\nLimits", style="bold"),
        _limits(profile),
        Text(_not_given(profile)),
        Text("\nSources", style="bold"),
        *(Text(f"{name}: {_source(source)}") for name, source in profile.sources.items()),
    ]
    if profile.uncertainty:
        parts += [Text("\nHow sure this is", style="bold"), *(Text(f"- {each}") for each in profile.uncertainty)]
    return parts


def _source(source: Source) -> str:
    return f"{source.cited}{'; ' + source.note if source.note else ''}"


def _constants(profile: HardwareProfile) -> Table:
    from ..pages.numbers import table_of

    table = table_of("event", ">value", "kind, scope; source")
    for event, constant in profile.energy.given().items():
        passport = f"{constant.kind}, {constant.scope}; {_place(constant)}"
        table.add_row(event, f"{constant.value:g} {constant.unit}", passport)
    for event, why in profile.included.items():
        table.add_row(event, "included", why)
    for event, why in profile.absent.items():
        table.add_row(event, "unknown", why)
    if static := profile.static_power:
        passport = f"{static.kind}; {_place(static)}; shown apart, never in the total"
        table.add_row("static_power", f"{static.value:g} {static.unit}", passport)
    return table


def _durations(profile: HardwareProfile) -> list[RenderableType]:
    from rich.text import Text

    from ..pages.numbers import table_of

    if profile.time is None:
        return []
    table = table_of("a core is busy with", ">for", "kind", "source")
    for line in profile.time.lines():
        table.add_row(*line)
    return [Text("\nTime", style="bold"), table]


def _limits(profile: HardwareProfile) -> Table:
    from pydantic import BaseModel

    from ..pages.numbers import table_of

    table = table_of("limit", ">value", "source")
    for limit, citation in _in_order(profile).items():
        value = getattr(profile.limits, limit)
        source = f"{_place(citation)}{' (assumed)' if citation.assumed else ''}"
        if not isinstance(value, BaseModel):
            table.add_row(limit, _value(value), source)
            continue
        table.add_row(limit, "", source)
        for key, each in value:
            if each is not None:
                table.add_row(f"  {key}", _value(each), "")
    return table


def _in_order(profile: HardwareProfile) -> dict[str, Citation]:
    """Where the given limits come from, in the order of the schema."""
    return {
        limit: profile.limit_sources[limit]
        for limit in type(profile.limits).model_fields
        if getattr(profile.limits, limit) is not None
    }


def _not_given(profile: HardwareProfile) -> str:
    """Limits that are absent; a flag that is absent is one that is not set, and nothing to check."""
    fields = type(profile.limits).model_fields
    limits = [name for name, field in fields.items() if field.annotation not in FLAGS]
    missing = [limit for limit in limits if getattr(profile.limits, limit) is None]
    return f"not given, so not checked: {', '.join(missing)}"


def _place(cited: Constant | StaticPower | Citation) -> str:
    return f"{cited.source}, {cited.where}{'; ' + cited.note if cited.note else ''}"


def _value(value: object) -> str:
    from itertools import groupby

    if isinstance(value, list):
        runs = [(each, len(list(run))) for each, run in groupby(value)]
        return " ".join(f"{count}x{each}" if count > 1 else str(each) for each, count in runs)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
