"""The answer: count x constant = energy, row by row, with what was left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from ..chip.activity import Trace
from ..chip.agreement import Agreement
from ..chip.network import Role
from ..placing.core_load import CoreLoad, RouteTraffic
from ..placing.placement import Placement, Use
from ..profile.schema import CostUnit, HardwareProfile, Kind, Scope
from ..profile.units import Budget, quantity
from .neurobench import NeuroBench
from .parts import Band, ClassEnergy, Spread
from .time import TimeEstimate

SCHEMA_VERSION = 1
"""Of the report's JSON; grows where a field changes its meaning or goes, not where one is added."""
Part = Literal["input", "hidden", "readout"]
WORDS = {
    "synaptic_op": "synaptic operations",
    "synaptic_op_conv": "synaptic operations (convolution)",
    "synaptic_op_graded": "synaptic operations (graded)",
    "neuron_update_active": "neuron updates, active",
    "neuron_update_inactive": "neuron updates, inactive",
    "neuron_access": "neuron accesses",
    "neuron_active_extra": "neuron updates, active",
    "spike_read": "spikes read",
    "spike_read_conv": "spikes read (convolution)",
    "spike_out": "spikes fired",
    "message": "messages between cores",
    "hop_x": "hops east-west",
    "hop_y": "hops north-south",
    "chip_crossing": "messages between chips",
    "input_event": "input events injected",
}
PARTS: tuple[Part, ...] = ("input", "hidden", "readout")


@dataclass(frozen=True)
class EnergyRow:
    """One event of one population: ``energy = count x constant``, per inference.

    Attributes:
        event: key of the constant in the profile.
        population: whose update, or who sent the spike.
        connection: where the spike went, empty for what happens within the population.
        constant: in the profile's unit.
        source: of the constant, and the place in it; ``kind`` how it was obtained, ``scope`` what it covers.
    """

    event: str
    part: Part
    population: str
    connection: str
    count: float
    constant: float
    source: str
    kind: Kind
    scope: Scope

    @property
    def words(self) -> str:
        """The event, for people."""
        return WORDS[self.event]

    @property
    def energy(self) -> float:
        """In the profile's unit."""
        return self.count * self.constant


@dataclass(frozen=True)
class Unmodelled:
    """Something that costs energy and is not in the total.

    Attributes:
        count: how many of it one inference has, None where that is not known either.
    """

    event: str
    words: str
    count: float | None
    why: str


@dataclass(frozen=True)
class Spikes:
    """What one population does in one inference."""

    population: str
    part: Part
    role: Role
    neurons: int
    spikes: float
    updates: float
    synaptic_ops: float


@dataclass(frozen=True)
class TeacherCost:
    """The artificial network on the same table: ``energy = multiply-accumulates x constant``.

    Attributes:
        platform: the profile, or the machine that the artificial network would run on; ``title`` in words.
    """

    platform: str
    title: str
    macs: int
    constant: float
    kind: Kind
    scope: Scope
    source: str

    @property
    def energy(self) -> float:
        """In the profile's unit."""
        return self.macs * self.constant


