"""Weights in few bits change nothing: bounds, spikes, counts, energies and exports are those of the same in 64 bits."""

from __future__ import annotations

import copy
import importlib
import pickle
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.base.types import IntArray
from spikewright.chip import weights
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.chip.fan_out import fan_out_of_weights
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.chip.weights import PackedWeights, row_slices
from spikewright.energy.estimate import estimate
from spikewright.energy.neurobench import neurobench_of
from spikewright.exchange.lava_values import dense_values, most_of
from spikewright.exchange.onnx_reach import most_delivered
from spikewright.exchange.writers import WRITERS
from spikewright.placing.placement import place
from spikewright.profile.profile import load_profile
from spikewright.simulation import events, integer, tables
from spikewright.simulation.dense import Dense
from spikewright.simulation.events import EventDriven
from spikewright.simulation.recording import activity_of, compare

HELD = {"half": "int8", "all": "int8", "positive": "uint8", "negative": "uint8", "odd": "int16"}
"""Kinds of weights, and what holds them."""
ENDS: dict[str, tuple[int, int, int]] = {
    "half": (-256, 254, 2),
    "all": (-128, 127, 1),
    "positive": (0, 255, 1),
    "negative": (-255, 0, 1),
    "odd": (-256, 255, 1),
}
"""The smallest, the largest, and what all are a multiple of."""


@pytest.fixture(autouse=True)
def compiled_loops() -> None:
    """Loaded, so that simulations take them."""
    importlib.import_module("spikewright.kernels.network")


