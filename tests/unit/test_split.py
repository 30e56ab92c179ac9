"""Populations split by the decays of their neurons, by hand."""

from __future__ import annotations

import numpy as np

from spikewright.chip.network import ConvGeometry, Role
from spikewright.lowering.draft import Draft, DraftConnection, DraftNeuron, DraftPopulation
from spikewright.lowering.split import split_constants
from spikewright.profile.profile import load_profile

LOIHI2 = load_profile("loihi2")


def layer(name: str, leaks: list[float], shape: tuple[int, ...], role: Role = "hidden") -> DraftPopulation:
    leak_v = np.broadcast_to(np.reshape(leaks, (-1, *[1] * (len(shape) - 1))), shape)
    ones, zeros = np.ones(shape), np.zeros(shape)
    return DraftPopulation(name, shape, role, DraftNeuron(ones, leak_v, ones, zeros, zeros, zeros))


def split(*populations: DraftPopulation, wired: tuple[DraftConnection, ...] = ()) -> Draft:
    return split_constants(Draft(populations, wired, 4, "events", "count", 8), LOIHI2)


def test_a_grouped_convolution_between_split_channels_becomes_matrices() -> None:
    shape = (2, 1, 2)
    kernel = np.array([3.0, 5.0]).reshape(2, 1, 1, 1)
    made = split(
        layer("a", [0.25, 0.5], shape),
        layer("b", [0.25, 0.5], shape),
        wired=(DraftConnection("a", "b", kernel, ConvGeometry(groups=2)),),
    )
    assert [(p.name, p.shape) for p in made.populations] == [
        ("a.part1", (1, 1, 2)), ("a.part2", (1, 1, 2)), ("b.part1", (1, 1, 2)), ("b.part2", (1, 1, 2)),
    ]  # fmt: skip
    assert [(c.source, c.target, c.weight.tolist(), c.conv) for c in made.connections] == [
        ("a.part1", "b.part1", [[3, 0], [0, 3]], None),
        ("a.part2", "b.part2", [[5, 0], [0, 5]], None),
    ], "each channel feeds its own alone"


def test_a_matrix_between_split_channels_is_cut_by_neurons() -> None:
    matrix = np.arange(16.0).reshape(4, 4)
    made = split(
        layer("a", [0.25, 0.5], (2, 1, 2)), layer("b", [0.5], (1, 1, 4)), wired=(DraftConnection("a", "b", matrix),)
    )
    assert [c.weight.tolist() for c in made.connections] == [
        [[0, 1], [4, 5], [8, 9], [12, 13]],
        [[2, 3], [6, 7], [10, 11], [14, 15]],
    ]


def test_only_hidden_populations_are_split() -> None:
    for role in ("input", "readout"):
        (whole,) = split(layer("n", [0.25, 0.5], (2,), role)).populations
        assert (whole.name, whole.role, whole.shape) == ("n", role, (2,))
    parts = split(layer("n", [0.25, 0.5], (2,))).populations
    assert [p.name for p in parts] == ["n.part1", "n.part2"]
