"""Integer networks with samples, for `sanafe_agreement.py`: dense, sparse, convolutional, on one path and on two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population

PROFILE = "loihi1-sanafe"


@dataclass(frozen=True)
class Case:
    """A network with its samples.

    Attributes:
        drive: as the integer simulator takes it.
        tables: how SANA-FE stores dense connections: ``dense``, or ``sparse`` without the weights that are zero.
    """

    name: str
    chip: ChipNetwork
    drive: IntArray
    tables: str = "dense"


def neurons(shape: tuple[int, ...], vth: int, dv: int = 0, bias: IntArray | None = None) -> Neuron:
    """A population's registers, without current memory."""
    return Neuron(4095, dv, vth, np.zeros(shape, dtype=np.int64) if bias is None else bias, 6)


def dense_case(name: str, density: float = 1.0, tables: str = "dense", events: bool = False) -> Case:
    """Two dense layers with leak, the second with biases; a share ``density`` of the weights is not zero."""
    random = np.random.default_rng(0)

    def weights(*shape: int) -> IntArray:
        chosen: IntArray = random.integers(-30, 50, shape) * 2 * (random.random(shape) < density)
        return chosen

    populations = (
        Population("in", (48,), "input", None if events else neurons((48,), 250)),
        Population("one", (64,), "hidden", neurons((64,), 300, dv=800)),
        Population("two", (10,), "readout", neurons((10,), 300, dv=400, bias=random.integers(-20, 40, 10))),
    )
    connections = (Connection("in", "one", weights(64, 48)), Connection("one", "two", weights(10, 64)))
    encoding = "events" if events else "current"
    chip = ChipNetwork(populations, connections, 8, encoding, "count", PROFILE, "")
    drive = random.integers(0, 2, (8, 3, 48)) if events else random.integers(0, 256, (1, 3, 48))
    return Case(name, chip, drive, tables)


def grouped_case(name: str) -> Case:
    """Sparse connectivity: neurons in eight groups that only hear their own, as convolutions of one pixel."""
    random = np.random.default_rng(2)

    def weights(*shape: int) -> IntArray:
        return random.integers(-15, 25, shape) * 2 + 1

    populations = (
        Population("in", (48, 1, 1), "input", neurons((48, 1, 1), 250)),
        Population("one", (64, 1, 1), "hidden", neurons((64, 1, 1), 120, dv=800)),
        Population("two", (16, 1, 1), "readout", neurons((16, 1, 1), 100, dv=400)),
    )
    connections = (
        Connection("in", "one", weights(64, 6, 1, 1), conv=ConvGeometry(groups=8)),
        Connection("one", "two", weights(16, 8, 1, 1), conv=ConvGeometry(groups=8)),
    )
    chip = ChipNetwork(populations, connections, 8, "current", "count", PROFILE, "")
    return Case(name, chip, random.integers(0, 256, (1, 3, 48, 1, 1)))


def conv_case(name: str, paths: int = 1) -> Case:
    """A convolution, a padded one with stride, on a second path a depthwise one beside it, and a dense readout."""
    random = np.random.default_rng(1)

    def weights(*shape: int) -> IntArray:
        return random.integers(-20, 40, shape) * 2

    bias = random.integers(0, 40, (4, 7, 7))
    populations = (
        Population("in", (2, 9, 9), "input", neurons((2, 9, 9), 250)),
        Population("one", (4, 7, 7), "hidden", neurons((4, 7, 7), 250, dv=1000, bias=bias)),
        Population("two", (4, 4, 4), "hidden", neurons((4, 4, 4), 200, dv=500)),
        Population("beside", (4, 4, 4), "hidden", neurons((4, 4, 4), 100)),
        Population("out", (10,), "readout", neurons((10,), 400)),
    )
    connections = (
        Connection("in", "one", weights(4, 2, 3, 3), conv=ConvGeometry()),
        Connection("one", "two", weights(4, 4, 3, 3), conv=ConvGeometry((2, 2), (1, 1))),
        Connection("one", "beside", weights(4, 1, 2, 2), conv=ConvGeometry((2, 2), (1, 1), groups=4)),
        Connection("two", "out", weights(10, 64)),
        Connection("beside", "out", weights(10, 64)),
    )
    if paths == 1:
        populations = (*populations[:3], populations[4])
        connections = (*connections[:2], connections[3])
    chip = ChipNetwork(populations, connections, 8, "current", "count", PROFILE, "")
    return Case(name, chip, random.integers(0, 256, (1, 3, 2, 9, 9)))


def cases() -> list[Case]:
    """Dense, sparse and convolutional networks, driven by currents; one by events."""
    return [
        dense_case("dense"),
        dense_case("dense, event input", events=True),
        grouped_case("sparse: groups"),
        conv_case("convolutions"),
        conv_case("convolutions on two paths", paths=2),
        dense_case("15 % of weights not zero, dense table", density=0.15),
        dense_case("15 % of weights not zero, sparse table in SANA-FE alone", density=0.15, tables="sparse"),
    ]