@dataclass(frozen=True, eq=False)
class EnergyReport:
    """What one inference costs on one profile, and whether it is within the budget.

    Attributes:
        rows: every modelled event.
        not_modelled: what costs energy too and is not in ``total``.
        floor: what would remain if no hidden neuron ever fired.
        fit: for each resource, the fullest core; then the number of cores.
        binding: the use nearest to its limit, None where there are no limits.
        placement: where the network lies; what every core holds.
        teacher: on the profile itself; None where it has no constant for it or the network does not know its teacher.
        elsewhere: the teacher on ordinary machines, for scale; none for a profile without joules.
        provenance: JSON-able facts of where the network and the activity came from.
        time: how long an inference takes, and static energy meanwhile; None where the profile has no durations.
        steps: energy of each algorithmic step, empty where steps were not counted.
        spread: of single inferences; None where samples were not counted one by one.
        rates: by population, spikes per neuron at each step, the mean over samples; empty likewise.
        raster: by population, spikes of the first sample; None where they were not kept.
        classes: energy and accuracy by true class; empty without labels, or likewise.
        band: the total with other constants for the same chip; None where there are none.
        cores: what each core does; ``ways`` how far the messages of each connection go. Empty without cores.
        neurobench: the network and its activity in NeuroBench's terms; None in a report without details.
        machines: where an artificial network could run: what a multiply-accumulate costs; none without joules for it.
        ann_macs: of this network run once as an artificial one, ``teacher_macs`` of its teacher; None where not known.
        agreement: accuracy at every level of this chip network, and where they differ; None where nobody looked.
    """

    profile: HardwareProfile
    rows: tuple[EnergyRow, ...]
    not_modelled: tuple[Unmodelled, ...]
    floor: float
    spikes: tuple[Spikes, ...]
    synaptic_ops: float
    samples: int
    timesteps: int
    accuracy: float | None
    backend: str
    split: str
    fit: tuple[Use, ...]
    binding: Use | None
    placement: Placement
    budget: Budget | None = None
    teacher: TeacherCost | None = None
    elsewhere: tuple[TeacherCost, ...] = ()
    provenance: dict[str, object] = field(default_factory=dict)
    time: TimeEstimate | None = None
    steps: tuple[float, ...] = ()
    rates: dict[str, tuple[float, ...]] = field(default_factory=dict)
    raster: dict[str, Trace] | None = None
    spread: Spread | None = None
    classes: tuple[ClassEnergy, ...] = ()
    band: Band | None = None
    cores: tuple[CoreLoad, ...] = ()
    ways: tuple[RouteTraffic, ...] = ()
    neurobench: NeuroBench | None = None
    machines: tuple[TeacherCost, ...] = ()
    ann_macs: int | None = None
    teacher_macs: int | None = None
    agreement: Agreement | None = None

    @property
    def unit(self) -> CostUnit:
        """Joules or ops."""
        return self.profile.cost_unit

    @property
    def total(self) -> float:
        """Sum of all rows; at least that, where something is not modelled."""
        return sum(row.energy for row in self.rows)

    @property
    def at_least(self) -> bool:
        """Whether the total leaves something out."""
        return bool(self.not_modelled)

    @property
    def within_budget(self) -> bool | None:
        """Whether the modelled energy is within the budget; None without a budget."""
        return None if self.budget is None else self.total <= self.budget.value

    @property
    def assumed(self) -> bool:
        """Whether any constant used was never published for this chip."""
        return any(row.kind == "assumed" for row in self.rows)

    def by_population(self) -> dict[str, float]:
        """Energy charged to each population, in network order, those that cost nothing included."""
        return {s.population: sum(r.energy for r in self.rows if r.population == s.population) for s in self.spikes}

    def by_event(self) -> dict[str, float]:
        """Energy of each kind of event, the largest first."""
        energies = {
            e: sum(r.energy for r in self.rows if r.event == e) for e in dict.fromkeys(r.event for r in self.rows)
        }
        return dict(sorted(energies.items(), key=lambda item: -item[1]))

    def by_part(self) -> dict[Part, float]:
        """Energy of input, hidden layers and readout."""
        return {part: sum(r.energy for r in self.rows if r.part == part) for part in PARTS}

    def say(self, value: float) -> str:
        """An energy in the profile's unit, for people."""
        return quantity(value, self.unit)

    @property
    def verdict(self) -> str:
        """One sentence: the energy, and the budget where there is one."""
        total = f"{'at least ' if self.at_least else ''}{self.say(self.total)} per inference"
        if self.budget is None:
            return f"{total}; no budget was set"
        word = "within budget" if self.within_budget else "over budget"
        return f"{word}: {total}, {self.total / self.budget.value:.1%} of {self.budget}"

    def __str__(self) -> str:

        from ..pages.text import as_text

        return as_text(self)

    def as_json(self) -> dict[str, object]:
        """The report as one JSON object; energies in the profile's unit (``unit``)."""

        from .report_json import as_json

        return as_json(self)
