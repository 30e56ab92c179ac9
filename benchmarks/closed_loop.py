"""What an energy budget costs in accuracy, and what the usual ways to save spikes cost at the same energy.

    python benchmarks/closed_loop.py --out build/closed_loop [--seeds 3] [--part 1/2] [--table]

E0 and A0 are the deployed energy and accuracy of the student that conventional distillation gives without a budget.
For budgets of 0.5, 0.2, 0.1 and 0.05 E0 the closed loop chooses width and T and holds the budget on integers. Three
other ways are tried at the energy that its student ended with: a float student held to that energy and rounded
afterwards; a fixed price for each spike; the quadratic loss on synaptic operations. The last two know no budget:
the price, and the target of synaptic operations, are moved until the validation energy is near; where it is not, the
accuracy at the loop's energy is read off between the nearest runs, over the logarithm of the energy. At two budgets
each way is given the width and T that the loop chose (--others); with --own-size it keeps those of the student
without a budget, which is what someone has who only adds a term to the loss, at every budget that leaves such a
student a tenth of the energy for its spikes. With --bits, loop and rounding are also compared at fewer bits of weights.

Everything is chosen on validation and reported on test. Each finished training is a file in --out; running again goes
on with what is missing. Several processes can share the work (--part 1/2, --part 2/2). --table only prints.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from closed_loop_tables import COMPARED, NEAR, SHARES, exactness, leaves_spikes, loop_table, other_table

from spikewright.base.artefacts import atomic_write
from spikewright.commands.console import listeners
from spikewright.data.dataset import Dataset
from spikewright.data.load import load
from spikewright.energy.estimate import estimate
from spikewright.lowering.lower import lower
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.profile.units import Amount, spelled
from spikewright.simulation.simulate import simulate
from spikewright.student.accuracy import accuracy_of
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings
from spikewright.training.sizing import choose_size

FIRST_PRICE = 0.1
"""Of a thousand spikes."""
TRIES = 3
ROUNDED_AIM = 1.01
"""A student in floats is allowed this share of the wanted energy: a budget is met from below."""
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
    settings = DistillSettings.of(
        data=data, profile=profile, method="kd:alpha=0.7,temperature=4", width=width, epochs=epochs, seed=seed
    )
    return Task(f"{profile}-s{seed}-base", "base", None, settings)


@dataclass(frozen=True)
class Lane:
    """One profile and seed, and what has been found for its student without a budget."""

    base: Task
    found: dict[str, Any]
    dataset: Dataset
    folder: Path

    def task(self, way: str, share: float | None, tag: str, **changes: object) -> dict[str, Any]:
        """Train one student that differs from the base in ``changes``."""
        name = f"{self.base.name.removesuffix('-base')}-{way}-{tag}"
        settings = self.base.settings.changed(changes)
        return trained(Task(name, way, share, settings), self.dataset, self.folder)

    def spelled(self, energy: float) -> str:
        """An energy as a budget is written."""
        return spelled(energy, load_profile(self.base.settings.limits.profile).cost_unit)

    def loop(self, share: float, bits: int | None = None) -> dict[str, Any]:
        """The closed loop at a budget; fewer bits are compared at the size that the full ones had."""
        if bits is not None:
            full = self.loop(share)
            size = {"width": full["width"], "timesteps": full["timesteps"]}
            return self.task(f"ours{bits}", share, str(share), energy_budget=full["budget"], weight_bits=bits, **size)
        profile = load_profile(self.base.settings.limits.profile)
        free = self.base.settings.changed({"width": None})  # width and T as the budget allows
        budget = share * self.found["energy_validation"]
        chosen = choose_size(free, self.dataset, profile, Amount(budget, profile.cost_unit)).student.config
        limits = {"width": chosen.width, "timesteps": chosen.timesteps, "energy_budget": self.spelled(budget)}
        return self.task("ours", share, str(share), **limits)

    def others(self, share: float) -> None:
        """The three other ways at the loop's size, aimed at the energy that the loop ended with."""
        ours = self.loop(share)
        size = {"width": ours["width"], "timesteps": ours["timesteps"]}
        self.rounded_at(share, ours["budget"], size)
        self.search_target(share, ours["energy_validation"], ours["synaptic_ops"], size)
        self.search_price(ours["energy_validation"], size)

    def others_of_own_size(self, share: float) -> None:
        """The three other ways at the size of the student without a budget, where that leaves spikes to train."""
        wanted, base = self.loop(share)["energy_validation"], self.found
        if not leaves_spikes(base, wanted):
            return
        size = {"width": base["width"], "timesteps": base["timesteps"]}
        near = self.rounded_at(share, self.spelled(ROUNDED_AIM * wanted), size)
        per_joule = (base["synaptic_ops"] - near["synaptic_ops"]) / (base["energy_test"] - near["energy_test"])
        operations = near["synaptic_ops"] + per_joule * (wanted - near["energy_validation"])
        self.search_target(share, wanted, operations, size)
        self.search_price(wanted, size)

    def rounded_at(self, share: float, limit: str, size: dict[str, int]) -> dict[str, Any]:
        """A float student of a size within a budget, rounded afterwards."""
        return self.task("rounded", share, f"{share}-{tag_of(size)}", **size, energy_budget=limit, integer_from=1.0)

    def search_target(self, share: float, wanted: float, operations: float, size: dict[str, int]) -> None:
        """Aim the loss on synaptic operations lower or higher until it ends near the wanted energy."""
        aim = operations
        for trial in range(1, TRIES + 1):
            name = f"{share}-{tag_of(size)}" + (f"-trial{trial}" if trial > 1 else "")
            run = self.task("synops", share, name, **size, regularize=(f"synops:target={aim:.6g}",))
            if abs(math.log(run["energy_validation"] / wanted)) < NEAR:
                return
            aim *= operations / run["synaptic_ops"]

    def search_price(self, wanted: float, size: dict[str, int]) -> None:
        """Train at prices for a spike until one gives nearly the wanted energy."""
        stem, tag = self.base.name.removesuffix("-base"), tag_of(size)
        own, tried = self.priced(f"{stem}-spikes-{tag}"), self.priced(f"{stem.rpartition('-s')[0]}-s*-spikes-{tag}")
        for _ in range(TRIES):
            if any(abs(math.log(energy / wanted)) < NEAR for energy in own.values()):
                return
            price = next_price(tried, wanted)
            run = self.task("spikes", None, f"{tag}-{price:.4g}", **size, regularize=(f"spikes:weight={price:.4g}",))
            tried[price] = own[price] = run["energy_validation"]

    def priced(self, names: str) -> dict[float, float]:
        """Energies by price of finished trainings; those of other seeds say where a search begins."""
        runs = (json.loads(path.read_text()) for path in sorted(self.folder.glob(f"{names}-*.json")))
        return {float(run["name"].rpartition("-")[2]): run["energy_validation"] for run in runs}

    def rounded(self, share: float, bits: int) -> dict[str, Any]:
        """A float student held to the budget, rounded afterwards to fewer bits."""
        full = self.loop(share)
        size = {"width": full["width"], "timesteps": full["timesteps"]}
        return self.task(f"rounded{bits}", share, str(share), energy_budget=full["budget"], integer_from=1.0, **size)


