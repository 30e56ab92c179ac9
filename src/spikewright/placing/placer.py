"""How a network is to be placed, decided where a report is asked for and done where its profile is known."""

from __future__ import annotations

from dataclasses import dataclass

from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..profile.schema import HardwareProfile
from .placement import PlaceBy, Placement, place


@dataclass(frozen=True)
class Placer:
    """The arguments of :func:`spikewright.placing.placement.place` that do not depend on a network."""

    by: PlaceBy = "connectivity"
    chips: int | None = None
    seed: int = 0

    def __call__(self, chip: ChipNetwork, profile: HardwareProfile, activity: Activity) -> Placement:

        return place(chip, profile, chips=self.chips, by=self.by, activity=activity, seed=self.seed)


DEFAULT_PLACER = Placer()
"""What training charges: by connectivity, on the chips that the profile says."""
