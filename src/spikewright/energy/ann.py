"""The artificial networks that a spiking one stands beside, and what their multiply-accumulates would cost where.

One is the same network run once as an artificial one, the other is its teacher.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..chip.fan_out import fan_out
from ..chip.network import ChipNetwork
from ..profile.costs import Constant, Kind, Scope
from ..profile.profile import load_profile, load_teachers
from ..profile.schema import HardwareProfile
from .macs import Macs
from .report import EnergyReport

CONVENTIONS = ("cmos45", "lemaire")
"""Profiles whose multiply-accumulate is arithmetic, and arithmetic with memory, of no machine."""


@dataclass(frozen=True)
class AnnCost:
    """An artificial network on one machine: ``energy = multiply-accumulates x constant``.

    Attributes:
        platform: the profile, or the machine that the network would run on; ``title`` in words.
        constant: energy of one multiply-accumulate, in the profile's unit.
    """

    platform: str
    title: str
    macs: Macs
    constant: float
    kind: Kind
    scope: Scope
    source: str

    @property
    def energy(self) -> float:
        """``multiply-accumulates x constant``, in the profile's unit; a lower bound where that of ``macs`` is."""
        return self.macs.count * self.constant

    def as_json(self) -> dict[str, object]:
        """The cost as a JSON object."""
        unknown = {"macs_unknown": list(self.macs.unknown)} if self.macs.unknown else {}
        return {**vars(self), "macs": self.macs.count, **unknown, "energy": self.energy}


@dataclass(frozen=True)
class AnnCosts:
    """What the artificial networks cost beside a spiking one.

    Attributes:
        macs: multiply-accumulates of the same network run once as an artificial one.
        teacher_macs: of the teacher; None where the network does not know its teacher.
        teacher: the teacher on the profile itself; None where it has no constant for it or ``teacher_macs`` is None.
        elsewhere: the teacher on ordinary machines, for scale; empty for a profile without joules.
        machines: every known price of a multiply-accumulate, for 0 of them; empty for a profile without joules.
    """

    macs: Macs
    teacher_macs: Macs | None
    teacher: AnnCost | None
    elsewhere: tuple[AnnCost, ...]
    machines: tuple[AnnCost, ...]


def ann_costs(chip: ChipNetwork, profile: HardwareProfile) -> AnnCosts:
    """The artificial networks beside ``chip``, on the profile itself and on every known machine."""
    teacher_macs, own = Macs.of_facts(chip.provenance), _on_profile(profile)
    conventions: list[AnnCost | None] = []
    ordinary: list[AnnCost] = []
    if profile.has_joules:
        conventions = [own, *(_on_profile(load_profile(name)) for name in CONVENTIONS if name != profile.name)]
        ordinary = [_cost(each.name, each.title, each.mac, each.source) for each in load_teachers()]
    return AnnCosts(
        macs=Macs(macs_of(chip)),
        teacher_macs=teacher_macs,
        teacher=None if own is None or teacher_macs is None else replace(own, macs=teacher_macs),
        elsewhere=() if teacher_macs is None else tuple(replace(cost, macs=teacher_macs) for cost in ordinary),
        machines=tuple(cost for cost in (*conventions, *ordinary) if cost is not None),
    )


def _on_profile(profile: HardwareProfile) -> AnnCost | None:
    """The price of a multiply-accumulate on a profile; None where it has none."""
    if (mac := profile.energy.teacher_mac) is None:
        return None
    return _cost(profile.name, profile.title, mac, f"{profile.sources[mac.source].cited}, {mac.where}")


def _cost(platform: str, title: str, mac: Constant, source: str) -> AnnCost:
    return AnnCost(platform, title, Macs(0), mac.cost, mac.kind, mac.scope, source)


def macs_of(chip: ChipNetwork) -> int:
    """Multiply-accumulates of one pass: one for each synapse; relays and biases have none."""
    roles = {population.name: population.role for population in chip.populations}
    counted = (c for c in chip.connections if roles[c.source] != "bias" and roles[c.target] != "relay")
    return sum(int(fan_out(chip, connection).sum()) for connection in counted)


@dataclass(frozen=True)
class Standing:
    """The spiking network of a report against an artificial one on one machine, ``ann``; energies of one inference."""

    ann: AnnCost
    report: EnergyReport

    @property
    def visits(self) -> float:
        """Synaptic operations for each multiply-accumulate of the artificial network."""
        return self.report.synaptic_ops / self.ann.macs.count

    @property
    def operation(self) -> float | None:
        """Mean energy of a synaptic operation; None where the profile has no constant."""
        rows = [row for row in self.report.rows if row.event.is_synaptic]
        count = sum(row.count for row in rows)
        return sum(row.energy for row in rows) / count if count else None

    @property
    def break_even(self) -> float | None:
        """Synaptic operations for each multiply-accumulate at which the two cost the same."""
        return None if not self.operation else self.ann.constant / self.operation

    @property
    def ratios(self) -> tuple[float | None, float, float | None]:
        """Spiking over artificial energy: synaptic operations alone, all that is modelled, and with static energy."""
        operation, modelled, ann = self.operation, self.report.total, self.ann.energy
        static = None if self.report.time is None else self.report.time.static_j
        alone = None if operation is None else self.visits * self.ann.macs.count * operation / ann
        return alone, modelled / ann, None if static is None else (modelled + static) / ann

    @property
    def is_out_of_reach(self) -> bool:
        """Whether no sparsity would do: the floor without any hidden spike is above the artificial network."""
        return self.report.floor > self.ann.energy

    @property
    def is_turned_by_static(self) -> bool:
        """Whether static energy changes which network costs less."""
        _, modelled, whole = self.ratios
        return whole is not None and (modelled < 1) != (whole < 1)

    def as_json(self) -> dict[str, object]:
        """The comparison as a JSON object."""
        return {
            **self.ann.as_json(),
            "visits": self.visits,
            "break_even_visits": self.break_even,
            "spiking_over_ann": dict(zip(("synaptic_ops", "modelled", "with_static"), self.ratios, strict=True)),
        }


def standings(report: EnergyReport, ann: AnnCosts, macs: Macs) -> list[Standing]:
    """Against an artificial network of ``macs`` multiply-accumulates on every known machine, the cheapest first."""
    return [Standing(replace(cost, macs=macs), report) for cost in sorted(ann.machines, key=lambda cost: cost.constant)]
