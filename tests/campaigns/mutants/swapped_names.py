"""A mutation that Cosmic Ray does not have: a function is exchanged for its counterpart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cosmic_ray.operators.operator import Example, Operator
from parso.python.tree import Name

PAIRS = (
    ("sum", "mean"),
    ("min", "max"),
    ("minimum", "maximum"),
    ("amin", "amax"),
    ("argmin", "argmax"),
    ("any", "all"),
    ("floor", "ceil"),
    ("zeros", "ones"),
    ("zeros_like", "ones_like"),
    ("clamp_min", "clamp_max"),
)
OTHER = {**dict(PAIRS), **{other: one for one, other in PAIRS}, "round": "int"}
"""By name, the one that takes its place. ``int`` stays: mostly it is given whole numbers."""


class SwappedNames(Operator):
    """Replaces ``sum`` by ``mean``, ``min`` by ``max`` and so on, where they are called."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        if isinstance(node, Name) and node.value in OTHER:
            following = node.get_next_leaf()
            if following is not None and following.value == "(" and node.parent.type != "funcdef":
                yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        assert index == 0
        return Name(OTHER[node.value], node.start_pos, node.prefix)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example("x.sum()", "x.mean()"), Example("min(a, b)", "max(a, b)"))