def tag_of(size: dict[str, int]) -> str:
    """A size in the name of a training."""
    return f"w{size['width']}-t{size['timesteps']}"


def next_price(tried: dict[float, float], energy: float) -> float:
    """A price at which spikes should cost ``energy``, from the energies that others gave; rounded, to be a name."""
    if not tried:
        return FIRST_PRICE
    points = sorted((math.log(price), math.log(cost)) for price, cost in tried.items())
    wanted = math.log(energy)
    if len(points) == 1 or not min(c for _, c in points) <= wanted <= max(c for _, c in points):
        (price, cost) = min(points) if wanted > points[0][1] else max(points)
        return float(f"{math.exp(price + 2.0 * math.copysign(1.0, cost - wanted)):.2g}")
    costs, prices = zip(*sorted((cost, price) for price, cost in points), strict=True)
    return float(f"{math.exp(float(np.interp(wanted, costs, prices))):.3g}")


def trained(task: Task, dataset: Dataset, folder: Path) -> dict[str, Any]:
    """Train, deploy, measure; what is in the folder already is read."""
    path = folder / f"{task.name}.json"
    if path.exists():
        known: dict[str, Any] = json.loads(path.read_text())
        return known
    began = time.perf_counter()
    checkpoint = folder / f"{task.name}.checkpoint"
    result = distill_with(task.settings, checkpoint, resume=checkpoint.exists(), listeners=listeners())
    bits = int(task.way[7:]) if task.way.startswith("rounded") and task.way != "rounded" else None
    facts = deployed(result.student, task.settings, dataset, bits)
    facts |= {"name": task.name, "way": task.way, "share": task.share, "seconds": time.perf_counter() - began}
    facts |= {"epochs": len(result.history), "budget": task.settings.limits.energy_budget}
    with atomic_write(path) as temporary:
        Path(temporary).write_text(json.dumps(facts, indent=1))
    checkpoint.unlink(missing_ok=True)
    return facts


