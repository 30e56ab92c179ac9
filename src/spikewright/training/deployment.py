"""From a student to its energy on a chip: graph, chip network, counts, energy, and whether the limits are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import nir

from ..base.errors import AnswerIsNo
from ..base.shown import Brief, Shown
from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..data.split import Split
from ..energy.pricing import PricedActivity, price
from ..energy.report import EnergyReport
from ..lowering.lower import lower
from ..profile.profile import HardwareProfile
from ..profile.schema import CostUnit
from ..profile.units import parse_budget, quantity
from ..simulation.simulate import simulate
from ..student.student import Student
from ..student.to_nir import to_nir
from .cost import SpikeCost
from .limits import Constraint, EnergyLimit
from .records import measure

_SAME = 1e-5  # float32 sums of the training's estimate


@dataclass(frozen=True, eq=False, repr=False)
class Deployment(Brief):
    """A student on a chip.

    Attributes:
        graph: the student as a NIR graph.
        chip: the graph as an integer network.
        activities: by part of the data set, the counts of the chip network.
        priced: by part of the data set, the energy of an inference.
    """

    profile: HardwareProfile
    graph: nir.NIRGraph
    chip: ChipNetwork
    activities: Mapping[str, Activity]
    priced: Mapping[str, PricedActivity]

    @property
    def reports(self) -> dict[str, EnergyReport]:
        """By part of the data set, the energy of an inference."""
        return {part: each.energy for part, each in self.priced.items()}


class DeploymentSteps:
    """The steps of :func:`deploy`, in memory; a subclass may save the result of each."""

    def export(self, student: Student, profile: HardwareProfile) -> nir.NIRGraph:
        """The graph of a student that was trained for ``profile``."""
        del profile
        return to_nir(student)

    def lower(self, graph: nir.NIRGraph, profile: HardwareProfile) -> ChipNetwork:
        """The integer network of a graph."""
        return lower(graph, profile)

    def count(self, chip: ChipNetwork, part: str, samples: Split, seed: int) -> Activity:
        """Spikes and operations of a chip network over one part of a data set."""
        return simulate(chip, samples, split=part, seed=seed)


def deploy(
    student: Student,
    parts: Mapping[str, Split],
    profile: HardwareProfile,
    *,
    seed: int,
    energy_budget: str | None = None,
    steps: DeploymentSteps | None = None,
) -> Deployment:
    """Export a student, lower its graph, count on the integer simulator and compute the energy of the counts.

    Args:
        parts: by name, the parts of the data set to count on, in this order.
        seed: of the rate code.
        energy_budget: per inference with its unit, such as ``"2uJ"``; part of the reports.
        steps: that do the work; None for steps that save nothing.

    Raises:
        InputError: the student cannot be exported, or the graph breaks a rule of the profile.
        AnswerIsNo: the network does not fit the profile.
    """
    steps = steps or DeploymentSteps()
    graph = steps.export(student, profile)
    chip = steps.lower(graph, profile)
    activities = {name: steps.count(chip, name, samples, seed) for name, samples in parts.items()}
    budget = None if energy_budget is None else parse_budget(energy_budget, profile)
    priced = {name: price(activity, chip, profile, budget) for name, activity in activities.items()}
    return Deployment(profile, graph, chip, activities, priced)


@dataclass(frozen=True, repr=False)
class Certificate(Shown):
    """Energy and accuracy of a chip network on validation data, per inference, compared with the limits.

    Attributes:
        unit: of ``energy`` and ``budget``, the profile's: joules or relative operations.
        budget: None without an energy budget on this profile.
        met: whether every limit is met.
        limits: by name of the limit, ``(measured, limit)``.
        accuracy: of the chip network, from 0 to 1.
        seed: of the rate code.
    """

    profile: str
    profile_sha256: str
    unit: str
    energy: float
    budget: float | None
    met: bool
    limits: dict[str, tuple[float, float]]
    accuracy: float
    synaptic_ops: float
    split: str
    split_sha256: str
    samples: int
    seed: int

    def __repr__(self) -> str:
        budget = "" if self.budget is None else f" of {quantity(self.budget, self._unit)}"
        return (
            f"Certificate({self.profile}: {quantity(self.energy, self._unit)}{budget} per inference, accuracy "
            f"{self.accuracy:.2%} on {self.samples:,} {self.split} samples, {'met' if self.met else 'not met'})"
        )

    @property
    def _unit(self) -> CostUnit:
        return "J" if self.unit == "J" else "ops"

    @property
    def quality(self) -> float:
        """The number that students are compared by, the higher the better."""
        return self.accuracy

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Certificate:
        """The certificate that :meth:`as_json` wrote."""
        limits = {name: (found, limit) for name, (found, limit) in facts["limits"].items()}
        return cls(**{**facts, "limits": limits})

    def as_json(self) -> dict[str, object]:
        """The certificate as a JSON-able dictionary."""
        return asdict(self)


def certify(
    student: Student, split: Split, profile: HardwareProfile, constraints: Sequence[Constraint], seed: int
) -> Certificate:
    """Deploy a student, compute the energy of its chip network over the validation split, and compare with the limits.

    Args:
        split: the validation part of the data set.
        constraints: the limits of the training; the main budget is compared with the energy of the chip network, the
            others with what is measured on the student.
        seed: of the rate code.

    Raises:
        AnswerIsNo: a student with integer arithmetic and its chip network differ in energy or accuracy.
    """
    deployed = deploy(student, {"validation": split}, profile, seed=seed)
    activity, report = deployed.activities["validation"], deployed.reports["validation"]
    measured = measure(student, split, SpikeCost(deployed.chip, profile), constraints, seed)
    agree = abs(measured.cost - report.total) <= _SAME * report.total and measured.accuracy == activity.accuracy
    if student.grid is not None and not agree:
        raise AnswerIsNo(
            f"certificate: training measured {measured.cost:.6g} and {measured.accuracy:.4%}, the chip network spends "
            f"{report.total:.6g} at {activity.accuracy:.4%}; the two must be the same"
        )
    limits = {c.name: (report.total if _is_main(c) else measured.bounded[c.name], c.limit) for c in constraints}
    budget = next((c.limit for c in constraints if _is_main(c)), None)
    return Certificate(
        profile=profile.name,
        profile_sha256=profile.sha256,
        unit=profile.cost_unit,
        energy=report.total,
        budget=budget,
        met=all(found <= limit for found, limit in limits.values()),
        limits=limits,
        accuracy=float(activity.accuracy or 0.0),
        synaptic_ops=report.synaptic_ops,
        split="validation",
        split_sha256=split.sha256,
        samples=activity.samples,
        seed=seed,
    )


def _is_main(constraint: Constraint) -> bool:
    return isinstance(constraint, EnergyLimit) and constraint.name == "budget"
