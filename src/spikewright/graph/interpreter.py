"""A small reference interpreter: what a NIR graph computes, step by step, by forward Euler.

It is here to be plainly right, not fast: the export compares its file with the student through it, and the lowering
compares its folded weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import nir
import torch
from torch import Tensor

from .nodes import NEURONS, Law, apply, law_of, tensor
from .wiring import Wiring


@dataclass(frozen=True, eq=False)
class GraphTrace:
    """What each neuron node did.

    Attributes:
        spikes: by name of a neuron that fires, 0 and 1, shape ``(T, B, *shape)``.
        membranes: by name of a neuron, after the step and before a reset, same shape.
    """

    spikes: dict[str, Tensor]
    membranes: dict[str, Tensor]

    def scores(self, readout: str) -> Tensor:
        """What a readout answers, ``(B, K)``: its spike counts, or its membrane after the last step."""
        return self.spikes[readout].sum(0) if readout in self.spikes else self.membranes[readout][-1]


def interpret(wiring: Wiring, drive: Tensor, dt_s: float, timesteps: int) -> GraphTrace:
    """Run a graph from rest; delayed edges bring what their source gave one step before.

    Args:
        drive: what the input node gives, ``(T, B, *input shape)`` or ``(1, B, *input shape)`` for the same at every
            step; its type (float64 to compare) is what is computed in.
    """
    states = {name: _Neuron(law_of(wiring.nodes[name], dt_s, wiring.shapes[name][0]), drive) for name in wiring.neurons}
    spikes: dict[str, list[Tensor]] = {name: [] for name in wiring.neurons if states[name].law.threshold is not None}
    membranes: dict[str, list[Tensor]] = {name: [] for name in wiring.neurons}
    last = _at_rest(wiring, drive)
    for step in range(timesteps):
        values: dict[str, Tensor] = {}
        for name, node in wiring.nodes.items():
            if isinstance(node, nir.Input):
                values[name] = drive[step if drive.shape[0] > 1 else 0]
                continue
            arriving = _sum((last if (s, name) in wiring.delayed else values)[s] for s in wiring.into(name))
            if isinstance(node, NEURONS):
                values[name] = states[name].advance(arriving)
                membranes[name].append(states[name].membrane)
                if name in spikes:
                    spikes[name].append(values[name])
            else:
                values[name] = arriving if isinstance(node, nir.Output) else apply(node, arriving)
        last = values
    return GraphTrace(
        spikes={name: torch.stack(steps) for name, steps in spikes.items()},
        membranes={name: torch.stack(steps) for name, steps in membranes.items()},
    )


def at_rest(wiring: Wiring, like: Tensor) -> dict[str, Tensor]:
    """What every node gives when nothing spikes and nothing comes in: biases, pushed through; each ``(1, *shape)``."""
    values: dict[str, Tensor] = {}

    def value_of(name: str) -> Tensor:
        if name not in values:
            node = wiring.nodes[name]
            if isinstance(node, (nir.Input, *NEURONS)):
                values[name] = torch.zeros(1, *wiring.shapes[name][1]).to(like)
            else:
                arriving = _sum(value_of(source) for source in wiring.into(name))
                values[name] = arriving if isinstance(node, nir.Output) else apply(node, arriving)
        return values[name]

    return {name: value_of(name) for name in wiring.nodes}


def _at_rest(wiring: Wiring, drive: Tensor) -> dict[str, Tensor]:
    batch = drive.shape[1]
    return {name: value.expand(batch, *value.shape[1:]) for name, value in at_rest(wiring, drive).items()}


def _sum(values: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, values)


class _Neuron:
    """The state of one neuron node and its step."""

    def __init__(self, law: Law, like: Tensor) -> None:
        self.law = law
        self.keep_u, self.gain_u = tensor(1 - law.leak_u, like), tensor(law.gain_u, like)
        self.keep_v, self.gain_v = tensor(1 - law.leak_v, like), tensor(law.gain_v, like)
        self.drift, self.v_reset = tensor(law.drift, like), tensor(law.v_reset, like)
        self.threshold = None if law.threshold is None else tensor(law.threshold, like)
        self.u = self.v = self.membrane = torch.zeros(like.shape[1], *law.leak_v.shape).to(like)

    def advance(self, current: Tensor) -> Tensor:
        """One step; returns the spikes, or the membrane potential of a neuron that does not fire."""
        self.u = self.keep_u * self.u + self.gain_u * current
        self.v = self.membrane = self.keep_v * self.v + self.gain_v * self.u + self.drift
        if self.threshold is None:
            return self.v
        fired = self.v > self.threshold
        self.v = torch.where(fired, self.v_reset, self.v)
        return fired.to(current)
