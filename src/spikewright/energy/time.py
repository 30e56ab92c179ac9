"""How long an inference takes, and what static power costs meanwhile; apart from the energy that a budget bounds.

``time = sum over the chip's steps of (barrier + slowest core)``; ``static energy = static power x time``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..chip.activity import Activity
from ..chip.network import ChipNetwork
from ..chip.schedule import Schedule
from ..placing.core_load import CoreWork, core_work
from ..placing.placement import Placement
from ..profile.schema import WATTS, HardwareProfile
from ..profile.units import quantity


@dataclass(frozen=True)
class TimeEstimate:
    """How long an inference takes where samples follow each other without a pause.

    Attributes:
        barrier_s: synchronisation after each step.
        busy_s: the slowest core at each step of the chip from one sample's start to the next one's.
        slowest: core that is the slowest at the longest step, what it holds, and what it is busy with.
        tiles: in use.
        depth: steps from a sample's first one at the input to its first one at the deepest population.
        timesteps: algorithmic steps.
        static_w: static power of the chip, None where it is unknown.
        static_source: where that comes from.
        unknown: events that take time too and are left out, for want of a number.
    """

    barrier_s: float
    busy_s: tuple[float, ...]
    slowest: tuple[int, str, str]
    tiles: int
    depth: int
    timesteps: int
    static_w: float | None
    static_source: str
    unknown: tuple[str, ...]

    @property
    def steps(self) -> int:
        """Steps of the chip from one sample's start to the next one's."""
        return len(self.busy_s)

    @property
    def inference_s(self) -> float:
        """From one sample's start to the next one's."""
        return sum(self.busy_s) + self.steps * self.barrier_s

    @property
    def latency_s(self) -> float:
        """From a sample's start to its last step at the deepest population."""
        return self.inference_s / self.steps * (self.timesteps + self.depth)

    @property
    def static_j(self) -> float | None:
        """Static energy of an inference, None where static power is unknown."""
        return None if self.static_w is None else self.static_w * self.inference_s

    def sentence(self) -> str:
        """The estimate for people."""
        core, population, what = self.slowest
        return (
            f"at least {seconds(self.inference_s)} per inference ({1 / self.inference_s:,.0f} a second), "
            f"{seconds(self.latency_s)} from input to answer: {self.steps} steps of "
            f"{seconds(self.inference_s / self.steps)}, {seconds(self.barrier_s)} of it to synchronise {self.tiles} "
            f"{'tile' if self.tiles == 1 else 'tiles'}; the slowest is core {core} ({population}), busy with {what}"
        )

    def static_sentence(self) -> str:
        """Static energy for people; empty where static power is unknown."""
        if self.static_j is None or self.static_w is None:
            return ""
        power = quantity(self.static_w, "J").replace("J", "W")
        return (
            f"static energy meanwhile: {quantity(self.static_j, 'J')} per inference, not in the total "
            f"({power} a chip; {self.static_source})"
        )

    def as_json(self) -> dict[str, object]:
        """The estimate as JSON; seconds, watts and joules."""
        core, population, what = self.slowest
        return {
            "inference_s": self.inference_s,
            "latency_s": self.latency_s,
            "barrier_s": self.barrier_s,
            "busy_s": list(self.busy_s),
            "slowest": {"core": core, "population": population, "busy_with": what},
            "tiles": self.tiles,
            "static_w": self.static_w,
            "static_j": self.static_j,
            "static_source": self.static_source,
            "unknown": list(self.unknown),
        }


def time_of(
    activity: Activity, chip: ChipNetwork, placement: Placement, profile: HardwareProfile
) -> TimeEstimate | None:
    """How long an inference takes.

    Returns:
        None where the profile does not say how long events take or how cores lie, and for a network on several chips,
        whose barrier no profile gives.
    """
    mesh = profile.limits.mesh
    if profile.time is None or mesh is None or placement.arrangement.chips > 1:
        return None
    schedule = Schedule.of(chip, 1)
    work = core_work(activity, chip, placement, profile.time, schedule.stride)
    tiles = len({busy.core // mesh.cores_per_tile for busy in work.cores})
    static = profile.static_power
    return TimeEstimate(
        barrier_s=profile.time.barrier.seconds(tiles),
        busy_s=tuple(work.busy_s.max(axis=0).tolist()),
        slowest=_slowest(work),
        tiles=tiles,
        depth=schedule.deepest,
        timesteps=chip.timesteps,
        static_w=None if static is None else static.value * WATTS[static.unit],
        static_source="" if static is None else f"{static.source}, {static.where}",
        unknown=profile.time.unknown,
    )


def seconds(value: float) -> str:
    """A time for people."""
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= factor:
            return f"{value / factor:.4g} {unit}"
    return f"{value / 1e-9:.4g} ns"


def _slowest(work: CoreWork) -> tuple[int, str, str]:
    row, step = np.unravel_index(int(np.argmax(work.busy_s)), work.busy_s.shape)
    busy = work.cores[int(row)]
    what = "synapses" if work.arrivals_s[row, step] > work.updates_s[row, step] else "updates"
    return busy.core, " and ".join(busy.populations), what
