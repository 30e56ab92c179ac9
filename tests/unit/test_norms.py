"""Students without norms and biases: how they begin, what idle compartments cost, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.base.types import NORMS
from spikewright.data.load import load
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation.simulate import simulate
from spikewright.student.architectures import ARCHITECTURES
from spikewright.student.balance import RATE, balance
from spikewright.student.biases import layers_without_biases
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking
from spikewright.student.student import Student, load_student, save_student
from spikewright.student.to_nir import to_nir
from spikewright.student.train_settings import TrainSettings, peak_rate
from spikewright.teachers.training_loop import optimizer_of
from spikewright.training.prepare import train_settings
from spikewright.training.settings import DistillSettings, Training
from spikewright.training.silent import LIFT, revive
from spikewright.training.sizing import size_of

PROFILE = "loihi2-assumed"
SHAPE = (1, 8, 8)


def config_of(architecture="convnet", norm="none", encoding="direct", timesteps=4, **neuron):
    shape = (1, 64, 1) if architecture == "temporal" else SHAPE
    settings = NeuronSettings(**neuron)
    return StudentConfig(architecture, 8, shape, 10, timesteps, encoding, neuron=settings, norm=norm)


def images(count=32):
    return torch.from_numpy(load("digits").train.samples[:count])


def of_kind(student, kind):
    return [module for module in student.network.modules() if isinstance(module, kind)]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_what_stands_between_weights_and_neurons(architecture):
    norms = nn.BatchNorm1d | nn.BatchNorm2d
    for norm in NORMS:
        student = Student(config_of(architecture, norm, threshold=0.7))
        weighted = of_kind(student, nn.Linear | nn.Conv2d)
        assert [layer.bias is not None for layer in weighted] == [False] * (len(weighted) - 1) + [True]
        gains = {round(float(each.weight.unique()), 4) for each in of_kind(student, norms)}
        one_path, two_paths = 0.7, round(0.7 / 2**0.5, 4)
        among = {one_path, two_paths} if architecture == "skipnet" else {one_path}
        assert gains == {"batch": {1.0}, "threshold": among, "none": set()}[norm]


@pytest.mark.parametrize("architecture", ["mlp", "convnet", "skipnet", "vgg"])
@pytest.mark.parametrize(
    ("encoding", "beta", "timesteps"), [("direct", 0.5, 4), ("rate", 1.0, 10), ("current", 0.9, 3)]
)
def test_every_layer_begins_to_fire_at_one_rate(architecture, encoding, beta, timesteps):
    torch.manual_seed(1)
    student = Student(config_of(architecture, encoding=encoding, timesteps=timesteps, beta=beta))
    for layer in of_kind(student, nn.Linear | nn.Conv2d):
        layer.weight.data *= 0.01  # nothing would fire
    factors = balance(student, images())
    with torch.no_grad():
        output = student.train()(images())
    assert factors.keys() == output.spikes.keys() - {"encoder"}
    for name in factors:
        driven = (output.traces[name].current != 0).any(0).sum() * timesteps
        rate = float(output.spikes[name].sum() / driven)
        # A rate beyond what the largest weights reach is out of reach: then half of that is.
        assert rate == pytest.approx(RATE, rel=0.02) or 0.02 < rate < RATE


def test_a_layer_that_nothing_raises_keeps_its_weights():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3, bias=False), spiking(NeuronSettings()), nn.Linear(3, 10))
    network.append(integrator())
    nn.init.constant_(network[1].weight, -1.0)
    student = Student(StudentConfig("own.py:net", 3, SHAPE, 10, 2), network)
    assert balance(student, images(4)) == {}
    assert bool((network[1].weight == -1).all())


def test_weights_are_the_same_for_a_seed():
    one, other = (size_of(config_of(), load("digits"), load_profile(PROFILE), seed=3).student for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_biases_do_not_come_with_integers():
    """Of layers that had none and no norm; the others' are trained as before."""
    student = size_of(config_of(), load("digits"), load_profile(PROFILE), seed=0).student
    integer = become_integer(student, load_profile(PROFILE), PROFILE)
    trained = {name for name, each in integer.network.named_parameters() if each.requires_grad and each.ndim == 1}
    assert trained == {"head.bias"}
    batch = become_integer(Student(config_of(norm="batch")).eval(), load_profile(PROFILE), PROFILE)
    assert all(each.requires_grad for each in batch.network.parameters())


