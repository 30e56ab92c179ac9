"""What the counted events cost: the one estimator, exact in the report and linear for training.

``E = sum over events of count x constant``; events that the profile has no constant for are listed with their counts,
never taken as zero. Everything is per inference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..base.errors import arg, refuse
from ..base.types import FloatArray
from ..chip.activity import Activity
from ..chip.fan_out import fan_out, fan_out_of_weights
from ..chip.network import ChipNetwork, Population, Schedule
from ..placing.placement import Placement
from ..profile.schema import HardwareProfile
from ..profile.units import Amount, quantity
from .events import Event, Spot, events_of
from .report import EnergyReport, EnergyRow, Part, Spikes, StateResets, Unmodelled, ZeroWeights

_Counted = tuple[Event, Spot, float | None]
"""An event, where it happens, and how many of it a whole activity has; None where they cannot be counted."""


@dataclass(frozen=True, eq=False)
class PopulationCost:
    """What a population's spikes and updates cost, in the profile's unit.

    ``cost = sum(spikes x per_spike) + updates x per_update_inactive + active updates x extra_per_active_update``.

    Attributes:
        per_spike: float64, population shape: the cost of all events that one spike (or injected input event) sets off.
    """

    per_spike: FloatArray
    per_update_inactive: float
    extra_per_active_update: float


@dataclass(frozen=True)
class Floor:
    """What an inference costs when no hidden neuron ever fires; no network of this shape can spend less.

    Attributes:
        updates: cost of updating every compartment at every step; those with a bias count as active.
        inputs: cost of the input events, and of the bias axons, which spike at every step.
    """

    updates: float
    inputs: float
    neurons: int
    timesteps: int

    @property
    def total(self) -> float:
        """The energy floor of an inference: updates and input events."""
        return self.updates + self.inputs

    def sentence(self, budget: Amount, profile: str) -> str:
        """Why ``budget`` cannot be met, and what would lower the floor; a message for :class:`InputError`."""
        total, updates, inputs = (quantity(e, budget.unit) for e in (self.total, self.updates, self.inputs))
        steps = f"{self.timesteps} steps" if self.timesteps > 1 else "1 step"
        remedies = ["fewer timesteps"] * (self.timesteps > 1) + ["fewer neurons"]
        remedies += ["an encoding with fewer input events"] * (self.inputs > 0)
        *most, last = remedies
        return (
            f"{arg('energy_budget', budget)}: is below the floor of {total} on {profile}: before any hidden neuron "
            f"fires, {updates} go into updating {self.neurons} neurons at {steps}"
            f"{f' and {inputs} into input events' if self.inputs else ''}; "
            f"{' or '.join([', '.join(most), last] if most else [last])} lower it"
        )


def estimate(activity: Activity, placement: Placement, profile: HardwareProfile) -> EnergyReport:
    """Estimate the energy of one inference, event by event.

    Synaptic operations, messages and hops are charged to the population that sends the spike.

    Raises:
        InputError: the activity is not of this network, or counts no samples.
    """
    chip = placement.chip
    refuse("activity", list(_mismatches(activity, chip)))
    counted = [
        (event, spot, event.driver.count(spot, activity))
        for population in chip.populations
        for event, spot in events_of(population, placement, profile.energy.given())
    ]
    events = activity.populations[chip.input.name].spikes / activity.samples
    return EnergyReport(
        profile=profile,
        rows=tuple(_rows(counted, activity.samples, profile)),
        not_modelled=tuple(_left_out(counted, activity.samples, placement, profile)),
        floor=floor(placement, profile, events).total,
        spikes=tuple(_spikes(activity, chip)),
        synaptic_ops=activity.total_synaptic_ops / activity.samples,
        samples=activity.samples,
        timesteps=activity.timesteps,
        accuracy=activity.accuracy,
        backend=activity.backend,
        split=activity.split,
        quality=None if activity.quality is None else activity.quality.padded(chip.classes),
        outputs=chip.meaning,
        resets=_resets(placement, profile),
        zeros=_zeros(counted, activity, profile),
    )


def linear_cost(placement: Placement, profile: HardwareProfile) -> dict[str, PopulationCost]:
    """The estimator as coefficients of spike and update counts by population, for training.

    Over a whole activity the sum over populations equals ``estimate(...).total x samples``.
    """
    return {population.name: _linear(population, placement, profile) for population in placement.chip.populations}


def _linear(population: Population, placement: Placement, profile: HardwareProfile) -> PopulationCost:
    """Sum the linear forms of a population's events, each times its constant."""
    per_update = per_active_update = 0.0
    per_spike: dict[str, FloatArray] = {"": np.zeros(population.shape)}
    for event, spot in events_of(population, placement, profile.energy.given()):
        constant, driver = event.constant(profile.energy), event.driver
        if constant is None:
            continue
        per_update += driver.per_update * constant.cost
        per_active_update += driver.per_active_update * constant.cost
        if (each := driver.per_spike(spot)) is not None:
            connection = "" if spot.connection is None else spot.connection.name
            so_far = per_spike.get(connection, np.zeros(population.shape))
            per_spike[connection] = so_far + constant.cost * each
    return PopulationCost(np.asarray(sum(per_spike.values())), per_update, per_active_update)


