"""One population computed in float64 with any choice of the chip's roundings and limits switched on.

With none of them it is the float network, in the chip's units (everything times 64 S, S the population's scale); with
all of them it is the chip, bit for bit, which proves that the list of causes is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..base.types import FloatArray
from ..chip.network import STATE_LIMIT, ChipNetwork, Connection, Neuron, Population
from ..chip.registers import DECAY_ONE, STATE_UNIT
from ..lowering.draft import DraftConnection, DraftNeuron
from ..simulation.compartments import INT32_LIMIT, largest

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
NONE: frozenset[Cause] = frozenset()


@dataclass(frozen=True, eq=False)
class Constants:
    """One population's numbers in the chip's units, float64.

    Attributes:
        weights: by source, times S; a kernel where the connection is a convolution.
        bias: times 64 S, shape ``(1, *population shape)``; likewise the rest.
        threshold: times 64 S; infinite where the population does not fire.
        keep_u: share of the current that a step leaves.
        keep_v: share of the membrane potential that a step leaves.
    """

    weights: dict[str, Tensor]
    bias: Tensor
    threshold: Tensor
    keep_u: Tensor
    keep_v: Tensor


@dataclass(frozen=True, eq=False)
class Layer:
    """One population of the chip as the graph has it and as the chip has it.

    Attributes:
        scale: S, integer weight units per float unit.
        exact: unrounded; rounded: as in the registers.
    """

    population: Population
    connections: tuple[Connection, ...]
    timesteps: int
    scale: float
    exact: Constants
    rounded: Constants

    @property
    def truncates(self) -> bool:
        """Whether a decay product can have a fraction at all."""
        return any(0 < float(keep.flatten()[0]) < 1 for keep in (self.rounded.keep_u, self.rounded.keep_v))


@dataclass(frozen=True, eq=False)
class Played:
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
    into = chip.into(population.name)
    exact = Constants(
        weights={c.source: torch.from_numpy(c.weight * scale) for c in drawn},
        bias=_row(neuron.bias * scale * STATE_UNIT),
        threshold=_row(np.full(population.shape, np.inf) if neuron.threshold is None else neuron.threshold * scale)
        * STATE_UNIT,
        keep_u=_row(1 - neuron.leak_u),
        keep_v=_row(1 - neuron.leak_v),
    )
    return Layer(population, into, chip.timesteps, scale, exact, _registers(population, population.neuron, into))


def _registers(population: Population, neuron: Neuron, into: Sequence[Connection]) -> Constants:
    def all_alike(value: float) -> Tensor:
        return _row(np.full(population.shape, value, np.float64))

    return Constants(
        weights={c.source: torch.from_numpy(c.weight.astype(np.float64)) for c in into},
        bias=_row(neuron.bias.astype(np.float64) * 2**neuron.bias_exp),
        threshold=all_alike(neuron.vth * STATE_UNIT),
        keep_u=all_alike((DECAY_ONE - (neuron.du + 1)) / DECAY_ONE),
        keep_v=all_alike((DECAY_ONE - neuron.dv) / DECAY_ONE),
    )


def _row(values: FloatArray) -> Tensor:
    return torch.from_numpy(np.array(values, np.float64))[None]


class Bench:
    """One layer on some samples: its synaptic input, worked out once for every choice of causes.

    Args:
        layer: to be played.
        signals: what its sources send. Where they hold the layer's own spikes, a recurrent connection brings those,
            one step late; otherwise it brings what the layer itself does.
        drive: of an input population, times 64: the bias that the host sets, ``(samples, *shape)``.
    """

    def __init__(self, layer: Layer, signals: Signals, drive: Tensor) -> None:
        self.layer, self.signals = layer, signals
        self.drive = drive if layer.population.role == "input" else None
        self.samples = len(drive)
        self._arriving: dict[tuple[bool, bool], Tensor] = {}

    def play(self, causes: Collection[Cause] = NONE) -> Played:
        """Step the population from rest, with these causes switched on.

        ``u = wrap(trunc(keep_u * u) + 64 a)``, ``v = clip(trunc(keep_v * v) + u + bias)``, spike where
        ``v > threshold``, and there ``v = 0``.
        """
        layer, rule = self.layer, _Rule(self.layer, causes)
        arriving, feedback = self._input("weights" in causes, "wrap" in causes), self._feedback(causes)
        bias = rule.bias if self.drive is None else rule.bias + self.drive
        u = v = torch.zeros((self.samples, *layer.population.shape), dtype=torch.float64)
        spikes = torch.empty((layer.timesteps, *u.shape), dtype=torch.bool)
        vs = torch.empty(spikes.shape, dtype=torch.float64)
        for t in range(layer.timesteps):
            a = arriving[t if len(arriving) > 1 else 0]
            if feedback is not None and t:
                a = a + feedback(spikes[t - 1].double()[None])[0]
            u, v = rule.advance(u, v, a, bias)
            torch.gt(v, rule.threshold, out=spikes[t])
            v = v.masked_fill(spikes[t], 0.0)
            vs[t] = v
        return Played(spikes, vs)

    def may_act(self) -> frozenset[Cause]:
        """Causes that can change anything here: constants that differ, and limits that the input can reach."""
        exact, rounded, layer = self.layer.exact, self.layer.rounded, self.layer
        found: set[Cause] = set()
        if any(not torch.equal(exact.weights[source], rounded.weights[source]) for source in exact.weights):
            found.add("weights")
        if not torch.equal(exact.bias, rounded.bias):
            found.add("bias")
        if not (torch.equal(exact.keep_u, rounded.keep_u) and torch.equal(exact.keep_v, rounded.keep_v)):
            found.add("decay")
        if layer.truncates:
            found.add("truncation")
        return frozenset(found | self._reachable_limits())

    def _reachable_limits(self) -> set[Cause]:
        """Limits that a bound of current and potential reaches: a threshold that is another, 24 bits of either."""
        exact, rounded, steps = self.layer.exact, self.layer.rounded, self.layer.timesteps
        delivered = max(largest(self._input(is_rounded, False)) for is_rounded in (False, True))
        remembered = max(_gathered(side.keep_u, steps) for side in (exact, rounded))
        current = delivered * STATE_UNIT * remembered
        bias = max(largest(exact.bias), largest(rounded.bias)) + (0.0 if self.drive is None else largest(self.drive))
        potential = (current + bias) * max(_gathered(side.keep_v, steps) for side in (exact, rounded))
        found: set[Cause] = {"wrap"} if current >= STATE_LIMIT else set()
        if potential >= STATE_LIMIT:
            found.add("saturation")
        lowest = min(float(exact.threshold.min()), float(rounded.threshold.min()))
        if potential > lowest and not torch.equal(exact.threshold, rounded.threshold):
            found.add("threshold")
        return found

    def _input(self, is_rounded: bool, wraps: bool) -> Tensor:
        """Synaptic input of all steps, ``(timesteps or 1, samples, *shape)``."""
        key = is_rounded, wraps
        if key not in self._arriving:
            weights = (self.layer.rounded if is_rounded else self.layer.exact).weights
            total = torch.zeros((1, self.samples, *self.layer.population.shape), dtype=torch.float64)
            for connection in self.layer.connections:
                if connection.source in self.signals:
                    sent = self._sent(connection)
                    total = total + self._delivered(connection, weights[connection.source], sent, wraps)
            self._arriving[key] = total
        return self._arriving[key]

    def _sent(self, connection: Connection) -> Tensor:
        values = self.signals[connection.source]
        if connection.source != connection.target:
            return values
        return torch.cat([torch.zeros_like(values[:1]), values[:-1]])

    def _feedback(self, causes: Collection[Cause]) -> Callable[[Tensor], Tensor] | None:
        loops = [c for c in self.layer.connections if c.source == c.target and c.source not in self.signals]
        if not loops:
            return None
        (loop,) = loops  # one connection leads from a population to another
        weight = (self.layer.rounded if "weights" in causes else self.layer.exact).weights[loop.source]
        return lambda spikes: self._delivered(loop, weight, spikes, "wrap" in causes)

    def _delivered(self, connection: Connection, weight: Tensor, values: Tensor, wraps: bool) -> Tensor:
        steps, samples = values.shape[:2]
        if (geometry := connection.conv) is None:
            made = values.reshape(steps * samples, -1) @ weight.T
        else:
            made = functional.conv2d(
                values.flatten(0, 1),
                weight,
                None,
                geometry.stride,
                geometry.padding,
                geometry.dilation,
                geometry.groups,
            )
            if wraps and largest(made) >= STATE_LIMIT:
                made = torch.remainder(made + STATE_LIMIT, 2 * STATE_LIMIT) - STATE_LIMIT
        return made.reshape(steps, samples, *self.layer.population.shape)


def _gathered(keep: Tensor, steps: int) -> float:
    """Largest multiple of one step's input that is there after ``steps`` steps: ``(1 - keep^steps) / (1 - keep)``."""
    most = float(keep.max())
    return float(steps) if most == 1 else (1 - most**steps) / (1 - most)


