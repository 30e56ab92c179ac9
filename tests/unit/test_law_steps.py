"""Each part of the law of a neuron, with values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikewright.chip import law as laws
from spikewright.chip.law import FIXED_POINT, Arithmetic, Law, State, decayed, exact_kernels, gathered, largest
from spikewright.chip.network import Neuron
from spikewright.chip.neuron_models import law_of
from spikewright.chip.subtraction import LateSubtractingLaw, SubtractingLaw

U, A = torch.tensor([4.0, -8.0]), torch.tensor([3.0, 1.0])
LIMIT = 2**23


@pytest.mark.parametrize(
    ("law", "current"),
    [
        (Law(0.5), [3, 1]),
        (Law(0.5, gain_u=3.0), [9, 3]),
        (Law(0.5, gain_u=torch.tensor([3.0, 5.0])), [9, 5]),
        (Law(0.5, keep_u=0.25), [4, -1]),
        (Law(0.5, keep_u=0.25, gain_u=3.0), [10, 1]),
        (Law(0.5, keep_u=0.25, gain_u=torch.tensor([3.0, 5.0])), [10, 3]),
        (Law(0.5, keep_u=torch.tensor([0.25, 0.5])), [4, -3]),
    ],
)
def test_the_current_keeps_a_share_and_adds_the_input_times_its_gain(law: Law, current: list[float]) -> None:
    assert law.current(U, A).tolist() == current
    out = torch.zeros(2)
    law.current(U, A, out=out)
    is_sum = law.keep_u is not None or law.gain_u is not None
    assert out.tolist() == (current if is_sum else [0, 0])
    assert (U.tolist(), A.tolist()) == ([4, -8], [3, 1]), "neither is written to"


def test_the_potential_keeps_a_share_and_adds_current_and_bias() -> None:
    v = torch.tensor([2.0, -6.0])
    assert Law(0.5).potential(v, A).tolist() == [4, -2]
    assert Law(0.5, bias=torch.tensor([10.0, 20.0])).potential(v, A).tolist() == [14, 18]
    out = torch.zeros(2)
    assert Law(0.5, gain_v=torch.tensor([2.0, 4.0])).potential(v, A, out=out).tolist() == [7, 1]
    assert out.tolist() == [7, 1]
    assert Law(0.5, arithmetic=FIXED_POINT).potential(v - 1, A).tolist() == [3, -2], "0.5 and -3.5 are cut to 0 and -3"


def test_neurons_fire_above_their_threshold_and_go_to_their_reset_value() -> None:
    law, potential = Law(1.0, threshold=5.0, v_reset=-1.0), torch.tensor([4.0, 5.0, 5.5])
    spikes = law.fires(potential)
    assert spikes.tolist() == [False, False, True]
    assert law.reset(potential, spikes).tolist() == [4, 5, -1]
    assert Law(1.0, threshold=5.0).reset(potential, spikes).tolist() == [4, 5, 0]
    assert law.through_reset(torch.tensor([0.0, 1.0])).tolist() == [1, 0]
    assert potential.tolist() == [4, 5, 5.5]


def test_what_learning_asks_of_a_law_can_be_asked_of_one_with_constants_too() -> None:
    spikes, potential, threshold, keep = (
        torch.tensor([0.0, 1.0]),
        torch.tensor([2.0, 5.0]),
        torch.tensor(4.0),
        torch.tensor(0.5),
    )
    for law, passed, left, taken_off in (
        (Law(0.5, threshold=4.0), [1, 0], [2, 0], None),
        (SubtractingLaw(0.5, threshold=4.0), None, [2, 1], [0, 0.5]),
        (LateSubtractingLaw(0.5, threshold=4.0), None, [2, 5], [0, 1]),
    ):
        through, off = law.through_reset(spikes), law.taken_off(spikes, keep)
        assert (None if through is None else through.tolist()) == passed
        assert law.left(potential, spikes, threshold).tolist() == left
        assert (None if off is None else off.tolist()) == taken_off


def test_float32_holds_whole_numbers_up_to_its_limit_and_no_further() -> None:
    limit = laws.FLOAT32_LIMIT
    assert int(torch.tensor(limit - 1, dtype=torch.float32)) == limit - 1
    assert int(torch.tensor(limit + 1, dtype=torch.float32)) == limit, "rounded to even"


def test_a_step_without_a_threshold_has_no_spikes() -> None:
    stepped = Law(0.5, keep_u=0.25).step(State(U, torch.tensor([100.0, 100.0])), A)
    assert stepped.spikes is None
    assert stepped.potential.tolist() == stepped.state.v.tolist() == [54, 49]
    assert stepped.state.u.tolist() == [4, -1]


def test_biases_of_steps_take_the_place_of_the_bias() -> None:
    law = Law(1.0, biases=torch.tensor([[1.0], [2.0]]))
    assert [law.at(step).bias.tolist() for step in (0, 1)] == [[1], [2]]
    assert law.at(1).biases is None
    plain = Law(1.0)
    assert plain.at(1) is plain


def test_a_neuron_is_busy_with_an_input_a_bias_or_a_state() -> None:
    zero, one = torch.zeros(4), torch.tensor([0.0, 1.0, -1.0, 2.0])
    busy = [False, True, True, True]
    filtered = Law(0.5, keep_u=0.5)
    assert filtered.busy(State(zero, zero), one).tolist() == busy
    assert filtered.busy(State(zero, one), zero).tolist() == busy
    assert filtered.busy(State(one, zero), zero).tolist() == busy
    assert Law(0.5).busy(State(one, zero), zero).tolist() == [False] * 4, "no filter holds the current"
    assert Law(0.5, bias=one).busy(State(zero, zero), zero).tolist() == busy
    assert filtered.busy(State(zero, zero), zero).tolist() == [False] * 4


def shifted(x: int, factor: int) -> int:
    """Lava's decay: ``sgn(x) * ((|x| * factor) >> 12)``."""
    return (-1 if x < 0 else 1) * ((abs(x) * factor) >> 12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("factor", [0, 1, 3, 1000, 1024, 2047, 2048, 3000, 4095, 4096])
def test_decay_is_the_shift_of_whole_numbers(factor: int, dtype: torch.dtype) -> None:
    sizes = [0, 1, 2, 4095, 4096, 4097, 5000, 2**22 + 1, 3 * 2**21 + 12345, LIMIT - 4095, LIMIT - 1]
    x = [sign * size for size in sizes for sign in (1, -1)]
    expected = [shifted(each, factor) for each in x]
    for keep in (
        factor / 4096,
        torch.tensor(factor / 4096, dtype=dtype),
        torch.full((len(x),), factor / 4096).to(dtype),
    ):
        assert decayed(torch.tensor(x, dtype=dtype), keep, truncates=True).tolist() == expected


def test_decay_in_floats_cuts_nothing() -> None:
    assert decayed(torch.tensor([5.0, -3.0]), 0.5, truncates=False).tolist() == [2.5, -1.5]
    kept = torch.tensor([5.0])
    assert decayed(kept, 1.0, truncates=True) is kept, "nothing to do"


@pytest.mark.parametrize(
    ("keep", "fits"),
    [(0.0, True), (1 / 4096, True), (0.5, True), (0.25, True), (3 / 4, False), (5 / 4096, False), (4095 / 4096, False)],
)
def test_products_with_powers_of_two_fit_float32(keep: float, fits: bool) -> None:
    """2^23 x 3/4 needs no more bits than 2^23 x 3 does: 25, and float32 has 24."""
    assert laws._product_fits(keep) is fits
    assert laws._product_fits(torch.tensor(keep)) is False, "not known"


def test_products_with_more_than_the_whole_are_not_known_to_fit() -> None:
    assert laws._product_fits(2.0) is False
    assert laws._product_fits(1.0) is True


def test_float64_takes_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where float32 has to be split in two, which takes three times as long."""
    cut: list[list[float]] = []
    real = torch.trunc

    def noted(x: torch.Tensor) -> torch.Tensor:
        cut.append(x.tolist())
        return real(x)

    monkeypatch.setattr(torch, "trunc", noted)
    x = torch.tensor([5000.0, -4097.0], dtype=torch.float64)
    assert decayed(x, 3 / 4, truncates=True).tolist() == [3750, -3072]
    assert cut == [[3750, -3072.75]]


@pytest.mark.parametrize(
    ("current", "wrapped"),
    [
        (LIMIT - 1, LIMIT - 1),
        (LIMIT, LIMIT),
        (LIMIT + 1, 1 - LIMIT),
        (1 - LIMIT, 1 - LIMIT),
        (-LIMIT, LIMIT),
        (-LIMIT - 1, LIMIT - 1),
        (3 * LIMIT, LIMIT),
        (5 * LIMIT, 3 * LIMIT),
        (-5 * LIMIT, -3 * LIMIT),
        (2**31 - 1, 2**31 - 1 - 2**24),
        (2**31, 2**24 - 2**31),
        (-(2**31), 2**24 - 2**31),
        (-(2**31) - 1, 2**31 - 1 - 2**24),
    ],
)
def test_a_current_wraps_once(current: int, wrapped: int) -> None:
    """``(-2^23, 2^23]``, by one period of 2^24, after the sum has wrapped in 32 bits."""
    arriving = torch.tensor([float(current)], dtype=torch.float64)
    assert laws.wrapped(arriving).tolist() == [wrapped]
    assert Law(1.0, arithmetic=FIXED_POINT).current(arriving, arriving).tolist() == [wrapped]
    assert Law(1.0).current(arriving, arriving).tolist() == [current]
    assert laws.wrapped(torch.tensor([0.0, float(current)], dtype=torch.float64)).tolist() == [0, wrapped]


@pytest.mark.parametrize(
    ("total", "wrapped"),
    [
        (2**31 - 1, 2**31 - 1),
        (2**31, -(2**31)),
        (-(2**31), -(2**31)),
        (-(2**31) - 1, 2**31 - 1),
        (2**33 + 7, 7),
    ],
)
def test_sums_wrap_in_32_bits(total: int, wrapped: int) -> None:
    assert laws.wrapped_to_32_bits(torch.tensor([float(total)], dtype=torch.float64)).tolist() == [wrapped]


def test_a_potential_is_clipped_to_24_bits_after_its_sum_has_wrapped() -> None:
    law, zero = Law(1.0, arithmetic=FIXED_POINT), torch.zeros(6, dtype=torch.float64)
    u = torch.tensor([LIMIT - 1, LIMIT, 1 - LIMIT, -LIMIT, 2**31, 2**31 - 1], dtype=torch.float64)
    high, low = LIMIT - 1, 1 - LIMIT
    assert law.potential(zero, u).tolist() == [high, high, low, low, low, high]
    assert Law(1.0).potential(zero, u).tolist() == u.tolist()
    assert Law(1.0, arithmetic=Arithmetic(saturates=True)).potential(zero, u).tolist()[4] == high
    assert Law(1.0, arithmetic=Arithmetic(wraps=True)).potential(zero, u).tolist()[4] == -(2**31)


def test_what_equal_inputs_gather() -> None:
    assert gathered(1.0, 3) == 3
    assert gathered(0.5, 3) == 1 + 0.5 + 0.25
    assert gathered(0.0, 3) == 1


def test_the_largest_is_of_absolute_values() -> None:
    assert largest(torch.tensor([-3.0, 2.0])) == 3
    assert largest(torch.tensor([-3.0, 4.0])) == 4
    assert largest(torch.tensor([2.0, 4.0], requires_grad=True)) == 4


def test_exact_kernels_turn_off_what_rounds_and_back_on() -> None:
    def state() -> tuple[bool, bool, str]:
        return torch._C._get_nnpack_enabled(), torch.backends.cudnn.enabled, torch.get_float32_matmul_precision()

    torch.set_float32_matmul_precision("high")
    try:
        before = state()
        with pytest.raises(KeyError), exact_kernels():
            assert state() == (False, False, "highest")
            raise KeyError
        assert state() == before == (True, True, "high")
    finally:
        torch.set_float32_matmul_precision("highest")


def test_a_population_has_the_law_of_its_registers() -> None:
    neuron = Neuron(du=1023, dv=1024, vth=5, bias=np.array([3, 0]), bias_exp=3)
    law = law_of(neuron)
    assert (law.keep_u, law.keep_v, law.threshold, law.gain_u) == (0.75, 0.75, 320, 64)
    assert (law.v_reset, law.biases, law.gain_v, law.arithmetic) == (0, None, None, FIXED_POINT)
    assert law.bias is not None
    assert law.bias.tolist() == [[24, 0]]
    assert law_of(Neuron(du=4095, dv=0, vth=5, bias=np.zeros(2, np.int64))).keep_u is None
    assert law_of(Neuron(du=4094, dv=0, vth=5, bias=np.zeros(2, np.int64))).keep_u == 1 / 4096
    assert law_of(Neuron(du=4095, dv=0, vth=5, bias=np.zeros(2, np.int64))).bias is None, "of nothing but zeros"
    assert FIXED_POINT == Arithmetic(True, True, True, True)


def test_mantissas_that_the_host_sets_are_of_samples_or_of_steps() -> None:
    neuron = Neuron(du=4095, dv=0, vth=5, bias=np.array([7, 7]), bias_exp=1)
    samples = np.array([[1, 0], [2, 3], [4, 5]])
    for given in (samples, samples[None]):
        law = law_of(neuron, given)
        assert law.bias is not None
        assert (law.bias.tolist(), law.biases) == ([[2, 0], [4, 6], [8, 10]], None)
    one = law_of(neuron, samples[:1])
    assert one.bias is not None
    assert (one.bias.tolist(), one.biases) == ([[2, 0]], None), "of a single sample"
    steps = law_of(neuron, np.stack([samples, samples + 1]))
    assert steps.bias is None
    assert steps.biases is not None
    assert steps.biases.tolist() == [[[2, 0], [4, 6], [8, 10]], [[4, 2], [6, 8], [10, 12]]]


def test_the_limits_are_those_of_the_types() -> None:
    """24 bits of a register, 32 of a sum, and what float32 holds without gaps."""
    assert laws.STATE_LIMIT == LIMIT
    assert torch.iinfo(torch.int32).max + 1 == laws.INT32_LIMIT
    held = torch.arange(laws.FLOAT32_LIMIT - 2, laws.FLOAT32_LIMIT + 2, dtype=torch.float64)
    assert (held.float().double() - held).tolist() == [0, 0, 0, -1]
