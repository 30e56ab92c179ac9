"""Holding a network to an energy budget while it trains.

Constrained optimisation instead of a penalty weight: ``min task loss  s.t.  log(E - floor) <= log(budget - floor)``.
The floor (idle updates, and input events that the data fixes) cannot be trained away, so only what lies above it is
constrained; its logarithm makes the multiplier independent of the unit and of the size of the network.

Plain dual ascent silences the network: while the constraint is far from met the multiplier winds up, and by the time
the energy is down nothing is left that spikes. Three things prevent that here: the target is annealed from the level
that the unconstrained network reached, so the violation is always small; the multiplier follows a smoothed energy; and
the augmented term gives way at once when the energy falls below the target.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class BudgetSettings:
    """How the controller moves; the defaults were chosen on the digits and Fashion-MNIST validation splits.

    Attributes:
        warm_up: share of training without constraint.
        anneal_until: share of training at which the target has come down to the budget.
        margin: aim at this share of the budget, for what rounding to integers will add; just above the floor, half-way
            between floor and budget.
        dual_gain: what a violation of 1 (on the log scale) adds to the multiplier over a whole training; a gain per
            training, not per step, makes short and long trainings behave alike.
        damping: rho of the augmented term.
        smoothing: of the energy that the multiplier follows.
        max_multiplier: ceiling of the multiplier.
    """

    warm_up: float = 0.25
    anneal_until: float = 0.6
    margin: float = 0.95
    dual_gain: float = 50.0
    damping: float = 10.0
    smoothing: float = 0.95
    max_multiplier: float = 20.0


class BudgetController:
    """An augmented-Lagrangian controller with an annealed target.

    Per step, with ``g = log((E - floor) / (target - floor))``, the loss gains
    ``(relu(mu + rho g)^2 - mu^2) / (2 rho)`` and then ``mu <- clip(mu + (gain / total steps) mean(g), 0, max)``.
    """

    def __init__(self, budget: float, floor: float, total_steps: int, settings: BudgetSettings | None = None) -> None:
        """Make a controller for ``total_steps`` optimiser steps.

        Args:
            budget: per inference, in the profile's unit.
            floor: per inference, in the same unit.
        """
        self.settings = settings or BudgetSettings()
        self.budget, self.floor, self.total_steps = budget, floor, total_steps
        if budget <= floor:
            raise ValueError("the budget is below the floor; refuse it before training")
        self.goal = max(self.settings.margin * budget - floor, 0.5 * (budget - floor))
        self.step = 0
        self.multiplier = 0.0
        self.smoothed = math.nan
        self.start = math.nan

    @property
    def constrains(self) -> bool:
        """Whether the warm-up is over."""
        return self.step >= self.settings.warm_up * self.total_steps

    @property
    def holds(self) -> bool:
        """Whether the target has reached the budget, so that what is measured now may be kept."""
        return self.step >= self.settings.anneal_until * self.total_steps

    def admits(self, cost: float) -> bool:
        """Whether weights of this measured cost may be kept: half of the margin is left for rounding to integers."""
        return self.holds and cost <= 0.5 * (self.floor + self.goal + self.budget)

    @property
    def target(self) -> float:
        """The energy aimed at now, floor included."""
        return self.floor + self._target_above_floor()

    def penalty(self, cost: Tensor) -> Tensor:
        """The term that this step adds to the loss."""
        if not self.constrains:
            return cost.new_zeros(())
        violation = self._violation(cost)
        rho, mu = self.settings.damping, self.multiplier
        return (torch.relu(mu + rho * violation).square() - mu**2) / (2 * rho)

    def update(self, cost: float) -> None:
        """Take note of a step's measured cost and move the multiplier."""
        above = max(cost - self.floor, 1e-3 * self.goal)
        keep = self.settings.smoothing
        self.smoothed = above if math.isnan(self.smoothed) else keep * self.smoothed + (1 - keep) * above
        if self.constrains:
            if math.isnan(self.start):
                self.start = self.smoothed
            violation = math.log(self.smoothed / self._target_above_floor())
            moved = self.multiplier + self.settings.dual_gain / self.total_steps * violation
            self.multiplier = min(max(moved, 0.0), self.settings.max_multiplier)
        self.step += 1

    def state(self) -> dict[str, float | int]:
        """What a resumed training needs to go on exactly."""
        return {"step": self.step, "multiplier": self.multiplier, "smoothed": self.smoothed, "start": self.start}

    def restore(self, state: dict[str, float | int]) -> None:
        """Take up a saved state."""
        self.step = int(state["step"])
        self.multiplier, self.smoothed, self.start = (float(state[k]) for k in ("multiplier", "smoothed", "start"))

    def describe(self) -> dict[str, object]:
        """Facts for the provenance."""
        return {"budget": self.budget, "floor": self.floor, **asdict(self.settings)}

    def _violation(self, cost: Tensor) -> Tensor:
        above = (cost - self.floor).clamp_min(1e-3 * self.goal)
        return torch.log(above / self._target_above_floor())

    def _target_above_floor(self) -> float:
        start = self.start if not math.isnan(self.start) else self.smoothed
        if self.holds or math.isnan(start) or start <= self.goal:
            return self.goal
        first, last = self.settings.warm_up, self.settings.anneal_until
        done = (self.step / self.total_steps - first) / (last - first)
        return math.exp((1 - done) * math.log(start) + done * math.log(self.goal))
