"""An activity on profiles: whether the network fits, what it costs, and what stands beside that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import overload

from ..base.errors import AnswerIsNo, InputError, check_type
from ..chip.activity import Activity, overflow_sentences
from ..chip.network import ChipNetwork
from ..energy.ann import ann_costs
from ..energy.neurobench import neurobench_of
from ..energy.pricing import PricedActivity, price
from ..energy.provenance import Provenance
from ..placing.core_load import core_loads, route_traffic
from ..placing.placement import DEFAULT_PLACER, Placer
from ..profile.anchors import Anchors, anchors_beside
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import Amount, parse_budget
from .report import Report

AnyProfile = str | Path | HardwareProfile
"""A profile, its name, or its TOML file."""
AnyAnchors = str | Path | Anchors
"""Published points, their name, or their TOML file."""


def budgets_of(text: str | None, profiles: Sequence[HardwareProfile]) -> dict[str, Amount]:
    """The budget by name of each profile that counts in its unit.

    Raises:
        InputError: no profile counts in its unit, or it is not a budget.
    """
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


def report_on(
    priced: PricedActivity,
    activity: Activity,
    chip: ChipNetwork,
    provenance: Provenance,
    anchors: Anchors | None = None,
) -> Report:
    """What a page shows of an activity whose energy is known.

    Args:
        priced: the energy, and the placement that it rests on.
        provenance: of the files that activity and network were read from.
        anchors: published points to stand beside.
    """
    profile, placement = priced.energy.profile, priced.placement
    has_cores = profile.limits.neurons_per_core is not None
    loads = core_loads(activity, placement) if has_cores else ()
    return Report(
        placement=placement,
        cores=loads,
        ways=route_traffic(activity, placement),
        energy=priced.energy,
        ann=ann_costs(chip, profile),
        neurobench=neurobench_of(activity, chip),
        rates=activity.rates,
        raster=activity.raster,
        provenance=replace(provenance, profile_sha256=profile.sha256),
        overflows=tuple(overflow_sentences(activity)),
        anchors=anchors,
    )


def priced(
    activity: Activity,
    chip: ChipNetwork,
    profiles: Sequence[HardwareProfile],
    budgets: Mapping[str, Amount],
    provenance: Provenance,
    placer: Placer,
) -> list[Report | AnswerIsNo]:
    """What an activity costs on each profile, or why its network does not fit."""
    found: list[Report | AnswerIsNo] = []
    for profile in profiles:
        try:
            energy = price(activity, chip, profile, budgets.get(profile.name), placer)
        except AnswerIsNo as refusal:
            found.append(refusal)
        else:
            found.append(report_on(energy, activity, chip, provenance))
    return found


@overload
def report(
    activity: Activity,
    chip: ChipNetwork,
    profile: AnyProfile,
    energy_budget: str | None = ...,
    placer: Placer = ...,
    anchors: AnyAnchors | None = ...,
) -> Report: ...


@overload
def report(
    activity: Activity,
    chip: ChipNetwork,
    profile: list[AnyProfile],
    energy_budget: str | None = ...,
    placer: Placer = ...,
    anchors: AnyAnchors | None = ...,
) -> list[Report]: ...


def report(
    activity: Activity,
    chip: ChipNetwork,
    profile: AnyProfile | list[AnyProfile],
    energy_budget: str | None = None,
    placer: Placer = DEFAULT_PLACER,
    anchors: AnyAnchors | None = None,
) -> Report | list[Report]:
    """Report what ``activity`` costs on one profile, or on each of several.

    Args:
        activity: counts of ``chip``.
        profile: a name, a TOML file, a profile, or a list of these.
        energy_budget: a number with a unit, for the profiles that have this unit.
        placer: how cores are laid out, and over how many chips; the default is what training uses.
        anchors: published points to stand beside: a name, a TOML file, or points.

    Raises:
        InputError: unknown profile or points, unusable budget, or the activity is not of this network.
        AnswerIsNo: the network does not fit a profile.
    """
    check_type("activity", activity, Activity, "an Activity, such as simulate(chip, data)")
    check_type("chip", chip, ChipNetwork, "a ChipNetwork, such as lower(graph)")
    profiles = [load_profile(each) for each in profile] if isinstance(profile, list) else [load_profile(profile)]
    budgets = budgets_of(energy_budget, profiles)
    published = None if anchors is None else anchors_beside(anchors, profiles)
    origin = Provenance(network=chip.provenance)
    energies = [price(activity, chip, each, budgets.get(each.name), placer) for each in profiles]
    found = [report_on(each, activity, chip, origin, published) for each in energies]
    return found if isinstance(profile, list) else found[0]