def drawn(kind: str, random: np.random.Generator, shape: tuple[int, ...]) -> IntArray:
    """Weights of which half are at their ends."""
    low, high, step = ENDS[kind]
    values = random.integers(low // step, high // step + 1, shape) * step
    values = np.where(random.random(shape) < 0.5, random.choice([low, high], shape), values)
    values.reshape(-1)[:2] = low, high
    return values


def network(kinds: tuple[str, str, str], seed: int) -> ChipNetwork:
    """A convolution, a dense layer, and a readout, on payloads or events."""
    random = np.random.default_rng(seed)
    shapes = ((4, 5, 5), (9,), (3,))
    bits = int(random.choice([0, 3]))

    def neuron(shape: tuple[int, ...], fires: bool = True) -> Neuron:
        bias = random.integers(-50, 60, shape)
        vth = int(random.integers(5, 900)) if fires else 131071
        return Neuron(4095, int(random.integers(0, 2000)), vth, bias, 6, fires)

    hidden, last = neuron(shapes[0]), neuron(shapes[2], fires=False)
    populations = (
        Population("input", (2, 7, 7), "input", None, bits),
        Population("a", shapes[0], "hidden", hidden),
        Population("b", shapes[1], "hidden", neuron(shapes[1])),
        Population("readout", shapes[2], "readout", last),
    )
    connections = (
        Connection("input", "a", drawn(kinds[0], random, (4, 2, 3, 3)), conv=ConvGeometry()),
        Connection("a", "b", drawn(kinds[1], random, (9, 100))),
        Connection("b", "readout", drawn(kinds[2], random, (3, 9))),
    )
    return ChipNetwork(populations, connections, 4, "direct" if bits else "events", "membrane", "none", "")


def in_64_bits(chip: ChipNetwork) -> ChipNetwork:
    """The same network with every weight held as int64."""
    connections = tuple(replace(each, weight=PackedWeights(each.weight.copy())) for each in chip.connections)
    made = replace(chip, connections=connections)
    assert all(each.packed.values.dtype == np.int64 and each.packed.factor == 1 for each in made.connections)
    return made


kinds_of_three = st.tuples(*[st.sampled_from(sorted(ENDS))] * 3)


@settings(max_examples=60, deadline=None)
@given(kinds=kinds_of_three, seed=st.integers(0, 2**32 - 1), many=st.booleans())
def test_spikes_states_and_counts_are_those_of_64_bits(kinds: tuple[str, str, str], seed: int, many: bool) -> None:
    chip = network(kinds, seed)
    assert [each.packed.values.dtype for each in chip.connections] == [HELD[kind] for kind in kinds]
    whole = in_64_bits(chip)
    random = np.random.default_rng(seed)
    steps = 1 if chip.encoding == "direct" else chip.timesteps
    drive = random.integers(0, 2 ** max(1, chip.input.payload_bits), (steps, 3, *chip.input.shape))
    reference = integer.simulated(Dense(whole, drive, record_states=True), whole, 3, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "MANY_WEIGHTS", 0 if many else 10**9)
        loops = EventDriven(chip, drive, record_states=True)
        held = events.prepared(chip).tables.synapses.weights.dtype
    assert held == ("int8" if many and {HELD[kind] for kind in kinds} == {"int8"} else "int16")
    for engine in (Dense(chip, drive, record_states=True), loops):
        found = integer.simulated(engine, chip, 3, None)
        assert [str(each) for each in compare(reference, found)] == []
        np.testing.assert_array_equal(reference.scores, found.scores)
        assert reference.tallies == found.tallies
        one, other = (activity_of(chip, each, "integer") for each in (reference, found))
        assert one.synaptic_ops == other.synaptic_ops


def test_the_networks_that_are_drawn_are_worth_comparing() -> None:
    rates = []
    for seed in range(20):
        chip = network(("half", "all", "half"), seed)
        drive = np.random.default_rng(seed).integers(0, 2, (4, 3, *chip.input.shape))
        rates.append({name: float(each.mean()) for name, each in integer.run(chip, drive).spikes.items()})
    assert all(sum(0 < each[name] < 1 for each in rates) >= 10 for name in ("a", "b"))


@settings(max_examples=40, deadline=None)
@given(kinds=kinds_of_three, seed=st.integers(0, 2**32 - 1))
def test_bounds_are_those_of_64_bits(kinds: tuple[str, str, str], seed: int) -> None:
    chip = network(kinds, seed)
    whole = in_64_bits(chip)
    for mine, theirs in zip(chip.connections, whole.connections, strict=True):
        sums = np.abs(theirs.weight).reshape(len(theirs.weight), -1).sum(axis=1)
        np.testing.assert_array_equal(mine.packed.sums_of_magnitudes(), sums)
        assert mine.packed.extent == (theirs.weight.min(), theirs.weight.max())
        assert tables.reach(mine) == tables.reach(theirs) == sums.max()
        assert tables.most_delivered(chip, mine) == tables.most_delivered(whole, theirs)
        assert most_of(mine, 5) == most_of(theirs, 5)
        assert most_delivered(chip, mine) == most_delivered(whole, theirs)
        np.testing.assert_array_equal(fan_out_of_weights(chip, mine), fan_out_of_weights(whole, theirs))
        for one, other in zip(dense_values(mine) or (), dense_values(theirs) or (), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kinds", [("half", "half", "half"), ("all", "positive", "negative"), ("odd", "all", "odd")])
def test_energies_and_exports_are_those_of_64_bits(kinds: tuple[str, str, str], tmp_path: Path) -> None:
    chip = network(kinds, 3)
    whole, chosen = in_64_bits(chip), load_profile("loihi1-davies")
    drive = np.random.default_rng(0).integers(0, 2, (4, 3, *chip.input.shape))
    told = []
    for each in (chip, whole):
        activity = activity_of(each, integer.run(each, drive), "integer")
        told.append((str(estimate(activity, place(each, chosen), chosen)), neurobench_of(activity, each)))
    assert told[0] == told[1]
    written = 0
    for name, writer in WRITERS.items():
        said = []
        for folder, each in (("narrow", chip), ("wide", whole)):
            (tmp_path / folder).mkdir(exist_ok=True)
            try:
                writer.write(each, tmp_path / folder / name)
            except Exception as refusal:
                said.append(str(refusal).replace(folder, ""))
        assert not said or (len(said) == 2 and said[0] == said[1])
        written += not said
    assert written
    narrow, wide = (
        {
            file.relative_to(tmp_path / folder): file.read_bytes()
            for file in (tmp_path / folder).rglob("*")
            if file.is_file()
        }
        for folder in ("narrow", "wide")
    )
    assert narrow == wide != {}


@settings(max_examples=60, deadline=None)
@given(
    ends=st.tuples(st.integers(-256, 255), st.integers(-256, 255)).map(sorted),
    step=st.sampled_from([1, 2, 4]),
    shape=st.sampled_from([(1, 1), (3, 5), (2, 1, 3, 3), (0, 4), (1, 40)]),
    dtype=st.sampled_from([np.int16, np.int32, np.int64]),
    rows=st.sampled_from([1, 7, 2**20]),
)
def test_weights_come_back_as_they_were(
    ends: list[int], step: int, shape: tuple[int, ...], dtype: type, rows: int
) -> None:
    values = (np.random.default_rng(0).integers(ends[0], ends[1] + 1, shape) // step * step).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(weights, "AT_ONCE", rows)
        packed = PackedWeights.of(values)
        sums = np.abs(values.astype(int)).reshape(shape[0], prod(shape[1:])).sum(axis=1)
        np.testing.assert_array_equal(packed.sums_of_magnitudes(), sums)
    assert (packed.wide.dtype, packed.values.dtype in (np.int8, np.uint8, np.int16)) == (np.int64, True)
    np.testing.assert_array_equal(packed.wide, values)
    for kind in (np.float32, np.float64):
        made = packed.in_floats(kind)
        assert made.dtype == kind
        np.testing.assert_array_equal(made, values)
    fits = -128 <= values.min(initial=0) and values.max(initial=0) <= 127
    assert (packed.values.dtype == np.int8 and packed.factor == 1) == fits


def test_slices_of_rows_are_all_rows_once() -> None:
    for shape in ((0, 3), (1,), (5, 2**20), (7, 2**19), (2**21,), (3, 0)):
        assert [i for rows in row_slices(shape) for i in range(rows.start, rows.stop)] == list(range(shape[0]))
    assert [*row_slices((5, 2**20))] == [slice(i, i + 1) for i in range(5)]
    assert [*row_slices((7, 2**19))] == [slice(0, 2), slice(2, 4), slice(4, 6), slice(6, 7)]


def test_one_number_everywhere_takes_no_memory() -> None:
    zeros = np.broadcast_to(np.int64(-256), (10**6, 10**6))
    held = Connection("a", "b", zeros)
    assert held.shape == (10**6, 10**6)
    assert held.packed.values.strides == held.weight.strides == (0, 0)
    assert (held.packed.factor, held.weight[5, 5]) == (2, -256)


def test_a_connection_that_is_copied_keeps_its_weights() -> None:
    made = Connection("a", "b", np.array([[-256, 254]]))
    copies = [copy.deepcopy(made), copy.copy(made), pickle.loads(pickle.dumps(made)), replace(made, target="c")]
    for each in copies:
        assert (each.packed.values.tolist(), each.packed.factor) == ([[-128, 127]], 2)
        assert each.weight.tolist() == [[-256, 254]]
    assert "weight=int64 (1, 2)" in repr(made)


def test_a_file_holds_what_the_memory_does(tmp_path: Path) -> None:
    for kind in ENDS:
        chip = network((kind,) * 3, 1)
        save_chip(chip, tmp_path / "chip.h5")
        for mine, theirs in zip(chip.connections, load_chip(tmp_path / "chip.h5").connections, strict=True):
            assert mine.packed.values.dtype == theirs.packed.values.dtype
            assert mine.packed.factor == theirs.packed.factor
            np.testing.assert_array_equal(mine.weight, theirs.weight)


def test_many_weights_are_not_simulated_by_dense_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    chip = network(("half",) * 3, 1)
    assert not integer.Patience().ends_with(chip, 1)
    monkeypatch.setattr(tables, "MANY_WEIGHTS", 72 + 900 + 27)
    assert integer.Patience().ends_with(chip, 1)
    monkeypatch.setattr(tables, "MANY_WEIGHTS", 72 + 900 + 28)
    assert not integer.Patience().ends_with(chip, 1)


@pytest.mark.parametrize("kind", sorted(ENDS))
def test_the_weights_of_a_large_network_are_in_memory_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    chip = network((kind, kind, kind), 2)
    before = [each.weight for each in chip.connections]
    monkeypatch.setattr(tables, "MANY_WEIGHTS", 0)
    made = events.prepared(chip).tables
    assert made is not None
    shared = [np.shares_memory(each.packed.values, made.synapses.weights) for each in chip.connections]
    assert shared == [False, False, kind in ("half", "all", "odd")], "kernels, and channels that stand last, are apart"
    for each, weight in zip(chip.connections, before, strict=True):
        np.testing.assert_array_equal(each.weight, weight)
        assert not each.packed.values.flags.writeable
        np.testing.assert_array_equal(each.packed.sums_of_magnitudes(), np.abs(weight).reshape(len(weight), -1).sum(1))


def test_the_weights_of_a_small_network_stay_where_they_are() -> None:
    chip = network(("half", "half", "half"), 2)
    held = [each.packed for each in chip.connections]
    assert events.prepared(chip).tables is not None
    assert [each.packed for each in chip.connections] == held


def test_a_large_network_is_written_and_simulated_again_as_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = network(("half", "half", "half"), 2)
    save_chip(chip, tmp_path / "before.h5")
    drive = np.random.default_rng(0).integers(0, 2, (4, 3, *chip.input.shape))
    reference = integer.simulated(Dense(chip, drive), chip, 3, None)
    monkeypatch.setattr(tables, "MANY_WEIGHTS", 0)
    for each in (chip, replace(chip, readout="membrane")):  # which share their connections
        assert compare(reference, integer.run(each, drive)) == []
    save_chip(chip, tmp_path / "after.h5")
    assert (tmp_path / "before.h5").read_bytes() == (tmp_path / "after.h5").read_bytes()
