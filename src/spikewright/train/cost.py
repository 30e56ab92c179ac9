"""What a student's spikes will cost on a chip, differentiable through the surrogate gradient.

The coefficients come from the profile's own estimator over the lowered network, so training is held to the very
numbers that the report will multiply.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ..chip import ChipNetwork, IntArray
from ..convert.to_nir import to_nir
from ..deploy.fan_out import fan_out
from ..deploy.lower import lower
from ..deploy.placement import place
from ..energy import Floor, linear_cost
from ..hardware_profiles.schema import CostUnit, HardwareProfile
from .student import Student, StudentOutput


@dataclass(frozen=True)
class CostReading:
    """Cost of one batch, per inference.

    Attributes:
        total: in the profile's unit (joules, or relative operations); differentiable.
        spikes: by layer, spikes per inference (input events under the input's name).
        synaptic_ops: by layer that sends them, synaptic operations per inference.
    """

    total: Tensor
    spikes: dict[str, float]
    synaptic_ops: dict[str, float]


class SpikeCost:
    """``cost = constant + sum over layers and neurons of spikes x cost of one spike``, per inference.

    The constant holds every compartment update, each counted as active: batch normalisation folds into biases, and a
    compartment with a bias has something to do at every step. The report counts them one by one.
    """

    def __init__(self, chip: ChipNetwork, profile: HardwareProfile) -> None:
        self.unit: CostUnit = profile.cost_unit
        self.input_name = chip.input.name
        self._input_is_trained = chip.input.neuron is not None
        self._timesteps = chip.timesteps
        self._neurons = sum(p.size for p in chip.populations if p.neuron is not None)
        self._updates = self._bias_axons = 0.0
        costs = linear_cost(chip, place(chip, profile), profile)
        self._per_spike: dict[str, Tensor] = {}
        self._fan_out: dict[str, Tensor] = {}
        for population in chip.populations:
            cost = costs[population.name]
            if population.neuron is not None:
                each = cost.per_update_inactive + cost.extra_per_active_update
                self._updates += chip.timesteps * population.size * each
            reach = sum((fan_out(chip, c) for c in chip.out_of(population.name)), np.zeros(population.shape, np.int64))
            if population.role == "bias":
                self._bias_axons += chip.timesteps * float(np.sum(cost.per_spike))
                continue
            layer = _layer_behind(chip, population.name)
            self._accumulate(self._per_spike, layer, cost.per_spike)
            self._accumulate(self._fan_out, layer, reach)

    @classmethod
    def of(cls, student: Student, profile: HardwareProfile) -> SpikeCost:
        """The cost of ``student``'s structure; its weights do not matter."""
        training = student.training
        chip = lower(to_nir(student.eval()), profile)
        student.train(training)
        return cls(chip, profile)

    def read(self, output: StudentOutput) -> CostReading:
        """Cost of one forward pass."""
        total = torch.full((), self._updates + self._bias_axons, dtype=torch.float32, device=output.scores.device)
        spikes, operations = {}, {}
        for name, per_spike in self._per_spike.items():
            counts = self._mean_counts(name, output)
            if counts is None:
                continue
            total = total + (counts * per_spike.to(counts)).sum()
            with torch.no_grad():
                spikes[name] = float(counts.sum())
                operations[name] = float((counts * self._fan_out[name].to(counts)).sum())
        return CostReading(total, spikes, operations)

    def floor(self, drive: Tensor) -> Floor:
        """What an inference costs before any hidden layer spikes: updates, and input events that the data fixes.

        Args:
            drive: encoded samples ``(1 or T, B, *input shape)``.
        """
        inputs = self._bias_axons
        if not self._input_is_trained:
            events = _input_events(drive, self._timesteps)
            inputs += float((events * self._per_spike[self.input_name].to(events)).sum())
        return Floor(self._updates, inputs, self.unit, self._neurons, self._timesteps)

    def _mean_counts(self, name: str, output: StudentOutput) -> Tensor | None:
        if name in output.spikes:
            return output.spikes[name].sum(0).mean(0)
        if name == self.input_name:
            return _input_events(output.drive, self._timesteps)
        return None  # the membrane readout, which sends no spikes

    @staticmethod
    def _accumulate(into: dict[str, Tensor], layer: str, values: npt.NDArray[np.float64] | IntArray) -> None:
        tensor = torch.as_tensor(np.asarray(values, dtype=np.float32))
        into[layer] = into[layer] + tensor if layer in into else tensor


def _input_events(drive: Tensor, timesteps: int) -> Tensor:
    """Events per inference of each input line: a payload of zero sends nothing."""
    repeats = timesteps if drive.shape[0] == 1 else 1
    return (drive != 0).to(torch.float32).sum(0).mean(0) * repeats


def _layer_behind(chip: ChipNetwork, name: str) -> str:
    """The layer whose spikes a population repeats: itself, unless it is a relay."""
    while chip.by_name[name].role == "relay":
        name = chip.into(name)[0].source
    return name
