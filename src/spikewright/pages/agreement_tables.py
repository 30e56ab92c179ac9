"""Accuracy at every level, and where levels differ, as rows for the terminal, Markdown and the page."""

from __future__ import annotations

from ..chip.agreement import LEVELS, PAIRS, Agreement

NOT_KNOWN = (
    "Nothing lies beside this activity that tells how other levels do; `spikewright run` compares teacher, student, "
    "floats, integers and Lava, and leaves an agreement.json that a report takes up."
)


HEADINGS = ("level", ">accuracy", ">samples", "values that differ")


def rows(agreement: Agreement) -> list[tuple[str, ...]]:
    """Level, accuracy, samples and differing values; of one that was not run, why not."""
    compared = {one if one != "integer" else other: pair for pair, (one, other) in PAIRS.items()}
    found: list[tuple[str, ...]] = []
    for level, words in LEVELS.items():
        if level in agreement.accuracy:
            accuracy, samples = f"{agreement.accuracy[level]:.2%}", f"{agreement.samples[level]:,}"
            found.append((words, accuracy, samples, _differs(agreement, compared.get(level, ""))))
        elif level in agreement.skipped:
            found.append((words, "-", "-", f"not run: {agreement.skipped[level]}"))
    return found


def _differs(agreement: Agreement, pair: str) -> str:
    """Of the spikes, currents and membranes of the integer network."""
    if pair not in agreement.mismatches:
        return ""
    count, samples = agreement.mismatches[pair], agreement.compared[pair]
    return f"{'none' if count == 0 else f'{count:,} values'} on {samples:,} {'sample' if samples == 1 else 'samples'}"
