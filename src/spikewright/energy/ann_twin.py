"""The same network run once as an artificial one: how many multiply-accumulates, and what they would cost where."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..chip.fan_out import fan_out
from ..chip.network import ChipNetwork
from .report import EnergyReport, TeacherCost


def macs_of(chip: ChipNetwork) -> int:
    """Multiply-accumulates of one pass: synapses, borders left out; relays and biases have no part in it."""
    relays = {population.name for population in chip.populations if population.role == "relay"}
    biases = {population.name for population in chip.populations if population.role == "bias"}
    return sum(
        int(fan_out(chip, connection).sum())
        for connection in chip.connections
        if connection.source not in biases and connection.target not in relays
    )


@dataclass(frozen=True)
class Standing:
    """The spiking network against an artificial one on one machine, energies of one inference.

    Attributes:
        ann: the artificial network there.
        visits: synaptic operations for each of its multiply-accumulates.
        operation: energy of a synaptic operation, the mean; None where the profile has no constant.
        modelled: energy of the spiking network, all that is modelled; ``floor`` without any hidden spike.
        static: static energy meanwhile, None where it is not known.
    """

    ann: TeacherCost
    visits: float
    operation: float | None
    modelled: float
    floor: float
    static: float | None

    @property
    def break_even(self) -> float | None:
        """Synaptic operations for each multiply-accumulate at which the two cost the same."""
        return None if not self.operation else self.ann.constant / self.operation

    @property
    def ratios(self) -> tuple[float | None, float, float | None]:
        """Spiking over artificial energy: synaptic operations alone, all that is modelled, and with static energy."""
        alone = None if self.operation is None else self.visits * self.ann.macs * self.operation / self.ann.energy
        whole = None if self.static is None else (self.modelled + self.static) / self.ann.energy
        return alone, self.modelled / self.ann.energy, whole

    @property
    def is_out_of_reach(self) -> bool:
        """Whether no sparsity would do: the floor alone is above the artificial network."""
        return self.floor > self.ann.energy

    @property
    def is_turned_by_static(self) -> bool:
        """Whether static energy changes who wins."""
        _, modelled, whole = self.ratios
        return whole is not None and (modelled < 1) != (whole < 1)


def standings(report: EnergyReport, macs: int) -> list[Standing]:
    """Against an artificial network of ``macs`` multiply-accumulates on every known machine, the cheapest first."""
    costs = sorted(report.machines, key=lambda cost: cost.constant)
    rows = [row for row in report.rows if row.event.startswith("synaptic_op")]
    count = sum(row.count for row in rows)
    return [
        Standing(
            ann=replace(cost, macs=macs),
            visits=report.synaptic_ops / macs,
            operation=sum(row.energy for row in rows) / count if count else None,
            modelled=report.total,
            floor=report.floor,
            static=None if report.time is None else report.time.static_j,
        )
        for cost in costs
    ]
