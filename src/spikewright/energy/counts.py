"""How often each event happens, by population and connection; and what happens that no constant covers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..base.types import IntArray
from ..chip.activity import Activity
from ..chip.network import ChipNetwork, Connection, Population
from ..chip.schedule import Schedule
from ..placing.placement import Placement
from ..profile.schema import Energy, HardwareProfile
from .report import WORDS, Unmodelled


@dataclass(frozen=True)
class Counted:
    """So many of one event, in a whole activity; ``None`` where they cannot be counted."""

    event: str
    population: Population
    count: float | None
    connection: str = ""


def synaptic_event(chip: ChipNetwork, connection: Connection, energy: Energy) -> str:
    """Which of the profile's synaptic constants a connection is charged."""
    if chip.by_name[connection.source].payload_bits and energy.synaptic_op_graded is not None:
        return "synaptic_op_graded"
    if connection.conv is not None and energy.synaptic_op_conv is not None:
        return "synaptic_op_conv"
    return "synaptic_op"


def reading_event(connection: Connection, energy: Energy) -> str | None:
    """Which of the profile's constants a spike is charged for entering a connection, None where it has none."""
    if connection.conv is not None and energy.spike_read_conv is not None:
        return "spike_read_conv"
    return None if energy.spike_read is None else "spike_read"


def every_event(
    activity: Activity, chip: ChipNetwork, placement: Placement, profile: HardwareProfile
) -> Iterator[Counted]:
    """Every event of an activity, whether or not the profile has a constant for it."""
    energy = profile.energy
    has_cores = profile.limits.neurons_per_core is not None
    for population in chip.populations:
        seen = activity.populations[population.name]
        if population.neuron is None:
            yield Counted("input_event", population, float(np.sum(seen.spikes)))
        else:
            yield from _updates(population, seen.updates, seen.active_updates, energy)
            yield Counted("spike_out", population, float(np.sum(seen.spikes)))
        for connection in chip.out_of(population.name):
            event = synaptic_event(chip, connection, energy)
            yield Counted(event, population, float(activity.synaptic_ops[connection.name]), connection.name)
            if (reading := reading_event(connection, energy)) is not None:
                yield Counted(reading, population, float(np.sum(seen.spikes)), connection.name)
            for event, each in _travel(placement, connection, has_cores):
                yield Counted(event, population, _weighted(seen.spikes, each), connection.name)


def _travel(placement: Placement, connection: Connection, has_cores: bool) -> Iterator[tuple[str, IntArray | None]]:
    """How far a spike of each source goes, by event; None where that is not known."""
    yield "message", placement.destinations(connection) if has_cores else None
    yield "hop_x", placement.hops_x(connection)
    yield "hop_y", placement.hops_y(connection)
    if placement.arrangement.chips > 1:
        yield "chip_crossing", placement.crossings(connection)


def _updates(population: Population, updates: int, active: int, energy: Energy) -> Iterator[Counted]:
    if energy.neuron_access is not None or energy.neuron_active_extra is not None:
        yield Counted("neuron_access", population, float(updates))
        yield Counted("neuron_active_extra", population, float(active))
    else:
        yield Counted("neuron_update_active", population, float(active))
        yield Counted("neuron_update_inactive", population, float(updates - active))


def _weighted(spikes: IntArray, each: IntArray | None) -> float | None:
    return None if each is None else float(np.sum(spikes * each))


def left_out(
    counted: Sequence[Counted], samples: int, chip: ChipNetwork, placement: Placement, profile: HardwareProfile
) -> Iterator[Unmodelled]:
    """What costs energy too and is in no row, per inference, each with its count where there is one."""
    for event in dict.fromkeys(c.event for c in counted):
        if getattr(profile.energy, event) is None and event not in profile.included:
            known = [c.count for c in counted if c.event == event and c.count is not None]
            total = sum(known) / samples if known else None
            if total is None or total > 0:
                yield Unmodelled(event, WORDS[event], total, profile.absent.get(event, "no constant is published"))
    if profile.energy.hop_x is not None and profile.limits.mesh is None:
        yield Unmodelled("hops", "hops between cores", None, "how cores lie on the chip is not known")
    elif profile.energy.hop_x is not None:
        if any(c.population.neuron is None for c in counted):
            yield Unmodelled("input_hops", "hops of input events", None, "where they enter the chip is not known")
        if placement.arrangement.chips > 1:
            why = "where chips join is not known"
            yield Unmodelled("hops_between_chips", "hops of messages that change chip", None, why)
    yield from _without_constant(chip, profile)


def _without_constant(chip: ChipNetwork, profile: HardwareProfile) -> Iterator[Unmodelled]:
    """What costs energy and has no constant of its own, unless the profile has it in another one."""
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
