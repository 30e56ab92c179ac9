"""Constrained training: the controller that keeps a network within an energy budget, or another limit.

The problem is ``min task loss  s.t.  log(E - floor) <= log(budget - floor)``, without a penalty weight to choose. The
energy floor (inactive updates, and input events that the data fix) does not depend on the weights, so only the energy
above it is constrained; its logarithm makes the multiplier independent of the unit and of the size of the network. The
settings suit a cross-entropy, and the squared error of standardised values; if the task loss is larger than that of a
guess, the penalty is scaled up by the same ratio, since it would otherwise outweigh any multiplier.

Plain dual ascent silences the network: the multiplier grows while the constraint is far from met, and when the energy
has come down no neuron spikes any more. Three measures prevent this: the target is annealed from the energy that the
unconstrained network reached, so that the violation stays small; the multiplier follows a smoothed energy; and the
augmented term falls at once when the energy falls below the target.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

STATE = ("step", "multiplier", "smoothed", "task", "start", "floor", "correction")
"""What changes in a controller while it trains."""


@dataclass(frozen=True)
class BudgetSettings:
    """Settings of the controller; the defaults were chosen on the digits and Fashion-MNIST validation splits.

    Attributes:
        warm_up: fraction of the training without constraint.
        anneal_until: fraction of the training after which the target equals the budget.
        margin: the target as a fraction of the budget; close to the floor it is half-way between floor and budget.
        dual_gain: what a violation of 1 (on the log scale) adds to the multiplier over a whole training; a gain per
            training, not per step, makes short and long trainings behave alike.
        damping: rho of the augmented term.
        smoothing: decay factor of the running means of energy and task loss.
        max_multiplier: upper bound of the multiplier.
        correction_gain: fraction of a deviation on validation (on the log scale) that the next epoch corrects.
        max_correction: largest factor, in either direction, by which the target above the floor is corrected.
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

    Per step, with ``g = log((E - floor) / (target - floor))`` and ``w = max(1, mean(task loss) / guess)``, the loss
    gains ``w (relu(mu + rho g)^2 - mu^2) / (2 rho)``, and then
    ``mu <- clip(mu + (gain / total steps) mean(g), 0, max)``.
    """

    def __init__(
        self, budget: float, floor: float, total_steps: int, guess: float, settings: BudgetSettings | None = None
    ) -> None:
        """Make a controller for ``total_steps`` optimiser steps.

        Args:
            budget: per inference, in the profile's unit.
            floor: per inference, in the same unit.
            guess: the task loss of an answer that knows nothing, for K classes ln K.
        """
        self.settings = settings or BudgetSettings()
        self.budget, self.floor, self.total_steps = budget, floor, total_steps
        if budget <= floor:
            raise ValueError("the budget is below the floor; refuse it before training")
        self.guess = guess
        self.step = 0
        self.correction = 1.0
        self.multiplier = 0.0
        self.smoothed = math.nan
        self.task = math.nan
        self.start = math.nan

    @property
    def goal(self) -> float:
        """The final target above the floor, corrected by what validation showed."""
        return self.correction * max(self.settings.margin * self.budget - self.floor, 0.5 * (self.budget - self.floor))

    def move_floor(self, floor: float) -> None:
        """Set the floor, after the network's structure changed."""
        if self.budget <= floor:
            raise ValueError("the budget is below the floor; refuse it before training")
        self.floor = floor

    def correct(self, measured: float) -> None:
        """Raise or lower the target by how far ``measured``, the energy on validation data, is from it.

        The energy of training batches and of validation data differs (augmentation, chance, the multiplier's lag). The
        correction is made once in an epoch, while the target is the budget.
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
        """Whether the target has reached the budget, so that weights measured now may be saved."""
        return self.step >= self.settings.anneal_until * self.total_steps

    def admits(self, cost: float) -> bool:
        """Whether weights of this measured cost may be saved."""
        return self.holds and cost <= self.budget

    @property
    def target(self) -> float:
        """The present target, floor included."""
        return self.floor + self._target_above_floor()

    @property
    def weight(self) -> float:
        """The task loss in multiples of the cross-entropy of a guess, at least 1."""
        return 1.0 if math.isnan(self.task) else max(1.0, self.task / self.guess)

    def penalty(self, cost: Tensor) -> Tensor:
        """The term that this step adds to the loss."""
        if not self.constrains:
            return cost.new_zeros(())
        violation = torch.log((cost - self.floor).clamp_min(1e-3 * self.goal) / self._target_above_floor())
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
        """The values that :meth:`restore` needs to continue exactly."""
        return {name: getattr(self, name) for name in STATE}

    def restore(self, state: Mapping[str, float | int]) -> None:
        """Continue from the values of :meth:`state`."""
        for name in STATE:
            setattr(self, name, state[name])

    def describe(self) -> dict[str, object]:
        """The settings of the controller, JSON-able, for the provenance."""
        return {"budget": self.budget, "guess": self.guess, **asdict(self.settings)}

    def _smooth(self, so_far: float, now: float) -> float:
        keep = self.settings.smoothing
        return now if math.isnan(so_far) else keep * so_far + (1 - keep) * now

    def _target_above_floor(self) -> float:
        start = self.start if not math.isnan(self.start) else self.smoothed
        if self.holds or math.isnan(start) or start <= self.goal:
            return self.goal
        first, last = self.settings.warm_up, self.settings.anneal_until
        done = (self.step / self.total_steps - first) / (last - first)
        return math.exp((1 - done) * math.log(start) + done * math.log(self.goal))
