"""Which compartments sit on which core, what each core then holds, and how far spikes travel.

Populations are cut into blocks (``partition``), blocks get cores (``seating``), and cores get slots on the meshes of
chips (``slots``). Input populations whose events are injected ready-made take no core: their axons count where they
arrive, their way to the chip is not modelled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from ..base.errors import AnswerIsNo, refuse
from ..base.types import FloatArray, IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork, Connection
from ..profile.schema import HardwareProfile
from .blocks import Block
from .partition import DoesNotFit, Plan, partition
from .remedies import what_would_fit
from .seating import Seating, Use, seat, uses_of_cores
from .slots import Slots, slots_of
from .traffic import Traffic
from .visits import Visits, visits

__all__ = ["PLACE_BY", "Arrangement", "PlaceBy", "Placement", "Site", "Use", "place"]

PlaceBy = Literal["connectivity", "spikes", "order"]
PLACE_BY: tuple[PlaceBy, ...] = get_args(PlaceBy)


@dataclass(frozen=True)
class Site:
    """A block of one population on core ``core`` of chip ``chip``; a core's number is its slot on the mesh."""

    core: int
    population: str
    block: Block
    chip: int = 0


@dataclass(frozen=True)
class Arrangement:
    """How the cores of a placement were laid out, and what that saved.

    Attributes:
        by: how the search weighed messages: each source spiking once, measured spikes; ``order`` without a search.
        hops: tile borders that messages within chips cross, weighed so, and ``hops_in_order`` with the cores of each
            chip in the network's order; None where no mesh is known.
        cut: by connection between cores, messages between chips and all messages, weighed so.
        cut_in_order: messages between chips if the cores had filled them in order.
        shared_cores: whether some core holds more than one population.
    """

    by: PlaceBy = "order"
    seed: int = 0
    chips: int = 1
    hops: int | None = None
    hops_in_order: int | None = None
    cut: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    cut_in_order: int = 0
    shared_cores: bool = False

    @property
    def messages(self) -> int:
        """Messages between cores, weighed as the search did."""
        return sum(all_of_them for _, all_of_them in self.cut.values())

    @property
    def between_chips(self) -> int:
        """Those of them that leave a chip."""
        return sum(crossing for crossing, _ in self.cut.values())