class _Rule:
    """The step of a population under a choice of causes."""

    def __init__(self, layer: Layer, causes: Collection[Cause]) -> None:
        def side(cause: Cause) -> Constants:
            return layer.rounded if cause in causes else layer.exact

        self.bias, self.threshold = side("bias").bias, side("threshold").threshold
        self.keep_u, self.keep_v = side("decay").keep_u, side("decay").keep_v
        self.remembers = bool(self.keep_u.any())
        # Registers that keep all or nothing never make a fraction; what they multiply is an integer on the chip.
        truncates = "truncation" in causes
        self.truncates_u = truncates and bool(((layer.rounded.keep_u > 0) & (layer.rounded.keep_u < 1)).any())
        self.truncates_v = truncates and bool(((layer.rounded.keep_v > 0) & (layer.rounded.keep_v < 1)).any())
        self.wraps, self.clips = "wrap" in causes, "saturation" in causes

    def advance(self, u: Tensor, v: Tensor, a: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Current and membrane potential one step later, short of the reset."""
        arrived = a * STATE_UNIT
        if self.remembers:
            kept = self.keep_u * u
            arrived = (kept.trunc_() if self.truncates_u else kept).add_(arrived)
        u = _wrapped(arrived) if self.wraps else arrived
        v = self.keep_v * v
        v = (v.trunc_() if self.truncates_v else v).add_(u).add_(bias)
        if self.wraps:
            v = _wrapped_to_32_bits(v)
        if self.clips:
            v.clamp_(-STATE_LIMIT + 1, STATE_LIMIT - 1)
        return u, v


def _wrapped(u: Tensor) -> Tensor:
    """Currents outside ``(-2^23, 2^23]`` one period of 2^24 nearer, once, after the wrap of 32-bit sums."""
    if largest(u) < STATE_LIMIT:
        return u
    u = _wrapped_to_32_bits(u)
    outside = (u <= -STATE_LIMIT).to(u.dtype) - (u > STATE_LIMIT).to(u.dtype)
    return u + outside * (2 * STATE_LIMIT)


def _wrapped_to_32_bits(x: Tensor) -> Tensor:
    if largest(x) < INT32_LIMIT:
        return x
    return torch.remainder(x + INT32_LIMIT, 2 * INT32_LIMIT) - INT32_LIMIT
