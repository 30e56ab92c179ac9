"""Placement against brute force on small networks, against arithmetic by hand, and its refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from spikewright.base.errors import AnswerIsNo
from spikewright.chip.fan_out import fan_out
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population, output_shape
from spikewright.placing.blocks import boxes, count_synapses, ranges
from spikewright.placing.placement import place
from spikewright.placing.resources import axons_in, axons_out, synapse_bits
from spikewright.profile.profile import load_profile, profile_names
from spikewright.profile.schema import Mesh


def neuron(shape, fires=True):
    return Neuron(4095, 0, 100, np.zeros(shape, dtype=np.int64), 6, fires)


def zeros(*shape):
    return np.zeros(shape, dtype=np.int64)


def dense_chip(*sizes, on_chip_input=False):
    names = ["in", *(f"h{i}" for i in range(1, len(sizes) - 1)), "out"]
    roles = ["input", *["hidden"] * (len(sizes) - 2), "readout"]
    populations = tuple(
        Population(n, (s,), r, neuron((s,)) if r != "input" or on_chip_input else None)
        for n, s, r in zip(names, sizes, roles, strict=True)
    )
    connections = tuple(
        Connection(a, b, zeros(m, n)) for (a, n), (b, m) in itertools.pairwise(zip(names, sizes, strict=True))
    )
    return ChipNetwork(populations, connections, 4, "events", "count", "loihi1-davies", "")


def with_limits(name, **limits):
    profile = load_profile(name)
    return profile.model_copy(update={"limits": profile.limits.model_copy(update=limits)})


@st.composite
def conv_chips(draw):
    """An input, a convolution of any geometry, and a dense readout."""
    groups = draw(st.sampled_from([1, 2]))
    channels, out_channels = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 3))
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    kernel, stride, dilation = draw(pairs), draw(pairs), draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    padding = (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    size = tuple(d * (k - 1) + 1 + draw(st.integers(0, 4)) for d, k in zip(dilation, kernel, strict=True))
    source = Population("in", (channels, *size), "input", neuron((channels, *size)))
    geometry = ConvGeometry(stride, padding, dilation, groups)
    conv = Connection("in", "conv", zeros(out_channels, channels // groups, *kernel), 8, geometry)
    shape = output_shape(conv, source)
    n = int(np.prod(shape))
    populations = (
        source,
        Population("conv", shape, "hidden", neuron(shape)),
        Population("out", (3,), "readout", neuron((3,))),
    )
    return ChipNetwork(populations, (conv, Connection("conv", "out", zeros(3, n))), 4, "events", "count", "x", "")


def incidence(chip, connection):
    """Whether there is a synapse, shape (target size, source size), one tap at a time."""
    source, target = chip.by_name[connection.source], chip.by_name[connection.target]
    found = np.zeros((target.size, source.size), dtype=bool)
    if connection.conv is None:
        return ~found
    g, (outs, ins, *kernel) = connection.conv, connection.weight.shape
    for o, y, x, c, i, j in itertools.product(*map(range, (outs, *target.shape[1:], ins, *kernel))):
        channel = o // (outs // g.groups) * ins + c
        row, column = (
            out * s + tap * d - p
            for out, tap, s, d, p in zip((y, x), (i, j), g.stride, g.dilation, g.padding, strict=True)
        )
        if 0 <= row < source.shape[1] and 0 <= column < source.shape[2]:
            found[
                np.ravel_multi_index((o, y, x), target.shape),
                np.ravel_multi_index((channel, row, column), source.shape),
            ] = True
    return found


@st.composite
def cuts(draw, shape):
    """Ranges of the flat order, or boxes of channels, rows and columns."""
    if draw(st.booleans()):
        return ranges(int(np.prod(shape)), draw(st.integers(1, int(np.prod(shape)))))
    return boxes(shape, tuple(draw(st.integers(1, size)) for size in shape))


@settings(max_examples=50, deadline=None)
@given(st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5)).flatmap(cuts))
def test_blocks_hold_every_compartment_once(blocks):
    members = np.concatenate([block.members for block in blocks])
    assert sorted(members.tolist()) == list(range(sum(block.size for block in blocks)))
    assert all(np.all(np.diff(block.members) > 0) for block in blocks)


@settings(max_examples=80, deadline=None)
@given(conv_chips(), st.data())
def test_counts_are_those_of_brute_force(chip, data):
    connection = chip.connections[0]
    blocks = data.draw(cuts(chip.by_name["conv"].shape))
    synapses = incidence(chip, connection)
    expected = np.array([synapses[block.members].sum(0) for block in blocks])
    counts = count_synapses(chip, connection, blocks)
    dense = counts.counts.reshape(len(counts.counts), -1)[counts.kind][:, counts.of_source]
    assert np.array_equal(dense, expected)
    assert np.array_equal(dense.sum(0).reshape(chip.input.shape), fan_out(chip, connection))
    assert np.array_equal(counts.destinations, (expected > 0).sum(0))
    assert counts.messages == (expected > 0).sum()
    assert axons_in(connection, counts, shared=False).tolist() == [int((e > 0).sum()) for e in expected]
    pixels = (expected > 0).reshape(len(blocks), chip.input.shape[0], -1).any(axis=1).sum(1)
    assert axons_in(connection, counts, shared=True).tolist() == pixels.tolist()


@settings(max_examples=80, deadline=None)
@given(conv_chips(), st.data())
def test_shared_kernels_are_stored_once_for_each_pattern_of_taps(chip, data):
    """Two source pixels share a list where their taps on the block's rows and on its columns are the same."""
    connection, form = chip.connections[0], load_profile("loihi1-davies").limits.synapse_format
    channels, height, width = chip.by_name["conv"].shape
    blocks = boxes((channels, height, width), tuple(data.draw(st.integers(1, s)) for s in (channels, height, width)))
    geometry, kernel = connection.conv, connection.weight.shape[2:]

    def patterns(axis, positions, size):
        g, found = geometry, set()
        for i in range(size):
            taps = [(i + g.padding[axis] - o * g.stride[axis], g.dilation[axis]) for o in range(*positions)]
            found.add(tuple(t for t, d in taps if t % d == 0 and 0 <= t // d < kernel[axis]))
        return [len(p) for p in found if p]

    expected = []
    for block in blocks:
        rows = patterns(0, block.rows, chip.input.shape[1])
        columns = patterns(1, block.columns, chip.input.shape[2])
        held = block.channels[1] - block.channels[0]
        bits = 8 + next(b for b in form.index_bits if 2**b >= block.size)
        sizes = [chip.input.shape[0] * held // geometry.groups * r * c for r in rows for c in columns]
        expected.append(sum(n // 64 * -(-(64 * bits + 10) // 64) * 64 for n in sizes))
        expected[-1] += sum(-(-(n % 64 * bits + 10) // 64) * 64 for n in sizes if n % 64)
    found = synapse_bits(chip, connection, count_synapses(chip, connection, blocks), blocks, form)
    assert found.tolist() == expected


def sites_by_core(placement, population):
    return [(site.core, site.block.members) for site in placement.sites_of(population)]


@settings(max_examples=50, deadline=None)
@given(conv_chips(), st.integers(4, 20), st.sampled_from(["order", "connectivity"]))
def test_destinations_hops_and_output_axons_are_those_of_brute_force(chip, neurons, by):
    profile = with_limits(
        "loihi1-davies", neurons_per_core=neurons, cores=None, axons_out_per_core=10**9,
        mesh=Mesh(columns=5, rows=6, cores_per_tile=2),
    )  # fmt: skip
    placement = place(chip, profile, by=by)
    form = profile.limits.synapse_format
    total = 0
    for connection in chip.connections:
        synapses = incidence(chip, connection)
        source = chip.by_name[connection.source]
        destinations, hops_x, hops_y = (np.zeros(source.size, dtype=np.int64) for _ in range(3))
        slots = {core: 0 for core, _ in sites_by_core(placement, source.name)}
        pixels = int(np.prod(source.shape[1:])) if connection.conv else source.size
        pairs = itertools.product(sites_by_core(placement, source.name), sites_by_core(placement, connection.target))
        for (here, senders), (there, receivers) in pairs:
            reached = synapses[receivers][:, senders].any(axis=0)
            (x0, y0), (x1, y1) = placement.position(here), placement.position(there)
            destinations[senders] += reached
            hops_x[senders] += reached * abs(x0 - x1)
            hops_y[senders] += reached * abs(y0 - y1)
            axons = {int(i) % pixels for i in senders[reached]}
            slots[here] += len(axons) * (form.shared_axon_slots if connection.conv else 1)
        total += int(hops_x.sum() + hops_y.sum())
        assert placement.destinations(connection).reshape(-1).tolist() == destinations.tolist()
        assert placement.hops(connection, 0).reshape(-1).tolist() == hops_x.tolist()
        assert placement.hops(connection, 1).reshape(-1).tolist() == hops_y.tolist()
        used = {u.core: u.used for u in placement.fit if u.resource == "output axons" and u.population == source.name}
        assert used == slots
    assert placement.arrangement.hops in (total, None)
    if len(placement.sites) <= 60:
        assert placement.arrangement.hops == total <= placement.arrangement.hops_in_order


@settings(max_examples=30, deadline=None)
@given(conv_chips(), st.sampled_from(profile_names()))
def test_every_compartment_sits_on_exactly_one_core(chip, name):
    try:
        placement = place(chip, load_profile(name))
    except AnswerIsNo:  # a small core cannot hold every fan-in
        assume(False)
    for population in chip.populations:
        members = np.concatenate([site.block.members for site in placement.sites_of(population.name)])
        assert sorted(members.tolist()) == list(range(population.size))
    assert len({site.core for site in placement.sites}) == len(placement.sites) == placement.cores
    assert all(use.limit is None or use.used <= use.limit for use in placement.fit)


def test_dense_memory_is_the_published_formula():
    """784 sources x 130 synapses of 8 bits: blocks of 64, 64 and 2, each with 10 bits more, rounded up to words."""
    chip = dense_chip(784, 130, 10)
    form = load_profile("loihi1-davies").limits.synapse_format
    per_source = 2 * 576 + 64  # ceil64(64 x 8 + 10) = 576, ceil64(2 x 8 + 10) = 64
    connection = chip.connections[0]
    bits = synapse_bits(chip, connection, count_synapses(chip, connection, ranges(130, 1)), ranges(130, 1), form)
    assert bits.tolist() == [784 * per_source]


def test_shared_kernels_are_stored_once_for_each_border_pattern():
    """3x3, stride 1, padding 1 on 6x6: 3 row and 3 column patterns of 2, 3, 2 taps; 2 in and 4 out channels."""
    source = Population("in", (2, 6, 6), "input", neuron((2, 6, 6)))
    conv = Connection("in", "conv", zeros(4, 2, 3, 3), 8, ConvGeometry((1, 1), (1, 1)))
    populations = (
        source,
        Population("conv", (4, 6, 6), "hidden", neuron((4, 6, 6))),
        Population("out", (1,), "readout", neuron((1,))),
    )
    chip = ChipNetwork(populations, (conv, Connection("conv", "out", zeros(1, 144))), 1, "events", "count", "x", "")
    form = load_profile("loihi1-davies").limits.synapse_format
    sizes = [2 * 4 * rows * columns for rows in (2, 3, 2) for columns in (2, 3, 2)]
    sizes = sorted(set(sizes))  # the two borders of an axis differ in their taps but not in their number
    assert sizes == [32, 48, 72]

    def list_bits(n):  # 8 weight bits and 8 index bits (144 compartments)
        return n // 64 * 1088 + (-(-(n % 64 * 16 + 10) // 64) * 64 if n % 64 else 0)

    expected = 4 * list_bits(32) + 4 * list_bits(48) + list_bits(72)
    counts = count_synapses(chip, conv, ranges(144, 1))
    assert synapse_bits(chip, conv, counts, ranges(144, 1), form).tolist() == [expected]
    unshared = form.model_copy(update={"shared_kernels": False})
    each = sum(list_bits(int(n)) for n in fan_out(chip, conv).reshape(-1))
    assert synapse_bits(chip, conv, counts, ranges(144, 1), unshared).tolist() == [each]


def test_a_population_is_cut_no_more_than_its_limits_ask():
    placement = place(dense_chip(100, 2000, 10), load_profile("loihi1-davies"))
    assert [site.block.columns for site in placement.sites_of("h1")] == [(0, 1000), (1000, 2000)]
    assert placement.sites_of("in") == ()
    assert [site.core for site in placement.sites_of("out")] == [2]


def test_synapse_memory_cuts_and_binds():
    placement = place(dense_chip(1000, 1000, 10), load_profile("loihi1-davies"))
    assert placement.binding.resource == "synapse memory"
    assert placement.binding.population == "h1"
    assert {u.resource for u in placement.worst} == {
        "neurons", "input axons", "output axons", "synapse memory", "cores",
    }  # fmt: skip


def test_hops_of_injected_events_are_not_known():
    placement = place(dense_chip(4, 3, 2), load_profile("loihi1-davies"))
    first, second = placement.chip.connections
    assert placement.hops(first, 0) is None
    assert placement.destinations(first).tolist() == [1, 1, 1, 1]
    assert placement.hops(second, 0).tolist() == [0, 0, 0]


def test_a_convention_without_limits_takes_anything():
    placement = place(dense_chip(10_000, 10_000, 10), load_profile("cmos45"))
    assert placement.binding is None
    assert placement.cores == 2


@pytest.mark.parametrize(
    ("sizes", "limits", "sentence"),
    [
        (
            (5000, 10, 4),
            {},
            "loihi1-davies: 'h1' does not fit: even on 10 cores, one of them needs 5000 input axons and has "
            "4096; fewer sources (fewer channels, a larger stride, more pooling) would make it fit",
        ),
        (
            (10, 200_000, 4),
            {"axons_in_per_core": None, "axons_out_per_core": None, "synapse_bits_per_core": None},
            "loihi1-davies: 'h1' does not fit: its 200000 neurons need 196 cores and there are 128; it would fit on 2 "
            "chips or with 65% of the channels and neurons of its hidden layers",
        ),
        (
            (10, 100, 10),
            {"fan_in": 99},
            "loihi1-davies: 'out' does not fit: even on 10 cores, one of them needs 100 synapses for one neuron "
            "and has 99; it would fit with 99% of the channels and neurons of its hidden layers",
        ),
        (
            (10, 20, 30),
            {"axons_out_per_core": 2, "neurons_per_core": 10},
            "loihi1-davies: 'h1' does not fit: even on 20 cores, one of them needs 3 output axons and has 2; "
            "fewer targets (a narrower next layer) would make it fit",
        ),
        (
            (100, 50, 10),
            {"synapse_bits_per_core": 6300},
            "loihi1-davies: 'h1' does not fit: even on 50 cores, one of them needs 6400 bits of synapse memory "
            "and has 6300; fewer or narrower synapses (fewer sources, smaller kernels, fewer bits) would make it fit",
        ),
        (
            (10, 60, 60, 10),
            {"neurons_per_core": 10, "cores": 8},
            "loihi1-davies: the network does not fit: it needs 13 cores and there are 8; 'h1' takes 6 of them, bound "
            "by neurons (10 of 10 on its fullest core); it would fit on 2 chips or with 51% of the channels and "
            "neurons of its hidden layers",
        ),
    ],
)
def test_refusals_name_the_binding_resource_and_the_way_out(sizes, limits, sentence):
    with pytest.raises(AnswerIsNo) as caught:
        place(dense_chip(*sizes), with_limits("loihi1-davies", **limits))
    assert str(caught.value) == sentence
    assert caught.value.exit_code == 1


def test_output_axons_are_counted_for_each_destination_core():
    chip = dense_chip(10, 20, 30)
    placement = place(chip, with_limits("loihi1-davies", neurons_per_core=10))
    used = [u.used for u in placement.fit if u.resource == "output axons" and u.population == "h1"]
    assert used == [10 * 3, 10 * 3]
    counts = count_synapses(chip, chip.connections[1], ranges(30, 3))
    assert axons_out(chip.connections[1], counts, ranges(20, 4), None).tolist() == [15, 15, 15, 15]
