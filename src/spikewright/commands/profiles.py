"""`spikewright profiles`: which hardware profiles there are, or one of them with the source of every number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import BaseModel
from rich.console import RenderableType
from rich.text import Text

from . import console as cli

if TYPE_CHECKING:
    from ..profile.costs import BesideTheTotal, Citation, Constant
    from ..profile.profile import HardwareProfile, ReferenceMachine

FLAGS = (bool, bool | None)
DURATIONS = ("a core is busy with", ">for", "kind", "source")
WIDTH = 80
"""Of what is printed elsewhere than on a terminal."""


def command(
    name: Annotated[
        str | None, typer.Argument(help="a profile's name or TOML file; without it, all are listed")
    ] = None,
    as_json: cli.Json = False,
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
        cli.print_result(*_overview(found, teachers), width=WIDTH)
    else:
        cli.print_result(*_explained(found[0]), width=WIDTH)


main = cli.main_of(command, "profiles")


def _overview(profiles: Sequence[HardwareProfile], teachers: Sequence[ReferenceMachine]) -> Iterator[RenderableType]:
    from ..pages.numbers import filled

    chips = [(p.name, p.cost_unit, p.default_encoding, str(p.default_timesteps), p.title) for p in profiles]
    yield filled([("profile", "unit", "input", ">T", "what it is"), *chips])
    macs = [(t.title, f"{t.mac.value:g} {t.mac.unit}", f"{t.mac.kind}, {t.mac.scope}") for t in teachers]
    yield from (Text(), filled([("the ANN teacher's MAC, for scale", ">each", "kind, scope"), *macs]))
    yield Text("\nspikewright profiles NAME explains one: every number and its source")


def _explained(profile: HardwareProfile) -> Iterator[RenderableType]:
    from ..pages.numbers import filled

    yield from (Text(f"{profile.name}: {profile.title}", style="bold"), Text(profile.summary))
    if profile.banner:
        yield Text(profile.banner, style="yellow")
    yield Text(f"default input {profile.default_encoding}, {profile.default_timesteps} timesteps")
    yield from (Text("\nConstants", style="bold"), filled([*_constants(profile)]))
    if profile.time is not None:
        yield from (Text("\nTime", style="bold"), filled([DURATIONS, *profile.time.lines()]))
    yield from (Text("\nLimits", style="bold"), filled([*_limits(profile)]), Text(_not_given(profile)))
    yield Text("\nSources", style="bold")
    yield from (Text(f"{name}: {source.cited}{_note(source.note)}") for name, source in profile.sources.items())
    if profile.uncertainty:
        yield Text("\nHow sure this is", style="bold")
        yield from (Text(f"- {each}") for each in profile.uncertainty)


def _constants(profile: HardwareProfile) -> Iterator[tuple[str, str, str]]:
    yield "event", ">value", "kind, scope; source"
    for event, constant in profile.energy.given().items():
        yield event, f"{constant.value:g} {constant.unit}", f"{constant.kind}, {constant.scope}; {_place(constant)}"
    for word, events in (("included", profile.included), ("unknown", profile.absent)):
        yield from ((event, word, why) for event, why in events.items())
    if static := profile.static_power:
        passport = f"{static.kind}; {_place(static)}; shown apart, never in the total"
        yield "static_power", f"{static.value:g} {static.unit}", passport
    if reset := profile.state_reset:
        passport = f"{reset.kind}; {_place(reset)}; for each chip and inference; shown apart, never in the total"
        yield "state_reset", f"{reset.value:g} {reset.unit}", passport


def _limits(profile: HardwareProfile) -> Iterator[tuple[str, str, str]]:
    yield "limit", ">value", "source"
    for limit, value in profile.limits:  # in the order of the schema
        if value is None:
            continue
        citation = profile.limit_sources[limit]
        source = f"{_place(citation)}{' (assumed)' if citation.assumed else ''}"
        if not isinstance(value, BaseModel):
            yield limit, _value(value), source
            continue
        yield limit, "", source
        yield from ((f"  {key}", _value(each), "") for key, each in value if each is not None)


def _not_given(profile: HardwareProfile) -> str:
    """Limits that are absent; a flag that is absent is one that is not set, and nothing to check."""
    fields = type(profile.limits).model_fields
    unsaid = [limit for limit, value in profile.limits if value is None and fields[limit].annotation not in FLAGS]
    missing = [limit for limit in unsaid if limit != "resets"]  # absent, they are to zero alone
    return f"not given, so not checked: {', '.join(missing)}"


def _place(cited: Constant | BesideTheTotal | Citation) -> str:
    return f"{cited.source}, {cited.where}{_note(cited.note)}"


def _note(note: str | None) -> str:
    return f"; {note}" if note else ""


def _value(value: object) -> str:
    if isinstance(value, list):
        runs = [(each, len(list(run))) for each, run in groupby(value)]
        return " ".join(f"{count}x{each}" if count > 1 else str(each) for each, count in runs)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
