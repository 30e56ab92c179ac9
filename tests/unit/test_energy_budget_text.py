"""Budgets in words: units are required, and every refusal is one sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.profile.profile import load_profile
from spikewright.profile.units import UNITS, Amount, parse_budget, quantity


@pytest.mark.parametrize(
    ("text", "profile", "budget"),
    [
        ("2uJ", "loihi1-davies", Amount(2e-6, "J")),
        ("2 µJ", "loihi1-davies", Amount(2e-6, "J")),
        (" 350nJ ", "loihi2-assumed", Amount(350e-9, "J")),
        ("0.5e-3mJ", "cmos45", Amount(5e-7, "J")),
        (".5J", "cmos45", Amount(0.5, "J")),
        ("40kops", "loihi2", Amount(40e3, "ops")),
        ("1.5Mops", "loihi2", Amount(1.5e6, "ops")),
    ],
)
def test_a_number_with_a_unit(text, profile, budget):
    parsed = parse_budget(text, load_profile(profile))
    assert parsed.value == pytest.approx(budget.value)
    assert parsed.unit == budget.unit


@pytest.mark.parametrize(
    ("text", "profile", "sentence"),
    [
        ("2", "loihi1-davies", "energy_budget=2: say the unit, e.g. 2uJ, 350nJ or 40kops"),
        ("2e-6", "loihi2", "energy_budget=2e-6: say the unit, e.g. 2uJ, 350nJ or 40kops"),
        ("much", "loihi2", "energy_budget=much: is not a number with a unit, e.g. 2uJ, 350nJ or 40kops"),
        ("", "loihi2", "energy_budget=: is not a number with a unit, e.g. 2uJ, 350nJ or 40kops"),
        ("nanJ", "cmos45", "energy_budget=nanJ: is not a number with a unit, e.g. 2uJ, 350nJ or 40kops"),
        ("-2uJ", "cmos45", "energy_budget=-2uJ: a budget must be finite and above zero, e.g. 2uJ, 350nJ or 40kops"),
        ("0nJ", "cmos45", "energy_budget=0nJ: a budget must be finite and above zero, e.g. 2uJ, 350nJ or 40kops"),
        (
            "1e999J",
            "cmos45",
            "energy_budget=1e999J: a budget must be finite and above zero, e.g. 2uJ, 350nJ or 40kops",
        ),
        (
            "2uj",
            "cmos45",
            "energy_budget=2uj: unknown unit 'uj'; did you mean 'uJ'? "
            "may be: Gops, J, Mops, fJ, kops, mJ, nJ, ops, pJ, uJ",
        ),
        (
            "2uJ",
            "loihi2",
            "energy_budget=2uJ: profile 'loihi2' has no joules, since none are published for it; give its relative "
            "unit, e.g. 40kops, or choose a profile with joules",
        ),
        (
            "40kops",
            "loihi1-davies",
            "energy_budget=40kops: profile 'loihi1-davies' counts in joules; give e.g. 2uJ or 350nJ",
        ),
    ],
)
def test_refusals(text, profile, sentence):
    with pytest.raises(InputError) as caught:
        parse_budget(text, load_profile(profile))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0, "J", "0 J"),
        (1.956e-7, "J", "195.6 nJ"),
        (2e-6, "J", "2 µJ"),
        (9.99996e-7, "J", "1 µJ"),
        (23.6e-12, "J", "23.6 pJ"),
        (0.9e-12, "J", "0.9 pJ"),
        (12, "J", "12 J"),
        (40180, "ops", "40.18 kops"),
        (10, "ops", "10 ops"),
    ],
)
def test_quantities_in_words(value, unit, words):
    assert quantity(value, unit) == words


@given(st.floats(1e-15, 1e3), st.sampled_from(sorted(UNITS)))
def test_words_read_back_to_four_digits(number, word):
    unit, factor = UNITS[word]
    profile = load_profile("loihi2" if unit == "ops" else "cmos45")
    value = number * factor
    if value < 1e-17 or (unit == "ops" and value < 1e-3):
        return
    assert parse_budget(quantity(value, unit), profile).value == pytest.approx(value, rel=1e-3)
