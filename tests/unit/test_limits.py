"""Limits by name: what they measure, what is refused, and that training keeps them."""

import pytest
import torch

from spikewright.base.errors import BelowFloor, InputError
from spikewright.bench.compare.jobs import TrainingJob
from spikewright.bench.compare.rows import Variant
from spikewright.bench.point import Point
from spikewright.data.load import load
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student
from spikewright.training.cost import SpikeCost
from spikewright.training.distill import distill_with
from spikewright.training.limits import OperationsLimit, RateLimit, limits_of
from spikewright.training.records import measure
from spikewright.training.settings import DistillSettings
from spikewright.training.silent import revive
from spikewright.training.sizing import choose_size

QUICK = DistillSettings.of(data="digits", width=8, timesteps=3, epochs=12, teacher_epochs=5)


def limits(**changes):
    settings = QUICK.changed(changes)
    profile = load_profile(settings.limits.profile)
    dataset = load("digits")
    return limits_of(settings.limits, choose_size(settings.student, dataset, profile, None), dataset, profile, None, 10)


def student():
    torch.manual_seed(0)
    config = StudentConfig("convnet", 4, (1, 8, 8), 10, 3, "direct", "membrane", 6, NeuronSettings(threshold=0.4))
    return Student(config)


def test_operations_and_rates_are_what_the_forward_pass_shows():
    made, profile = student(), load_profile("loihi2-assumed")
    cost = SpikeCost.of(made, profile)
    output = made(torch.rand(6, 1, 8, 8))
    reading = cost.read(output)
    operations = OperationsLimit(1.0, cost).value(output, reading)
    assert operations.item() == pytest.approx(sum(reading.synaptic_ops.values()), rel=1e-6)
    rate = RateLimit("lif1", 0.1).value(output, reading)
    assert rate.item() == pytest.approx(output.spikes["lif1"].mean().item(), rel=1e-6)
    (operations + rate).backward()
    assert made.network.conv1.weight.grad.abs().sum() > 0


def test_every_fault_is_said_at_once():
    with pytest.raises(InputError) as caught:
        limits(
            also_within=("loihi1-davies", "loihi1-davies=3", "loihi1=3uJ"),
            max_synaptic_ops="many",
            max_rate=("lif1=2", "lif9=0.1"),
        )
    text = str(caught.value)
    for part in (
        "also_within=loihi1-davies: is not profile=budget",
        "also_within=loihi1-davies: 3: say the unit",
        "'loihi1'",
        "max_synaptic_ops=many: is no positive count, e.g. 300k or 1.5M",
        "max_rate=lif1=2: is not layer=rate",
        "max_rate=lif9=0.1: there is no such layer; did you mean 'lif4'?",
    ):
        assert part in text, (part, text)


def test_a_pattern_limits_each_layer_and_the_lowest_rate_binds():
    found = limits(max_rate=("lif*=0.2", "lif2=0.05", "lif[23]=0.1"))
    rates = {held.constraint.name: held.constraint.limit for held in found}
    assert rates == {"rate_lif1": 0.2, "rate_lif2": 0.05, "rate_lif3": 0.1, "rate_lif4": 0.2}
    output = student()(torch.rand(6, 1, 8, 8))
    of_layer = {name: output.spikes[name].mean().item() for name in ("lif1", "lif2", "lif3")}
    for held in found[:3]:
        value = held.constraint.value(output, None).item()
        assert value == pytest.approx(of_layer[held.constraint.name.removeprefix("rate_")], rel=1e-6)
    assert len(set(of_layer.values())) > 1, "a mean over the layers would hide which one is above"


def test_two_limits_of_one_chip_are_refused():
    with pytest.raises(InputError) as caught:
        limits(also_within=("cmos45=3uJ", "cmos45=2uJ"), max_rate=("lif9=0.1",))
    said = "also_within=cmos45 3 µJ and also_within=cmos45 2 µJ: are limits of one chip; give the lower one alone"
    assert said in str(caught.value)
    assert "max_rate=lif9=0.1: there is no such layer" in str(caught.value), "with every other fault"


def test_a_limit_below_its_floor_is_refused():
    with pytest.raises(InputError, match=r"max_synaptic_ops=1 synaptic operations: is below the floor of"):
        limits(max_synaptic_ops="1")
    with pytest.raises(InputError, match=r"also_within=loihi1-davies 1 nJ: is below the floor of"):
        limits(also_within=("loihi1-davies=1nJ",), encoding="rate")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"max_synaptic_ops": "4k"}, "operations"),
        ({"max_rate": ("lif*=0.08",)}, "rate_lif1"),
        ({"energy_budget": "10uJ", "also_within": ("cmos45=12nJ",)}, "budget_cmos45"),
    ],
)
def test_training_keeps_each_kind_of_limit(changes, name):
    free = distill_with(QUICK.changed({"epochs": 4}))
    result = distill_with(QUICK.changed(changes))
    measured, limit = result.provenance["certificate"]["limits"][name]
    assert result.provenance["certificate"]["met"]
    assert 0.85 * limit < measured <= limit
    assert result.provenance["certificate"]["accuracy"] > 0.7
    assert any(record.multipliers[name] > 0 for record in result.history), "the limit binds"
    assert sum(result.history[-1].spikes.values()) < sum(free.history[-1].spikes.values())
    for found, most in result.provenance["certificate"]["limits"].values():
        assert found <= most


