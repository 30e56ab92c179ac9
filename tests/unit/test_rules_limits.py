"""Design rules where they begin to hold, and remarks, with values on either side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import nir
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.graph.time_step import TimeStep
from spikewright.graph.wiring import wire
from spikewright.lowering import rules
from spikewright.lowering.absurd import absurdities
from spikewright.lowering.check import check
from spikewright.lowering.draft import Draft, DraftConnection, DraftNeuron, DraftPopulation, InputFormat, draft_from_nir
from spikewright.lowering.rules import remarks
from spikewright.profile.profile import load_profile

LOIHI2 = load_profile("loihi2")


def neuron(**changed: Any) -> DraftNeuron:
    made = DraftNeuron(np.ones(2), np.full(2, 0.5), np.ones(2), np.zeros(2), np.zeros(2), np.zeros(2))
    return replace(made, **{name: None if each is None else np.array(each) for name, each in changed.items()})


def draft(*neurons: DraftNeuron, encoding: Any = "events", bits: int = 8, encoder: DraftNeuron | None = None) -> Draft:
    hidden = [DraftPopulation(f"n{i}", (2,), "hidden", each) for i, each in enumerate(neurons)]
    wired = DraftConnection("input", "n0", np.eye(2)), DraftConnection("n0", "n0", np.eye(2))
    return Draft((DraftPopulation("input", (2,), "input", encoder), *hidden), wired, 4, encoding, "count", bits)


def said(rule: rules.Rule, made: Draft, *more: Any) -> list[str]:
    return list(rule(made, *more))


def test_thresholds_are_one_number_of_0_or_more() -> None:
    rule = rules.one_threshold_per_population
    made = draft(neuron(threshold=None), neuron(threshold=[-2.0, 3.0]), neuron(threshold=[1.0, 1.5]))
    assert said(rule, made) == [
        "n1: its threshold is -2; may be 0 or more",
        "n2: its thresholds are 1 to 1.5; a population has one",
    ]
    assert said(rule, draft(neuron(threshold=[0.0, 0.0]), neuron(threshold=[2.0, 2.0 + 1.9e-6]))) == []
    assert len(said(rule, draft(neuron(threshold=[2.0, 2.0 + 2.1e-6])))) == 1
    of_the_larger = 1.0 + 1.0000005e-6  # the difference is less than 1e-6 x 1.000001, and more than 1e-6 x 1
    assert said(rule, draft(neuron(threshold=[1.0, of_the_larger]))) == []


def test_decays_are_one_number_between_0_and_1() -> None:
    rule = rules.one_decay_per_population
    assert said(rule, draft(neuron(leak_v=[0.5, 0.5 + 4e-7], leak_u=[0.25, 0.25]))) == []
    loops = "its neurons feed each other, so that it stays one population, which has one decay: give them one"
    assert said(rule, draft(neuron(leak_v=[0.5, 0.6]), neuron(leak_u=[0.5, 0.25]))) == [
        f"n0: its membrane time constants vary (decay 0.5 to 0.6 per step); {loops}"
    ], "n1 is split"
    made = draft(neuron(), encoder=neuron(leak_u=[0.5, 0.25]))
    assert said(rule, made) == [
        "input: its synaptic time constants vary (decay 0.25 to 0.5 per step); the chip has one input population, with "
        "one decay: give its neurons one"
    ]
    many = replace(neuron(), **{name: np.linspace(0.1, 0.9, 65) for name in ("leak_u", "leak_v")})
    wide = replace(draft(neuron()), populations=(DraftPopulation("n", (65,), "hidden", many),), connections=())
    says = "they make 65 populations, and a layer is split into at most 64: let neurons share them"
    assert [each.split("; ")[1] for each in said(rule, wide)] == [says, says]
    rule, why = rules.decays_in_range, "the time step is too long for its time constants, give a shorter one"
    fine = neuron(leak_v=[0.0, 1 + 9e-7]), neuron(leak_u=[0.5 / 4096, 1.0]), neuron(leak_v=[1e-9, 1e-9])
    assert said(rule, draft(*fine)) == []
    assert said(rule, draft(neuron(leak_v=[0.1, 1.1]), neuron(leak_v=[0.1, -0.25]), neuron(leak_u=[1e-5, 2.0]))) == [
        f"n0: its membrane decay per step (dt / tau) is 1.1; may be 0..1: {why}",
        f"n1: its membrane decay per step (dt / tau) is -0.25; may be 0..1: {why}",
        f"n2: its synaptic decay per step (dt / tau) is 2; may be 0..1: {why}",
        "n2: its synaptic decay per step is 1e-05; the chip needs at least 1/8192",
    ]


def test_numbers_are_at_most_1e30() -> None:
    far = draft(neuron(), neuron(bias=[0.5, 1e31]), neuron(leak_v=[np.nan, 0.5]), neuron(threshold=[-1e30, 1e30]))
    weights = replace(far, connections=(DraftConnection("input", "n0", np.array([[1.0, -1.1e30], [0.0, 1.0]])),))
    says = "may be up to 1e+30: rescale the network"
    assert said(rules.numbers_in_range, weights) == [
        f"n0: its weights from input reach -1.1e+30; {says}",
        f"n1: its bias reach 1e+31; {says}",
        f"n2: its leak v reach nan; {says}",
    ]


def test_what_is_told_of_a_network_that_can_do_nothing() -> None:
    """Of several membranes the one that decays most; of several thresholds the one that is nearest."""
    step = TimeStep(1e-4, "assumed")
    slow = draft(neuron(leak_v=[1e-5, 2e-5]), neuron(leak_v=[4e-5, 3e-5]))
    assert next(absurdities(slow, step)).startswith("no membrane decays by more than 4e-05 per step, so 0.0001 s is")
    silent = replace(draft(neuron(threshold=[9.0, 6.0])), connections=(DraftConnection("input", "n0", np.eye(2)),))
    (told,) = absurdities(silent, step)
    assert "in every step a membrane reaches 2, and the threshold is 6, so" in told, "1 arrives, and half is kept"


def test_resets_are_to_0() -> None:
    made = draft(neuron(), neuron(v_reset=[0.5, -0.75]), neuron(v_reset=[0.0, 0.25]))
    says = "v_reset reaches {}; the chip resets to 0: shift v_leak and v_threshold by it"
    assert said(rules.reset_to_zero, made) == [f"n1: {says.format('-0.75')}", f"n2: {says.format('0.25')}"]


def test_input_bits_are_what_a_spike_or_a_bias_holds() -> None:
    rule = rules.graded_input
    assert said(rule, draft(neuron(), encoding="direct", bits=24), LOIHI2) == []
    assert said(rule, draft(neuron(), bits=30), LOIHI2) == []
    assert [str(InputError(each)) for each in said(rule, draft(neuron(), encoding="direct", bits=25), LOIHI2)] == [
        "input has 25 bits, a graded spike carries 24; train with input_bits=24"
    ]
    for bits, faults in ((1, 0), (11, 0), (12, 0), (13, 1), (14, 1)):
        assert len(said(rules.input_width, draft(neuron(), encoding="current", bits=bits), LOIHI2)) == faults
    assert said(rules.input_width, draft(neuron(), bits=20), LOIHI2) == []


def test_small_bias_exponents_hold_neither_biases_nor_currents() -> None:
    def with_exponent(most: int) -> Any:
        return LOIHI2.model_copy(update={"limits": LOIHI2.limits.model_copy(update={"bias_exponent_max": most})})

    made = draft(neuron(), neuron(bias=[0.0, 0.1]), encoder=neuron())
    assert said(rules.bias_exponent, made, with_exponent(6)) == []
    assert said(rules.bias_exponent, made, with_exponent(5)) == [
        "input: its input current needs the bias exponent 6; the chip's largest is 5",
        "n1: its bias needs the bias exponent 6; the chip's largest is 5",
    ]
    assert said(rules.bias_exponent, draft(neuron()), with_exponent(5)) == []


@pytest.mark.parametrize(
    ("encoder", "faults"),
    [
        (neuron(), []),
        (neuron(threshold=[0.0, 0.1]), []),
        (neuron(bias=[0.0, 0.1]), ["neither"]),
        (neuron(synaptic_bias=[0.1, 0.0]), ["neither"]),
        (neuron(leak_u=[1.0, 0.5]), ["neither"]),
        (neuron(threshold=[0.0, 0.0]), ["threshold"]),
        (neuron(threshold=[-1.0, -1.0]), ["threshold"]),
        (neuron(threshold=None, bias=[1.0, 0.0]), ["neither", "threshold"]),
    ],
)
def test_an_encoder_has_a_threshold_and_no_bias(encoder: DraftNeuron, faults: list[str]) -> None:
    says = {
        "neither": "input: takes the input current and has a v_leak or a synaptic filter; may have neither",
        "threshold": "input: takes the input current and never spikes; it needs a positive threshold",
    }
    assert said(rules.steady_encoder, draft(neuron(bias=[1.0, 1.0]), encoder=encoder)) == [
        says[each] for each in faults
    ]


def test_only_circles_of_several_populations_are_refused() -> None:
    made = draft(neuron(), neuron())
    assert said(rules.no_circles, made) == []
    back = replace(made, connections=(*made.connections, DraftConnection("n1", "n0", np.eye(2))))
    assert said(rules.no_circles, back) == [
        "n1 feeds n0, which comes before it; only a population's own recurrence is handled"
    ]


CURRENT = "the range of the current"
ROOM = "; or room for what data cause instead of any input: scales=auto in training, calibrate in lowering"


def chip(weight: int = 4, vth: int = 9, fires: bool = True, **noted: Any) -> ChipNetwork:
    made = Neuron(4095, 0, vth, np.zeros(2, np.int64), fires=fires)
    populations = Population("input", (2,), "input", None), Population("n0", (2,), "readout", made)
    provenance = {
        "weight_levels": {"input->n0": 8}, "scale_limited_by": {"n0": CURRENT}, "threshold_errors": {"n0": 0.02},
        "scales": {"n0": 4.0}, "rounding": {"n0": 0.0}, **noted,
    }  # fmt: skip
    wired = (Connection("input", "n0", np.array([[weight, 0], [0, 0]])),)
    return ChipNetwork(populations, wired, 4, "events", "count", "loihi2", "", provenance)


def words(chip: ChipNetwork) -> list[str]:
    return [str(InputError(each)) for each in remarks(chip)]


def test_coarse_weights_and_thresholds_are_remarked() -> None:
    assert words(chip()) == []
    for levels, text in ((7, "7 levels"), (2, "2 levels"), (1, "1 level")):
        assert words(chip(weight_levels={"input->n0": levels})) == [
            f"input->n0: only {text} from zero to the largest weight; the scale is limited by the range of the "
            f"current: fewer input bits or a smaller fan-in would help{ROOM}"
        ]
    (said,) = words(chip(weight_levels={"input->n0": 3}, scale_limited_by={"n0": "weights from input"}))
    assert said.endswith("; the scale is limited by weights from input: weights of similar size would help")
    assert words(chip(threshold_errors={"n0": 0.0213})) == ["n0: its threshold is 2.1% off by rounding"]


def calibrated(potential: float, fires: bool = True, measured: list[str] | None = None) -> list[str]:
    peaks = {"n0": {"current": 1.0, "potential": potential}}
    noted = {"quantile": 1.0, "margin": 1.5, "samples": 32, "peaks": peaks}
    return words(chip(fires=fires, calibration=noted, measured=measured or []))


def test_registers_that_data_may_leave_are_remarked() -> None:
    """The register of a scale of 4 holds 2^23 / (64 x 4) = 32,768."""
    assert calibrated(32_767.0) == []
    (said,) = calibrated(65_536.0)
    assert said == "n0: membranes go 2.0 times as far below zero as their register, and are clipped there"
    assert calibrated(32_768.0)[0].startswith("n0: membranes go 1.0 times")
    assert calibrated(65_536.0, fires=False) == [], "a readout's go above zero too"
    assert calibrated(1.0, measured=["n0", "n1"]) == [
        "n0, n1: room for 1.5 times the peaks of 32 samples, not for every input; `simulate` counts what goes beyond"
    ]


def test_a_provenance_of_others_is_refused() -> None:
    for noted in ({"weight_levels": 3}, {"calibration": {"margin": 2}}):
        with pytest.raises(InputError, match=r"^chip network: its provenance was not written by the lowering$"):
            words(chip(**noted))


def test_what_rounding_may_not_do() -> None:
    some = draft(neuron())
    assert said(lambda made: rules.weights_survive(chip(), made), some) == []
    (lost,) = rules.weights_survive(chip(weight=0), some)
    assert str(InputError(lost)) == (
        "input->n0: all weights round to zero; the scale is limited by the range of the current: fewer input bits or a "
        f"smaller fan-in would help{ROOM}; or train it for this chip, profile=loihi2"
    )
    zeros = replace(some, connections=(DraftConnection("input", "n0", np.zeros((2, 2))),))
    assert list(rules.weights_survive(chip(weight=0), zeros)) == [], "they were zero before"
    assert list(rules.threshold_survives(chip(vth=1), some)) == []
    assert list(rules.threshold_survives(chip(vth=0, fires=False), some)) == []
    assert list(rules.threshold_survives(chip(vth=0), some)) == [
        "n0: its threshold rounds to zero beside its weights; the largest weight may be at most about 250 thresholds"
    ]
    trained = {"scale_limited_by": {"n0": "training on integers"}}
    assert list(rules.trained_integers_stay(chip(rounding={"n0": 0.01}, **trained), some)) == []
    assert list(rules.trained_integers_stay(chip(rounding={"n0": 0.5}), some)) == []
    (fault,) = rules.trained_integers_stay(chip(rounding={"n0": 0.02}, **trained), some)
    assert fault.startswith("n0: the graph says it was trained on integers, and its numbers lie 0.02 of a step beside")


def filtered(tau_syn: float) -> nir.NIRGraph:
    """A bias in front of a synaptic filter, at 1 ms a step."""
    ones = np.ones(1)
    nodes = {
        "input": nir.Input(np.array([1])),
        "fc": nir.Affine(np.array([[1.0]]), np.array([0.5])),
        "n": nir.CubaLIF(tau_syn * ones, 4e-3 * ones, ones, 0 * ones, ones, w_in=ones),
        "output": nir.Output(np.array([1])),
    }
    edges = [("input", "fc"), ("fc", "n"), ("n", "output")]
    metadata = {"dt_s": 1e-3, "reset": "zero", "encoding": "events", "readout": "count", "timesteps": 4}
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


@pytest.mark.parametrize(("tau_syn", "decay"), [(2e-3, 0.5), (1e-3, None), (0.5e-3, 2.0)])
def test_a_bias_stays_before_a_filter_of_any_decay(tau_syn: float, decay: float | None) -> None:
    """A step that is too long for it is refused later, and of what the graph says."""
    inputs = InputFormat(4, "events", 8)
    made = draft_from_nir(wire(filtered(tau_syn)), 1e-3, inputs, {}).populations[1].neuron
    assert made is not None
    assert (made.bias.any(), made.synaptic_bias.any()) == (decay is None, decay is not None)
    notes = [each.what for each in check(filtered(tau_syn)) if each.where == "n" and each.level == "note"]
    filter_ = "" if decay is None else f"current decays by {decay:g} per step, "
    assert notes[0] == f"{filter_}membrane decays by 0.25 per step, threshold 1"
    assert any(each.level == "blocks" for each in check(filtered(tau_syn))) == (decay == 2.0)
