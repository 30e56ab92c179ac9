"""NeuroBench's metrics of a small network, worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.energy.neurobench import neurobench_of

CHIP = ChipNetwork(
    (
        Population("in", (2,), "input", None, 8),
        Population("hidden", (2,), "hidden", Neuron(4095, 0, 5, np.array([3, 0]))),
        Population("out", (1,), "readout", Neuron(4095, 0, 5, np.zeros(1, np.int64), fires=False)),
    ),
    (
        Connection("in", "hidden", np.array([[1, 0], [2, 3]]), 8),
        Connection("hidden", "out", np.array([[4, 0]]), 5),
    ),
    3, "direct", "membrane", "loihi2", "",
)  # fmt: skip
ACTIVITY = Activity(
    {
        "in": PopulationActivity(np.array([4, 6]), 0, 0),
        "hidden": PopulationActivity(np.array([3, 5]), 12, 9),
        "out": PopulationActivity(np.array([0]), 6, 6),
    },
    {"in->hidden": 20, "hidden->out": 8}, 2, 3, "integer",
)  # fmt: skip


def test_by_hand() -> None:
    found = neurobench_of(ACTIVITY, CHIP)
    assert found.effective_macs == (4 * 2 + 6 * 1) / 2, "the second input has one weight that is not zero"
    assert found.effective_acs == 3 * 1 / 2, "the second hidden neuron has none"
    assert found.dense == 3 * (2 * 2 + 2 * 1)
    assert found.activation_sparsity == 1 - 8 / 12, "a readout that must not fire does not count"
    assert found.connection_sparsity == 1 - 4 / 6
    assert found.parameters == 6 + 1
    assert found.footprint_bytes == (4 * 8 + 2 * 5 + 1 * 13 + 2 * (12 + 12 + 17 + 3)) / 8


def test_in_words() -> None:
    found = replace(neurobench_of(ACTIVITY, CHIP), footprint_bytes=1024 * 1500.0, dense=1234.0, parameters=5678)
    assert found.sentence() == (
        "NeuroBench: 2 effective ACs, 7 effective MACs, 1,234 dense; sparsity 0.333 of activations and 0.333 of "
        "connections; 5,678 parameters, 1,500.0 KiB"
    )


def test_nothing_fires_and_nothing_is_connected() -> None:
    bare = replace(CHIP, connections=(), populations=(CHIP.populations[0], CHIP.populations[2]))
    counts = {name: ACTIVITY.populations[name] for name in ("in", "out")}
    found = neurobench_of(replace(ACTIVITY, populations=counts, synaptic_ops={}), bare)
    assert (found.activation_sparsity, found.connection_sparsity, found.parameters) == (0.0, 1.0, 0)
    assert found.footprint_bytes == pytest.approx(44 / 8)
