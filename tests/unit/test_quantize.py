"""Rounding: by hand on a tiny network, and its bounds on drawn ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.base.errors import InputError
from spikewright.chip.network import ChipNetwork, ConvGeometry
from spikewright.chip.registers import Grid
from spikewright.lowering.draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from spikewright.lowering.quantize import quantize, starved
from spikewright.profile.profile import HardwareProfile, load_profile

LOIHI2 = load_profile("loihi2")


def neuron(
    shape: tuple[int, ...],
    *,
    leak_u: float = 1.0,
    leak_v: float = 0.5,
    threshold: float | None = 1.0,
    bias: object = 0.0,
) -> DraftNeuron:
    ones = np.ones(shape)
    level = None if threshold is None else threshold * ones
    return DraftNeuron(leak_u * ones, leak_v * ones, level, 0 * ones, np.asarray(bias) * ones, 0 * ones)


def lone(weight: object, made: DraftNeuron, *, payload: int = 1, timesteps: int = 4) -> Draft:
    matrix = np.asarray(weight, np.float64)
    return Draft(
        (
            DraftPopulation("input", (matrix.shape[1],), "input", None, payload),
            DraftPopulation("n", (matrix.shape[0],), "readout", made),
        ),
        (DraftConnection("input", "n", matrix),),
        timesteps,
        "direct" if payload > 1 else "events",
        "count" if made.threshold is not None else "membrane",
        8,
    )


def rounded(draft: Draft, profile: HardwareProfile = LOIHI2) -> ChipNetwork:
    return quantize(draft, profile)


def test_a_tiny_network_by_hand() -> None:
    # Mixed signs: even weights up to 254, so S <= 254 / 0.8 = 317.5; a whole threshold makes it 158 / 0.5 = 316.
    chip = rounded(lone([[0.8, -0.4], [0.1, 0.3]], neuron((2,), leak_v=0.3, threshold=0.5, bias=[0.1, -0.02])))
    made = chip.by_name["n"].neuron
    assert made is not None
    assert chip.provenance["scales"] == {"n": 316.0}
    assert chip.provenance["scale_limited_by"] == {"n": "weights from input"}
    assert chip.connections[0].weight.tolist() == [[252, -126], [32, 94]]
    assert (made.du, made.dv, made.vth, made.bias_exp) == (4095, 1229, 158, 6)
    assert made.bias.tolist() == [32, -6]


def test_weights_of_one_sign_use_every_integer() -> None:
    chip = rounded(lone([[0.5, 0.25], [0.1, 0.0]], neuron((2,), threshold=0.5)))
    assert chip.connections[0].weight.tolist() == [[255, 128], [51, 0]]
    negative = rounded(lone([[-0.5, -0.25]], neuron((1,), threshold=0.5)))
    assert negative.connections[0].weight.tolist() == [[-255, -128]]
    partly = rounded(lone([[-0.5, 0.0]], neuron((1,), threshold=0.5)))
    assert partly.connections[0].weight.tolist() == [[-255, 0]], "a zero has no sign"


def test_a_large_threshold_limits_the_scale() -> None:
    chip = rounded(lone([[0.01]], neuron((1,), threshold=1000.0)))
    assert chip.provenance["scale_limited_by"] == {"n": "the threshold register"}
    assert chip.by_name["n"].neuron.vth == 131071


def test_a_large_bias_limits_the_scale() -> None:
    chip = rounded(lone([[0.5]], neuron((1,), threshold=0.5, bias=16.1)))
    made = chip.by_name["n"].neuron
    assert chip.provenance["scale_limited_by"] == {"n": "the bias register"}
    assert (made.bias_exp, made.vth) == (6, 127)
    assert made.bias.tolist() == [4089]


def test_fewer_weight_bits_widen_the_step() -> None:
    limits = LOIHI2.limits.model_copy(update={"weight_bits": 4})
    chip = rounded(lone([[0.8, -0.4], [0.1, 0.3]], neuron((2,))), LOIHI2.model_copy(update={"limits": limits}))
    assert set(np.unique(chip.connections[0].weight % 32)) == {0}
    assert np.abs(chip.connections[0].weight).max() == 224
    assert chip.connections[0].weight_bits == 4


def test_odd_mixed_weights_where_the_chip_has_them() -> None:
    limits = LOIHI2.limits.model_copy(update={"mixed_weights_even": False})
    chip = rounded(lone([[0.8, -0.401]], neuron((1,), threshold=0.8)), LOIHI2.model_copy(update={"limits": limits}))
    assert chip.connections[0].weight.tolist() == [[255, -128]]


def test_an_encoder_compares_with_the_integer_intensity() -> None:
    def encoder(threshold: float, bits: int) -> ChipNetwork:
        return rounded(
            Draft(
                (
                    DraftPopulation("encoder", (2,), "input", neuron((2,), leak_v=0.0, threshold=threshold)),
                    DraftPopulation("n", (2,), "readout", neuron((2,))),
                ),
                (DraftConnection("encoder", "n", np.eye(2)),),
                4,
                "current",
                "count",
                bits,
            )
        )

    exact = encoder(1.0, 8).by_name["encoder"].neuron
    assert (exact.vth, exact.bias_exp, exact.dv) == (255, 6, 0)
    for threshold in (0.9991, 0.5, 0.3, 1.7):
        made = encoder(threshold, 3).by_name["encoder"].neuron
        for intensity in range(1, 8):
            potential = v = 0
            for _ in range(40):
                potential, v = potential + intensity, v + (intensity << made.bias_exp)
                assert (v > made.vth << 6) == (potential > threshold * 7), "no rounding can be seen"
                potential, v = (0, 0) if v > made.vth << 6 else (potential, v)


def peak_current(chip: ChipNetwork, payload: int) -> int:
    """The largest |u| over all inputs, by slow integers: every source at its worst, for ever."""
    weights = chip.connections[0].weight
    worst = max(int(weights.clip(0).sum(1).max()), int((-weights).clip(0).sum(1).max())) * payload
    u, before = 0, -1
    while u != before:
        before, u = u, ((u * (4096 - chip.by_name["n"].neuron.du - 1)) >> 12) + (worst << 6)
    return u


@settings(deadline=None, max_examples=80)
@given(
    seed=st.integers(0, 10_000),
    spread=st.floats(0.001, 100),
    leak_u=st.sampled_from([1.0, 0.5, 0.1]),
    payload=st.sampled_from([1, 15, 255]),
    fires=st.booleans(),
    sources=st.integers(1, 60),
)
def test_registers_are_kept_whatever_the_floats(
    seed: int, spread: float, leak_u: float, payload: int, fires: bool, sources: int
) -> None:
    random = np.random.default_rng(seed)
    weight = random.normal(0, spread, (3, sources)) / payload
    bias = random.normal(0, spread, 3)
    threshold = float(spread * random.uniform(0.5, 5)) if fires else None
    draft = lone(weight, neuron((3,), leak_u=leak_u, threshold=threshold, bias=bias), payload=payload, timesteps=6)
    chip = rounded(draft)
    made, scale = chip.by_name["n"].neuron, chip.provenance["scales"]["n"]
    integers = chip.connections[0].weight
    mixed = (weight > 0).any() and (weight < 0).any()
    assert np.abs(integers).max() <= (254 if mixed else 255)
    assert np.abs(integers - scale * weight).max() <= (1.0 if mixed else 0.5) + 1e-9
    peak = peak_current(chip, payload)
    assert peak < 2**23
    bias_in_v = made.bias << made.bias_exp
    assert np.abs(bias_in_v - scale * 64 * bias).max() <= 2 ** (made.bias_exp - 1) + 1e-9
    if threshold is not None:
        assert made.vth == pytest.approx(scale * threshold, rel=1e-9) or made.vth == 0
    else:
        v = 0
        for _ in range(6):
            v = ((v * (4096 - made.dv)) >> 12) + peak + int(np.abs(bias_in_v).max())
        assert v <= made.vth << 6, "a readout never fires"


def test_the_worst_case_adds_up_over_all_that_arrives_at_a_neuron() -> None:
    shape = (1, 4, 4)
    populations = (
        DraftPopulation("input", shape, "input", None, 255),
        DraftPopulation("n", shape, "readout", neuron(shape, threshold=0.5)),
    )
    kernel = DraftConnection("input", "n", np.full((1, 1, 3, 3), 1.0), ConvGeometry(padding=(1, 1)))
    alone = rounded(Draft(populations, (kernel,), 2, "direct", "count", 8))
    assert alone.provenance["scale_limited_by"] == {"n": "the range of the current"}
    assert 9 * 255 * 64 * int(alone.connections[0].weight[0, 0, 0, 0]) < 2**23
    assert 9 * 255 * 64 * (int(alone.connections[0].weight[0, 0, 0, 0]) + 1) > 2**23 * 0.98


def test_the_threshold_of_an_encoder_that_leaks_is_the_nearest() -> None:
    """0.5 x 7 = 3.5: to 4 with a leak, whose products are rounded anyway, and down to 3 without."""
    for leak_v, vth, error in ((0.5, 4, 0.5 / 3.5), (0.0, 3, 0.0)):
        encoder = DraftPopulation("encoder", (1,), "input", neuron((1,), leak_v=leak_v, threshold=0.5))
        readout = DraftPopulation("n", (1,), "readout", neuron((1,)))
        chip = rounded(
            Draft((encoder, readout), (DraftConnection("encoder", "n", np.eye(1)),), 4, "current", "count", 3)
        )
        assert chip.input.neuron is not None
        assert chip.input.neuron.vth == vth
        assert chip.provenance["threshold_errors"]["encoder"] == pytest.approx(error)
        assert chip.provenance["scale_limited_by"]["encoder"] == "the width of the input"
        assert chip.provenance["scales"]["encoder"] == 7.0


def test_only_graded_input_has_payloads() -> None:
    for payload, bits in ((1, 0), (255, 8)):
        assert rounded(lone([[0.5]], neuron((1,)), payload=payload)).input.payload_bits == bits


def two_sources(a: list[float], b: list[float], payload: int = 1) -> Draft:
    """A neuron that line populations a and b feed; a sends ``payload``."""
    populations = (
        DraftPopulation("a", (len(a),), "input", None, payload),
        DraftPopulation("b", (len(b),), "hidden", neuron((len(b),))),
        DraftPopulation("n", (1,), "readout", neuron((1,))),
    )
    wired = (
        DraftConnection("a", "b", np.eye(len(b), len(a))),
        DraftConnection("a", "n", np.array([a])),
        DraftConnection("b", "n", np.array([b])),
    )
    return Draft(populations, wired, 4, "direct" if payload > 1 else "events", "count", 8)


def test_the_weights_that_fill_their_grid_most_limit_the_scale() -> None:
    """Mixed weights go up to 254, others up to 255: 0.999 / 254 is more than 1 / 255."""

    def side_by_side(a: list[float], b: list[float]) -> Draft:
        """Both sources a step behind the input, so that their paths are equally long."""
        draft = two_sources(a, b)
        first = DraftPopulation("input", (2,), "input", None)
        hidden = replace(draft.populations[0], role="hidden", neuron=neuron((2,)))
        wired = (DraftConnection("input", "a", np.eye(2)), DraftConnection("input", "b", np.eye(2)))
        return replace(
            draft, populations=(first, hidden, *draft.populations[1:]), connections=(*wired, *draft.connections[1:])
        )

    chip = rounded(side_by_side([1.0, 0.5], [0.999, -0.5]))
    assert chip.provenance["scale_limited_by"]["n"] == "weights from b"
    assert chip.provenance["scales"]["n"] == pytest.approx(254 / 0.999, rel=0.01)
    assert rounded(side_by_side([1.0, 0.5], [0.99, -0.5])).provenance["scale_limited_by"]["n"] == "weights from a"


def test_a_population_is_starved_by_the_levels_of_its_finest_connection() -> None:
    """2^17 / (8 x 255) are 64 levels, which is 6 bits; b's weights of 0.06 have 4 levels, and 15 with all the room."""
    assert "n" not in starved(two_sources([1.0] * 8, [0.06], payload=255), LOIHI2)
    assert "n" in starved(two_sources([1.0] * 10, [0.06], payload=255), LOIHI2), "51 levels"


