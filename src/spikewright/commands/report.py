"""`spikewright report`: what the counts cost on a chip, and whether it fits.

Exit code 1 where the modelled energy is over the budget or the network does not fit, after everything is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..base.bounds import MOST_SEED
from ..base.errors import AnswerIsNo, with_flags
from . import console as cli

if TYPE_CHECKING:
    from ..chip.agreement import Agreement
    from ..energy.provenance import Provenance
    from ..pages.render import Document
    from ..placing.placement import Placer

SUFFIXES = (".json", ".md", ".html")
Format = Literal["table", "json", "md", "html"]
"""What is printed on stdout; the files are written whatever it is."""


def command(
    activity: Annotated[Path, typer.Argument(help="activity.json, as written by `spikewright simulate`")],
    chip: Annotated[Path, typer.Argument(help="chip.h5, the network that the activity was counted on")],
    profile: Annotated[
        list[str] | None, typer.Option("--profile", "-p", help="a profile's name or TOML file; again for several")
    ] = None,
    also: Annotated[
        list[Path] | None, typer.Option("--also", help="folder of another run, to set beside it; again for several")
    ] = None,
    energy_budget: Annotated[str | None, typer.Option(help="per inference, e.g. 2uJ, 350nJ or 40kops")] = None,
    anchors: Annotated[
        str | None, typer.Option(help="published chips to stand beside, e.g. mnist; or a TOML file of your own")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="folder or file stem; default: `report` beside the activity")
    ] = None,
    place_by: Annotated[
        Literal["connectivity", "spikes", "order"],
        typer.Option(help="lay cores out by connectivity (as training does), by these spikes, or in order"),
    ] = "connectivity",
    chips: Annotated[
        int | None, typer.Option(min=1, help="most chips to spread it over; default: what the profile says, or one")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=MOST_SEED, help="of the search for the layout")] = 0,
    form: Annotated[Format, typer.Option("--format", help="what to print")] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="the same as --format json")] = False,
) -> None:
    """Price an activity on one or several hardware profiles, against a budget.

    Prints a table and writes OUT.json, OUT.md and OUT.html. Without --profile it is the one that the network was
    lowered for. Runs named with --also are priced on the same profiles and set beside it; whether they fit or keep
    the budget does not change the exit code. An agreement.json beside the activity is taken up.
    Example: spikewright report activity.json chip.h5 --profile loihi1-davies --energy-budget 2uJ
    """
    from ..chip.activity_file import load_activity
    from ..chip.chip_file import load_chip
    from ..energy.provenance import provenance_of
    from ..pages.pricing import budgets_of, priced
    from ..pages.render import Document, write_report
    from ..pages.runs import load_runs, names_of, tables_of
    from ..placing.placement import Placer
    from ..profile.anchors import anchors_beside
    from ..profile.profile import load_profile, named_profile

    placer = Placer(place_by, chips, seed)
    names = names_of(activity, also or [])
    counts, network = load_activity(activity), load_chip(chip)
    stem = _stem(out, activity)
    cli.hold(stem.with_name(f"{stem.name}.json"), reads=[activity, chip])
    typed = _as_typed(activity, chip, also or [], profile or [], energy_budget, anchors, placer)
    provenance = replace(provenance_of(activity, chip, counts, network), command=typed)
    agreement = _agreement_beside(activity, provenance)
    profiles = [load_profile(name) for name in dict.fromkeys(profile or [])] or [
        named_profile(network.profile, str(chip), "give its file: --profile PATH")
    ]
    budgets = budgets_of(energy_budget, profiles)
    published = None if anchors is None else anchors_beside(anchors, profiles)
    found = priced(counts, network, profiles, budgets, provenance, placer)
    reports = [
        replace(each, agreement=agreement, anchors=published) for each in found if not isinstance(each, AnswerIsNo)
    ]
    refusals = [each for each in found if isinstance(each, AnswerIsNo)]
    if not reports:
        raise AnswerIsNo("; ".join(error.message for error in refusals))
    others = load_runs(also or [], names[1:], profiles, budgets, placer)
    tables = tables_of(profiles, {names[0]: found} | others)
    document = Document(reports, [with_flags(error, {}) for error in refusals], tables)
    files = write_report(document, stem)
    _print(document, "json" if as_json else form)
    cli.say("wrote " + ", ".join(str(path) for path in files.values()))
    energies = [report.energy for report in reports]
    over = [f"{each.profile.name}: {each.verdict}" for each in energies if each.within_budget is False]
    if over or refusals:
        raise AnswerIsNo("; ".join([*over, *(error.message for error in refusals)]))


main = cli.main_of(command, "report")


def _as_typed(
    activity: Path,
    chip: Path,
    also: Sequence[Path],
    profiles: Sequence[str],
    budget: str | None,
    anchors: str | None,
    placer: Placer,
) -> str:
    """The command that gives this report again, files by their names alone: folders are nobody else's business."""
    from ..pages.markdown import path, shell
    from ..placing.placement import DEFAULT_PLACER

    words = ["spikewright", "report", path(activity.name), path(chip.name)]
    words += [word for each in profiles for word in ("--profile", Path(each).name)]
    words += [word for each in also for word in ("--also", each.name)]
    by = placer.by if placer.by != DEFAULT_PLACER.by else None
    options: dict[str, object] = {"--energy-budget": budget, "--anchors": anchors and Path(anchors).name}
    options |= {"--place-by": by, "--chips": placer.chips, "--seed": placer.seed or None}
    words += [str(word) for option in options.items() if option[1] is not None for word in option]
    return " ".join(map(shell, words))


def _stem(out: Path | None, activity: Path) -> Path:
    from ..base.artefacts import writable

    if out is not None and not out.is_dir():
        writable(out)  # a device, or a folder that is not there
    if out is None or out.is_dir():
        return (out or activity.parent) / "report"
    return out.with_suffix("") if out.suffix in SUFFIXES else out


def _agreement_beside(activity: Path, provenance: Provenance) -> Agreement | None:
    """What is known of other levels of the same network, where it lies beside the activity."""
    from ..chip.agreement import FILE, load_agreement

    file = activity.with_name(FILE)
    if not file.is_file():
        return None
    agreement = load_agreement(file)
    if provenance.chip is not None and agreement.chip_sha256 == provenance.chip["sha256"]:
        return agreement
    cli.say(f"note: {file} is of another network and left out")
    return None


def _print(document: Document, form: Format) -> None:
    from ..pages import render, runs
    from ..pages import report as reports
    from ..pages.numbers import WIDTH

    if form == "json":
        cli.emit(render.as_json(document))
    elif form == "table":
        tables = [*map(runs.renderable, document.runs), *map(reports.renderable, document.reports)]
        cli.print_result(*[part for table in tables for part in ("", table)][1:], width=WIDTH)
    else:
        print(render.as_markdown(document) if form == "md" else render.as_html(document), end="")
