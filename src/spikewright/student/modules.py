"""The NIR node of each torch and snnTorch module: add a module by adding a function under ``@node_of.register``."""

# ruff: noqa: ARG001  (every handler takes what the dispatcher takes)

from __future__ import annotations

from collections.abc import Sequence
from functools import singledispatch
from typing import Any, TypeAlias

import nir
import numpy as np
import numpy.typing as npt
import snntorch as snn
import torch
from torch import Tensor, nn

from ..base.errors import a_kind
from ..base.types import FloatArray
from ..graph.nodes import Shape
from .neurons import check_neuron, is_integrator
from .refused import REASONS

# snnTorch 1.0's exporter hard-codes this timestep, and so do the graphs of the NIR paper.
DT_S = 1e-4

HANDLED = (
    "Conv1d/2d, ConvTranspose1d/2d, Linear, BatchNorm1d/2d, AvgPool1d/2d, AdaptiveAvgPool1d/2d, Upsample, padding, "
    "Flatten, Dropout, Identity, snn.Leaky, snn.Synaptic, snn.RLeaky, snn.RSynaptic"
)

Nodes: TypeAlias = nir.NIRNode | Sequence[nir.NIRNode] | None
"""What a module becomes: one node, several in a row, or None where its input is passed on unchanged."""


class CannotExport(Exception):
    """Why a module has no NIR node, as a predicate without the module's name."""


@singledispatch
def node_of(module: nn.Module, shape: Shape) -> Nodes:
    """The NIR nodes that compute what ``module`` does at inference.

    Args:
        module: a layer or a neuron.
        shape: of the module's input, without the batch.

    Raises:
        CannotExport: NIR or the chip has nothing that computes the same.
    """
    raise CannotExport(why_not(module))


def why_not(module: nn.Module) -> str:
    """Why a kind of module has no counterpart on a chip, as a predicate without the module's name."""
    kind = type(module).__name__
    return f"is {a_kind(kind)}{REASONS[kind]}" if kind in REASONS else f"is {a_kind(kind)}; handled are {HANDLED}"


def has_node(module: nn.Module) -> bool:
    """Whether a function is registered for exactly this kind of module."""
    return type(module) in node_of.registry


@node_of.register(nn.Identity)
@node_of.register(nn.Dropout)
@node_of.register(nn.Dropout1d)
@node_of.register(nn.Dropout2d)
def _(module: nn.Module, shape: Shape) -> Nodes:
    return None


@node_of.register
def _(module: nn.Linear, shape: Shape) -> Nodes:
    if len(shape) != 1:
        raise CannotExport(f"is a Linear fed with shape {shape}; put nn.Flatten before it")
    bias: Tensor | None = getattr(module, "bias", None)
    if bias is None:
        return nir.Linear(weight=float32(module.weight))
    return nir.Affine(weight=float32(module.weight), bias=float32(bias))


@node_of.register
def _(module: nn.Flatten, shape: Shape) -> Nodes:
    return flatten(shape, module.start_dim, module.end_dim)


@node_of.register(snn.Leaky)
@node_of.register(snn.RLeaky)
def _(module: snn.Leaky | snn.RLeaky, shape: Shape) -> Nodes:
    """``beta = 1 - dt / tau``; the gain ``r * dt / tau`` is 1, since snnTorch adds the current unscaled."""
    (beta,) = _decays(module, shape, "beta")
    firing = _firing(module, shape)
    if np.all(beta == 1):
        kind = nir.IF if firing else nir.I
        return kind(r=np.full(shape, 1 / DT_S, np.float32), **firing)
    if np.any(beta == 1):
        raise CannotExport("has beta = 1 in some neurons and less in others; NIR has no LIF without a leak")
    tau = DT_S / (1 - beta)
    v_leak, kind = np.zeros(shape, np.float32), nir.LIF if firing else nir.LI
    return kind(tau=tau.astype(np.float32), r=(tau / DT_S).astype(np.float32), v_leak=v_leak, **firing)


