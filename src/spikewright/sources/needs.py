"""Libraries that only some kinds of files need."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..base.errors import InputError


def needed(module: str, extra: str, where: str) -> Any:
    """An imported module of an extra.

    Args:
        extra: of this project, which brings it.
        where: what needs it, for the message.

    Raises:
        InputError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"{where}: needs {module.partition('.')[0]}, which is not installed: pip install 'spikewright[{extra}]'"
        ) from error
