"""Placement against brute force on small networks, against arithmetic by hand, and its refusals."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.chip import ChipNetwork, Connection, ConvGeometry, Neuron, Population, output_shape
from spikewright.deploy.fan_out import fan_out
from spikewright.deploy.occupancy import axons_in, axons_out, synapse_bits, synapses_into
from spikewright.deploy.placement import place
from spikewright.errors import AnswerIsNo
from spikewright.hardware_profiles.profile import load_profile, profile_names
from spikewright.hardware_profiles.schema import Mesh


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


@settings(max_examples=50, deadline=None)
@given(conv_chips(), st.data())
def test_counts_are_those_of_brute_force(chip, data):
    connection = chip.connections[0]
    size = chip.by_name["conv"].size
    cuts = sorted(data.draw(st.sets(st.integers(1, max(size - 1, 1)), max_size=4)) | {0, size})
    blocks = list(itertools.pairwise(cuts))
    synapses = incidence(chip, connection)
    expected = np.array([synapses[a:b].sum(0) for a, b in blocks]).reshape(len(blocks), *chip.input.shape)
    counts = synapses_into(chip, connection, blocks)
    assert np.array_equal(counts, expected)
    assert np.array_equal(counts.sum(0), fan_out(chip, connection))
    assert axons_in(connection, counts > 0, shared=False).tolist() == [int((e > 0).sum()) for e in expected]
    pixels = (expected > 0).any(axis=1).reshape(len(blocks), -1).sum(1)
    assert axons_in(connection, counts > 0, shared=True).tolist() == pixels.tolist()


@settings(max_examples=50, deadline=None)
@given(conv_chips(), st.integers(1, 20), st.integers(1, 30))
def test_destinations_hops_and_output_axons_are_those_of_brute_force(chip, source_core, target_core):
    profile = with_limits(
        "loihi1-davies", neurons_per_core=max(source_core, target_core), cores=None, axons_out_per_core=10**9,
        mesh=Mesh(columns=5, rows=3, cores_per_tile=2),
    )  # fmt: skip
    placement = place(chip, profile)
    form = profile.limits.synapse_format
    for connection in chip.connections:
        synapses = incidence(chip, connection)
        source, target = chip.by_name[connection.source], chip.by_name[connection.target]
        destinations, hops_x, hops_y = (np.zeros(source.size, dtype=np.int64) for _ in range(3))
        slots = {core.index: 0 for core in placement.cores_of(source.name)}
        pixels = int(np.prod(source.shape[1:])) if connection.conv else source.size
        for here, there in itertools.product(placement.cores_of(source.name), placement.cores_of(target.name)):
            reached = synapses[there.start : there.stop, here.start : here.stop].any(axis=0)
            (x0, y0), (x1, y1) = placement.position(here.index), placement.position(there.index)
            destinations[here.start : here.stop] += reached
            hops_x[here.start : here.stop] += reached * abs(x0 - x1)
            hops_y[here.start : here.stop] += reached * abs(y0 - y1)
            axons = {(here.start + int(i)) % pixels for i in np.flatnonzero(reached)}
            slots[here.index] += len(axons) * (form.shared_axon_slots if connection.conv else 1)
        assert placement.destinations(connection).reshape(-1).tolist() == destinations.tolist()
        assert placement.hops_x(connection).reshape(-1).tolist() == hops_x.tolist()
        assert placement.hops_y(connection).reshape(-1).tolist() == hops_y.tolist()
        used = {u.core: u.used for u in placement.fit if u.resource == "output axons" and u.population == source.name}
        assert used == slots


@settings(max_examples=30, deadline=None)
@given(conv_chips(), st.sampled_from(profile_names()))
def test_every_compartment_sits_on_exactly_one_core(chip, name):
    placement = place(chip, load_profile(name))
    for population in chip.populations:
        ranges = [(core.start, core.stop) for core in placement.cores_of(population.name)]
        assert ranges[0][0] == 0
        assert ranges[-1][1] == population.size
        assert all(a[1] == b[0] for a, b in itertools.pairwise(ranges))
    assert [core.index for core in placement.cores] == list(range(len(placement.cores)))
    assert all(use.fits for use in placement.fit)


def test_dense_memory_is_the_published_formula():
    """784 sources x 130 synapses of 8 bits: blocks of 64, 64 and 2, each with 10 bits more, rounded up to words."""
    chip = dense_chip(784, 130, 10)
    form = load_profile("loihi1-davies").limits.synapse_format
    per_source = 2 * 576 + 64  # ceil64(64 x 8 + 10) = 576, ceil64(2 x 8 + 10) = 64
    connection = chip.connections[0]
    bits = synapse_bits(chip, connection, synapses_into(chip, connection, [(0, 130)]), [(0, 130)], form)
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
    counts = synapses_into(chip, conv, [(0, 144)])
    assert synapse_bits(chip, conv, counts, [(0, 144)], form).tolist() == [expected]
    unshared = form.model_copy(update={"shared_kernels": False})
    each = sum(list_bits(int(n)) for n in fan_out(chip, conv).reshape(-1))
    assert synapse_bits(chip, conv, counts, [(0, 144)], unshared).tolist() == [each]


def test_a_population_is_cut_no_more_than_its_limits_ask():
    placement = place(dense_chip(100, 2000, 10), load_profile("loihi1-davies"))
    assert [(c.start, c.stop) for c in placement.cores_of("h1")] == [(0, 1000), (1000, 2000)]
    assert placement.cores_of("in") == ()
    assert [c.index for c in placement.cores_of("out")] == [2]


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
    assert placement.hops_x(first) is None
    assert placement.destinations(first).tolist() == [1, 1, 1, 1]
    assert placement.hops_x(second).tolist() == [0, 0, 0]


def test_a_convention_without_limits_takes_anything():
    placement = place(dense_chip(10_000, 10_000, 10), load_profile("cmos45"))
    assert placement.binding is None
    assert len(placement.cores) == 2


@pytest.mark.parametrize(
    ("sizes", "limits", "sentence"),
    [
        (
            (5000, 10, 4),
            {},
            "loihi1-davies: 'h1' does not fit: even cut over 10 cores, one of them needs 5000 input axons and holds "
            "4096; fewer sources (fewer channels, a larger stride, more pooling) would make it fit",
        ),
        (
            (10, 200_000, 4),
            {"axons_in_per_core": None, "axons_out_per_core": None, "synapse_bits_per_core": None},
            "loihi1-davies: 'h1' does not fit: its 200000 neurons need 196 cores and there are 128; a smaller network "
            "(narrower layers, more pooling) would make it fit",
        ),
        (
            (10, 100, 10),
            {"fan_in": 99},
            "loihi1-davies: 'out' does not fit: even cut over 10 cores, one of them needs 100 synapses for one neuron "
            "and holds 99; fewer sources for each neuron would make it fit",
        ),
        (
            (10, 20, 30),
            {"axons_out_per_core": 2, "neurons_per_core": 10},
            "loihi1-davies: 'h1' does not fit: even cut over 20 cores, one of them needs 3 output axons and holds 2; "
            "fewer targets (a narrower next layer) would make it fit",
        ),
        (
            (100, 50, 10),
            {"synapse_bits_per_core": 6300},
            "loihi1-davies: 'h1' does not fit: even cut over 50 cores, one of them needs 6400 bits of synapse memory "
            "and holds 6300; fewer or narrower synapses (fewer sources, smaller kernels, fewer bits) would make it fit",
        ),
        (
            (10, 60, 60, 10),
            {"neurons_per_core": 10, "cores": 8},
            "loihi1-davies: the network does not fit: it needs 13 cores and there are 8; 'h1' takes 6 of them, bound "
            "by neurons (10 of 10 on its fullest core); a smaller network (narrower layers, more pooling) would "
            "make it fit",
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
    assert axons_out(chip.connections[1], np.ones((3, 20), dtype=bool), [(0, 5), (5, 20)], None).tolist() == [15, 45]
