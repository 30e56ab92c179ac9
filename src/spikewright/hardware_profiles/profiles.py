"""`spikewright profiles`: which hardware profiles there are, or one of them with the source of every number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from .. import command as cli

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from .profile import HardwareProfile
    from .schema import Source


def command(
    name: Annotated[
        str | None, typer.Argument(help="a profile's name or TOML file; without it, all are listed")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object on stdout")] = False,
) -> None:
    """List the hardware profiles, or show one: limits, constants, and where each number comes from.

    Example: spikewright profiles loihi1-davies
    """
    from .profile import load_profile, profile_names

    found = [load_profile(each) for each in ([name] if name else profile_names())]
    if as_json:
        cli.emit({"profiles": [{**p.model_dump(mode="json"), "sha256": p.sha256} for p in found]})
    elif name is None:
        _console().print(_overview(found))
    else:
        _console().print(*_explained(found[0]), sep="\n")


def main(argv: Sequence[str] | None = None) -> int:
    """The verb on command-line words; returns the exit code."""
    return cli.run(command, argv, "profiles")


def _console() -> Console:
    import sys

    from rich.console import Console

    from .text import WIDTH

    return Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)


def _overview(profiles: Sequence[HardwareProfile]) -> Table:
    from .text import table_of

    table = table_of("profile", "unit", "input", ">T", "what it is")
    for profile in profiles:
        table.add_row(
            profile.name, profile.cost_unit, profile.default_encoding, str(profile.default_timesteps), profile.summary
        )
    return table


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
        Text("\nSources", style="bold"),
        *(Text(f"{name}: {_source(source)}") for name, source in profile.sources.items()),
    ]
    if profile.uncertainty:
        parts += [Text("\nHow sure this is", style="bold"), *(Text(f"- {each}") for each in profile.uncertainty)]
    return parts


def _source(source: Source) -> str:
    hand = " (quoted at second hand)" if source.access == "secondary" else ""
    return f"{source.cite}{hand}{'; ' + source.note if source.note else ''}"


def _constants(profile: HardwareProfile) -> Table:
    from .text import table_of

    table = table_of("event", ">value", "kind", "scope", "source")
    for event, constant in profile.energy.given().items():
        note = f"; {constant.note}" if constant.note else ""
        where = f"{constant.source}, {constant.where}{note}"
        table.add_row(event, f"{constant.value:g} {constant.unit}", constant.kind, constant.scope, where)
    for event, why in profile.absent.items():
        table.add_row(event, "unknown", "", "", why)
    if static := profile.static_power:
        note = f"; {static.note}" if static.note else ""
        where = f"{static.source}, {static.where}{note}; shown apart, never in the total"
        table.add_row("static_power", f"{static.value:g} {static.unit}", static.kind, "", where)
    return table


def _durations(profile: HardwareProfile) -> list[RenderableType]:
    from rich.text import Text

    from .text import table_of

    if profile.time is None:
        return []
    table = table_of("a core is busy with", ">for", "kind", "source")
    for line in profile.time.lines():
        table.add_row(*line)
    return [Text("\nTime", style="bold"), table]


def _limits(profile: HardwareProfile) -> Table:
    from .text import table_of

    table = table_of("limit", ">value", "source")
    for limit in type(profile.limits).model_fields:
        value = getattr(profile.limits, limit)
        if value is None:
            table.add_row(limit, "unknown", "not checked")
            continue
        citation = profile.limit_sources[limit]
        note = f"; {citation.note}" if citation.note else ""
        assumed = " (assumed)" if citation.assumed else ""
        table.add_row(limit, _value(value), f"{citation.source}, {citation.where}{note}{assumed}")
    return table


def _value(value: object) -> str:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return "\n".join(f"{key} {_value(each)}" for key, each in value.model_dump().items())
    if isinstance(value, list):
        return " ".join(str(each) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
