"""From a student to its energy on a chip: graph, chip network, counts, energy, and whether the limits are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import nir

from ..base.errors import AnswerIsNo, arg
from ..base.shown import Brief, Shown
from ..chip.activity import Activity, Overflows
from ..chip.network import ChipNetwork
from ..chip.registers import GRID_KEY
from ..data.quality import Quality
from ..data.split import Split
from ..energy.pricing import PricedActivity, price
from ..energy.report import EnergyReport
from ..lowering.lower import lower
from ..lowering.peaks import Measuring
from ..lowering.quantize import MEASURED
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

    def lower(self, graph: nir.NIRGraph, profile: HardwareProfile, measuring: Measuring | None) -> ChipNetwork:
        """The integer network of a graph; one that was trained on integers has its scales already."""
        return lower(graph, profile, calibrate=None if GRID_KEY in graph.metadata else measuring)

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
    measuring: Measuring | None = None,
) -> Deployment:
    """Export a student, lower its graph, count on the integer simulator and compute the energy of the counts.

    Args:
        parts: by name, the parts of the data set to count on, in this order.
        seed: of the rate code.
        energy_budget: per inference with its unit, such as ``"2uJ"``; part of the reports.
        steps: that do the work; None for steps that save nothing.
        measuring: training data that the scales of a student in floats leave room for; None for room for every input.

    Raises:
        InputError: the student cannot be exported, or the graph breaks a rule of the profile.
        AnswerIsNo: the network does not fit the profile.
    """
    steps = steps or DeploymentSteps()
    graph = steps.export(student, profile)
    chip = steps.lower(graph, profile, measuring)
    activities = {name: steps.count(chip, name, samples, seed) for name, samples in parts.items()}
    budget = None if energy_budget is None else parse_budget(energy_budget, profile)
    priced = {name: price(activity, chip, profile, budget) for name, activity in activities.items()}
    return Deployment(profile, graph, chip, activities, priced)


@dataclass(frozen=True, repr=False)
class Certificate(Shown):
    """Energy of a chip network on validation data, per inference, compared with the limits, and how good it answers.

    Attributes:
        unit: of ``energy`` and ``budget``, the profile's: joules or relative operations.
        budget: None without an energy budget on this profile.
        met: whether every limit is met.
        limits: by name of the limit, ``(measured, limit)``.
        accuracy: of the chip network, from 0 to 1; None of a regression.
        seed: of the rate code.
        overflows: by part of the data set, registers that overflowed; the test part is looked at for nothing else, and
            left out where every scale holds in the worst case.
        measured: layers whose registers have room for peaks of training data, and not for every input.
        balanced_accuracy, f1: means over the classes; None of a regression.
        r2, mae: of each value of a regression, its coefficient of determination and its mean absolute error in its own
            unit; empty of classes.
        recordings: answers that were compared, where samples are windows of recordings; None where each has its own.
        learnt_from: how many training samples were ``labelled`` and ``unlabelled``; empty where it was not noted.
    """

    profile: str
    profile_sha256: str
    unit: str
    energy: float
    budget: float | None
    met: bool
    limits: dict[str, tuple[float, float]]
    accuracy: float | None
    synaptic_ops: float
    split: str
    split_sha256: str
    samples: int
    seed: int
    overflows: dict[str, Overflows] = field(default_factory=dict)
    measured: tuple[str, ...] = ()
    balanced_accuracy: float | None = None
    f1: float | None = None
    r2: tuple[float, ...] = ()
    mae: tuple[float, ...] = ()
    recordings: int | None = None
    learnt_from: dict[str, int] = field(default_factory=dict)

    def __repr__(self) -> str:
        budget = "" if self.budget is None else f" of {quantity(self.budget, self._unit)}"
        return (
            f"Certificate({self.profile}: {quantity(self.energy, self._unit)}{budget} per inference, "
            f"{self.in_words} on {self.samples:,} {self.split} samples, {'met' if self.met else 'not met'})"
        )

    @property
    def _unit(self) -> CostUnit:
        return "J" if self.unit == "J" else "ops"

    @property
    def quality(self) -> float:
        """The number that students are compared by, the higher the better: the accuracy, or the mean of R^2."""
        return self.accuracy if self.accuracy is not None else sum(self.r2) / max(1, len(self.r2))

    @property
    def in_words(self) -> str:
        """How good the answers are."""
        if self.accuracy is not None:
            return f"{self.accuracy:.2%}"
        return f"R^2 {self.quality:.3f}, mean absolute error {', '.join(f'{each:.4g}' for each in self.mae)}"

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Certificate:
        """The certificate that :meth:`as_json` wrote."""
        limits = {name: (found, limit) for name, (found, limit) in facts["limits"].items()}
        overflows = {part: Overflows(**counts) for part, counts in facts.get("overflows", {}).items()}
        measured = tuple(facts.get("measured", ()))
        values = {name: tuple(facts.get(name, ())) for name in ("r2", "mae")}
        return cls(**{**facts, "limits": limits, "overflows": overflows, "measured": measured, **values})

    def as_json(self) -> dict[str, object]:
        """The certificate as a JSON-able dictionary, without what only the other task or recordings have."""
        unset = {"balanced_accuracy": None, "f1": None, "r2": (), "mae": (), "recordings": None}
        facts = asdict(self) | {"measured": list(self.measured)}
        return {name: value for name, value in facts.items() if name not in unset or value != unset[name]}

    @property
    def overflowed(self) -> bool:
        """Whether a current wrapped or a readout was reset, after which an answer is worth nothing."""
        return any(found.harmful for found in self.overflows.values())

    def about_overflows(self) -> str:
        """What it says of wraps, resets and clips."""
        if self.overflowed:
            counts = ", ".join(f"{found.harmful} on {part}" for part, found in self.overflows.items())
            return (
                f"registers overflowed ({counts}): not certified; train with a larger {arg('scale_margin')}, or with "
                f"{arg('scales', 'worst-case')}"
            )
        clips = sum(found.clips for found in self.overflows.values())
        where = " and ".join(self.overflows) if self.measured else "any input"
        return f"0 wraps on {where}" + (f", {clips} membrane potentials clipped" if clips else "")


def certify(
    student: Student,
    split: Split,
    profile: HardwareProfile,
    constraints: Sequence[Constraint],
    seed: int,
    test: Split | None = None,
    measuring: Measuring | None = None,
) -> tuple[Certificate, Deployment]:
    """Deploy a student, compute the energy of its chip network over the validation split, and compare with the limits.

    A network whose currents wrap, or whose readout is reset, on validation or test is not within its limits.

    Args:
        split: the validation part of the data set.
        test: the test part, on which overflows alone are counted; None for none.
        measuring: as of :func:`deploy`.
        constraints: the limits of the training; the main budget is compared with the energy of the chip network, the
            others with what is measured on the student.
        seed: of the rate code.

    Returns:
        The certificate, and the deployment that it rests on.

    Raises:
        AnswerIsNo: a student with integer arithmetic and its chip network differ in energy or in how good they are.
    """
    deployed = deploy(student, {"validation": split}, profile, seed=seed, measuring=measuring)
    activity, report = deployed.activities["validation"], deployed.reports["validation"]
    measured = measure(student, split, SpikeCost(deployed.chip, profile), constraints, seed)
    quality = activity.quality
    assert quality is not None
    agree = abs(measured.cost - report.total) <= _SAME * report.total and measured.quality.facts == quality.facts
    if student.grid is not None and not agree:
        raise AnswerIsNo(
            f"certificate: training measured {measured.cost:.6g} and {_exactly(measured.quality)}, the chip network "
            f"spends {report.total:.6g} at {_exactly(quality)}; the two must be the same"
        )
    overflows, measured_scales = _overflows(deployed, test, seed)
    limits = {c.name: (report.total if _is_main(c) else measured.bounded[c.name], c.limit) for c in constraints}
    budget = next((c.limit for c in constraints if _is_main(c)), None)
    facts = quality.facts
    certificate = Certificate(
        profile=profile.name,
        profile_sha256=profile.sha256,
        unit=profile.cost_unit,
        energy=report.total,
        budget=budget,
        met=all(found <= limit for found, limit in limits.values()) and not any(o.harmful for o in overflows.values()),
        limits=limits,
        accuracy=facts.get("accuracy"),
        synaptic_ops=report.synaptic_ops,
        split="validation",
        split_sha256=split.sha256,
        samples=activity.samples,
        seed=seed,
        overflows=overflows,
        measured=measured_scales,
        balanced_accuracy=facts.get("balanced_accuracy"),
        f1=facts.get("f1"),
        r2=quality.r2,
        mae=quality.mae,
        recordings=None if split.recordings is None else quality.samples,
    )
    return certificate, deployed


def _exactly(quality: Quality) -> str:
    return f"R^2 {quality.main:.6f}" if quality.confusion is None else f"{quality.accuracy:.4%}"


def _overflows(deployed: Deployment, test: Split | None, seed: int) -> tuple[dict[str, Overflows], tuple[str, ...]]:
    """Overflows by part, and the layers whose scales do not hold in the worst case; only then are there two parts."""
    names = deployed.chip.provenance.get(MEASURED, [])
    assert isinstance(names, list)
    activities = dict(deployed.activities)
    if names and test is not None:
        activities["test"] = simulate(deployed.chip, test, split="test", seed=seed)
    return {part: each.overflows or Overflows() for part, each in activities.items()}, tuple(names)


def _is_main(constraint: Constraint) -> bool:
    return isinstance(constraint, EnergyLimit) and constraint.name == "budget"
