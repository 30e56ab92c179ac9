"""Placement of a chip network: which compartments are on which core, what each core uses, and how far spikes travel.

Populations are divided into blocks (:mod:`.partition`), and blocks are assigned to cores, which get a chip
and a slot on its mesh (:mod:`.cores`). Input populations whose events are injected from outside take no core:
their axons count where the events arrive, and their route to the chip is not modelled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..base.errors import AnswerIsNo, refuse
from ..base.types import IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork, Connection
from ..profile.schema import HardwareProfile
from .blocks import Block, BoolArray, SynapseCounts
from .cores import PLACE_BY, Arrangement, PlaceBy, Use, assign_cores, lay_out, traffic_of, uses_of_cores
from .partition import DoesNotFit, partition
from .remedies import what_would_fit

__all__ = ["DEFAULT_PLACER", "PLACE_BY", "Arrangement", "PlaceBy", "Placement", "Placer", "Site", "Use", "place"]


@dataclass(frozen=True)
class Site:
    """A block of one population on core ``core`` of chip ``chip``; a core's number is its slot on the mesh."""

    core: int
    population: str
    block: Block
    chip: int = 0


@dataclass(frozen=True, eq=False)
class Placement:
    """A chip network on the cores of one profile.

    Attributes:
        sites: in the network's order; an input population without neurons has none.
        fit: what each core uses of each resource, then the number of cores.
        arrangement: how cores were laid out.
        counts: by connection, its synapses in each block of its target.
    """

    chip: ChipNetwork
    profile: HardwareProfile
    sites: tuple[Site, ...]
    fit: tuple[Use, ...]
    arrangement: Arrangement
    counts: dict[str, SynapseCounts] = field(repr=False)

    @property
    def binding(self) -> Use | None:
        """The use that is nearest to its limit; None where the profile has no limits."""
        return max((use for use in self.fit if use.limit is not None), key=lambda use: use.share, default=None)

    @cached_property
    def worst(self) -> tuple[Use, ...]:
        """For each resource, its use on the core that uses most of it."""
        resources = dict.fromkeys(use.resource for use in self.fit)
        return tuple(
            max((use for use in self.fit if use.resource == each), key=lambda use: use.used) for each in resources
        )

    @cached_property
    def held(self) -> dict[tuple[int, int], dict[str, int]]:
        """By chip and slot of each core in use, how many compartments it holds of each population."""
        held: dict[tuple[int, int], dict[str, int]] = {}
        for site in self.sites:
            here = held.setdefault((site.chip, site.core), {})
            here[site.population] = here.get(site.population, 0) + site.block.size
        return held

    @property
    def cores(self) -> int:
        """The number of cores that hold at least one compartment."""
        return len(self.held)

    def sites_of(self, population: str) -> tuple[Site, ...]:
        """The sites of a population, block by block; empty for injected events."""
        return self._by_population.get(population, ())

    def destinations(self, connection: Connection) -> IntArray:
        """Number of cores that a spike of each source compartment is sent to, int64, shape of the source population."""
        return self.counts[connection.name].destinations.reshape(self.chip.by_name[connection.source].shape)

    def hops(self, connection: Connection, axis: int) -> IntArray | None:
        """Tile borders crossed by a spike of each source compartment, summed over destinations on its chip.

        Each destination core gets a message of its own, routed along the row first and then along the column.

        Args:
            axis: 0 for borders crossed east-west, 1 for those crossed north-south.

        Returns:
            int64, the source's shape; None where the profile has no mesh or the source is not on the chip.
        """
        if self.profile.limits.mesh is None or not self.sites_of(connection.source):
            return None
        here, there = self._ends(connection, lambda site: self.position(site.core)[axis])
        return self._summed(connection, np.where(self._on_other_chip(connection), 0, np.abs(here - there)))

    def crossings(self, connection: Connection) -> IntArray | None:
        """As :meth:`destinations`, only those on another chip; None for injected events."""
        return self._summed(connection, self._on_other_chip(connection)) if self.sites_of(connection.source) else None

    def position(self, core: int) -> tuple[int, int]:
        """Column and row of the tile of a core.

        Raises:
            ValueError: the profile has no mesh.
        """
        mesh = self.profile.limits.mesh
        if mesh is None:
            raise ValueError(f"{self.profile.name} has no mesh")
        return divmod(core // mesh.cores_per_tile, mesh.rows)

    @cached_property
    def _by_population(self) -> dict[str, tuple[Site, ...]]:
        names = dict.fromkeys(site.population for site in self.sites)
        return {name: tuple(site for site in self.sites if site.population == name) for name in names}

    def _ends(self, connection: Connection, where: Callable[[Site], int]) -> tuple[IntArray, IntArray]:
        """Where the blocks of the source are, ``(blocks, 1)``, and where those of the target are, ``(blocks,)``."""
        here, there = (np.array([*map(where, self.sites_of(n))]) for n in (connection.source, connection.target))
        return here[:, None], there

    def _on_other_chip(self, connection: Connection) -> BoolArray:
        """Whether each block of the target is on another chip than each block of the source, ``(blocks, blocks)``."""
        here, there = self._ends(connection, lambda site: site.chip)
        return np.asarray(here != there)

    def _summed(self, connection: Connection, costs: BoolArray | IntArray) -> IntArray:
        """Sum over destinations of the cost of a spike of each source, ``costs`` from each block to each block."""
        counts = self.counts[connection.name]
        to_kind = costs @ np.eye(len(counts.counts))[counts.kind]
        reached = counts.reached.reshape(len(counts.counts), -1).astype(np.float64)
        sums = np.zeros(len(counts.of_source), dtype=np.int64)
        for site, row in zip(self.sites_of(connection.source), to_kind, strict=True):
            places = counts.of_source[site.block.members]
            sums[site.block.members] = np.rint(row @ reached).astype(np.int64)[places]
        return sums.reshape(self.chip.by_name[connection.source].shape)


@dataclass(frozen=True)
class Placer:
    """The arguments of :func:`place` that do not depend on a network, to be applied to many."""

    by: PlaceBy = "connectivity"
    chips: int | None = None
    seed: int = 0

    def __call__(self, chip: ChipNetwork, profile: HardwareProfile, activity: Activity) -> Placement:
        return place(chip, profile, chips=self.chips, by=self.by, activity=activity, seed=self.seed)


DEFAULT_PLACER = Placer()
"""The placement that training assumes: by connectivity, on as many chips as the profile has."""


def place(
    chip: ChipNetwork,
    profile: HardwareProfile,
    *,
    chips: int | None = None,
    by: PlaceBy = "connectivity",
    activity: Activity | None = None,
    seed: int = 0,
) -> Placement:
    """Place a chip network on the cores of a profile.

    Args:
        chips: most chips that may be used; None for as many as the profile has, or one.
        by: how messages are weighted when cores are laid out for short routes: ``connectivity`` lets every source spike
            once, ``spikes`` uses the spikes of ``activity``, ``order`` leaves cores in the network's order.
        activity: measured spikes; only needed for ``spikes``.
        seed: of the search; the same seed gives the same placement.

    Raises:
        InputError: ``chips`` is less than 1, or ``by`` is ``spikes`` and there is no activity.
        AnswerIsNo: the network does not fit; gives the resource that is exceeded and what would make it fit.
    """
    faults = [f"chips is {chips}; may be 1 or more"] if chips is not None and chips < 1 else []
    if by == "spikes" and activity is None:
        faults.append("by is 'spikes' and there is no activity; give one, or place by connectivity")
    refuse("place", faults)
    limits = profile.limits
    allowed = chips or limits.chips or 1
    try:
        plan = partition(chip, profile, None if limits.cores is None else allowed * limits.cores)
        assignment = assign_cores(plan, profile, allowed)
    except DoesNotFit as error:
        raise AnswerIsNo(f"{error.message}; {what_would_fit(chip, profile, allowed, error.resource)}") from None
    traffic = traffic_of(chip, plan, assignment, activity if by == "spikes" else None)
    chip_of, slot_of, arrangement = lay_out(traffic, assignment, limits, by, seed)
    sites = [
        Site(int(slot_of[core]), population, block, int(chip_of[core]))
        for population, part in plan.items()
        for block, core in zip(part.blocks, assignment.core_of[population].tolist(), strict=True)
    ]
    there = Use("cores", assignment.cores, None if limits.cores is None else limits.cores * assignment.chips)
    fit = (*uses_of_cores(plan, assignment, chip_of, slot_of), there)
    counts = {name: found for part in plan.values() for name, found in part.counts.items()}
    return Placement(chip, profile, tuple(sites), fit, arrangement, counts)
