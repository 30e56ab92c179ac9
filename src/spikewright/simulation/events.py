"""The integer simulator driven by spikes: compiled loops that take one sample at a time through all steps.

It costs what the spikes cost, and an update of each neuron in each step. Sums are int32; :func:`fits` says for which
networks they are exact.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pkgutil import resolve_name
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..base.types import Drive
from ..chip.activity import Counts, Overflows
from ..chip.law import INT32_LIMIT, STATE_LIMIT
from ..chip.network import ChipNetwork
from ..chip.neuron_models import LAWS
from ..kernels.tables import Recorded, Tables
from .recording import Counted, Recording, Tally, events_of
from .tables import RESETS, by_target, hold_once, reach, tables_of

LOOPS = f"{Tables.__module__.rpartition('.')[0]}.network:simulate"
"""The compiled loops, which are imported when they are needed: numba takes a moment."""


def are_loaded() -> bool:
    """Whether the compiled loops are in this process already."""
    return LOOPS.partition(":")[0] in sys.modules


@dataclass(frozen=True, eq=False)
class Prepared:
    """What is made of a network once.

    Attributes:
        tables: of its populations and connections; None where a neuron model is not in the compiled loops.
        reach: by connection, in the network's order, :func:`reach`.
    """

    tables: Tables | None
    reach: tuple[int, ...]


_PREPARED: WeakKeyDictionary[ChipNetwork, Prepared] = WeakKeyDictionary()


def prepared(chip: ChipNetwork) -> Prepared:
    """What is made of ``chip``, at the first call; its arrays cannot be written to."""
    if chip not in _PREPARED:
        known = all(p.neuron is None or LAWS.get(p.neuron.law) in RESETS for p in chip.populations)
        most = tuple(map(reach, chip.connections))
        _PREPARED[chip] = Prepared(tables_of(chip) if known else None, most)
        if (tables := _PREPARED[chip].tables) is not None:
            hold_once(tables, chip)
    return _PREPARED[chip]


def fits(chip: ChipNetwork, payload: int) -> bool:
    """Whether the compiled loops are exact for ``chip`` with payloads up to this.

    Synaptic input has to fit int32, and sums of a convolution the 24 bits into which Lava wraps them.
    """
    known = prepared(chip)
    if known.tables is None:
        return False
    into = dict.fromkeys(chip.by_name, 0)
    for connection, most in zip(chip.connections, known.reach, strict=True):
        bound = most * (payload if chip.by_name[connection.source].neuron is None else 1)
        if connection.conv is not None and bound >= STATE_LIMIT:
            return False
        into[connection.target] += bound
    return max(into.values(), default=0) < INT32_LIMIT


class EventDriven:
    """A network and what drives it, ready to be simulated; threads may share it."""

    def __init__(self, chip: ChipNetwork, drive: Drive, record_states: bool = False) -> None:
        tables = prepared(chip).tables
        assert tables is not None
        self._chip, self._tables, self._simulate = chip, tables, resolve_name(LOOPS)
        self._events = events_of(chip, drive)
        self._drive = np.ascontiguousarray(drive).reshape(*drive.shape[:2], -1)
        self._recorded = _recorded(chip, drive.shape[1], record_states)
        self._plain = (*tables[:-1], tuple(tables.synapses))
        self._by_neuron, self._lock = np.zeros(len(tables.canonical), np.int64), Lock()

    @contextmanager
    def workers(self, count: int) -> Iterator[Callable[..., Iterable[Any]]]:
        """A ``map`` over threads, or in this one if it is to be one; what has not begun is dropped on a failure."""
        if count == 1:
            yield map
            return
        pool = ThreadPoolExecutor(count)
        try:
            yield pool.map
        finally:
            pool.shutdown(cancel_futures=True)

    def run(self, chunk: slice) -> dict[str, Tally]:
        """Simulate some samples; returns counts by population that has neurons."""
        counts_spikes = self._chip.readout == "count"
        where = self._chip.timesteps, chunk.start, chunk.stop, counts_spikes
        overflows, by_neuron = self._simulate(self._plain, self._drive, *where, tuple(self._recorded))
        with self._lock:
            self._by_neuron += by_neuron
        active = self._recorded.active[:, :, chunk].sum(axis=(1, 2))
        return {
            population.name: Tally(int(active[number]), Overflows(*map(int, overflows[number])))
            for number, population in enumerate(self._chip.populations)
            if population.neuron is not None
        }

    def recording(self) -> Recording:
        """What was simulated, by population; the tallies are zero."""
        chip, recorded = self._chip, self._recorded
        places = {p.name: number for number, p in enumerate(chip.populations) if p.neuron is not None}

        def of(name: str, flat: npt.NDArray[Any]) -> npt.NDArray[Any]:
            start, shape = recorded.starts[places[name]], self._events.shape[:2] + chip.by_name[name].shape
            return flat[start : start + prod(shape)].reshape(shape)

        states = places if recorded.v.size else ()
        return Recording(
            spikes={name: of(name, recorded.rasters) if name in places else self._events for name in chip.by_name},
            scores=recorded.scores,
            tallies={name: Tally() for name in places},
            active={name: recorded.active[number] for name, number in places.items()},
            u={name: of(name, recorded.u) for name in states},
            v={name: of(name, recorded.v) for name in states},
            counted=self._counted(),
        )

    def _counted(self) -> Counted:
        chip, recorded = self._chip, self._recorded
        spikes, rows = {}, self._tables.populations
        for row, population in zip(rows, chip.populations, strict=True):
            here = slice(int(row["first"]), int(row["first"] + row["count"]))
            spikes[population.name] = np.empty(population.shape, np.int64)
            spikes[population.name].ravel()[self._tables.canonical[here]] = self._by_neuron[here]
        names, connections = [*chip.by_name], [connection.name for connection in by_target(chip)]
        active = {name: recorded.active[names.index(name)] for name in names if chip.by_name[name].neuron is not None}
        visits = dict(zip(connections, recorded.visits, strict=True))
        operations = {c.name: visits[c.name] for name in names for c in chip.out_of(name)}
        return Counted(spikes, Counts(dict(zip(names, recorded.sent, strict=True)), active, operations))


def _recorded(chip: ChipNetwork, samples: int, states: bool) -> Recorded:
    """Arrays for the compiled loops to fill in."""
    updates = [0 if p.neuron is None else chip.timesteps * samples * p.size for p in chip.populations]
    u, v = (np.empty(sum(updates) if states else 0, np.int32) for _ in "uv")
    each = (chip.timesteps, samples)
    return Recorded(
        rasters=np.zeros(sum(updates), np.uint8),
        starts=np.cumsum([0, *updates[:-1]]),
        scores=np.zeros((samples, chip.outputs), np.int64),
        active=np.zeros((len(updates), *each), np.int64),
        sent=np.zeros((len(updates), *each), np.int64),
        visits=np.zeros((len(chip.connections), *each), np.int64),
        u=u,
        v=v,
    )
