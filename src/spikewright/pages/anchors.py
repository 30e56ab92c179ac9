"""Published points beside one's own, in words for every format, and what keeps them from being compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..energy.report import EnergyReport
from ..energy.time import seconds
from ..profile.anchors import AnchorPoint, Anchors, PublishedEnergy
from ..profile.profile import HardwareProfile
from ..profile.units import quantity
from .measure import ACCURACY, Measure, measure_of
from .numbers import Rows

HEADINGS = ("chip: network", ">accuracy", ">energy per inference", "energy is", ">latency", "+comparable")
OF_OURS = "modelled, dynamic"
UNSTATED = "dynamic or total unstated"
KEY = (
    "Ours is the dynamic energy of an inference, modelled from its counts. Comparable with it is a measured dynamic "
    "energy on the same samples: a filled square in the plot. Any other point is an open square. A total energy has "
    "static power in it; of an unstated one that is not known. A dotted line is a point of which only accuracy or only "
    "energy is known."
)


@dataclass(frozen=True)
class AnchorTable:
    """Published points, and what of one's own they stand beside.

    Attributes:
        profile: one with joules.
        data: name of the data set that ours is about; empty where it is not known.
        measure: by which ours are compared.
        ours: by name, energy of an inference in joules, and accuracy, None where it is not known.
    """

    anchors: Anchors
    profile: HardwareProfile
    data: str
    measure: Measure = ACCURACY
    ours: tuple[tuple[str, float, float | None], ...] = ()

    @property
    def is_same_data(self) -> bool:
        """Whether ours is about the data set of the points."""
        return self.data in self.anchors.data

    def differences(self, point: AnchorPoint) -> tuple[str, ...]:
        """Why a point cannot be compared with ours, a reason each; empty where it can."""
        return tuple(self._differences(point))

    def _differences(self, point: AnchorPoint) -> Iterator[str]:
        if not self.is_same_data:
            yield "other data" if self.data else "our data are not known"
        if point.samples:
            yield f"other samples ({point.samples})"
        if point.accuracy is None:
            yield "accuracy not known"
        yield from ("energy not known",) if point.energy is None else _of_energy(point.energy)

    @property
    def energies(self) -> list[float]:
        """The energies that are drawn, in joules."""
        return [point.energy.joules for point in self.drawn if point.energy is not None]

    @property
    def drawn(self) -> list[AnchorPoint]:
        """The points that have a place in the plot."""
        return [point for point in self.anchors.points if self.measure.in_percent or point.accuracy is None]

    def as_json(self) -> dict[str, object]:
        """The table as a JSON object; energies in joules, latencies in seconds."""
        anchors = self.anchors
        facts = {"name": anchors.name, "title": anchors.title, "data": anchors.data, "samples": anchors.samples}
        return {**facts, "remarks": remarks(self), "points": [self._point(point) for point in anchors.points]}

    def _point(self, point: AnchorPoint) -> dict[str, object]:
        energy, reasons = point.energy, self.differences(point)
        return {
            "chip": point.chip,
            "network": point.network,
            "accuracy": point.accuracy,
            "energy_j": None if energy is None else energy.joules,
            "includes": None if energy is None else energy.includes,
            "kind": None if energy is None else energy.kind,
            "latency_s": None if point.latency is None else point.latency.seconds,
            "comparable": not reasons,
            "differences": list(reasons),
            "source": self.anchors.source_of(point),
            "note": point.note,
        }


def _of_energy(energy: PublishedEnergy) -> Iterator[str]:
    if energy.includes == "total":
        yield "total energy"
    elif energy.includes == "unstated":
        yield UNSTATED
    if energy.kind != "measured":
        yield "measured or not unstated" if energy.kind == "unstated" else f"energy {energy.kind}"


def of_report(anchors: Anchors, energy: EnergyReport, data: str) -> AnchorTable:
    """Published points beside one report."""
    ours = ((f"this network on {energy.profile.name}", energy.total, energy.merit),)
    return AnchorTable(anchors, energy.profile, data, measure_of(energy.outputs), ours)


def title(table: AnchorTable) -> str:
    """The caption of the table."""
    return f"Published chips: {table.anchors.title}"


def rows(table: AnchorTable, sources: bool = True) -> Rows:
    """Ours and every point: accuracy, energy and what it includes, latency, and whether it can be compared.

    Args:
        sources: whether a column says where each point is from.
    """
    found: Rows = [(*HEADINGS, *(("+source",) if sources else ()))]
    for name, energy, merit in table.ours:
        said = "not known" if merit is None else table.measure.say(merit)
        found.append((name, said, quantity(energy, "J"), OF_OURS, "", "", *(("",) if sources else ())))
    for point in table.anchors.points:
        found.append((*_cells(table, point), *((_source(table, point),) if sources else ())))
    return found


def _cells(table: AnchorTable, point: AnchorPoint) -> tuple[str, ...]:
    energy, reasons = point.energy, table.differences(point)
    return (
        point.name,
        "not known" if point.accuracy is None else ACCURACY.say(point.accuracy),
        "not known" if energy is None else quantity(energy.joules, "J"),
        "" if energy is None else f"{energy.kind}, {energy.includes}",
        "" if point.latency is None else seconds(point.latency.seconds),
        f"no: {'; '.join(reasons)}" if reasons else "yes",
    )


def _source(table: AnchorTable, point: AnchorPoint) -> str:
    note = f"; {point.note}" if point.note else ""
    return f"{table.anchors.source_of(point)}{note}"


def remarks(table: AnchorTable) -> list[str]:
    """What to know before comparing, a sentence each."""
    anchors, found = table.anchors, []
    if not table.data:
        found.append(f"On which data ours was counted is not known; the points are of {anchors.title}.")
    elif not table.is_same_data:
        found.append(f"The points are of {anchors.title}, and ours is of {table.data}: none can be compared.")
    if not table.measure.in_percent:
        found.append(f"Ours is {table.measure.name} and no accuracy: points with an accuracy are not drawn.")
    return found


def in_words(table: AnchorTable) -> str:
    """The points in the plot for those who do not see it, from the cheapest up."""
    drawn = sorted(table.drawn, key=lambda point: 0.0 if point.energy is None else point.energy.joules)
    said = []
    for point in drawn:
        energy = "energy not known" if point.energy is None else quantity(point.energy.joules, "J")
        accuracy = "accuracy not known" if point.accuracy is None else ACCURACY.say(point.accuracy)
        alike = ", comparable" if not table.differences(point) else ""
        said.append(f"{point.name} {energy} and {accuracy}{alike}")
    return f" Published: {'; '.join(said)}." if said else ""