def test_a_given_scale_says_how_far_numbers_lie_beside_the_grid() -> None:
    """2.5 x 1.1 = 2.75 is rounded to 3, and 2.5 x 40.1 = 100.25 to 100."""
    chip = quantize(lone([[40.1]], neuron((1,), threshold=1.1)), LOIHI2, Grid(scales={"n": 2.5}))
    assert chip.output.neuron is not None
    assert (chip.output.neuron.vth, chip.connections[0].weight.tolist()) == (3, [[100]])
    assert chip.provenance["threshold_errors"]["n"] == pytest.approx(0.25 / 2.75)
    assert chip.provenance["rounding"]["n"] == pytest.approx(0.25)
    assert chip.provenance["scale_limited_by"]["n"] == "training on integers"
    assert chip.provenance["weight_levels"] == {"input->n": 100}


def test_weights_lie_beside_the_grid_by_shares_of_its_step() -> None:
    """Weights of both signs are even: 40.9 becomes 40, 0.9 of 2 beside it."""
    chip = quantize(lone([[40.9, -42.0]], neuron((1,), threshold=3.0)), LOIHI2, Grid(scales={"n": 1.0}))
    assert chip.connections[0].weight.tolist() == [[40, -42]]
    assert chip.provenance["rounding"]["n"] == pytest.approx(0.45)


