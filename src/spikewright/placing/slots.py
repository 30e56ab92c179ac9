"""Chip and slot of every core: messages between chips first, then hops within each chip, never more than in order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..base.types import IntArray
from ..profile.schema import Limits
from .arrange import Ground, arrange
from .seating import Seating
from .traffic import Traffic

MOST_SEARCHED = 4096
"""Cores that are searched over at once; more are left in order, since the search needs room for every pair."""


@dataclass(frozen=True, eq=False)
class Slots:
    """Where every core lies.

    Attributes:
        chip_of, slot_of: of each core; a slot is a core's place on the mesh of its chip.
        hops: tile borders that messages within chips cross; ``hops_in_order`` with the cores of each chip in order.
            None where no mesh is known.
        cut: by connection, messages between chips and all messages; ``cut_in_order`` messages between chips if the
            cores filled them in order.
    """

    chip_of: IntArray
    slot_of: IntArray
    hops: int | None
    hops_in_order: int | None
    cut: dict[str, tuple[int, int]]
    cut_in_order: int


def slots_of(traffic: Traffic, seating: Seating, limits: Limits, seed: int | None) -> Slots:
    """Lay out cores; ``seed`` None leaves them in order."""
    cores = np.arange(seating.cores)
    each = limits.cores or seating.cores
    in_order = cores // each
    chip_of = in_order
    if seating.chips > 1 and seed is not None and seating.cores <= MOST_SEARCHED:
        chip_of = arrange(traffic.between(cores), Ground.of_chips(seating.chips, each), seed) // each
    slot_of, hops, before = np.zeros_like(cores), 0, 0
    has_mesh = limits.mesh is not None and min(each, seating.cores) <= limits.mesh.cores
    for chip in range(seating.chips):
        here = cores[chip_of == chip]
        slot_of[here] = np.arange(len(here))
        if has_mesh:
            slot_of[here], least, first = _on_mesh(traffic, here, limits, seed)
            hops, before = hops + least, before + first
    return Slots(
        chip_of=chip_of,
        slot_of=slot_of,
        hops=hops if has_mesh else None,
        hops_in_order=before if has_mesh else None,
        cut={flow.name: flow.crossing(chip_of) for flow in traffic.flows},
        cut_in_order=sum(flow.crossing(in_order)[0] for flow in traffic.flows),
    )


def _on_mesh(traffic: Traffic, cores: IntArray, limits: Limits, seed: int | None) -> tuple[IntArray, int, int]:
    """Slots of the cores of one chip, their hops, and the hops in order."""
    assert limits.mesh is not None
    ground = Ground.of_mesh(limits.mesh, min(limits.cores or limits.mesh.cores, limits.mesh.cores))
    between = traffic.between(cores)
    slots = in_order = np.arange(len(cores))
    if seed is not None and len(cores) <= MOST_SEARCHED:
        slots = arrange(between, ground, seed)
    return slots, ground.cost(between, slots), ground.cost(between, in_order)
