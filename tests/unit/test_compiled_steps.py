"""The compiled loops step a layer, and learn through its steps, as plain operations of torch do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.chip.law import Law, State
from spikewright.chip.neuron_models import OF_RESET, law_with
from spikewright.kernels.codes import GIVEN
from spikewright.student import compiled
from spikewright.student.integers.limits import CLIPS, Limits
from spikewright.student.integers.neurons import INTEGERS, IntegerLaw, step_integers
from spikewright.student.plain_steps import Past, Steps, learn_plainly, step_plainly

SURROGATES = {
    "atan": snn.surrogate.atan(),
    "steep atan": snn.surrogate.atan(5.0),
    "fast sigmoid": snn.surrogate.fast_sigmoid(10),
    "sigmoid": snn.surrogate.sigmoid(3),
    "triangular": snn.surrogate.triangular(),
    "straight through": snn.surrogate.straight_through_estimator(),
    "one of the user": lambda x: torch.sigmoid(3 * x),
}
SHAPES = st.sampled_from([(1,), (7,), (513,), (3, 5, 4), (2, 20, 30)])


def same_bits(one: torch.Tensor | None, other: torch.Tensor | None) -> bool:
    """Whether two tensors are equal in every value, or there is neither."""
    return one is other if one is None or other is None else bool(torch.equal(one, other))


def past_of(law: Law, steps: Steps, spike_grad: Any, wanted: Sequence[bool], **more: Any) -> Past:
    """What learning begins with, of a law whose constants are tensors."""
    constants: dict[str, Any] = {"keep_v": law.keep_v, "keep_u": law.keep_u, "threshold": law.threshold}
    given: dict[str, Any] = {"bias": None, "gain": None, "is_same": False, **constants, **more}
    return Past(law=type(law), steps=steps, spike_grad=spike_grad, wanted=tuple(wanted), **given)


@st.composite
def laws(draw: st.DrawFn, dtype: torch.dtype = torch.float32) -> tuple[Law, torch.Tensor, int]:
    """A law in floating point, what arrives, and T."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    shape, samples, timesteps = draw(SHAPES), draw(st.sampled_from([1, 2, 17, 40])), draw(st.integers(1, 5))
    rows = 1 if draw(st.booleans()) else timesteps
    each = draw(st.sampled_from([(), (shape[0], *[1] * (len(shape) - 1)), shape]))

    def constant(low: float, high: float) -> torch.Tensor:
        return (low + (high - low) * torch.rand(each, generator=generator)).to(dtype)

    law = law_with(draw(st.sampled_from(list(OF_RESET))))(
        keep_v=constant(0, 1),
        threshold=constant(0.3, 1.5) if draw(st.booleans()) else None,
        keep_u=constant(0, 1) if draw(st.booleans()) else None,
    )
    return law, torch.randn(rows, samples, *shape, generator=generator).to(dtype), timesteps


@given(laws())
@settings(deadline=None, max_examples=60)
def test_steps_in_floats_are_the_same_in_every_bit(case: tuple[Law, torch.Tensor, int]) -> None:
    law, arriving, timesteps = case
    assert compiled.steps_in_floats(law, arriving)
    expected, found = step_plainly(law, arriving, timesteps), compiled.step_floats(law, arriving, timesteps)
    for name in ("spikes", "membranes", "synaptics"):
        assert same_bits(getattr(found, name), getattr(expected, name)), name


