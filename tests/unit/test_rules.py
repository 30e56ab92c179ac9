"""Design rules: each refusal with its rule's name, all at once, and what is only remarked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.lowering.draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from spikewright.lowering.lower import lower_draft
from spikewright.lowering.rules import GRAPH_RULES, INTEGER_RULES, PROFILE_RULES, remarks
from spikewright.profile.profile import load_profile

ONES = np.ones(2)


def neuron(**changed: object) -> DraftNeuron:
    return replace(DraftNeuron(ONES, 0.5 * ONES, ONES, 0 * ONES, 0 * ONES, 0 * ONES), **changed)


def draft(
    made: DraftNeuron | None = None, *, encoding: str = "events", input_bits: int = 8, weight: float = 0.4
) -> Draft:
    driven = neuron() if encoding == "current" else None
    return Draft(
        (
            DraftPopulation("input", (2,), "input", driven),
            DraftPopulation("n", (2,), "hidden", neuron() if made is None else made),
            DraftPopulation("out", (2,), "readout", neuron()),
        ),
        (DraftConnection("input", "n", weight * np.eye(2)), DraftConnection("n", "out", np.eye(2))),
        4,
        encoding,
        "count",
        input_bits,
    )


VARYING = np.array([0.2, 0.5])


def looping(made: Draft) -> Draft:
    """The draft with a population that feeds itself."""
    return replace(made, connections=(*made.connections, DraftConnection("n", "n", np.eye(2))))


BROKEN = {
    "graded_input": (
        draft(encoding="direct"),
        "loihi1-davies",
        "encoding 'direct' sends graded spikes, which this chip does not have; train with encoding=current",
    ),
    "input_width": (
        draft(encoding="current", input_bits=13),
        "loihi1-davies",
        "input has 13 bits, a bias mantissa holds 12; train with input_bits=12",
    ),
    "resets": (
        draft(neuron(reset="subtract-late"), encoding="rate"),
        "speck",
        "n: a spike takes the threshold off one step late, which this chip's neurons do not do; train with reset=zero "
        "or reset=subtract, or take a chip whose neurons can (`spikewright profiles NAME` says it under limits)",
    ),
    "reset_to_zero": (
        draft(neuron(v_reset=np.array([0.0, -0.5]))),
        "loihi2",
        "n: v_reset reaches -0.5; the chip resets to 0: shift v_leak and v_threshold by it",
    ),
    "one_decay_per_population": (
        looping(draft(neuron(leak_v=VARYING))),
        "loihi2",
        "n: its membrane time constants vary (decay 0.2 to 0.5 per step); its neurons feed each other, so that it "
        "stays one population, which has one decay: give them one",
    ),
    "decays_in_range": (
        draft(neuron(leak_v=25 * ONES)),
        "loihi2",
        "n: its membrane decay per step (dt / tau) is 25; may be 0..1: the time step is too long for its time "
        "constants, give a shorter one",
    ),
    "one_threshold_per_population": (
        draft(neuron(threshold=-ONES)),
        "loihi2",
        "n: its threshold is -1; may be 0 or more",
    ),
    "no_circles": (
        replace(draft(), connections=(*draft().connections, DraftConnection("out", "n", np.eye(2)))),
        "loihi2",
        "out feeds n, which comes before it; only a population's own recurrence is handled",
    ),
    "weights_survive": (
        draft(neuron(threshold=100_000 * ONES, bias=900_000 * ONES)),
        "loihi2",
        "input->n: all weights round to zero; the scale is limited by the bias register: a smaller bias or leak "
        "potential would help; or train it for this chip, profile=loihi2",
    ),
    "threshold_survives": (
        draft(neuron(threshold=ONES), weight=600.0),
        "loihi2",
        "n: its threshold rounds to zero beside its weights; the largest weight may be at most about 250 thresholds",
    ),
}


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_rule_is_named(rule: str) -> None:
    made, profile, says = BROKEN[rule]
    with pytest.raises(InputError) as caught:
        lower_draft(made, load_profile(profile))
    assert str(caught.value) == f"profile {profile!r}: [{rule}] {says}"


def test_every_rule_has_a_case() -> None:
    names = {rule.__name__ for rules in (GRAPH_RULES, PROFILE_RULES, INTEGER_RULES) for rule in rules}
    assert names - set(BROKEN) == {"bias_exponent", "steady_encoder", "trained_integers_stay"}


def test_a_potential_to_reset_to_has_no_meaning_beside_a_subtraction() -> None:
    with pytest.raises(InputError, match=r"n: v_reset reaches 0\.5, and it is reset by subtraction; set v_reset to 0"):
        lower_draft(draft(neuron(reset="subtract", v_reset=0.5 * ONES)), load_profile("loihi2"))


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (draft(neuron(bias=ONES)), "n: its bias needs the bias exponent 6; the chip's largest is 5"),
        (draft(encoding="current"), "input: its input current needs the bias exponent 6; the chip's largest is 5"),
    ],
)
def test_a_chip_with_small_bias_exponents_takes_no_biases(made: Draft, says: str) -> None:
    profile = load_profile("loihi2")
    small = profile.model_copy(update={"limits": profile.limits.model_copy(update={"bias_exponent_max": 5})})
    with pytest.raises(InputError) as caught:
        lower_draft(made, small)
    assert str(caught.value) == f"profile 'loihi2': [bias_exponent] {says}"
    lower_draft(draft(), small)


def test_an_encoder_has_nothing_but_its_threshold_and_leak() -> None:
    made = draft(encoding="current")
    biased = replace(made.populations[0], neuron=neuron(bias=ONES, threshold=0 * ONES))
    with pytest.raises(InputError) as caught:
        lower_draft(replace(made, populations=(biased, *made.populations[1:])), load_profile("loihi2"))
    assert str(caught.value) == (
        "profile 'loihi2': 2 faults\n"
        "  - [steady_encoder] input: takes the input current and has a v_leak or a synaptic filter; may have neither\n"
        "  - [steady_encoder] input: takes the input current and never spikes; it needs a positive threshold"
    )


def test_all_broken_rules_are_said_at_once() -> None:
    with pytest.raises(InputError) as caught:
        broken = looping(draft(neuron(leak_v=VARYING, v_reset=ONES), encoding="direct"))
        lower_draft(broken, load_profile("loihi1-davies"))
    assert str(caught.value).startswith("profile 'loihi1-davies': 3 faults\n  - [graded_input] ")


def test_coarse_weights_are_remarked() -> None:
    fine = lower_draft(draft(), load_profile("loihi2"))
    assert list(remarks(fine)) == []
    coarse = lower_draft(
        draft(neuron(threshold=100_000 * ONES, bias=10_000 * ONES), weight=10.0), load_profile("loihi2")
    )
    assert list(remarks(coarse)) == [
        "input->n: only 4 levels from zero to the largest weight; the scale is limited by the bias register: a smaller "
        "bias or leak potential would help"
    ]
