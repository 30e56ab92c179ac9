"""An integer network in the terms of NeuroBench, so that it can stand beside results of others.

Definitions are those of NeuroBench 2.3.0 (`metrics/workload/synaptic_operations.py`, `activation_sparsity.py`;
`metrics/static/connection_sparsity.py`, `footprint.py`), applied to what the chip runs: relays and bias neurons that
lowering added count as they are. Joules have no place in them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ..chip.activity import Activity
from ..chip.fan_out import fan_out, fan_out_of_weights
from ..chip.network import ChipNetwork

BIAS_BITS = 13
REGISTER_BITS = 12 + 12 + 17 + 3
"""Of each population: current decay, voltage decay, threshold and bias exponent."""


@dataclass(frozen=True)
class NeuroBench:
    """Per inference, or of the network.

    Attributes:
        effective_acs: non-zero inputs x non-zero weights where spikes are binary; ``effective_macs`` where they are
            graded. Biases are no operations.
        dense: operations if every input and every weight were used, at every step.
        activation_sparsity: share of updates of firing neurons that end without a spike.
        connection_sparsity: share of weights that are zero, a kernel's counted once.
        parameters: weights and biases.
        footprint_bytes: parameters and registers, at their widths on the chip.
    """

    effective_acs: float
    effective_macs: float
    dense: float
    activation_sparsity: float
    connection_sparsity: float
    parameters: int
    footprint_bytes: float

    def sentence(self) -> str:
        """The metrics in one sentence, for reports."""
        return (
            f"NeuroBench: {self.effective_acs:,.0f} effective ACs, {self.effective_macs:,.0f} effective MACs, "
            f"{self.dense:,.0f} dense; sparsity {self.activation_sparsity:.3f} of activations and "
            f"{self.connection_sparsity:.3f} of connections; {self.parameters:,} parameters, "
            f"{self.footprint_bytes / 1024:,.1f} KiB"
        )


def neurobench_of(activity: Activity, chip: ChipNetwork) -> NeuroBench:
    """NeuroBench's metrics of ``chip``, with what ``activity`` counted on it."""
    graded = {p.name for p in chip.populations if p.payload_bits}
    effective = {False: 0, True: 0}
    for connection in chip.connections:
        spikes = activity.populations[connection.source].spikes
        effective[connection.source in graded] += int(np.sum(spikes * fan_out_of_weights(chip, connection)))
    firing = [activity.populations[p.name] for p in chip.populations if p.neuron is not None and p.neuron.fires]
    updates, spikes_fired = sum(p.updates for p in firing), sum(int(p.spikes.sum()) for p in firing)
    weights = sum(prod(c.shape) for c in chip.connections)
    neurons = [p.neuron for p in chip.populations if p.neuron is not None]
    biases = sum(int(np.count_nonzero(neuron.bias)) for neuron in neurons)
    bits = sum(prod(c.shape) * c.weight_bits for c in chip.connections)
    bits += BIAS_BITS * biases + REGISTER_BITS * len(neurons)
    return NeuroBench(
        effective_acs=effective[False] / activity.samples,
        effective_macs=effective[True] / activity.samples,
        dense=float(chip.timesteps * sum(int(fan_out(chip, c).sum()) for c in chip.connections)),
        activation_sparsity=1 - spikes_fired / updates if updates else 0.0,
        connection_sparsity=1 - sum(int(np.count_nonzero(c.packed.values)) for c in chip.connections) / max(weights, 1),
        parameters=weights + biases,
        footprint_bytes=bits / 8,
    )
