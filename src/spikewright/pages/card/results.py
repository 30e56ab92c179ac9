"""The part of a model card on how good the network is."""

from __future__ import annotations

from ...chip.agreement import LEVELS
from ...profile.units import quantity
from ..verdict import Verdict
from .facts import Known, table


def results_part(known: Known) -> list[str]:
    """What was measured: on validation in training, and on test by a run."""
    rows = [*_validation(known), *(_test(known.verdict) if known.verdict is not None else [])]
    lines = table(("what", "measured", "on"), *rows) if rows else []
    if known.verdict is not None:
        lines += ["", f"Agreement, every spike, current and membrane potential: {known.verdict.agreement.in_words()}."]
    if rows and known.fact("validation_accuracy") is not None:
        lines += ["", "Validation samples chose the epoch whose weights were kept; test samples chose nothing."]
    return lines


def _validation(known: Known) -> list[tuple[str, str, str]]:
    trained, found = known.fact("validation_accuracy"), known.certificate
    rows = [] if trained is None else [("accuracy, student", f"{trained:.2%}", "validation")]
    if found:
        where = f"{found['samples']:,} {found['split']} samples"
        energy = quantity(found["energy"], found["unit"])
        rows += [
            ("accuracy, chip network", f"{found['accuracy']:.2%}", where),
            ("energy per inference", f"{energy} on `{found['profile']}`", where),
            ("synaptic operations per inference", f"{found['synaptic_ops']:,.0f}", where),
        ]
    return rows


def _test(verdict: Verdict) -> list[tuple[str, str, str]]:
    measured = verdict.agreement
    rows = [
        (
            f"accuracy, {LEVELS.get(level, level)}",
            f"{value:.2%}",
            f"{measured.samples[level]:,} {measured.split} samples",
        )
        for level, value in measured.accuracy.items()
    ]
    report = verdict.report.energy
    where = f"{report.samples:,} {report.split} samples"
    return [
        *rows,
        ("energy", f"{report.verdict}, on `{report.profile.name}`", where),
        ("spikes per inference", f"{verdict.spikes:,.0f}", where),
        ("synaptic operations per inference", f"{verdict.synaptic_ops:,.0f}", where),
        ("nearest limit of the chip", verdict.binding, "placement"),
    ]
