"""Constants of each neuron and channel on integers: the student, its graph's chip network and Lava, bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import snntorch as snn
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikewright.base.errors import InputError
from spikewright.chip.activity_file import as_json
from spikewright.chip.encoding import encode
from spikewright.energy.estimate import estimate
from spikewright.lowering.lower import lower
from spikewright.lowering.peaks import Measuring
from spikewright.lowering.rules import remarks
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import activity_of, compare
from spikewright.student.config import StudentConfig
from spikewright.student.integers.constants import fold_thresholds
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.neurons import integrator
from spikewright.student.student import Student, load_student, save_student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences, export
from spikewright.training.cost import SpikeCost

SHAPE, T = (2, 5, 5), 6
ZERO = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
RESETS = {
    "zero": ZERO,
    "subtract": ZERO | {"reset_mechanism": "subtract"},
    "subtract-late": ZERO | {"reset_mechanism": "subtract", "reset_delay": True},
}
TARGET = "loihi2-assumed"


def network(reset: str = "zero", learns: bool = True) -> nn.Module:
    """Constants of each channel in one layer, decays of each neuron in another, thresholds of each in a third."""
    torch.manual_seed(3)
    given = {"learn_beta": learns, "learn_threshold": learns} | RESETS[reset]
    channels = {"beta": torch.tensor([0.25, 0.5, 0.25, 0.75]).reshape(4, 1, 1)}
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        snn.Leaky(threshold=torch.linspace(0.3, 0.5, 4).reshape(4, 1, 1), **channels, **given),
        nn.Conv2d(4, 6, 5),
        nn.BatchNorm2d(6),
        nn.Flatten(),
        snn.Synaptic(
            alpha=torch.linspace(0.3, 0.6, 6), beta=torch.tensor([0.5, 0.9, 0.5, 0.125, 0.9, 0.5]), threshold=0.15,
            learn_alpha=learns, **given,
        ),
        nn.Linear(6, 8),
        snn.Leaky(beta=0.7, threshold=torch.linspace(0.1, 0.3, 8), **given),
        nn.Linear(8, 4),
        integrator(),
    )  # fmt: skip


def floats(encoding: str = "rate", reset: str = "zero", learns: bool = True) -> Student:
    return Student(StudentConfig("own", 4, SHAPE, 4, T, encoding, input_bits=4), network(reset, learns)).eval()


def images(count: int) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


def trained(encoding: str = "rate", reset: str = "zero", learns: bool = True) -> Student:
    """A student after one step of training on integers, in which every constant has learnt."""
    target = load_profile(TARGET)
    student = become_integer(floats(encoding, reset, learns), target, TARGET)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.05)
    output = student(images(16))
    (F.cross_entropy(output.logits, torch.arange(16) % 4) + sum(s.mean() for s in output.spikes.values())).backward()
    learnt = {name: p.grad for name, p in student.network.named_parameters()}
    assert all(grad is not None and torch.isfinite(grad).all() for grad in learnt.values())
    assert all(grad.abs().min() > 0 for name, grad in learnt.items() if name in ("1.beta", "5.alpha", "5.beta"))
    optimizer.step()
    settle(student, target)
    return student.eval()


@pytest.mark.parametrize("encoding", ["direct", "current", "rate"])
@pytest.mark.parametrize("reset", list(RESETS))
def test_what_was_trained_is_what_the_chip_computes(encoding: str, reset: str, tmp_path: Path) -> None:
    student = trained(encoding, reset)
    assert export(student, tmp_path / "s.nir", images(6)).samples == 6
    chip = lower(to_nir(student), TARGET)
    assert [str(d) for d in differences(student, chip, images(9), seed=3, first_index=7)] == []
    assert max(chip.provenance["rounding"][p.name] for p in chip.populations if p.role == "hidden") < 1e-3
    parts = chip.provenance["parts"]
    assert len(parts["1"]) >= 3 and len(parts["5"]) == 6
    for layer, each in parts.items():
        assert {chip.provenance["scales"][part] for part in each} == {student.grid.scales[layer]}, "one for all parts"
    assert all(0.005 < s.mean() < 0.99 for name, s in student(images(9)).spikes.items() if name != "encoder")


def test_fixed_constants_are_the_registers_that_lowering_gives() -> None:
    chips = [lower(to_nir(student), TARGET) for student in (floats(learns=False), trained(learns=False))]
    registers = [{p.name: (p.neuron.du, p.neuron.dv) for p in chip.populations if p.role == "hidden"} for chip in chips]
    assert registers[0] == registers[1]
    assert chips[0].provenance["parts"] == chips[1].provenance["parts"]


def test_an_odd_population_is_found_by_the_comparison() -> None:
    student = trained()
    graph = to_nir(student)
    chip = lower(graph, TARGET)
    part = next(p for p in chip.populations if p.name == "5.part2")
    other = replace(part, neuron=replace(part.neuron, dv=part.neuron.dv + 40))
    changed = replace(chip, populations=tuple(other if p is part else p for p in chip.populations))
    found = [str(d) for d in differences(student, changed, images(9))]
    assert found and found[0].startswith("5.part2")


def test_a_student_counts_what_the_simulator_counts_part_by_part() -> None:
    student, target = trained(), load_profile(TARGET)
    for module in student.network.modules():
        if getattr(module, "bias", None) is not None:
            nn.init.zeros_(module.bias)  # so that compartments can have nothing to do
    student = student.eval()
    chip = lower(to_nir(student), TARGET)
    drive = encode("rate", images(9).numpy(), T, 4)
    ours, mine = integer.run(chip, drive), student.as_backend(chip, drive)
    assert ours.tallies == mine.tallies
    idle = [p.name for p in chip.populations if p.neuron and ours.tallies[p.name].active_updates < 9 * T * p.size]
    assert "1.part1" in idle
    one, other = (as_json(replace(activity_of(chip, each, "integer"), provenance={})) for each in (ours, mine))
    assert one == other
    reading = SpikeCost.of(student, target).read(student(images(9)))
    counted = estimate(activity_of(chip, mine, "integer"), place(chip, target), target)
    assert float(reading.total) == pytest.approx(counted.total, rel=1e-5)


def test_a_saved_student_computes_the_same_integers(tmp_path: Path) -> None:
    student = trained()
    save_student(student, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt", network())
    ours, theirs = student.registers(images(5))[0], again.registers(images(5))[0]
    assert all(torch.equal(ours[name].v, theirs[name].v) and torch.equal(ours[name].u, theirs[name].u) for name in ours)
    save_student(Student.from_nir(to_nir(floats())), tmp_path / "g.pt", {})
    imported = become_integer(load_student(tmp_path / "g.pt"), load_profile(TARGET), TARGET)
    save_student(imported, tmp_path / "g.pt", {})
    assert torch.equal(load_student(tmp_path / "g.pt")(images(5)).scores, imported(images(5)).scores)


def test_peaks_are_those_of_the_layer() -> None:
    measuring, made, target = Measuring(images(20).numpy()), floats(), load_profile(TARGET)
    made.network[5].alpha.data = torch.linspace(0.98, 0.995, 6)  # which leaves the worst case no room
    student = become_integer(made, target, TARGET, measuring=measuring)
    assert student.grid.scales["5"] > 4 * become_integer(made, target, TARGET).grid.scales["5"]
    with torch.no_grad():
        student.network[2].weight.mul_(1.6)
    before = student.grid
    settle(student, target, measuring)
    assert set(student.grid.calibration.peaks) == set(before.calibration.peaks) == {"1", "5", "7", "9"}
    assert student.grid.calibration.peaks["5"].current > before.calibration.peaks["5"].current
    chip = lower(to_nir(student.eval()), TARGET)
    assert [str(d) for d in differences(student, chip, images(9))] == []
    room = next(str(sentence) for sentence in remarks(chip) if "room for 1.5 times" in str(sentence))
    assert any(part in room for part in chip.provenance["parts"]["5"])


def test_thresholds_are_divided_into_the_weights_for_good() -> None:
    made, student = floats(), become_integer(floats(), load_profile(TARGET), TARGET)
    before, after = made.network, student.network
    assert after[1].threshold.shape == () and float(after[1].threshold) == 1
    assert isinstance(after[1].threshold, nn.Parameter), "it goes on learning, for all of them"
    torch.testing.assert_close(after[0].weight * before[1].threshold.reshape(4, 1, 1, 1), before[0].weight)
    torch.testing.assert_close(after[6].bias * before[7].threshold, before[6].bias)
    fold_thresholds(after)
    torch.testing.assert_close(after[6].bias * before[7].threshold, before[6].bias), "once"


def test_decays_that_no_register_tells_from_no_leak_leak_least() -> None:
    """NIR has no LIF without a leak, so that the smallest register stands for it beside others."""
    made = floats(learns=False)
    made.network[1].beta[1] = 1 - 1e-5
    student = become_integer(made, load_profile(TARGET), TARGET)
    chip = lower(to_nir(student), TARGET)
    assert sorted(p.neuron.dv for p in chip.populations if p.name.startswith("1.")) == [1, 1024, 3072]
    assert [str(d) for d in differences(student, chip, images(9))] == []


def dense(neurons: nn.Module, size: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(72, size), neurons, nn.Linear(size, 3), integrator())


def refusal(network: nn.Module, shape: tuple[int, int, int] = (1, 8, 9)) -> str:
    student = Student(StudentConfig("own", 1, shape, 3, 4, "rate", "membrane"), network).eval()
    with pytest.raises(InputError) as caught:
        become_integer(student, load_profile(TARGET), TARGET)
    return str(caught.value)


def test_what_differs_too_much_is_refused() -> None:
    size = 70
    learnt = {"beta": torch.full((size,), 0.5), "learn_beta": True, "threshold": 1.0} | ZERO
    said = refusal(
        nn.Sequential(nn.Flatten(), nn.Linear(72, size), snn.Leaky(**learnt), nn.Linear(size, 3), integrator())
    )
    assert "2: learns 70 decays, and a layer becomes at most 64 populations of one decay each" in said
    fixed = learnt | {"learn_beta": False, "beta": torch.linspace(0.1, 0.9, size)}
    said = refusal(
        nn.Sequential(nn.Flatten(), nn.Linear(72, size), snn.Leaky(**fixed), nn.Linear(size, 3), integrator())
    )
    assert "2: its decays make 70 populations, and a layer is split into at most 64" in said
    few = snn.Leaky(beta=0.5, threshold=torch.tensor([0.5, 0.0, 1.0]), **ZERO)
    said = refusal(dense(few, 3))
    assert "2: has thresholds that are not above 0" in said


@pytest.mark.lava
def test_lava_runs_what_was_trained(lava: None) -> None:
    student = trained()
    chip = lower(to_nir(student), TARGET)
    assert [str(d) for d in differences(student, chip, images(3))] == []
    drive = encode("rate", images(3).numpy(), T, 4)
    ours = integer.run(chip, drive, record_states=True)
    assert compare(ours, backend("lava")(chip, drive, record_states=True)) == []
    fired = {name.partition(".")[0] for name, spikes in ours.spikes.items() if spikes.any()}
    assert fired == {"input", "1", "5", "7"}
