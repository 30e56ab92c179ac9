"""Weights in front of neurons without norms, scaled on samples so that every layer begins with one spike rate.

Batch norms keep the drive of a layer on the scale of its threshold, whatever its weights are. Without them a layer of
small weights never fires, and no layer behind it does. So the weights are scaled before the first step, as Mishkin and
Matas 2016 (LSUV, arXiv 1511.06422) scale them to a variance of 1; of spiking neurons what counts is how often they
fire, over all their timesteps and with their leak.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from .biases import trained_before
from .neurons import is_integrator, run_over_time
from .student import Student
from .tracing import flat_time, follow, stateless

RATE = 0.15
"""Spikes of a neuron in a step, the mean over a layer's neurons that a sample drives at all: about what students with
batch norms begin with."""
OF_MOST = 0.5
"""Share of the spikes that the largest weights would cause, where these are too few for the rate."""
HALVINGS = 20
"""Of the interval in which a layer's scale is searched, of 2^-32 to 2^32."""
WIDEST = 32.0


@torch.no_grad()
def balance(student: Student, images: Tensor) -> dict[str, float]:
    """Scale the weights in front of every layer that fires so that it fires at :data:`RATE`.

    A layer that no sample drives above zero keeps its weights.

    Args:
        images: samples as the student takes them, ``(B, ...)``.

    Returns:
        by neuron layer, the factor of the weights before it.
    """
    training, modules = student.training, dict(student.traced.named_modules())
    student.eval()
    drive, steps = student.drive(images), student.config.timesteps
    if student.encoder is not None:
        drive = _spikes("encoder", student.encoder, drive, steps)
    factors: dict[str, float] = {}
    nodes = {str(node.target): node for node in student.graph.nodes}

    def neurons(name: str, module: nn.Module, current: Tensor) -> Tensor:
        if is_integrator(module):
            return current
        factor = _factor(name, module, current, steps)
        if factor is None:
            return _spikes(name, module, current, steps)
        factors[name] = factor
        for layer in trained_before(nodes[name], modules):
            for values in layer.parameters():
                values.mul_(factor)
        return _spikes(name, module, current * factor, steps)

    def other(node: fx.Node, module: nn.Module | None, values: list[Tensor]) -> Tensor:
        return flat_time(stateless(node, module), *values)

    follow(student.traced, drive, neurons, other)
    student.train(training)
    return factors


def _spikes(name: str, module: nn.Module, current: Tensor, steps: int) -> Tensor:
    spikes = run_over_time(name, module, current, steps).spikes
    assert spikes is not None
    return spikes


def _factor(name: str, module: nn.Module, current: Tensor, steps: int) -> float | None:
    """The factor with which currents make a layer fire at :data:`RATE`, or half as often as they can; by bisection."""
    driven = int((current != 0).any(0).sum()) * steps
    low, high = -WIDEST, WIDEST

    def spikes_at(exponent: float) -> float:
        return float(_spikes(name, module, current * 2.0**exponent, steps).sum())

    wanted = min(RATE * driven, OF_MOST * spikes_at(high))
    if wanted == 0:
        return None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if spikes_at(middle) < wanted else (low, middle)
    return float(2.0 ** ((low + high) / 2))
