"""Where a register overflows, student, integers, Lava and netx overflow alike, and count it alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from spikewright.chip.activity import Activity, Overflows
from spikewright.chip.activity_file import as_json
from spikewright.chip.network import ChipNetwork
from spikewright.chip.registers import Calibration, Peaks
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import compare
from spikewright.simulation.simulate import drive_of, simulate
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer
from spikewright.student.integers.limits import Limits
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences

T = 40
SHAPE = (2, 6, 6)
NOTHING = Peaks(current=0.0, potential=0.0)
KINDS = ("cubalif", "lif")


class Net(nn.Module):
    """A convolution, pooling, a dense layer and a readout that only integrates."""

    def __init__(self, neuron: NeuronSettings) -> None:
        super().__init__()
        self.conv, self.lif1 = nn.Conv2d(2, 6, 3, padding=1), spiking(neuron)
        self.pool, self.flat = nn.AvgPool2d(2), nn.Flatten()
        self.dense, self.lif2 = nn.Linear(54, 30), spiking(neuron)
        self.head, self.readout = nn.Linear(30, 4), integrator()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.flat(self.pool(self.lif1(self.conv(x))))
        return self.readout(self.head(self.lif2(self.dense(x))))


def overflowing(kind: str) -> Student:
    """A student on integers that was told that nothing is reached, so that its scales leave no room at all."""
    torch.manual_seed(3)
    neuron = NeuronSettings(kind, beta=0.99, alpha=0.97, threshold=0.5)
    config = StudentConfig("own", 1, SHAPE, 4, T, "events", "membrane", 8, neuron)
    floats = Student(config, Net(neuron)).eval()
    with torch.no_grad():
        for layer in (floats.network.conv, floats.network.dense, floats.network.head):
            layer.weight[0].abs_()  # one that only drives, one that only holds back
            layer.weight[1].abs_().neg_()
    target = load_profile("loihi2-assumed")
    student = become_integer(floats, target, "loihi2-assumed")
    assert student.grid is not None
    scales = {name: 40 * scale for name, scale in student.grid.scales.items()}
    told = Calibration(quantile=1, margin=1, samples=1, peaks=dict.fromkeys(scales, NOTHING))
    student.take_grid(student.grid.model_copy(update={"scales": scales, "calibration": told}))
    return student.eval()


def frames(count: int) -> np.ndarray:
    return (np.random.default_rng(1).random((count, T, *SHAPE)) < 0.4).astype(np.uint8)


def lowered(student: Student) -> ChipNetwork:
    return lower(to_nir(student), "loihi2-assumed")


def counts(activity: Activity) -> dict[str, object]:
    return as_json(replace(activity, backend="integer", provenance={}))


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_overflows_as_its_chip_network_does(kind: str) -> None:
    student = overflowing(kind)
    chip = lowered(student)
    assert [str(d) for d in differences(student, chip, torch.from_numpy(frames(12)))] == []
    data = frames(12), np.arange(12) % 4
    ours, mine = simulate(chip, data), simulate(chip, data, on=student, batch=5)
    assert counts(mine) == counts(ours)
    found = {name: p.overflows for name, p in ours.populations.items() if p.updates}
    assert found["readout"].resets > 0
    assert found["readout"].resets == ours.populations["readout"].spikes.sum()
    assert found["lif2"].clips > 0
    assert (found["lif2"].wraps > 0) == (kind == "cubalif"), "a LIF's current has no memory to gather in"
    scores = student(torch.from_numpy(data[0])).scores.detach().double() * 64 * student.grid.scales["readout"]
    assert np.abs(scores.numpy() - integer.run(chip, drive_of(chip, data[0])).scores).max() < 1


@pytest.mark.lava
@pytest.mark.parametrize("kind", KINDS)
def test_lava_overflows_as_the_integers_do(lava: None, kind: str) -> None:
    chip = lowered(overflowing(kind))
    drive = drive_of(chip, frames(3))
    ours, theirs = (backend(on)(chip, drive, record_states=True) for on in ("integer", "lava"))
    assert [str(d) for d in compare(ours, theirs)] == []
    assert np.array_equal(ours.scores, theirs.scores)
    assert ours.tallies == theirs.tallies
    assert ours.tallies["readout"].overflows.resets > 0


@pytest.mark.lava
@pytest.mark.slow
def test_netx_overflows_as_the_integers_do(lava_dl: None) -> None:
    chip = lowered(overflowing("cubalif"))
    drive = drive_of(chip, frames(3))
    ours, theirs = (backend(on)(chip, drive, record_states=True) for on in ("integer", "netx"))
    assert [str(d) for d in compare(ours, theirs)] == []
    assert ours.tallies == theirs.tallies


def test_gradients_pass_an_overflow_straight_through() -> None:
    student = overflowing("cubalif").train()
    output = student(torch.from_numpy(frames(4)))
    assert output.overflows["lif2"].sum() > 0
    assert output.resets["readout"].any()
    output.logits.logsumexp(1).sum().backward()
    gradients = [p.grad for p in student.network.parameters() if p.requires_grad]
    assert all(g is not None and g.dtype == torch.float32 and torch.isfinite(g).all() for g in gradients)
    assert all(trace.membrane.dtype == trace.arriving.dtype == torch.float32 for trace in output.traces.values())


def test_part_of_an_output_has_part_of_its_overflows() -> None:
    output = overflowing("cubalif")(torch.from_numpy(frames(4)))
    part = output.rows(1, 3).first(30)
    assert torch.equal(part.overflows["lif2"], output.overflows["lif2"][:30, 1:3])
    assert torch.equal(part.resets["readout"], output.resets["readout"][:30, 1:3])


def test_bounds_open_only_the_limits_that_can_be_reached() -> None:
    """A current of 64 a (1 + k + ... + k^(T-1)) wraps at 2^23, and the largest bias alone adds 2^18 a step."""
    from spikewright.chip.law import Law

    law, quiet = Law(keep_v=0.5, keep_u=0.5, gain_u=64), torch.zeros(1, 1, 1)
    most = 2**23 / 64 / (2 - 2**-9)  # over ten steps
    assert Limits.of(law, quiet + most * 1.01, 10, None) == Limits(wraps=True, clips=True)
    assert Limits.of(law, quiet + most * 0.9, 10, None) == Limits(wraps=False, clips=True)
    assert Limits.of(law, quiet, 10, most * 0.4) == Limits(wraps=False, clips=False)
    assert Limits.of(law, quiet, 10, most * 9) == Limits(wraps=False, clips=False), "what arrives is looked at"
    alone = Law(keep_v=1.0, gain_u=64)
    assert not Limits.of(alone, quiet, 31, 0.0).clips
    assert Limits.of(alone, quiet, 33, 0.0).clips


def test_overflows_add_up_and_the_unknown_stays_unknown() -> None:
    assert Overflows(1, 2, 3) + Overflows(10, 20, 30) == Overflows(11, 22, 33)
    assert (Overflows(1, 0, 2).harmful, Overflows(0, 5, 0).harmful) == (3, 0)
    assert not Overflows()
    assert Overflows(clips=1)
