"""The report as files: JSON for machines, Markdown to paste, and one HTML page that needs nothing else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..artefacts import write_json, write_text
from ..energy_report import SCHEMA_VERSION, WORDS, EnergyReport
from ..version import __version__
from . import numbers, plots
from .text import teacher_line

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Plot:
    """A picture with its heading, and in words what it shows."""

    title: str
    alt: str
    svg: str

    @property
    def uri(self) -> str:
        """The picture inside the page."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


def as_json(reports: Sequence[EnergyReport], refusals: Sequence[str] = ()) -> dict[str, object]:
    """All reports as one JSON object; ``refusals`` says why profiles that were asked for have none."""
    return {
        "schema_version": SCHEMA_VERSION,
        "spikewright": __version__,
        "within_budget": all(report.within_budget is not False for report in reports),
        "reports": [report.as_json() for report in reports],
        "refusals": list(refusals),
    }


def as_markdown(reports: Sequence[EnergyReport], refusals: Sequence[str] = ()) -> str:
    """All reports as Markdown tables."""
    return _environment(html=False).get_template("report.md.j2").render(reports=reports, refusals=refusals)


def as_html(reports: Sequence[EnergyReport], refusals: Sequence[str] = ()) -> str:
    """All reports as one page with its plots inside."""
    return _environment(html=True).get_template("report.html.j2").render(
        reports=reports, refusals=refusals, comparison=_comparison(reports)
    )  # fmt: skip


def write_report(reports: Sequence[EnergyReport], stem: Path, refusals: Sequence[str] = ()) -> dict[str, Path]:
    """Write ``stem``.json, .md and .html.

    Args:
        stem: path without suffix; dots in its last part stay.

    Returns:
        paths by format.

    Raises:
        InputError: the folder does not exist.
    """
    files = {kind: stem.with_name(f"{stem.name}.{kind}") for kind in ("json", "md", "html")}
    write_json(files["json"], as_json(reports, refusals))
    write_text(files["md"], as_markdown(reports, refusals))
    write_text(files["html"], as_html(reports, refusals))
    return files


def plots_of(report: EnergyReport) -> Iterator[Plot]:
    """The pictures of one report."""
    say, total = report.say, report.total
    layers = ", ".join(f"{name} {say(energy)}" for name, energy in report.by_population().items())
    yield Plot(
        "Energy by layer and event", f"Bars of energy by layer, stacked by event: {layers}.", plots.layers_plot(report)
    )
    events = ", ".join(f"{WORDS[event]} {say(e)} ({numbers.share(e, total)})" for event, e in report.by_event().items())
    yield Plot("Energy by event", f"Bars of energy by event: {events}.", plots.events_plot(report))
    spikes = ", ".join(f"{s.population} {numbers.count(s.spikes)}" for s in report.spikes)
    yield Plot("Spikes by layer", f"Bars of spikes per inference: {spikes}.", plots.spikes_plot(report))
    if report.binding is not None:
        fit = ", ".join(f"{use.resource} {numbers.used(use)}" for use in report.fit if use.limit)
        yield Plot("Fit", f"Bars of used limits: {fit}.", plots.fit_plot(report))


def budget_picture(report: EnergyReport) -> Plot:
    """The total against floor and budget."""
    parts = ", ".join(f"{part} {report.say(energy)}" for part, energy in report.by_part().items())
    floor = f"the floor with no hidden spike is {report.say(report.floor)}"
    return Plot("Against the budget", f"{report.verdict}: {parts}; {floor}.", plots.budget_plot(report))


def _comparison(reports: Sequence[EnergyReport]) -> list[Plot]:
    """One picture for each unit that several profiles share."""
    found = []
    for unit in dict.fromkeys(report.unit for report in reports):
        alike = [report for report in reports if report.unit == unit]
        if len(alike) > 1:
            words = ", ".join(f"{r.profile.name} {r.say(r.total)}" for r in alike)
            found.append(Plot("The same activity on several profiles", f"Bars: {words}.", plots.comparison_plot(alike)))
    return found


def _environment(html: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        n=numbers, plots_of=plots_of, budget_picture=budget_picture, teacher_line=teacher_line, version=__version__
    )
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, default=str, ensure_ascii=False)
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment
