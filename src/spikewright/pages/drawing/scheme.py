"""What a picture of a network shows, whatever kind of network it is of: boxes, arrows, and a title."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ...base.errors import InputError

Kind = Literal["input", "neurons", "readout", "linear", "added"]
"""Of a box: the input, neurons, those that are read, a linear map or an end, and what lowering added."""
MOST_BOXES = 1_000
TOLD = 40
"""Boxes that the words of a picture name."""


@dataclass(frozen=True)
class Box:
    """A node or a population.

    Attributes:
        name: unique in the scheme.
        lines: below the name, what it is.
        share: spikes of a neuron in a step, 0..1, which a bar shows; None where there is none to show.
        fires: False for neurons that only integrate.
        size: how many neurons or inputs it has, of which spikes may be counted; None where it has none of its own.
    """

    name: str
    kind: Kind
    lines: tuple[str, ...] = ()
    share: float | None = None
    fires: bool = True
    size: int | None = None


@dataclass(frozen=True)
class Arrow:
    """A connection or an edge.

    Attributes:
        lines: beside it, what it is.
        is_late: whether what it brings arrives a timestep later than along others, as in a loop.
        weight: its share of the largest traffic of all arrows, 0..1; None where none was counted.
    """

    source: str
    target: str
    lines: tuple[str, ...] = ()
    is_late: bool = False
    weight: float | None = None


@dataclass(frozen=True)
class Scheme:
    """A network as it is drawn.

    Attributes:
        boxes: in an order in which arrows that are not late point forward where they can.
        remarks: what could not be shown, or is drawn otherwise than it stands in a file, as sentences.

    Raises:
        InputError: too many boxes for a picture.
    """

    title: str
    subtitle: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.boxes) > MOST_BOXES:
            raise InputError(
                f"{self.title}: has {len(self.boxes):,} nodes, and a picture of more than {MOST_BOXES:,} shows "
                "nothing; draw a smaller network"
            )

    @property
    def words(self) -> str:
        """The picture in a sentence, for those who do not see it."""
        return f"{self.title}: {'; '.join(self._chain())}."

    def _chain(self) -> Iterator[str]:
        for box in self.boxes[:TOLD]:
            to = [arrow.target for arrow in self.arrows if arrow.source == box.name]
            yield f"{box.name} to {', '.join(to)}" if to else box.name
        if len(self.boxes) > TOLD:
            yield f"and {len(self.boxes) - TOLD} more"
