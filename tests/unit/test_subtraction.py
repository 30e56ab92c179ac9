"""Reset by subtraction: both laws against Python integers, and the float laws against each tool's order of a step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from spikewright.base.types import Reset
from spikewright.chip.law import STATE_LIMIT, largest
from spikewright.chip.network import Neuron
from spikewright.chip.neuron_models import LAWS, OF_RESET, law_with, reset_of
from spikewright.chip.registers import Registers
from spikewright.profile.profile import load_profile
from spikewright.simulation.kernel import Rules, integrate
from spikewright.student.integers.neurons import IntegerLaw, step_integers
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import run_over_time, spiking

LIMITS = load_profile("loihi2").limits
T = 8
SUBTRACT: tuple[Reset, ...] = ("subtract", "subtract-late")


def int32(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def decay(x: int, register: int) -> int:
    return (-1 if x < 0 else 1) * ((abs(x) * (4096 - register)) >> 12)


class Plain:
    """One neuron in Python integers, as the docstring of ``chip/subtraction.py`` says it."""

    def __init__(self, neuron: Neuron, reset: Reset) -> None:
        self.neuron, self.reset = neuron, reset
        self.u = self.v = self.clips = 0
        self.fired = False

    def step(self, a: int) -> bool:
        neuron, threshold = self.neuron, self.neuron.vth << 6
        bias = int(neuron.bias[0]) << neuron.bias_exp
        u = int32(decay(self.u, neuron.du + 1) + (a << 6))
        self.u = u - 2 * STATE_LIMIT if u > STATE_LIMIT else u + 2 * STATE_LIMIT if u <= -STATE_LIMIT else u
        owed = threshold if self.fired and self.reset == "subtract-late" else 0
        v = int32(decay(self.v, neuron.dv) + self.u + bias - owed)
        self.clips += abs(v) > STATE_LIMIT - 1
        self.v = max(-STATE_LIMIT + 1, min(STATE_LIMIT - 1, v))
        self.fired = self.v > threshold
        if self.fired and self.reset == "subtract":
            self.v -= threshold
        return self.fired


neurons = st.builds(
    Neuron,
    du=st.one_of(st.just(4095), st.integers(0, 4095)),
    dv=st.integers(0, 4096),
    vth=st.one_of(st.integers(0, 500), st.integers(0, 131071)),
    bias=st.integers(-4096, 4095).map(lambda bias: np.array([bias], dtype=np.int64)),
    bias_exp=st.integers(0, 7),
)
inputs = st.one_of(
    st.lists(st.integers(-300, 600), min_size=1, max_size=12),
    st.lists(st.integers(-(2**18), 2**18), min_size=1, max_size=12),
    st.lists(st.integers(-(2**27), 2**27), min_size=1, max_size=12),
)


@pytest.mark.parametrize("reset", SUBTRACT)
@given(neuron=neurons, arriving=inputs)
def test_the_simulator_equals_python_integers(reset: Reset, neuron: Neuron, arriving: list[int]) -> None:
    neuron = replace(neuron, law=OF_RESET[reset])
    plain = Plain(neuron, reset)
    expected = [(plain.step(a), plain.u, plain.v) for a in arriving]
    a = torch.tensor(arriving, dtype=torch.float64)[:, None, None]
    trace = integrate(Rules.of(neuron, neuron.bias[None], len(arriving), largest(a)), a, record_states=True)
    found = zip(trace.spikes.flatten().bool(), trace.u.flatten().int(), trace.v.flatten().int(), strict=True)
    assert [(bool(s), int(u), int(v)) for s, u, v in found] == expected
    assert trace.tally.overflows is not None
    assert trace.tally.overflows.clips == plain.clips


@pytest.mark.parametrize("reset", SUBTRACT)
@given(
    beta=st.floats(0, 1),
    alpha=st.one_of(st.none(), st.floats(0, 1)),
    threshold=st.floats(0.1, 3),
    data=st.lists(st.integers(-2000, 4000), min_size=T, max_size=T),
)
def test_the_integer_student_equals_python_integers(
    reset: Reset, beta: float, alpha: float | None, threshold: float, data: list[int]
) -> None:
    kind = "lif" if alpha is None else "cubalif"
    module = spiking(NeuronSettings(kind, beta, alpha or 0.0, threshold, reset=reset))
    law = IntegerLaw.of(module, 100.0, Registers.of(LIMITS), torch.tensor([0.25]))
    arriving = torch.tensor(data, dtype=torch.float32)[:, None, None]
    stepped = step_integers(law, arriving, T, module.spike_grad, record=True)
    registers = {
        "du": 4095 if law.chip.keep_u is None else 4095 - round(law.chip.keep_u * 4096),
        "dv": 4096 - round(law.chip.keep_v * 4096),
        "vth": int(law.chip.threshold) // 64,
    }
    plain = Plain(Neuron(bias=np.array([25]), **registers), reset)
    expected = [(plain.step(a), plain.u, plain.v) for a in data]
    assert stepped.states is not None
    assert stepped.spikes is not None
    found = zip(stepped.spikes.flatten(), stepped.states.u.flatten(), stepped.states.v.flatten(), strict=True)
    assert [(bool(s), int(u), int(v)) for s, u, v in found] == expected
    assert int(stepped.overflows[..., 1].sum()) == plain.clips


def plain(reset: Reset, arriving: list[int], **registers: int) -> tuple[list[int], list[int]]:
    """Spikes and potentials in whole units of 64."""
    settings = {"du": 4095, "dv": 0, "vth": 10, **registers}
    neuron = Neuron(bias=np.zeros(1, np.int64), law=OF_RESET[reset], **settings)
    a = torch.tensor(arriving, dtype=torch.float64)[:, None, None]
    trace = integrate(Rules.of(neuron, neuron.bias[None], len(arriving), largest(a)), a, record_states=True)
    return [int(s) for s in trace.spikes.flatten()], [int(v) // 64 for v in trace.v.flatten()]


def test_one_threshold_a_step_and_the_rest_fires_later() -> None:
    assert plain("subtract", [35, 0, 0, 0, 0]) == ([1, 1, 1, 0, 0], [25, 15, 5, 5, 5])
    assert plain("subtract-late", [35, 0, 0, 0, 0]) == ([1, 1, 1, 0, 0], [35, 25, 15, 5, 5])


def test_what_is_left_at_the_threshold_is_silent() -> None:
    assert plain("subtract", [20, 0])[0] == [1, 0], "the comparison is strict"
    assert plain("subtract-late", [20, 0])[0] == [1, 0]


def test_the_late_threshold_does_not_decay_and_the_prompt_one_does() -> None:
    assert plain("subtract", [30, 0, 0], dv=2048)[1] == [20, 10, 5], "30 - 10, 20 / 2, 10 / 2"
    assert plain("subtract-late", [30, 0, 0], dv=2048)[1] == [30, 5, 2], "30, 30 / 2 - 10, 5 / 2 = 160 of 64"


def test_a_clip_is_made_after_the_late_subtraction_and_before_the_prompt_one() -> None:
    most = 131071  # times 64 is 63 less than the largest potential
    # 2^17 - 64 units twice: the sum is past 24 bits.
    assert plain("subtract", [most, most], vth=65536)[1] == [65535, 65535]
    assert plain("subtract-late", [most, most], vth=65536)[1] == [131071, 131071]
    assert plain("subtract-late", [most, 1], vth=1)[1] == [131071, 131071], "131071 + 1 - 1 is not clipped"


def step_of_spikingjelly(v: Tensor, x: Tensor, keep: float, threshold: float) -> tuple[Tensor, Tensor]:
    """0.0.0.0.14, ``LIFNode(decay_input=False, v_reset=None)``: charge, fire at the threshold, take it off."""
    v = v * keep + x
    spike = (v >= threshold).to(x)
    return v - spike * threshold, spike


def step_of_sinabs(v: Tensor, x: Tensor, keep: float, threshold: float) -> tuple[Tensor, Tensor]:
    """3.1.3, ``LIF(spike_fn=SingleSpike, reset_fn=MembraneSubtract(), norm_input=False)``."""
    v = keep * v + x
    spike = (v - threshold >= 0).to(x)
    return v - spike * threshold, spike


def step_of_norse(v: Tensor, x: Tensor, keep: float, threshold: float) -> tuple[Tensor, Tensor]:
    """1.1.0, ``lif_box_feed_forward_step`` with ``reset_subtract``; its gain ``dt / tau_mem`` is in ``x``."""
    v = keep * v + x
    spike = (v - threshold > 0).to(x)
    return (1 - spike) * v + spike * (v - threshold), spike


Step = Callable[[Tensor, Tensor, float, float], tuple[Tensor, Tensor]]


@pytest.mark.parametrize(
    ("step", "fires_at"), [(step_of_spikingjelly, True), (step_of_sinabs, True), (step_of_norse, False)]
)
@given(data=st.lists(st.integers(-8, 24), min_size=T, max_size=T), keep=st.sampled_from([0.0, 0.5, 0.75, 1.0]))
def test_the_prompt_law_is_other_tools_order(step: Step, fires_at: bool, data: list[int], keep: float) -> None:
    """Eighths are exact in floats, so that potentials meet the threshold exactly, and several are crossed at once."""
    threshold = 1.0
    mine = torch.nextafter(torch.tensor(threshold), torch.tensor(0.0)) if fires_at else torch.tensor(threshold)
    # Firing at the threshold is firing above the float below it, in the comparison; the subtraction takes the same off.
    law = law_with("subtract")(keep_v=keep, threshold=threshold)
    v, state = torch.zeros(1), torch.zeros(1)
    for value in data:
        x = torch.tensor([value / 8])
        v, expected = step(v, x, keep, threshold)
        potential = law.potential(state, x)
        fired = replace(law, threshold=mine).fires(potential)
        state = law.reset(potential, fired)
        assert bool(fired) == bool(expected)
        assert torch.equal(state, v)


@pytest.mark.parametrize("kind", ["lif", "cubalif"])
@given(
    beta=st.floats(0, 1),
    alpha=st.floats(0, 1),
    threshold=st.floats(0.1, 3),
    data=st.lists(st.integers(-2000, 4000), min_size=T, max_size=T),
)
def test_the_late_law_is_snntorchs_default(
    kind: str, beta: float, alpha: float, threshold: float, data: list[int]
) -> None:
    """Bit for bit, several thresholds crossed at once included."""
    constants = {"beta": beta, "threshold": threshold}
    theirs = snn.Leaky(**constants) if kind == "lif" else snn.Synaptic(alpha=alpha, **constants)
    current = torch.tensor(data, dtype=torch.float32)[:, None, None] / 700
    states: list[Tensor] = [torch.zeros(1, 1)] * (1 if kind == "lif" else 2)
    spikes, membranes = [], []
    for now in current:
        spike, *states = theirs(now, *states)
        spikes.append(spike)
        membranes.append(states[-1])
    theirs.init_hidden = True
    trace = run_over_time("n", theirs, current, T)
    assert torch.equal(trace.spikes, torch.stack(spikes))
    assert torch.equal(trace.membrane, torch.stack(membranes))


def of_snntorch_at_once(data: list[float], beta: float = 1.0) -> list[float]:
    theirs, membrane, found = snn.Leaky(beta=beta, reset_delay=False), torch.zeros(1), []
    for value in data:
        spike, membrane = theirs(torch.tensor([value]), membrane)
        found.append(float(spike))
    return found


def of_ours_at_once(data: list[float], beta: float = 1.0) -> list[float]:
    ours = spiking(NeuronSettings(beta=beta, reset="subtract"))
    current = torch.tensor(data)[:, None, None]
    trace = run_over_time("n", ours, current, len(data))
    assert trace.spikes is not None
    return [float(s) for s in trace.spikes.flatten()]


@given(data=st.lists(st.integers(-8, 8), min_size=T, max_size=T), beta=st.sampled_from([0.0, 0.5, 0.75, 1.0]))
def test_below_two_thresholds_the_prompt_law_is_snntorchs(data: list[int], beta: float) -> None:
    """With currents of up to a threshold a membrane never stays above it."""
    current = [value / 8 for value in data]
    assert of_ours_at_once(current, beta) == of_snntorch_at_once(current, beta)


def test_above_two_thresholds_snntorch_asks_for_two() -> None:
    """2.5 leaves 1.5, from which snnTorch takes a threshold before it compares and gives it back where it is silent."""
    assert of_ours_at_once([2.5, 0, 0]) == [1, 1, 0]
    assert of_snntorch_at_once([2.5, 0, 0]) == [1, 0, 0]


def test_every_reset_has_a_law_with_a_name() -> None:
    assert sorted(LAWS) == sorted(OF_RESET.values())
    assert [reset_of(name) for name in OF_RESET.values()] == list(OF_RESET)
    assert reset_of("halving") is None