def floor(placement: Placement, profile: HardwareProfile, input_spikes: npt.ArrayLike | None = None) -> Floor:
    """What an inference costs before any hidden neuron fires.

    Args:
        input_spikes: spikes of the input population in one inference (a mean over samples, say), its shape.
    """
    chip, costs = placement.chip, linear_cost(placement, profile)
    updates = inputs = 0.0
    neurons = [p for p in chip.populations if p.neuron is not None]
    for population in neurons:
        assert population.neuron is not None
        cost = costs[population.name]
        kept_active = np.count_nonzero(population.neuron.bias)
        each_step = population.size * cost.per_update_inactive + kept_active * cost.extra_per_active_update
        updates += chip.timesteps * each_step
        if population.role == "bias":
            inputs += chip.timesteps * float(np.sum(cost.per_spike))
    if input_spikes is not None:
        inputs += float(np.sum(np.asarray(input_spikes, dtype=np.float64) * costs[chip.input.name].per_spike))
    return Floor(float(updates), float(inputs), sum(p.size for p in neurons), chip.timesteps)


def _rows(counted: Sequence[_Counted], samples: int, profile: HardwareProfile) -> Iterator[EnergyRow]:
    for event, spot, count in counted:
        constant = event.constant(profile.energy)
        if not count or constant is None:
            continue
        yield EnergyRow(
            event=event,
            part=_part(spot.population),
            population=spot.population.name,
            connection="" if spot.connection is None else spot.connection.name,
            count=count / samples,
            constant=constant.cost,
            source=f"{constant.source}, {constant.where}",
            kind=constant.kind,
            scope=constant.scope,
        )


def _left_out(
    counted: Sequence[_Counted], samples: int, placement: Placement, profile: HardwareProfile
) -> Iterator[Unmodelled]:
    """List what costs energy too and is in no row, per inference, each with its count where there is one."""
    for event in dict.fromkeys(event for event, _, _ in counted):
        if event.constant(profile.energy) is None and event.name not in profile.included:
            known = [count for each, _, count in counted if each is event and count is not None]
            total = sum(known) / samples if known else None
            if total is None or total > 0:
                why = profile.absent.get(event.name, "no constant is published")
                yield Unmodelled(event.name, event.words, total, why)
    if profile.energy.hop_x is not None and profile.limits.mesh is None:
        yield Unmodelled("hops", "hops between cores", None, "how cores lie on the chip is not known")
    elif profile.energy.hop_x is not None:
        if any(population.neuron is None for population in placement.chip.populations):
            yield Unmodelled("input_hops", "hops of input events", None, "where they enter the chip is not known")
        if placement.arrangement.chips > 1:
            why = "where chips join is not known"
            yield Unmodelled("hops_between_chips", "hops of messages that change chip", None, why)
    yield from (item for item in _without_events(placement, profile) if item.event not in profile.included)


