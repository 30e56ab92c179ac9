"""One population computed in float64 with any choice of the chip's roundings and limits switched on.

With none of them it is the float network, in the chip's units (everything times 64 S, S the population's scale); with
all of them it is the chip, bit for bit, which proves that the list of causes is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ..base.types import FloatArray
from ..chip.law import STATE_LIMIT, Arithmetic, Constant, Law, State, gathered, largest
from ..chip.network import ChipNetwork, Connection, Population
from ..chip.neuron_models import law_of
from ..chip.registers import STATE_UNIT
from ..lowering.draft import DraftConnection, DraftNeuron
from ..simulation.dense import delivered

Cause = Literal["weights", "bias", "threshold", "decay", "truncation", "wrap", "saturation"]

CAUSES: dict[Cause, str] = {
    "weights": "weight rounding",
    "bias": "bias rounding",
    "threshold": "threshold rounding",
    "decay": "decay rounding",
    "truncation": "truncation of the decay product",
    "wrap": "wrap of the current",
    "saturation": "saturation of the membrane",
}
"""What the chip does to a number that float arithmetic does not, in words."""

ALL: frozenset[Cause] = frozenset(CAUSES)


@dataclass(frozen=True, eq=False)
class Side:
    """One population's numbers in the chip's units, float64.

    Attributes:
        weights: by source, times S; a kernel where the connection is a convolution.
        law: of its neurons, in units of 1 / (64 S); its threshold is infinite where the population does not fire.
    """

    weights: dict[str, Tensor]
    law: Law


@dataclass(frozen=True, eq=False)
class Layer:
    """One population of the chip as the graph has it and as the chip has it.

    Attributes:
        scale: S, integer weight units per float unit.
        exact: unrounded.
        rounded: as in the registers.
    """

    population: Population
    connections: tuple[Connection, ...]
    timesteps: int
    scale: float
    exact: Side
    rounded: Side

    def side(self, is_rounded: bool) -> Side:
        """The constants as the chip rounds them, or unrounded as the graph has them."""
        return self.rounded if is_rounded else self.exact

    def law(self, causes: Collection[Cause]) -> Law:
        """The law of the neurons with these causes switched on."""
        truncates, decays = "truncation" in causes, self.side("decay" in causes).law
        return replace(
            self.rounded.law,
            keep_u=decays.keep_u,
            keep_v=decays.keep_v,
            threshold=self.side("threshold" in causes).law.threshold,
            bias=self.side("bias" in causes).law.bias,
            arithmetic=Arithmetic(
                truncates_u=truncates and _makes_fractions(self.rounded.law.keep_u),
                truncates_v=truncates and _makes_fractions(self.rounded.law.keep_v),
                wraps="wrap" in causes,
                saturates="saturation" in causes,
            ),
        )


def _makes_fractions(keep: Constant | None) -> bool:
    """Whether a decay product can have a fraction; a register that keeps all or nothing gives whole numbers."""
    return 0 < float(_tensor(keep)) < 1


@dataclass(frozen=True, eq=False)
class LayerRun:
    """What a population did: spikes (bool) and membrane potentials after the reset, ``(T, samples, *shape)``."""

    spikes: Tensor
    v: Tensor


Signals = Mapping[str, Tensor]
"""Spikes or payloads by source, float64, ``(timesteps or 1, samples, *source shape)``."""


def layer_of(
    chip: ChipNetwork, population: Population, neuron: DraftNeuron, drawn: Sequence[DraftConnection], scale: float
) -> Layer:
    """Both sides of ``population``: ``neuron`` and ``drawn`` of the draft, and the chip's registers."""
    assert population.neuron is not None
    into, law = chip.into(population.name), law_of(population.neuron)
    exact = replace(
        law,
        keep_u=_row(1 - neuron.leak_u) if np.any(neuron.leak_u != 1) else None,
        keep_v=_row(1 - neuron.leak_v),
        threshold=inf if neuron.threshold is None else _row(neuron.threshold * scale) * STATE_UNIT,
        bias=_row(neuron.bias * scale * STATE_UNIT),
        arithmetic=Arithmetic(),
    )
    graph_side = Side({c.source: torch.from_numpy(c.weight * scale) for c in drawn}, exact)
    chip_side = Side({c.source: torch.from_numpy(c.weight.astype(np.float64)) for c in into}, law)
    return Layer(population, into, chip.timesteps, scale, exact=graph_side, rounded=chip_side)


def _row(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.array(values, np.float64))[None]


