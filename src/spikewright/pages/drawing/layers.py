"""Nodes of a graph in layers, in an order with few crossings: which layer, and where in it.

Layers are those of the longest way from a source; an edge that would point backwards is turned around for the layout
alone. Between two layers of nodes lies one of labels, and an edge over several layers gets a bend in each. The order
within layers follows barycentres of neighbours, up and down by turns, and the best of all is kept. Source: Sugiyama,
Tagawa and Toda 1981, https://doi.org/10.1109/TSMC.1981.4308636.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 12
SHORTEST = 3
"""Items of an edge between neighbouring layers: a node, a label, a node."""
SHORT, LONG, INNER = 4.0, 0.3, 16.0
"""How much the parts of edges count where they are made straight: of an edge between neighbouring layers, the ends of a
longer one, which lead away from the others, and what lies between them."""


@dataclass(frozen=True)
class Way:
    """One edge as it goes through the layers.

    Attributes:
        edge: its number in the graph.
        items: what it passes, from the upper end to the lower: the node, labels and bends, the node.
        is_turned: whether the edge points upwards.
    """

    edge: int
    items: tuple[str, ...]
    is_turned: bool


@dataclass(frozen=True, eq=False)
class Layers:
    """A graph in layers.

    Attributes:
        rows: items of each layer, from left to right; even layers hold nodes.
        ways: of all edges but those of a node with itself.
    """

    rows: list[list[str]]
    ways: tuple[Way, ...]
    _above: dict[str, list[str]] = field(default_factory=dict)
    _below: dict[str, list[str]] = field(default_factory=dict)
    _pulls: dict[tuple[str, str], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for way in self.ways:
            for upper, lower in pairwise(way.items):
                self._below.setdefault(upper, []).append(lower)
                self._above.setdefault(lower, []).append(upper)
                is_end = upper == way.items[0] or lower == way.items[-1]
                pull = SHORT if len(way.items) == SHORTEST else LONG if is_end else INNER
                self._pulls[upper, lower] = self._pulls[lower, upper] = pull

    def above(self, item: str) -> Sequence[str]:
        """Neighbours of an item in the layer above it."""
        return self._above.get(item, ())

    def below(self, item: str) -> Sequence[str]:
        """Neighbours of an item in the layer below it."""
        return self._below.get(item, ())

    def pull(self, item: str, other: str) -> float:
        """How much the edge between two items of neighbouring layers counts where it is made straight."""
        return self._pulls[item, other]

    def crossings(self) -> int:
        """How often edges cross."""
        return sum(self._between(upper, lower) for upper, lower in pairwise(self.rows))

    def _between(self, upper: Sequence[str], lower: Sequence[str]) -> int:
        place = {item: index for index, item in enumerate(lower)}
        seen: list[int] = []
        found = 0
        for item in upper:
            ends = sorted(place[each] for each in self.below(item))
            for end in ends:
                found += len(seen) - bisect_left(seen, end + 1)
            for end in ends:
                insort(seen, end)
        return found


def in_layers(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> Layers:
    """The layers of a graph.

    Args:
        nodes: unique names, in an order in which edges point forward where they can.
        edges: pairs of source and target.
    """
    turned = _closing(nodes, edges)
    down = {
        index: (target, source) if index in turned else (source, target)
        for index, (source, target) in enumerate(edges)
        if source != target
    }
    depth = _depths(nodes, list(down.values()))
    rows: list[list[str]] = [[] for _ in range(2 * max(depth.values(), default=0) + 1)]
    for name in nodes:
        rows[2 * depth[name]].append(f"node {name}")
    ways = []
    for index, (upper, lower) in down.items():
        first, last = 2 * depth[upper], 2 * depth[lower]
        label = first + 2 * ((last - first - 1) // 4) + 1  # the odd layer nearest to the middle
        between = []
        for layer in range(first + 1, last):
            item = f"{'label' if layer == label else 'bend'} {index} {layer}"
            rows[layer].append(item)
            between.append(item)
        ways.append(Way(index, (f"node {upper}", *between, f"node {lower}"), index in turned))
    found = Layers(rows, tuple(ways))
    _order(found)
    return found


def _closing(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> set[int]:
    """Edges that close circles, found depth first in the order of the nodes."""
    after: dict[str, list[tuple[str, int]]] = {name: [] for name in nodes}
    for index, (source, target) in enumerate(edges):
        if source != target:
            after[source].append((target, index))
    found: set[int] = set()
    state: dict[str, int] = {}  # 1: on the path, 2: done
    for start in nodes:
        if start in state:
            continue
        state[start], todo = 1, [(start, iter(after[start]))]
        while todo:
            name, rest = todo[-1]
            step = next(rest, None)
            if step is None:
                state[name] = 2
                todo.pop()
            elif state.get(step[0]) == 1:
                found.add(step[1])
            elif step[0] not in state:
                state[step[0]] = 1
                todo.append((step[0], iter(after[step[0]])))
    return found


def _depths(nodes: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each node; a source that could stand lower stands right above what it feeds."""
    into: dict[str, list[str]] = {name: [] for name in nodes}
    out_of: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        into[target].append(source)
        out_of[source].append(target)
    left = {name: len(into[name]) for name in nodes}
    order = [name for name in nodes if not left[name]]
    for name in order:
        for target in out_of[name]:
            left[target] -= 1
            if not left[target]:
                order.append(target)
    depth: dict[str, int] = {}
    for name in order:
        depth[name] = max((depth[source] + 1 for source in into[name]), default=0)
    for name in order:
        if not into[name] and out_of[name]:
            depth[name] = min(depth[target] for target in out_of[name]) - 1
    return depth


def _order(layers: Layers) -> None:
    """Bring the items of each layer into an order with few crossings."""
    best, least = [list(row) for row in layers.rows], layers.crossings()
    for sweep in range(SWEEPS):
        if not least:
            break
        downwards = sweep % 2 == 0
        places = range(1, len(layers.rows)) if downwards else range(len(layers.rows) - 2, -1, -1)
        for layer in places:
            fixed = layers.rows[layer - 1 if downwards else layer + 1]
            place = {item: index for index, item in enumerate(fixed)}
            row = layers.rows[layer]
            row.sort(key=_barycentres(row, layers.above if downwards else layers.below, place).__getitem__)
        if (found := layers.crossings()) < least:
            best, least = [list(row) for row in layers.rows], found
    layers.rows[:] = best


def _barycentres(
    row: Sequence[str], neighbours: Callable[[str], Sequence[str]], place: Mapping[str, int]
) -> dict[str, float]:
    """By item, the mean place of its neighbours; its own place where it has none."""
    found = {}
    for index, item in enumerate(row):
        near = [place[each] for each in neighbours(item)]
        found[item] = sum(near) / len(near) if near else float(index)
    return found
