"""Hashes of networks: of their weights, and of how they take samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from .samples import SampleFormat

_PER_CHANNEL = (torch.per_channel_affine, torch.per_channel_symmetric, torch.per_channel_affine_float_qparams)


def weights_sha256(network: nn.Module) -> str:
    """The SHA-256 of names, shapes and values of a network's weights and buffers."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        for array in _arrays(value):
            digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()


def _arrays(value: Any) -> Iterator[npt.NDArray[Any]]:
    """The numbers in one value of a state dict; a quantized layer packs its weights, scales and type."""
    if isinstance(value, tuple | list):
        for each in value:
            yield from _arrays(each)
    elif not isinstance(value, Tensor):
        yield np.frombuffer(repr(value).encode(), np.uint8)
    elif value.is_quantized:
        yield value.int_repr().numpy()
        if value.qscheme() in _PER_CHANNEL:
            yield from (value.q_per_channel_scales().numpy(), value.q_per_channel_zero_points().numpy())
        else:
            yield from (np.float64(value.q_scale()).reshape(1), np.int64(value.q_zero_point()).reshape(1))
    else:
        array = value.detach().cpu().contiguous()
        yield (array.view(torch.int16) if array.dtype == torch.bfloat16 else array).numpy()


def with_format(weights: str, taken: SampleFormat) -> str:
    """The SHA-256 of a teacher: that of its weights, and how it takes samples where that is not as they are."""
    return weights if taken == SampleFormat() else hashlib.sha256(f"{weights} {taken!r}".encode()).hexdigest()
