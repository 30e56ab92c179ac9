"""How often each event happens in an activity, and what happens that no constant covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..chip.activity import Activity
from ..chip.network import ChipNetwork, Population, Schedule
from ..placing.placement import Placement
from ..profile.schema import HardwareProfile
from .events import Event, events_of, has_constant
from .report import Unmodelled


@dataclass(frozen=True)
class Counted:
    """How many of one event a whole activity has.

    Attributes:
        connection: name of it, empty for what happens within the population.
        count: None where they cannot be counted.
    """

    event: Event
    population: Population
    connection: str
    count: float | None


def count_events(
    activity: Activity, chip: ChipNetwork, placement: Placement, profile: HardwareProfile
) -> Iterator[Counted]:
    """Count every event of an activity, whether or not the profile has a constant for it."""
    for population in chip.populations:
        for event, spot in events_of(population, chip, placement, has_constant(profile.energy)):
            connection = "" if spot.connection is None else spot.connection.name
            yield Counted(event, population, connection, event.driver.count(spot, activity))


def left_out(
    counted: Sequence[Counted], samples: int, chip: ChipNetwork, placement: Placement, profile: HardwareProfile
) -> Iterator[Unmodelled]:
    """List what costs energy too and is in no row, per inference, each with its count where there is one."""
    for event in dict.fromkeys(c.event for c in counted):
        if event.constant(profile.energy) is None and event.name not in profile.included:
            known = [c.count for c in counted if c.event is event and c.count is not None]
            total = sum(known) / samples if known else None
            if total is None or total > 0:
                why = profile.absent.get(event.name, "no constant is published")
                yield Unmodelled(event.name, event.words, total, why)
    if profile.energy.hop_x is not None and profile.limits.mesh is None:
        yield Unmodelled("hops", "hops between cores", None, "how cores lie on the chip is not known")
    elif profile.energy.hop_x is not None:
        if any(population.neuron is None for population in chip.populations):
            yield Unmodelled("input_hops", "hops of input events", None, "where they enter the chip is not known")
        if placement.arrangement.chips > 1:
            why = "where chips join is not known"
            yield Unmodelled("hops_between_chips", "hops of messages that change chip", None, why)
    yield from _without_constant(chip, profile)


def _without_constant(chip: ChipNetwork, profile: HardwareProfile) -> Iterator[Unmodelled]:
    """List what is no event of the table and costs energy, unless the profile has it in a constant."""
    static, outside = profile.static_power, f"outside what {profile.name} describes"
    published = f"; {static.value:g} {static.unit} a chip, {static.where}" if static else ""
    why = "run time is not modelled" if profile.time is None else "estimated beside the total"
    steps = float(Schedule.of(chip, 1).stride)
    for item in (
        Unmodelled("static_power", "static power", None, f"{why}{published}"),
        Unmodelled("barrier", "synchronisation of the cores after each step", steps, "no energy is published"),
        Unmodelled("readout", "values that the host reads", float(chip.classes), outside),
        Unmodelled("host", "host, input and output, loading the network", None, outside),
    ):
        if item.event not in profile.included:
            yield item