def test_a_given_scale_stays_while_its_weights_fit_and_shrinks_where_they_do_not() -> None:
    def weights(of: list[float]) -> tuple[float, list[int]]:
        chip = quantize(lone([of], neuron((1,), threshold=1.1)), LOIHI2, Grid(scales={"n": 2.5}))
        return chip.provenance["scales"]["n"], chip.connections[0].weight[0].tolist()

    assert weights([40.0, -40.0]) == (2.5, [100, -100]), "both signs, in steps of 2"
    assert weights([102.0, 40.0]) == (2.5, [255, 100])
    assert weights([200.0, 100.0]) == (pytest.approx(1 / 1.1), [182, 91]), "below 255 / 200, with a whole threshold"


def test_a_given_scale_shrinks_where_a_sum_would_be_the_first_that_wraps() -> None:
    """1,024 weights of 128 add up to 2^17, which is 2^23 in a register of 24 bits; one less is 64 below."""

    def largest(inputs: int) -> int:
        chip = quantize(lone([[1.0] * inputs], neuron((1,), threshold=1.1)), LOIHI2, Grid(scales={"n": 128.0}))
        return int(chip.connections[0].weight.max())

    assert (largest(1023), largest(1024)) == (128, 127)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e-29])
@pytest.mark.parametrize("threshold", [None, 1e-320])
def test_numbers_too_small_for_any_scale_are_refused_and_not_scaled_for_ever(
    size: float, threshold: float | None
) -> None:
    # From the fuzzer: a time step of 5e-324 s makes weights and biases of a readout so small.
    draft = lone([[size, size]], neuron((1,), threshold=threshold, bias=[size]))
    with pytest.raises(InputError, match=r"population 'n': its numbers are too small for integers: .* allows a scale"):
        rounded(draft)


