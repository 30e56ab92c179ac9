"""Files of torch: made in memory and written as a whole, read as data and checked before memory is asked for."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .artefacts import existing_file, write_bytes
from .damaged import UNPACKING
from .errors import InputError
from .memory import available_bytes, in_gib


def save_torch(content: object, path: Path | str) -> None:
    """Write what :func:`torch.save` makes of ``content`` to ``path``, atomically; equal contents give equal bytes.

    torch puts the name of a file that it writes itself into that file, and does not survive a disk that fills up.

    Raises:
        InputError: as :func:`~spikewright.base.artefacts.atomic_write`.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getbuffer())


def load_torch(path: Path | str, what: str, remedy: str) -> Any:
    """Read what :func:`save_torch` wrote; nothing in the file is executed.

    Args:
        what: the file is expected to be, for messages.
        remedy: what to do about a file that is none.

    Raises:
        InputError: no such file, not of torch, more than memory holds, or one that claims more than it stores.
    """
    file = existing_file(path, what)
    stored, room = file.stat().st_size, available_bytes()
    if stored > room:
        raise InputError(f"{file}: has {in_gib(stored)}, and there are {in_gib(room)} of memory")
    content = file.read_bytes()
    if (claimed := claimed_bytes(io.BytesIO(content))) > stored:
        raise InputError(f"{file}: claims {claimed} bytes and stores {stored}; {remedy}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about bytes in another format; the refusal below covers them
            return unpacked(io.BytesIO(content))
    except Exception as error:  # torch.load raises whatever its unpickler meets in a foreign file
        raise InputError(f"{file}: is not {what} ({type(error).__name__}); {remedy}") from error


def unpacked(content: Path | io.BytesIO) -> Any:
    """What :func:`torch.load` makes of a file as data, on the CPU; it raises whatever torch meets in a foreign file."""
    try:
        return torch.load(content, map_location="cpu", weights_only=True)
    finally:
        # torch 2.3 keeps the sparse tensors of a file that it could not read, and refuses the next file by them.
        getattr(torch._utils, "_sparse_tensors_to_validate", []).clear()


def claimed_bytes(content: Path | io.BytesIO) -> int:
    """The bytes that a zip archive says it unpacks to; 0 for another file."""
    try:
        with zipfile.ZipFile(content) as archive:
            return sum(each.file_size for each in archive.infolist())
    except UNPACKING:
        return 0  # which torch may know, or refuses


def tensor_faults(weights: object) -> Iterator[str]:
    """Why ``weights`` is no state dict whose values lie whole in its file."""
    if not isinstance(weights, dict) or not all(isinstance(name, str) for name in weights):
        yield "weights: must be a state dict, tensors by name"
        return
    for name, value in weights.items():
        if not isinstance(value, Tensor):
            yield f"weights: {name!r} is of type {type(value).__name__}; must be a tensor"
        elif value.layout is not torch.strided or value.device.type != "cpu" or value.is_complex():
            yield f"weights: {name!r} is {value.dtype} of {value.layout} on {value.device}; must be dense real numbers"
        elif value.numel() * value.element_size() > value.untyped_storage().nbytes():
            yield f"weights: {name!r} claims {value.numel()} values and stores {value.untyped_storage().nbytes()} bytes"
