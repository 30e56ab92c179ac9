"""The budget controller's numbers, step by step."""

from __future__ import annotations

import math

import pytest
import torch

from spikewright.training.budget import BudgetController, BudgetSettings

PLAIN = BudgetSettings(
    warm_up=0.2, anneal_until=0.6, margin=0.9, dual_gain=30.0, damping=4.0, smoothing=0.75, max_multiplier=5.0,
    correction_gain=0.5, max_correction=2.0,
)  # fmt: skip


def controller(settings: BudgetSettings = PLAIN, steps: int = 10) -> BudgetController:
    """A budget of 11 above a floor of 1; the goal is 0.9 x 11 - 1 = 8.9."""
    return BudgetController(11.0, 1.0, steps, 2.0, settings)


def test_before_the_first_step() -> None:
    made = controller()
    assert (made.step, made.multiplier, made.correction, made.weight) == (0, 0.0, 1.0, 1.0)
    assert made.goal == pytest.approx(8.9)
    assert made.target == pytest.approx(9.9), "with nothing measured the goal"
    assert (made.constrains, made.holds, made.admits(1.0)) == (False, False, False)
    assert float(made.penalty(torch.tensor(100.0))) == 0.0


def test_warm_up_and_annealing_end_at_their_steps() -> None:
    made = controller()
    found = []
    for made.step in range(10):
        found.append((made.constrains, made.holds))
    assert found == [(False, False)] * 2 + [(True, False)] * 4 + [(True, True)] * 4
    made.step = 6
    assert (made.admits(11.0), made.admits(11.01)) == (True, False)
    made.step = 5
    assert not made.admits(1.0)


def test_the_multiplier_follows_the_smoothed_excess() -> None:
    made = controller()
    made.update(41.0, 1.0)
    assert (made.smoothed, made.step, made.multiplier) == (40.0, 1, 0.0)
    made.update(21.0, 1.0)
    assert made.smoothed == pytest.approx(0.75 * 40 + 0.25 * 20)
    assert math.isnan(made.start), "the warm-up is not over"
    made.update(36.0, 1.0)
    assert made.start == made.smoothed == pytest.approx(35.0)
    assert made.multiplier == pytest.approx(0.0, abs=1e-9), "the target begins where the network is"
    assert (made.step, made.target) == (3, pytest.approx(1 + 35 ** (3 / 4) * 8.9 ** (1 / 4)))
    made.update(36.0, 1.0)
    violation = math.log(35 / (35 ** (3 / 4) * 8.9 ** (1 / 4)))
    assert made.multiplier == pytest.approx(30 / 10 * violation)
    made.step = 6
    assert made.target == pytest.approx(9.9)
    for _ in range(9):
        made.update(1e6, 1.0)
    assert made.multiplier == 5.0, "its ceiling"
    for _ in range(120):
        made.update(1.0, 1.0)
    assert made.multiplier == 0.0, "its ground"
    assert made.smoothed == pytest.approx(8.9e-3, rel=1e-2), "a thousandth of the goal is the least that is seen"


def test_a_start_below_the_goal_is_not_raised_to_it() -> None:
    made = controller()
    for _ in range(3):
        made.update(5.0, 1.0)
    assert (made.start, made.target) == (4.0, pytest.approx(9.9))


def test_the_penalty_is_that_of_an_augmented_lagrangian() -> None:
    made = controller()
    made.step, made.multiplier = 6, 1.5
    for cost in (30.0, 9.9, 5.0, 0.5):
        violation = math.log(max(cost - 1, 8.9e-3) / 8.9)
        expected = (max(0.0, 1.5 + 4 * violation) ** 2 - 1.5**2) / 8
        assert float(made.penalty(torch.tensor(cost, dtype=torch.float64))) == pytest.approx(expected, abs=1e-12)
    made.task = 5.0
    violation = math.log(29 / 8.9)
    assert made.weight == 2.5, "in guesses"
    assert float(made.penalty(torch.tensor(30.0))) == pytest.approx(2.5 * ((1.5 + 4 * violation) ** 2 - 2.25) / 8)
    for light in (2.0, 1.0, -3.0):
        made.task = light
        assert made.weight == 1.0


def test_a_correction_stays_within_its_factor() -> None:
    made = controller()
    made.step, made.multiplier = 6, 1.0
    made.correct(1 + 4 * 8.9)
    assert made.correction == pytest.approx(0.5), "(1 / 4) ** 0.5"
    assert made.goal == pytest.approx(0.5 * 8.9)
    made.correct(1 + 4 * 8.9)
    assert made.correction == 0.5, "no less than 1 / 2"
    made.correct(1 + 8.9 / 4)
    assert made.correction == pytest.approx(1.0), "2 x 0.5; the aim itself is not corrected twice"
    for _ in range(3):
        made.correct(1 + 8.9 / 4)
    assert made.correction == 2.0


@pytest.mark.parametrize(
    ("step", "multiplier", "measured", "corrects"),
    [
        (5, 1.0, 5.0, False),
        (6, 1.0, 5.0, True),
        (6, 1.0, 1.0, False),
        (6, 0.0, 5.0, False),
        (6, 0.0, 11.0, True),
        (6, 0.0, 20.0, True),
    ],
)
def test_what_is_corrected(step: int, multiplier: float, measured: float, corrects: bool) -> None:
    """Once the target holds, above the floor, and where the budget binds or is exceeded."""
    made = controller()
    made.step, made.multiplier = step, multiplier
    made.correct(measured)
    assert (made.correction != 1.0) == corrects


def test_a_budget_is_above_its_floor() -> None:
    for budget in (1.0, 0.5):
        with pytest.raises(ValueError, match="the budget is below the floor; refuse it before training"):
            BudgetController(budget, 1.0, 10, 2.0)
    made = controller()
    for floor in (11.0, 12.0):
        with pytest.raises(ValueError, match="the budget is below the floor"):
            made.move_floor(floor)
        assert made.floor == 1.0
    made.move_floor(10.9)
    assert (made.floor, made.goal) == (10.9, pytest.approx(0.05)), "half of what is left, where the margin takes all"


def test_a_controller_says_its_settings_and_goes_on_from_its_state() -> None:
    made = controller()
    for cost in (41.0, 21.0, 36.0, 50.0):
        made.update(cost, 3.0)
    made.move_floor(2.0)
    made.correction = 1.25
    again = controller()
    again.restore(made.state())
    assert again.state() == made.state()
    assert made.state() == {
        "step": 4, "multiplier": made.multiplier, "smoothed": made.smoothed, "task": 3.0, "start": 35.0, "floor": 2.0,
        "correction": 1.25,
    }  # fmt: skip
    assert made.describe() == {
        "budget": 11.0, "guess": 2.0, "warm_up": 0.2, "anneal_until": 0.6, "margin": 0.9, "dual_gain": 30.0,
        "damping": 4.0, "smoothing": 0.75, "max_multiplier": 5.0, "correction_gain": 0.5, "max_correction": 2.0,
    }  # fmt: skip


def test_the_settings_that_trainings_have_had() -> None:
    """Trainings of before go on to the same end with these alone."""
    assert BudgetController(11.0, 1.0, 10, 2.0).settings == BudgetSettings(0.05, 0.4, 0.98, 50, 10, 0.95, 20, 0.7, 2)
