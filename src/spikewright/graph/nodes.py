"""What each NIR node computes: the one place that knows a node, for the interpreter, the lowering and the checks.

A node is a neuron (:func:`constants_of`), or a linear map (:func:`apply`), or an end of the graph. Shapes leave out the
batch.
"""

# ruff: noqa: ARG001  (every handler takes what the dispatcher takes)

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any, TypeAlias

import nir
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..base.errors import a_kind
from ..base.types import FloatArray, Reset
from ..chip.law import Law
from ..chip.neuron_models import law_with
from .fields import NodeFault, conv1d_padding, conv_padding, one_number, pair

Shape: TypeAlias = tuple[int, ...]

_NAMES = ("LIF", "IF", "CubaLIF", "LI", "I", "CubaLI", "Threshold")
NEURONS: tuple[type[nir.NIRNode], ...] = tuple(getattr(nir, name) for name in _NAMES if hasattr(nir, name))
"""Neurons; nir 1.0.4, beside which sinabs has to be imported, has no CubaLI."""
FILTERED = tuple(kind for kind in NEURONS if kind.__name__.startswith("Cuba"))
"""Those with a synaptic current that decays."""
SHORTEST_S = 1e-30
"""Time constants below are no times, and a time step is no finite multiple of them."""
MOST_NEURONS = 2**24  # sixteen times what a whole Loihi 2 holds (128 cores of 8192)


@dataclass(frozen=True, eq=False)
class NeuronConstants:
    """Constants of one forward Euler step of a neuron node, all arrays float64 of the population's shape.

    ``u = (1 - leak_u) u + gain_u I``; ``p = (1 - leak_v) v + gain_v u + drift``; spike where ``p > threshold``, and
    there ``v = v_reset``, or ``v = p - threshold`` (at once, or behind the decay of the next step).
    :meth:`law` gives the step itself.

    Attributes:
        leak_u: share of the synaptic current lost per step, dt / tau_syn; 1 where there is no synaptic filter.
        leak_v: share of the membrane potential lost per step, dt / tau; 0 for an integrator without leak.
        threshold: None for a readout that does not fire.
        reset: what a spike does, which NIR has no field for.
    """

    leak_u: FloatArray
    gain_u: FloatArray
    leak_v: FloatArray
    gain_v: FloatArray
    drift: FloatArray
    threshold: FloatArray | None
    v_reset: FloatArray
    reset: Reset = "zero"

    def from_reset(self) -> NeuronConstants:
        """The same neurons with potentials counted from ``v_reset``: ``v' = v - v_reset`` is 0 after a spike.

        ``threshold' = threshold - v_reset`` and ``drift' = drift - leak_v v_reset``; what does not fire stays.
        """
        if self.threshold is None or self.reset != "zero" or not np.any(self.v_reset):
            return self
        threshold, drift = self.threshold - self.v_reset, self.drift - self.leak_v * self.v_reset
        return replace(self, threshold=threshold, drift=drift, v_reset=np.zeros_like(self.v_reset))

    def law(self, like: Tensor) -> Law:
        """The law of these neurons in exact arithmetic, of the type and on the device of ``like``."""
        return law_with(self.reset)(
            keep_v=tensor(1 - self.leak_v, like),
            threshold=None if self.threshold is None else tensor(self.threshold, like),
            keep_u=tensor(1 - self.leak_u, like),
            gain_u=tensor(self.gain_u, like),
            gain_v=tensor(self.gain_v, like),
            bias=tensor(self.drift, like),
            v_reset=tensor(self.v_reset, like),
        )


@singledispatch
def constants_of(node: nir.NIRNode, dt_s: float, shape: Shape) -> NeuronConstants:
    """The constants of a neuron node of ``shape`` at a timestep of ``dt_s`` seconds.

    Raises:
        NodeFault: the node is no neuron that is handled.
    """
    raise NodeFault(f"is {a_kind(type(node).__name__)}; handled are {handled()}")


@constants_of.register(nir.LIF)
@constants_of.register(nir.LI)
def _(node: nir.LIF | nir.LI, dt_s: float, shape: Shape) -> NeuronConstants:
    leak = _leak(node.tau, dt_s, shape)
    drift = filled(node.v_leak, shape) * leak
    ones = np.ones(shape)
    return NeuronConstants(ones, ones, leak, filled(node.r, shape) * leak, drift, *_firing(node, shape))


