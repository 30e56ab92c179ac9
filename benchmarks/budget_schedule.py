"""When a budget should begin to bind: the same trainings with the target reached early and late.

    python benchmarks/budget_schedule.py [--seeds 3]

Sizes are given, so that every schedule squeezes the same network. Validation accuracy of the integer network on the
digits, mean and standard deviation over the seeds.
"""

from __future__ import annotations

import statistics
from typing import Annotated

import typer

from spikewright.training import limits
from spikewright.training.budget import BudgetController, BudgetSettings
from spikewright.training.distill import distill_with
from spikewright.training.settings import DistillSettings

SCHEDULES = {"late": (0.25, 0.6), "middle": (0.05, 0.4), "early": (0.02, 0.2)}
"""Shares of training at which the constraint begins and at which the target is the budget."""
CASES = (("600nJ", 24, 4), ("1uJ", 24, 4), ("300nJ", 16, 2))
"""Budget on loihi2-assumed, width and T."""


def use(schedule: tuple[float, float]) -> None:
    """Let every controller from now on follow ``schedule``, which is no flag: one schedule serves all budgets."""
    settings = BudgetSettings(warm_up=schedule[0], anneal_until=schedule[1])

    def controller(limit: float, floor: float, steps: int, guess: float) -> BudgetController:
        return BudgetController(limit, floor, steps, guess, settings)

    limits.BudgetController = controller  # type: ignore[misc,assignment]


def accuracy(settings: DistillSettings) -> float:
    """Of the certified network, on validation data, in percent."""
    certificate = distill_with(settings).provenance["certificate"]
    assert isinstance(certificate, dict)
    return 100 * float(certificate["accuracy"])


def main(seeds: Annotated[int, typer.Option(min=1, help="0, 1, ...")] = 3) -> None:
    """Print one row for each budget."""
    heads = [f"{name}, {first:g} to {last:g}" for name, (first, last) in SCHEDULES.items()]
    print(f"| budget | width, T | {' | '.join(heads)} |\n| --- | --- |{' --- |' * len(heads)}")
    for budget, width, timesteps in CASES:
        cells = []
        for schedule in SCHEDULES.values():
            use(schedule)
            base = DistillSettings.of(data="digits", energy_budget=budget, width=width, timesteps=timesteps)
            found = [accuracy(base.changed({"seed": seed})) for seed in range(seeds)]
            spread = f" ± {statistics.stdev(found):.1f}" if seeds > 1 else ""
            cells.append(f"{statistics.mean(found):.1f}{spread} %")
        print(f"| {budget} | {width}, {timesteps} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    typer.run(main)
