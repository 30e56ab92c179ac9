"""The compartment's arithmetic against Lava's rules written in Python integers, one at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spikewright.chip.law import FIXED_POINT, Law, largest
from spikewright.chip.network import Neuron
from spikewright.simulation.kernel import Buffers, Rules, _update_by_law, integrate

HALF = 2**23


def int32(x: int) -> int:
    return (x + 2**31) % 2**32 - 2**31


def decay(x: int, register: int) -> int:
    sign = -1 if x < 0 else 1
    return sign * ((abs(x) * (4096 - register)) >> 12)


class Slow:
    """One compartment, as lava.proc.lif's bit-accurate model computes it."""

    def __init__(self, neuron: Neuron) -> None:
        self.neuron = neuron
        self.u = self.v = self.wraps = self.saturations = self.active = 0

    def step(self, a: int) -> bool:
        neuron, bias = self.neuron, int(self.neuron.bias[0]) << self.neuron.bias_exp
        self.active += bool(a or bias or self.v or (self.u and neuron.du < 4095))
        u = int32(decay(self.u, neuron.du + 1) + (a << 6))
        self.wraps += u > HALF or u <= -HALF
        self.u = u - 2 * HALF if u > HALF else u + 2 * HALF if u <= -HALF else u
        v = int32(decay(self.v, neuron.dv) + self.u + bias)
        self.saturations += abs(v) > HALF - 1
        self.v = max(-HALF + 1, min(HALF - 1, v))
        fired = self.v > neuron.vth << 6
        self.v = 0 if fired else self.v
        return fired


neurons = st.builds(
    Neuron,
    du=st.one_of(st.just(4095), st.integers(0, 4095)),
    dv=st.integers(0, 4096),
    vth=st.one_of(st.integers(0, 500), st.integers(0, 131071)),
    bias=st.integers(-4096, 4095).map(lambda bias: np.array([bias], dtype=np.int64)),
    bias_exp=st.integers(0, 7),
)
inputs = st.one_of(
    st.lists(st.integers(-300, 300), min_size=1, max_size=12),
    st.lists(st.integers(-(2**18), 2**18), min_size=1, max_size=12),
    st.lists(st.integers(-(2**27), 2**27), min_size=1, max_size=12),
)


@given(neuron=neurons, arriving=inputs)
def test_equals_python_integers(neuron: Neuron, arriving: list[int]) -> None:
    slow = Slow(neuron)
    expected = [(slow.step(a), slow.u, slow.v) for a in arriving]
    a = torch.tensor(arriving, dtype=torch.float64)[:, None, None]
    trace = integrate(Rules.of(neuron, neuron.bias[None], len(arriving), largest(a)), a, record_states=True)
    found = zip(trace.spikes.flatten().bool(), trace.u.flatten().int(), trace.v.flatten().int(), strict=True)
    assert [(bool(s), int(u), int(v)) for s, u, v in found] == expected
    assert int(trace.last_v) == slow.v
    tally = trace.tally
    assert trace.active.shape == (len(arriving), 1)
    assert int(trace.active.sum()) == slow.active
    assert (tally.active_updates, tally.overflows.wraps, tally.overflows.clips) == (
        slow.active,
        slow.wraps,
        slow.saturations,
    )


def test_states_are_kept_where_they_are_asked_for_alone() -> None:
    a = torch.ones(4, 1, 1, dtype=torch.float64)
    rules = Rules.of(plain(), np.zeros((1, 1), np.int64), 4, 1.0)
    unasked, asked = integrate(rules, a), integrate(rules, a, record_states=True)
    assert [len(trace.u) for trace in (unasked, asked)] == [len(trace.v) for trace in (unasked, asked)] == [0, 4]


def plain(**changes: int) -> Neuron:
    registers = {"du": 4095, "dv": 0, "vth": 1, **changes}
    return Neuron(bias=np.zeros(1, dtype=np.int64), **registers)


def run(neuron: Neuron, arriving: list[int]) -> tuple[list[int], list[int], list[int]]:
    a = torch.tensor(arriving, dtype=torch.float64)[:, None, None]
    trace = integrate(Rules.of(neuron, neuron.bias[None], len(arriving), largest(a)), a, record_states=True)
    return tuple([int(x) for x in values.flatten()] for values in (trace.spikes, trace.u, trace.v))


def test_the_threshold_is_strict() -> None:
    assert run(plain(vth=3), [3])[0] == [0]
    assert run(plain(vth=3), [4])[0] == [1]


def test_a_spike_empties_the_membrane_in_its_own_step_and_keeps_the_current() -> None:
    spikes, u, v = run(plain(du=0), [2, 0])
    assert (spikes, v) == ([1, 1], [0, 0])
    assert u == [128, 127]  # 128 * 4095 >> 12


@pytest.mark.parametrize(("a", "wrapped"), [(2**17, 2**23), (2**17 + 1, -(2**23) + 64), (-(2**17), 2**23)])
def test_the_current_wraps_by_one_period(a: int, wrapped: int) -> None:
    assert run(plain(vth=131071), [a])[1] == [wrapped]


@pytest.mark.parametrize("sign", [1, -1])
def test_decay_rounds_toward_zero(sign: int) -> None:
    _, _, v = run(plain(dv=4095, vth=131071), [sign * 100, 0])
    assert v == [sign * 6400, sign * 1]


def test_buffers_give_the_same_memory_again() -> None:
    buffers = Buffers()
    first = buffers.take("v", (4, 5), torch.float64)
    again = buffers.take("v", (2, 3), torch.float64)
    assert again.data_ptr() == first.data_ptr()
    assert buffers.take("u", (2, 3), torch.float64).data_ptr() != first.data_ptr()
    assert again.shape == (2, 3)


changing = st.lists(st.integers(-4096, 4095), min_size=1, max_size=12)


@given(neuron=neurons, biases=changing)
def test_biases_that_change_from_step_to_step_equal_python_integers(neuron: Neuron, biases: list[int]) -> None:
    slow = Slow(neuron)
    expected = []
    for bias in biases:
        slow.neuron = replace(neuron, bias=np.array([bias]))
        expected.append((slow.step(0), slow.u, slow.v))
    given_biases = np.array(biases, np.int64)[:, None, None]
    rules = Rules.of(neuron, given_biases, len(biases), 0)
    trace = integrate(rules, torch.zeros(1, 1, 1, dtype=torch.float64), record_states=True)
    found = zip(trace.spikes.flatten().bool(), trace.u.flatten().int(), trace.v.flatten().int(), strict=True)
    assert [(bool(s), int(u), int(v)) for s, u, v in found] == expected
    tally = trace.tally
    assert tally.overflows is not None
    found = tally.active_updates, tally.overflows.wraps, tally.overflows.clips
    assert found == (slow.active, slow.wraps, slow.saturations)


def test_a_model_of_ones_own_counts_what_leaves_its_registers_on_either_side() -> None:
    u, v = torch.zeros(4, dtype=torch.float64), torch.tensor([-HALF + 1.0, HALF - 1.0, 0.0, 0.0], dtype=torch.float64)
    arriving = torch.tensor([-HALF / 2, HALF / 2, HALF + 5.0, -HALF - 5.0], dtype=torch.float64)
    counts = _update_by_law(None, Law(keep_v=1.0, arithmetic=FIXED_POINT), u, v, arriving)  # type: ignore[arg-type]
    assert counts == (2, 2)
    assert u.tolist() == [-HALF / 2, HALF / 2, 5 - HALF, HALF - 5]
    assert v.tolist() == [1 - HALF, HALF - 1, 5 - HALF, HALF - 5]
