"""A report as JSON."""

from __future__ import annotations

from ..pages.placement_text import as_json as placement_as_json
from ..placing.placement import Use
from .ann_twin import Standing, standings
from .report import SCHEMA_VERSION, EnergyReport, EnergyRow, TeacherCost


def as_json(report: EnergyReport) -> dict[str, object]:
    """``report`` as one JSON object; energies in the profile's unit (``unit``)."""
    return {
        "schema_version": SCHEMA_VERSION,
        "profile": report.profile.name,
        "profile_sha256": report.profile.sha256,
        "title": report.profile.title,
        "assumed": report.assumed,
        "banner": report.profile.banner,
        "unit": report.unit,
        "verdict": report.verdict,
        "energy": report.total,
        "at_least": report.at_least,
        "budget": None if report.budget is None else report.budget.value,
        "within_budget": report.within_budget,
        "floor": report.floor,
        "by_part": dict(report.by_part()),
        "by_population": report.by_population(),
        "by_event": report.by_event(),
        "rows": [_row_json(row) for row in report.rows],
        "not_modelled": [vars(item) for item in report.not_modelled],
        "spikes": [vars(item) for item in report.spikes],
        "synaptic_ops": report.synaptic_ops,
        "fit": [_use_json(use) for use in report.fit],
        "binding": None if report.binding is None else _use_json(report.binding),
        "placement": placement_as_json(report.placement),
        "cores": [vars(core) for core in report.cores],
        "ways": [{**vars(way), "mean_hops": way.mean_hops} for way in report.ways],
        "teacher": None if report.teacher is None else _teacher_json(report.teacher),
        "teacher_elsewhere": [_teacher_json(each) for each in report.elsewhere],
        "ann": {
            "macs": report.ann_macs,
            "teacher_macs": report.teacher_macs,
            "against": [_standing_json(each) for each in standings(report, report.ann_macs)] if report.ann_macs else [],
        },
        "samples": report.samples,
        "split": report.split,
        "timesteps": report.timesteps,
        "accuracy": report.accuracy,
        "backend": report.backend,
        "time": None if report.time is None else report.time.as_json(),
        "by_step": list(report.steps),
        "rates": {name: list(rates) for name, rates in report.rates.items()},
        "spread": None if report.spread is None else vars(report.spread),
        "by_class": [vars(each) for each in report.classes],
        "band": None if report.band is None else report.band.energies,
        "neurobench": None if report.neurobench is None else vars(report.neurobench),
        "agreement": None if report.agreement is None else vars(report.agreement),
        "uncertainty": report.profile.uncertainty,
        "sources": {name: source.model_dump() for name, source in report.profile.sources.items()},
        "provenance": report.provenance,
    }


def _row_json(row: EnergyRow) -> dict[str, object]:
    return {**vars(row), "words": row.words, "energy": row.energy}


def _teacher_json(teacher: TeacherCost) -> dict[str, object]:
    return {**vars(teacher), "energy": teacher.energy}


def _use_json(use: Use) -> dict[str, object]:
    return {**vars(use), "share": use.share}


def _standing_json(standing: Standing) -> dict[str, object]:
    alone, modelled, whole = standing.ratios
    return {
        **_teacher_json(standing.ann),
        "visits": standing.visits,
        "break_even_visits": standing.break_even,
        "spiking_over_ann": {"synaptic_ops": alone, "modelled": modelled, "with_static": whole},
    }
