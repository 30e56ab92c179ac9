"""The report as files: JSON for machines, Markdown to paste, and one HTML page that needs nothing else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ..artefacts import write_json, write_text
from ..energy_report import SCHEMA_VERSION, EnergyReport
from ..version import __version__
from . import core_tables, numbers, pictures
from .text import teacher_line

TEMPLATES = Path(__file__).with_name("templates")


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
        reports=reports, refusals=refusals, comparison=pictures.comparison(reports)
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
        n=numbers, cores=core_tables, pictures=pictures, teacher_line=teacher_line, version=__version__
    )
    environment.filters["pretty"] = lambda value: json.dumps(value, indent=2, default=str, ensure_ascii=False)
    environment.filters["cell"] = lambda text: str(text).replace("|", "\\|").replace("\n", " ")
    return environment