@given(
    laws(torch.float64),
    st.sampled_from(list(SURROGATES)),
    st.tuples(*[st.booleans()] * 7),
    st.sampled_from([None, 0.25]),
)
@settings(deadline=None, max_examples=100)
def test_gradients_are_those_of_plain_operations(
    case: tuple[Law, torch.Tensor, int], surrogate: str, flags: tuple[bool, ...], gain: float | None
) -> None:
    law, arriving, timesteps = case
    *wanted, has_spikes, has_membranes = flags
    steps, shape = step_plainly(law, arriving, timesteps), arriving.shape[2:]
    wanted[2] = wanted[2] and law.keep_u is not None
    wanted[3] = wanted[3] and law.threshold is not None
    bias = torch.zeros(shape[0], *[1] * (len(shape) - 1), dtype=torch.float64)
    past = past_of(law, steps, SURROGATES[surrogate], wanted, gain=gain, bias=bias, is_same=len(arriving) == 1)
    assert compiled.learns(past)
    generator = torch.Generator().manual_seed(0)
    at = [torch.randn(steps.membranes.shape, generator=generator, dtype=torch.float64) for _ in range(2)]
    at_spikes = at[0] if has_spikes and law.threshold is not None else None
    at_membranes = at[1] if has_membranes or at_spikes is None else None
    expected = learn_plainly(past, at_spikes, at_membranes)
    found = compiled.learn(past, at_spikes, at_membranes)
    for name, want in zip(found._fields, wanted, strict=True):
        one, other = getattr(found, name), getattr(expected, name)
        if want and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-6)
        elif want:
            assert one is None or not one.any(), name
        else:
            assert one is None, name


@pytest.mark.parametrize("surrogate", ["atan", "steep atan", "fast sigmoid"])
def test_slopes_are_those_of_snntorch_to_the_last_bits(surrogate: str) -> None:
    membranes = torch.linspace(-3, 5, 4001).reshape(1, 1, -1)
    law = Law(torch.tensor(0.0), torch.tensor(1.0))
    steps = step_plainly(law, membranes, 1)
    past = past_of(law, steps, SURROGATES[surrogate], (True, *[False] * 4))
    assert compiled._surrogate(past.spike_grad)[0] != GIVEN
    at_spikes = torch.linspace(1, 2, 4001).reshape(1, 1, -1)
    found = compiled.learn(past, at_spikes, None).current
    torch.testing.assert_close(found, learn_plainly(past, at_spikes, None).current, rtol=3e-7, atol=0)


