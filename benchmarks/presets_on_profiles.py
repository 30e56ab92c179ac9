"""Which profiles hold a trained network, how full it makes them, and what an inference costs; or why not.

    python benchmarks/presets_on_profiles.py build/run build/fashion [--samples 200] [--out fits.json]

Each folder is one of `spikewright run`, `sweep` or `compare`, or any that holds a `student.nir`. The graph is lowered
anew for every profile, on one chip or as many as the profile says, and counted on the first samples of the test part of
the data that its provenance names. Energies are of the network as it is, not of one trained for that profile.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import nir
import typer

from spikewright.base.artefacts import write_text
from spikewright.base.errors import SpikewrightError
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.energy.estimate import estimate
from spikewright.energy.report import EnergyReport
from spikewright.graph.nir_io import read_graph
from spikewright.lowering.lower import lower
from spikewright.pages.numbers import used
from spikewright.placing.placement import place
from spikewright.profile.profile import HardwareProfile, load_profile, profile_names
from spikewright.simulation.simulate import simulate

HEADINGS = ("network", "profile", "cores", "chips", "nearest limit", "share", "energy per inference", "accuracy")


@dataclass(frozen=True)
class Row:
    """One network on one profile; ``refusal`` is empty where it fits.

    Attributes:
        binding: the resource nearest to its limit, with what is used; empty where the profile has no limits of size.
        share: of that limit; None without one.
        energy: with its unit.
        accuracy: of the chip network, on the samples.
    """

    network: str
    profile: str
    cores: int = 0
    chips: int = 0
    binding: str = ""
    share: float | None = None
    energy: str = ""
    accuracy: float | None = None
    samples: int = 0
    refusal: str = ""


def rows(folders: list[Path], samples: int, data_dir: Path | None) -> Iterator[Row]:
    """Every network on every profile."""
    for folder in folders:
        graph = read_graph(folder / "student.nir")
        facts = json.loads(graph.metadata["provenance"])
        dataset = load(facts["settings"]["data"], data_dir, int(graph.metadata["timesteps"]))
        for name in profile_names():
            yield row(said(graph, facts), graph, load_profile(name), dataset, samples)


def said(graph: nir.NIRGraph, facts: dict[str, dict[str, object]]) -> str:
    """A network in words."""
    made, metadata = facts["student"], graph.metadata
    steps, encoding = metadata["timesteps"], metadata["encoding"]
    return f"{facts['settings']['data']}, {made['architecture']} {made['width']}, T = {steps}, {encoding}"


def row(network: str, graph: nir.NIRGraph, profile: HardwareProfile, dataset: Dataset, samples: int) -> Row:
    """One network on one profile."""
    try:
        chip = lower(graph, profile)
        placement = place(chip, profile)
    except SpikewrightError as refusal:
        return Row(network, profile.name, refusal=" ".join(str(refusal).split()))
    activity = simulate(chip, dataset, samples=min(samples, len(dataset.test)))
    report = estimate(activity, placement, profile)
    use = placement.binding
    return Row(
        network,
        profile.name,
        cores=placement.cores,
        chips=placement.arrangement.chips,
        binding="" if use is None else f"{use.resource}, {used(use)}",
        share=None if use is None else use.share,
        energy=energy(report),
        accuracy=activity.accuracy,
        samples=activity.samples,
    )


def energy(report: EnergyReport) -> str:
    """What an inference costs; in operations where nobody published joules."""
    return f"{'at least ' if report.at_least else ''}{report.say(report.total)}"


def table(found: list[Row]) -> str:
    """What fits, as Markdown, and below it what does not, with the reason."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "| --- | --- | ---: | ---: | --- | ---: | ---: | ---: |"]
    for each in (r for r in found if not r.refusal):
        share = "" if each.share is None else f"{each.share:.0%}"
        accuracy = "" if each.accuracy is None else f"{each.accuracy:.1%}"
        limit = each.binding or "no limits of size"
        cells = (each.network, f"`{each.profile}`", each.cores, each.chips, limit, share, each.energy, accuracy)
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    refused: dict[tuple[str, str], list[str]] = {}
    for each in (r for r in found if r.refusal):
        why = each.refusal.removeprefix(f"profile '{each.profile}': ").removeprefix(f"{each.profile}: ")
        refused.setdefault((each.network, why), []).append(f"`{each.profile}`")
    lines += ["", "| network | not on | why |", "| --- | --- | --- |"]
    lines += [f"| {network} | {', '.join(names)} | {why} |" for (network, why), names in refused.items()]
    return "\n".join(lines)


def main(
    folders: list[Path],
    samples: Annotated[int, typer.Option(min=1, help="of the test part, from the first")] = 200,
    data_dir: Annotated[Path | None, typer.Option(help="folder that holds the data sets' files")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="also write JSON here")] = None,
) -> None:
    """Print the tables."""
    found = list(rows(folders, samples, data_dir))
    if out is not None:
        write_text(out, json.dumps([asdict(each) for each in found], indent=1) + "\n")
    print(table(found))


if __name__ == "__main__":
    typer.run(main)
