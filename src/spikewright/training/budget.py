"""Holding a network to an energy budget while it trains.

Constrained optimisation instead of a penalty weight: ``min task loss  s.t.  log(E - floor) <= log(budget - floor)``.
The floor (idle updates, and input events that the data fixes) cannot be trained away, so only what lies above it is
constrained; its logarithm makes the multiplier independent of the unit and of the size of the network. The settings
suit a cross-entropy; a task loss that is worth more than the cross-entropy of a guess is priced by as much more, or it
would outweigh any multiplier.

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
        margin: aim at this share of the budget; just above the floor, half-way between floor and budget.
        dual_gain: what a violation of 1 (on the log scale) adds to the multiplier over a whole training; a gain per
            training, not per step, makes short and long trainings behave alike.
        damping: rho of the augmented term.
        smoothing: of the energy that the multiplier follows, and of the task loss.
        max_multiplier: ceiling of the multiplier.
        correction_gain: share of a deviation on validation (on the log scale) that the next epoch's aim takes back.
        max_correction: of the aim above the floor, in either direction.
    """

    warm_up: float = 0.05
    anneal_until: float = 0.4
    margin: float = 0.98
    dual_gain: float = 50.0
    damping: float = 10.0
    smoothing: float = 0.95
    max_multiplier: float = 20.0
    correction_gain: float = 0.7
    max_correction: float = 2.0


class BudgetController:
    """An augmented-Lagrangian controller with an annealed target.

    Per step, with ``g = log((E - floor) / (target - floor))`` and ``w = max(1, mean(task loss) / ln K)``, the loss
    gains ``w (relu(mu + rho g)^2 - mu^2) / (2 rho)``, and then
    ``mu <- clip(mu + (gain / total steps) mean(g), 0, max)``.
    """

    def __init__(
        self, budget: float, floor: float, total_steps: int, classes: int, settings: BudgetSettings | None = None
    ) -> None:
        """Make a controller for ``total_steps`` optimiser steps.

        Args:
            budget: per inference, in the profile's unit.
            floor: per inference, in the same unit.
            classes: K, among which a guess has a cross-entropy of ln K.
        """
        self.settings = settings or BudgetSettings()
        self.budget, self.floor, self.total_steps = budget, floor, total_steps
        if budget <= floor:
            raise ValueError("the budget is below the floor; refuse it before training")
        self.guess = math.log(classes)
        self.step = 0
        self.correction = 1.0
        self.multiplier = 0.0
        self.smoothed = math.nan
        self.task = math.nan
        self.start = math.nan

    @property
    def goal(self) -> float:
        """What training aims at above the floor, corrected for what validation showed."""
        return self.correction * max(self.settings.margin * self.budget - self.floor, 0.5 * (self.budget - self.floor))

    def move_floor(self, floor: float) -> None:
        """Take the floor of the network after its structure changed."""
        if self.budget <= floor:
            raise ValueError("the budget is below the floor; refuse it before training")
        self.floor = floor

    def correct(self, measured: float) -> None:
        """Aim higher or lower by what ``measured``, on validation data, shows of what training calls the target.

        Training batches and validation data cost differently (augmentation, chance, the multiplier's lag); the
        correction closes that loop, once in an epoch, while the target is the budget.
        """
        if not self.holds or measured <= self.floor or (self.multiplier == 0 and measured < self.budget):
            return
        wanted = self.goal / self.correction
        moved = self.correction * (wanted / (measured - self.floor)) ** self.settings.correction_gain
        self.correction = min(max(moved, 1 / self.settings.max_correction), self.settings.max_correction)

    @property
    def constrains(self) -> bool:
        """Whether the warm-up is over."""
        return self.step >= self.settings.warm_up * self.total_steps

    @property
    def holds(self) -> bool:
        """Whether the target has reached the budget, so that what is measured now may be kept."""
        return self.step >= self.settings.anneal_until * self.total_steps

    def admits(self, cost: float) -> bool:
        """Whether weights of this measured cost may be kept."""
        return self.holds and cost <= self.budget

    @property
    def target(self) -> float:
        """The energy aimed at now, floor included."""
        return self.floor + self._target_above_floor()

    @property
    def weight(self) -> float:
        """What the task loss is worth in cross-entropies of a guess, at least 1."""
        return 1.0 if math.isnan(self.task) else max(1.0, self.task / self.guess)

    def penalty(self, cost: Tensor) -> Tensor:
        """The term that this step adds to the loss."""
        if not self.constrains:
            return cost.new_zeros(())
        violation = self._violation(cost)
        rho, mu = self.settings.damping, self.multiplier
        return self.weight * (torch.relu(mu + rho * violation).square() - mu**2) / (2 * rho)

    def update(self, cost: float, task: float) -> None:
        """Move the multiplier by the measured cost and the task loss of one step."""
        self.smoothed = self._smooth(self.smoothed, max(cost - self.floor, 1e-3 * self.goal))
        self.task = self._smooth(self.task, task)
        if self.constrains:
            if math.isnan(self.start):
                self.start = self.smoothed
            violation = math.log(self.smoothed / self._target_above_floor())
            moved = self.multiplier + self.settings.dual_gain / self.total_steps * violation
            self.multiplier = min(max(moved, 0.0), self.settings.max_multiplier)
        self.step += 1

    def state(self) -> dict[str, float | int]:
        """What a resumed training needs to go on exactly."""
        return {
            "step": self.step,
            "multiplier": self.multiplier,
            "smoothed": self.smoothed,
            "task": self.task,
            "start": self.start,
            "floor": self.floor,
            "correction": self.correction,
        }

    def restore(self, state: dict[str, float | int]) -> None:
        """Take up a saved state."""
        self.step = int(state["step"])
        self.multiplier, self.smoothed, self.start = (float(state[k]) for k in ("multiplier", "smoothed", "start"))
        self.floor, self.correction, self.task = (float(state[k]) for k in ("floor", "correction", "task"))

    def describe(self) -> dict[str, object]:
        """Facts for the provenance."""
        return {"budget": self.budget, "guess": self.guess, **asdict(self.settings)}

    def _smooth(self, so_far: float, now: float) -> float:
        keep = self.settings.smoothing
        return now if math.isnan(so_far) else keep * so_far + (1 - keep) * now

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
