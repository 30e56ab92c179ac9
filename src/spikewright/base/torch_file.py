"""Files of torch: made in memory and then written as a whole, so that equal contents give equal bytes."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from .artefacts import write_bytes


def save_torch(content: object, path: Path | str) -> None:
    """Write what :func:`torch.save` makes of ``content`` to ``path``, atomically.

    torch puts the name of a file that it writes itself into that file, and does not survive a disk that fills up.

    Raises:
        InputError: as :func:`~spikewright.base.artefacts.atomic_write`.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_bytes(path, buffer.getbuffer())
