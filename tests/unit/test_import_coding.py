"""Spikes that a network makes of its samples itself: the encoding that makes the same, or a refusal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import snntorch as snn
import torch
from snntorch import spikegen
from snntorch.spikegen import rate
from torch import Tensor, nn

import spikewright as sw
from spikewright.base.errors import InputError

STEPS, BATCH = 6, 4


class Coded(nn.Module):
    """A dense layer behind a code of a test."""

    def __init__(self, code: Callable[[Tensor], Any]) -> None:
        torch.manual_seed(0)
        super().__init__()
        self.fc, self.lif, self.code = nn.Linear(20, 10), snn.Leaky(beta=0.9), code
        with torch.no_grad():
            self.fc.weight *= 6

    def forward(self, x: Tensor) -> Tensor:
        mem, spikes = self.lif.reset_mem(), []
        for entering in self.code(x.flatten(1)):
            spk, mem = self.lif(self.fc(entering), mem)
            spikes.append(spk)
        return torch.stack(spikes)


def imported(code: Callable[[Tensor], Any], **asked: Any) -> sw.Student:
    torch.manual_seed(1)
    return sw.Student.from_module(Coded(code), torch.rand(BATCH, 1, 4, 5), **asked)


def each_step(code: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.stack([code(x) for _ in range(STEPS)])


LINEAR: dict[str, Any] = {"num_steps": STEPS, "linear": True, "normalize": True}


@pytest.mark.parametrize(
    ("code", "encoding", "said"),
    [
        (lambda x: spikegen.rate(x, num_steps=STEPS), "rate", "drawn by encoding 'rate', with the same probabilities"),
        (lambda x: spikegen.rate(x, STEPS, 1.0, 0.0), "rate", "are made by spikegen.rate"),
        (each_step(lambda x: spikegen.rate_conv(x)), "rate", "are made by spikegen.rate_conv"),
        (each_step(torch.bernoulli), "rate", "are made by bernoulli"),
        (each_step(lambda x: torch.zeros_like(x).bernoulli_(x)), "rate", "are made by bernoulli_"),
        (each_step(lambda x: (torch.rand_like(x) < x).float()), "rate", "random numbers below the values"),
        (lambda x: (x > torch.rand(STEPS, *x.shape)).float(), "rate", "random numbers below the values"),
        (lambda x: spikegen.latency(x, **LINEAR), "latency", "smaller ones spike in the last step in the network"),
        (lambda x: spikegen.latency(x, clip=True, **LINEAR), "latency", "smaller ones do not spike in the network"),
        (lambda x: rate(x, STEPS), "rate", "are made by spikegen.rate;"),
    ],
)
def test_a_code_that_an_encoding_makes_gets_it(code: Any, encoding: str, said: str) -> None:
    student = imported(code)
    assert student.config.encoding == encoding and student.origin is not None
    assert said in " ".join(student.origin.remarks)
    assert student.origin.proof is not None and student.origin.proof.fired > 50


def test_the_spikes_of_a_latency_code_are_those_of_the_students_encoding() -> None:
    x = torch.linspace(0.02, 1, 40).reshape(2, 20)
    student = imported(lambda x: spikegen.latency(x, clip=True, **LINEAR))
    assert torch.equal(student.drive(x).flatten(2), spikegen.latency(x, clip=True, **LINEAR))


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            lambda x: spikegen.rate(x, num_steps=STEPS, gain=0.5, offset=0.1),
            r"spikegen\.rate with gain=0\.5 and offset=0\.1, .*: make the data 0\.5 \* value \+ 0\.1, cut off",
        ),
        (lambda x: spikegen.rate(x, num_steps=STEPS, first_spike_time=2), "with first_spike_time=2"),
        (lambda x: spikegen.rate(x / 2 + 0.1, num_steps=STEPS), r"\(spikegen\.rate\) of other values than those"),
        (each_step(lambda x: torch.bernoulli(x * 0.5)), r"\(bernoulli\) of other values than those"),
        (each_step(lambda x: torch.bernoulli(x, 0.5)), r"\(bernoulli\) of other values than those"),
        (each_step(lambda x: (torch.rand_like(x) < x * 0.5).float()), r"\(lt\) of other values than those"),
        (each_step(lambda x: (torch.rand_like(x) > x).float()), "above the value, so that larger values spike less"),
        (each_step(lambda x: (x > 0.5).float()), r"\(gt\) of other values than those"),
        (
            lambda x: spikegen.latency(x, STEPS, normalize=True),
            r"at other times than encoding 'latency'.*use linear=True",
        ),
        (lambda x: spikegen.latency(x, STEPS, linear=True), "at other times than encoding 'latency'"),
        (lambda x: spikegen.latency(x, first_spike_time=1, **LINEAR), "at other times than encoding 'latency'"),
        (lambda x: spikegen.latency(x, on_target=2, **LINEAR), "at other times than encoding 'latency'"),
        (lambda x: spikegen.latency(x.clamp(min=0.5), STEPS, tau=9, linear=True), "of other values than those"),
        (lambda x: spikegen.latency((x + 9) / 10, STEPS, linear=True, tau=9), "of other values than those"),
        (lambda x: 0.5 * spikegen.rate(x, num_steps=STEPS), "computes .*mul.* of its input before the first layer"),
        (lambda x: (spikegen.rate(x, STEPS // 2), spikegen.latency(x, **LINEAR))[1][:STEPS], None),
    ],
)
def test_a_code_that_no_encoding_makes_is_refused(code: Any, said: str | None) -> None:
    if said is None:  # a code that is not used does not count
        assert imported(code).config.encoding == "latency"
        return
    with pytest.raises(InputError, match=said):
        imported(code)


def test_a_latency_code_that_only_some_samples_pass_is_refused() -> None:
    network = Coded(lambda x: spikegen.latency(x, STEPS, linear=True, tau=6))
    with pytest.raises(InputError, match=r"which refuses some values \(The maximum value in ``spike_time`` \[6\]"):
        sw.Student.from_module(network, torch.rand(BATCH, 20) / 2 + 0.5)


def test_codes_of_two_kinds_and_series_are_refused() -> None:
    def both(x: Tensor) -> Tensor:
        return torch.cat((spikegen.rate(x, STEPS - 2), spikegen.latency(x, **LINEAR)[:2]))

    with pytest.raises(InputError, match=r"in several ways \(spikegen\.rate, spikegen\.latency\)|other times"):
        imported(both)
    network = Coded(lambda x: spikegen.rate(x.reshape(STEPS, -1, 20), time_var_input=True))
    with pytest.raises(InputError, match="of values that change from step to step, which no encoding here does"):
        sw.Student.from_module(network, torch.rand(STEPS, BATCH, 20), encoding="rate")


def test_an_encoding_beside_the_networks_own_is_refused() -> None:
    with pytest.raises(
        InputError, match="encoding=direct: the network makes its spikes itself, which is encoding 'rate'"
    ):
        imported(lambda x: spikegen.rate(x, num_steps=STEPS), encoding="direct")
    assert imported(lambda x: spikegen.rate(x, num_steps=STEPS), encoding="rate").config.encoding == "rate"
