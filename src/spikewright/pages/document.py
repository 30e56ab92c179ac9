"""What one call of `spikewright report` writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..energy.report import EnergyReport
from .runs import RunTable


@dataclass(frozen=True)
class Document:
    """Reports of one activity, and other runs beside it.

    Attributes:
        reports: one for each profile that the network fits.
        refusals: why other profiles have none.
        runs: a table of all runs for each profile; empty for a single run.
    """

    reports: Sequence[EnergyReport]
    refusals: Sequence[str] = ()
    runs: Sequence[RunTable] = ()
