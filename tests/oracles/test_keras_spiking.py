"""What KerasSpiking published for its example network, from our counts and its constants.

Numbers are those of its notebook `examples/model-energy.ipynb` (0.3.0): 28 x 28 inputs, a convolution of 7 x 7 with two
channels, and dense layers of 128 and 10. It takes spikes to be spread evenly over the neurons of a layer.
"""

from __future__ import annotations

import numpy as np
import pytest

from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.fan_out import fan_out
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.energy.estimate import estimate
from spikewright.energy.report import EnergyReport
from spikewright.placing.placement import place
from spikewright.profile.costs import Constant, Energy
from spikewright.profile.profile import load_profile
from spikewright.profile.schema import HardwareProfile

CONNECTIONS = {"in->conv": 47_432, "conv->dense": 123_904, "dense->out": 1_280}
MS = 1e-3


def network(timesteps: int) -> ChipNetwork:
    def neuron(shape: tuple[int, ...], fires: bool = True) -> Neuron:
        return Neuron(4095, 0, 131071, np.zeros(shape, dtype=np.int64), fires=fires)

    def weights(*shape: int) -> np.ndarray:
        return np.ones(shape, dtype=np.int64)

    populations = (
        Population("in", (1, 28, 28), "input", None),
        Population("conv", (2, 22, 22), "hidden", neuron((2, 22, 22))),
        Population("dense", (128,), "hidden", neuron((128,))),
        Population("out", (10,), "readout", neuron((10,), fires=False)),
    )
    connections = (
        Connection("in", "conv", weights(2, 1, 7, 7), conv=ConvGeometry()),
        Connection("conv", "dense", weights(128, 968)),
        Connection("dense", "out", weights(10, 128)),
    )
    return ChipNetwork(populations, connections, timesteps, "events", "membrane", "loihi1-davies", "")


def at_rate(chip: ChipNetwork, hertz: float, dt_s: float) -> Activity:
    """Every input line at one rate, everything else silent: over 1000 samples, so that spikes are whole."""
    samples = 1000
    each = round(hertz * chip.timesteps * dt_s * samples)
    populations = {
        p.name: PopulationActivity(
            np.full(p.shape, each if p.name == "in" else 0),
            0 if p.neuron is None else samples * chip.timesteps * p.size,
            0,
        )
        for p in chip.populations
    }
    operations = {c.name: int(np.sum(populations[c.source].spikes * fan_out(chip, c))) for c in chip.connections}
    return Activity(populations, operations, samples, chip.timesteps, "integer")


def its_loihi() -> HardwareProfile:
    """27.1 pJ a synaptic operation and 81 pJ an update of any kind, and nothing else."""
    profile = load_profile("loihi1-davies")

    def constant(picojoules: float) -> Constant:
        passport = {"source": "davies2018", "where": "as KerasSpiking has it", "kind": "derived"}
        return Constant(value=picojoules, unit="pJ", scope="incremental", **passport)

    update = {f"neuron_update_{state}": constant(81.0) for state in ("active", "inactive")}
    return profile.model_copy(update={"energy": Energy(synaptic_op=constant(23.6 + 3.5), **update)})


def priced(timesteps: int, hertz: float, dt_s: float = MS) -> EnergyReport:
    chip, profile = network(timesteps), its_loihi()
    return estimate(at_rate(chip, hertz, dt_s), place(chip, profile), profile)


def without_readout(report: EnergyReport) -> float:
    """KerasSpiking has no neurons in the last layer; ours are integrators."""
    return report.total - report.by_part()["readout"]


def test_connections_are_the_published_ones() -> None:
    chip = network(1)
    assert {c.name: int(fan_out(chip, c).sum()) for c in chip.connections} == CONNECTIONS


@pytest.mark.parametrize(("joules", "published"), [(8.6e-9, "1.49e-03"), (0.3e-9, "5.21e-05")])
def test_an_artificial_network_is_its_connections_and_neurons(joules: float, published: str) -> None:
    chip = network(1)
    operations = sum(int(fan_out(chip, c).sum()) for c in chip.connections)
    neurons = sum(p.size for p in chip.populations if p.role == "hidden")
    assert f"{(operations + neurons) * joules:.2e}" == published


@pytest.mark.parametrize(
    ("timesteps", "hertz", "dt_s", "published"),
    [(10, 5, MS, "9.52e-07"), (20, 5, MS, "1.90e-06"), (1, 5, MS, "9.52e-08"), (1, 5, 2 * MS, "1.02e-07")],
)
def test_loihi_totals_are_the_published_ones(timesteps: int, hertz: float, dt_s: float, published: str) -> None:
    assert f"{without_readout(priced(timesteps, hertz, dt_s)):.2e}" == published


def test_loihi_layers_are_the_published_ones() -> None:
    by_population = priced(10, 5).by_population()
    assert {name: f"{by_population[name]:.1e}" for name in ("in", "conv", "dense")} == {
        "in": "6.4e-08",  # it books synapses with the layer that they lead to, we with the one that sends
        "conv": "7.8e-07",
        "dense": "1.0e-07",
    }
    assert f"{priced(1, 1).by_population()['in']:.1e}" == "1.3e-09"
