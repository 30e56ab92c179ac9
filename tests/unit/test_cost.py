"""The cost that training sees is the estimate that the report prints."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.fan_out import fan_out
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.energy.estimate import estimate
from spikewright.lowering.lower import lower
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.student.config import StudentConfig
from spikewright.student.neurons import NeuronSettings, StudentOutput
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.training.cost import SpikeCost
from spikewright.training.limits import EnergyLimit

SHAPE = (1, 8, 8)


def student_of(architecture, encoding, kind="lif"):
    torch.manual_seed(0)
    neuron = NeuronSettings(kind, threshold=0.3)
    return Student(StudentConfig(architecture, 4, SHAPE, 10, 3, encoding, input_bits=6, neuron=neuron)).eval()


def counted(chip, output, samples):
    """The float student's spikes as an activity of the lowered network, relays and bias axons included."""

    def source(name):
        return source(chip.into(name)[0].source) if chip.by_name[name].role == "relay" else name

    populations = {}
    for population in chip.populations:
        active = updates = 0 if population.neuron is None else samples * chip.timesteps * population.size
        layer = source(population.name)
        if layer in output.spikes:
            spikes = output.spikes[layer].sum((0, 1)).numpy().astype(np.int64)
        elif population.role == "input":
            spikes = chip.timesteps * (output.drive[0] != 0).sum(0).numpy().astype(np.int64)
        elif population.role == "bias":
            spikes = np.full(population.shape, samples * chip.timesteps)
        else:
            spikes = np.zeros(population.shape, np.int64)
        if population.role == "relay":
            active = int(spikes.sum())  # each spike of its source makes it fire
        populations[population.name] = PopulationActivity(spikes, updates, active)
    operations = {c.name: int((populations[c.source].spikes * fan_out(chip, c)).sum()) for c in chip.connections}
    return Activity(populations, operations, samples, chip.timesteps, "float")


@pytest.mark.parametrize("profile", ["loihi1-davies", "loihi1-sanafe", "loihi2", "loihi2-assumed", "cmos45", "lemaire"])
@pytest.mark.parametrize("architecture", ["convnet", "vgg", "skipnet", "mlp"])
def test_training_and_report_agree(architecture, profile):
    target = load_profile(profile)
    student = student_of(architecture, target.default_encoding)
    images = torch.rand(5, *SHAPE)
    with torch.no_grad():
        output = student(images)
        reading = SpikeCost.of(student, target).read(output)
    chip = lower(to_nir(student), target)
    report = estimate(counted(chip, output, len(images)), place(chip, target), target)
    assert float(reading.total) == pytest.approx(report.total, rel=1e-5)
    assert sum(reading.synaptic_ops.values()) == pytest.approx(report.synaptic_ops, rel=1e-6)
    assert sum(output.spikes[n].sum() for n in output.spikes) > 0


def test_cost_is_differentiable_and_silence_costs_the_floor():
    target = load_profile("loihi2-assumed")
    student = student_of("convnet", "direct").train()
    cost = SpikeCost.of(student, target)
    images = torch.rand(5, *SHAPE)
    cost.read(student(images)).total.backward()
    assert student.network.conv1.weight.grad.abs().sum() > 0
    for name, module in student.network.named_modules():
        if name.startswith("lif"):
            module.threshold.fill_(1e9)
    with torch.no_grad():
        output = student.eval()(images)
        assert float(cost.read(output).total) == pytest.approx(cost.floor(output.drive).total, rel=1e-6)


def test_current_input_is_not_part_of_the_floor():
    """Its neurons can be trained to fire less, so only their updates are certain."""
    target = load_profile("loihi1-davies")
    student = student_of("convnet", "current")
    cost = SpikeCost.of(student, target)
    dark, bright = torch.zeros(2, *SHAPE), torch.ones(2, *SHAPE)
    assert cost.floor(student.drive(dark)).total == cost.floor(student.drive(bright)).total
    with torch.no_grad():
        assert float(cost.read(student(bright)).total) > float(cost.read(student(dark)).total)


def test_the_operations_of_a_fixed_input_are_events_times_synapses():
    """Every one of 64 inputs has an event in each of three steps, in one of two samples, and four neurons hear it."""
    cost = SpikeCost.of(student_of("mlp", "direct"), load_profile("loihi2-assumed"))
    images = torch.stack([torch.ones(SHAPE), torch.zeros(SHAPE)])
    assert cost.operations_floor(student_of("mlp", "direct").drive(images)) == 64 * 3 / 2 * 4
    assert (
        SpikeCost.of(student_of("mlp", "current"), load_profile("loihi2-assumed")).operations_floor(images[None]) == 0
    )


