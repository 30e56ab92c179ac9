"""Where the items of layers lie: their order is kept, none touches another, and edges are as straight as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .layers import Layers

ALONE, SETTLING, MOST_STEPS = 16, 300, 1_000_000
"""How often layers are gone through with neighbours of one side, and then with those of both; the second number is
smaller where it would take more steps than the third, one for each item of a layer."""
SETTLED = 0.02
"""Pixels; where nothing moves farther, the places are found."""
BETWEEN = 26.0
"""Pixels between two items of a layer, at least."""


def across(layers: Layers, width: Mapping[str, float]) -> dict[str, float]:
    """The middle of every item, in pixels from the left edge of the leftmost.

    Args:
        width: of each item.
    """
    x: dict[str, float] = {}
    for row in layers.rows:
        left = 0.0
        for item in row:
            x[item] = left + width[item] / 2
            left += width[item] + BETWEEN
        for item in row:
            x[item] -= (left - BETWEEN) / 2
    for sweep in range(ALONE + min(SETTLING, MOST_STEPS // max(1, len(x)))):
        downwards, both, moved = sweep % 2 == 0, sweep >= ALONE, 0.0
        for row in layers.rows if downwards else reversed(layers.rows):
            wanted, weights = [], []
            for item in row:
                above = layers.above(item) if downwards or both else ()
                near = [*above, *(layers.below(item) if both or not downwards else ())]
                pulls = [layers.pull(item, each) for each in near]
                whole = sum(pulls)
                wanted.append(sum(p * x[n] for p, n in zip(pulls, near, strict=True)) / whole if near else x[item])
                weights.append(whole or 1.0)
            for item, place in zip(row, _apart(wanted, weights, [width[item] for item in row]), strict=True):
                moved = max(moved, abs(x[item] - place))
                x[item] = place
        if both and moved < SETTLED:
            break
    left = min((x[item] - width[item] / 2 for item in x), default=0.0)
    return {item: place - left for item, place in x.items()}


def _apart(wanted: Sequence[float], weights: Sequence[float], widths: Sequence[float]) -> list[float]:
    """The places nearest to those wanted, by weighted squares, at which nothing overlaps and the order is kept.

    Without the widths that come before each it is an isotonic regression, which pooling adjacent violators solves.
    """
    before, sum_before = [], 0.0
    for width in widths:
        before.append(sum_before + width / 2)
        sum_before += width + BETWEEN
    pools: list[tuple[float, float, int]] = []  # mean, weight, how many
    for want, weight, offset in zip(wanted, weights, before, strict=True):
        pools.append((want - offset, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            mean, mass, count = pools.pop()
            other, other_mass, other_count = pools.pop()
            whole = mass + other_mass
            pools.append(((mean * mass + other * other_mass) / whole, whole, count + other_count))
    flat = [mean for mean, _, count in pools for _ in range(count)]
    return [place + offset for place, offset in zip(flat, before, strict=True)]
