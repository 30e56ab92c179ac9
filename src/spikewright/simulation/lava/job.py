"""Lava in a child process: what it is given, how it is watched, and what is made of what it leaves.

Lava starts an operating-system process for every process of the network, sets the start method of the interpreter it
runs in, and hangs when one of its processes fails. So it never runs in ours: a child runs it
(:mod:`spikewright.base.child`), and is ended with all its processes when it says nothing for too long, or when we end.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ...base.child import Child, ending, last_words
from ...base.errors import InputError, SpikewrightError, arg, refuse
from ...base.progress import Advance
from ...base.types import Drive, IntArray
from ...chip.network import ChipNetwork, Schedule
from .. import integer
from ..backends import check_drive
from ..recording import Recording, SpikeArray, StateArray
from .files import PROGRESS, Kind, recorded, write

SILENCE_LIMIT_S = 300.0
"""Default for the longest silence of a child: starting Lava takes up to half a minute on a slow machine."""

POLL_S = 0.2
FOLDER = "spikewright-lava-"
"""What the name of a child's temporary folder begins with."""
CODE = "from spikewright.simulation.lava.child import main; main()"
"""What the child runs."""


def require_lava(kind: Kind) -> None:
    """Raise one :class:`InputError` that says how to get Lava where it is not installed."""
    module, package = ("lava.proc", "lava-nc") if kind == "lava" else ("lava.lib.dl", "lava-dl")
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise InputError(
            f"{arg('on', kind)}: {package} is not installed (this is Python {version}); Lava exists for Python 3.10 "
            f"only: install with `pip install 'spikewright[lava]'` there, or use {arg('on', 'integer')}, which "
            "computes the same"
        )


@dataclass(frozen=True)
class LavaSimulator:
    """A simulator on Lava's processes; called as any :class:`~spikewright.simulation.backends.Run`.

    Attributes:
        kind: ``lava`` (processes made here) or ``netx`` (made by lava-dl from its file format).
        faults: why the processes would not compute a network; nothing where they do.
    """

    kind: Kind
    faults: Callable[[ChipNetwork], Iterable[str]]

    def __call__(
        self,
        chip: ChipNetwork,
        drive: Drive,
        *,
        record_states: bool = False,
        progress: Advance | None = None,
        time_limit_s: float = SILENCE_LIMIT_S,
    ) -> Recording:
        """Run ``chip`` on Lava; same result as :func:`spikewright.simulation.integer.run`.

        Args:
            chip: the network; paths that meet must have been balanced.
            drive: integers, shape ``(timesteps or 1, samples, *input shape)``.
            record_states: also keep currents and membrane potentials of all populations.
            progress: called with the number of samples done.
            time_limit_s: longest time that Lava may take to start, and then for any one sample.

        Raises:
            InputError: Lava is not installed, or cannot hold the network or the drive.
            SpikewrightError: Lava failed or hung; carries the end of its traceback.
        """
        require_lava(self.kind)
        check_drive(chip, drive)
        refuse(arg("on", self.kind), list(self.faults(chip)))
        with Child(CODE, FOLDER) as child:
            write(child.folder, chip, drive, self.kind, record_states)
            watch(child, self.kind, progress, time_limit_s)
            return _collected(chip, drive, child.folder, record_states)


def watch(child: Child, kind: Kind, progress: Advance | None, time_limit_s: float) -> None:
    """Run the child until it ends well, and pass its progress on.

    Raises:
        SpikewrightError: it failed, was killed, or said nothing for ``time_limit_s`` seconds.
    """
    child.start()
    heard, code = time.monotonic(), None
    said, words = child.folder / "stdout.txt", child.folder / "stderr.txt"
    said.touch()
    with said.open(errors="replace") as lines:
        while code is None:
            code = child.wait(POLL_S)  # before its lines are read, so that none is missed
            for line in lines:
                heard = time.monotonic()
                if line.startswith(PROGRESS) and progress:
                    progress(int(line.removeprefix(PROGRESS)))
            if code is None and time.monotonic() - heard > time_limit_s:
                raise SpikewrightError(
                    f"{arg('on', kind)}: Lava's process said nothing for {time_limit_s:g} s and was ended; a "
                    f"longer limit may help a large network{last_words(words)}"
                )
    if code:
        raise SpikewrightError(f"{arg('on', kind)}: Lava's process {ending(code)}{last_words(words)}")


def _collected(chip: ChipNetwork, drive: Drive, folder: Path, record_states: bool) -> Recording:
    """Align what the child's recorders wrote: every population's clock is set back by its depth."""
    schedule, output = Schedule.of(chip, drive.shape[1]), chip.output
    spikes: dict[str, SpikeArray] = {}
    states: dict[str, dict[str, StateArray]] = {"u": {}, "v": {}}
    kept: dict[str, dict[str, Any]] = {"spikes": spikes, **(states if record_states else {})}
    for index, population in enumerate(chip.populations):
        if population.neuron is None:
            spikes[population.name] = np.broadcast_to(drive, (chip.timesteps, *drive.shape[1:]))
            continue
        places = schedule.places(chip.depth[population.name])
        for what, arrays in kept.items():
            rows = np.load(recorded(folder, what, index), mmap_mode="r")[places]
            arrays[population.name] = _chip_order(rows, leading=2).reshape(*rows.shape[:2], *population.shape)
    if chip.readout == "count":
        scores: IntArray = spikes[output.name].sum(axis=0, dtype=np.int64)
    else:
        last = np.load(recorded(folder, "last", chip.populations.index(output)))
        scores = _chip_order(last, leading=1).astype(np.int64)
    own = integer.run(chip, drive, heard=spikes)
    u, v = states["u"], states["v"]
    return Recording(spikes, scores.reshape(len(scores), -1), own.tallies, u, v, own.active)


def _chip_order(values: npt.NDArray[Any], leading: int) -> npt.NDArray[Any]:
    """Lava's (column, row, channel), behind ``leading`` axes of steps and samples, as (channel, row, column)."""
    return np.ascontiguousarray(values.transpose(*range(leading), *range(values.ndim - 1, leading - 1, -1)))
