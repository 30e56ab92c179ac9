"""The simulator ``lava``: Lava's processes and ours in a child."""

from __future__ import annotations

from ...exchange.lava_values import lava_faults
from .job import LavaSimulator

run = LavaSimulator("lava", lava_faults)
