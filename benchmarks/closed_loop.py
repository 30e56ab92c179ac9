"""What an energy budget costs in accuracy, and what the usual ways to save spikes cost at the same energy.

    python benchmarks/closed_loop.py --out build/closed_loop [--seeds 3] [--part 1/2] [--table]

E0 and A0 are the deployed energy and accuracy of the student that conventional distillation gives without a budget. For
budgets of 0.5, 0.2, 0.1 and 0.05 E0 four ways are compared: the controller on integers; a float student held to the
same budget and rounded afterwards; a fixed price for each spike; the quadratic loss on synaptic operations. The last
two know no budget: the price is tried at several heights, and its accuracy at the controller's energy is read off by
interpolation over the logarithm of the energy; the target is set to the synaptic operations that the controller's
student ended with, so that both spend about the same. All four have the width and T that the budget chose. Everything
is chosen on validation and reported on test.

Each finished training is a file in --out; running again goes on with what is missing. Several processes can share the
work (--part 1/2, --part 2/2). --table only prints what is there.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from spikewright.artefacts import atomic_write
from spikewright.budget_text import quantity, spelled
from spikewright.convert.to_nir import to_nir
from spikewright.deploy.lower import lower
from spikewright.deploy.placement import place
from spikewright.deploy.simulate import simulate
from spikewright.energy import Budget, estimate
from spikewright.hardware_profiles.profile import load_profile
from spikewright.train.data import Dataset, load
from spikewright.train.distill import distill_with
from spikewright.train.measurement import accuracy_of
from spikewright.train.quantized.agreement import differences
from spikewright.train.settings import DistillSettings
from spikewright.train.sizing import choose_size
from spikewright.train.student import Student

SHARES = (0.5, 0.2, 0.1, 0.05)
PRICES = (0.03, 0.1, 0.3)
"""Of a thousand spikes, tried for every width and T that a budget asks for."""
BATCH = 500


@dataclass(frozen=True)
class Task:
    """One training: its name and its settings."""

    name: str
    way: str
    share: float | None
    settings: DistillSettings


def base_of(profile: str, seed: int, width: int, epochs: int, data: str) -> Task:
    """The student without a budget."""
    settings = DistillSettings(
        data=data, profile=profile, method="kd:alpha=0.7,temperature=4", width=width, epochs=epochs, seed=seed
    )
    return Task(f"{profile}-s{seed}-base", "base", None, settings)


def train_after(base: Task, found: dict[str, Any], dataset: Dataset, folder: Path, others: bool) -> None:
    """What E0 of a base student asks for; the other ways only where ``others``."""
    profile = load_profile(base.settings.profile)
    stem = base.name.removesuffix("-base")
    sizes: set[tuple[int, int]] = set()
    for share in SHARES:
        budget = share * found["energy_validation"]
        free = base.settings.model_copy(update={"width": None})  # width and T as the budget allows
        made = choose_size(free, dataset, profile, Budget(budget, profile.cost_unit)).student.config
        size = (made.width, made.timesteps)
        common = {"width": size[0], "timesteps": size[1]}
        held = {**common, "energy_budget": spelled(budget, profile.cost_unit)}
        ours = trained(
            Task(f"{stem}-ours-{share}", "ours", share, base.settings.model_copy(update=held)), dataset, folder
        )
        if not others:
            continue
        target = f"synops:target={ours['synaptic_ops']:.6g}"
        ways = {"rounded": {**held, "integer_from": 1.0}, "synops": {**common, "regularize": (target,)}}
        for way, update in ways.items():
            trained(Task(f"{stem}-{way}-{share}", way, share, base.settings.model_copy(update=update)), dataset, folder)
        for price in PRICES if size not in sizes else ():
            priced = base.settings.model_copy(update={**common, "regularize": (f"spikes:weight={price}",)})
            trained(Task(f"{stem}-spikes-w{size[0]}-t{size[1]}-{price}", "spikes", None, priced), dataset, folder)
        sizes.add(size)


def trained(task: Task, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Train, deploy, measure; what is in the folder already is read."""
    path = folder / f"{task.name}.json"
    if path.exists():
        known: dict[str, Any] = json.loads(path.read_text())
        return known
    began = time.perf_counter()
    checkpoint = folder / f"{task.name}.checkpoint"
    result = distill_with(task.settings, checkpoint, resume=checkpoint.exists(), quiet=False)
    facts = deployed(result.student, task.settings, dataset)
    facts |= {"name": task.name, "way": task.way, "share": task.share, "seconds": time.perf_counter() - began}
    facts |= {"epochs": len(result.history), "budget": task.settings.energy_budget}
    with atomic_write(path) as temporary:
        Path(temporary).write_text(json.dumps(facts, indent=1))
    checkpoint.unlink(missing_ok=True)
    return facts


def deployed(student: Student, settings: DistillSettings, dataset: Dataset) -> dict[str, Any]:
    """What the chip network spends and gets right, and whether it is the student."""
    profile = load_profile(settings.profile)
    chip = lower(to_nir(student), profile)
    placement = place(chip, profile)
    facts: dict[str, Any] = {"width": student.config.width, "timesteps": student.config.timesteps}
    for name in ("validation", "test"):
        activity = simulate(chip, getattr(dataset, name), split=name, seed=settings.seed)
        report = estimate(activity, chip, placement, profile)
        facts |= {f"energy_{name}": report.total, f"accuracy_{name}": activity.accuracy}
        facts |= {"floor": report.floor, "synaptic_ops": report.synaptic_ops}
    facts["accuracy_student_test"] = accuracy_of(student, dataset.test, settings.seed)
    if student.grid is not None:
        facts["mismatches"] = sum(
            d.count
            for first in range(0, len(dataset.test), BATCH)
            for d in differences(
                student, chip, torch.from_numpy(dataset.test.images[first : first + BATCH]), settings.seed, first
            )
        )
    return facts