def _resets(placement: Placement, profile: HardwareProfile) -> StateResets | None:
    reset = profile.state_reset
    if reset is None or not profile.keeps_states:
        return None
    return StateResets(placement.arrangement.chips, reset.joules, f"{reset.source}, {reset.where}", reset.kind)


def _zeros(counted: Sequence[_Counted], activity: Activity, profile: HardwareProfile) -> ZeroWeights:
    """Synaptic operations at weights of zero, per inference; a chip's table holds such weights like any others."""
    operations = energy = 0.0
    for event, spot, _ in counted:
        if not event.is_synaptic:
            continue
        chip, constant = spot.placement.chip, event.constant(profile.energy)
        unused = fan_out(chip, spot.outgoing) - fan_out_of_weights(chip, spot.outgoing)
        visits = float(np.sum(activity.populations[spot.population.name].spikes * unused)) / activity.samples
        operations += visits
        energy += 0.0 if constant is None else visits * constant.cost
    return ZeroWeights(operations, energy)


def _without_events(placement: Placement, profile: HardwareProfile) -> Iterator[Unmodelled]:
    """What is no event of the table and costs energy, unless the profile has it in a constant."""
    chip = placement.chip
    static, outside = profile.static_power, f"outside what {profile.name} describes"
    published = f"; {static.value:g} {static.unit} a chip, {static.where}" if static else ""
    why = "run time is not modelled" if profile.time is None else "estimated beside the total"
    steps = float(Schedule.of(chip, 1).stride)
    yield Unmodelled("static_power", "static power", None, f"{why}{published}")
    yield Unmodelled("barrier", "synchronisation of the cores after each step", steps, "no energy is published")
    if profile.keeps_states:
        why = profile.absent.get("state_reset", "no energy is published")
        if (reset := profile.state_reset) is not None:
            why = f"estimated beside the total; {reset.value:g} {reset.unit} a chip, {reset.source}, {reset.where}"
        resets = float(placement.arrangement.chips)
        yield Unmodelled("state_reset", "resets of a chip's states before an inference", resets, why)
    yield Unmodelled("readout", "values that the host reads", float(chip.outputs), outside)
    yield Unmodelled("host", "host, input and output, loading the network", None, outside)


def _part(population: Population) -> Part:
    return "input" if population.role == "input" else "readout" if population.role == "readout" else "hidden"


def _spikes(activity: Activity, chip: ChipNetwork) -> Iterator[Spikes]:
    for population in chip.populations:
        seen = activity.populations[population.name]
        yield Spikes(
            population=population.name,
            part=_part(population),
            role=population.role,
            neurons=population.size,
            spikes=float(np.sum(seen.spikes)) / activity.samples,
            updates=seen.updates / activity.samples,
            synaptic_ops=sum(activity.synaptic_ops[c.name] for c in chip.out_of(population.name)) / activity.samples,
        )


def _mismatches(activity: Activity, chip: ChipNetwork) -> Iterator[str]:
    if activity.samples < 1:
        yield "counts no samples; simulate at least one"
    if activity.timesteps != chip.timesteps:
        yield f"has {activity.timesteps} timesteps; the network has {chip.timesteps}"
    if (largest := activity.largest_class) is not None and chip.meaning.is_classes and largest >= chip.classes:
        yield f"counts answers of class {largest}; the network has classes 0 to {chip.classes - 1}"
    names = {p.name: p for p in chip.populations}
    if activity.populations.keys() != names.keys():
        yield f"counts populations {', '.join(activity.populations)}; the network has {', '.join(names)}"
        return
    if activity.synaptic_ops.keys() != {c.name for c in chip.connections}:
        yield (
            f"counts connections {', '.join(activity.synaptic_ops)}; the network has "
            f"{', '.join(c.name for c in chip.connections)}"
        )
    for name, seen in activity.populations.items():
        if seen.spikes.shape != names[name].shape:
            yield f"{name}: counts spikes of shape {seen.spikes.shape}; the population has {names[name].shape}"
