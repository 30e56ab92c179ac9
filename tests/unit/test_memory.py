"""Memory that is freed is kept while a training runs, and goes back behind it."""

from __future__ import annotations

import subprocess
import sys

from spikewright.base.memory import in_gib

PROGRAM = """
import os, resource
import numpy as np
from spikewright.base.memory import freed_memory_kept

def faults(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        np.ones(2**26, np.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

before = faults(10)
begun = resident()
with freed_memory_kept():
    faults(1)
    within, kept = faults(10), resident() - begun
print(before, within, kept, resident() - begun, faults(10))
"""


def ran(**environment: str) -> list[int]:
    """Page faults of ten arrays before, within and behind; bytes that are kept within and behind."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    before, within, kept, left, behind = map(int, done.stdout.split())
    return [before, within, behind, kept, left]


def test_arrays_of_the_next_step_take_the_pages_of_the_last() -> None:
    before, within, behind, kept, left = ran()
    assert within * 10 < min(before, behind)
    assert kept > 2**25 > left


def test_what_the_environment_says_of_the_allocator_holds() -> None:
    before, within, behind, *_ = ran(MALLOC_TRIM_THRESHOLD_="131072", MALLOC_MMAP_THRESHOLD_="131072")
    assert within > before / 2
    assert behind > before / 2


def test_bytes_in_words() -> None:
    assert in_gib(3 * 2**29) == "1.5 GiB"
    assert in_gib(2.0**30) == "1 GiB"
    assert in_gib(10**400) == "more than 9e+290 GiB", "no float is as large"