def test_spikes_are_read_by_layer_and_inference():
    target = load_profile("loihi2-assumed")
    student = student_of("convnet", "direct")
    images = torch.rand(5, *SHAPE).round(decimals=1) - 0.3
    with torch.no_grad():
        output = student(images.clamp(min=0))
        reading = SpikeCost.of(student, target).read(output)
    given = 3 * float((output.drive != 0).sum()) / 5
    assert reading.spikes.pop("input") == pytest.approx(given), "the same in each of three steps"
    fired = {name: float(spikes.sum()) / 5 for name, spikes in output.spikes.items()}
    assert reading.spikes == pytest.approx({name: fired[name] for name in reading.spikes})
    assert set(reading.spikes) == {name for name in fired if name != "input"}
    assert sum(fired.values()) > 0


def test_bias_axons_fire_at_every_step_by_hand():
    """Two of them and three outputs over three steps on Loihi: 81 pJ an update, 1.7 a spike, 23.6 a synapse."""
    populations = (
        Population("in", (1,), "input", None),
        Population("bias", (2,), "bias", Neuron(4095, 0, 0, np.ones(2, np.int64))),
        Population("out", (3,), "readout", Neuron(4095, 0, 5, np.zeros(3, np.int64))),
    )
    connections = (
        Connection("in", "out", np.ones((3, 1), np.int64)),
        Connection("bias", "out", np.array([[1, 0], [1, 1], [1, 1]])),
    )
    chip = ChipNetwork(populations, connections, 3, "events", "membrane", "loihi1-davies", "")
    scores = torch.zeros(1, 3, dtype=torch.float64)
    silent = StudentOutput(scores, scores, torch.zeros(3, 1, 3), {}, {}, torch.zeros(3, 1, 1))
    reading = SpikeCost(chip, load_profile("loihi1-davies")).read(silent)
    updates, spikes = 3 * (2 + 3), 3 * 2
    assert float(reading.total) == pytest.approx((updates * 81 + spikes * (1.7 + 3 * 23.6)) * 1e-12)
    assert reading.spikes == {"in": 0.0}


def test_the_floor_of_a_limit_counts_silent_neurons_as_active_in_floats_alone():
    """Three neurons without a bias over three steps on Loihi: 81 pJ an active update, 52 an inactive one."""
    neuron = Neuron(4095, 0, 5, np.zeros(3, np.int64))
    populations = Population("in", (1,), "input", None), Population("out", (3,), "readout", neuron)
    wired = (Connection("in", "out", np.ones((3, 1), np.int64)),)
    chip, profile = ChipNetwork(populations, wired, 3, "events", "membrane", "loihi1-davies", ""), "loihi1-davies"
    limit = EnergyLimit(1.0, load_profile(profile), SpikeCost(chip, load_profile(profile)))
    in_floats, on_integers = (
        limit.floor(SimpleNamespace(grid=grid), torch.zeros(3, 1, 1)) for grid in (None, "integers")
    )
    assert (in_floats, on_integers) == (pytest.approx(9 * 81e-12), pytest.approx(9 * 52e-12))


def test_a_readout_that_overflowed_is_read_as_spikes_of_all_steps() -> None:
    """Two samples over three steps: the first output in two steps of one, the third in one step of both."""
    neuron = Neuron(4095, 0, 5, np.zeros(3, np.int64), fires=False)
    populations = Population("in", (1,), "input", None), Population("out", (3,), "readout", neuron)
    wired = (Connection("in", "out", np.ones((3, 1), np.int64)),)
    chip = ChipNetwork(populations, wired, 3, "events", "membrane", "loihi1-davies", "")
    resets = torch.zeros(3, 2, 3, dtype=torch.bool)
    resets[0, 0, 0] = resets[2, 0, 0] = resets[1, :, 2] = True
    scores = torch.zeros(2, 3, dtype=torch.float64)
    output = StudentOutput(scores, scores, torch.zeros(3, 2, 3), {}, {}, torch.zeros(3, 2, 1), resets={"out": resets})
    cost = SpikeCost(chip, load_profile("loihi1-davies"))
    assert cost.read(output).spikes == {"in": 0.0, "out": 2 / 2 + 2 / 2}
