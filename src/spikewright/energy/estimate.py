"""What the counted events cost: the one estimator, exact in the report and linear for training.

``E = sum over events of count x constant``; events that the profile has no constant for are listed with their counts,
never taken as zero. Everything is per inference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..base.errors import refuse
from ..chip.activity import Activity
from ..chip.fan_out import fan_out
from ..chip.network import ChipNetwork, Connection, Population
from ..placing.placement import Placement
from ..profile.schema import Constant, Energy, HardwareProfile
from ..profile.units import Budget, parse_budget, quantity
from .counts import Counted, every_event, left_out, reading_event, synaptic_event
from .report import EnergyReport, EnergyRow, Part, Spikes

__all__ = ["Budget", "Floor", "PopulationCost", "estimate", "floor", "linear_cost", "parse_budget"]

from ..base.types import FloatArray


@dataclass(frozen=True, eq=False)
class PopulationCost:
    """What a population's spikes and updates cost, in the profile's unit.

    ``cost = sum(spikes x per_spike) + updates x per_update_inactive + active updates x extra_per_active_update``.

    Attributes:
        per_spike: float64, population shape: all that one spike sets off (or one injected input event).
    """

    per_spike: FloatArray
    per_update_inactive: float
    extra_per_active_update: float


@dataclass(frozen=True)
class Floor:
    """What an inference costs when no hidden neuron ever fires; no network of this shape can spend less.

    Attributes:
        updates: of every compartment at every step; ``extra`` of it for compartments kept active by their bias.
        inputs: input events, and the always-on bias axons.
    """

    updates: float
    inputs: float
    unit: str
    neurons: int
    timesteps: int

    @property
    def total(self) -> float:
        """The floor."""
        return self.updates + self.inputs

    def sentence(self, budget: Budget, profile: str) -> str:
        """Why ``budget`` cannot be met, and what would lower the floor."""
        total, updates, inputs = (quantity(e, budget.unit) for e in (self.total, self.updates, self.inputs))
        steps = f"{self.timesteps} steps" if self.timesteps > 1 else "1 step"
        remedies = ["fewer timesteps"] * (self.timesteps > 1) + ["fewer neurons"]
        remedies += ["an encoding with fewer input events"] * (self.inputs > 0)
        *most, last = remedies
        return (
            f"--energy-budget {budget}: is below the floor of {total} on {profile}: before any hidden neuron fires, "
            f"{updates} go into updating {self.neurons} neurons at {steps}"
            f"{f' and {inputs} into input events' if self.inputs else ''}; "
            f"{' or '.join([', '.join(most), last] if most else [last])} lower it"
        )


def estimate(activity: Activity, chip: ChipNetwork, placement: Placement, profile: HardwareProfile) -> EnergyReport:
    """The energy of one inference, event by event.

    Synaptic operations, messages and hops are charged to the population that sends the spike.

    Raises:
        InputError: the activity is not of this network, or counts no samples.
    """
    refuse("activity", list(_mismatches(activity, chip)))
    counted = list(every_event(activity, chip, placement, profile))
    rows = tuple(
        _row(c, constant, activity.samples)
        for c in counted
        if c.count and (constant := getattr(profile.energy, c.event)) is not None
    )
    events = activity.populations[chip.input.name].spikes / activity.samples
    return EnergyReport(
        profile=profile,
        rows=rows,
        not_modelled=tuple(left_out(counted, activity.samples, chip, placement, profile)),
        floor=floor(chip, placement, profile, events).total,
        spikes=tuple(_spikes(activity, chip)),
        synaptic_ops=activity.total_synaptic_ops / activity.samples,
        samples=activity.samples,
        timesteps=activity.timesteps,
        accuracy=activity.accuracy,
        backend=activity.backend,
        split=activity.split,
        fit=placement.worst,
        binding=placement.binding,
        placement=placement,
    )


def linear_cost(chip: ChipNetwork, placement: Placement, profile: HardwareProfile) -> dict[str, PopulationCost]:
    """The estimator as coefficients of spike and update counts, for training.

    Over a whole activity the sum over populations equals ``estimate(...).total x samples``.
    """
    energy = profile.energy
    idle = _cost(energy.neuron_update_inactive) + _cost(energy.neuron_access)
    extra = (
        _cost(energy.neuron_update_active) - _cost(energy.neuron_update_inactive) + _cost(energy.neuron_active_extra)
    )
    costs = {}
    for population in chip.populations:
        own = _cost(energy.input_event if population.neuron is None else energy.spike_out)
        per_spike = np.full(population.shape, own, dtype=np.float64)
        for connection in chip.out_of(population.name):
            per_spike += _per_spike(chip, connection, placement, energy)
        on_chip = population.neuron is not None
        costs[population.name] = PopulationCost(per_spike, idle if on_chip else 0.0, extra if on_chip else 0.0)
    return costs


def floor(
    chip: ChipNetwork, placement: Placement, profile: HardwareProfile, input_spikes: npt.ArrayLike | None = None
) -> Floor:
    """What an inference costs before any hidden neuron fires.

    Args:
        input_spikes: spikes of the input population in one inference (a mean over samples, say), its shape.
    """
    costs = linear_cost(chip, placement, profile)
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
    return Floor(float(updates), float(inputs), profile.cost_unit, sum(p.size for p in neurons), chip.timesteps)


def _per_spike(chip: ChipNetwork, connection: Connection, placement: Placement, energy: Energy) -> FloatArray:
    """What one spike of each source sets off in one connection, shape of the source population."""
    cost = _cost(getattr(energy, synaptic_event(chip, connection, energy))) * fan_out(chip, connection)
    if (event := reading_event(connection, energy)) is not None:
        cost = cost + _cost(getattr(energy, event))
    cost = cost + _cost(energy.message) * placement.destinations(connection)
    travel = (
        (energy.hop_x, placement.hops_x),
        (energy.hop_y, placement.hops_y),
        (energy.chip_crossing, placement.crossings),
    )
    for constant, way in travel:
        if constant is not None and (crossed := way(connection)) is not None:
            cost = cost + constant.cost * crossed
    return np.asarray(cost, dtype=np.float64)


def _row(counted: Counted, constant: Constant, samples: int) -> EnergyRow:
    assert counted.count is not None
    return EnergyRow(
        event=counted.event,
        part=_part(counted.population),
        population=counted.population.name,
        connection=counted.connection,
        count=counted.count / samples,
        constant=constant.cost,
        source=f"{constant.source}, {constant.where}",
        kind=constant.kind,
        scope=constant.scope,
    )


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


def _cost(constant: Constant | None) -> float:
    return constant.cost if constant is not None else 0.0
