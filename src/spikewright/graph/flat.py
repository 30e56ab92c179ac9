"""A NIR graph without graphs inside it, while it is resolved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import nir

from .shapes import Edge


class Connected:
    """What nodes feed which."""

    edges: Sequence[Edge]

    def into(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that feed ``name``."""
        return tuple(source for source, target in self.edges if target == name)

    def out_of(self, name: str) -> tuple[str, ...]:
        """Names of the nodes that ``name`` feeds."""
        return tuple(target for source, target in self.edges if source == name)


@dataclass
class Flat(Connected):
    """Nodes and edges that are changed as they are resolved, and what is said about them.

    Attributes:
        nodes: by dotted name.
        faults: messages that name the node or edge.
        assumed: assumptions that were made, as messages for the user.
    """

    nodes: dict[str, nir.NIRNode]
    edges: list[Edge]
    faults: list[str] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
