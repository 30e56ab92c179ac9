"""An energy taken apart by step, by sample and by class, and how far samples and constants spread it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..base.errors import AnswerIsNo
from ..base.types import FloatArray
from ..chip.activity import Activity, Samples
from ..chip.network import ChipNetwork
from ..placing.placement import Placement, place
from ..profile.profile import load_profile
from .estimate import estimate
from .events import Portions
from .report import Band, ClassEnergy, EnergyReport, EnergyRow, SampleSpread
from .time import time_of

RESAMPLES = 1000
"""Resamplings of the samples: the 2.5 % and 97.5 % quantiles of their means bound the interval."""


def detailed(report: EnergyReport, activity: Activity, chip: ChipNetwork, placement: Placement) -> EnergyReport:
    """Add to a report all that stands beside its total; what is not known is left out."""
    energies = samples_of(report.rows, activity)
    return replace(
        report,
        time=time_of(activity, chip, placement, report.profile),
        steps=steps_of(report.rows, activity),
        spread=spread_of(energies),
        classes=classes_of(energies, activity.by_sample),
        band=band_of(report, activity, chip, placement),
    )


def steps_of(rows: Sequence[EnergyRow], activity: Activity) -> tuple[float, ...]:
    """Mean energy of each algorithmic step of an inference; the steps add up to the total. Empty where unknown."""
    counts, total = activity.by_step, np.zeros(activity.timesteps)
    if counts is None:
        return ()
    for row in rows:
        of = Portions(counts, activity, row.population, row.connection, 1 / activity.timesteps)
        total = total + row.energy * row.event.driver.portions(of)
    return tuple(total.tolist())


def samples_of(rows: Sequence[EnergyRow], activity: Activity) -> FloatArray | None:
    """Energy of each of the first samples, float64 ``(samples,)``; None where unknown.

    The mean over all samples is the total. Each spike of a sample is taken to cause as many messages and hops as spikes
    do on average: how far a spike goes depends on the compartment that sent it, which is not kept for every sample.
    """
    if activity.by_sample is None:
        return None
    counts, total = activity.by_sample.counts, np.zeros(len(activity.by_sample.predicted))
    for row in rows:
        of = Portions(counts, activity, row.population, row.connection, 1 / activity.samples)
        total = total + row.energy * activity.samples * row.event.driver.portions(of)
    return np.asarray(total)


def spread_of(energies: FloatArray | None, seed: int = 0) -> SampleSpread | None:
    """How the energies of single samples spread, and the interval of their mean by resampling; None for fewer than two.

    Args:
        seed: of the resampling; the same seed gives the same interval.
    """
    if energies is None or len(energies) < 2:
        return None
    random = np.random.default_rng(seed)
    means = [float(energies[random.integers(0, len(energies), len(energies))].mean()) for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    median, p95 = np.quantile(energies, [0.5, 0.95])
    least, most = float(energies.min()), float(energies.max())
    return SampleSpread(len(energies), float(low), float(high), least, float(median), float(p95), most)


def classes_of(energies: FloatArray | None, samples: Samples | None) -> tuple[ClassEnergy, ...]:
    """Accuracy and energy by true class; empty without labels."""
    if energies is None or samples is None or samples.classes is None:
        return ()
    found = []
    for label in np.unique(samples.classes).tolist():
        those = samples.classes == label
        correct = float(np.mean(samples.predicted[those] == label))
        found.append(ClassEnergy(label, int(those.sum()), correct, float(energies[those].mean())))
    return tuple(found)


def band_of(report: EnergyReport, activity: Activity, chip: ChipNetwork, placement: Placement) -> Band | None:
    """The total with constants that others published for the same chip; None where there are none or nothing fits."""
    energies = {report.profile.name: report.total}
    for name in report.profile.band:
        other = load_profile(name)
        try:
            laid_out = placement if other.limits == report.profile.limits else place(chip, other)
        except AnswerIsNo:
            continue
        energies[name] = estimate(activity, chip, laid_out, other).total
    return Band(energies) if len(energies) > 1 else None