@constants_of.register(nir.IF)
@constants_of.register(nir.I)
def _(node: nir.IF | nir.I, dt_s: float, shape: Shape) -> NeuronConstants:
    ones, zeros = np.ones(shape), np.zeros(shape)
    return NeuronConstants(ones, ones, zeros, filled(node.r, shape) * dt_s, zeros, *_firing(node, shape))


def _of_filtered(node: nir.CubaLIF | nir.CubaLI, dt_s: float, shape: Shape) -> NeuronConstants:
    leak_u, leak_v = _leak(node.tau_syn, dt_s, shape), _leak(node.tau_mem, dt_s, shape)
    gain_u, gain_v = filled(node.w_in, shape) * leak_u, filled(node.r, shape) * leak_v
    drift = filled(node.v_leak, shape) * leak_v
    return NeuronConstants(leak_u, gain_u, leak_v, gain_v, drift, *_firing(node, shape))


for _kind in FILTERED:
    constants_of.register(_kind, _of_filtered)


@constants_of.register
def _(node: nir.Threshold, dt_s: float, shape: Shape) -> NeuronConstants:
    """A membrane that keeps nothing, so that only what arrives in a step counts."""
    ones, zeros = np.ones(shape), np.zeros(shape)
    return NeuronConstants(ones, ones, ones, ones, zeros, filled(node.threshold, shape), zeros)


def first_parameter(node: nir.NIRNode) -> Any:
    """A parameter that every neuron node of this kind has one of for each of its neurons."""
    return node.threshold if isinstance(node, nir.Threshold) else node.r


def _firing(node: nir.NIRNode, shape: Shape) -> tuple[FloatArray | None, FloatArray]:
    """Threshold and reset of a node; LI, I and CubaLI have neither."""
    threshold = filled(node.v_threshold, shape) if hasattr(node, "v_threshold") else None
    return threshold, filled(getattr(node, "v_reset", 0.0), shape)


def _leak(tau: object, dt_s: float, shape: Shape) -> FloatArray:
    constants = filled(tau, shape)
    if constants.min() <= 0:
        raise NodeFault(f"has a time constant of {constants.min():g} s; must be above 0")
    if constants.min() < SHORTEST_S:
        raise NodeFault(f"has a time constant of {constants.min():g} s; must be at least {SHORTEST_S:g}")
    return dt_s / constants


def filled(value: object, shape: Shape) -> FloatArray:
    """A parameter as a float64 array of the population's shape; a scalar or single value stands for all neurons."""
    array = np.asarray(value, np.float64)
    if array.size == 1:
        return np.full(shape, array.reshape(-1)[0])
    if array.shape != shape:
        raise NodeFault(f"has a parameter of shape {array.shape} for neurons of shape {shape}")
    return array


@singledispatch
def apply(node: nir.NIRNode, value: Tensor) -> Tensor:
    """The linear map of a node, bias included: ``(B, *input shape)`` to ``(B, *output shape)``.

    Raises:
        NodeFault: the node is no linear map that is handled, or the value does not fit it.
    """
    raise NodeFault(f"is {a_kind(type(node).__name__)}; handled are {handled()}")


@apply.register
def _(node: nir.Conv2d, value: Tensor) -> Tensor:
    weight = tensor(node.weight, value)
    if weight.ndim != 4:
        raise NodeFault(f"has weights {tuple(weight.shape)}; those of a Conv2d have 4 axes")
    channels = weight.shape[1] * one_number(node.groups, "groups")
    if value.ndim != 4 or value.shape[1] != channels:
        raise NodeFault(f"is a convolution of {channels} channels; what arrives has shape {_shape(value)}")
    padding = conv_padding(node)
    bias, stride, dilation = tensor(node.bias, value), pair(node.stride, "stride"), pair(node.dilation, "dilation")
    if tuple(bias.shape) != (len(weight),):  # which torch does not look at on the meta device
        raise NodeFault(f"has a bias of shape {tuple(bias.shape)} for {len(weight)} output channels")
    return F.conv2d(value, weight, bias, stride, padding, dilation, one_number(node.groups, "groups"))


@apply.register
def _(node: nir.Conv1d, value: Tensor) -> Tensor:
    weight = tensor(node.weight, value)
    if weight.ndim != 3:
        raise NodeFault(f"has weights {tuple(weight.shape)}; those of a Conv1d have 3 axes")
    channels = weight.shape[1] * one_number(node.groups, "groups")
    if value.ndim != 3 or value.shape[1] != channels:
        raise NodeFault(
            f"is a convolution of {channels} channels over one axis; what arrives has shape {_shape(value)}"
        )
    bias = tensor(node.bias, value)
    if tuple(bias.shape) != (len(weight),):
        raise NodeFault(f"has a bias of shape {tuple(bias.shape)} for {len(weight)} output channels")
    padding = conv1d_padding(node)
    stride, dilation = (pair(getattr(node, name), name)[0] for name in ("stride", "dilation"))
    return F.conv1d(value, weight, bias, stride, padding, dilation, one_number(node.groups, "groups"))


