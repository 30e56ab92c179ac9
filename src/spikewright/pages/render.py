"""The report as files: JSON for machines, Markdown to paste, and one HTML page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment

from ..base.artefacts import write_json, write_text
from ..base.version import __version__
from . import against, anchors, cores, measure, network, pictures, quality, runs
from .report import SCHEMA_VERSION, Report, beside, teacher_line
from .runs import RunTable
from .templating import environment


@dataclass(frozen=True)
class Document:
    """What one call of `spikewright report` writes: reports of one activity, and other runs beside it.

    Attributes:
        reports: one for each profile that the network fits.
        refusals: why other profiles have none.
        runs: a table of all runs for each profile; empty for a single run.
    """

    reports: Sequence[Report]
    refusals: Sequence[str] = ()
    runs: Sequence[RunTable] = ()


def as_json(document: Document) -> dict[str, object]:
    """The document as one JSON object."""
    return {
        "schema_version": SCHEMA_VERSION,
        "spikewright": __version__,
        "within_budget": all(report.energy.within_budget is not False for report in document.reports),
        "reports": [report.as_json() for report in document.reports],
        "refusals": list(document.refusals),
        "runs": [table.as_json() for table in document.runs],
    }


def as_markdown(document: Document) -> str:
    """The document as a Markdown page."""
    return _environment(html=False).get_template("report.md.j2").render(vars(document))


def as_html(document: Document) -> str:
    """The document as one HTML page with its pictures inside."""
    return _environment(html=True).get_template("report.html.j2").render(vars(document))


def write_report(document: Document, stem: Path) -> dict[str, Path]:
    """Write ``stem``.json, .md and .html.

    Args:
        stem: path without suffix; dots in its last part stay.

    Returns:
        paths by format.

    Raises:
        InputError: the folder does not exist.
    """
    files = {kind: stem.with_name(f"{stem.name}.{kind}") for kind in ("json", "md", "html")}
    write_json(files["json"], as_json(document))
    write_text(files["md"], as_markdown(document))
    write_text(files["html"], as_html(document))
    return files


def _environment(html: bool) -> Environment:
    found = environment(html=html)
    found.globals |= {"cores": cores, "network": network, "against": against, "pictures": pictures}
    found.globals |= {"anchors": anchors, "quality": quality, "measure_of": measure.measure_of}
    found.globals |= {"side_by_side": runs, "beside": beside, "teacher_line": teacher_line, "version": __version__}
    found.filters["pretty"] = lambda value: json.dumps(value, indent=2, default=str, ensure_ascii=False)
    return found
