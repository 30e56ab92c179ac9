"""Every exact simulator: the same spikes, currents and membranes as the integer simulator, bit for bit."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np
import pytest
from _pytest.mark.structures import ParameterSet

from spikewright.base.errors import InputError
from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.exchange.netx import netx_faults
from spikewright.simulation import integer
from spikewright.simulation.backends import BACKENDS, backend
from spikewright.simulation.recording import Recording, activity_of, compare

Draw = Callable[[str, int], tuple[ChipNetwork, IntArray]]
KINDS = (
    *("dense", "one_step", "convolutions", "current_input", "skip_with_relay", "recurrent", "bias_population"),
    *("beyond_32_bits", "overflowing", "graded_frames", "changing_current", "changing_current_recurrent"),
)
NETX_KINDS = ("convolutions", "current_input", "one_step", "graded_frames", "changing_current")
OTHERS = tuple(name for name, each in BACKENDS.items() if each.exact and name != "integer")
NEEDS = {"lava": "lava", "netx": "lava_dl"}
"""Fixtures that skip where a simulator's package is not installed."""


def cases(kinds: dict[str, tuple[str, ...]]) -> list[ParameterSet]:
    """Every other simulator with every kind of network; for some by name, only these kinds."""
    marks = {"lava": [pytest.mark.lava], "netx": [pytest.mark.lava, pytest.mark.slow]}
    return [
        pytest.param(other, kind, marks=marks.get(other, []), id=f"{other}-{kind}")
        for other in OTHERS
        for kind in kinds.get(other, KINDS)
    ]


def is_worth_comparing(chip: ChipNetwork, recording: Recording) -> bool:
    """Whether every population that fires does so sometimes and not always."""
    firing = [p for p in chip.populations if p.role in ("hidden", "relay") and p.neuron.vth < 131071]
    return all(0 < recording.spikes[p.name].mean() < 1 for p in firing)


def assert_same(chip: ChipNetwork, ours: Recording, theirs: Recording) -> None:
    assert [str(mismatch) for mismatch in compare(ours, theirs)] == []
    assert ours.u.keys() == theirs.u.keys() == ours.v.keys() == theirs.v.keys() != set()
    assert np.array_equal(ours.scores, theirs.scores)
    assert ours.tallies == theirs.tallies
    mine, others = activity_of(chip, ours, "integer"), activity_of(chip, theirs, "integer")
    assert mine.synaptic_ops == others.synaptic_ops


def assert_agrees(request: pytest.FixtureRequest, other: str, chip: ChipNetwork, drive: IntArray) -> None:
    """A simulator that is not in ``NEEDS`` may also refuse the network."""
    ours = integer.run(chip, drive, record_states=True)
    if other in NEEDS:
        request.getfixturevalue(NEEDS[other])
        assert_same(chip, ours, backend(other)(chip, drive, record_states=True))
        return
    with contextlib.suppress(InputError):
        assert_same(chip, ours, backend(other)(chip, drive, record_states=True))


def test_every_kind_is_compared(kind: str) -> None:
    assert kind in KINDS


@pytest.mark.parametrize(("other", "kind"), cases({"netx": NETX_KINDS}))
def test_every_simulator_agrees_with_integers(
    request: pytest.FixtureRequest, drawn: Draw, other: str, kind: str
) -> None:
    chip, drive = drawn(kind, 7)
    assert is_worth_comparing(chip, integer.run(chip, drive))
    assert_agrees(request, other, chip, drive)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("other", "kind"), cases({"netx": ()}))
def test_every_simulator_agrees_on_more_networks(
    request: pytest.FixtureRequest, drawn: Draw, other: str, kind: str, seed: int
) -> None:
    assert_agrees(request, other, *drawn(kind, seed))


@pytest.mark.parametrize("kind", NETX_KINDS)
def test_netx_holds_these_kinds(drawn: Draw, kind: str) -> None:
    assert netx_faults(drawn(kind, 7)[0]) == []


@pytest.mark.lava
def test_lava_without_states_gives_the_same_scores_and_advances_by_sample(lava: None, drawn: Draw) -> None:
    chip, drive = drawn("convolutions", 7)
    done: list[int] = []
    theirs = backend("lava")(chip, drive, progress=lambda steps=1: done.append(steps))
    ours = integer.run(chip, drive)
    assert compare(ours, theirs) == []
    assert np.array_equal(ours.scores, theirs.scores)
    assert done == [1] * drive.shape[1]
    assert theirs.v == {}


def test_the_overflowing_kind_does_overflow(drawn: Draw) -> None:
    chip, drive = drawn("overflowing", 7)
    tallies = integer.run(chip, drive).tallies
    assert tallies["wrapping"].overflows.wraps > 0
    assert tallies["wrapping"].overflows.clips > 0


@pytest.mark.lava
@pytest.mark.parametrize(("ends", "step"), [((-256, 254), 2), ((-128, 127), 1), ((0, 255), 1)])
def test_lava_agrees_on_weights_at_their_ends(lava: None, ends: tuple[int, int], step: int) -> None:
    """Weights that are held in eight bits, half of them the smallest and the largest that these hold."""
    random = np.random.default_rng(8)

    def weights(*shape: int) -> IntArray:
        inner = random.integers(ends[0] // step, ends[1] // step + 1, shape) * step
        return np.where(random.random(shape) < 0.5, random.choice(ends, shape), inner)

    hidden = Neuron(4095, 900, 500, random.integers(-20, 30, (3, 4, 4)))
    last = Neuron(4095, 100, 131071, np.zeros(5, np.int64), fires=False)
    populations = (
        Population("input", (2, 6, 6), "input", None),
        Population("hidden", (3, 4, 4), "hidden", hidden),
        Population("readout", (5,), "readout", last),
    )
    connections = (
        Connection("input", "hidden", weights(3, 2, 3, 3), conv=ConvGeometry()),
        Connection("hidden", "readout", weights(5, 48)),
    )
    chip = ChipNetwork(populations, connections, 5, "events", "membrane", "none", "")
    assert [(each.packed.values.itemsize, each.packed.factor) for each in connections] == [(1, step)] * 2
    drive = random.integers(0, 2, (5, 3, 2, 6, 6))
    ours = integer.run(chip, drive, record_states=True)
    assert is_worth_comparing(chip, ours)
    assert_same(chip, ours, backend("lava")(chip, drive, record_states=True))