@pytest.mark.slow
def test_fewer_timesteps_where_accuracy_allows():
    whole = distill_with(QUICK)
    short = distill_with(QUICK.changed({"shorten": 100.0}))
    assert short.student.config.timesteps == 1 < whole.student.config.timesteps
    assert short.provenance["student"]["timesteps"] == 1
    kept = distill_with(QUICK.changed({"shorten": 0.0, "epochs": 2}))
    assert kept.student.config.timesteps in (1, 2, 3)


def test_silent_layers_are_found_and_woken():
    made, profile = student().eval(), load_profile("loihi2-assumed")
    with torch.no_grad():
        made.network.norm2.bias.fill_(-3.0)
    dataset = load("digits")
    cost = SpikeCost.of(made, profile)
    assert "lif2" in measure(made, dataset.validation, cost).silent
    for _ in range(60):
        measured = measure(made, dataset.validation, cost)
        if not measured.silent:
            break
        revive(made, {name: measured.silent_channels()[name] for name in measured.silent})
    assert not measure(made, dataset.validation, cost).silent
    assert made.network.norm2.bias.max().item() > -3.0


def test_single_silent_channels_are_woken_alone():
    made, profile, dataset = student().eval(), load_profile("loihi2-assumed"), load("digits")
    with torch.no_grad():
        made.network.norm1.bias[1] = -9.0
    before = made.network.norm1.bias.detach().clone()
    measured = measure(made, dataset.validation, SpikeCost.of(made, profile))
    assert measured.silent_channels()["lif1"][1]
    assert measured.dead["lif1"] >= 16
    revive(made, {"lif1": torch.tensor([False, True, False, False])})
    moved = (made.network.norm1.bias - before).tolist()
    assert moved == pytest.approx([0, 0.25 * 0.4, 0, 0], abs=1e-5)


def test_settings_that_would_do_nothing_are_refused_at_once():
    with pytest.raises(InputError) as caught:
        distill_with(QUICK.changed({"integer_from": 1.0, "weight_bits": 4, "shorten": 1.0}))
    text = str(caught.value)
    assert "weight_bits=4: is for training on integers, which integer_from=1 leaves out; round afterwards" in text
    assert "shorten: T is shortened where training on integers begins" in text
    with pytest.raises(InputError, match=r"reserve=0\.01: .* there is no limit; give one, such as energy_budget"):
        distill_with(QUICK.changed({"reserve": 0.01}))


def test_a_bench_leaves_no_reserve_where_nothing_is_limited():
    common = QUICK.changed({"reserve": 0.01})
    assert (common.within(None).limits.reserve, common.within("1uJ").limits.reserve) == (0.0, 0.01)
    assert common.changed({"max_rate": ("lif1=0.1",)}).within(None).limits.reserve == 0.01
    free, held = Point(None, 3), Point("1uJ", 3)
    of_row = [TrainingJob(Variant("none", ()), point).settings(common) for point in (free, held)]
    for settings in (of_row, [point.settings(common) for point in (free, held)]):
        assert [(one.limits.energy_budget, one.limits.reserve, one.training.seed) for one in settings] == [
            (None, 0.0, 3),
            ("1uJ", 0.01, 3),
        ]


def test_a_reserve_is_left_of_every_limit():
    whole, less = (limits(max_synaptic_ops="30k", max_rate=("lif1=0.1",), reserve=share) for share in (0.0, 0.02))
    assert [held.controller.budget for held in whole] == [30_000, 0.1]
    assert [held.controller.budget for held in less] == pytest.approx([29_400, 0.098])
    assert [held.constraint.limit for held in less] == [30_000, 0.1], "the certificate is of the limit itself"
    controller = less[0].controller
    controller.step = 10
    assert controller.admits(29_400)
    assert not controller.admits(29_401)


def test_a_reserve_below_the_floor_is_refused():
    floor = limits(max_synaptic_ops="30k")[0].controller.floor
    said = r"max_synaptic_ops=.*, less reserve=0\.1, is below the floor of .*; or reserve less"
    with pytest.raises(BelowFloor, match=said):
        limits(max_synaptic_ops=f"{1.05 * floor:.1f}", reserve=0.1)
