"""Random chip networks of every kind that the simulators must agree on."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch import nn

from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.student.config import StudentConfig
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student

Case = tuple[ChipNetwork, IntArray]
SAMPLES = 3


@pytest.fixture(autouse=True)
def compiled_loops() -> None:
    """What is compared here is what simulates larger data; small ones take it once it is loaded."""
    importlib.import_module("spikewright.kernels.network")


@pytest.fixture
def lava() -> None:
    """Skip where Lava is not installed."""
    if importlib.util.find_spec("lava") is None:
        pytest.skip("Lava is not installed (it needs Python 3.10)")


@pytest.fixture
def lava_dl(lava: None) -> None:
    """Skip where lava-dl is not installed."""
    if importlib.util.find_spec("lava.lib") is None:
        pytest.skip("lava-dl is not installed (it needs Python 3.10)")


@pytest.fixture
def untrained() -> Callable[[str, str, str, str], Student]:
    """Makes students for 12 x 12 pixels, always the same ones: ``(architecture, encoding, readout, neuron kind)``."""

    def make(architecture: str, encoding: str, readout: str, kind: str) -> Student:
        torch.manual_seed(5)
        neuron = NeuronSettings(kind=kind, beta=0.7, alpha=0.6, threshold=0.5)
        made = Student(StudentConfig(architecture, 6, (1, 12, 12), 5, 4, encoding, readout, 4, neuron)).eval()
        for module in made.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.02, 0.1)
        return made

    return make


class Drawing:
    """Draws the parts of one network from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.steps_differ = False
        self.populations: list[Population] = []
        self.connections: list[Connection] = []

    def events(self, shape: tuple[int, ...], payload_bits: int = 0) -> None:
        self.populations.append(Population("input", shape, "input", None, payload_bits))

    def neurons(
        self,
        name: str,
        shape: tuple[int, ...],
        *,
        role: str = "hidden",
        cuba: bool = False,
        biased: bool = False,
        vth: int | None = None,
        bias_exp: int = 6,
    ) -> None:
        bias = self.random.integers(-40, 60, shape) if biased else np.zeros(shape, dtype=np.int64)
        neuron = Neuron(
            du=int(self.random.integers(500, 4000)) if cuba else 4095,
            dv=int(self.random.integers(0, 4097)),
            vth=int(self.random.integers(20, 200)) if vth is None else vth,
            bias=bias,
            bias_exp=bias_exp,
            fires=role != "readout",
        )
        self.populations.append(Population(name, shape, role, neuron))

    def readout(self, size: int) -> None:
        self.neurons("readout", (size,), role="readout", cuba=True, biased=True, vth=131071)

    def bias_population(self, target: str, size: int) -> None:
        neuron = Neuron(du=4095, dv=0, vth=0, bias=np.ones(1, dtype=np.int64))
        self.populations.insert(0, Population("always on", (1,), "bias", neuron))
        self.connections.append(Connection("always on", target, self.weights(size, 1)))

    def dense(self, source: str, target: str) -> None:
        sizes = {p.name: p.size for p in self.populations}
        self.connections.append(Connection(source, target, self.weights(sizes[target], sizes[source])))

    def conv(self, source: str, target: str, kernel: tuple[int, ...], geometry: ConvGeometry) -> None:
        self.connections.append(Connection(source, target, self.weights(*kernel), conv=geometry))

    def weights(self, *shape: int) -> IntArray:
        """Even, as mixed weights of 8 bits are; a third of them zero."""
        drawn = 2 * self.random.integers(-50, 64, shape)
        return drawn * (self.random.random(shape) < 0.67)

    def chip(self, timesteps: int, encoding: str = "rate", readout: str = "membrane") -> ChipNetwork:
        return ChipNetwork(tuple(self.populations), tuple(self.connections), timesteps, encoding, readout, "none", "")

    def drive(self, chip: ChipNetwork) -> IntArray:
        shape = (SAMPLES, *chip.input.shape)
        each = (chip.timesteps if self.steps_differ else 1, *shape)
        if chip.encoding == "direct":
            return self.random.integers(0, 256, each) * (self.random.random(each) < 0.5)
        if chip.encoding == "current":
            return self.random.integers(0, 256, each)
        return self.random.integers(0, 2, (chip.timesteps, *shape))


def dense(draw: Drawing) -> ChipNetwork:
    draw.events((9,))
    draw.neurons("a", (14,), biased=True)
    draw.neurons("b", (11,), cuba=True, biased=True, bias_exp=3)
    draw.neurons("readout", (5,), role="readout", cuba=True, biased=True)
    for source, target in (("input", "a"), ("a", "b"), ("b", "readout")):
        draw.dense(source, target)
    return draw.chip(7, readout="count")


def one_step(draw: Drawing) -> ChipNetwork:
    draw.events((6,), payload_bits=8)
    draw.neurons("a", (12,), biased=True, vth=9000)
    draw.readout(4)
    draw.dense("input", "a")
    draw.dense("a", "readout")
    return draw.chip(1, "direct")


def convolutions(draw: Drawing) -> ChipNetwork:
    draw.events((2, 9, 8), payload_bits=8)
    draw.neurons("strided and padded", (4, 4, 5), biased=True, vth=12000)
    draw.neurons("dilated and grouped", (6, 2, 3), cuba=True, biased=True)
    draw.neurons("dense from three axes", (10,))
    draw.readout(4)
    draw.conv("input", "strided and padded", (4, 2, 3, 2), ConvGeometry((2, 2), (0, 1), (1, 1), 1))
    geometry = ConvGeometry((1, 2), (1, 1), (2, 1), 2)
    draw.conv("strided and padded", "dilated and grouped", (6, 2, 3, 3), geometry)
    draw.dense("dilated and grouped", "dense from three axes")
    draw.dense("dense from three axes", "readout")
    return draw.chip(5, "direct")


