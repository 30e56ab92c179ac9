"""An activity on profiles: whether the network fits, what it costs, and where both came from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

from ..base.artefacts import sha256_of
from ..base.errors import AnswerIsNo, InputError, with_flags
from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..lowering.chip_rules import check_chip
from ..placing.placement import DEFAULT_PLACER, Placer
from ..profile.machines import load_teachers
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import Budget, parse_budget
from .ann_twin import macs_of
from .details import detailed
from .estimate import estimate
from .report import EnergyReport, TeacherCost

CONVENTIONS = ("cmos45", "lemaire")
"""Profiles whose multiply-accumulate is arithmetic, and arithmetic with memory, of no machine."""


def profile_of(given: str | Path | HardwareProfile) -> HardwareProfile:
    """A profile, its name or its file as a profile."""

    return given if isinstance(given, HardwareProfile) else load_profile(given)


def budgets_of(text: str | None, profiles: Sequence[HardwareProfile]) -> dict[str, Budget]:
    """The budget for each profile that counts in its unit; refused where that is none of them."""

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


def price(
    activity: Activity, chip: ChipNetwork, profile: HardwareProfile, budget: Budget | None, placer: Placer
) -> EnergyReport:
    """What an activity of ``chip`` costs on one profile.

    Raises:
        InputError: the activity is not of this network.
        AnswerIsNo: the network does not fit.
    """

    _check_formats(chip, profile)
    check_chip(chip, profile)
    placement = placer(chip, profile, activity)
    priced = detailed(estimate(activity, chip, placement, profile), activity, chip, placement)
    macs = chip.provenance.get("teacher_macs")
    known = macs if isinstance(macs, int) else None
    teacher, elsewhere = _teachers(known, profile)
    return replace(
        priced,
        budget=budget,
        teacher=teacher,
        elsewhere=elsewhere,
        machines=_everywhere(profile),
        ann_macs=macs_of(chip),
        teacher_macs=known,
        provenance=dict(chip.provenance),
    )


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


def _teachers(macs: int | None, profile: HardwareProfile) -> tuple[TeacherCost | None, tuple[TeacherCost, ...]]:
    """What the artificial teacher would cost on the profile itself, and on ordinary machines where there are joules."""
    if macs is None:
        return None, ()
    own = _own(profile)
    here = None if own is None else replace(own, macs=macs)
    return here, tuple(replace(cost, macs=macs) for cost in _machines()) if profile.has_joules else ()


def _everywhere(profile: HardwareProfile) -> tuple[TeacherCost, ...]:
    """Every known price of a multiply-accumulate in joules: the profile's own, conventions, ordinary machines."""

    if not profile.has_joules:
        return ()
    conventions = [_own(load_profile(name)) for name in CONVENTIONS if name != profile.name]
    return tuple(cost for cost in (_own(profile), *conventions, *_machines()) if cost is not None)


def _own(profile: HardwareProfile) -> TeacherCost | None:

    if (mac := profile.energy.teacher_mac) is None:
        return None
    cited = profile.sources[mac.source]
    hand = " (quoted at second hand)" if cited.access == "secondary" else ""
    source = f"{cited.cite}{hand}, {mac.where}"
    return TeacherCost(profile.name, profile.title, 0, mac.cost, mac.kind, mac.scope, source)


def _machines() -> tuple[TeacherCost, ...]:

    return tuple(
        TeacherCost(each.name, each.title, 0, each.mac.cost, each.mac.kind, each.mac.scope, each.source)
        for each in load_teachers()
    )


@dataclass(frozen=True, eq=False)
class Priced:
    """An activity on one profile: a report, or why there is none."""

    profile: HardwareProfile
    report: EnergyReport | None
    refusal: str = ""


def priced(
    activity: Activity,
    chip: ChipNetwork,
    profiles: Sequence[HardwareProfile],
    budgets: Mapping[str, Budget],
    facts: dict[str, object],
    placer: Placer,
) -> list[Priced]:
    """What an activity costs on each profile, or why its network does not fit."""
    found = []
    for profile in profiles:
        try:
            report = price(activity, chip, profile, budgets.get(profile.name), placer)
        except AnswerIsNo as error:
            found.append(Priced(profile, None, with_flags(error, {})))
        else:
            provenance = {**facts, "profile_sha256": profile.sha256}
            found.append(Priced(profile, replace(report, provenance=provenance)))
    return found


def provenance_of(activity_file: Path, chip_file: Path, activity: Activity, chip: ChipNetwork) -> dict[str, object]:
    """Provenance of a report; refuses an activity that was counted on another network."""

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

    opened = {}
    for name, fact in facts.items():
        try:
            opened[name] = json.loads(fact) if isinstance(fact, str) and fact.startswith("{") else fact
        except ValueError:
            opened[name] = fact
    return opened


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
    profiles = [profile_of(each) for each in profile] if isinstance(profile, list) else [profile_of(profile)]
    budgets = budgets_of(energy_budget, profiles)
    found = [price(activity, chip, each, budgets.get(each.name), placer) for each in profiles]
    return found if isinstance(profile, list) else found[0]
