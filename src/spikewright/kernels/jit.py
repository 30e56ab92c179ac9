"""How loops are compiled: once for each kind of arguments, without the interpreter's lock, and kept in a cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(function: Callable[..., Any]) -> Any:
    """``function``, compiled when it is first called.

    The machine code is kept beside the module, or where that cannot be written to in the user's cache, so that it is
    compiled once on a machine; where neither can be written to, once in each process.
    """
    try:
        return njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # of numba: no place for a cache
        return njit(nogil=True, error_model="numpy")(function)