@apply.register(nir.Affine)
@apply.register(nir.Linear)
def _(node: nir.Linear | nir.Affine, value: Tensor) -> Tensor:
    weight = tensor(node.weight, value)
    if weight.ndim != 2 or value.ndim != 2 or value.shape[1] != weight.shape[1]:
        raise NodeFault(f"has weights {tuple(weight.shape)}; what arrives has shape {_shape(value)}")
    bias = node.bias if isinstance(node, nir.Affine) else None
    if bias is not None and np.shape(bias) not in ((), (1,), (len(weight),)):
        raise NodeFault(f"has a bias of shape {np.shape(bias)} for {len(weight)} outputs")
    if value.is_meta:  # by hand, since torch would load a library of symbolic mathematics, which takes a second
        return value.new_empty((len(value), len(weight)))
    product = F.linear(value, weight)
    return product if bias is None else product + tensor(bias, value)


@apply.register
def _(node: nir.Scale, value: Tensor) -> Tensor:
    scale = tensor(node.scale, value)
    if scale.numel() > 1 and tuple(scale.shape) != _shape(value):
        raise NodeFault(f"scales shape {tuple(scale.shape)}; what arrives has shape {_shape(value)}")
    return value * scale


@apply.register(nir.SumPool2d)
@apply.register(nir.AvgPool2d)
def _(node: nir.AvgPool2d | nir.SumPool2d, value: Tensor) -> Tensor:
    if value.ndim != 4:
        raise NodeFault(f"pools (channels, height, width); what arrives has shape {_shape(value)}")
    size = pair(node.kernel_size, "kernel_size")
    divisor = math.prod(size) if isinstance(node, nir.AvgPool2d) else 1
    return F.avg_pool2d(
        value, size, pair(node.stride, "stride"), pair(node.padding, "padding"), divisor_override=divisor
    )


@apply.register
def _(node: nir.Flatten, value: Tensor) -> Tensor:
    if (first := one_number(node.start_dim, "start_dim")) < 0:
        first += value.ndim - 1
    last = one_number(node.end_dim, "end_dim")
    return torch.flatten(value, first + 1, last if last < 0 else last + 1)


def is_linear(node: nir.NIRNode) -> bool:
    """Whether a node is a linear map: whether :func:`apply` knows it."""
    return apply.dispatch(type(node)) is not apply.dispatch(object)


def handled() -> str:
    """The names of the nodes that are handled, for messages."""
    linear = [kind for kind, how in apply.registry.items() if how is not apply.dispatch(object)]
    return ", ".join(kind.__name__ for kind in (nir.Input, *NEURONS, *linear, nir.Output))


def tensor(array: object, like: Tensor) -> Tensor:
    """An array as a tensor of the same type and place as ``like``."""
    values = np.asarray(array)
    if values.dtype.kind == "u":  # torch has none of these
        values = values.astype(np.float64)
    return torch.as_tensor(values).to(like)


def output_shape(node: nir.NIRNode, shape: Shape) -> Shape:
    """Shape of what a node gives for an input of ``shape``.

    Raises:
        NodeFault: the node is not handled, or an input of that shape does not fit it.
    """
    if isinstance(node, nir.Input | nir.Output):
        return shape
    try:
        if isinstance(node, NEURONS):
            with np.errstate(all="ignore"):  # the shapes alone are asked for
                constants_of(node, 1.0, shape)
            return shape
        # On the meta device shapes are worked out and nothing is allocated, whatever a file asks for.
        given = _shape(apply(node, torch.empty(1, *shape, device="meta")))
    except (RuntimeError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise NodeFault(f"does not take an input of shape {shape}: {str(error).splitlines()[0]}") from error
    check_size(given)
    return given


def check_size(shape: Shape) -> None:
    """Refuse shapes that are empty or larger than any chip.

    Raises:
        NodeFault: there is such a size.
    """
    if not shape or min(shape) < 1 or math.prod(shape) > MOST_NEURONS:
        raise NodeFault(f"has shape {shape}; sizes are at least 1, and all of them together at most {MOST_NEURONS:,}")


def _shape(value: Tensor) -> Shape:
    return tuple(value.shape[1:])
