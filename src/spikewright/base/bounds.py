"""The largest numbers that anything here takes, in a module that loads nothing."""

from __future__ import annotations

MOST_SEED = 2**63 - 1
"""The largest seed that every generator of random numbers here takes."""
MOST_COUNT = 2**31 - 1
"""More of anything than there is: samples, epochs, neurons of a layer."""
