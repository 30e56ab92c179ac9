"""The search for short routes: against brute force, never worse than in order, and the same for the same seed."""

from __future__ import annotations

import itertools
import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spikewright.placing.search import Topology, greedy, improve, search
from spikewright.profile.schema import Mesh


@st.composite
def topologies(draw, most=24):
    """A mesh, perhaps with cores that may not be used, or chips."""
    if draw(st.booleans()):
        return Topology.of_chips(draw(st.integers(1, 4)), draw(st.integers(1, 6)))
    sizes = st.integers(1, 4)
    mesh = Mesh(columns=draw(sizes), rows=draw(sizes), cores_per_tile=draw(st.integers(1, 3)))
    return Topology.of_mesh(mesh, min(most, mesh.cores))


@st.composite
def problems(draw, most=24):
    """A topology and messages between as many cores as it has slots, or fewer."""
    topology = draw(topologies(most))
    cores = draw(st.integers(1, min(topology.slots, most)))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sent = np.triu(generator.integers(0, 50, (cores, cores)) * (generator.random((cores, cores)) < 0.6), 1)
    return topology, (sent + sent.T).astype(np.float64)


def cost_by_hand(traffic, topology, slots):
    total = 0
    for i, j in itertools.combinations(range(len(traffic)), 2):
        for x, distance in zip(topology.coordinates, topology.distances, strict=True):
            total += traffic[i, j] * distance[x[slots[i]], x[slots[j]]]
    return total


def test_the_distance_on_a_mesh_is_the_borders_of_tiles():
    """Tile i is at column i // rows, row i % rows: on 3 x 2 tiles of 2 cores, slot 0 and slot 11 lie 2 + 1 apart."""
    topology = Topology.of_mesh(Mesh(columns=3, rows=2, cores_per_tile=2), 12)
    pair = np.array([[0.0, 7.0], [7.0, 0.0]])
    assert topology.cost(pair, np.array([0, 11])) == 7 * 3
    assert topology.cost(pair, np.array([2, 3])) == 0
    assert Topology.of_chips(3, 4).cost(pair, np.array([3, 4])) == 7
    assert Topology.of_chips(3, 4).cost(pair, np.array([0, 11])) == 7


def test_a_chain_in_the_wrong_order_is_straightened():
    """0 - 2 - 1 - 3 in a row of four: in order it costs 2 + 1 + 2, as a chain 3."""
    traffic = np.zeros((4, 4))
    for a, b in ((0, 2), (2, 1), (1, 3)):
        traffic[a, b] = traffic[b, a] = 1
    topology = Topology.of_mesh(Mesh(columns=4, rows=1, cores_per_tile=1), 4)
    assert topology.cost(traffic, np.arange(4)) == 5
    assert topology.cost(traffic, search(traffic, topology, 0)) == 3


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 5))
def test_a_search_keeps_the_slots_apart_and_never_makes_it_worse(problem, seed):
    topology, traffic = problem
    found = search(traffic, topology, seed)
    assert len(set(found.tolist())) == len(traffic)
    assert 0 <= found.min() <= found.max() < topology.slots
    assert topology.cost(traffic, found) == cost_by_hand(traffic, topology, found)
    assert topology.cost(traffic, found) <= topology.cost(traffic, np.arange(len(traffic)))
    assert found.tolist() == search(traffic, topology, seed).tolist()


@settings(max_examples=60, deadline=None)
@given(problems(), st.integers(0, 5))
def test_improving_any_start_ends_where_no_swap_and_no_move_helps(problem, seed):
    topology, traffic = problem
    shuffler = random.Random(seed)
    for start in (greedy(traffic, topology), np.array(shuffler.sample(range(topology.slots), len(traffic)))):
        assert len(set(start.tolist())) == len(traffic)
        found = improve(traffic, topology, start, shuffler)
        least = topology.cost(traffic, found)
        assert least <= topology.cost(traffic, start)
        for core, slot in itertools.product(range(len(traffic)), range(topology.slots)):
            other = np.where(found == slot, found[core], found)
            other[core] = slot
            assert topology.cost(traffic, other) >= least


@settings(max_examples=40, deadline=None)
@given(problems(most=6))
def test_small_networks_are_near_the_best_that_there_is(problem):
    topology, traffic = problem
    if topology.slots > 7:
        topology = Topology(tuple(x[:7] for x in topology.coordinates), topology.distances)
    places = itertools.permutations(range(topology.slots), len(traffic))
    best = min(topology.cost(traffic, np.array(slots)) for slots in places)
    assert topology.cost(traffic, search(traffic, topology, 0)) <= 1.25 * best


def test_seeds_lead_to_different_searches():
    """Sixteen cores that all send to all with random weights have many arrangements from which no swap helps."""
    generator = np.random.default_rng(0)
    sent = np.triu(generator.integers(0, 1000, (16, 16)), 1)
    traffic = (sent + sent.T).astype(np.float64)
    topology = Topology.of_mesh(Mesh(columns=4, rows=4, cores_per_tile=1), 16)
    assert len({tuple(search(traffic, topology, seed).tolist()) for seed in range(4)}) > 1
