"""From a student to what it costs on a chip: graph, chip network, counts, energy, in this order and only here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import nir

from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..data.dataset import Split
from ..energy.pricing import PricedActivity, price
from ..energy.report import EnergyReport
from ..lowering.lower import lower
from ..profile.profile import HardwareProfile
from ..profile.units import parse_budget
from ..simulation.simulate import simulate
from ..student.student import Student
from ..student.to_nir import to_nir


@dataclass(frozen=True, eq=False)
class Deployment:
    """A student on a chip.

    Attributes:
        profile: of the chip.
        graph: the NIR graph that the student became.
        chip: the integer network that the graph became.
        activities: by part of the data set, what was counted on the chip network.
        priced: by part of the data set, what an inference costs.
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


class Steps:
    """The steps of :func:`deploy` in memory; a subclass may keep what each of them makes."""

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
    steps: Steps | None = None,
) -> Deployment:
    """Export a student, lower its graph, count on the integer simulator and price what was counted.

    Args:
        parts: by name, the parts of the data set to count on, in this order.
        seed: of the rate code.
        energy_budget: per inference with its unit, such as ``"2uJ"``; noted in the reports.
        steps: how the steps are done; None keeps nothing but the result.

    Raises:
        InputError: the student cannot be exported, or the graph breaks a rule of the profile.
        AnswerIsNo: the network does not fit the profile.
    """
    steps = steps or Steps()
    graph = steps.export(student, profile)
    chip = steps.lower(graph, profile)
    activities = {name: steps.count(chip, name, samples, seed) for name, samples in parts.items()}
    budget = None if energy_budget is None else parse_budget(energy_budget, profile)
    priced = {name: price(activity, chip, profile, budget) for name, activity in activities.items()}
    return Deployment(profile, graph, chip, activities, priced)
