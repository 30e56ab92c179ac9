"""An energy taken apart by step, by sample and by class, and how far samples and constants spread it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..base.types import FloatArray
from ..chip.activity import Activity, Counts, Samples

if TYPE_CHECKING:
    from .report import EnergyRow

RESAMPLES = 1000
"""Resamplings of the samples: the 2.5 % and 97.5 % quantiles of their means bound the interval."""


@dataclass(frozen=True)
class Spread:
    """How much an inference's energy differs from sample to sample, and how well the mean is known.

    Attributes:
        samples: looked at one by one.
        low, high: 95 % interval of the mean, by resampling.
        least, median, p95, most: of single inferences.
    """

    samples: int
    low: float
    high: float
    least: float
    median: float
    p95: float
    most: float


@dataclass(frozen=True)
class ClassEnergy:
    """Samples of one true class.

    Attributes:
        energy: of an inference, on average.
    """

    label: int
    samples: int
    accuracy: float
    energy: float


@dataclass(frozen=True)
class Band:
    """The same activity with constants that others published for the same chip.

    Attributes:
        energies: total of an inference by profile, this one's included.
    """

    energies: dict[str, float]

    @property
    def low(self) -> float:
        """The least of them."""
        return min(self.energies.values())

    @property
    def high(self) -> float:
        """The most."""
        return max(self.energies.values())


def steps_of(rows: Sequence[EnergyRow], activity: Activity) -> tuple[float, ...]:
    """Energy of each algorithmic step of an inference, on average; they add up to the total. Empty where unknown."""
    if activity.by_step is None:
        return ()
    total = sum((row.energy * _share(row, activity.by_step, activity) for row in rows), np.zeros(activity.timesteps))
    return tuple(total.tolist())


def samples_of(rows: Sequence[EnergyRow], activity: Activity) -> FloatArray | None:
    """Energy of each of the first samples, float64; None where unknown.

    The mean over all samples is the total. Messages and hops of a sample are taken to be as many for each spike as they
    are on average: how far a spike goes depends on which compartment sent it, which is not kept for every sample.
    """
    if activity.by_sample is None:
        return None
    kept = len(activity.by_sample.predicted)
    shares = (row.energy * activity.samples * _share(row, activity.by_sample.counts, activity, kept) for row in rows)
    return np.asarray(sum(shares, np.zeros(kept)))


def spread_of(energies: FloatArray | None, seed: int = 0) -> Spread | None:
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
    return Spread(len(energies), float(low), float(high), least, float(median), float(p95), most)


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


def _share(row: EnergyRow, counts: Counts, activity: Activity, kept: int | None = None) -> FloatArray:
    """Which part of a row's events falls on each step, or on each of the kept samples.

    Accesses and updates happen at every step of every sample, other events with what was counted.
    """
    everywhere = np.full(
        activity.timesteps if kept is None else kept, 1 / (activity.samples if kept else activity.timesteps)
    )
    seen = activity.populations[row.population]
    if row.event == "neuron_access":
        return everywhere
    if row.event in ("neuron_update_active", "neuron_active_extra"):
        return _of(counts.active_updates[row.population], seen.active_updates)
    if row.event == "neuron_update_inactive":
        idle = everywhere * seen.updates - counts.active_updates[row.population]
        return _of(idle, seen.updates - seen.active_updates)
    if row.event.startswith("synaptic_op"):
        return _of(counts.synaptic_ops[row.connection], activity.synaptic_ops[row.connection])
    return _of(counts.spikes[row.population], int(seen.spikes.sum()))


def _of(part: npt.ArrayLike, whole: int) -> FloatArray:
    """``part / whole``; a row that costs something has counts."""
    return np.asarray(part, dtype=np.float64) / max(whole, 1)
