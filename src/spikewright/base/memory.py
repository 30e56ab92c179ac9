"""How much memory there is for what a file or a setting asks for, and memory that is kept from step to step."""

from __future__ import annotations

import ctypes
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_BEYOND_WORDS = 10**300
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's ``mallopt``, from ``malloc.h``."""
_USUAL = {_TRIM_THRESHOLD: 128 << 10, _MMAP_MAX: 65536}
"""Their values as glibc begins."""


def available_bytes() -> int:
    """Memory that the system can give without swapping, and that limits of this process leave."""
    return min(_of_the_system(), _of_the_process())


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Have glibc keep what is freed for what is allocated next, instead of giving it back to the system.

    A training allocates the same large arrays in every step; given back and asked for again, each of their pages costs
    a fault. What is left over goes back at the end. Nothing changes with another C library, or where the environment
    sets glibc's own parameters.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None or any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        yield
        return
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
    mallopt(_MMAP_MAX, 0)
    try:
        yield
    finally:
        for parameter, value in _USUAL.items():
            mallopt(parameter, value)
        ctypes.CDLL(None).malloc_trim(0)


def in_gib(count: float) -> str:
    """Bytes in words: ``1.5 GiB``."""
    if count > _BEYOND_WORDS:  # a whole number may be larger than any float
        return f"more than {_BEYOND_WORDS / 2**30:.0g} GiB"
    return f"{count / 2**30:.3g} GiB"


def _of_the_system() -> int:
    if _MEMINFO.is_file():
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) << 10
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_the_process() -> int:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    statm = Path("/proc/self/statm")
    if limit == resource.RLIM_INFINITY or not statm.is_file():
        return _of_the_system()
    return max(0, limit - int(statm.read_text(encoding="ascii").split()[0]) * resource.getpagesize())
