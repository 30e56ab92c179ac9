"""Several chips, cores that populations share, what would make a network fit, and limits that few chips publish."""

from __future__ import annotations

import itertools
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.base.errors import AnswerIsNo, InputError
from spikewright.chip.activity import Activity, PopulationActivity
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.pages.network import placement_json as as_json
from spikewright.pages.network import placement_lines as lines
from spikewright.placing.placement import place
from spikewright.placing.remedies import narrower
from spikewright.profile.profile import load_profile


def neuron(shape):
    return Neuron(4095, 0, 100, np.zeros(shape, dtype=np.int64))


def zeros(*shape):
    return np.zeros(shape, dtype=np.int64)


def dense_chip(*sizes, bits=8):
    names = ["in", *(f"h{i}" for i in range(1, len(sizes) - 1)), "out"]
    roles = ["input", *["hidden"] * (len(sizes) - 2), "readout"]
    populations = tuple(
        Population(n, (s,), r, None if r == "input" else neuron((s,)))
        for n, s, r in zip(names, sizes, roles, strict=True)
    )
    connections = tuple(
        Connection(a.name, b.name, np.broadcast_to(np.int8(0), (b.size, a.size)), bits)
        for a, b in itertools.pairwise(populations)
    )
    return ChipNetwork(populations, connections, 4, "events", "count", "loihi1-davies", "")


def conv_chip(*channels, size=8, groups=1):
    """3 x 3 convolutions with borders of one, then a dense readout of 4."""
    names = ["in", *(f"c{i}" for i in range(1, len(channels)))]
    populations = [
        Population(n, (c, size, size), "hidden" if i else "input", neuron((c, size, size)) if i else None)
        for i, (n, c) in enumerate(zip(names, channels, strict=True))
    ]
    connections = [
        Connection(a.name, b.name, zeros(b.shape[0], a.shape[0] // groups, 3, 3), 8,
                   ConvGeometry((1, 1), (1, 1), groups=groups))
        for a, b in itertools.pairwise(populations)
    ]  # fmt: skip
    last = populations[-1]
    populations.append(Population("out", (4,), "readout", neuron((4,))))
    connections.append(Connection(last.name, "out", zeros(4, last.size)))
    return ChipNetwork(tuple(populations), tuple(connections), 4, "events", "count", "x", "")


def with_limits(**limits):
    profile = load_profile("loihi1-davies")
    return profile.model_copy(update={"limits": profile.limits.model_copy(update=limits)})


def test_bands_of_rows_are_reached_by_fewer_messages_than_channels():
    """16 channels of 8 x 8 on two cores: by channels all 64 pixels reach both; by rows only the 2 x 8 at the cut do."""
    placement = place(conv_chip(1, 16), with_limits(neurons_per_core=512))
    assert [site.block.rows for site in placement.sites_of("c1")] == [(0, 4), (4, 8)]
    assert placement.destinations(placement.chip.connections[0]).sum() == 64 + 2 * 8


def test_two_chips_and_their_cut():
    """Two cores of h1, two of h2, one of out: whichever three share a chip, 30 of 60 messages have to leave it."""
    chip = dense_chip(10, 20, 20, 4)
    placement = place(chip, with_limits(neurons_per_core=10, cores=3), chips=2)
    how = placement.arrangement
    assert (how.chips, how.messages, how.between_chips, how.cut_in_order) == (2, 60, 30, 30)
    assert [(site.chip, site.core) for site in placement.sites] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert how.cut == {"h1->h2": (20, 40), "h2->out": (10, 20)}
    assert placement.crossings(chip.connections[0]) is None
    assert placement.crossings(chip.connections[1]).tolist() == [1] * 20
    assert placement.crossings(chip.connections[2]).tolist() == [1] * 10 + [0] * 10
    assert {(use.chip, use.core) for use in placement.fit if use.core is not None} == {
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1),
    }  # fmt: skip
    assert placement.fit[-1].used == 5
    assert placement.fit[-1].limit == 6


