"""Maps between neurons that are no single layer, on integers: one matrix, or a bias of each place, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spikewright.base.errors import InputError
from spikewright.chip.encoding import encode
from spikewright.chip.network import ChipNetwork
from spikewright.importing.description import ImportedNetwork
from spikewright.importing.matrix import Matrix
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import compare
from spikewright.student.config import StudentConfig
from spikewright.student.integers.form import become_integer, settle
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.neurons import integrator, spiking
from spikewright.student.placed import PLACED
from spikewright.student.student import Student, load_student, save_student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import differences, verify_export

SHAPE, SERIES, TARGET = (2, 6, 6), (2, 12, 1), "loihi2-assumed"
Way = Callable[[nn.ModuleDict, Tensor], Tensor]
ZERO = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}


ALPHA = torch.arange(36).reshape(6, 6) % 4 / 5 + 0.1


def lif(kind: str = "lif") -> nn.Module:
    return spiking(NeuronSettings(kind, beta=0.75, threshold=0.4))  # type: ignore[arg-type]


def varied(*shape: int) -> nn.Module:
    """Neurons with thresholds of each place, or each channel."""
    return snn.Leaky(beta=0.7, threshold=torch.rand(shape) / 2 + 0.2, **ZERO)


class Net(nn.Module):
    """Spikes, what is tested, neurons, and a readout."""

    def __init__(
        self,
        way: Callable[[nn.ModuleDict, Tensor], Tensor],
        last: nn.Module,
        size: int,
        series: bool,
        **layers: nn.Module,
    ) -> None:
        super().__init__()
        self.stem = (
            nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 4, 3, padding=1)) if series else nn.Conv2d(2, 4, 3, padding=1)
        )
        self.first, self.each, self.last = lif(), nn.ModuleDict(layers), last
        self.head, self.readout, self.way = nn.Linear(size, 5), integrator(), [way]

    def forward(self, value: Tensor) -> Tensor:
        spikes = self.last(self.way[0](self.each, self.first(self.stem(value))))
        return self.readout(self.head(spikes.flatten(1)))


def in_a_row(*layers: nn.Module, size: int, last: nn.Module | None = None, series: bool = False) -> nn.Module:
    names = {f"l{number}": layer for number, layer in enumerate(layers)}

    def way(each: nn.ModuleDict, value: Tensor) -> Tensor:
        for layer in each.values():
            value = layer(value)
        return value

    return Net(way, last or lif(), size, series, **names)


def padded(inputs: int = 4, outputs: int = 4) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def twice(each: nn.ModuleDict, value: Tensor) -> Tensor:
    current = each["one"](value)
    return current + each["pool"](current) * -0.5


def two_ways(shortcut: nn.Module) -> dict[str, nn.Module]:
    return {"inner": padded(), "neurons": lif(), "one": padded(), "two": padded(), "shortcut": shortcut}


def skipping(each: nn.ModuleDict, value: Tensor) -> Tensor:
    inner = each["two"](each["one"](each["neurons"](each["inner"](value))))
    return inner + each["shortcut"](value)


NETWORKS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "two padded": (lambda: in_a_row(padded(), nn.Dropout(), padded(), size=144), 1),
    "three, one strided": (lambda: in_a_row(padded(), nn.Conv2d(4, 6, 3, 2, 1), nn.Conv2d(6, 4, 1), size=36), 1),
    "padded with groups": (lambda: in_a_row(nn.Conv2d(4, 4, 3, padding=1, groups=2), padded(), size=144), 1),
    "uneven pooling of currents": (lambda: in_a_row(nn.Conv2d(4, 4, 1), nn.AdaptiveAvgPool2d((2, 4)), size=32), 1),
    "padded pooling of currents": (lambda: in_a_row(padded(), nn.AvgPool2d(3, 2, 1), size=36), 1),
    "bilinear": (lambda: in_a_row(nn.AvgPool2d(2), nn.Upsample(size=(4, 5), mode="bilinear"), padded(), size=80), 1),
    "a norm alone": (lambda: in_a_row(nn.BatchNorm2d(4), size=144), 0),
    "a norm of a vector": (lambda: in_a_row(nn.Flatten(), nn.BatchNorm1d(144), size=144), 0),
    "a norm behind padding": (lambda: in_a_row(nn.BatchNorm2d(4), nn.ZeroPad2d(1), nn.Conv2d(4, 3, 3), size=108), 1),
    "two ways of one layer": (
        lambda: Net(twice, lif(), 144, False, one=padded(), pool=nn.AvgPool2d(3, 1, 1, count_include_pad=False)), 1,
    ),
    "two sources": (lambda: Net(skipping, lif(), 144, False, **two_ways(nn.Conv2d(4, 4, 3, 1, 1))), 2),
    "to a vector": (lambda: in_a_row(padded(), padded(), nn.Flatten(), nn.Linear(144, 7), size=7), 1),
    "behind a synaptic filter": (lambda: in_a_row(padded(), padded(), last=lif("cubalif"), size=144), 1),
    "thresholds of each place": (
        lambda: in_a_row(padded(), last=varied(4, 6, 6), size=144), 1,
    ),
    "alpha of each place": (
        lambda: in_a_row(
            padded(), last=snn.Synaptic(alpha=ALPHA, beta=0.5, threshold=0.4, **ZERO), size=144,
        ), 1,
    ),
    "a series": (
        lambda: in_a_row(nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 3, 3, padding=1), size=36, series=True), 1,
    ),
    "a norm before padding": (lambda: in_a_row(nn.BatchNorm2d(4), padded(), size=144), 0),
    "a norm before padding, strided": (
        lambda: in_a_row(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, 2, 1, groups=2), nn.BatchNorm2d(4), size=36), 0,
    ),
    "a norm before padding, pooled": (lambda: in_a_row(nn.BatchNorm2d(4), padded(), nn.AvgPool2d(2), size=36), 1),
    "a norm before padding that repeats": (
        lambda: in_a_row(nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), size=144), 0,
    ),
    "a norm before padding of a series": (
        lambda: in_a_row(nn.BatchNorm1d(4), nn.Conv1d(4, 3, 3, padding=1), size=36, series=True), 0,
    ),
    "a norm before padding, filtered": (
        lambda: in_a_row(nn.BatchNorm2d(4), padded(), last=lif("cubalif"), size=144), 0,
    ),
    "thresholds of channels behind a norm": (
        lambda: in_a_row(
            nn.BatchNorm2d(4), padded(), last=varied(4, 1, 1), size=144
        ), 0,
    ),
    "times a number": (lambda: Net(lambda each, x: each["one"](x) * -1.7, lif(), 144, False, one=padded()), 0),
    "divided and pooled": (
        lambda: Net(lambda e, x: e["pool"](e["one"](x)) / 0.3, lif(), 36, False, one=padded(), pool=nn.AvgPool2d(2)), 0,
    ),
    "a shortcut times a number": (lambda: Net(lambda e, x: (x + e["l"](x)) * 0.5, lif(), 144, False, l=padded()), 0),
}  # fmt: skip


def floats(name: str, encoding: str = "direct") -> Student:
    torch.manual_seed(4)
    network = NETWORKS[name][0]()
    shape = SERIES if "series" in name else SHAPE
    made = Student(StudentConfig("own", 4, shape, 5, 5, encoding), network)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.05, 0.3)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.2)
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            module.weight.data.mul_(2.5)
    return made.eval()


def images(student: Student, count: int = 4) -> Tensor:
    return torch.rand(count, *student.config.input_shape, generator=torch.Generator().manual_seed(1))


def trained(name: str) -> Student:
    """A student after one step on integers."""
    target, before = load_profile(TARGET), floats(name)
    student = become_integer(before, target, TARGET)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.02)
    output = student(images(student, 8))
    (F.cross_entropy(output.logits, torch.arange(8) % 5) + sum(s.mean() for s in output.spikes.values())).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in student.network.parameters())
    optimizer.step()
    settle(student, target)
    return student.eval()


def structure(chip: ChipNetwork) -> list[tuple[object, ...]]:
    """What stands between the populations, without a bias population and its weights."""
    return [(c.name, c.conv is None, c.weight.shape) for c in chip.connections if chip.by_name[c.source].role != "bias"]


@pytest.mark.parametrize("name", list(NETWORKS))
def test_what_was_trained_is_what_the_chip_computes(name: str, tmp_path: Path) -> None:
    matrices, before = NETWORKS[name][1], floats(name)
    student = trained(name)
    graph = to_nir(student)
    assert verify_export(student, graph, images(student)).samples == 4
    chip = lower(graph, TARGET)
    assert max(chip.provenance["rounding"][layer] for layer in student.grid.scales if layer in chip.by_name) < 1e-3
    found = [module for module in student.network.modules() if isinstance(module, Matrix)]
    assert len(found) == matrices
    in_floats = lower(to_nir(before), TARGET)
    if name not in ("a norm before padding, pooled", "two sources"):  # convolutions that are part of what is composed
        assert structure(chip) == structure(in_floats), "as lowering composes it"
    first = become_integer(before, load_profile(TARGET), TARGET)
    assert len(first.composed) == (1 if matrices else 0)
    for one, two in zip(lower(to_nir(first), TARGET).connections, in_floats.connections, strict=False):
        if not matrices and one.name == two.name and "alpha" not in name and one.weight.shape == two.weight.shape:
            apart = np.abs(one.weight - two.weight).max()
            assert apart <= 2 or "shortcut" in name or "filtered" in name, "the integers of lowering"
    save_student(student, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt", NETWORKS[name][0]())
    assert torch.equal(again(images(student)).scores, student(images(student)).scores)
    assert [str(d) for d in differences(again, chip, images(student, 6))] == []


def test_what_it_costs_is_said() -> None:
    student = become_integer(floats("two padded"), load_profile(TARGET), TARGET)
    assert student.composed == (
        "last: what comes to it is no single layer, and is a matrix of 144 x 144 on the chip; it trains as that from "
        "now on, 20,736 weights of their own in place of 296",
    )
    assert become_integer(floats("times a number"), load_profile(TARGET), TARGET).composed == ()


def test_a_matrix_computes_what_the_layers_did() -> None:
    before = floats("two sources")
    student = become_integer(before, load_profile(TARGET), TARGET)
    spikes = (torch.rand(3, 4, 6, 6) < 0.4).float()
    inner = (torch.rand(3, 4, 6, 6) < 0.4).float()
    each = before.network.each
    with torch.no_grad():
        expected = each["two"](each["one"](inner)) + each["shortcut"](spikes)
        matrices = [module for module in student.network.modules() if isinstance(module, Matrix)]
        found = [sum(m(v) for m, v in zip(matrices, way, strict=True)) for way in ((spikes, inner), (inner, spikes))]
    assert min(float((each - expected).abs().max()) for each in found) < 1e-4


def test_the_change_moves_no_statistics() -> None:
    """A student in training becomes what it is at inference."""
    for name in ("a norm before padding", "a norm alone", "two sources"):
        one, other = (
            become_integer(each, load_profile(TARGET), TARGET) for each in (floats(name), floats(name).train())
        )
        assert other.training and other.network.training and not one.training
        assert torch.equal(one(images(one)).scores, other.eval()(images(one)).scores)


def test_a_bias_of_each_place_is_smaller_at_the_borders() -> None:
    before = floats("a norm before padding")
    student = become_integer(before, load_profile(TARGET), TARGET)
    placed = next(module for module in student.network.modules() if isinstance(module, PLACED))
    norm, convolution = before.network.each.values()
    value = torch.rand(2, 4, 6, 6)
    torch.testing.assert_close(placed(value), convolution(norm(value)), atol=1e-4, rtol=1e-4)
    assert placed.bias.shape == (4, 6, 6)
    assert not torch.allclose(placed.bias[:, 0], placed.bias[:, 1])
    assert torch.allclose(placed.bias[:, 2], placed.bias[:, 3])


def graph(*nodes: nir.NIRNode, shape: tuple[int, ...]) -> nir.NIRGraph:
    names = ["input", *(f"n{number}" for number in range(len(nodes))), "output"]
    ends = nir.Input(np.array(shape)), nir.Output(np.array([3]))
    metadata = {"dt_s": 1e-3, "reset": "zero", "timesteps": 5}
    every = dict(zip(names, (ends[0], *nodes, ends[1]), strict=True))
    return nir.NIRGraph(every, list(pairwise(names)), metadata=metadata, type_check=False)


def neurons(*shape: int) -> nir.LIF:
    ones = np.ones(shape, np.float32)
    return nir.LIF(tau=5e-3 * ones, r=5 * ones, v_leak=0 * ones, v_threshold=0.4 * ones, v_reset=0 * ones)


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(0, 0.4, shape).astype(np.float32)


def convolution(outputs: int) -> nir.Conv2d:
    return nir.Conv2d((6, 6), weights(outputs, 4, 3, 3), 1, 1, 1, 1, weights(outputs))


def test_a_file_holds_a_composed_network_as_data(tmp_path: Path) -> None:
    flat = nir.Flatten({"input": np.array([3, 6, 6])}, 0, -1)
    ends = flat, nir.Linear(weights(3, 108)), nir.I(r=np.full(3, 1e3))
    body = convolution(4), neurons(4, 6, 6), convolution(4), convolution(3), neurons(3, 6, 6)
    made = Student.from_nir(graph(*body, *ends, shape=(4, 6, 6)))
    student = become_integer(made, load_profile(TARGET), TARGET)
    save_student(student, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt")
    assert isinstance(again.network, ImportedNetwork)
    assert [part.kind for part in again.network.description.parts].count("matrix") == 1
    assert torch.equal(again(images(made)).scores, student(images(made)).scores)
    assert verify_export(again, to_nir(again), images(made)).samples == 4
    save_student(again, tmp_path / "t.pt", {})
    assert torch.equal(load_student(tmp_path / "t.pt")(images(made)).scores, student(images(made)).scores)


def test_a_file_says_that_two_layers_have_become_one(tmp_path: Path) -> None:
    """Fewer weights than the layers had that they were made of."""
    ends = nir.Linear(weights(3, 6)), nir.I(r=np.full(3, 1e3))
    made = Student.from_nir(
        graph(nir.Linear(weights(50, 20)), nir.Linear(weights(6, 50)), neurons(6), *ends, shape=(20,))
    )
    student = become_integer(made, load_profile(TARGET), TARGET)
    save_student(student, tmp_path / "s.pt", {})
    again = load_student(tmp_path / "s.pt")
    assert torch.equal(again(images(made)).scores, student(images(made)).scores)


def test_what_is_too_large_for_a_matrix_is_refused_with_its_size() -> None:
    network = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), lif(), padded(), padded(), lif(), nn.Flatten(), nn.Linear(4 * 64 * 64, 5),
        integrator(),
    )  # fmt: skip
    student = Student(StudentConfig("own", 4, (1, 64, 64), 5, 4, "rate"), network).eval()
    with pytest.raises(InputError) as caught:
        become_integer(student, load_profile(TARGET), TARGET)
    assert str(caught.value) == (
        "training on integers: 4: what comes to it from _1 would be a matrix of 268,435,456 weights, more than the "
        "33,554,432 that a chip may hold; put neurons between its layers, or use a convolution with a stride"
    )


@pytest.mark.parametrize(
    ("way", "said"),
    [
        (lambda e, x: e["one"](x) * 0.0, "multiplies by 0, which leaves nothing; leave out what is before it"),
        (lambda e, x: e["one"](x * -2.0), "multiplies spikes by -2; multiply the weights behind it instead"),
        (lambda e, x: (x + e["one"](x)) * 0.001, "an integer 1 is worth 0.001, which no weight of the chip holds"),
    ],
)
def test_numbers_that_no_integer_is(way: Way, said: str) -> None:
    network = Net(way, lif(), 144, False, one=padded())
    with pytest.raises(InputError) as caught:
        become_integer(Student(StudentConfig("own", 4, SHAPE, 5, 5), network).eval(), load_profile(TARGET), TARGET)
    assert said in str(caught.value)


@pytest.mark.lava
@pytest.mark.parametrize("name", ["two padded", "a norm before padding"])
def test_lava_runs_what_was_trained(lava: None, name: str) -> None:
    student = trained(name)
    chip = lower(to_nir(student), TARGET)
    drive = encode("direct", images(student, 2).numpy(), chip.timesteps, student.config.input_bits)
    ours = integer.run(chip, drive, record_states=True)
    assert compare(ours, backend("lava")(chip, drive, record_states=True)) == []
    assert all(spikes.any() for layer, spikes in ours.spikes.items() if layer != chip.output.name)
