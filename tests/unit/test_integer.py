"""The batched simulator against a plain one written with loops, and its refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spikewright.base.errors import InputError
from spikewright.base.types import IntArray
from spikewright.chip.law import STATE_LIMIT
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.simulation import dense, integer
from spikewright.simulation.recording import Recording, compare


def neuron(shape: tuple[int, ...], random: np.random.Generator, largest_bias: int = 40, **registers: int) -> Neuron:
    bias = random.integers(-largest_bias, largest_bias + 1, shape)
    return Neuron(**{"du": 4095, "dv": 300, "vth": 120, **registers}, bias=bias)


@pytest.fixture
def chip() -> ChipNetwork:
    """A convolution, a skip, a loop, a bias population and a dense readout."""
    random = np.random.default_rng(11)
    populations = (
        Population("always", (1,), "bias", Neuron(4095, 0, 0, np.ones(1, dtype=np.int64))),
        Population("input", (2, 6, 5), "input", None, 8),
        Population("a", (4, 3, 3), "hidden", neuron((4, 3, 3), random, vth=4000)),
        Population("b", (7,), "hidden", neuron((7,), random, du=2000)),
        Population("past", (36,), "relay", Neuron(4095, 4096, 1, np.zeros(36, dtype=np.int64))),
        Population("readout", (4,), "readout", neuron((4,), random, 0, vth=131071, du=1000)),
    )

    def weights(*shape: int) -> IntArray:
        return 2 * random.integers(-60, 70, shape)

    connections = (
        Connection("input", "a", weights(4, 1, 3, 2), conv=ConvGeometry((2, 1), (1, 0), (1, 2), 2)),
        Connection("a", "b", weights(7, 36)),
        Connection("always", "b", weights(7, 1)),
        Connection("b", "b", weights(7, 7)),
        Connection("a", "past", 2 * np.eye(36, dtype=np.int64)),
        Connection("past", "readout", weights(4, 36)),
        Connection("b", "readout", weights(4, 7)),
    )
    return ChipNetwork(populations, connections, 6, "direct", "membrane", "none", "")


@pytest.fixture
def drive() -> IntArray:
    return np.random.default_rng(12).integers(0, 100, (1, 5, 2, 6, 5))


def naive_conv(x: IntArray, connection: Connection, shape: tuple[int, ...]) -> IntArray:
    """Synaptic input of one sample, tap by tap."""
    geometry = connection.conv
    assert geometry is not None
    out = np.zeros(shape, dtype=np.int64)
    channels = x.shape[0] // geometry.groups
    per_group = shape[0] // geometry.groups
    for c, r, q in np.ndindex(*shape):
        for i, y, z in np.ndindex(*connection.weight.shape[1:]):
            row = r * geometry.stride[0] + y * geometry.dilation[0] - geometry.padding[0]
            column = q * geometry.stride[1] + z * geometry.dilation[1] - geometry.padding[1]
            if 0 <= row < x.shape[1] and 0 <= column < x.shape[2]:
                source = x[(c // per_group) * channels + i, row, column]
                out[c, r, q] += connection.weight[c, i, y, z] * source
    return (out + 2**23) % 2**24 - 2**23


def naive(chip: ChipNetwork, drive: IntArray) -> dict[str, IntArray]:
    """Spikes and membranes of one sample, stepped in time."""
    steps = [dict[str, IntArray]() for _ in range(chip.timesteps)]
    for population in chip.populations:
        u = v = np.zeros(population.shape, dtype=np.int64)
        for t, step in enumerate(steps):
            if population.neuron is None:
                step[population.name] = drive[t if len(drive) > 1 else 0]
                continue
            a = np.zeros(population.shape, dtype=np.int64)
            for c in chip.into(population.name):
                late = steps[t - 1][c.source] if t and c.source == c.target else None
                spikes = late if c.source == c.target else step[c.source]
                if spikes is None:
                    continue
                a = a + (
                    naive_conv(spikes, c, population.shape)
                    if c.conv
                    else (c.weight @ spikes.reshape(-1)).reshape(population.shape)
                )
            registers = population.neuron
            u = np.sign(u) * (np.abs(u) * (4095 - registers.du) >> 12) + (a << 6)
            v = np.sign(v) * (np.abs(v) * (4096 - registers.dv) >> 12) + u + (registers.bias << registers.bias_exp)
            assert np.abs(u).max() < 2**23
            assert np.abs(v).max() < 2**23
            step[population.name] = (v > registers.vth << 6).astype(np.int64)
            v = np.where(step[population.name], 0, v)
            step[f"v of {population.name}"] = v
    return {name: np.stack([step[name] for step in steps]) for name in steps[0]}


def test_equals_a_plain_simulation(chip: ChipNetwork, drive: IntArray) -> None:
    recording = integer.run(chip, drive, record_states=True)
    for sample in range(drive.shape[1]):
        truth = naive(chip, drive[:, sample])
        for name, spikes in recording.spikes.items():
            assert np.array_equal(spikes[:, sample], truth[name]), name
        for name, v in recording.v.items():
            assert np.array_equal(v[:, sample], truth[f"v of {name}"]), name
        assert np.array_equal(recording.scores[sample], truth["v of readout"][-1])
    assert all(0 < recording.spikes[name].mean() < 1 for name in ("a", "b"))


@pytest.mark.parametrize("elements", [1, 1000])
def test_the_size_of_chunks_changes_nothing(
    chip: ChipNetwork, drive: IntArray, elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = integer.run(chip, drive, record_states=True)
    monkeypatch.setattr(integer, "CHUNK_ELEMENTS", elements)
    done: list[int] = []
    parts = integer.run(chip, drive, record_states=True, progress=lambda steps=1: done.append(steps))
    assert compare(whole, parts) == []
    assert np.array_equal(whole.scores, parts.scores)
    assert whole.tallies == parts.tallies
    assert sum(done) == drive.shape[1]
    assert len(done) > 1


def test_float32_is_used_only_where_it_is_exact(
    chip: ChipNetwork, drive: IntArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dense.EXACT_FLOAT32 == STATE_LIMIT, "half of what float32 holds, and where Lava wraps a convolution's sums"
    whole = integer.run(chip, drive, record_states=True)
    monkeypatch.setattr(dense, "EXACT_FLOAT32", 0)
    again = integer.simulated(dense.Dense(chip, drive, record_states=True), chip, drive.shape[1], None)
    assert compare(whole, again) == []


def test_a_sum_beyond_float32_is_exact() -> None:
    population = Population("readout", (1,), "readout", Neuron(4095, 0, 131071, np.zeros(1, dtype=np.int64)))
    size = 70001
    chip = ChipNetwork(
        (Population("input", (size,), "input", None, 8), population),
        (Connection("input", "readout", np.full((1, size), 1, dtype=np.int64)),),
        1, "direct", "membrane", "none", "",
    )  # fmt: skip
    drive = np.full((1, 1, size), 255, dtype=np.int64)
    a = 255 * size  # more than 2**24, and odd: float32 cannot hold it
    recording = integer.run(chip, drive, record_states=True)
    assert recording.u["readout"].item() == a * 64 - 2**24  # the current wraps once, whatever is left


def by_payloads(value: int, bits: int) -> tuple[ChipNetwork, IntArray]:
    """Four taps of 255 each hear the same payload."""
    populations = (
        Population("in", (1, 2, 2), "input", None, bits),
        Population("out", (1, 1, 1), "readout", Neuron(4095, 0, 131071, np.zeros((1, 1, 1), np.int64))),
    )
    connection = Connection("in", "out", np.full((1, 1, 2, 2), 255), conv=ConvGeometry())
    chip = ChipNetwork(populations, (connection,), 1, "direct", "membrane", "none", "")
    return chip, np.full((1, 1, 1, 2, 2), value)


def test_sums_of_a_convolution_wrap_at_24_bits_and_are_refused_beyond_32() -> None:
    most = (2**31 - 1) // 1020
    chip, drive = by_payloads(most, 22)
    wrapped = (most * 1020 + 2**23) % 2**24 - 2**23
    assert -1020 < wrapped < 0
    assert integer.run(chip, drive, record_states=True).u["out"].item() == wrapped * 64
    with pytest.raises(InputError) as refusal:
        integer.run(*by_payloads(most + 1, 22))
    assert str(refusal.value) == (
        f"connection in->out: a sum of its convolution reaches {(most + 1) * 1020}; Lava's has 32 bits for it, and "
        "what it makes of more depends on the processor: lower the payloads of the input"
    )


def test_counts_as_scores(chip: ChipNetwork, drive: IntArray) -> None:
    readout = chip.output
    firing = replace(readout, neuron=replace(readout.neuron, vth=100))
    counted = replace(chip, populations=(*chip.populations[:-1], firing), readout="count")
    recording = integer.run(counted, drive)
    assert recording.scores.max() > 0
    assert np.array_equal(recording.scores, recording.spikes["readout"].sum(axis=0))


def test_tallies_from_the_spikes_alone_are_the_same(chip: ChipNetwork, drive: IntArray) -> None:
    recording = integer.run(chip, drive)
    again = integer.run(chip, drive, heard=recording.spikes)
    assert again.tallies == recording.tallies
    assert all(np.array_equal(again.active[name], active) for name, active in recording.active.items())
    assert {name: int(active.sum()) for name, active in recording.active.items()} == {
        name: tally.active_updates for name, tally in recording.tallies.items()
    }
    silent = {name: np.zeros_like(spikes) for name, spikes in recording.spikes.items()}
    assert integer.run(chip, drive, heard=silent).tallies != recording.tallies


def test_the_caller_keeps_its_torch_settings(chip: ChipNetwork, drive: IntArray) -> None:
    before = torch.get_float32_matmul_precision(), torch.get_num_threads()
    try:
        torch.set_float32_matmul_precision("medium")
        torch.set_num_threads(3)
        integer.run(chip, drive)
        assert torch.get_float32_matmul_precision() == "medium"
        assert torch.get_num_threads() == 3
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.set_num_threads(before[1])
    assert not torch.is_inference_mode_enabled()


def current_chip() -> ChipNetwork:
    random = np.random.default_rng(3)
    zero = np.zeros((1, 2, 2), dtype=np.int64)
    populations = (
        Population("input", (1, 2, 2), "input", Neuron(4095, 0, 300, zero, bias_exp=6)),
        Population("readout", (3,), "readout", neuron((3,), random, vth=131071)),
    )
    return ChipNetwork(
        populations,
        (Connection("input", "readout", 2 * random.integers(-9, 9, (3, 4))),),
        4,
        "current",
        "membrane",
        "p",
        "",
    )


def test_a_current_is_a_bias_of_the_input() -> None:
    drive = np.array([[[[0, 100], [200, 255]]]])[:, None]
    spikes = integer.run(current_chip(), drive).spikes["input"][:, 0, 0]
    # After t steps v = t * drive << 6, against vth = 300 << 6, strict, and from 0 again after a spike.
    assert spikes[:, 0, 0].tolist() == [0, 0, 0, 0]
    assert spikes[:, 0, 1].tolist() == [0, 0, 0, 1]
    assert spikes[:, 1, 0].tolist() == [0, 1, 0, 1]
    assert spikes[:, 1, 1].tolist() == [0, 1, 0, 1]


STEPS = "steps may be 1 or 6, samples at least 1"


@pytest.mark.parametrize(
    ("shape", "value", "words"),
    [
        ((1, 5, 2, 6, 4), 0, "the drive has shape (1, 5, 2, 6, 4); it must be (steps, samples, 2, 6, 5)"),
        ((3, 5, 2, 6, 5), 0, f"the drive has 3 steps of 5 samples; {STEPS}"),
        ((1, 0, 2, 6, 5), 0, f"the drive has 1 steps of 0 samples; {STEPS}"),
        ((1, 5, 2, 6, 5), 256, "the drive reaches 256..256; may be 0..255"),
        ((1, 5, 2, 6, 5), -1, "the drive reaches -1..-1; may be 0..255"),
    ],
)
def test_refuses_events_that_do_not_fit(chip: ChipNetwork, shape: tuple[int, ...], value: int, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        integer.run(chip, np.full(shape, value, dtype=np.int64))
    assert str(refusal.value) == f"input population 'input': {words}"


@pytest.mark.parametrize(
    ("steps", "value", "words"),
    [
        (3, 0, "the drive has 3 steps of 1 samples; steps may be 1 or 4, samples at least 1"),
        (1, 5000, "the drive reaches 5000..5000; may be -4096..4095"),
    ],
)
def test_refuses_currents_that_do_not_fit(steps: int, value: int, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        integer.run(current_chip(), np.full((steps, 1, 1, 2, 2), value, dtype=np.int64))
    assert str(refusal.value) == f"input population 'input': {words}"


def test_refuses_sums_that_float64_does_not_hold() -> None:
    population = Population("readout", (1,), "readout", Neuron(4095, 0, 1, np.zeros(1, dtype=np.int64)))
    chip = ChipNetwork(
        (Population("input", (2,), "input", None, 45), population),
        (Connection("input", "readout", np.full((1, 2), 100, dtype=np.int64)),),
        1, "direct", "membrane", "none", "",
    )  # fmt: skip
    with pytest.raises(InputError, match="the simulator is exact below 70368744177664: lower the payloads"):
        integer.run(chip, np.full((1, 1, 2), 2**45 - 1, dtype=np.int64))


def test_recordings_of_different_samples_differ(chip: ChipNetwork, drive: IntArray) -> None:
    a: Recording = integer.run(chip, drive)
    b = integer.run(chip, drive[:, ::-1])
    found = compare(a, b)
    assert [m.population for m in found][:2] == ["input", "a"]
    assert found[0].first[0] == 0