def test_the_smallest_numbers_that_are_scaled() -> None:
    chip = rounded(lone([[1e-27, 1e-27]], neuron((1,), threshold=None, bias=[1e-27])))
    assert chip.connections[0].weight.tolist() == [[255, 255]]


def test_a_sum_of_the_largest_weights_of_one_sign_is_taken_whole() -> None:
    # u grows to 64 x 29 x S x 4096 / 10, below 2^23, for S = 320 / 29; a whole threshold makes that 11034 / 1000.
    chip = rounded(lone([[1.0] * 29], neuron((1,), leak_u=10 / 4096, threshold=1000.0)))
    assert chip.provenance["scale_limited_by"] == {"n": "the range of the current"}
    assert chip.by_name["n"].neuron.vth == 11034


def test_a_synaptic_decay_is_the_nearest_that_the_register_holds() -> None:
    made = rounded(lone([[1.0]], neuron((1,), leak_u=0.3, threshold=0.5))).by_name["n"].neuron
    assert made.du == 1228, "0.3 x 4096 is 1228.8, and the chip adds one"


def test_a_bias_fills_the_readout_as_its_inputs_do() -> None:
    # In 100 steps 1 + 999 of each step add up to 100,000 S, below 131,071.
    chip = rounded(lone([[1.0]], neuron((1,), leak_v=0.0, threshold=None, bias=999.0), timesteps=100))
    assert chip.provenance["scale_limited_by"] == {"n": "the range of the readout"}
    assert chip.provenance["scales"]["n"] == pytest.approx(1.31071)
