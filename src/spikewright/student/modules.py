"""The NIR node of each torch and snnTorch module: add a module by adding a function under ``@node_of.register``."""

# ruff: noqa: ARG001  (every handler takes what the dispatcher takes)

from __future__ import annotations

from functools import singledispatch

import nir
import numpy as np
import numpy.typing as npt
import snntorch as snn
import torch
from torch import Tensor, nn

from ..base.types import FloatArray
from ..graph.nodes import Shape, pair
from .neurons import check_neuron, is_integrator

# snnTorch 1.0's exporter hard-codes this timestep, and so do the graphs of the NIR paper.
DT_S = 1e-4

HANDLED = (
    "Conv2d, Linear, BatchNorm1d/2d after one of them, AvgPool2d, Flatten, Dropout, Identity, snn.Leaky, snn.Synaptic"
)


class CannotExport(Exception):
    """Why a module has no NIR node, as a predicate without the module's name."""


@singledispatch
def node_of(module: nn.Module, shape: Shape) -> nir.NIRNode | None:
    """The NIR node that computes what ``module`` does at inference; None where its input is passed on unchanged.

    Args:
        module: a layer or a neuron.
        shape: of the module's input, without the batch.

    Raises:
        CannotExport: NIR or the chip has nothing that computes the same.
    """
    raise CannotExport(f"is a {type(module).__name__}; handled are {HANDLED}")


def has_node(module: nn.Module) -> bool:
    """Whether a function is registered for exactly this kind of module."""
    return type(module) in node_of.registry


@node_of.register(nn.Identity)
@node_of.register(nn.Dropout)
@node_of.register(nn.Dropout1d)
@node_of.register(nn.Dropout2d)
def _(module: nn.Module, shape: Shape) -> nir.NIRNode | None:
    return None


@node_of.register
def _(module: nn.Linear, shape: Shape) -> nir.NIRNode | None:
    if len(shape) != 1:
        raise CannotExport(f"is a Linear fed with shape {shape}; put nn.Flatten before it")
    bias: Tensor | None = getattr(module, "bias", None)
    if bias is None:
        return nir.Linear(weight=_float32(module.weight))
    return nir.Affine(weight=_float32(module.weight), bias=_float32(bias))


@node_of.register
def _(module: nn.Conv2d, shape: Shape) -> nir.NIRNode | None:
    if module.padding_mode != "zeros":
        raise CannotExport(f"pads with {module.padding_mode!r}; NIR and the chip pad with zeros: padding_mode='zeros'")
    uneven = any(d * (k - 1) % 2 for d, k in zip(module.dilation, module.kernel_size, strict=True))
    if module.padding == "same" and uneven:
        raise CannotExport(
            f"is padded 'same' with a kernel of {module.kernel_size}, which pads one side more than the other; use "
            "odd sizes"
        )
    node = nir.Conv2d(
        input_shape=(shape[1], shape[2]),
        weight=_float32(module.weight),
        stride=pair(module.stride),
        padding=module.padding if isinstance(module.padding, str) else pair(module.padding),
        dilation=pair(module.dilation),
        groups=module.groups,
        bias=np.zeros(module.out_channels, np.float32) if module.bias is None else _float32(module.bias),
    )
    node.input_type = {"input": np.array(shape)}  # nir 1.0.8 forgets the groups here
    return node


@node_of.register
def _(module: nn.AvgPool2d, shape: Shape) -> nir.NIRNode | None:
    padding = pair(module.padding)
    if module.ceil_mode or module.divisor_override or (any(padding) and not module.count_include_pad):
        raise CannotExport(
            "is an AvgPool2d with ceil_mode, divisor_override or count_include_pad=False, which NIR has no fields for; "
            "leave them at their defaults"
        )
    kernel = np.array(pair(module.kernel_size))
    stride = kernel if module.stride is None else np.array(pair(module.stride))
    return nir.AvgPool2d(kernel_size=kernel, stride=stride, padding=np.array(padding))


@node_of.register(nn.MaxPool1d)
@node_of.register(nn.MaxPool2d)
@node_of.register(nn.AdaptiveMaxPool2d)
def _(module: nn.Module, shape: Shape) -> nir.NIRNode | None:
    raise CannotExport(
        f"is a {type(module).__name__}: the largest of several spikes is no weighted sum, and neither NIR nor the chip "
        "has it; use nn.AvgPool2d or a convolution with a stride"
    )


@node_of.register
def _(module: nn.Flatten, shape: Shape) -> nir.NIRNode | None:
    return flatten(shape, module.start_dim, module.end_dim)


@node_of.register(nn.BatchNorm1d)
@node_of.register(nn.BatchNorm2d)
def _(module: nn.Module, shape: Shape) -> nir.NIRNode | None:
    raise CannotExport(
        f"is a {type(module).__name__} that does not follow a Conv2d or Linear of its own, so it cannot be folded "
        "away; put it right behind one"
    )


@node_of.register
def _(module: snn.Leaky, shape: Shape) -> nir.NIRNode | None:
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


@node_of.register
def _(module: snn.Synaptic, shape: Shape) -> nir.NIRNode | None:
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


def _float32(value: Tensor) -> npt.NDArray[np.float32]:
    """A copy of a parameter in the type that other tools read without trouble."""
    return np.array(value.detach().cpu().numpy(), np.float32)
