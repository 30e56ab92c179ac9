"""Which tools can have written a graph, from the parameters of all its neurons, and with which time step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import nir
import numpy as np

from ..base.types import FloatArray
from .fields import NodeFault
from .nodes import Shape, constants_of
from .producers import AGREE, PRODUCERS, Producer
from .wiring import Wiring

_ROUND = 1e-5  # relative distance from a number of two digits that float32 explains
_SAME = 1e-5  # relative difference of two readings that are one


@dataclass(frozen=True, eq=False)
class Candidate:
    """A tool that can have written a graph, with a time step.

    Attributes:
        is_implied: whether the parameters imply the time step; else it is one that the tool customarily has.
    """

    producer: Producer
    dt_s: float
    is_implied: bool
    wiring: Wiring

    @cached_property
    def nodes(self) -> dict[str, nir.NIRNode]:
        """The graph's neurons as the tool means them, for forward Euler steps of ``dt_s``."""
        with np.errstate(all="ignore"):  # what is not finite is not possible
            return {name: self.producer.read(node, self.dt_s) for name, node in timed(self.wiring).items()}

    @cached_property
    def constants(self) -> tuple[FloatArray, ...]:
        """Decays and gains of all neurons, by which two readings are compared; empty where they are impossible."""
        found: list[FloatArray] = []
        for node in self.nodes.values():
            try:
                with np.errstate(all="ignore"):
                    made = constants_of(node, self.dt_s, _stored(node))
            except NodeFault:
                return ()
            found += [made.leak_u, made.gain_u, made.leak_v, made.gain_v]
        return tuple(found) if all(np.all(np.isfinite(each)) for each in found) else ()

    def is_like(self, other: Candidate) -> bool:
        """Whether both mean the same network, but for what happens at the threshold and behind it."""
        pairs = zip(self.constants, other.constants, strict=True)
        return all(np.allclose(mine, theirs, rtol=_SAME, atol=0) for mine, theirs in pairs)

    @property
    def is_possible(self) -> bool:
        """Whether no membrane and no current loses more than itself per step."""
        leaks = [leak for index, leak in enumerate(self.constants) if index % 2 == 0]
        return bool(leaks) and all(leak.max() <= 1 + AGREE for leak in leaks)

    @property
    def is_sure(self) -> bool:
        """Whether the time step is more than the solution that one neuron always has.

        A round one is, one that neurons with several time constants agree on, and one by which the gain per step is 1.
        """
        if not self.is_implied or _is_round(self.dt_s):
            return True
        several = {f"{tau:.4g}" for node in timed(self.wiring).values() for tau in np.unique(_tau(node))[:2]}
        gains = zip(self.constants[1::4], self.constants[3::4], strict=True)
        return len(several) > 1 or all(np.allclose(current * membrane, 1, rtol=AGREE) for current, membrane in gains)

    def is_plausible(self, longest: int) -> bool:
        """Whether membranes remember for longer than a step, and for ``longest`` steps at most."""
        taus = [_tau(node) for node in timed(self.wiring).values()]
        steps = np.concatenate([*taus, []]) / self.dt_s
        remembers = steps.size > 0 and bool(np.all(steps > 1 + AGREE) and np.all(steps <= longest * (1 + AGREE)))
        return remembers and self.is_possible


def _tau(node: nir.NIRNode) -> FloatArray:
    """The time constants of membranes, of integrators none."""
    return np.ravel(np.asarray(getattr(node, "tau_mem", getattr(node, "tau", [])), np.float64))


def _stored(node: nir.NIRNode) -> Shape:
    """The shape of a neuron node's parameters as they are stored: one value may stand for many neurons."""
    own = (np.shape(value) for name, value in vars(node).items() if isinstance(value, np.ndarray | np.generic | float))
    return np.broadcast_shapes((1,), *own)


def timed(wiring: Wiring) -> dict[str, nir.NIRNode]:
    """The neurons whose parameters depend on a time step."""
    return {name: wiring.nodes[name] for name in wiring.neurons if not isinstance(wiring.nodes[name], nir.Threshold)}


def candidates(wiring: Wiring, dt_s: float | None = None, producer: str | None = None) -> list[Candidate]:
    """Every tool that can have written a graph, once for each time step that it can have had.

    Args:
        dt_s: seconds per timestep, where it is known.
        producer: the tool's name, where it is known.
    """
    era = "0.x" if wiring.format_version.startswith("0.") else "1.x"
    likely = [each for each in PRODUCERS.values() if each.era in (None, era) and not each.is_asked_for]
    known = [PRODUCERS[producer]] if producer else likely
    return [found for each in known for found in _of(each, wiring, dt_s)]


def _of(producer: Producer, wiring: Wiring, dt_s: float | None) -> Iterator[Candidate]:
    with np.errstate(all="ignore"):
        implied = [producer.implied(node) for node in timed(wiring).values()]
    if any(each is None for each in implied):
        return
    steps: FloatArray = np.concatenate([each for each in implied if each is not None])
    if not np.all(np.isfinite(steps)) or np.any(steps <= 0):
        return
    if steps.size:
        first = float(steps[0])
        stated = [each for each in (producer.only, dt_s) if each is not None]
        if np.any(np.abs(np.concatenate([steps, stated]) - first) > AGREE * abs(first)):
            return
        found = Candidate(producer, dt_s or producer.only or _rounded(first), True, wiring)
        if found.is_possible:
            yield found
        return
    yield from _customary(producer, wiring, dt_s)


def _customary(producer: Producer, wiring: Wiring, dt_s: float | None) -> Iterator[Candidate]:
    """The readings of parameters that go with any time step."""
    known = producer.only if dt_s is None else dt_s
    if known is None:
        for step, longest in producer.customary:
            found = Candidate(producer, step, False, wiring)
            if found.is_plausible(longest):
                yield found
    elif producer.only in (None, known):
        found = Candidate(producer, known, producer.only is not None, wiring)
        if found.is_possible:
            yield found


def grouped(found: Sequence[Candidate]) -> list[list[Candidate]]:
    """The candidates by what they mean: those in a group mean the same network.

    A time step that the parameters imply is a round number; where some are, others are chance.
    """
    round_ones = [each for each in found if not each.is_implied or _is_round(each.dt_s)]
    groups: list[list[Candidate]] = []
    for each in round_ones or found:
        for group in groups:
            if group[0].is_like(each):
                group.append(each)
                break
        else:
            groups.append([each])
    return groups


def disagreeing(wiring: Wiring) -> list[tuple[str, float]]:
    """The time steps that neurons imply whose gain per step is 1, where these differ, by neuron."""
    ours = PRODUCERS["spikewright"]
    with np.errstate(all="ignore"):
        implied = {name: ours.implied(node) for name, node in timed(wiring).items()}
    steps = [(name, float(each)) for name, found in implied.items() if found is not None for each in _distinct(found)]
    return steps if len({f"{step:.3g}" for _, step in steps}) > 1 else []


def _distinct(steps: FloatArray) -> FloatArray:
    """The steps of one node: one if they are equal, none if they vary within a population."""
    return (
        steps[:1] if np.all(np.isfinite(steps)) and np.all(np.abs(steps - steps[0]) <= AGREE * steps[0]) else steps[:0]
    )


def _rounded(step: float) -> float:
    return float(f"{step:.6g}")


def _is_round(step: float) -> bool:
    return abs(float(f"{step:.1e}") - step) <= _ROUND * step
