"""The compiled loops against the plain reference, dense arithmetic in torch: the same integers on drawn networks."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.base.types import Drive, IntArray
from spikewright.chip.law import Law
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population, output_shape
from spikewright.chip.neuron_models import LAWS
from spikewright.kernels import jit
from spikewright.simulation import events, integer
from spikewright.simulation.dense import Dense
from spikewright.simulation.events import EventDriven, are_loaded, fits, prepared
from spikewright.simulation.integer import Patience
from spikewright.simulation.recording import Recording, activity_of, compare
from spikewright.simulation.tables import tables_of

Case = tuple[ChipNetwork, Drive]


class Drawn:
    """One network from one seed: convolutions, dense layers side by side and with loops, a bias population."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.populations: list[Population] = []
        self.connections: list[Connection] = []
        self.timesteps = int(self.random.integers(1, 6))
        self.law = str(self.random.choice(["lif", "lif-subtract", "lif-subtract-late"]))

    def whole(self, low: int, high: int) -> int:
        return int(self.random.integers(low, high))

    def odds(self, of: float) -> bool:
        return bool(self.random.random() < of)

    def neuron(self, shape: tuple[int, ...], large: bool = False) -> Neuron:
        bias = self.random.integers(-60, 80, shape) * self.odds(0.5)
        vth = self.whole(1000, 131072) if large else self.whole(1, 300)
        du, dv = 4095 if self.odds(0.6) else self.whole(0, 4095), self.whole(0, 4097)
        return Neuron(du, dv, vth, bias, self.whole(0, 8), self.odds(0.8), self.law)

    def weights(self, *shape: int) -> IntArray:
        return self.random.integers(-256, 256, shape) * (self.random.random(shape) < 0.7)

    def convolution(self, source: Population) -> None:
        groups = 2 if source.shape[0] % 2 == 0 and self.odds(0.4) else 1
        kernel = (self.whole(1, 4), self.whole(1, 4))
        pairs = [(self.whole(1, 3), self.whole(1, 3)), (self.whole(0, 3), self.whole(0, 3)), (1, self.whole(1, 3))]
        geometry = ConvGeometry(*pairs, groups)
        weight = self.weights(groups * self.whole(1, 12), source.shape[0] // groups, *kernel)
        made = Connection(source.name, f"conv{len(self.populations)}", weight, conv=geometry)
        shape = output_shape(made, source)
        if min(shape) > 0:
            self.populations.append(Population(made.target, shape, "hidden", self.neuron(shape)))
            self.connections.append(made)

    def dense(self, sources: list[Population], role: str = "hidden") -> list[Population]:
        """One population that hears all of ``sources``, or two side by side."""
        made = []
        for _ in range(2 if role == "hidden" and self.odds(0.3) else 1):
            name, shape = f"dense{len(self.populations)}", (self.whole(1, 140 if role == "hidden" else 7),)
            made.append(Population(name, shape, role, self.neuron(shape, large=role == "readout")))
            self.populations.append(made[-1])
            self.connections += [Connection(p.name, name, self.weights(made[-1].size, p.size)) for p in sources]
            if role == "hidden" and self.odds(0.3):
                self.connections.append(Connection(name, name, self.weights(made[-1].size, made[-1].size)))
        return made

    def case(self) -> Case:
        shape = (self.whole(1, 4), self.whole(3, 9), self.whole(3, 9)) if self.odds(0.7) else (self.whole(1, 90),)
        bits = self.whole(0, 9)
        current = self.odds(0.2)
        neuron = replace(self.neuron(shape), bias=np.zeros(shape, np.int64)) if current else None
        self.populations.append(Population("input", shape, "input", neuron, 0 if current else bits))
        while len(shape) == 3 and self.odds(0.7) and len(self.populations) < 4 and len(self.populations[-1].shape) == 3:
            before = len(self.populations)
            self.convolution(self.populations[-1])
            if len(self.populations) == before:
                break
        last = [self.populations[-1]]
        for _ in range(self.whole(0, 3)):
            last = self.dense(last)
        self.dense(last, "readout")
        if self.odds(0.3):
            target = self.populations[-1]
            always = Neuron(4095, 0, 0, np.ones(1, np.int64))
            self.populations.insert(0, Population("always", (1,), "bias", always))
            self.connections.append(Connection("always", target.name, self.weights(target.size, 1)))
        encoding = "current" if current else "direct" if bits else "events"
        parts = tuple(self.populations), tuple(self.connections)
        readout = str(self.random.choice(["membrane", "count"]))
        chip = ChipNetwork(*parts, self.timesteps, encoding, readout, "none", "")
        steps = 1 if encoding != "events" and self.odds(0.5) else self.timesteps
        most = 256 if current else 2 ** max(1, bits)
        size = (steps, self.whole(1, 4), *shape)
        drive = self.random.integers(0, most, size) * (self.random.random(size) < self.random.random())
        return chip, drive.astype(np.int64 if self.odds(0.5) or most > 256 else np.uint8)


def by(engine: Dense | EventDriven, case: Case) -> Recording:
    return integer.simulated(engine, case[0], case[1].shape[1], None)


def assert_the_same(case: Case) -> None:
    chip, drive = case
    plain, compiled = by(Dense(chip, drive, record_states=True), case), by(EventDriven(chip, drive, True), case)
    assert [str(each) for each in compare(plain, compiled)] == []
    assert plain.u.keys() == compiled.u.keys() != set()
    assert np.array_equal(plain.scores, compiled.scores)
    assert plain.tallies == compiled.tallies
    without = by(EventDriven(chip, drive), case)
    assert compare(plain, without) == []
    assert plain.tallies == without.tallies
    assert without.v == {}
    for one, other in zip(counts(chip, plain), counts(chip, without), strict=True):
        assert {name: each.tolist() for name, each in one.items()} == {n: each.tolist() for n, each in other.items()}
        assert list(one) == list(other)


def counts(chip: ChipNetwork, recording: Recording) -> list[dict[str, IntArray]]:
    activity = activity_of(chip, recording, "integer")
    assert activity.by_step is not None
    assert activity.by_sample is not None
    spikes = {name: each.spikes for name, each in activity.populations.items()}
    operations = {name: np.array(each) for name, each in activity.synaptic_ops.items()}
    return [spikes, operations, *vars(activity.by_step).values(), *vars(activity.by_sample.counts).values()]


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_compiled_loops_give_the_integers_of_the_reference(seed: int) -> None:
    case = Drawn(seed).case()
    assert fits(case[0], int(case[1].max()))
    assert_the_same(case)


def test_the_networks_that_are_drawn_are_worth_comparing() -> None:
    found: dict[str, int] = dict.fromkeys(
        ("conv", "loop", "groups", "bias", "current", "graded", "fires", "wraps", "clips"), 0
    )
    for seed in range(150):
        chip, drive = Drawn(seed).case()
        recording = integer.run(chip, drive)
        found["conv"] += any(c.conv is not None for c in chip.connections)
        found["groups"] += any(c.conv is not None and c.conv.groups > 1 for c in chip.connections)
        found["loop"] += chip.is_recurrent
        found["bias"] += any(p.role == "bias" for p in chip.populations)
        found["current"] += chip.encoding == "current"
        found["graded"] += chip.input.payload_bits > 1
        found["fires"] += all(0 < recording.spikes[p.name].mean() < 1 for p in chip.populations if p.role == "hidden")
        found["wraps"] += any(tally.overflows.wraps for tally in recording.tallies.values())
        found["clips"] += any(tally.overflows.clips for tally in recording.tallies.values())
    assert min(found.values()) >= 5, found


def lone(
    weight: int, neuron: Neuron, *, size: int = 1, bits: int = 8, conv: bool = False, timesteps: int = 3
) -> ChipNetwork:
    shape = (size, 1, 1) if conv else (size,)
    made = Population("readout", (1, 1, 1) if conv else (1,), "readout", neuron)
    kernel = np.full((1, size, 1, 1) if conv else (1, size), weight)
    connection = Connection("input", "readout", kernel, conv=ConvGeometry() if conv else None)
    populations = (Population("input", shape, "input", None, bits), made)
    return ChipNetwork(populations, (connection,), timesteps, "direct", "membrane", "none", "")


def still(shape: tuple[int, ...] = (1,), **registers: int) -> Neuron:
    return Neuron(**{"du": 4095, "dv": 0, "vth": 131071, **registers}, bias=np.zeros(shape, np.int64))


def test_which_networks_the_compiled_loops_take() -> None:
    wide = lone(-256, still(), size=2**10, bits=20)
    assert [fits(wide, payload) for payload in (2**13 - 1, 2**13)] == [True, False], "2^18 times 2^13 is 2^31"
    kernel = lone(-256, still((1, 1, 1)), size=2**10, bits=20, conv=True)
    assert [fits(kernel, payload) for payload in (31, 32)] == [True, False], "2^18 times 2^5 is 2^23, where Lava wraps"


class Other(Law):
    """A neuron model that the compiled loops do not know."""


def test_a_neuron_model_of_ones_own_takes_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LAWS, "other", Other)
    own, ours = lone(3, still(law="other")), lone(3, still())  # type: ignore[arg-type]
    assert prepared(own).tables is None
    drive = np.full((1, 2, 1), 200, np.uint8)
    assert compare(integer.run(own, drive), integer.run(ours, drive)) == []


