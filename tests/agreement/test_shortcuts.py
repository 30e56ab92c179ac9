"""Shortcuts on integers: spikes added to currents, currents added to currents, and what shares a scale for it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikewright.base.errors import InputError
from spikewright.chip.encoding import encode
from spikewright.chip.network import ChipNetwork
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import compare
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking
from spikewright.student.student import Student, load_student, save_student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences

SHAPE = (2, 6, 6)


class Block(nn.Module):
    """A stem of spikes, a way of convolutions, and a shortcut past it in one of the forms that the literature has."""

    def __init__(self, form: str, kind: str = "lif", threshold: float = 0.45) -> None:
        super().__init__()
        self.form = form
        neuron = NeuronSettings(kind=kind, beta=0.7, alpha=0.4, threshold=threshold)
        self.stem, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.one, self.two, self.three = (spiking(neuron) for _ in range(3))
        self.inner, self.inner_norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.last, self.last_norm = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.pool = nn.AvgPool2d(2)
        self.head, self.readout = nn.Linear(36, 5), integrator()

    def forward(self, value: Tensor) -> Tensor:
        currents = self.norm(self.stem(value))
        spikes = self.one(currents)
        inner = self.inner_norm(self.inner(spikes))
        if self.form == "membrane":  # MS-ResNet: currents are added to currents
            currents = currents + inner
            deeper = self.two(currents)
            joined = self.three(currents + self.last_norm(self.last(deeper)))
        elif self.form == "spikes":  # spikes are added to currents
            joined = self.three(self.last_norm(self.last(self.two(inner))) + spikes)
        elif self.form == "pooled":
            joined = self.three(self.pool(self.last_norm(self.last(self.two(inner)))) + self.pool(spikes))
        elif self.form == "same source":  # the identity and the convolution are one connection of the chip
            joined = self.three(inner + spikes)
        else:  # SEW: spikes are added to spikes
            joined = self.three(self.last(self.two(inner) + spikes))
        pooled = joined if self.form == "pooled" else self.pool(joined)
        result: Tensor = self.readout(self.head(pooled.flatten(1)))
        return result


def student(form: str, encoding: str = "rate", kind: str = "lif", threshold: float = 0.45) -> Student:
    torch.manual_seed(6)
    made = Student(StudentConfig("own", 4, SHAPE, 5, 6, encoding, input_bits=4), Block(form, kind, threshold))
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.02, 0.1)
    return made.eval()


def images(count: int = 4) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


def trained(form: str, encoding: str, kind: str, profile: str, bits: int) -> Student:
    """A student on integers after a step of training."""
    target = load_profile(profile)
    made = become_integer(student(form, encoding, kind), target, profile, bits)
    optimizer = torch.optim.SGD(made.parameters(), lr=0.02)
    output = made(images(8))
    (F.cross_entropy(output.logits, torch.arange(8) % 5) + sum(s.mean() for s in output.spikes.values())).backward()
    optimizer.step()
    settle(made, target)
    return made.eval()


WAYS = [("rate", "lif", "loihi2-assumed", 8), ("current", "cubalif", "loihi1-davies", 6)]
FORMS = ["membrane", "spikes", "pooled", "same source", "sew"]
CASES = [(form, *way) for form in FORMS for way in WAYS] + [("spikes", "direct", "lif", "loihi2-assumed", 5)]


@pytest.mark.parametrize(("form", "encoding", "kind", "profile", "bits"), CASES)
def test_what_was_trained_is_what_the_chip_runs(form: str, encoding: str, kind: str, profile: str, bits: int) -> None:
    made = trained(form, encoding, kind, profile, bits)
    chip = lower(to_nir(made), profile)
    assert [str(d) for d in differences(made, chip, images(12), seed=3)] == []
    rounding = chip.provenance["rounding"]
    assert max(rounding[name] for name in made.grid.scales) < 1e-2
    assert all(0.005 < spikes.mean() < 0.99 for spikes in made(images(12)).spikes.values())


def weights_of(chip: ChipNetwork, source: str, target: str) -> Tensor:
    (found,) = [c.weight for c in chip.connections if (c.source, c.target) == (source, target)]
    return torch.from_numpy(found.copy())


def test_a_shortcut_is_a_weight_of_exactly_the_scale() -> None:
    made = trained("spikes", "rate", "lif", "loihi2-assumed", 8)
    scale = made.grid.scales["three"]
    assert scale == int(scale)
    assert scale % 2 == 0, "the grid of weights of both signs"
    chip = lower(to_nir(made), "loihi2-assumed")
    assert weights_of(chip, "one.relay1", "three").unique().tolist() == [scale]
    pooled = trained("pooled", "rate", "lif", "loihi2-assumed", 8)
    scale = pooled.grid.scales["three"]
    assert scale % 8 == 0
    chip = lower(to_nir(pooled), "loihi2-assumed")
    assert weights_of(chip, "one.relay1", "three").unique().tolist() == [scale / 4]


def test_neurons_that_the_same_weights_feed_share_a_scale() -> None:
    made = trained("membrane", "rate", "lif", "loihi2-assumed", 8)
    scales = made.grid.scales
    assert scales["one"] == scales["two"] == scales["three"] != scales["readout"]
    chip = lower(to_nir(made), "loihi2-assumed")
    assert torch.equal(weights_of(chip, "input", "one"), weights_of(chip, "input.relay1", "two"))
    assert torch.equal(weights_of(chip, "input", "one"), weights_of(chip, "input.relay2", "three"))


def test_a_student_with_shortcuts_is_saved_and_read(tmp_path) -> None:
    made = trained("membrane", "rate", "lif", "loihi2-assumed", 8)
    save_student(made, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt", Block("membrane"))
    assert again.grid == made.grid
    assert torch.equal(again(images()).scores, made(images()).scores)


def test_what_the_chip_cannot_hold_is_refused() -> None:
    with pytest.raises(InputError, match="one path is 2 layers shorter than another, and the chip cannot delay graded"):
        become_integer(student("membrane", "direct"), load_profile("loihi2-assumed"), "loihi2-assumed")
    large = student("spikes", threshold=3.0)
    scale = become_integer(large, load_profile("loihi2-assumed"), "loihi2-assumed").grid.scales["three"]
    with torch.no_grad():
        large.network.last_norm.weight.mul_(1.5 * scale)
    with pytest.raises(InputError, match="three: the weight of its shortcut would be less than one step of the chip's"):
        become_integer(large, load_profile("loihi2-assumed"), "loihi2-assumed")
    made = Student(StudentConfig("own", 4, SHAPE, 5, 6, "direct"), Direct()).eval()
    with pytest.raises(InputError) as caught:
        become_integer(made, load_profile("loihi2-assumed"), "loihi2-assumed")
    assert "add: a shortcut brings it values of which an integer 1 is worth 0.00392, which no weight of the" in str(
        caught.value
    )


class Direct(nn.Module):
    """A graded input that meets currents without weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.one = nn.Conv2d(2, 2, 3, padding=1), spiking(NeuronSettings())
        self.head, self.readout = nn.Linear(72, 5), integrator()

    def forward(self, value: Tensor) -> Tensor:
        result: Tensor = self.readout(self.head(self.one(self.stem(value) + value).flatten(1)))
        return result


@pytest.mark.lava
@pytest.mark.parametrize("form", ["membrane", "spikes"])
def test_lava_computes_the_same(lava: None, form: str) -> None:
    made = trained(form, "rate", "lif", "loihi2-assumed", 8)
    chip = lower(to_nir(made), "loihi2-assumed")
    drive = encode(chip.encoding, images(2).numpy(), chip.timesteps, 4)
    ours = integer.run(chip, drive, record_states=True)
    assert compare(ours, backend("lava")(chip, drive, record_states=True)) == []
