"""Where the simulator's rare limits begin, and how its work is cut up."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spikewright.base.errors import InputError
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.simulation import integer
from spikewright.simulation.kernel import Buffers, Rules
from spikewright.simulation.recording import Recording, Tally


def rules(peak: float, du: int = 4095, bias: int = 0, timesteps: int = 4, fires: bool = True) -> Rules:
    neuron = Neuron(du, 0, 5, np.array([bias]), 0, fires)
    return Rules.of(neuron, neuron.bias[None], timesteps, peak)


def test_a_current_may_wrap_from_2_to_the_23_on() -> None:
    assert [rules(peak).may_wrap for peak in (2**17 - 1, 2**17, 2**17 + 1)] == [False, True, True]
    assert [rules(peak, du=0).may_wrap for peak in (2**15 - 1, 2**15)] == [False, True], "four steps add up in a filter"


def test_a_potential_may_clip_from_2_to_the_23_on() -> None:
    assert [rules(peak).may_clip for peak in (2**15 - 1, 2**15)] == [False, True], "four steps of 64 x 2^15"
    assert [rules(0, bias=bias, timesteps=2048).may_clip for bias in (4095, -4096)] == [False, True]
    assert rules(2**15 - 1, bias=64).may_clip
    assert not rules(2**15 - 1, bias=63).may_clip
    assert rules(2**15 - 1, bias=-64).may_clip


def test_sums_may_overflow_where_state_input_and_bias_reach_2_to_the_31() -> None:
    room = (2**31 - 2**23) // 64
    assert [rules(peak).may_overflow for peak in (room - 1, room)] == [False, True]
    assert [rules(room - 1, bias=bias).may_overflow for bias in (63, 64)] == [False, True]


def test_rules_are_of_their_neurons() -> None:
    assert rules(0).timesteps == 4
    assert [rules(0, fires=fires).fires for fires in (True, False)] == [True, False]
    assert Rules(rules(0).law, 1, False, False, False).fires


def test_a_buffer_grows_and_keeps_its_size() -> None:
    buffers = Buffers()
    small = buffers.take("v", (2, 3), torch.float64)
    large = buffers.take("v", (4, 3), torch.float64)
    assert (small.shape, large.shape) == ((2, 3), (4, 3))
    assert buffers.take("v", (12,), torch.float64).data_ptr() == large.data_ptr()
    assert buffers.take("v", (12,), torch.float32).dtype == torch.float32


def network(weights: list[list[int]], payload_bits: int = 32, timesteps: int = 1) -> ChipNetwork:
    weight = np.array(weights)
    neuron = Neuron(4095, 0, 5, np.zeros(len(weight), np.int64))
    populations = (
        Population("in", (weight.shape[1],), "input", None, payload_bits),
        Population("out", (len(weight),), "readout", neuron),
    )
    return ChipNetwork(populations, (Connection("in", "out", weight),), timesteps, "direct", "count", "loihi2", "")


def test_input_that_float64_does_not_hold_is_refused() -> None:
    """128 weights of -256 are 2^15; times 2^31 they are 2^46."""
    chip = network([[1] * 128, [-256] * 128])
    fine = integer.run(chip, np.full((1, 1, 128), 2**31 - 1))
    assert fine.spikes["out"].shape == (1, 1, 2)
    for payload, reached in ((2**31, 2**46), (2**31 + 1, 2**46 + 2**15)):
        with pytest.raises(InputError) as refusal:
            integer.run(chip, np.full((1, 1, 128), payload))
        assert str(refusal.value) == (
            f"population 'out': its synaptic input may reach {reached}; the simulator is exact below {2**46}: lower "
            "the payloads of the input"
        )


@pytest.mark.parametrize(
    ("elements", "chunks"),
    [
        (2**21, [7]),
        (7 * 15, [7]),
        (7 * 15 - 1, [6, 1]),
        (3 * 15, [3, 3, 1]),
        (15, [1] * 7),
        (14, [1] * 7),
        (1, [1] * 7),
    ],
)
def test_chunks_are_as_large_as_their_updates_fit(
    elements: int, chunks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three steps of five neurons and lines are fifteen for each of seven samples."""
    monkeypatch.setattr(integer, "CHUNK_ELEMENTS", elements)
    chip, done = network([[3, 4, -2], [1, 0, 5]], 4, timesteps=3), list[int]()
    drive = np.random.default_rng(0).integers(0, 15, (1, 7, 3))
    found = integer.run(chip, drive, progress=done.append)
    assert done == chunks
    assert found.samples == 7
    by_hand = drive[0] @ np.array([[3, 4, -2], [1, 0, 5]]).T
    counts, v = np.zeros((7, 2), int), np.zeros((7, 2), int)
    for _ in range(3):
        v = v + by_hand
        counts += v > 5
        v = np.where(v > 5, 0, v)
    assert found.scores.tolist() == counts.tolist()
    assert found.tallies["out"].active_updates == found.active["out"].sum()


def test_an_activity_of_nothing_is_no_activity() -> None:
    assert (Tally() + Tally(3)).active_updates == 3
    assert (Tally(1, None) + Tally(3)).overflows is None
    assert (Tally(1) + Tally(3, None)).overflows is None
    empty = Recording({}, np.zeros((0, 2), np.int64), {})
    assert empty.samples == 0
