"""Networks that can do nothing at the time step that was assumed for them: a finding, and never an assumption."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..base.errors import arg
from ..base.types import FloatArray
from ..chip.registers import DECAY_ONE
from ..graph.time_step import TimeStep
from .draft import Draft, DraftPopulation

_HALF = 0.5 / DECAY_ONE
_WITHOUT_MEMORY = 1e-6  # a membrane that keeps less than this was meant to keep nothing


def absurdities(draft: Draft, step: TimeStep) -> Iterator[str]:
    """Signs that the assumed time step is not that of the network.

    Args:
        draft: before any pass.
        step: that was assumed.
    """
    remedy = f"so {step.dt_s:g} s is hardly its time step; give {arg('dt_s', 'SECONDS')} or {arg('producer', 'NAME')}"
    leaks = [leak for p in draft.populations if p.neuron and np.any(leak := p.neuron.leak_v)]
    if leaks and all(leak.max() < _HALF for leak in leaks):
        yield f"no membrane decays by more than {max(leak.max() for leak in leaks):.2g} per step, {remedy}"
    elif leaks and all(1 - _HALF < leak.min() < 1 - _WITHOUT_MEMORY for leak in leaks):
        yield f"every membrane loses all but {1 - min(leak.min() for leak in leaks):.2g} of itself per step, {remedy}"
    for population in draft.populations:
        if population.role != "input" and (most := _reach(draft, population)) is not None:
            threshold = float(population.neuron.threshold.min())  # type: ignore[union-attr]
            yield (
                f"no neuron of {population.name!r} can fire: with all its inputs at their largest in every step a "
                f"membrane reaches {most:.3g}, and the threshold is {threshold:.3g}, {remedy}"
            )


def _reach(draft: Draft, population: DraftPopulation) -> float | None:
    """The largest potential of a population that cannot fire; None if it can, or is not meant to."""
    neuron = population.neuron
    if neuron is None or neuron.threshold is None:
        return None
    drive = neuron.synaptic_bias.reshape(-1).clip(min=0)
    for connection in draft.into(population.name):
        drive = drive + _excitation(connection.weight, population, connection.conv is not None)
    leak_u, leak_v = neuron.leak_u.reshape(-1), neuron.leak_v.reshape(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        potential = (drive / leak_u + neuron.bias.reshape(-1)) / leak_v
    reached: FloatArray = np.where(leak_v == 0, np.where(drive + neuron.bias.reshape(-1) > 0, np.inf, 0.0), potential)
    if np.any(reached > neuron.threshold.reshape(-1)):
        return None
    return float(reached.max())


def _excitation(weight: FloatArray, population: DraftPopulation, is_kernel: bool) -> FloatArray:
    """The largest current that a connection brings to each neuron in one step."""
    positive = weight.clip(min=0)
    if not is_kernel:
        return np.asarray(positive.sum(1))
    per_channel = positive.reshape(len(positive), -1).sum(1)
    spread = np.broadcast_to(per_channel.reshape(-1, *[1] * (len(population.shape) - 1)), population.shape)
    return np.asarray(spread.reshape(-1))
