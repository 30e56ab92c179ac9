"""Integer simulator, Lava's processes and lava-dl's: the same spikes, currents and membranes, bit for bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spikewright.base.types import IntArray
from spikewright.chip.network import ChipNetwork
from spikewright.simulation import integer
from spikewright.simulation.lava import processes_backend as on_lava
from spikewright.simulation.netx import backend as on_netx
from spikewright.simulation.netx.file import netx_faults
from spikewright.simulation.recording import Recording, activity_of, compare

Draw = Callable[[str, int], tuple[ChipNetwork, IntArray]]
NETX_KINDS = ("convolutions", "current_input", "one_step")


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


@pytest.mark.lava
def test_integers_and_lava(lava: None, drawn: Draw, kind: str) -> None:
    chip, drive = drawn(kind, 7)
    ours = integer.run(chip, drive, record_states=True)
    assert is_worth_comparing(chip, ours)
    assert_same(chip, ours, on_lava.run(chip, drive, record_states=True))


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_integers_and_lava_on_more_networks(lava: None, drawn: Draw, kind: str, seed: int) -> None:
    chip, drive = drawn(kind, seed)
    assert_same(chip, integer.run(chip, drive, record_states=True), on_lava.run(chip, drive, record_states=True))


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("netx_kind", NETX_KINDS)
def test_integers_and_netx(lava_dl: None, drawn: Draw, netx_kind: str) -> None:
    chip, drive = drawn(netx_kind, 7)
    assert netx_faults(chip) == []
    ours = integer.run(chip, drive, record_states=True)
    assert_same(chip, ours, on_netx.run(chip, drive, record_states=True))


@pytest.mark.lava
def test_lava_without_states_gives_the_same_scores_and_advances_by_sample(lava: None, drawn: Draw) -> None:
    chip, drive = drawn("convolutions", 7)
    done: list[int] = []
    theirs = on_lava.run(chip, drive, progress=lambda steps=1: done.append(steps))
    ours = integer.run(chip, drive)
    assert compare(ours, theirs) == []
    assert np.array_equal(ours.scores, theirs.scores)
    assert done == [1] * drive.shape[1]
    assert theirs.v == {}


def test_the_overflowing_kind_does_overflow(drawn: Draw) -> None:
    chip, drive = drawn("overflowing", 7)
    tallies = integer.run(chip, drive).tallies
    assert tallies["wrapping"].u_wraps > 0
    assert tallies["wrapping"].v_saturations > 0