def test_what_was_trained_is_what_the_chip_runs_and_idle_compartments_are_told_apart(tmp_path):
    target, digits = load_profile("loihi1-davies"), load("digits")
    student = size_of(config_of(encoding="rate"), digits, target, seed=0).student
    student = become_integer(student, target, "loihi1-davies").train()
    optimizer = optimizer_of([student], TrainSettings(learning_rate=1e-2))
    output = student(images(64))
    (output.logits.square().mean() + sum(each.mean() for each in output.spikes.values())).backward()
    optimizer.step()
    settle(student, target)
    save_student(student.eval(), tmp_path / "student.pt", {})
    again = load_student(tmp_path / "student.pt")
    assert again.config.norm == "none"
    chip = lower(to_nir(again), target)
    mine, ours = (simulate(chip, digits.test, samples=20, **on) for on in ({"on": again}, {}))
    assert mine.by_step.spikes.keys() == ours.by_step.spikes.keys()
    for name, counts in ours.populations.items():
        assert np.array_equal(mine.populations[name].spikes, counts.spikes)
        assert mine.populations[name].active_updates == counts.active_updates
    assert all(not chip.by_name[name].neuron.bias.any() for name in ("lif1", "lif2", "lif3", "lif4"))
    assert 0 < ours.populations["lif1"].active_updates < ours.populations["lif1"].updates


@pytest.mark.parametrize("kind", ["lif", "cubalif"])
@pytest.mark.parametrize("architecture", ["convnet", "mlp", "skipnet"])
def test_training_in_floats_prices_idle_compartments_as_the_report_does(architecture, kind):
    target, digits = load_profile("loihi1-davies"), load("digits")
    size = size_of(config_of(architecture, encoding="rate", kind=kind), digits, target, seed=0)
    student = size.student.eval()
    chip = lower(to_nir(student), target)
    activity = simulate(chip, digits.test, on=student, samples=40)
    with torch.no_grad():
        reading = size.cost.read(student(torch.from_numpy(digits.test.samples[:40])))
    report = sw.report(activity, chip, target)
    assert float(reading.total) == pytest.approx(report.energy.total, rel=1e-5)
    idle = {name: each.updates - each.active_updates for name, each in activity.populations.items()}
    assert sum(idle.values()) > 0 and idle["readout"] == 0  # the readout has biases


def test_the_floor_leaves_out_what_idles():
    target, digits = load_profile("loihi1-davies"), load("digits")
    floors = [
        size_of(config_of(norm=norm, encoding="rate"), digits, target, seed=0).floor.total for norm in ("none", "batch")
    ]
    hidden = 8 * 16 + 16 * 4 + 16 * 4 + 64  # at strides of 2 and 2, and the dense layer
    assert floors[1] - floors[0] == pytest.approx(4 * hidden * (81e-12 - 52e-12), rel=1e-6)


def test_silent_channels_get_larger_weights_where_there_are_no_biases():
    student = Student(config_of())
    before = student.network.conv1.weight.detach().clone()
    revive(student, {"lif1": torch.tensor([True] + [False] * 7)})
    after = student.network.conv1.weight.detach()
    assert torch.allclose(after[0], before[0] * (1 + LIFT)) and torch.equal(after[1:], before[1:])
    integer = become_integer(student.eval(), load_profile(PROFILE), PROFILE)
    revive(integer, {"lif1": torch.tensor([True] + [False] * 7)})
    assert not integer.network.conv1.bias.any()


