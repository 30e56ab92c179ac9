"""The part of a model card on how good the network is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..budget_text import quantity
from .card_facts import Known, table

if TYPE_CHECKING:
    from ..verdict import Verdict

LEVELS = {
    "student": "student on integers",
    "float": "graph in floats",
    "integer": "chip network",
    "lava": "Lava's processes",
}


def results_part(known: Known) -> list[str]:
    """What was measured: on validation in training, and on test by a run."""
    rows = [*_validation(known), *(_test(known.verdict) if known.verdict is not None else [])]
    lines = table(("what", "measured", "on"), *rows) if rows else []
    if known.verdict is not None:
        lines += ["", f"Agreement, every spike, current and membrane potential: {_agreement(known.verdict)}."]
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
    rows = []
    for level, value in verdict.accuracy.items():
        if value is not None:
            samples = verdict.samples.get(level, verdict.samples["integer"])
            rows.append((f"accuracy, {LEVELS.get(level, level)}", f"{value:.2%}", f"{samples:,} test samples"))
    report, where = verdict.report, f"{verdict.samples['integer']:,} test samples"
    return [
        *rows,
        ("energy", f"{report.verdict}, on `{report.profile.name}`", where),
        ("spikes per inference", f"{verdict.spikes:,.0f}", where),
        ("synaptic operations per inference", f"{verdict.synaptic_ops:,.0f}", where),
        ("nearest limit of the chip", verdict.binding, "placement"),
    ]


def _agreement(verdict: Verdict) -> str:
    words = []
    for pair, count in verdict.mismatches.items():
        one, _, other = pair.partition("_")
        if count is not None:
            words.append(f"{one} and {other} {'bit for bit' if count == 0 else f'differ in {count:,} values'}")
        elif other in verdict.skipped:
            words.append(f"{other} was not run ({verdict.skipped[other]})")
    return "; ".join(words) or "nothing was compared"