@st.composite
def integer_laws(draw: st.DrawFn) -> tuple[Law, torch.Tensor, int]:
    """A law in the chip's units whose registers stay in their bounds, what arrives, and T."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    shape, samples, timesteps = draw(SHAPES), draw(st.sampled_from([1, 3, 33])), draw(st.integers(1, 5))
    rows = 1 if draw(st.booleans()) else timesteps
    arriving = torch.randint(-300, 300, (rows, samples, *shape), generator=generator).float()
    arriving *= draw(st.sampled_from([1, 300]))  # beyond 24 bits of a potential
    arriving *= torch.rand(arriving.shape, generator=generator) < draw(st.sampled_from([0.1, 1.0]))
    kind = draw(st.sampled_from(["none", "channels", "neurons", "samples", "steps"]))
    sizes: dict[str, Any] = {"none": None, "channels": (shape[0], *[1] * (len(shape) - 1)), "neurons": shape,
             "samples": (samples, *shape), "steps": (timesteps, samples, *shape)}  # fmt: skip
    bias = None if kind == "none" else 64.0 * torch.randint(-9, 9, sizes[kind], generator=generator)
    each = draw(st.sampled_from([(), (shape[0], *[1] * (len(shape) - 1)), shape]))
    shares = [torch.randint(0, most, each, generator=generator) / 4096 for most in (4097, 4096)]
    keep_v, keep_u = shares if each else map(float, shares)
    return (
        law_with(draw(st.sampled_from(list(OF_RESET))))(
            keep_v=keep_v,
            threshold=draw(st.sampled_from([None, 64 * 50, 64 * 200])),
            keep_u=draw(st.sampled_from([None, keep_u])),
            gain_u=64,
            bias=None if kind == "steps" else bias,
            biases=bias if kind == "steps" else None,
            arithmetic=INTEGERS,
        ),
        arriving,
        timesteps,
    )


@given(integer_laws())
@settings(deadline=None, max_examples=100)
def test_steps_on_integers_are_the_same_in_every_bit(case: tuple[Law, torch.Tensor, int]) -> None:
    law, arriving, timesteps = case
    limits, busy, overflows = Limits(wraps=False, clips=True), [], torch.zeros(timesteps, arriving.shape[1], 2).long()

    def observe(step: int, a: torch.Tensor, before: State, after: State, potential: torch.Tensor) -> None:
        busy.append(law.at(step).busy(before, a).flatten(1).sum(1))
        limits.count(law.at(step), overflows[step], a, before, after.u, potential)

    expected = step_plainly(law, arriving, timesteps, observe)
    assert compiled.steps_on_integers(law, arriving)
    unit = 1 / 64 / 37.5
    found, (active, clipped) = compiled.step_integers(law, arriving, timesteps, unit, clips=True)
    assert same_bits(found.spikes, expected.spikes)
    assert same_bits(found.membranes, expected.membranes * unit)
    assert same_bits(found.synaptics, None if expected.synaptics is None else expected.synaptics * unit)
    assert active.tolist() == torch.stack(busy).tolist()
    assert clipped.tolist() == overflows[..., CLIPS].tolist()


def test_threads_share_the_samples_and_change_no_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    law = law_with("subtract")(torch.full((40,), 0.5), torch.tensor(1.0), torch.tensor(0.5))
    arriving = torch.randn(3, 100, 40)
    monkeypatch.setattr(compiled, "SMALL", 1)
    found = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        steps = compiled.step_floats(law, arriving, 3)
        past = past_of(law, steps, SURROGATES["atan"], (True, True, True, True, False))
        found.append([steps.spikes, steps.membranes, steps.synaptics, *compiled.learn(past, arriving, None)[:4]])
    for other in found[1:]:
        assert all(same_bits(*pair) for pair in zip(found[0], other, strict=True))


def test_what_the_loops_do_not_count_is_left_to_plain_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[int] = []
    real = compiled.step_integers

    def counted(*given: Any) -> Any:
        called.append(1)
        return real(*given)

    def law(threshold: float | None, ceiling: int | None = None) -> IntegerLaw:
        chip = Law(0.5, None if threshold is None else 64 * threshold, gain_u=64, arithmetic=INTEGERS)
        return IntegerLaw(chip, Law(torch.tensor(0.5), torch.tensor(1.0), gain_u=0.1), ceiling)

    monkeypatch.setattr(compiled, "step_integers", counted)
    for threshold, largest, overflow, compiled_here in (
        (10.0, 100.0, [0, 0], True),
        (1.4e5, 120000.0, [0, 3], True),  # a potential is clipped
        (10.0, 150000.0, [3, 3], False),  # a current wraps, to one that clips a potential
    ):
        called.clear()
        made = step_integers(law(threshold), torch.full((1, 2, 3), largest), 4, SURROGATES["atan"])
        assert bool(called) == compiled_here
        assert made.overflows[1, 0].tolist() == overflow
    called.clear()
    step_integers(law(10.0), torch.ones(1, 2, 3), 4, SURROGATES["atan"], record=True)
    assert not called, "registers are to be kept"
    made = step_integers(law(None, 8000000), torch.full((1, 2, 3), 120000.0), 4, SURROGATES["atan"])
    assert not called, "an integrator may be reset"
    assert made.resets is not None
    assert made.resets.any()


@pytest.mark.parametrize(
    "law",
    [
        Law(0.5, 1.0, gain_v=torch.tensor(2.0)),
        Law(0.5, 1.0, v_reset=0.5),
        Law(0.5, 1.0, bias=torch.tensor(1.0)),
        Law(0.5, 1.0, arithmetic=INTEGERS),
        Law(torch.full((2, 3), 0.5), 1.0),
    ],
)
def test_other_laws_are_left_to_plain_operations(law: Law) -> None:
    assert not compiled.steps_in_floats(law, torch.ones(4, 2, 3))
    assert compiled.steps_in_floats(replace(Law(0.5, 1.0)), torch.ones(4, 2, 3))


def test_a_law_of_ones_own_is_left_to_plain_operations() -> None:
    class Other(Law):
        """Fires otherwise."""

    assert not compiled.steps_in_floats(Other(0.5, 1.0), torch.ones(4, 2, 3))
    assert not compiled.steps_on_integers(Other(0.5, 64, gain_u=64, arithmetic=INTEGERS), torch.ones(4, 2, 3))
