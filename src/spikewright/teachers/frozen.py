"""Copies of networks that are never changed, laid out for speed."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ..base.errors import InputError
from .trial import first_line


def frozen_copy(network: nn.Module, name: str) -> nn.Module:
    """A copy in evaluation mode and without gradients; of a compiled network that of the network itself.

    Raises:
        InputError: it cannot be copied.
    """
    try:
        with torch.no_grad():  # or the weights of a scripted network would be computed ones
            copied: nn.Module = copy.deepcopy(getattr(network, "_orig_mod", network)).eval()
    except RuntimeError as error:
        raise InputError(
            f"teacher {name}: cannot be copied ({first_line(error)}); first take off what computes its weights, "
            "such as torch.nn.utils.weight_norm"
        ) from error
    for parameter in copied.parameters():  # of a scripted network, which has no requires_grad_
        parameter.requires_grad_(False)
    use_channels_last(copied)
    return copied


def use_channels_last(network: nn.Module) -> None:
    """Store the kernels with channels last, in place; with images in the same layout, a CPU needs half the time."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
