"""The budget controller on systems small enough to reason about."""

import math

import pytest
import torch

from spikewright.training.budget import BudgetController, BudgetSettings

GUESS = math.log(10)
"""The cross-entropy of a guess among ten classes."""


def descend(controller, steps, weight=1.0, rate=0.15, left=0.0):
    """A one-parameter "network": cost = floor + exp(x); the task wants x large, with diminishing returns.

    ``weight`` multiplies the task loss, of which ``left`` cannot be learned; a step is as long for every weight, as an
    optimiser's is that divides by the size of gradients.
    """
    x = torch.tensor(3.0, requires_grad=True)
    costs = []
    for _ in range(steps):
        cost = controller.floor + x.exp()
        task = weight * (left + torch.exp(-x))
        (gradient,) = torch.autograd.grad(task + controller.penalty(cost), x)
        with torch.no_grad():
            x -= rate / weight * gradient
        controller.update(float(cost.detach()), float(task.detach()))
        costs.append(float(cost.detach()))
    return costs


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e3])
@pytest.mark.parametrize("budget", [3.0, 6.0, 12.0])
def test_the_budget_binds_and_is_held_whatever_the_unit(budget, unit):
    settings = BudgetSettings()
    controller = BudgetController(budget, 1.0, 600, GUESS, settings)
    scaled = BudgetController(budget * unit, 1.0 * unit, 600, GUESS, settings)
    costs = descend(controller, 600)
    for cost in costs:
        scaled.update(cost * unit, 1.0)
    assert costs[-1] == pytest.approx(settings.margin * budget, rel=0.05)
    assert scaled.multiplier == pytest.approx(controller.multiplier, rel=1e-6)


def test_it_does_not_collapse_to_silence():
    """Never far below the goal on the way: plain dual ascent overshoots to (almost) no spikes."""
    controller = BudgetController(3.0, 1.0, 600, GUESS)
    costs = descend(controller, 600)
    goal = controller.goal
    assert min(c - 1.0 for c in costs) > 0.7 * goal


def test_a_loose_budget_changes_nothing():
    controller = BudgetController(1e6, 1.0, 200, GUESS)
    descend(controller, 200)
    assert controller.multiplier == 0.0
    assert float(controller.penalty(torch.tensor(5.0))) == 0.0


def test_no_penalty_during_warm_up_and_a_falling_target_after_it():
    controller = BudgetController(3.0, 1.0, 100, GUESS, BudgetSettings(warm_up=0.2, anneal_until=0.8))
    targets = []
    for step in range(100):
        if step < 20:
            assert float(controller.penalty(torch.tensor(50.0))) == 0.0
        controller.update(50.0, 1.0)
        if step >= 20:
            targets.append(controller.target)
    assert targets == sorted(targets, reverse=True)
    assert targets[-1] == pytest.approx(BudgetSettings().margin * 3.0)
    # Half-way through the annealing the target is the geometric mean of start and goal, above the floor.
    assert controller.start == pytest.approx(49.0)
    middle = BudgetController(3.0, 1.0, 100, GUESS, BudgetSettings(warm_up=0.2, anneal_until=0.8))
    for _ in range(50):
        middle.update(50.0, 1.0)
    assert middle.target - 1.0 == pytest.approx(math.sqrt(49.0 * middle.goal))


def test_state_goes_on_exactly():
    whole, first = BudgetController(3.0, 1.0, 50, GUESS), BudgetController(3.0, 1.0, 50, GUESS)
    costs = [9.0 - 0.1 * i for i in range(50)]
    for cost in costs:
        whole.update(cost, 2.0 * cost)
    for cost in costs[:23]:
        first.update(cost, 2.0 * cost)
    second = BudgetController(3.0, 1.0, 50, GUESS)
    second.restore(first.state())
    for cost in costs[23:]:
        second.update(cost, 2.0 * cost)
    assert second.state() == whole.state()


def test_penalty_by_hand():
    controller = BudgetController(3.0, 1.0, 10, GUESS, BudgetSettings(warm_up=0.0, anneal_until=0.0, damping=2.0))
    controller.multiplier = 0.5
    violation = math.log((5.0 - 1.0) / (0.98 * 3.0 - 1.0))
    expected = ((0.5 + 2.0 * violation) ** 2 - 0.25) / 4.0
    assert float(controller.penalty(torch.tensor(5.0))) == pytest.approx(expected, rel=1e-6)


def test_a_heavy_task_loss_is_priced_as_it_weighs_by_hand():
    def penalty_after(losses):
        settings = BudgetSettings(warm_up=0.0, anneal_until=0.0, damping=2.0, smoothing=0.75)
        controller = BudgetController(3.0, 1.0, 10, GUESS, settings)
        for loss in losses:
            controller.update(3.0, loss)
        controller.multiplier = 0.5
        return float(controller.penalty(torch.tensor(5.0)))

    light = penalty_after([2.0, 2.3])
    assert light == penalty_after([0.1]) == penalty_after([-4.0]), "up to ln 10 = 2.303 it is as of a cross-entropy"
    smoothed = 0.75 * 40.0 + 0.25 * 20.0
    assert penalty_after([40.0, 20.0]) == pytest.approx(smoothed / math.log(10) * light, rel=1e-6)


def test_the_budget_binds_a_task_loss_of_any_weight_alike():
    """All gradients grow with the weight; without the price of a heavy loss the multiplier would reach its ceiling."""
    plain, heavy = (BudgetController(3.0, 1.0, 600, GUESS) for _ in range(2))
    costs = descend(plain, 600, left=GUESS)
    assert descend(heavy, 600, weight=1e4, left=GUESS) == pytest.approx(costs, rel=1e-5)
    assert 0 < heavy.multiplier == pytest.approx(plain.multiplier, rel=1e-4)


def test_just_above_the_floor_the_goal_is_half_way():
    assert BudgetController(1.02, 1.0, 10, GUESS).goal == pytest.approx(0.01)


def test_weights_are_admitted_within_the_budget_once_the_target_has_come_down():
    controller = BudgetController(3.0, 1.0, 10, GUESS)
    assert not controller.admits(2.0)
    controller.step = 10
    assert controller.admits(3.0)
    assert not controller.admits(3.0001)


def test_what_validation_shows_moves_the_aim():
    controller = BudgetController(3.0, 1.0, 10, GUESS)
    controller.correct(3.6)
    assert controller.correction == 1.0, "the target has not come down yet"
    controller.step, controller.multiplier = 10, 2.0
    goal = controller.goal
    controller.correct(1.0 + 1.2 * goal)
    assert controller.goal == pytest.approx(goal * (1 / 1.2) ** controller.settings.correction_gain)
    for _ in range(20):
        controller.correct(1.0 + 1.2 * controller.goal)  # validation always costs a fifth more than training says
    assert 1.2 * controller.goal == pytest.approx(goal, rel=1e-3)
    for _ in range(50):
        controller.correct(1.1)
    assert controller.correction == controller.settings.max_correction


def test_a_budget_that_does_not_bind_is_not_aimed_at():
    controller = BudgetController(3.0, 1.0, 10, GUESS)
    controller.step = 10
    controller.correct(2.0)
    assert controller.correction == 1.0


def test_a_floor_that_moves_moves_the_goal():
    controller = BudgetController(3.0, 1.0, 10, GUESS)
    controller.move_floor(0.5)
    assert controller.goal == pytest.approx(0.98 * 3.0 - 0.5)
    with pytest.raises(ValueError, match="below the floor"):
        controller.move_floor(3.0)
