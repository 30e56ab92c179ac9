"""An activity on one hardware profile: whether the network fits the chip, and what it costs there."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..base.errors import AnswerIsNo
from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..lowering.chip_rules import check_chip
from ..placing.placement import DEFAULT_PLACER, Placement, Placer
from ..profile.profile import HardwareProfile
from ..profile.units import Amount
from .estimate import estimate
from .parts import detailed
from .report import EnergyReport


@dataclass(frozen=True, eq=False)
class PricedActivity:
    """What an activity costs on a profile, and the placement that decides what its messages cost."""

    energy: EnergyReport
    placement: Placement


def price(
    activity: Activity,
    chip: ChipNetwork,
    profile: HardwareProfile,
    budget: Amount | None = None,
    placer: Placer = DEFAULT_PLACER,
) -> PricedActivity:
    """Place a network on the cores of a profile and compute the energy of what was counted on it.

    Args:
        activity: counts of ``chip``.
        budget: that the report compares the energy with; None for none.
        placer: how cores are laid out, and over how many chips; the default is what training uses.

    Raises:
        InputError: the activity is not of this network.
        AnswerIsNo: the network does not fit the profile.
    """
    _check_formats(chip, profile)
    check_chip(chip, profile)
    placement = placer(chip, profile, activity)
    energy = replace(estimate(activity, chip, placement, profile), budget=budget)
    return PricedActivity(detailed(energy, activity, chip, placement), placement)


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