def test_a_network_is_prepared_once_and_its_arrays_cannot_be_written_to() -> None:
    chip = lone(3, still())
    assert prepared(chip) is prepared(chip)
    with pytest.raises(ValueError, match="read-only"):
        chip.connections[0].weight[0, 0] = 4
    with pytest.raises(ValueError, match="read-only"):
        chip.output.neuron.bias[0] = 4
    given = np.array([[5]])
    made = Connection("a", "b", given)
    given[0, 0] = 6  # what was handed in stays its owner's
    assert made.weight.tolist() == [[5]]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.uint16])
def test_what_drives_may_have_any_type_of_integers(dtype: type) -> None:
    chip = lone(3, still())
    drive = np.array([[[200], [7]]])
    assert compare(integer.run(chip, drive), integer.run(chip, drive.astype(dtype))) == []
    assert integer.run(chip, drive.astype(dtype)).scores.tolist() == [[200 * 3 * 64 * 3], [7 * 3 * 64 * 3]]


def test_a_slice_of_samples_need_not_be_contiguous() -> None:
    chip = lone(3, still(), size=5)
    whole = np.random.default_rng(3).integers(0, 200, (1, 8, 5)).astype(np.uint8)
    assert np.array_equal(integer.run(chip, whole[:, ::2]).scores, integer.run(chip, whole).scores[::2])


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(
    threads: int, monkeypatch: pytest.MonkeyPatch, set_threads: Callable[[int], None]
) -> None:
    chip, _ = Drawn(5).case()
    drive = np.random.default_rng(1).integers(0, 2, (chip.timesteps, 40, *chip.input.shape))
    whole = integer.run(chip, drive)
    monkeypatch.setattr(integer, "CHUNK_ELEMENTS", 1)
    set_threads(threads)
    parts = integer.run(chip, drive)
    assert compare(whole, parts) == []
    assert whole.tallies == parts.tallies
    assert all(np.array_equal(each, parts.counted.spikes[name]) for name, each in whole.counted.spikes.items())