def current_input(draw: Drawing) -> ChipNetwork:
    draw.neurons("input", (2, 6, 5), role="input", vth=150)
    draw.neurons("a", (3, 5, 5), biased=True)
    draw.readout(4)
    draw.conv("input", "a", (3, 2, 2, 3), ConvGeometry((1, 1), (0, 1)))
    draw.dense("a", "readout")
    return draw.chip(6, "current")


def graded_frames(draw: Drawing) -> ChipNetwork:
    """Payloads that change from step to step."""
    draw.steps_differ = True
    draw.events((4, 6, 1), payload_bits=8)
    draw.neurons("a", (3, 4, 1), biased=True, vth=6000)
    draw.readout(4)
    draw.conv("input", "a", (3, 4, 3, 1), ConvGeometry())
    draw.dense("a", "readout")
    return draw.chip(7, "direct")


def changing_current(draw: Drawing) -> ChipNetwork:
    """Currents that the host sets anew for each step."""
    draw.steps_differ = True
    chip = current_input(draw)
    assert chip.encoding == "current"
    return chip


def changing_current_recurrent(draw: Drawing) -> ChipNetwork:
    """Currents that change, in a network that is emptied between samples."""
    draw.steps_differ = True
    draw.neurons("input", (7,), role="input", vth=150)
    draw.neurons("a", (9,), biased=True)
    draw.neurons("loop", (8,), cuba=True, biased=True, vth=60)
    draw.readout(3)
    for source, target in (("input", "a"), ("a", "loop"), ("loop", "loop"), ("loop", "readout")):
        draw.dense(source, target)
    return draw.chip(6, "current")


def skip_with_relay(draw: Drawing) -> ChipNetwork:
    draw.events((2, 5, 5))
    draw.neurons("a", (3, 5, 5), biased=True)
    draw.neurons("b", (3, 5, 5), cuba=True)
    draw.neurons("relay", (3, 5, 5), role="relay", vth=1)
    draw.neurons("joined", (3, 5, 5), biased=True)
    draw.readout(4)
    same = ConvGeometry((1, 1), (1, 1))
    draw.conv("input", "a", (3, 2, 3, 3), same)
    draw.conv("a", "b", (3, 3, 3, 3), same)
    draw.connections.append(
        Connection("a", "relay", np.full((3, 1, 1, 1), 2, dtype=np.int64), conv=ConvGeometry(groups=3))
    )
    draw.conv("b", "joined", (3, 3, 3, 3), same)
    draw.dense("relay", "joined")
    draw.dense("joined", "readout")
    return draw.chip(5)


def recurrent(draw: Drawing) -> ChipNetwork:
    draw.events((7,))
    draw.neurons("a", (9,), biased=True)
    draw.neurons("loop", (8,), cuba=True, biased=True, vth=60)
    draw.readout(3)
    for source, target in (("input", "a"), ("a", "loop"), ("loop", "loop"), ("loop", "readout")):
        draw.dense(source, target)
    return draw.chip(6)


def bias_population(draw: Drawing) -> ChipNetwork:
    draw.events((7,))
    draw.neurons("a", (9,), biased=True)
    draw.neurons("b", (8,), cuba=True)
    draw.readout(3)
    for source, target in (("input", "a"), ("a", "b"), ("b", "readout")):
        draw.dense(source, target)
    draw.bias_population("b", 8)
    return draw.chip(6)


def beyond_32_bits(draw: Drawing) -> ChipNetwork:
    """Payloads so large that sums leave the 32 bits that Lava computes them in."""
    draw.events((40,), payload_bits=20)
    draw.neurons("a", (12,), cuba=True, biased=True, vth=100000)
    draw.readout(4)
    draw.dense("input", "a")
    draw.dense("a", "readout")
    return draw.chip(5)


def overflowing(draw: Drawing) -> ChipNetwork:
    """Currents that wrap, convolutions that leave 24 bits, and membranes that saturate."""
    draw.events((3, 8, 8), payload_bits=12)
    draw.neurons("wrapping", (4, 2, 2), cuba=True, biased=True, vth=131071)
    draw.neurons("saturating", (6,), vth=131071)
    draw.readout(4)
    draw.conv("input", "wrapping", (4, 3, 7, 7), ConvGeometry())
    draw.dense("wrapping", "saturating")
    draw.dense("saturating", "readout")
    return draw.chip(5)


KINDS: dict[str, Callable[[Drawing], ChipNetwork]] = {
    kind.__name__: kind
    for kind in (
        dense,
        one_step,
        convolutions,
        current_input,
        graded_frames,
        changing_current,
        changing_current_recurrent,
        skip_with_relay,
        recurrent,
        bias_population,
        beyond_32_bits,
        overflowing,
    )
}


def draw(kind: str, seed: int) -> Case:
    """A network of the given kind, and what drives it, from a seed."""
    drawing = Drawing(seed)
    chip = KINDS[kind](drawing)
    drive = drawing.drive(chip)
    bits = chip.input.payload_bits
    if bits > 8:
        drive = drive * drawing.random.integers(2 ** (bits - 1), 2**bits, drive.shape)
    return chip, drive


@pytest.fixture
def drawn() -> Callable[[str, int], Case]:
    """The function that draws a network and what drives it."""
    return draw


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every kind of network."""
    yield request.param
