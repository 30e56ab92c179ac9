"""One way of counting: the student, our simulator, Lava and netx, the same numbers wherever the levels are the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spikewright.base.artefacts import sha256_of
from spikewright.base.errors import InputError
from spikewright.chip.activity import Activity
from spikewright.chip.activity_file import as_json, load_activity
from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork
from spikewright.commands.simulate import main
from spikewright.data.load import load
from spikewright.energy.estimate import estimate
from spikewright.exchange.netx import netx_faults
from spikewright.lowering.lower import lower
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.simulation.backends import BACKENDS
from spikewright.simulation.simulate import simulate
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student, save_student
from spikewright.student.to_nir import to_nir

WAYS = [
    ("convnet", "direct", "membrane", "lif", "loihi2-assumed"),
    ("skipnet", "current", "count", "lif", "loihi1-davies"),
    ("mlp", "rate", "membrane", "cubalif", "loihi1-davies"),
    ("vgg", "latency", "count", "cubalif", "loihi2"),
]
SAMPLES = 30


def floats(architecture: str, encoding: str, readout: str, kind: str) -> Student:
    """An untrained student for the digits, always the same one, all of whose layers spike."""
    torch.manual_seed(5)
    neuron = NeuronSettings(kind, beta=0.7, alpha=0.6, threshold=0.3)
    made = Student(StudentConfig(architecture, 4, (1, 8, 8), 10, 4, encoding, readout, 4, neuron)).eval()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.02, 0.1)
    return made


def integers(architecture: str, encoding: str, readout: str, kind: str, profile: str) -> Student:
    """The same student on a chip's integers."""
    target = load_profile(profile)
    student = become_integer(floats(architecture, encoding, readout, kind), target, profile, 8)
    settle(student, target)
    return student.eval()


def without_bias(student: Student) -> Student:
    """The same student without biases, so that compartments can have nothing to do."""
    for module in student.network.modules():
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.zero_()
    return student


def counts(activity: Activity) -> dict[str, object]:
    """All that an activity says but who counted."""
    return as_json(replace(activity, backend="integer", provenance={}))


@pytest.mark.parametrize(("architecture", "encoding", "readout", "kind", "profile"), WAYS)
def test_a_student_on_integers_counts_what_the_simulator_counts(
    architecture: str, encoding: str, readout: str, kind: str, profile: str
) -> None:
    student = integers(architecture, encoding, readout, kind, profile)
    chip = lower(to_nir(student), profile)
    mine = simulate(chip, "digits", on=student, samples=SAMPLES, batch=7, seed=3)
    ours = simulate(chip, "digits", samples=SAMPLES, seed=3)
    assert (mine.backend, ours.backend) == ("student", "integer")
    assert counts(mine) == counts(ours)
    assert all(p.spikes.sum() for name, p in mine.populations.items() if name != "readout" or readout == "count")


def test_compartments_with_nothing_to_do_are_told_apart_alike() -> None:
    """Without biases a step may leave a compartment idle; both must say the same of each step and sample."""
    target = load_profile("loihi2-assumed")
    student = become_integer(without_bias(floats("convnet", "latency", "count", "lif")), target, "loihi2-assumed", 8)
    settle(student, target)
    chip = lower(to_nir(student.eval()), target)
    mine = simulate(chip, "digits", on=student, samples=SAMPLES)
    assert counts(mine) == counts(simulate(chip, "digits", samples=SAMPLES))
    assert 0 < mine.populations["lif1"].active_updates < mine.populations["lif1"].updates


@pytest.mark.lava
@pytest.mark.parametrize(("architecture", "encoding", "readout", "kind", "profile"), WAYS[:2])
def test_every_exact_simulator_counts_the_same(
    lava: None, architecture: str, encoding: str, readout: str, kind: str, profile: str
) -> None:
    student = integers(architecture, encoding, readout, kind, profile)
    chip = lower(to_nir(student), profile)
    mine = counts(simulate(chip, "digits", on=student, samples=3))
    for name, each in BACKENDS.items():
        if each.exact and not (name == "netx" and netx_faults(chip)):
            assert counts(simulate(chip, "digits", on=name, samples=3)) == mine


def test_netx_is_among_them() -> None:
    student = integers(*WAYS[0])
    assert not netx_faults(lower(to_nir(student), WAYS[0][-1]))


