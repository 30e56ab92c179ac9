"""The energy of one inference on one profile: rows of count x constant, what was left out, and how the total splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..base.shown import Shown
from ..chip.network import Role
from ..data.output_rule import CLASSES, OutputRule
from ..data.quality import Quality
from ..profile.costs import Kind, Scope
from ..profile.schema import CostUnit, HardwareProfile
from ..profile.units import Amount, quantity
from .events import Event
from .time import TimeEstimate

Part = Literal["input", "hidden", "readout"]
PARTS: tuple[Part, ...] = ("input", "hidden", "readout")


@dataclass(frozen=True)
class EnergyRow:
    """One event of one population: ``energy = count x constant``, per inference.

    Attributes:
        population: whose compartments are updated, or which sends the spikes.
        connection: that the spikes take, empty for what happens within the population.
        constant: in the profile's unit.
        source: of the constant, and the place in it; ``kind`` how it was obtained, ``scope`` what it covers.
    """

    event: Event
    part: Part
    population: str
    connection: str
    count: float
    constant: float
    source: str
    kind: Kind
    scope: Scope

    @property
    def energy(self) -> float:
        """``count x constant``, in the profile's unit."""
        return self.count * self.constant

    def as_json(self) -> dict[str, object]:
        """The row as a JSON object; the event by its name."""
        words, energy = self.event.words, self.energy
        return {**vars(self), "event": self.event.name, "words": words, "energy": energy}


@dataclass(frozen=True)
class Unmodelled:
    """Something that costs energy and is not in the total; ``count`` per inference, None where that is unknown too."""

    event: str
    words: str
    count: float | None
    why: str


@dataclass(frozen=True)
class StateResets:
    """Setting all states to rest before an inference, which is beside the total and in no budget.

    Attributes:
        chips: that are reset.
        each_j: joules for each chip.
        source: of that, and the place in it; ``kind`` how it was obtained.
    """

    chips: int
    each_j: float
    source: str
    kind: Kind

    @property
    def energy_j(self) -> float:
        """Energy of resetting all chips once, in joules per inference."""
        return self.chips * self.each_j

    def sentence(self, total_j: float | None = None) -> str:
        """The energy in one sentence, for reports; ``total_j`` is the total that it is not in, where that is joules."""
        beside = f"{self.energy_j / total_j:.3g} times the total, and not in it" if total_j else "not in the total"
        return (
            f"states are reset before each inference: {quantity(self.energy_j, 'J')}, {beside} "
            f"({quantity(self.each_j, 'J')} for each chip, {self.kind}; {self.source})"
        )

    def as_json(self) -> dict[str, object]:
        """The resets as a JSON object; joules."""
        return {**vars(self), "energy_j": self.energy_j}


@dataclass(frozen=True)
class ZeroWeights:
    """Synaptic operations at weights of zero, which are charged like any others; per inference.

    Attributes:
        operations: how many; ``energy`` what they cost, a part of the total.
    """

    operations: float = 0.0
    energy: float = 0.0


@dataclass(frozen=True)
class Spikes:
    """Spikes, updates and synaptic operations of one population in one inference."""

    population: str
    part: Part
    role: Role
    neurons: int
    spikes: float
    updates: float
    synaptic_ops: float


@dataclass(frozen=True)
class SampleSpread:
    """How much an inference's energy differs from sample to sample, and how well the mean is known.

    Attributes:
        samples: how many were counted one by one.
        low, high: 95 % interval of the mean, by resampling.
        least, median, p95, most: of single inferences.
    """

    samples: int
    low: float
    high: float
    least: float
    median: float
    p95: float
    most: float


@dataclass(frozen=True)
class ClassEnergy:
    """Samples of one true class: how many, the share classified correctly, and the mean energy of an inference.

    Attributes:
        name: of the class; empty where it has none.
    """

    label: int
    samples: int
    accuracy: float
    energy: float
    name: str = ""

    def as_json(self) -> dict[str, object]:
        """The class as a JSON object; a name that it does not have is left out."""
        return {name: value for name, value in vars(self).items() if name != "name" or value}


@dataclass(frozen=True, eq=False, repr=False)
class EnergyReport(Shown):
    """What one inference costs on one profile, and whether it is within the budget; energies in the profile's unit.

    Attributes:
        rows: every modelled event.
        not_modelled: what costs energy too and is not in ``total``.
        floor: what would remain if no hidden neuron ever fired.
        time: how long an inference takes, and static energy meanwhile; None where the profile has no durations.
        steps: energy of each algorithmic step; empty where steps were not counted.
        spread: of single inferences; None where samples were not counted one by one.
        classes: energy and accuracy by true class; empty without labels, or where samples were not counted one by one.
        band: by profile, this one's included, the total with the constants that it gives for the same chip; None where
            there are no others.
        accuracy: share of right answers; None without labels, and of values.
        quality: how good the answers are; None without labels.
        outputs: what they mean.
        resets: of states, beside the total; None where nobody published what a reset takes, or there are no states.
        zeros: synaptic operations at weights of zero, a part of the total.
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
    budget: Amount | None = None
    time: TimeEstimate | None = None
    steps: tuple[float, ...] = ()
    spread: SampleSpread | None = None
    classes: tuple[ClassEnergy, ...] = ()
    band: dict[str, float] | None = None
    quality: Quality | None = None
    outputs: OutputRule = CLASSES
    resets: StateResets | None = None
    zeros: ZeroWeights = ZeroWeights()

    @property
    def merit(self) -> float | None:
        """The number that runs are compared by, the higher the better: accuracy, or R^2; None without labels."""
        return self.accuracy if self.quality is None or self.outputs.is_classes else self.quality.main

    def __repr__(self) -> str:
        which = f"{self.split} samples" if self.split else "samples"
        return f"EnergyReport({self.profile.name}: {self.verdict}; {self.samples:,} {which}, T = {self.timesteps})"

    @property
    def unit(self) -> CostUnit:
        """The unit of every energy: ``J``, or ``ops`` for a profile with relative units."""
        return self.profile.cost_unit

    @property
    def total(self) -> float:
        """Sum of all rows; a lower bound where something is not modelled."""
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

    def by_event(self) -> dict[Event, float]:
        """Energy of each kind of event, the largest first."""
        events = dict.fromkeys(row.event for row in self.rows)
        energies = {event: sum(row.energy for row in self.rows if row.event is event) for event in events}
        return dict(sorted(energies.items(), key=lambda item: -item[1]))

    def by_part(self) -> dict[Part, float]:
        """Energy of input, hidden layers and readout."""
        return {part: sum(r.energy for r in self.rows if r.part == part) for part in PARTS}

    def say(self, value: float) -> str:
        """An energy in the profile's unit, for people: ``195.6 nJ``."""
        return quantity(value, self.unit)

    @property
    def verdict(self) -> str:
        """One sentence: the energy, and the budget where there is one."""
        total = f"{'at least ' if self.at_least else ''}{self.say(self.total)} per inference"
        if self.budget is None:
            return f"{total}; no budget was set"
        word = "within budget" if self.within_budget else "over budget"
        return f"{word}: {total}, {self.total / self.budget.value:.1%} of {self.budget}"