def test_small_data_do_not_wait_for_the_loops_to_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    chip, taken = lone(3, still(), size=999, timesteps=10), list[type]()
    for engine in (Dense, EventDriven):
        made = partial(lambda each, *given: taken.append(each) or each(*given), engine)
        monkeypatch.setattr(integer, engine.__name__, made)
    monkeypatch.setattr(integer, "are_loaded", lambda: False)
    monkeypatch.setattr(integer, "PATIENCE", Patience(loading_s=5.0, update_s=1e-4))
    for samples in (2, 2, 1, 1):  # of 10 000 updates, a second each; five seconds are not yet longer than loading
        integer.run(chip, np.ones((1, samples, 999), np.uint8))
    monkeypatch.setattr(integer, "are_loaded", lambda: True)
    integer.run(chip, np.ones((1, 1, 999), np.uint8))
    assert taken == [Dense, Dense, Dense, EventDriven, EventDriven]


def test_loops_are_loaded_when_they_are_taken() -> None:
    by(EventDriven(*(case := Drawn(1).case())), case)
    assert are_loaded()


@pytest.fixture(autouse=True)
def compiled_loops() -> None:
    """Loaded, so that all of these simulations take them."""
    importlib.import_module("spikewright.kernels.network")


@pytest.fixture
def set_threads(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda count: monkeypatch.setattr("torch.get_num_threads", lambda: count)


def test_where_nothing_can_be_cached_loops_are_compiled_in_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def njit(*, nogil: bool, error_model: str, cache: bool = False) -> Callable[[object], object]:
        def decorate(function: object) -> object:
            asked.append(cache)
            if cache:
                raise RuntimeError("cannot cache function: no locator available")
            return function

        assert nogil
        assert error_model == "numpy", "a division that is checked for zero is no vector instruction"
        return decorate

    monkeypatch.setattr(jit, "njit", njit)
    assert jit.compiled(max) is max
    assert asked == [True, False]


@pytest.fixture
def small() -> ChipNetwork:
    """Three inputs and two neurons."""
    neuron = Neuron(4095, 0, 9, np.zeros(2, np.int64), fires=False)
    populations = (Population("in", (3,), "input", None), Population("out", (2,), "readout", neuron))
    return ChipNetwork(
        populations, (Connection("in", "out", np.ones((2, 3), np.int64)),), 2, "events", "membrane", "", ""
    )


def test_tables_hold_nothing_where_there_is_nothing(small: ChipNetwork) -> None:
    tables = tables_of(small)
    (row,) = (r for r, p in zip(tables.populations, small.populations, strict=True) if p.neuron is None)
    here = slice(int(row["first"]), int(row["first"] + row["count"]))
    assert not tables.bias[here].any(), "an input without neurons has no bias"


@pytest.mark.parametrize(("bits", "graded"), [(0, False), (1, True), (8, True)])
def test_events_are_graded_where_they_have_payloads(small: ChipNetwork, bits: int, graded: bool) -> None:
    encoding = "direct" if bits else "events"
    first = replace(small.input, payload_bits=bits)
    chip = replace(small, populations=(first, *small.populations[1:]), encoding=encoding)
    assert bool(tables_of(chip).populations[0]["is_graded"]) == graded


def test_no_more_threads_than_torch_has_and_no_chunk_is_lost(
    small: ChipNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    drive = np.zeros((small.timesteps, 40, *small.input.shape), np.uint8)
    asked: list[int] = []

    class Lossy(EventDriven):
        """Counts the threads that it is asked for, and may lose the last chunk."""

        loses = False

        @contextmanager
        def workers(self, count: int) -> Iterator[Any]:
            asked.append(count)
            yield lambda run, chunks: [run(chunk) for chunk in chunks][: -1 if self.loses else None]

    monkeypatch.setattr(integer, "CHUNK_ELEMENTS", 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    integer.simulated(Lossy(small, drive), small, 40, None)
    integer.simulated(Lossy(small, drive[:, :2]), small, 2, None)
    assert asked == [3, 2]
    Lossy.loses = True
    with pytest.raises(ValueError, match="shorter"):
        integer.simulated(Lossy(small, drive), small, 40, None)


def test_a_bound_of_every_connection_is_asked_for(small: ChipNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "prepared", lambda chip: events.Prepared(tables_of(chip), (1,) * 99))
    with pytest.raises(ValueError, match="longer"):
        events.fits(small, 1)