@node_of.register(snn.Synaptic)
@node_of.register(snn.RSynaptic)
def _(module: snn.Synaptic | snn.RSynaptic, shape: Shape) -> Nodes:
    """``alpha = 1 - dt / tau_syn`` and ``beta = 1 - dt / tau_mem``; both gains per timestep are 1."""
    decays = _decays(module, shape, "alpha", "beta")
    for name, decay in zip(("alpha", "beta"), decays, strict=True):
        if np.any(decay == 1):
            raise CannotExport(f"has {name} = 1, an infinite time constant without a node in NIR; use less")
    tau_syn, tau_mem = (DT_S / (1 - decay) for decay in decays)
    firing, v_leak = _firing(module, shape), np.zeros(shape, np.float32)
    constants = {"tau_syn": tau_syn, "tau_mem": tau_mem, "r": tau_mem / DT_S, "w_in": tau_syn / DT_S}
    kind = nir.CubaLIF if firing else nir.CubaLI
    return kind(**{name: value.astype(np.float32) for name, value in constants.items()}, v_leak=v_leak, **firing)


def flatten(shape: Shape, start_dim: int, end_dim: int) -> nir.NIRNode | None:
    """The node of torch's flatten, whose dimensions count the batch, for values of ``shape``; None if it does nothing.

    Raises:
        CannotExport: it would flatten the batch.
    """
    first = start_dim if start_dim >= 0 else start_dim + len(shape) + 1
    last = end_dim if end_dim >= 0 else end_dim + len(shape) + 1
    if first < 1:
        raise CannotExport("flattens the batch as well; use start_dim=1")
    if first == last:
        return None
    return nir.Flatten(input_type={"input": np.array(shape)}, start_dim=first - 1, end_dim=last - 1)


def loop_of(module: Any, shape: Shape) -> Nodes:
    """The NIR nodes of the weights from neurons of ``shape`` to themselves: all to all, convolutional, one to one.

    Raises:
        CannotExport: weights that do not fit the neurons.
    """
    loop = module.recurrent
    if isinstance(loop, nn.Linear | nn.Conv2d):
        return node_of(loop, shape)
    weights = torch.as_tensor(loop.V).detach().cpu().numpy().astype(np.float32)
    try:
        return nir.Scale(scale=np.broadcast_to(weights, shape).copy())
    except ValueError:
        raise CannotExport(f"has a V of shape {weights.shape} for neurons of shape {shape}") from None


def _decays(module: nn.Module, shape: Shape, *names: str) -> list[FloatArray]:
    """Decay factors of each neuron, clamped to [0, 1] as snnTorch does.

    Raises:
        CannotExport: the module is a neuron that NIR or the chip does not have.
    """
    if faults := check_neuron("", module):
        raise CannotExport("cannot be exported: " + "; ".join(fault.removeprefix(": ") for fault in faults))
    return [_of_neurons(getattr(module, name).clamp(0, 1), name, shape) for name in names]


def _firing(module: nn.Module, shape: Shape) -> dict[str, npt.NDArray[np.float32]]:
    """The threshold of each neuron as an argument of a node; none for an integrator."""
    if is_integrator(module):
        return {}
    return {"v_threshold": _of_neurons(torch.as_tensor(module.threshold), "threshold", shape).astype(np.float32)}


def _of_neurons(value: Tensor, name: str, shape: Shape) -> FloatArray:
    values = value.detach().cpu().numpy().astype(np.float64)
    try:
        return np.broadcast_to(values, shape).copy()
    except ValueError:
        raise CannotExport(f"has a {name} of shape {values.shape} for neurons of shape {shape}") from None


def float32(value: Tensor) -> npt.NDArray[np.float32]:
    """A copy of a parameter in the type that other tools read without trouble.

    Raises:
        CannotExport: values that the type does not hold, such as weights that a normalization with next to no
            variance was folded into.
    """
    found = value.detach().cpu().to(torch.float32, copy=True)
    if not bool(torch.isfinite(found).all()):
        raise CannotExport("has values, with its normalization, beyond the range of 32-bit floating point")
    return np.asarray(found.numpy())
