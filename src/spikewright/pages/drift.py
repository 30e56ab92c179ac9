"""A drift report for people: one sentence, a table of layers, a table of causes, and the answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..base.artefacts import write_text
from ..divergence.answers import Answers, ValueErrors
from ..divergence.causes import CAUSES
from ..divergence.report import DriftReport, Effect, LayerDrift, Place, Why
from . import markdown
from .numbers import samples_in_words

_NONE = "-"
_FIRST = "first (step, sample, neuron)"
WIDEST = 160
"""Characters of a line: a table is printed whole, and a narrower terminal wraps it."""


def as_json(report: DriftReport) -> dict[str, object]:
    """The report as one JSON object."""
    earliest = report.earliest
    return {
        "reference": report.reference,
        "drift": report.differs,
        "sentence": sentence(report),
        "first_layer": None if report.first is None else report.first.name,
        "earliest": None if earliest is None else {"layer": earliest[1], **asdict(earliest[0])},
        "layers": [layer.as_json() for layer in report.layers],
        "answers": report.answers.as_json(),
        "timesteps": report.timesteps,
        "trained": dict(report.trained) or None,
        "changed": list(report.changed),
        "remarks": list(report.remarks),
        **report.facts,
    }


def sentence(report: DriftReport) -> str:
    """The result in one sentence: the first layer that differs, and why."""
    if report.reference == "trained integers":
        return _trained_sentence(report)
    first, answers, samples = report.first, report.answers, samples_in_words(report.answers.samples)
    if first is None and not answers.score:
        return f"no drift: spikes and scores are those of the float network on {samples}"
    if first is None:
        return (
            f"no spike differs on {samples}; scores differ by up to {answers.score:.3g} of "
            f"{answers.spread:.3g}{_blame(report.layers[-1].why)}"
        )
    assert first.raster.first is not None
    where = f"{first.name!r} is the first layer that differs, first at {_place(first.raster.first)}"
    earliest = report.earliest
    if earliest is not None and earliest[0].step < first.raster.first.step:
        where += f" (earliest of all: {earliest[1]!r} at {_place(earliest[0])})"
    return where + _blame(first.why)


def _trained_sentence(report: DriftReport) -> str:
    on = f"trained on integers: {report.trained['profile']}, {report.trained['weight_bits']}-bit weights"
    samples, first = samples_in_words(report.answers.samples), report.first
    if not report.differs:
        return f"{on}; no drift: spikes, currents, membrane potentials and scores are equal on {samples}"
    if first is None:
        return f"{on}; the chip network holds other numbers, which change no spike on {samples}"
    place = "" if first.raster.first is None else f", first at {_place(first.raster.first)}"
    return f"{on}; the chip network holds other numbers: {first.name!r} is the first layer that differs{place}"


def _place(place: Place) -> str:
    return f"step {place.step} (sample {place.sample}, neuron {place.neuron})"


def _blame(why: Why | None) -> str:
    """The causes of a layer's own drift, the largest first."""
    if why is None:
        return ""
    other = f"; {why.other:,} values are left unexplained" if why.other else ""
    if not (ranked := why.ranked()):
        return f"; no cause alone changes it, only together{other}" if why.together else other
    (cause, effect), *more = ranked
    rest = "".join(f", {CAUSES[cause]} {_much(effect)}" for cause, effect in more)
    much, spikes = _much(effect), "spike" if effect.spikes == 1 else "spikes"
    change = f"a score by {much}" if effect.score else f"{much} {spikes}"
    return f"; on the same input, {CAUSES[cause]} alone changes {change}{rest}{other}"


def _much(effect: Effect) -> str:
    return f"up to {effect.score:.3g}" if effect.score else f"{effect.spikes:,}"


def layer_rows(report: DriftReport) -> list[list[str]]:
    """The headings, then one row for every layer."""
    mine = "float" if report.reference == "float" else "trained"
    rows = [["layer", f"{mine} rate", "chip rate", "agreement", "kappa", "differing", _FIRST]]
    for layer in report.layers:
        r = layer.raster
        if not layer.fires and not (r.reference or r.chip):
            rows.append([layer.name, "does not fire", *5 * [_NONE]])
            continue
        rates = [f"{spikes / r.compared:.4f}" for spikes in (r.reference, r.chip)]
        kappa = _NONE if r.kappa is None else f"{r.kappa:.3f}"
        first = _NONE if r.first is None else f"{r.first.step}, {r.first.sample}, {r.first.neuron}"
        rows.append([layer.name, *rates, _share(r.agreement), kappa, f"{r.differing:,}", first])
    return rows


