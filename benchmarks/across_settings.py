"""Which method gains most at equal energy when several comparisons are taken together.

    python benchmarks/across_settings.py build/compare-a/compare.json build/compare-b/compare.json ...

Every budget of every file is a setting, and every setting counts alike. A method's gain is that of accuracy over labels
alone, seed by seed; of a seed the mean over all settings is taken, then mean and standard deviation over seeds, which
are less than within one setting, since chance differs between settings. *behind* is what the first row gains more, on
validation, again seed by seed. Methods without a training within the budget in some setting are named and left out.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

Gains = dict[str, dict[tuple[str, int], tuple[float, float]]]
"""By method, then by setting and seed: points over labels alone on validation and on test."""


@dataclass(frozen=True)
class Mean:
    """Over all settings, for each seed in order."""

    name: str
    validation: tuple[float, ...]
    test: tuple[float, ...]

    def behind(self, first: Mean) -> tuple[float, ...]:
        """What another gains more on validation."""
        return tuple(theirs - own for theirs, own in zip(first.validation, self.validation, strict=True))


def gains_in(path: Path) -> Gains:
    """Of all methods within all budgets of one comparison.

    Raises:
        typer.BadParameter: it has no budgets, or its labels alone are missing.
    """
    comparison = json.loads(path.read_text())
    groups = [group for group in comparison["groups"] if group["budget"] is not None]
    if not groups:
        raise typer.BadParameter(f"{path}: has no setting with a budget; give spikewright compare --energy-budget")
    found: Gains = {}
    for group in groups:
        accuracy = {
            entry["row"]: {t["seed"]: t["record"]["outcome"]["accuracy"] for t in entry["trainings"] if t["record"]}
            for entry in group["entries"]
            if not entry["over_budget"]
        }
        found.update(
            {entry["row"]: found.get(entry["row"], {}) for entry in group["entries"] if entry["row"] != "none"}
        )
        if "none" not in accuracy:
            raise typer.BadParameter(f"{path}: has no labels alone within {group['budget']}; add none to --methods")
        base = accuracy.pop("none")
        for name, seeds in accuracy.items():
            for seed in seeds.keys() & base.keys():
                points = [100 * (seeds[seed][split] - base[seed][split]) for split in ("validation", "test")]
                found[name][f"{path}, {group['budget']}", seed] = (points[0], points[1])
    return found


def together(parts: list[Gains]) -> tuple[list[Mean], list[str]]:
    """Means of the methods that have all settings and seeds, best on validation first, and the names of the others."""
    cells = {cell for part in parts for row in part.values() for cell in row}
    seeds = sorted({seed for _, seed in cells})
    whole, partial = [], []
    for name in {name for part in parts for name in part}:
        row = {cell: points for part in parts for cell, points in part.get(name, {}).items()}
        if row.keys() != cells:
            partial.append(name)
            continue
        by_seed = [[points for (_, of), points in row.items() if of == seed] for seed in seeds]
        validation, test = (
            tuple(statistics.mean(points[split] for points in found) for found in by_seed) for split in (0, 1)
        )
        whole.append(Mean(name, validation, test))
    return sorted(whole, key=lambda row: -statistics.mean(row.validation)), sorted(partial)


def cell(points: tuple[float, ...]) -> str:
    """Mean and spread over seeds."""
    spread = f" ± {statistics.stdev(points):.2f}" if len(points) > 1 else ""
    return f"{statistics.mean(points):+.2f}{spread}"


def main(comparisons: Annotated[list[Path], typer.Argument(exists=True, help="compare.json of each")]) -> None:
    """Print one row for each method that was compared in every setting."""
    rows, partial = together([gains_in(path) for path in comparisons])
    print("| method | validation: gain | behind | test: gain |\n| --- | ---: | ---: | ---: |")
    for row in rows:
        behind = "-" if row is rows[0] else cell(row.behind(rows[0])).removeprefix("+")
        print(f"| {row.name} | {cell(row.validation)} | {behind} | {cell(row.test)} |")
    if partial:
        print(f"\nNot in every setting: {', '.join(partial)}")


if __name__ == "__main__":
    typer.run(main)
