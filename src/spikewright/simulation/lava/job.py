"""Lava in a child process: what it is given, how it is watched, and what is made of what it leaves.

Lava starts an operating-system process for every process of the network, sets the start method of the interpreter it
runs in, and hangs when one of its processes fails. So it never runs in ours: a child runs it, in a session of its own,
and is ended with all its processes when it says nothing for too long.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ...base.errors import InputError, SpikewrightError, arg
from ...base.types import IntArray
from ...chip.chip_file import save_chip
from ...chip.network import ChipNetwork, Population, Schedule
from ..integer import recount  # imports torch, which the child has no use for
from ..recording import Progress, Recording, SpikeArray, StateArray

Kind = Literal["lava", "netx"]
SILENCE_LIMIT_S = 300.0
"""Default for the longest silence of a child: starting Lava takes up to half a minute on a slow machine."""

PROGRESS = "spikewright-done "
"""What a line on the child's stdout begins with that says how many more samples are done."""

TRACEBACK_LINES = 12
POLL_S = 0.2
GRACE_S = 5.0
"""How long a child's processes may take to end before they are made to."""


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


def run_in_child(
    kind: Kind,
    chip: ChipNetwork,
    drive: IntArray,
    *,
    record_states: bool,
    progress: Progress | None,
    time_limit_s: float,
) -> Recording:
    """Run ``chip`` on Lava processes and return the aligned recording.

    Args:
        kind: ``lava`` (processes made here) or ``netx`` (made by lava-dl from its file format).
        chip: a balanced network.
        drive: as for :func:`spikewright.simulation.integer.run`.
        record_states: also keep currents and membrane potentials.
        progress: called with the number of samples done.
        time_limit_s: longest time that the child may take to start, and then for any one sample.

    Raises:
        SpikewrightError: the child failed or fell silent; carries the end of its traceback.
    """
    schedule = Schedule.of(chip, drive.shape[1])
    with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
        folder = Path(name)
        save_chip(chip, folder / "chip.h5")
        np.save(folder / "drive.npy", drive)
        (folder / "job.json").write_text(json.dumps({"kind": kind, "record_states": record_states}))
        _watch([sys.executable, "-m", "spikewright.simulation.lava.child", name], folder, kind, progress, time_limit_s)
        return collect(chip, schedule, drive, folder, record_states)


def _watch(command: list[str], folder: Path, kind: Kind, progress: Progress | None, time_limit_s: float) -> None:
    """Run the child until it ends well; end it with all its processes otherwise."""
    source_root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([source_root, os.environ.get("PYTHONPATH", "")])}
    words = folder / "stderr.txt"
    with words.open("wb") as stderr:
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment, start_new_session=True
        )
    assert child.stdout is not None
    lines: Queue[str | None] = Queue()
    reader = threading.Thread(target=_forward, args=(child.stdout, lines.put), daemon=True)
    reader.start()
    try:
        _follow(child, lines, kind, progress, time_limit_s, words)
        code = child.wait(time_limit_s)
    finally:
        _end(child)
        reader.join(timeout=10)
        child.stdout.close()
    if code:
        raise SpikewrightError(f"{arg('on', kind)}: Lava's process failed (exit code {code}){_tail(words)}")


def _forward(lines: object, put: Callable[[str | None], None]) -> None:
    for line in lines:  # type: ignore[attr-defined]
        put(line)
    put(None)


def _follow(
    child: subprocess.Popen[str],
    lines: Queue[str | None],
    kind: Kind,
    progress: Progress | None,
    time_limit_s: float,
    words: Path,
) -> None:
    """Pass the child's progress on until it ends; its own processes may outlive it and keep its stdout open."""
    heard = time.monotonic()
    while True:
        ended = child.poll() is not None
        try:
            line = lines.get(timeout=0 if ended else POLL_S)
        except Empty:
            if ended:
                return
            if time.monotonic() - heard > time_limit_s:
                raise SpikewrightError(
                    f"{arg('on', kind)}: Lava's process said nothing for {time_limit_s:g} s and was ended; a longer "
                    f"limit may help a large network{_tail(words)}"
                ) from None
            continue
        heard = time.monotonic()
        if line is None:
            return
        if line.startswith(PROGRESS) and progress:
            progress(int(line.removeprefix(PROGRESS)))


def _end(child: subprocess.Popen[str]) -> None:
    """End the child and every process that it started; they share its session's process group.

    Where it did not end well, first the polite way: Python's resource tracker survives that and, when the others are
    gone, frees the shared memory that they talked through.
    """
    with contextlib.suppress(ProcessLookupError):
        if child.poll() != 0:
            os.killpg(child.pid, signal.SIGTERM)
            deadline = time.monotonic() + GRACE_S
            while time.monotonic() < deadline:
                child.poll()
                os.killpg(child.pid, 0)
                time.sleep(POLL_S / 4)
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _tail(words: Path) -> str:
    lines = [line for line in words.read_text(errors="replace").splitlines() if line.strip()]
    starts = [i for i, line in enumerate(lines) if line.startswith("Traceback")]
    said = lines[starts[-1] :] if starts else lines
    return "".join(f"\n  {line}" for line in said[-TRACEBACK_LINES:])


def collect(chip: ChipNetwork, schedule: Schedule, drive: IntArray, folder: Path, record_states: bool) -> Recording:
    """Align what the child's recorders wrote: every population's clock is set back by its depth."""
    spikes: dict[str, SpikeArray] = {}
    u: dict[str, StateArray] = {}
    v: dict[str, StateArray] = {}
    for index, population in enumerate(chip.populations):
        places = schedule.places(chip.depth[population.name])
        if population.neuron is None:
            spikes[population.name] = np.broadcast_to(drive, (chip.timesteps, *drive.shape[1:]))
            continue
        spikes[population.name] = _aligned(recorded(folder, "spikes", index), places, population)
        if record_states:
            u[population.name] = _aligned(recorded(folder, "u", index), places, population)
            v[population.name] = _aligned(recorded(folder, "v", index), places, population)
    own = recount(chip, drive, spikes)
    return Recording(spikes, _scores(chip, spikes, folder), own.tallies, u, v, own.active)


def recorded(folder: Path, what: str, index: int) -> Path:
    """File of ``spikes``, ``u``, ``v`` (every chip step) or ``last`` (v at each sample's end) of a population."""
    return folder / f"{what}-{index}.npy"


def _aligned(file: Path, places: IntArray, population: Population) -> npt.NDArray[Any]:
    rows = np.load(file, mmap_mode="r")[places]
    aligned = np.ascontiguousarray(rows.transpose(0, 1, *range(rows.ndim - 1, 1, -1)))
    assert aligned.shape[2:] == population.shape
    return aligned


def _scores(chip: ChipNetwork, spikes: dict[str, SpikeArray], folder: Path) -> IntArray:
    output = chip.output
    if chip.readout == "count":
        scores: IntArray = spikes[output.name].sum(axis=0, dtype=np.int64)
    else:
        last = np.load(recorded(folder, "last", chip.populations.index(output)))
        scores = last.transpose(0, *range(last.ndim - 1, 0, -1)).astype(np.int64)
    return scores.reshape(len(scores), -1)
