"""Constants of each neuron and channel: populations split by decay, and potentials counted from their reset."""

from __future__ import annotations

from itertools import pairwise

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import Tensor, nn

from spikewright.chip.encoding import encode
from spikewright.chip.network import ChipNetwork
from spikewright.graph.interpreter import interpret
from spikewright.graph.wiring import wire
from spikewright.lowering.lower import lower
from spikewright.profile.profile import load_profile
from spikewright.simulation import integer
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import activity_of, compare
from spikewright.student.config import StudentConfig
from spikewright.student.neurons import integrator
from spikewright.student.student import Student
from spikewright.student.to_nir import to_nir
from spikewright.student.verify import export
from spikewright.training.cost import SpikeCost

SHAPE = (2, 5, 5)
FIRES = {"init_hidden": True, "reset_mechanism": "zero", "reset_delay": False}
BY_CHANNEL = torch.tensor([0.25, 0.5, 0.25, 0.75]).reshape(4, 1, 1)


def student(encoding: str = "rate") -> Student:
    """Decays of each channel in one layer, of each neuron in another, and thresholds of each neuron."""
    torch.manual_seed(3)
    each = torch.tensor([0.5, 0.9, 0.5, 0.125, 0.9, 0.5])
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        snn.Leaky(beta=BY_CHANNEL, threshold=0.4, **FIRES),
        nn.Conv2d(4, 6, 5),
        nn.Flatten(),
        snn.Synaptic(alpha=0.5, beta=each, threshold=torch.linspace(0.2, 0.4, 6), **FIRES),
        nn.Linear(6, 4),
        integrator(),
    )
    return Student(StudentConfig("own", 4, SHAPE, 4, 6, encoding, input_bits=4), network).eval()


def images(count: int = 5) -> Tensor:
    return torch.rand(count, *SHAPE, generator=torch.Generator().manual_seed(1))


def split() -> ChipNetwork:
    return lower(to_nir(student()), "loihi2-assumed")


def test_layers_are_split_by_their_decays() -> None:
    chip = split()
    assert [(p.name, p.shape) for p in chip.populations if p.role == "hidden"] == [
        ("1.part1", (1, 5, 5)),
        ("1.part2", (1, 5, 5)),
        ("1.part3", (2, 5, 5)),
        ("4.part1", (2,)),
        ("4.part2", (3,)),
        ("4.part3", (1,)),
    ]
    assert chip.provenance["parts"]["4"] == {"4.part1": [1, 4], "4.part2": [0, 2, 5], "4.part3": [3]}
    registers = {p.name: p.neuron.dv for p in chip.populations if p.role == "hidden"}
    assert registers == {
        "1.part1": 1024, "1.part2": 2048, "1.part3": 3072, "4.part1": 410, "4.part2": 2048, "4.part3": 3584,
    }  # fmt: skip
    into = {c.name: c.weight.shape for c in chip.connections if c.target == "1.part3"}
    assert into == {"input->1.part3": (2, 2, 3, 3)}, "whole channels stay a convolution"
    assert (
        sum(c.weight.size for c in chip.connections if c.target.startswith("4.") and "bias" not in c.source) == 6 * 100
    )


def test_a_split_layer_spikes_as_the_student_does(tmp_path) -> None:
    made = student()
    assert export(made, tmp_path / "s.nir", images()).samples == 5
    chip = split()
    drive = encode("rate", images().numpy(), 6, 4)
    ours, mine = integer.run(chip, drive), made.as_backend(chip, drive)
    assert ours.spikes.keys() == mine.spikes.keys()
    for name in ("1.part1", "1.part2", "1.part3", "4.part1", "4.part2", "4.part3"):
        assert name == "4.part3" or 0.02 < ours.spikes[name].mean() < 0.98
        assert (ours.spikes[name] != mine.spikes[name]).mean() < 0.03, "rounding alone"
    cost = SpikeCost.of(made, load_profile("loihi2-assumed")).read(made(images()))
    counted = activity_of(chip, mine, "float").synaptic_ops
    of_biases = sum(value for name, value in counted.items() if ".bias" in name)
    assert float(cost.operations) == pytest.approx((sum(counted.values()) - of_biases) / 5)


@pytest.mark.lava
def test_lava_computes_a_split_network(lava: None) -> None:
    chip = split()
    drive = encode("rate", images(2).numpy(), 6, 4)
    ours = integer.run(chip, drive, record_states=True)
    assert compare(ours, backend("lava")(chip, drive, record_states=True)) == []


def test_potentials_are_counted_from_their_reset() -> None:
    """By hand: v halves, a spike is above 0.6 and leaves -0.5; v_leak is 0.125 per neuron."""
    half = np.full(2, 2e-4, np.float32)
    node = nir.LIF(
        tau=half, r=half / 1e-4, v_leak=np.full(2, 0.25, np.float32), v_threshold=np.full(2, 0.6, np.float32),
        v_reset=np.array([-0.5, 0.0], np.float32),
    )  # fmt: skip
    readout = nir.LI(tau=half, r=half / 1e-4, v_leak=np.zeros(2, np.float32))
    nodes = {
        "input": nir.Input(np.array([2])), "weights": nir.Linear(np.eye(2, dtype=np.float32)), "lif": node,
        "head": nir.Linear(np.eye(2, dtype=np.float32)), "readout": readout, "output": nir.Output(np.array([2])),
    }  # fmt: skip
    names = list(nodes)
    metadata = {"dt_s": 1e-4, "timesteps": 5, "encoding": "events", "reset": "zero"}
    graph = nir.NIRGraph(nodes, list(pairwise(names)), metadata=metadata, type_check=False)
    drive = np.ones((5, 1, 2))
    found = interpret(wire(graph), torch.from_numpy(drive), 1e-4, 5)
    # From 0: 1 + 0.125 fires. From -0.5: -0.25 + 1 + 0.125 = 0.875 fires.
    np.testing.assert_allclose(found.membranes["lif"][:, 0], [[1.125, 1.125]] + [[0.875, 1.125]] * 4, atol=1e-6)
    drive[1:] = 0.25
    found = interpret(wire(graph), torch.from_numpy(drive), 1e-4, 5)
    np.testing.assert_allclose(found.membranes["lif"][:, 0, 0], [1.125, 0.125, 0.4375, 0.59375, 0.671875], atol=1e-6)
    chip = lower(graph, "loihi2-assumed")
    said = "'lif': its potentials are counted from v_reset (-0.5 to 0), so that those of chip and student begin"
    assert any(said in each for each in chip.provenance["assumed"])
    events = np.zeros((5, 3, 2), np.int64)
    events[0] = 1  # at which all fire, wherever they begin
    events[2, 1], events[3, 2] = 1, 1
    theirs = interpret(wire(graph), torch.from_numpy(events.astype(float)), 1e-4, 5)
    ours = integer.run(chip, events)
    assert np.array_equal(ours.spikes["lif"], theirs.spikes["lif"].numpy())
    assert ours.spikes["lif"].sum(0).tolist() == [[1, 1], [2, 2], [2, 2]]
