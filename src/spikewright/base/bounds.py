"""Upper limits of numbers in options and files; the module imports nothing, so that every other one may use it."""

from __future__ import annotations

MOST_SEED = 2**63 - 1
"""The largest seed that every generator of random numbers here takes."""
MOST_STUDENTS = 10_000
"""Upper limit of how often one thing is trained in a sweep or a comparison: seeds, and budgets."""
MOST_WORKERS = 256
"""Upper limit of processes of one simulation."""
MOST_COUNT = 2**31 - 1
"""Upper limit of counts: samples, epochs, neurons of a layer."""
