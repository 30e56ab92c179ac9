"""The integer simulator: many samples at once, bit for bit what Lava's fixed-point processes compute.

It has two ways to the same integers. Compiled loops driven by spikes (:mod:`.events`) take every network whose sums
fit their registers; dense arithmetic in torch (:mod:`.dense`) takes the rest, and is the reference that tests hold the
loops to. It also takes what is done before the loops would be loaded.
"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..base.progress import Advance
from ..base.types import Drive
from ..chip.network import ChipNetwork
from .backends import check_drive
from .dense import NOTHING, Dense, Heard
from .events import EventDriven, are_loaded, fits
from .recording import Recording, Tally
from .tables import has_many_weights

CHUNK_ELEMENTS = 2**21
"""Neuron updates worked on at once: bounds the memory and keeps the registers in the processor's cache."""


class Patience:
    """How long dense arithmetic is taken in a process before the compiled loops are loaded.

    Attributes:
        loading_s: about what numba and the loops take to load; to compile them, once on a machine, takes several times
            that.
        update_s: about what dense arithmetic takes for an update of a neuron, on one thread.
        spent_s: what it has taken so far.
    """

    def __init__(self, loading_s: float = 1.0, update_s: float = 2e-8) -> None:
        self.loading_s, self.update_s, self.spent_s = loading_s, update_s, 0.0

    def ends_with(self, chip: ChipNetwork, samples: int) -> bool:
        """Whether dense arithmetic for these samples, too, would take longer than to load the loops, or much memory."""
        size = sum(population.size for population in chip.populations)
        if has_many_weights(chip.connections):
            return True
        self.spent_s += self.update_s * chip.timesteps * samples * size
        return self.spent_s > self.loading_s


PATIENCE = Patience()


def run(
    chip: ChipNetwork,
    drive: Drive,
    *,
    record_states: bool = False,
    progress: Advance | None = None,
    heard: Heard = NOTHING,
) -> Recording:
    """Simulate ``chip`` on all samples of ``drive``.

    As many chunks of samples are under way as torch has threads, each on one: operations this small lose more by being
    cut up among threads than they gain, and on a busy machine lose a hundredfold.

    Args:
        chip: the network.
        drive: integers, shape ``(timesteps or 1, samples, *input shape)``, as
            :func:`spikewright.chip.encoding.encode` makes it: payloads or spikes of an event input, or bias mantissas
            of an input population that has neurons, the same at every step or set anew for each.
        record_states: also keep currents and membrane potentials.
        progress: called with the number of samples done.
        heard: spikes of another simulator, for the counts that belong to them.

    Raises:
        InputError: the drive does not fit the network's input, or sums could leave what float64 holds exactly.
    """
    check_drive(chip, drive)
    engine: EventDriven | Dense
    if not heard and fits(chip, int(drive.max())) and (are_loaded() or PATIENCE.ends_with(chip, drive.shape[1])):
        engine = EventDriven(chip, drive, record_states)
    else:
        engine = Dense(chip, drive, heard, record_states)
    return simulated(engine, chip, drive.shape[1], progress)


def simulated(engine: EventDriven | Dense, chip: ChipNetwork, samples: int, progress: Advance | None) -> Recording:
    """What ``engine`` makes of its samples, a chunk after the other."""
    total = dict[str, Tally]()
    per_chunk = max(1, CHUNK_ELEMENTS // (chip.timesteps * sum(p.size for p in chip.populations)))
    chunks = [slice(start, min(start + per_chunk, samples)) for start in range(0, samples, per_chunk)]
    with engine.workers(min(torch.get_num_threads(), len(chunks))) as each:
        for chunk, tallies in zip(chunks, each(engine.run, chunks), strict=True):
            for name, tally in tallies.items():
                total[name] = total.get(name, Tally()) + tally
            if progress:
                progress(chunk.stop - chunk.start)
    return replace(engine.recording(), tallies=total)