def spread(values: list[float], digits: int) -> str:
    """Mean and, of several, the standard deviation."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def at_energy(points: list[dict[str, Any]], energy: float) -> float | None:
    """Accuracy of a way at an energy, between its points; None beyond them."""
    ordered = sorted((math.log(p["energy_test"]), 100 * p["accuracy_test"]) for p in points)
    logs = [log for log, _ in ordered]
    if len(ordered) < 2 or not logs[0] <= math.log(energy) <= logs[-1]:
        return None
    return float(np.interp(math.log(energy), logs, [accuracy for _, accuracy in ordered]))


def others_at(found: list[dict[str, Any]], ours: dict[str, Any], way: str) -> float | None:
    """What another way reaches at the energy of a student of ours, with the same width and T."""
    same = ("width", "timesteps")
    stem = ours["name"].split("-ours-")[0]
    points = [
        p for p in found
        if p["name"].startswith(stem) and (p["way"] == way or p["way"] == "base") and all(p[k] == ours[k] for k in same)
    ]  # fmt: skip
    return at_energy(points, ours["energy_test"])


def _cell(mine: list[dict[str, Any]], way: str, share: float, bases: dict[str, dict[str, Any]]) -> str:
    """What another way reaches, and where its energy lands."""
    found = [f for f in mine if f["way"] == way and f["share"] == share]
    if not found:
        return "-"
    budgets = [share * bases[f["name"].split(f"-{way}-")[0]]["energy_validation"] for f in found]
    used = [f["energy_test"] / budget for f, budget in zip(found, budgets, strict=True)]
    return f"{spread([100 * f['accuracy_test'] for f in found], 2)} % at {spread(used, 3)}"


def table(profile: str, found: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of Markdown."""
    mine = [f for f in found if f["name"].startswith(profile)]
    bases = {f["name"].removesuffix("-base"): f for f in mine if f["way"] == "base"}
    if not bases:
        return
    unit = load_profile(profile).cost_unit
    energy = statistics.mean(b["energy_test"] for b in bases.values())
    accuracy = [100 * b["accuracy_test"] for b in bases.values()]
    yield f"`{profile}`: E0 = {quantity(energy, unit)}, A0 = {spread(accuracy, 2)} %, {len(bases)} seeds"
    yield ""
    yield "| budget / E0 | width, T | energy / budget | accuracy | against A0 | rounded | spike price | SynOp loss |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for share in SHARES:
        rows = [f for f in mine if f["way"] == "ours" and f["share"] == share]
        if not rows:
            continue
        base = [bases[f["name"].split("-ours-")[0]] for f in rows]
        used = [f["energy_test"] / (share * b["energy_validation"]) for f, b in zip(rows, base, strict=True)]
        gained = [100 * (f["accuracy_test"] - b["accuracy_test"]) for f, b in zip(rows, base, strict=True)]
        sizes = ", ".join(sorted({f"{f['width']}, {f['timesteps']}" for f in rows}))
        cells = [str(share), sizes, spread(used, 3), spread([100 * f["accuracy_test"] for f in rows], 2) + " %"]
        cells.append(spread(gained, 2))
        cells.append(_cell(mine, "rounded", share, bases))
        reached = [r for f in rows if (r := others_at(mine, f, "spikes")) is not None]
        cells.append(spread(reached, 2) + " %" if reached else "-")
        cells.append(_cell(mine, "synops", share, bases))
        yield "| " + " | ".join(cells) + " |"
    exact = [f for f in mine if "mismatches" in f]
    changed = max((abs(f["accuracy_student_test"] - f["accuracy_test"]) for f in exact), default=0.0)
    yield ""
    yield (
        f"{len(exact)} students on integers over the whole test split: {sum(f['mismatches'] for f in exact)} differing "
        f"spikes, currents and membranes; largest change of accuracy from student to chip {100 * changed:.2f} points."
    )
    yield ""


def main(
    out: Annotated[Path, typer.Option(help="folder of finished trainings")] = Path("build/closed_loop"),
    profile: Annotated[list[str] | None, typer.Option(help="repeatable")] = None,
    data: Annotated[str, typer.Option(help="data set")] = "fashion-mnist",
    seeds: Annotated[int, typer.Option(help="0, 1, ...")] = 3,
    others: Annotated[int, typer.Option(help="seeds for which the other ways are trained too")] = 3,
    width: Annotated[int, typer.Option(help="of the student without a budget")] = 16,
    epochs: Annotated[int, typer.Option(help="of every training")] = 6,
    part: Annotated[str, typer.Option(help="share of the trainings that this process does, such as 1/2")] = "1/1",
    table_only: Annotated[bool, typer.Option("--table", help="print what is there and train nothing")] = False,
) -> None:
    """Train what is missing and print the table."""
    out.mkdir(parents=True, exist_ok=True)
    profiles = profile or ["loihi2-assumed", "loihi1-davies"]
    index, count = (int(number) for number in part.split("/"))
    if not table_only:
        dataset = load(data)
        lanes = [(name, seed) for seed in range(seeds) for name in profiles]
        for name, seed in lanes[index - 1 :: count]:
            base = base_of(name, seed, width, epochs, data)
            facts = trained(base, dataset, out)
            train_after(base, facts, dataset, out, seed < others)
    found = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    for name in profiles:
        print("\n".join(table(name, found)))


if __name__ == "__main__":
    typer.run(main)
