"""Limits from their texts: names, values and refusals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from spikewright.base.errors import BelowFloor, InputError
from spikewright.data.load import load
from spikewright.profile.profile import load_profile
from spikewright.profile.units import Amount
from spikewright.training.limits import EnergyLimit, OperationsLimit, RateLimit, limits_of
from spikewright.training.settings import Budget, StudentSpec
from spikewright.training.sizing import Size, choose_size

DIGITS, PROFILE = load("digits"), load_profile("loihi1-davies")


@pytest.fixture(scope="module")
def size() -> Size:
    return choose_size(StudentSpec(width=4, timesteps=2), DIGITS, PROFILE, None)


def found(size: Size, energy: float | None = None, **asked: Any) -> list[tuple[str, float, str]]:
    amount = None if energy is None else Amount(energy, "J")
    made = limits_of(Budget(profile="loihi1-davies", **asked), size, DIGITS, PROFILE, amount, 10)
    return [(each.constraint.name, each.constraint.limit, str(InputError(each.constraint.argument))) for each in made]


def test_every_limit_has_a_name_a_value_and_an_argument(size: Size) -> None:
    assert found(size) == []
    assert found(size, 1e-3, also_within=("loihi1-sanafe=2mJ",), max_synaptic_ops="1.5M", max_rate=("lif1=0.5",)) == [
        ("budget", 1e-3, "energy_budget=1 mJ"),
        ("budget_loihi1-sanafe", 2e-3, "also_within=loihi1-sanafe 2 mJ"),
        ("operations", 1.5e6, "max_synaptic_ops=1,500,000 synaptic operations"),
        ("rate_lif1", 0.5, "max_rate=lif1=0.5"),
    ]


@pytest.mark.parametrize(
    ("text", "count"), [("300k", 3e5), ("1.5Mops", 1.5e6), (" 2G ", 2e9), ("1000000", 1e6), (".5M", 5e5)]
)
def test_counts_have_prefixes(size: Size, text: str, count: float) -> None:
    assert found(size, max_synaptic_ops=text)[0][1] == pytest.approx(count)


@pytest.mark.parametrize("text", ["0", "-3", "many", "0k", "3x", ""])
def test_other_counts_are_refused(size: Size, text: str) -> None:
    with pytest.raises(InputError, match=r"is no positive count, e.g. 300k or 1.5M$"):
        found(size, max_synaptic_ops=text)


def test_rates_are_above_0_and_up_to_1(size: Size) -> None:
    assert found(size, max_rate=("lif1=1",))[0][1] == 1.0
    for text in ("lif1=0", "lif1=-0.1", "lif1=1.01", "lif1=much", "lif1=", "0.5", "lif1=nan"):
        with pytest.raises(InputError) as refusal:
            found(size, max_rate=(text,))
        assert str(refusal.value) == (
            f"limits: max_rate={text}: is not layer=rate with a rate above 0 and up to 1, such as lif1=0.05"
        )
    with pytest.raises(InputError, match=r"max_rate=other=0.5: there is no such layer; "):
        found(size, max_rate=("other=0.5",))


def test_of_two_rates_of_a_layer_the_lower_binds_and_of_equal_ones_the_first(size: Size) -> None:
    for texts in (("lif*=0.5", "lif1=0.25"), ("lif1=0.25", "lif*=0.5")):
        rates = {name: (rate, said) for name, rate, said in found(size, max_rate=texts)}
        assert rates.pop("rate_lif1") == (0.25, "max_rate=lif1=0.25")
        assert set(rates.values()) == {(0.5, "max_rate=lif*=0.5")}
    assert found(size, max_rate=("lif1=0.5", "lif[1]=0.5")) == [("rate_lif1", 0.5, "max_rate=lif1=0.5")]


def test_two_limits_of_one_chip_are_refused_and_of_two_are_not(size: Size) -> None:
    with pytest.raises(
        InputError, match=r"^limits: also_within=cmos45 3 µJ and also_within=cmos45 2 µJ: are limits of"
    ):
        found(size, also_within=("cmos45=3uJ", "cmos45=2uJ"))
    assert len(found(size, 1e-3, also_within=("cmos45=3mJ", "loihi1-sanafe=2mJ"))) == 3


def test_a_limit_at_its_floor_is_refused(size: Size, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def floor(_: OperationsLimit, student: Any, drive: torch.Tensor) -> float:
        del student
        seen.append(drive.shape[1])
        return 900.0

    monkeypatch.setattr(OperationsLimit, "floor", floor)
    assert found(size, max_synaptic_ops="901")[0][1] == 901
    assert seen == [500], "samples on which a floor is measured"
    for text, reserve, said in (
        ("900", 0.0, ": is below the floor of 900 synaptic operations, spent before any hidden neuron fires; a smaller "
         "width or fewer timesteps lower it"),
        ("1000", 0.1, ", less reserve=0.1, is below the floor of 900 synaptic operations, spent before any hidden "
         "neuron fires; a smaller width or fewer timesteps lower it; or reserve less"),
    ):  # fmt: skip
        with pytest.raises(BelowFloor) as refusal:
            found(size, max_synaptic_ops=text, reserve=reserve)
        assert str(refusal.value) == f"max_synaptic_ops={int(text):,} synaptic operations{said}"


def test_what_limits_measure() -> None:
    spikes = {"lif1": torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]]), "lif2": torch.zeros(2, 1, 5)}
    output: Any = SimpleNamespace(timesteps=2, mean_counts={name: each.sum(0).mean(0) for name, each in spikes.items()})
    reading: Any = SimpleNamespace(total=torch.tensor(3.0), operations=torch.tensor(7.0))
    rate = RateLimit("lif1", 0.25)
    assert float(rate.value(output, reading)) == 3 / 4, "of two neurons in two steps"
    assert (rate.name, rate.title, str(InputError(rate.argument))) == (
        "rate_lif1", "spike rate of lif1", "max_rate=lif1=0.25",
    )  # fmt: skip
    assert rate.say(0.25) == "0.2500 spikes per neuron and step"
    cost: Any = SimpleNamespace(unit="J", read=lambda _: SimpleNamespace(total=torch.tensor(5.0)))
    assert float(OperationsLimit(9.0, cost).value(output, reading)) == 7
    main, other = (EnergyLimit(1e-6, PROFILE, cost, *is_main) for is_main in ((), (False,)))
    assert (float(main.value(output, reading)), float(other.value(output, reading))) == (3, 5)
    assert (main.name, main.title, other.name, other.title) == (
        "budget", "energy", "budget_loihi1-davies", "energy on loihi1-davies",
    )  # fmt: skip