def test_layers_without_biases_are_found_behind_every_path():
    assert layers_without_biases(Student(config_of("skipnet")).traced) == {"lif1", "lif2", "lif3"}
    mixed = Student(config_of("skipnet"))
    mixed.network.skip.bias = nn.Parameter(torch.zeros(16))
    assert layers_without_biases(mixed.traced) == {"lif1", "lif2"}
    assert layers_without_biases(Student(config_of("skipnet", "batch")).traced) == frozenset()


def test_files_of_earlier_versions_have_batch_norms():
    facts = config_of(norm="batch").as_json()
    assert "norm" not in facts and StudentConfig.from_json(facts).norm == "batch"
    assert StudentConfig.from_json(config_of(norm="threshold").as_json()).norm == "threshold"
    assert "norm" not in DistillSettings().flat() and "optimizer" not in DistillSettings().flat()


def test_own_networks_have_their_own_norms():
    with pytest.raises(InputError, match=r"norm is 'none', and the norms of mine\.py:net stand in its function"):
        StudentConfig("mine.py:net", 1, SHAPE, 10, 1, norm="none")
    with pytest.raises(InputError, match="norm is 'layer'; may be batch, threshold, none"):
        StudentConfig("mlp", 1, SHAPE, 10, 1, norm="layer")


def test_own_networks_are_refused_before_data_are_read(tmp_path):
    own = tmp_path / "mine.py"
    own.write_text("def net(*_): raise AssertionError")
    settings = DistillSettings.of(architecture=f"{own}:net", norm="none")
    with pytest.raises(InputError, match=r"norm=none: is for named architectures, and the norms of .* leave it out"):
        sw.training.early.check_early(settings)


def test_the_rate_is_that_of_optimizer_and_norm():
    assert [peak_rate(None, *each) for each in (("adamw", "batch"), ("adamw", "none"), ("sgd", "none"))] == [
        3e-3, 1.5e-2, 0.3
    ]  # fmt: skip
    assert peak_rate(0.5, "adamw", "none") == 0.5
    assert train_settings(Training(), load("digits").recipe, norm="none").learning_rate == 1.5e-2
    assert train_settings(Training(optimizer="sgd"), load("digits").recipe).learning_rate == 0.1


def test_sgd_takes_nesterov_s_step():
    """By hand: of the gradient g and the decayed weight, first step m = g + d w, w - r (g + d w + 0.9 m)."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 2.0)
    optimizer = optimizer_of([layer], TrainSettings(optimizer="sgd", learning_rate=0.5, weight_decay=0.1))
    (3 * layer.weight).sum().backward()
    optimizer.step()
    step = 3 + 0.1 * 2
    assert float(layer.weight) == pytest.approx(2 - 0.5 * (step + 0.9 * step))


def test_balanced_students_learn_within_a_budget_that_biases_alone_would_spend():
    within = sw.Budget("110nJ", chip="loihi1-davies")
    spec = sw.StudentSpec("mlp", width=32, timesteps=4, encoding="rate", norm="none")
    training = sw.Training(epochs=8, rounds=1, integer_from=0.5)
    run = sw.distill("digits", student=spec, method="none", within=within, training=training)
    assert run.certificate.energy <= 110e-9
    assert np.mean(run.certificate.accuracy) > 0.7


def test_silent_channels_behind_an_operation_are_raised():
    """The way back from the neurons leads through ``torch.cat``, which is no module of the network."""

    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Conv2d(1, 2, 1, bias=False), nn.Conv2d(1, 2, 1, bias=False)
            self.norm, self.lif = nn.BatchNorm2d(4), spiking(NeuronSettings())
            self.head, self.readout = nn.Sequential(nn.Flatten(), nn.Linear(256, 10)), integrator()

        def forward(self, x):
            return self.readout(self.head(self.lif(self.norm(torch.cat([self.one(x), self.two(x)], 1)))))

    student = Student(StudentConfig("own.py:net", 2, SHAPE, 10, 2), Joined())
    revive(student, {"lif": torch.tensor([True, False, False, False])})
    assert student.network.norm.bias.tolist() == [LIFT, 0, 0, 0]