class DrivenLayer:
    """One layer on some samples: its synaptic input, worked out once for every choice of causes.

    Args:
        layer: to be run.
        signals: what its sources send. Where they hold the layer's own spikes, a recurrent connection brings those,
            one step late; otherwise it brings what the layer itself does.
        drive: of an input population, times 64: the bias that the host sets, ``(timesteps or 1, samples, *shape)``.
    """

    def __init__(self, layer: Layer, signals: Signals, drive: Tensor) -> None:
        self.layer, self.signals = layer, signals
        self.drive = drive if layer.population.role == "input" else None
        self.samples = drive.shape[1]
        self._arriving: dict[tuple[bool, bool], Tensor] = {}

    def run(self, causes: Collection[Cause] = ()) -> LayerRun:
        """Step the population from rest by its law, with these causes switched on."""
        law = self.layer.law(causes)
        if self.drive is not None:
            driven = self.drive.expand(self.layer.timesteps, *self.drive.shape[1:])
            law = replace(law, bias=None, biases=driven if law.bias is None else law.bias + driven)
        arriving, feedback = self._input("weights" in causes, "wrap" in causes), self._feedback(causes)
        rest = torch.zeros((self.samples, *self.layer.population.shape), dtype=torch.float64)
        state = State(rest, rest)
        spikes = torch.empty((self.layer.timesteps, *rest.shape), dtype=torch.bool)
        vs = torch.empty(spikes.shape, dtype=torch.float64)
        for t in range(self.layer.timesteps):
            a = arriving[t if len(arriving) > 1 else 0]
            if feedback is not None and t:
                a = a + feedback(spikes[t - 1].double()[None])[0]
            state, _, fired = law.at(t).step(state, a)
            assert fired is not None
            spikes[t], vs[t] = fired, state.v
        return LayerRun(spikes, vs)

    def may_act(self) -> frozenset[Cause]:
        """Causes that can change anything here: constants that differ, and limits that the input can reach.

        A limit is reached where a bound of the current or the potential does: 24 bits of either, or a threshold that is
        another one.
        """
        layer, laws = self.layer, (self.layer.exact.law, self.layer.rounded.law)
        exact, rounded = laws
        delivered = max(largest(self._input(is_rounded, False)) for is_rounded in (False, True))
        current = delivered * STATE_UNIT * max(_gathered(law.keep_u, layer.timesteps) for law in laws)
        bias = max(largest(_tensor(law.bias)) for law in laws) + (0.0 if self.drive is None else largest(self.drive))
        potential = exact.reach * (current + bias) * max(_gathered(law.keep_v, layer.timesteps) for law in laws)
        lowest = min(float(_tensor(law.threshold).min()) for law in laws)
        acts: dict[Cause, bool] = {
            "weights": any(not torch.equal(w, layer.rounded.weights[c]) for c, w in layer.exact.weights.items()),
            "bias": _differ(exact.bias, rounded.bias),
            "threshold": potential > lowest and _differ(exact.threshold, rounded.threshold),
            "decay": _differ(exact.keep_u, rounded.keep_u) or _differ(exact.keep_v, rounded.keep_v),
            "truncation": _makes_fractions(rounded.keep_u) or _makes_fractions(rounded.keep_v),
            "wrap": current >= STATE_LIMIT,
            "saturation": potential >= STATE_LIMIT,
        }
        return frozenset(cause for cause, can_act in acts.items() if can_act)

    def _input(self, is_rounded: bool, wraps: bool) -> Tensor:
        """Synaptic input of all steps, ``(timesteps or 1, samples, *shape)``."""
        key = is_rounded, wraps
        if key not in self._arriving:
            weights, shape = self.layer.side(is_rounded).weights, self.layer.population.shape
            total = torch.zeros((1, self.samples, *shape), dtype=torch.float64)
            for connection in self.layer.connections:
                if connection.source in self.signals:
                    sent = self.signals[connection.source]
                    if connection.source == connection.target:  # one step late
                        sent = torch.cat([torch.zeros_like(sent[:1]), sent[:-1]])
                    total = total + delivered(connection, weights[connection.source], sent, shape, wraps)
            self._arriving[key] = total
        return self._arriving[key]

    def _feedback(self, causes: Collection[Cause]) -> Callable[[Tensor], Tensor] | None:
        loops = [c for c in self.layer.connections if c.source == c.target and c.source not in self.signals]
        if not loops:
            return None
        (loop,) = loops  # one connection leads from a population to another
        weight = self.layer.side("weights" in causes).weights[loop.source]
        return lambda spikes: delivered(loop, weight, spikes, self.layer.population.shape, "wrap" in causes)


def _tensor(constant: Constant | None) -> Tensor:
    """A constant of a law as a tensor; none is 0."""
    return torch.as_tensor(0.0 if constant is None else constant, dtype=torch.float64)


def _differ(one: Constant | None, other: Constant | None) -> bool:
    return bool((_tensor(one) != _tensor(other)).any())


def _gathered(keep: Constant | None, steps: int) -> float:
    """Largest multiple of one step's input that is there after ``steps`` steps."""
    return gathered(float(_tensor(keep).max()), steps)
