"""How much memory there is for what a file or a setting asks for."""

from __future__ import annotations

import os
import resource
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")


def available_bytes() -> int:
    """Memory that the system can give without swapping, and that limits of this process leave."""
    return min(_of_the_system(), _of_the_process())


def in_gib(count: float) -> str:
    """Bytes in words: ``1.5 GiB``."""
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
