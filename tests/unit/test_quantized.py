"""A student's integers: each rule against plain Python integers, each gradient against its definition."""

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spikewright.base.errors import InputError
from spikewright.chip.law import decayed
from spikewright.chip.registers import Registers, is_mixed, weight_scale
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.integers.folding import fold_norms
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.integers.neurons import bias_on_grid, weight_integers
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking
from spikewright.student.student import Student

LIMITS = load_profile("loihi2").limits


def by_hand(value: int, keep: int) -> int:
    return (1 if value > 0 else -1) * ((abs(value) * keep) >> 12)


@given(
    st.lists(st.integers(-(2**23) + 1, 2**23 - 1), min_size=1, max_size=50),
    st.integers(0, 4096),
)
def test_decay_in_float32_is_the_chips(values: list[int], keep: int) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    expected = [by_hand(v, keep) for v in values]
    assert decayed(x, keep / 4096, truncates=True).tolist() == expected
    assert decayed(x, torch.tensor(keep / 4096), truncates=True).tolist() == expected, "a constant of each neuron"
    assert decayed(x.double(), keep / 4096, truncates=True).tolist() == expected


def test_weights_round_to_even_numbers_and_learn_straight_through() -> None:
    registers = Registers.of(LIMITS)
    weight = torch.tensor([0.8, -0.4, 0.1037, 3.0, -3.0], requires_grad=True)
    integers = weight_integers(weight, 100.0, registers)
    assert integers.tolist() == [80, -40, 10, 254, -254]
    (integers * torch.tensor([1.0, 2.0, 3.0, -1.0, -1.0])).sum().backward()
    # The last two are clipped: against its gradient 3.0 would go farther out, -3.0 comes back.
    assert weight.grad is not None
    assert weight.grad.tolist() == [100, 200, 300, 0, -100]


@pytest.mark.parametrize(("bits", "step", "top"), [(8, 2, 254), (6, 8, 248), (4, 32, 224), (2, 128, 128)])
def test_grids_of_mixed_weights(bits: int, step: int, top: int) -> None:
    assert Registers.of(LIMITS, bits).grid(mixed=True) == (step, top)
    assert Registers.of(LIMITS, bits).grid(mixed=False)[0] == step // 2


@pytest.mark.parametrize("bits", [1, 9])
def test_weight_bits_that_a_chip_has_not(bits: int) -> None:
    with pytest.raises(InputError, match=rf"weight_bits={bits}: may be 2\.\.8 on this chip"):
        Registers.of(LIMITS, bits)


@pytest.mark.parametrize("bits", [2, 4])
def test_few_levels_clip_rare_large_weights(bits: int) -> None:
    weight = np.random.default_rng(0).normal(size=(20, 30))
    registers = Registers.of(LIMITS, bits)
    step, top = registers.grid(is_mixed(weight))

    def error(scale: float) -> float:
        return float(np.square(np.clip(np.rint(scale * weight / step) * step, -top, top) / scale - weight).mean())

    largest = top / np.abs(weight).max()
    assert weight_scale([weight], registers) > largest
    assert error(weight_scale([weight], registers)) < 0.7 * error(largest)
    assert weight_scale([weight], Registers.of(LIMITS)) == 254 / np.abs(weight).max()


def test_biases_round_within_their_register() -> None:
    bias = torch.tensor([0.123, -0.5, 90.0], requires_grad=True)
    found = bias_on_grid(bias, 100.0, Registers.of(LIMITS))
    torch.testing.assert_close(found, torch.tensor([0.12, -0.5, 40.95]))
    found.sum().backward()
    assert bias.grad is not None
    assert bias.grad.tolist() == [1, 1, 1]


def test_folded_norms_compute_the_same() -> None:
    torch.manual_seed(0)
    convolution, dense = nn.Conv2d(2, 3, 3, bias=False), nn.Linear(12, 4)
    network = nn.Sequential(convolution, nn.BatchNorm2d(3), nn.Flatten(), dense, nn.BatchNorm1d(4))
    for norm in (network[1], network[4]):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.1, 2)
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    network.eval()
    images = torch.randn(5, 2, 4, 4)
    before = network(images)
    fold_norms(network)
    torch.testing.assert_close(network(images), before)
    assert not any(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) for m in network.modules())


def own(network: nn.Module) -> Student:
    return Student(StudentConfig("own", 1, (1, 8, 8), 3, 4, "rate", "membrane"), network).eval()


def test_what_cannot_be_trained_on_integers_is_said_at_once() -> None:
    zero = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
    loop = snn.RLeaky(beta=0.5, linear_features=9, **zero)
    network = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 9), loop, Multiplied(-2.0), nn.Linear(9, 8), spiking(NeuronSettings()),
        nn.Linear(8, 3), integrator(),
    )  # fmt: skip
    network[5].threshold = torch.linspace(0, 1, 8)
    with pytest.raises(InputError) as caught:
        become_integer(own(network), load_profile("loihi2"), "loihi2")
    assert "2: feeds itself, which is trained in floats alone: integer_from=1" in str(caught.value)
    assert "mul: multiplies spikes by -2; multiply the weights behind it instead" in str(caught.value)
    assert "5: has thresholds that are not above 0" in str(caught.value)


class Multiplied(nn.Module):
    """A number times what comes."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return value * self.factor


def test_weights_that_outgrow_the_current_lower_their_scale() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(1600, 3), integrator())
    config = StudentConfig("own", 1, (1, 40, 40), 3, 4, "rate", "membrane")
    profile = load_profile("loihi2")
    student = become_integer(Student(config, network).eval(), profile, "loihi2")
    assert student.grid is not None
    before = student.grid.scales["2"]
    assert not settle(student, profile)
    with torch.no_grad():
        student.network[1].weight.abs_()
    assert settle(student, profile)
    after = student.grid.scales["2"]
    assert after < before
    integers = weight_integers(student.network[1].weight.detach(), after, student.grid.registers)
    peak = 64 * float(integers.sum(1).max())
    assert 0.98 * 2**23 < 4 * peak < 2**23, "four steps of the largest current stay below the readout's threshold"


def test_a_saved_student_computes_the_same_integers(tmp_path) -> None:
    from spikewright.student.student import load_student, save_student

    torch.manual_seed(0)
    config = StudentConfig("convnet", 4, (1, 8, 8), 5, 3, "direct", "membrane", 6)
    student = become_integer(Student(config).eval(), load_profile("loihi2-assumed"), "loihi2-assumed", 4)
    save_student(student, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt")
    assert again.grid == student.grid
    images = torch.rand(6, 1, 8, 8)
    for name, states in student.registers(images)[0].items():
        assert torch.equal(states.v, again.registers(images)[0][name].v)


def test_no_weight_is_clipped_where_any_connection_has_many_levels() -> None:
    """With six bits weights of both signs have 31 levels and others 63, and both share one scale."""
    random = np.random.default_rng(0)
    both, one = random.normal(size=(20, 30)), np.abs(random.normal(size=(20, 30)))
    registers = Registers.of(LIMITS, 6)
    assert [top // step for step, top in map(registers.grid, (True, False))] == [31, 63]
    unclipped = min(248 / np.abs(both).max(), 252 / one.max())
    assert weight_scale([both, one], registers) == unclipped
    assert weight_scale([both], registers) > 248 / np.abs(both).max(), "alone it gains by clipping"
