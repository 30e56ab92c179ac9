"""Synaptic operations and sparsities as NeuroBench counts them, and fan-out as sinabs does, on the same network.

Both run where they are installed. Here the same numbers are also worked out from their definitions, so that nothing is
taken on trust where they are not.
"""

from __future__ import annotations

import numpy as np
import pytest
import snntorch as snn
import torch
from torch import Tensor, nn

from spikewright.base.types import IntArray
from spikewright.chip.activity import Activity
from spikewright.chip.fan_out import fan_out, fan_out_of_weights
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.energy.neurobench import neurobench_of
from spikewright.simulation.integer import run
from spikewright.simulation.recording import activity_of

STEPS, SAMPLES = 6, 4


def registers(shape: tuple[int, ...], vth: int) -> Neuron:
    """Integrate and fire, reset to zero, without leak or bias."""
    return Neuron(4095, 0, vth, np.zeros(shape, dtype=np.int64))


def weights(random: np.random.Generator, *shape: int) -> IntArray:
    """A third of them zero."""
    chosen: IntArray = random.integers(-9, 20, shape) * (random.random(shape) < 0.67)
    return chosen


@pytest.fixture(scope="module")
def chip() -> ChipNetwork:
    """Two convolutions, one of them grouped, with strides and padding, and a dense layer; all neurons fire."""
    random = np.random.default_rng(0)
    populations = (
        Population("in", (2, 7, 8), "input", None),
        Population("one", (4, 4, 4), "hidden", registers((4, 4, 4), 30)),
        Population("two", (6, 3, 3), "hidden", registers((6, 3, 3), 25)),
        Population("out", (5,), "readout", registers((5,), 60)),
    )
    connections = (
        Connection("in", "one", weights(random, 4, 2, 3, 3), conv=ConvGeometry((2, 2), (1, 1))),
        Connection("one", "two", weights(random, 6, 2, 2, 2), conv=ConvGeometry(groups=2)),
        Connection("two", "out", weights(random, 5, 54)),
    )
    return ChipNetwork(populations, connections, STEPS, "events", "count", "none", "")


@pytest.fixture(scope="module")
def drive() -> IntArray:
    return (np.random.default_rng(1).random((STEPS, SAMPLES, 2, 7, 8)) < 0.4).astype(np.int64)


@pytest.fixture(scope="module")
def activity(chip: ChipNetwork, drive: IntArray) -> Activity:
    return activity_of(chip, run(chip, drive), "integer", np.zeros(SAMPLES, dtype=np.int64))


def linear_of(connection: Connection) -> nn.Module:
    weight = torch.from_numpy(connection.weight.copy()).float()
    layer: nn.Conv2d | nn.Linear
    if connection.conv is None:
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    else:
        geometry = connection.conv
        channels = weight.shape[1] * geometry.groups
        layer = nn.Conv2d(
            channels, weight.shape[0], tuple(weight.shape[2:]), geometry.stride, geometry.padding,
            groups=geometry.groups, bias=False,
        )  # fmt: skip
    layer.weight.data = weight
    return layer


def torch_network(chip: ChipNetwork) -> nn.Sequential:
    """The same network of torch and snnTorch layers: whole numbers in floats, so that the spikes are the same."""
    layers: list[nn.Module] = []
    for connection in chip.connections:
        neuron = chip.by_name[connection.target].neuron
        assert neuron is not None
        if connection.target == "out":
            layers.append(nn.Flatten())
        layers.append(linear_of(connection))
        is_last = connection.target == "out"
        fire = snn.Leaky(1.0, neuron.vth, init_hidden=True, output=is_last, reset_mechanism="zero", reset_delay=False)
        layers.append(fire)
    return nn.Sequential(*layers)


def by_definition(chip: ChipNetwork, drive: IntArray, binary_weights: bool) -> list[float]:
    """Operations of each connection per sample: the layer run on its spikes, all its weights (or the non-zero) at 1."""
    spikes = run(chip, drive).spikes
    found = []
    for connection in chip.connections:
        layer = linear_of(connection)
        used = (layer.weight != 0).float() if binary_weights else torch.ones_like(layer.weight)
        layer.weight = nn.Parameter(used)
        heard = torch.from_numpy(spikes[connection.source].astype(np.float32)).flatten(0, 1)
        heard = heard.flatten(1) if connection.conv is None else heard
        with torch.no_grad():
            found.append(float(layer(heard).sum()) / SAMPLES)
    return found


def test_effective_operations_are_the_layers_with_ones_for_weights(
    chip: ChipNetwork, drive: IntArray, activity: Activity
) -> None:
    found = neurobench_of(activity, chip)
    assert found.effective_acs == pytest.approx(sum(by_definition(chip, drive, binary_weights=True)))
    ours = [activity.synaptic_ops[c.name] / SAMPLES for c in chip.connections]
    assert ours == pytest.approx(by_definition(chip, drive, binary_weights=False))
    assert found.effective_acs < 0.8 * sum(ours)
    assert found.effective_macs == 0
    everything = np.ones_like(drive)
    silent_free = {c.name: STEPS * int(fan_out(chip, c).sum()) for c in chip.connections}
    all_inputs = activity_of(chip, run(chip, everything), "integer")
    assert all_inputs.synaptic_ops["in->one"] / SAMPLES == silent_free["in->one"]
    assert found.dense == sum(silent_free.values())