def deployed(student: Student, settings: DistillSettings, dataset: Dataset, bits: int | None = None) -> dict[str, Any]:
    """What the chip network spends and gets right, and whether it is the student; rounded to ``bits`` where given."""
    profile = load_profile(settings.limits.profile)
    chip = lower(to_nir(student), profile, weight_bits=bits)
    placement = place(chip, profile)
    facts: dict[str, Any] = {"width": student.config.width, "timesteps": student.config.timesteps}
    for name in ("validation", "test"):
        activity = simulate(chip, getattr(dataset, name), split=name, seed=settings.training.seed)
        report = estimate(activity, placement, profile)
        facts |= {f"energy_{name}": report.total, f"accuracy_{name}": activity.accuracy}
        facts |= {"floor": report.floor, "synaptic_ops": report.synaptic_ops}
    facts["accuracy_student_test"] = accuracy_of(student, dataset.test, settings.training.seed)
    if student.grid is not None:
        facts["mismatches"] = sum(
            d.count
            for first in range(0, len(dataset.test), BATCH)
            for d in differences(
                student,
                chip,
                torch.from_numpy(dataset.test.samples[first : first + BATCH]),
                settings.training.seed,
                first,
            )
        )
    return facts


def main(
    out: Annotated[Path, typer.Option(help="folder of finished trainings")] = Path("build/closed_loop"),
    profile: Annotated[list[str] | None, typer.Option(help="repeatable")] = None,
    data: Annotated[str, typer.Option(help="data set")] = "fashion-mnist",
    seeds: Annotated[int, typer.Option(help="0, 1, ...")] = 3,
    others: Annotated[int, typer.Option(help="seeds for which the other ways are trained at the loop's size")] = 3,
    own_size: Annotated[int, typer.Option(help="seeds for which they are trained at the base student's size")] = 1,
    bits: Annotated[list[int] | None, typer.Option(help="fewer bits of weights; repeatable")] = None,
    width: Annotated[int, typer.Option(help="of the student without a budget")] = 16,
    epochs: Annotated[int, typer.Option(help="of every training")] = 6,
    part: Annotated[str, typer.Option(help="share of the trainings that this process does, such as 1/2")] = "1/1",
    table_only: Annotated[bool, typer.Option("--table", help="print what is there and train nothing")] = False,
) -> None:
    """Train what is missing and print the tables."""
    out.mkdir(parents=True, exist_ok=True)
    profiles = profile or ["loihi2-assumed", "loihi1-davies"]
    index, count = (int(number) for number in part.split("/"))
    if not table_only:
        dataset = load(data)
        tasks = [base_of(name, seed, width, epochs, data) for seed in range(seeds) for name in profiles]
        mine = tasks[index - 1 :: count]
        lanes = [Lane(base, trained(base, dataset, out), dataset, out) for base in mine]
        for lane in lanes:
            for share in SHARES:
                lane.loop(share)
        for lane in lanes:
            seed = lane.base.settings.training.seed
            compare_in(lane, seed < others, seed < own_size, bits or [])
    found = [json.loads(path.read_text()) for path in sorted(out.glob("*.json"))]
    for name in profiles:
        print("\n".join([*loop_table(name, found), *other_table(name, found), exactness(name, found)]))


def compare_in(lane: Lane, others: bool, own_size: bool, bits: list[int]) -> None:
    """Train what the loop's students of one profile and seed are compared with."""
    for share in COMPARED:
        if others:
            lane.others(share)
        for fewer in bits:
            lane.loop(share, fewer)
            lane.rounded(share, fewer)
    for share in SHARES if own_size else ():
        lane.others_of_own_size(share)


if __name__ == "__main__":
    typer.run(main)
