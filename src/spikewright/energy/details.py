"""What a report says beside its total: time, spread, steps and classes, and other constants for the same chip."""

from __future__ import annotations

from dataclasses import replace

from ..base.errors import AnswerIsNo
from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..placing.core_load import core_loads, route_traffic
from ..placing.placement import Placement, place
from ..profile.profile import load_profile
from ..profile.schema import HardwareProfile
from .estimate import estimate
from .neurobench import neurobench_of
from .parts import Band, classes_of, samples_of, spread_of, steps_of
from .report import EnergyReport
from .time import time_of


def detailed(report: EnergyReport, activity: Activity, chip: ChipNetwork, placement: Placement) -> EnergyReport:
    """``report`` with all that can be said beside its total; what is not known is left out."""
    energies = samples_of(report.rows, activity)
    return replace(
        report,
        time=time_of(activity, chip, placement, report.profile),
        steps=steps_of(report.rows, activity),
        rates=rates_of(activity),
        raster=activity.raster,
        spread=spread_of(energies),
        classes=classes_of(energies, activity.by_sample),
        band=band_of(report, activity, chip, placement),
        cores=core_loads(activity, chip, placement) if report.profile.limits.neurons_per_core is not None else (),
        ways=route_traffic(activity, chip, placement),
        neurobench=neurobench_of(activity, chip),
    )


def rates_of(activity: Activity) -> dict[str, tuple[float, ...]]:
    """Spikes per neuron at each step, the mean over samples, by population; empty where steps were not counted."""
    if activity.by_step is None:
        return {}
    return {
        name: tuple((activity.by_step.spikes[name] / (activity.samples * seen.spikes.size)).tolist())
        for name, seen in activity.populations.items()
    }


def band_of(report: EnergyReport, activity: Activity, chip: ChipNetwork, placement: Placement) -> Band | None:
    """The total with constants that others published for the same chip, None where nobody did or nothing fits."""
    energies = {report.profile.name: report.total}
    for name in report.profile.band:
        other = load_profile(name)
        try:
            laid_out = placement if _same_cores(other, report.profile) else place(chip, other)
        except AnswerIsNo:
            continue
        energies[name] = estimate(activity, chip, laid_out, other).total
    return Band(energies) if len(energies) > 1 else None


def _same_cores(one: HardwareProfile, other: HardwareProfile) -> bool:
    """Whether a placement for one profile holds on the other."""
    return one.limits == other.limits
