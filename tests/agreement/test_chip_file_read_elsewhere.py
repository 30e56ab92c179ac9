"""The reader of chip files in examples/, NumPy and h5py alone, computes what the integer simulator does."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from spikewright.chip.chip_file import save_chip
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.simulation import integer

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "read_chip_file.py"


@pytest.fixture(scope="module")
def reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("read_chip_file", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def with_law(population: Population, law: str) -> Population:
    neuron = population.neuron
    subtracts = neuron is not None and neuron.fires and population.role not in ("relay", "bias")
    return replace(population, neuron=replace(neuron, law=law)) if subtracts else population


@pytest.mark.parametrize(
    ("seed", "law"), [(0, "lif"), (1, "lif"), (2, "lif"), (0, "lif-subtract"), (0, "lif-subtract-late")]
)
def test_a_reader_without_us_computes_the_same(
    kind: str, seed: int, law: str, drawn: Callable[..., tuple], reader: ModuleType, tmp_path: Path
) -> None:
    chip, drive = drawn(kind, seed)
    chip = replace(chip, populations=tuple(with_law(population, law) for population in chip.populations))
    save_chip(chip, tmp_path / "chip.h5")
    ours = integer.run(chip, drive)
    network, biases, weights = reader.read(tmp_path / "chip.h5")
    for sample in range(drive.shape[1]):
        steps = [drive[t if len(drive) > 1 else 0, sample] for t in range(chip.timesteps)]
        spikes, potentials = reader.run(network, biases, weights, steps)
        for name, expected in ours.spikes.items():
            if name in ours.tallies or name == chip.input.name:
                assert np.array_equal(np.stack(spikes[name]), expected[:, sample]), name
        assert np.array_equal(reader.scores(network, spikes, potentials), ours.scores[sample])


def test_a_convolution_wraps_in_24_bits_before_anything_else(reader: ModuleType, tmp_path: Path) -> None:
    """16 (2^20 - 1) = 2^24 - 16 becomes -16, and is no spike."""
    neuron = Neuron(du=4095, dv=0, vth=131071, bias=np.zeros((1, 1, 1), np.int64))
    populations = (Population("input", (1, 1, 1), "input", None, 20), Population("n", (1, 1, 1), "readout", neuron))
    connection = Connection("input", "n", np.full((1, 1, 1, 1), 16), conv=ConvGeometry())
    chip = ChipNetwork(populations, (connection,), 1, "direct", "count", "none", "")
    save_chip(chip, tmp_path / "chip.h5")
    network, biases, weights = reader.read(tmp_path / "chip.h5")
    most = np.full((1, 1, 1), 2**20 - 1)
    spikes, potentials = reader.run(network, biases, weights, [most])
    assert integer.run(chip, most[None, None]).scores[0, 0] == 0
    assert reader.scores(network, spikes, potentials)[0] == 0