def test_a_profile_says_how_many_chips_there_are():
    chip = dense_chip(10, 20, 20, 4)
    limits = {"neurons_per_core": 10, "cores": 3}
    assert place(chip, with_limits(**limits, chips=4)).arrangement.chips == 2
    with pytest.raises(AnswerIsNo, match=r"needs 5 cores and there are 3; .*it would fit on 2 chips"):
        place(chip, with_limits(**limits))
    with pytest.raises(AnswerIsNo, match="there are 3"):
        place(chip, with_limits(**limits, chips=4), chips=1)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=3), st.sampled_from([1, 2]), st.integers(16, 80),
    st.integers(3, 9), st.integers(0, 3),
)  # fmt: skip
def test_hops_and_crossings_over_chips_are_those_of_brute_force(channels, groups, neurons, cores, seed):
    chip = conv_chip(*(groups * c for c in channels), size=5, groups=groups)
    profile = with_limits(neurons_per_core=neurons, cores=cores, axons_out_per_core=None)
    placement = place(chip, profile, chips=10_000, seed=seed)
    how = placement.arrangement
    assert len({(site.chip, site.core) for site in placement.sites}) == placement.cores
    assert all(site.core < cores for site in placement.sites)
    assert how.chips == -(-placement.cores // cores)
    hops = 0
    for connection in chip.connections[1:]:
        expected = {"x": 0, "y": 0, "crossing": 0, "all": 0}
        for a, b in itertools.product(placement.sites_of(connection.source), placement.sites_of(connection.target)):
            reached = _reached(chip, connection, a.block.members, b.block.members)
            (x0, y0), (x1, y1) = placement.position(a.core), placement.position(b.core)
            expected["all"] += reached
            expected["crossing"] += reached * (a.chip != b.chip)
            expected["x"] += reached * (a.chip == b.chip) * abs(x0 - x1)
            expected["y"] += reached * (a.chip == b.chip) * abs(y0 - y1)
        assert placement.hops(connection, 0).sum() == expected["x"]
        assert placement.hops(connection, 1).sum() == expected["y"]
        assert placement.crossings(connection).sum() == expected["crossing"]
        assert how.cut[connection.name] == (expected["crossing"], expected["all"])
        hops += expected["x"] + expected["y"]
    assert how.hops == hops <= how.hops_in_order
    assert how.between_chips <= how.cut_in_order
    again = place(chip, profile, chips=10_000, seed=seed)
    assert again.sites == placement.sites


def _reached(chip, connection, senders, receivers):
    """Sources among ``senders`` that have a synapse on one of ``receivers``, one tap at a time."""
    if connection.conv is None:
        return len(senders) if len(receivers) else 0
    _, height, width = chip.by_name[connection.source].shape
    groups = connection.conv.groups
    each_in = chip.by_name[connection.source].shape[0] // groups
    each_out = chip.by_name[connection.target].shape[0] // groups
    there = {(int(r) // (height * width) // each_out, *divmod(int(r) % (height * width), width)) for r in receivers}
    return sum(
        any(
            (int(s) // (height * width) // each_in, y + dy, x + dx) in there
            for dy, dx in itertools.product((-1, 0, 1), repeat=2)
        )
        for s in senders
        for y, x in [divmod(int(s) % (height * width), width)]
    )


def test_populations_share_a_core_where_cores_run_out():
    """One core: 20 + 30 neurons, 10 + 20 axons in, 20 out, memory of both, the larger fan-in."""
    limits = {"neurons_per_core": 50, "cores": 1, "fan_in": 20}
    placement = place(dense_chip(10, 20, 30), with_limits(**limits))
    assert [(site.core, site.population) for site in placement.sites] == [(0, "h1"), (0, "out")]
    assert {use.resource: use.used for use in placement.fit} == {
        "neurons": 50,
        "input axons": 10 + 20,
        "output axons": 20,
        "synapse memory": 10 * 192 + 20 * 256,  # 20 x 8 + 10 = 170 and 30 x 8 + 10 = 250 bits, in words of 64
        "fan-in": 20,
        "cores": 1,
    }
    assert {use.population for use in placement.fit} == {"h1, out", ""}
    assert placement.arrangement.shared_cores
    assert place(dense_chip(10, 20, 30), with_limits(**{**limits, "cores": 2})).cores == 2
    with pytest.raises(AnswerIsNo, match="it needs 2 cores and there is 1"):
        place(dense_chip(10, 20, 30), with_limits(**{**limits, "neurons_per_core": 49}))


def test_what_would_fit_was_tried():
    """h1 needs two cores of 100 x 256 bits and out 50 x 128: the third core is missing.

    With 7 bits a core of h1 takes 100 x 192 bits and has room for out. With 45 neurons (91 % of 50) one half of h1 is
    22 wide, 22 x 8 + 10 bits make three words, and out goes beside it; with 46 both halves take four words.
    """
    profile = with_limits(synapse_bits_per_core=30_000, cores=2)
    with pytest.raises(AnswerIsNo) as caught:
        place(dense_chip(100, 50, 10), profile)
    assert str(caught.value) == (
        "loihi1-davies: the network does not fit: it needs 3 cores and there are 2; 'h1' takes 2 of them, bound by "
        "synapse memory (25600 of 30000 on its fullest core); it would fit on 2 chips, with weights of 7 bits or with "
        "91% of the channels and neurons of its hidden layers"
    )
    assert place(dense_chip(100, 50, 10), profile, chips=2).cores == 3
    assert place(dense_chip(100, 50, 10, bits=7), profile).cores == 2
    assert place(narrower(dense_chip(100, 50, 10), 91), profile).cores == 2


def test_a_narrower_network_keeps_its_kind():
    """Half of 6 channels in 2 groups is 2, since 3 does not divide by 2; depthwise layers follow what feeds them."""
    grouped = narrower(conv_chip(4, 6, 8, groups=2), 50)
    assert [p.shape[0] for p in grouped.populations] == [4, 2, 4, 4]
    chip = conv_chip(4, 8)
    depthwise = Population("deep", (8, 8, 8), "hidden", neuron((8, 8, 8)))
    populations = (*chip.populations[:2], depthwise, chip.populations[2])
    geometry = ConvGeometry((1, 1), (1, 1), groups=8)
    connections = (
        chip.connections[0],
        Connection("c1", "deep", zeros(8, 1, 3, 3), 8, geometry),
        Connection("deep", "out", zeros(4, 512)),
    )
    half = narrower(replace(chip, populations=populations, connections=connections), 50)
    assert [p.shape[0] for p in half.populations] == [4, 4, 4, 4]
    assert half.connections[1].conv.groups == 4
    assert [c.weight.shape for c in half.connections] == [(4, 4, 3, 3), (4, 1, 3, 3), (4, 256)]


def test_shared_configurations_and_fan_out_are_limits_where_a_profile_gives_them():
    chip = dense_chip(10, 20, 30)
    placement = place(chip, with_limits(fan_out=30, neuron_configs_per_core=1, synapse_formats_per_core=1))
    used = {(use.resource, use.population): use.used for use in placement.fit}
    assert used["fan-out", "h1"] == 30
    assert used["fan-out", "out"] == 0
    assert used["neuron configurations", "h1"] == used["synapse formats", "h1"] == 1
    with pytest.raises(AnswerIsNo, match="needs 30 synapses that one spike visits and has 29; fewer targets for"):
        place(chip, with_limits(fan_out=29, cores=None))
    beside = Population("h2", (20,), "hidden", neuron((20,)))
    narrow = Connection("in", "h2", zeros(20, 10)), Connection("h2", "out", zeros(30, 20), 4)
    populations = (*chip.populations[:2], beside, chip.populations[2])
    two_widths = replace(chip, populations=populations, connections=(*chip.connections, *narrow))
    with pytest.raises(AnswerIsNo, match=r"needs 2 synapse formats and has 1; it would fit with weights of 4 bits$"):
        place(two_widths, with_limits(synapse_formats_per_core=1))
    configs = {"cores": 1, "neurons_per_core": 50, "neuron_configs_per_core": 1}
    with pytest.raises(AnswerIsNo, match="it needs 2 cores and there is 1"):  # two populations, two sets of registers
        place(chip, with_limits(**configs))


def activity_of(chip, spikes):
    populations = {
        p.name: PopulationActivity(np.full(p.shape, spikes.get(p.name, 0), dtype=np.int64), 0, 0)
        for p in chip.populations
    }
    return Activity(populations, {c.name: 0 for c in chip.connections}, 1, chip.timesteps, "integer")


def test_cores_may_be_laid_out_for_measured_spikes():
    """h1 feeds h2 and h3; only what spikes is worth a short way."""
    chip = dense_chip(10, 40, 40, 40, 4)
    activity = activity_of(chip, {"h2": 5, "h3": 1})
    profile = with_limits(neurons_per_core=10)
    placement = place(chip, profile, by="spikes", activity=activity)
    spent = sum(
        int(np.sum(activity.populations[c.source].spikes * (placement.hops(c, 0) + placement.hops(c, 1))))
        for c in chip.connections[1:]
    )
    assert placement.arrangement.hops == spent <= placement.arrangement.hops_in_order
    assert placement.arrangement.messages == 40 * 5 * 4 + 40 * 1 * 1
    in_order = place(chip, profile, by="order")
    assert [site.core for site in in_order.sites] == list(range(13))
    assert in_order.arrangement.hops == place(chip, profile).arrangement.hops_in_order


def test_wrong_arguments_are_all_named():
    with pytest.raises(InputError, match=r"(?s)2 faults.*chips is 0; may be 1 or more.*there is no activity"):
        place(dense_chip(2, 2, 2), with_limits(), chips=0, by="spikes")


def test_the_layout_in_words_and_as_json():
    placement = place(dense_chip(10, 20, 20, 4), with_limits(neurons_per_core=10, cores=3), chips=2)
    assert lines(placement) == [
        "placement: by connectivity, seed 0: 0.00 hops a message, as with cores in order",
        "2 chips: 50.0% of the messages between cores change chip (50.0% with cores in order): h1->h2 50.0%, "
        "h2->out 50.0%",
        "chip 0: h1 on 2 cores, h2 on 1 core",
        "chip 1: h2 on 1 core, out on 1 core",
    ]
    found = as_json(placement)
    assert found["chips"] == 2
    assert found["cut"] == {"h1->h2": [20, 40], "h2->out": [10, 20]}
    assert found["cores"][4] == {
        "chip": 1,
        "core": 1,
        "compartments": {"out": 4},
        "uses": {
            "neurons": [4, 10],
            "input axons": [20, 4096],
            "output axons": [0, 4096],
            "synapse memory": [20 * 64, 1048576],  # 4 x 8 + 10 bits in one word
        },
    }
    shared = place(dense_chip(10, 20, 30), with_limits(cores=1))
    assert lines(shared)[1] == "populations share cores, since each of its own would be too many"
    assert lines(place(dense_chip(2, 2, 2), load_profile("cmos45"))) == []


def test_nothing_as_large_as_the_weights_is_made():
    """A float64 copy of 4000 x 4000 weights would take 128 MB."""
    chip = dense_chip(4000, 4000, 10)
    tracemalloc.start()
    placement = place(chip, load_profile("loihi2-assumed"), chips=4)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert placement.cores == 135  # 30 targets a core: 4000 lists of 30 x 8 + 10 bits, in words of 64, are 1,024,000
    assert peak < 20e6
