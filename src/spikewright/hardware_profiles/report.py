"""`spikewright report`: what the counts cost on a chip, and whether it fits.

Exit code 1 where the modelled energy is over the budget or the network does not fit, after everything is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, overload

import typer

from .. import command as cli
from ..deploy.placer import DEFAULT_PLACER, Placer
from ..errors import AnswerIsNo

if TYPE_CHECKING:
    from ..activity import Activity
    from ..budget_text import Budget
    from ..chip import ChipNetwork
    from ..energy_report import EnergyReport, TeacherCost
    from .profile import Constant, HardwareProfile
    from .teachers import Teacher

SUFFIXES = (".json", ".md", ".html")


class PlaceOption(str, Enum):
    """How cores are laid out on the mesh."""

    connectivity = "connectivity"
    spikes = "spikes"
    order = "order"


class Format(str, Enum):
    """What is printed on stdout; the files are written whatever it is."""

    table = "table"
    json = "json"
    md = "md"
    html = "html"


def command(
    activity: Annotated[Path, typer.Argument(help="activity.json, as written by `spikewright simulate`")],
    chip: Annotated[Path, typer.Argument(help="chip.h5, the network that the activity was counted on")],
    profile: Annotated[
        list[str] | None, typer.Option("--profile", "-p", help="a profile's name or TOML file; again for several")
    ] = None,
    energy_budget: Annotated[str | None, typer.Option(help="per inference, e.g. 2uJ, 350nJ or 40kops")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="folder or file stem; default: `report` beside the activity")
    ] = None,
    place_by: Annotated[
        PlaceOption, typer.Option(help="lay cores out by connectivity (as training does), by these spikes, or in order")
    ] = PlaceOption.connectivity,
    chips: Annotated[
        int | None, typer.Option(min=1, help="most chips to spread it over; default: what the profile says, or one")
    ] = None,
    seed: Annotated[int, typer.Option(help="of the search for the layout")] = 0,
    form: Annotated[Format, typer.Option("--format", help="what to print")] = Format.table,
    as_json: Annotated[bool, typer.Option("--json", help="the same as --format json")] = False,
) -> None:
    """Price an activity on one or several hardware profiles, against a budget.

    Prints a table and writes OUT.json, OUT.md and OUT.html. Without --profile it is the one that the network was
    lowered for. Example: spikewright report activity.json chip.h5 --profile loihi1-davies --energy-budget 2uJ
    """
    from ..activity_file import load_activity
    from ..deploy.chip_file import load_chip
    from .render import write_report

    counts, network = load_activity(activity), load_chip(chip)
    facts = provenance_of(activity, chip, counts, network)
    placer = Placer(place_by.value, chips, seed)
    reports, refusals = _priced(counts, network, profile or [network.profile], energy_budget, facts, placer)
    if not reports:
        raise AnswerIsNo("; ".join(refusals))
    files = write_report(reports, _stem(out, activity), refusals)
    _print(reports, refusals, Format.json if as_json else form)
    cli.say("wrote " + ", ".join(str(path) for path in files.values()))
    over = [f"{r.profile.name}: {r.verdict}" for r in reports if r.within_budget is False]
    if over or refusals:
        raise AnswerIsNo("; ".join([*over, *refusals]))


@overload
def report(
    activity: Activity,
    chip: ChipNetwork,
    profile: str | Path | HardwareProfile,
    energy_budget: str | None = None,
    placer: Placer = ...,
) -> EnergyReport: ...


@overload
def report(
    activity: Activity,
    chip: ChipNetwork,
    profile: list[str | Path | HardwareProfile],
    energy_budget: str | None = None,
    placer: Placer = ...,
) -> list[EnergyReport]: ...


def report(
    activity: Activity,
    chip: ChipNetwork,
    profile: str | Path | HardwareProfile | list[str | Path | HardwareProfile],
    energy_budget: str | None = None,
    placer: Placer = DEFAULT_PLACER,
) -> EnergyReport | list[EnergyReport]:
    """What ``activity`` costs on one profile, or on each of several.

    Args:
        activity: counts of ``chip``.
        profile: a name, a TOML file, a profile, or a list of these.
        energy_budget: a number with a unit, for the profiles that have this unit.
        placer: how cores are laid out, and over how many chips; the default is what training uses.

    Raises:
        InputError: unknown profile, unusable budget, or the activity is not of this network.
        AnswerIsNo: the network does not fit a profile.
    """
    if isinstance(profile, list):
        profiles = [_profile(each) for each in profile]
        budgets = _budgets(energy_budget, profiles)
        return [_report(activity, chip, each, budgets.get(each.name), placer) for each in profiles]
    single = _profile(profile)
    return _report(activity, chip, single, _budgets(energy_budget, [single]).get(single.name), placer)


def main(argv: Sequence[str] | None = None) -> int:
    """The verb on command-line words; returns the exit code."""
    return cli.run(command, argv, "report")


def _profile(given: str | Path | HardwareProfile) -> HardwareProfile:
    from .profile import HardwareProfile, load_profile

    return given if isinstance(given, HardwareProfile) else load_profile(given)


def _budgets(text: str | None, profiles: Sequence[HardwareProfile]) -> dict[str, Budget]:
    """The budget for each profile that counts in its unit; refused where that is none of them."""
    from ..budget_text import parse_budget
    from ..errors import InputError

    if text is None:
        return {}
    budgets, refusal = {}, None
    for profile in profiles:
        try:
            budgets[profile.name] = parse_budget(text, profile)
        except InputError as error:
            refusal = refusal or error
    if not budgets and refusal is not None:
        raise refusal
    return budgets


def _report(
    activity: Activity, chip: ChipNetwork, profile: HardwareProfile, budget: Budget | None, placer: Placer
) -> EnergyReport:
    from ..deploy.chip_rules import check_chip
    from ..energy import estimate
    from ..energy_details import detailed

    _check_formats(chip, profile)
    check_chip(chip, profile)
    placement = placer(chip, profile, activity)
    priced = detailed(estimate(activity, chip, placement, profile), activity, chip, placement)
    teacher, elsewhere = _teachers(chip, profile)
    return replace(priced, budget=budget, teacher=teacher, elsewhere=elsewhere, provenance=dict(chip.provenance))


def _check_formats(chip: ChipNetwork, profile: HardwareProfile) -> None:
    """Refuse a network whose payloads or weights the chip cannot hold."""
    limits = profile.limits
    for population in chip.populations:
        if population.payload_bits > limits.graded_spike_bits:
            raise AnswerIsNo(
                f"{profile.name}: {population.name!r} sends {population.payload_bits}-bit payloads and the chip "
                f"takes {limits.graded_spike_bits or 'none'}; use binary spikes (current, rate or latency encoding)"
            )
    for connection in chip.connections:
        if connection.weight_bits > limits.weight_bits:
            raise AnswerIsNo(
                f"{profile.name}: {connection.name} has {connection.weight_bits}-bit weights and the chip holds "
                f"{limits.weight_bits}; lower the network for {profile.name}"
            )


def _teachers(chip: ChipNetwork, profile: HardwareProfile) -> tuple[TeacherCost | None, tuple[TeacherCost, ...]]:
    """What the artificial teacher would cost on the profile itself, and on ordinary machines where there are joules."""
    from ..energy_report import TeacherCost
    from .teachers import load_teachers

    macs = chip.provenance.get("teacher_macs")
    if not isinstance(macs, int):
        return None, ()
    count: int = macs

    def cost(of: HardwareProfile | Teacher, mac: Constant, source: str) -> TeacherCost:
        return TeacherCost(of.name, of.title, count, mac.cost, mac.kind, mac.scope, source)

    own = profile.energy.teacher_mac
    here = None if own is None else cost(profile, own, f"{own.source}, {own.where}")
    machines = load_teachers() if profile.has_joules else ()
    return here, tuple(cost(machine, machine.mac, machine.source) for machine in machines)


def _priced(
    activity: Activity,
    chip: ChipNetwork,
    names: Sequence[str],
    budget: str | None,
    facts: dict[str, object],
    placer: Placer,
) -> tuple[list[EnergyReport], list[str]]:
    """Reports for the profiles that the network fits, and for the others why not."""
    profiles = [_profile(name) for name in dict.fromkeys(names)]
    budgets = _budgets(budget, profiles)
    reports, refusals = [], []
    for profile in profiles:
        try:
            priced = _report(activity, chip, profile, budgets.get(profile.name), placer)
        except AnswerIsNo as error:
            refusals.append(str(error))
        else:
            reports.append(replace(priced, provenance={**facts, "profile_sha256": profile.sha256}))
    return reports, refusals


def provenance_of(activity_file: Path, chip_file: Path, activity: Activity, chip: ChipNetwork) -> dict[str, object]:
    """Provenance of a report; refuses an activity that was counted on another network."""
    from ..artefacts import sha256_of
    from ..errors import InputError

    chip_sha256 = sha256_of(chip_file)
    if activity.chip_sha256 and activity.chip_sha256 != chip_sha256:
        raise InputError(
            f"{activity_file}: was counted on a network with SHA-256 {activity.chip_sha256[:12]}..., and {chip_file} "
            f"has {chip_sha256[:12]}...; give the network that was simulated, or simulate this one"
        )
    return {
        "activity": {"file": activity_file.name, "sha256": sha256_of(activity_file), **activity.provenance},
        "chip": {
            "file": chip_file.name,
            "sha256": chip_sha256,
            "lowered_for": chip.profile,
            **_opened(chip.provenance),
        },
    }


def _opened(facts: dict[str, object]) -> dict[str, object]:
    """Facts with those that are JSON text (as NIR metadata must be) read, one level deep."""
    import json

    opened = {}
    for name, fact in facts.items():
        try:
            opened[name] = json.loads(fact) if isinstance(fact, str) and fact.startswith("{") else fact
        except ValueError:
            opened[name] = fact
    return opened


def _stem(out: Path | None, activity: Path) -> Path:
    if out is None:
        return activity.with_name("report")
    if out.is_dir():
        return out / "report"
    return out.with_suffix("") if out.suffix in SUFFIXES else out


def _print(reports: Sequence[EnergyReport], refusals: Sequence[str], form: Format) -> None:
    from . import render

    if form is Format.json:
        cli.emit(render.as_json(reports, refusals))
    elif form is Format.md:
        print(render.as_markdown(reports, refusals), end="")
    elif form is Format.html:
        print(render.as_html(reports, refusals), end="")
    else:
        _print_tables(reports)


def _print_tables(reports: Sequence[EnergyReport]) -> None:
    import sys

    from rich.console import Console

    from .text import WIDTH, renderable

    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    for i, each in enumerate(reports):
        if i:
            console.print()
        console.print(renderable(each))