def _share(share: float) -> str:
    """A percentage that says 100 % only where all are equal."""
    return "100%" if share == 1 else f"{min(share, 0.9999):.2%}"


def cause_rows(report: DriftReport) -> list[list[str]]:
    """Headings, then what each cause changes in every layer; nothing against trained integers."""
    if not any(layer.why for layer in report.layers):
        return []
    causes = [cause for cause in CAUSES if any(layer.why and cause in layer.why.alone for layer in report.layers)]
    rows = [["layer", *causes, "together", "other"]]
    for layer in report.layers:
        if (why := layer.why) is not None:
            alone = [_number(layer, why.alone.get(cause)) for cause in causes]
            rows.append([layer.name, *alone, _number(layer, why.together), f"{why.other:,}"])
    return rows


def _number(layer: LayerDrift, effect: Effect | None) -> str:
    if effect is None:
        return _NONE
    return f"{effect.spikes:,}" if layer.fires else f"{effect.score:.3g}"


def answer_lines(report: DriftReport) -> list[str]:
    """Accuracy, agreement of the predictions, and scores."""
    answers, mine = report.answers, "float" if report.reference == "float" else "trained"
    if answers.values is not None:
        return [*_value_lines(answers, answers.values, mine), _scores_line(answers, mine)]
    lines = [f"same answer     {_share(answers.agreeing / answers.samples)} of {samples_in_words(answers.samples)}"]
    if answers.correct_reference is not None and answers.correct_chip is not None:
        shares = [f"{correct / answers.samples:.2%}" for correct in (answers.correct_reference, answers.correct_chip)]
        lines.insert(0, f"accuracy        {mine} {shares[0]}, chip {shares[1]}")
    return [*lines, _scores_line(answers, mine)]


def _scores_line(answers: Answers, mine: str) -> str:
    return f"scores          differ by up to {answers.score:.3g}; {mine} ones span {answers.spread:.3g}"


def _value_lines(answers: Answers, values: ValueErrors, mine: str) -> Iterator[str]:
    """How far the values of both levels are from each other and from the labels."""
    for index, (apart, furthest) in enumerate(zip(values.apart, values.furthest, strict=True)):
        mean = apart / answers.samples
        yield f"value {index:<9} differs by {mean:.3g} on average, by {furthest:.3g} at most"
        if values.reference:
            errors = [each[index] / answers.samples for each in (values.reference, values.chip)]
            yield f"  error         {mine} {errors[0]:.4g}, chip {errors[1]:.4g}, mean absolute"


def renderable(report: DriftReport) -> Group:
    """The report for a rich console."""
    parts: list[RenderableType] = [Text(sentence(report), style="bold"), Text(), _table(layer_rows(report))]
    if causes := cause_rows(report):
        parts += [Text(), Text(_causes_title(report)), _table(causes)]
    parts += [Text(), *(Text(line) for line in answer_lines(report))]
    parts += [Text(f"changed         {line}") for line in report.changed]
    parts += [Text(f"note            {line}") for line in report.remarks]
    return Group(*parts)


def _causes_title(report: DriftReport) -> str:
    return "Spikes that each cause alone changes, every layer driven by the chip's spikes" + (
        "" if all(layer.fires for layer in report.layers) else " (readout: largest change of a score)"
    )


def _table(rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, heading in enumerate(rows[0]):
        is_text = index == 0 or heading == _FIRST
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=True)
    for row in rows[1:]:
        table.add_row(*(Text(cell) for cell in row))
    return table


def write_markdown(report: DriftReport, path: Path) -> None:
    """Write the report to a Markdown file, whole or not at all."""
    blocks = ["# Drift", f"{markdown.text(sentence(report))}.", markdown.table(*layer_rows(report)).rstrip()]
    if causes := cause_rows(report):
        blocks += [f"{_causes_title(report)}:", markdown.table(*causes).rstrip()]
    lines = answer_lines(report) + [f"changed: {line}" for line in report.changed]
    lines += [f"note: {line}" for line in report.remarks]
    blocks.append("\n".join(f"- {markdown.text(line)}" for line in lines))
    write_text(path, "\n\n".join(blocks) + "\n")
