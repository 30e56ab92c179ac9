"""The energy of a student's spikes on a chip, differentiable through the surrogate gradient.

The coefficients are those of the energy estimator for the lowered network, so that the training is constrained by the
numbers of the report. For a student with integer arithmetic the sum equals the report's, event for event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..base.types import IntArray
from ..chip.fan_out import fan_out
from ..chip.network import ChipNetwork, Population
from ..energy import estimate as energy
from ..energy.estimate import Floor, PopulationCost, linear_cost
from ..lowering.lower import sketched
from ..lowering.split import wholes_of
from ..placing.placement import place
from ..profile.schema import CostUnit, HardwareProfile
from ..student.neurons import StudentOutput, events_of
from ..student.student import Student
from ..student.to_nir import to_nir


@dataclass(frozen=True, eq=False)
class CostReading:
    """Cost of one batch, per inference.

    Attributes:
        total: in the profile's unit (joules, or relative operations); differentiable.
        operations: synaptic operations; differentiable.
        spikes: by layer, spikes per inference (input events under the input's name).
        synaptic_ops: by layer that sends them, synaptic operations per inference.
    """

    total: Tensor
    operations: Tensor
    spikes: dict[str, float]
    synaptic_ops: dict[str, float]


class SpikeCost:
    """``cost = constant + active updates x cost of one + sum over neurons of spikes x cost of one``, per inference.

    A student with integer arithmetic counts its active updates. In floating point each update of a layer with biases
    counts as active, since batch normalisation becomes biases, and a compartment with a bias is active in every
    timestep; of a layer without, those that something reaches.
    """

    def __init__(self, chip: ChipNetwork, profile: HardwareProfile, unbiased: frozenset[str] = frozenset()) -> None:
        """The cost model of a network on a chip.

        Args:
            unbiased: layers without biases, of a student in floats.
        """
        self.unit: CostUnit = profile.cost_unit
        self.profile = profile
        self.input_name = chip.input.name
        self._unbiased = unbiased
        self._input_is_trained = chip.input.neuron is not None
        self._timesteps = chip.timesteps
        self._constant = 0.0
        self._extra: dict[str, tuple[float, float]] = {}
        self._per_spike: dict[str, Tensor] = {}
        self._fan_out: dict[str, Tensor] = {}
        placement = place(chip, profile)
        costs = linear_cost(placement, profile)
        for population in chip.populations:
            self._add(chip, population, costs[population.name])
        self._of_chip = energy.floor(placement, profile)

    def _add(self, chip: ChipNetwork, population: Population, cost: PopulationCost) -> None:
        updates = chip.timesteps * population.size
        reach = sum((fan_out(chip, c) for c in chip.out_of(population.name)), np.zeros(population.shape, np.int64))
        self._constant += updates * cost.per_update_inactive
        if population.role == "bias":  # they fire in every timestep
            self._constant += updates * cost.extra_per_active_update + chip.timesteps * float(np.sum(cost.per_spike))
            return
        per_spike = cost.per_spike
        if population.role == "relay":  # active where its source spiked, and at no other step
            per_spike = per_spike + cost.extra_per_active_update
        elif population.neuron is not None:  # the same for all parts of a layer
            layer, _ = wholes_of(chip).get(population.name, (population.name, None))
            _, before = self._extra.get(layer, (0.0, 0.0))
            self._extra[layer] = (cost.extra_per_active_update, before + float(updates))
        layer = _layer_behind(chip, population.name)
        whole, neurons = wholes_of(chip).get(layer, (layer, None))
        if neurons is not None:  # of a layer that was split
            size = sum(len(each) for name, each in wholes_of(chip).values() if name == whole)
            per_spike, reach = (_among(np.asarray(values), neurons, size) for values in (per_spike, reach))
        self._accumulate(self._per_spike, whole, per_spike)
        self._accumulate(self._fan_out, whole, reach)

    @classmethod
    def of(cls, student: Student, profile: HardwareProfile) -> SpikeCost:
        """The cost model of a student, which depends on its structure and not on its weights."""
        training = student.training
        chip = sketched(to_nir(student.eval()), profile)
        student.train(training)
        return cls(chip, profile, student.unbiased_layers)

    def read(self, output: StudentOutput) -> CostReading:
        """The cost of one forward pass, per inference."""
        total = output.scores.new_full((), self._constant)
        operations = output.scores.new_zeros(())
        active, on_integers = output.mean_active or {}, output.reading.scale is not None
        for name, (each, all_updates) in self._extra.items():
            total = total + each * (active[name] if on_integers else active.get(name, all_updates))
        spikes, by_layer = {}, {}
        for name, per_spike in self._per_spike.items():
            counts = self._mean_counts(name, output)
            if counts is None:
                continue
            sent = (counts * self._fan_out[name].to(counts).reshape(counts.shape)).sum()
            total = total + (counts * per_spike.to(counts).reshape(counts.shape)).sum()
            operations = operations + sent
            spikes[name], by_layer[name] = float(counts.detach().sum()), float(sent.detach())
        return CostReading(total, operations, spikes, by_layer)

    def floor(self, drive: Tensor, exact: bool = False) -> Floor:
        """The energy floor, without hidden spikes: neuron updates, and input events that the data fix.

        Args:
            drive: encoded samples ``(1 or T, B, *input shape)``.
            exact: count only compartments with a bias as active, as the report does; else those of every layer that
                may get biases.
        """
        extra = sum(each * updates for name, (each, updates) in self._extra.items() if name not in self._unbiased)
        updates = self._of_chip.updates if exact else self._constant + extra
        inputs = 0.0 if not exact else self._of_chip.inputs
        if not self._input_is_trained:
            events = events_of(drive, self._timesteps)
            inputs += float((events * self._per_spike[self.input_name].to(events)).sum())
        return Floor(updates, inputs, self._of_chip.neurons, self._timesteps)

    def operations_floor(self, drive: Tensor) -> float:
        """Synaptic operations of input events, if the data fix these; else 0."""
        if self._input_is_trained:
            return 0.0
        events = events_of(drive, self._timesteps)
        return float((events * self._fan_out[self.input_name].to(events)).sum())

    def _mean_counts(self, name: str, output: StudentOutput) -> Tensor | None:
        if name in output.spikes:
            return output.mean_counts[name]
        if name == self.input_name:
            return output.mean_events
        return output.mean_resets.get(name)  # of a readout that overflowed; a membrane readout sends no spikes

    @staticmethod
    def _accumulate(into: dict[str, Tensor], layer: str, values: npt.NDArray[np.float64] | IntArray) -> None:
        tensor = torch.as_tensor(np.asarray(values, dtype=np.float32))
        into[layer] = into[layer] + tensor if layer in into else tensor


def _among(values: npt.NDArray[Any], neurons: IntArray, size: int) -> npt.NDArray[Any]:
    """The values of some neurons of a layer of ``size`` at their places, zeros at the others, ``(size,)``."""
    whole = np.zeros(size, values.dtype)
    whole[neurons] = values.reshape(-1)
    return whole


def _layer_behind(chip: ChipNetwork, name: str) -> str:
    """The layer whose spikes a population repeats: itself, unless it is a relay."""
    while chip.by_name[name].role == "relay":
        name = chip.into(name)[0].source
    return name