@pytest.mark.parametrize(("architecture", "encoding", "readout", "kind", "profile"), WAYS)
def test_a_float_student_is_counted_by_its_equations(
    architecture: str, encoding: str, readout: str, kind: str, profile: str
) -> None:
    """Spikes from its forward pass, synapses from the network, active updates by a loop over steps."""
    student = without_bias(floats(architecture, encoding, readout, kind))
    chip = lower(to_nir(student), profile)
    test = load("digits").test
    activity = simulate(chip, test, on=student, samples=SAMPLES)
    with torch.no_grad():
        output = student(torch.from_numpy(test.samples[:SAMPLES]))
    assert activity.backend == "float"
    assert activity.correct == int((output.scores.argmax(1).numpy() == test.labels[:SAMPLES]).sum())
    for name, trains in output.spikes.items():
        assert np.array_equal(activity.populations[name].spikes, trains.sum((0, 1)).numpy())
        assert np.array_equal(activity.by_step.spikes[name], trains.flatten(1).sum(1).numpy())
        assert np.array_equal(activity.by_sample.counts.spikes[name], trains.flatten(2).sum((0, 2)).numpy())
    for name, trace in output.traces.items():
        alpha = 0.6 if kind == "cubalif" and name.startswith("lif") else None
        assert activity.populations[name].active_updates == slowly(trace, alpha, chip, name)
        assert activity.populations[name].updates == SAMPLES * 4 * trace.membrane[0, 0].numel()
    dense = next(c for c in chip.connections if c.target == "readout")
    assert activity.synaptic_ops[dense.name] == 10 * activity.populations[dense.source].spikes.sum()


def slowly(trace: object, alpha: float | None, chip: ChipNetwork, name: str) -> int:
    """Updates of a layer in which something arrived or was left, or that have a bias, compartment by compartment."""
    steps = trace.membrane.shape[0]
    bias = np.broadcast_to(chip.by_name[name].neuron.bias, trace.membrane.shape[1:]).reshape(-1)
    arrived = trace.current.expand(trace.membrane.shape).flatten(1).numpy()
    membrane, total = trace.membrane.flatten(1).numpy(), 0
    fired = np.zeros_like(membrane) if trace.spikes is None else trace.spikes.flatten(1).numpy()
    for each in range(membrane.shape[1]):
        current = left = 0.0
        for step in range(steps):
            total += bool(arrived[step, each] or current or left or bias[each])
            current = 0.0 if alpha is None else alpha * current + arrived[step, each]
            left = 0.0 if fired[step, each] else membrane[step, each]
    return total


def test_a_float_student_s_counts_have_a_price() -> None:
    """Where every compartment has a bias, training's estimate is the report's."""
    from spikewright.training.cost import SpikeCost

    target, student = load_profile("loihi2-assumed"), floats("convnet", "direct", "membrane", "lif")
    chip = lower(to_nir(student), target)
    test = load("digits").test
    report = estimate(simulate(chip, test, on=student, samples=SAMPLES), place(chip, target), target)
    with torch.no_grad():
        reading = SpikeCost(chip, target).read(student(torch.from_numpy(test.samples[:SAMPLES])))
    assert report.total == pytest.approx(float(reading.total), rel=1e-5)


def written(student: Student, folder: Path) -> tuple[Path, Path]:
    """A student's file and that of its chip network."""
    file, chip = folder / "student.pt", folder / "chip.h5"
    save_student(student, file, {})
    save_chip(lower(to_nir(student, {"parent_sha256": sha256_of(file)}), "loihi2-assumed"), chip)
    return file, chip


def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, chip = written(integers(*WAYS[0]), tmp_path)
    out, raster = tmp_path / "activity.json", tmp_path / "raster.h5"
    said = []
    for on in ("integer", str(file)):
        words = [str(chip), "--on", on, "--samples", "9", "-o", str(out), "--record", str(raster), "--json"]
        assert main(words) == 0
        said.append(json.loads(capsys.readouterr().out))
    assert load_activity(out).backend == "student"
    assert [each.pop("backend") for each in said] == ["integer", "student"]
    assert said[0] == said[1]
    save_student(floats("convnet", "direct", "membrane", "lif"), file, {"other": True})
    capsys.readouterr()
    assert main([str(chip), "--on", str(file), "-o", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"error: --on {file}: {chip} was made from another student; export and lower this one\n"
    )


@pytest.fixture
def chip() -> ChipNetwork:
    return lower(to_nir(floats("convnet", "direct", "membrane", "lif")), "loihi2-assumed")


def refusal(chip: ChipNetwork, student: Student) -> str:
    with pytest.raises(InputError) as caught:
        simulate(chip, "digits", on=student, samples=2)
    return str(caught.value)


Make = Callable[[], Student]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (
            lambda: floats("convnet", "direct", "membrane", "lif").at(3),
            "student: its time steps: 3, the chip network's: 4",
        ),
        (
            lambda: floats("convnet", "direct", "count", "lif"),
            "student: its readout: count, the chip network's: membrane",
        ),
        (
            lambda: floats("mlp", "direct", "membrane", "lif"),
            "student: 4 faults\n  - layer 'lif1': (4,), the chip network's: (4, 4, 4); take the network that was "
            "lowered from it",
        ),
    ],
)
def test_another_network_s_student_is_refused(chip: ChipNetwork, make: Make, said: str) -> None:
    assert refusal(chip, make()).startswith(said)
