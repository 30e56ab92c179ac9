"""An activity on one hardware profile: whether the network fits the chip, what it costs there, and that cost taken
apart by step, by sample and by class.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..base.errors import AnswerIsNo
from ..base.types import FloatArray
from ..chip.activity import Activity, Counts
from ..chip.network import ChipNetwork
from ..data.output_rule import CLASSES, OutputRule
from ..lowering.chip_rules import check_chip
from ..placing.placement import DEFAULT_PLACER, Placement, Placer, place
from ..profile.profile import HardwareProfile, load_profile
from ..profile.units import Amount
from .estimate import estimate
from .report import ClassEnergy, EnergyReport, EnergyRow, SampleSpread
from .time import time_of

RESAMPLES = 1000
"""Resamplings of the samples: the 2.5 % and 97.5 % quantiles of their means bound the interval."""


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
    energy = replace(estimate(activity, placement, profile), budget=budget)
    return PricedActivity(detailed(energy, activity, placement), placement)


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


def detailed(report: EnergyReport, activity: Activity, placement: Placement) -> EnergyReport:
    """Add to a report all that stands beside its total; what is not known is left out."""
    energies = samples_of(report.rows, activity)
    return replace(
        report,
        time=time_of(activity, placement, report.profile),
        steps=steps_of(report.rows, activity),
        spread=spread_of(energies),
        classes=classes_of(energies, activity, report.outputs),
        band=band_of(report, activity, placement),
    )


def steps_of(rows: Sequence[EnergyRow], activity: Activity) -> tuple[float, ...]:
    """Mean energy of each algorithmic step of an inference; the steps add up to the total. Empty where unknown."""
    if activity.by_step is None:
        return ()
    parts = (_portions(row, activity.by_step, activity, activity.timesteps) for row in rows)
    return tuple(sum(parts, start=np.zeros(activity.timesteps)).tolist())


def samples_of(rows: Sequence[EnergyRow], activity: Activity) -> FloatArray | None:
    """Energy of each of the first samples, float64 ``(samples,)``; None where unknown.

    The mean over all samples is the total. Each spike of a sample is taken to cause as many messages and hops as spikes
    do on average: how far a spike goes depends on the compartment that sent it, which is not kept for every sample.
    """
    if activity.by_sample is None:
        return None
    parts = (_portions(row, activity.by_sample.counts, activity, activity.samples, activity.samples) for row in rows)
    return sum(parts, start=np.zeros(activity.by_sample.count))


def _portions(row: EnergyRow, counts: Counts, activity: Activity, parts: int, times: int = 1) -> FloatArray:
    portions = row.event.driver.portions(counts, activity, row.population, row.connection, 1 / parts)
    return row.energy * times * portions


def spread_of(energies: FloatArray | None, seed: int = 0) -> SampleSpread | None:
    """How the energies of single samples spread, and their mean's interval by resampling; None for fewer than two."""
    if energies is None or len(energies) < 2:
        return None
    random = np.random.default_rng(seed)
    means = [float(energies[random.integers(0, len(energies), len(energies))].mean()) for _ in range(RESAMPLES)]
    quantiles = (*np.quantile(means, [0.025, 0.975]), *np.quantile(energies, [0, 0.5, 0.95, 1]))
    return SampleSpread(len(energies), *map(float, quantiles))


def classes_of(
    energies: FloatArray | None, activity: Activity, outputs: OutputRule = CLASSES
) -> tuple[ClassEnergy, ...]:
    """Accuracy and energy by true class; empty without labels.

    The accuracy is that of the first samples, whose energies are known; of windows it is that of all recordings.

    Args:
        outputs: what they mean, for the names of the classes.
    """
    samples, quality = activity.by_sample, activity.quality
    if energies is None or samples is None or samples.classes is None or samples.predicted is None:
        return ()
    found = []
    for label in np.unique(samples.classes).tolist():
        those = samples.classes == label
        correct = float(np.mean(samples.predicted[those] == label))
        if quality is not None and quality.samples != activity.samples:
            correct = float(quality.recalls[label])
        name = outputs.names[label] if outputs.names else ""
        found.append(ClassEnergy(label, int(those.sum()), correct, float(energies[those].mean()), name))
    return tuple(found)


def band_of(report: EnergyReport, activity: Activity, placement: Placement) -> dict[str, float] | None:
    """The total with constants that others published for the same chip; None where there are none or nothing fits."""
    energies = {report.profile.name: report.total}
    for name in report.profile.band:
        other = load_profile(name)
        try:
            laid_out = placement if other.limits == report.profile.limits else place(placement.chip, other)
        except AnswerIsNo:
            continue
        energies[name] = estimate(activity, laid_out, other).total
    return energies if len(energies) > 1 else None