def test_sparsities_and_footprint_by_hand(chip: ChipNetwork, activity: Activity) -> None:
    found = neurobench_of(activity, chip)
    weight = np.concatenate([c.weight.reshape(-1) for c in chip.connections])
    assert found.parameters == weight.size == 4 * 18 + 6 * 8 + 5 * 54
    assert found.connection_sparsity == pytest.approx(np.mean(weight == 0))
    neurons = 64 + 54 + 5
    fired = sum(int(activity.populations[name].spikes.sum()) for name in ("one", "two", "out"))
    assert found.activation_sparsity == pytest.approx(1 - fired / (STEPS * SAMPLES * neurons))
    assert found.footprint_bytes == (weight.size * 8 + 3 * (12 + 12 + 17 + 3)) / 8


def test_a_graded_input_is_multiply_accumulates() -> None:
    populations = (
        Population("in", (3,), "input", None, 8),
        Population("a", (2,), "hidden", Neuron(4095, 0, 1, np.array([0, 7]))),
        Population("out", (2,), "readout", Neuron(4095, 0, 131071, np.zeros(2, dtype=np.int64), fires=False)),
    )
    connections = (
        Connection("in", "a", np.array([[2, 0, 2], [2, 2, 2]])),
        Connection("a", "out", np.array([[2, 2], [0, 2]]), weight_bits=4),
    )
    chip = ChipNetwork(populations, connections, 2, "direct", "membrane", "none", "")
    activity = activity_of(chip, run(chip, np.array([[[0, 9, 1]]])), "integer")
    found = neurobench_of(activity, chip)
    fired = activity.populations["a"].spikes
    assert found.effective_macs == 2 * (1 + 2)  # two steps: the second line has one weight, the third two
    assert found.effective_acs == fired @ np.array([1, 2])
    assert (found.dense, found.parameters) == (2 * (6 + 4), 6 + 4 + 1)
    assert found.activation_sparsity == 1 - fired.sum() / 4  # the integrator does not fire and is left out
    assert found.footprint_bytes == (6 * 8 + 4 * 4 + 13 + 2 * 44) / 8


@pytest.mark.filterwarnings("ignore")
def test_neurobench_says_the_same(chip: ChipNetwork, drive: IntArray, activity: Activity) -> None:
    pytest.importorskip("neurobench", reason="NeuroBench is not installed; the definitions are tested above")
    from neurobench.benchmarks import Benchmark
    from neurobench.metrics.static import ConnectionSparsity, Footprint, ParameterCount
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
    from neurobench.models import SNNTorchModel

    samples = torch.from_numpy(drive.swapaxes(0, 1)).float()
    labels = torch.zeros(SAMPLES, STEPS, 5)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(samples, labels), batch_size=2)
    metrics = [[ConnectionSparsity, Footprint, ParameterCount], [ActivationSparsity, SynapticOperations]]
    model = SNNTorchModel(torch_network(chip))
    theirs = Benchmark(model, loader, [], [], metrics).run(quiet=True)
    found = neurobench_of(activity, chip)
    operations = theirs["SynapticOperations"]
    assert operations["Effective_ACs"] == pytest.approx(found.effective_acs)
    assert operations["Effective_MACs"] == found.effective_macs == 0
    assert operations["Dense"] == pytest.approx(found.dense)
    assert theirs["ActivationSparsity"] == pytest.approx(found.activation_sparsity)
    assert theirs["ConnectionSparsity"] == pytest.approx(found.connection_sparsity, abs=5e-5)  # four digits
    assert theirs["ParameterCount"] == found.parameters
    floats = 4 * found.parameters  # in floats of 32 bits; beside them snnTorch's buffers
    assert theirs["Footprint"] >= floats > 3.5 * found.footprint_bytes


@pytest.mark.filterwarnings("ignore")
def test_sinabs_fans_out_the_same(chip: ChipNetwork, drive: IntArray, activity: Activity) -> None:
    hooks = pytest.importorskip("sinabs.hooks", reason="sinabs is not installed; its definition is tested above")
    spikes = run(chip, drive).spikes
    for connection in chip.connections:
        layer = linear_of(connection)
        heard = torch.from_numpy(spikes[connection.source].astype(np.float32)).flatten(0, 1)
        conv = isinstance(layer, nn.Conv2d)
        layer.register_forward_hook(hooks.conv_layer_synops_hook if conv else hooks.linear_layer_synops_hook)
        layer(heard if conv else heard.flatten(1))
        per_step: Tensor = layer.hook_data["layer_synops_per_timestep"]
        assert float(per_step) * STEPS * SAMPLES == pytest.approx(activity.synaptic_ops[connection.name], rel=1e-6)
        if conv:
            there = layer.hook_data["connection_map"][0].numpy()
            assert np.array_equal(there, fan_out(chip, connection))


def test_zero_weights_are_left_out_of_the_fan_out_one_by_one(chip: ChipNetwork) -> None:
    for connection in chip.connections:
        source = chip.by_name[connection.source].shape
        layer = linear_of(connection)
        layer.weight = nn.Parameter((layer.weight != 0).float())
        probe = torch.eye(int(np.prod(source))).reshape(-1, *source)
        with torch.no_grad():
            reached = layer(probe if connection.conv else probe.flatten(1)).flatten(1).sum(1)
        assert np.array_equal(fan_out_of_weights(chip, connection).reshape(-1), reached.numpy())