@dataclass(frozen=True, eq=False)
class Placement:
    """A chip network on the cores of one profile.

    Attributes:
        sites: in the network's order; an input population without neurons has none.
        fit: what each core uses of each resource, then the number of cores.
        seen: by connection, which sources reach which block.
    """

    chip: ChipNetwork
    profile: HardwareProfile
    sites: tuple[Site, ...]
    fit: tuple[Use, ...]
    arrangement: Arrangement = Arrangement()
    seen: dict[str, Visits] = field(default_factory=dict, repr=False)

    @property
    def binding(self) -> Use | None:
        """The use that is nearest to its limit; None where the profile has no limits."""
        limited = [use for use in self.fit if use.limit is not None]
        return max(limited, key=lambda use: use.share, default=None)

    @cached_property
    def worst(self) -> tuple[Use, ...]:
        """For each resource, the fullest core."""
        worst: dict[str, Use] = {}
        for use in self.fit:
            if use.resource not in worst or use.used > worst[use.resource].used:
                worst[use.resource] = use
        return tuple(worst.values())

    @cached_property
    def cores(self) -> int:
        """Cores in use."""
        return len({(site.chip, site.core) for site in self.sites})

    def sites_of(self, population: str) -> tuple[Site, ...]:
        """Where a population lies, block by block."""
        return self._by_population.get(population, ())

    def destinations(self, connection: Connection) -> IntArray:
        """Cores that a spike of each source compartment reaches, int64, shape of the source population."""
        return self._visits(connection).destinations.reshape(self.chip.by_name[connection.source].shape)

    def hops_x(self, connection: Connection) -> IntArray | None:
        """Tile borders crossed east-west by a spike of each source compartment, over its destinations on its own chip.

        Each destination core gets a message of its own, routed along the row first and then along the column.

        Returns:
            int64, shape of the source population; None where the profile has no mesh or the source is not on the chip.
        """
        return self._hops(connection, 0)

    def hops_y(self, connection: Connection) -> IntArray | None:
        """Tile borders crossed north-south; otherwise as :meth:`hops_x`."""
        return self._hops(connection, 1)

    def crossings(self, connection: Connection) -> IntArray | None:
        """Destinations of a spike of each source compartment that lie on another chip; None for injected events."""
        sources, targets = self.sites_of(connection.source), self.sites_of(connection.target)
        if not sources:
            return None
        here, there = (np.array([site.chip for site in sites]) for sites in (sources, targets))
        return self._summed(connection, (here[:, None] != there).astype(np.float64))

    def position(self, core: int) -> tuple[int, int]:
        """Column and row of the tile that holds a core."""
        mesh = self.profile.limits.mesh
        if mesh is None:
            raise ValueError(f"{self.profile.name} has no mesh")
        return divmod(core // mesh.cores_per_tile, mesh.rows)

    @cached_property
    def _by_population(self) -> dict[str, tuple[Site, ...]]:
        found: dict[str, list[Site]] = {}
        for site in self.sites:
            found.setdefault(site.population, []).append(site)
        return {population: tuple(sites) for population, sites in found.items()}

    def _visits(self, connection: Connection) -> Visits:
        if connection.name not in self.seen:
            blocks = [site.block for site in self.sites_of(connection.target)]
            self.seen[connection.name] = visits(self.chip, connection, blocks)
        return self.seen[connection.name]

    def _hops(self, connection: Connection, axis: int) -> IntArray | None:
        sources, targets = self.sites_of(connection.source), self.sites_of(connection.target)
        if self.profile.limits.mesh is None or not sources:
            return None
        here, there = (np.array([self.position(site.core)[axis] for site in sites]) for sites in (sources, targets))
        same_chip = np.array([site.chip for site in sources])[:, None] == np.array([site.chip for site in targets])
        return self._summed(connection, np.where(same_chip, np.abs(here[:, None] - there), 0).astype(np.float64))

    def _summed(self, connection: Connection, ways: FloatArray) -> IntArray:
        """Sum over destinations of what it costs each source to send there, ``ways`` from each block to each block."""
        seen = self._visits(connection)
        of_kind = np.eye(len(seen.counts))[seen.kind]
        reached = seen.reached.reshape(len(seen.counts), -1).astype(np.float64)
        sums = np.zeros(len(seen.of_source), dtype=np.int64)
        for site, way in zip(self.sites_of(connection.source), ways @ of_kind, strict=True):
            places = seen.of_source[site.block.members]
            sums[site.block.members] = np.rint(way @ reached).astype(np.int64)[places]
        return sums.reshape(self.chip.by_name[connection.source].shape)


def place(
    chip: ChipNetwork,
    profile: HardwareProfile,
    *,
    chips: int | None = None,
    by: PlaceBy = "connectivity",
    activity: Activity | None = None,
    seed: int = 0,
) -> Placement:
    """Put ``chip`` on the cores of ``profile``.

    Args:
        chips: most chips that it may take; None for as many as the profile says, or one.
        by: lay cores out for short ways where every source spikes equally often, or with the spikes of ``activity``;
            ``order`` leaves them in the network's order. The default needs the network's structure alone.
        seed: of the search; the same seed gives the same placement.

    Raises:
        InputError: fewer than one chip, or measured spikes asked for without an activity.
        AnswerIsNo: it does not fit; names the binding resource and what would make it fit.
    """
    refuse("place", _faults(chips, by, activity))
    allowed = chips or profile.limits.chips or 1
    try:
        plan = partition(chip, profile, None if profile.limits.cores is None else allowed * profile.limits.cores)
        seating = seat(plan, profile, allowed)
    except DoesNotFit as error:
        raise AnswerIsNo(f"{error}; {what_would_fit(chip, profile, allowed, error.resource)}") from None
    traffic = Traffic.of(chip, plan, seating.core_of, activity if by == "spikes" else None)
    slots = slots_of(traffic, seating, profile.limits, None if by == "order" else seed)
    return Placement(
        chip=chip,
        profile=profile,
        sites=tuple(_sites(plan, seating, slots)),
        fit=tuple(_fit(plan, seating, slots, profile)),
        arrangement=_arrangement(by, seed, seating, slots),
        seen={name: seen for cut in plan.values() for name, seen in cut.seen.items()},
    )


def _faults(chips: int | None, by: PlaceBy, activity: Activity | None) -> list[str]:
    faults = [f"chips is {chips}; may be 1 or more"] if chips is not None and chips < 1 else []
    if by == "spikes" and activity is None:
        faults.append("by is 'spikes' and there is no activity; give one, or place by connectivity")
    return faults


def _sites(plan: Plan, seating: Seating, slots: Slots) -> list[Site]:
    return [
        Site(int(slots.slot_of[core]), population, block, int(slots.chip_of[core]))
        for population, cut in plan.items()
        for block, core in zip(cut.blocks, seating.core_of[population].tolist(), strict=True)
    ]


def _fit(plan: Plan, seating: Seating, slots: Slots, profile: HardwareProfile) -> list[Use]:
    several, each = seating.chips > 1, profile.limits.cores
    fit = []
    for use in uses_of_cores(plan, seating):
        assert use.core is not None
        chip = int(slots.chip_of[use.core]) if several else None
        fit.append(replace(use, core=int(slots.slot_of[use.core]), chip=chip))
    fit.append(Use("cores", seating.cores, None if each is None else each * seating.chips))
    return fit


def _arrangement(by: PlaceBy, seed: int, seating: Seating, slots: Slots) -> Arrangement:
    return Arrangement(
        by=by,
        seed=seed,
        chips=seating.chips,
        hops=slots.hops,
        hops_in_order=slots.hops_in_order,
        cut=slots.cut,
        cut_in_order=slots.cut_in_order,
        shared_cores=seating.is_shared,
    )
