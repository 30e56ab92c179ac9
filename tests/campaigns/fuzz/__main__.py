"""`python -m campaigns.fuzz`: wrong files for every reader, counted by reader."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import math
import os
import resource
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .inputs import WAYS, Way, input_of, shared_out
from .judge import MEMORY, Fault
from .reader import Reader
from .readers import READERS, SHARES
from .seeds import ROOT, Seeds
from .work import BATCH, Found, Rooms, clear, rooms, run_batch, warm_up

OUT = ROOT / "build/campaigns/fuzz"
INPUTS = 1_000_000
MANY = ("student.pt", ".nir", "chip.h5", "activity", ".onnx", "presets and profiles", ".npz and .npy", "events")
LEAST, FEW = 20_000, 2_000
"""Structure-aware inputs of each of these kinds, and of each other, in the whole campaign."""
MOST_SAVED = 200
"""Different faults that are kept as files."""


@dataclass
class Tally:
    """What is known of a reader.

    Attributes:
        inputs: by way, how many were read.
        found: how they ended.
        seconds: of processor time that they took.
    """

    kind: str
    inputs: Counter[str] = field(default_factory=Counter)
    found: Found = field(default_factory=Found)
    seconds: float = 0.0


def main(words: Sequence[str] | None = None) -> int:
    """Run the campaign; 1 if anything broke."""
    options = _options(words)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    OUT.mkdir(parents=True, exist_ok=True)
    log = OUT / ("again.log" if options.again else "fuzz.log")  # reading one input leaves a running campaign its log
    logging.basicConfig(filename=log, filemode="w", level=logging.INFO, format="%(message)s")
    with rooms() as room:
        os.environ["SPIKEWRIGHT_CACHE"] = str(room.cache)
        readers = dict(_readers(options.only, room))
        gc.collect()
        gc.freeze()  # else each process that reads inputs would copy what the first look of its collector touches
        if options.again:
            return _again(options.again, options.seed, readers, room)
        tallies = _campaign(readers, options, room)
    _write_summary(tallies, options)
    print(_table(tallies))
    return int(any(tally.found.faults for tally in tallies.values()))


def _options(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m campaigns.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of all changes; the same inputs again")
    parser.add_argument("--only", action="append", help="a reader; again for several")
    parser.add_argument("--inputs", type=int, default=INPUTS, help=f"of all readers together; default: {INPUTS:,}")
    parser.add_argument("--seconds", type=float, help="end after so long, with fewer inputs")
    parser.add_argument("--behind", type=int, default=0, help="go on behind so many inputs, where a run was stopped")
    parser.add_argument("--again", metavar="READER:WAY:NUMBER", help="read one input, and say how it ended")
    options = parser.parse_args(words)
    for name in options.only or ():
        if name not in READERS:
            parser.error(f"--only {name}: may be {', '.join(READERS)}")
    if options.again:
        options.only = [options.again.partition(":")[0]]
    return options


def _readers(only: Sequence[str] | None, room: Rooms) -> Iterator[tuple[str, Reader]]:
    """The readers that are asked for and whose libraries are installed, each tried on its valid files first."""
    seeds = Seeds(room.seeds)
    for name, row in READERS.items():
        if only and name not in only:
            continue
        if missing := [module for module in row.needs if find_spec(module) is None]:
            print(f"{name}: left out, without {', '.join(missing)}", file=sys.stderr)
            continue
        reader = row.make(seeds)
        warm_up(reader, room)
        clear(room)
        yield name, reader


def _campaign(readers: dict[str, Reader], options: argparse.Namespace, room: Rooms) -> dict[str, Tally]:
    """Batches of all readers in turn, so that a campaign that ends early has seen each."""
    tallies = {name: Tally(reader.kind) for name, reader in readers.items()}
    began, planned = time.monotonic(), 0
    for name, way, numbers in _plan(readers, options.inputs, options.seconds is not None):
        if options.seconds is not None and time.monotonic() - began > options.seconds:
            break
        planned += len(numbers)
        if planned <= options.behind:
            continue
        start = _spent()
        found = run_batch(readers[name], partial(input_of, readers[name], name, options.seed, way), numbers, room)
        clear(room)
        tally = tallies[name]
        tally.inputs[way] += len(numbers)
        tally.seconds += _spent() - start
        for number, fault in found.faults.items():
            _keep(readers[name], name, options.seed, way, number, fault, tally)
        tally.found.add(Found(found.ended, {}, found.peak, found.of))
        logging.info(
            "%s %s %d-%d %s, %d MB for %d",
            name,
            way,
            numbers[0],
            numbers[-1],
            dict(found.ended),
            found.peak >> 20,
            found.of,
        )
    return tallies


def _spent() -> float:
    """Processor time of all processes that have read inputs, in s."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def counts_of(kinds: Mapping[str, str], inputs: int) -> dict[str, dict[Way, int]]:
    """Inputs of each reader and way: enough for each kind, in a part of a campaign its part, the rest by their shares.

    Args:
        kinds: by name of a reader, its kind.
        inputs: of all readers together.
    """
    of_kind, part = Counter(kinds.values()), min(1.0, inputs / INPUTS)
    least = {name: math.ceil(part * (LEAST if kind in MANY else FEW) / of_kind[kind]) for name, kind in kinds.items()}
    # Changes of bytes are mostly refused at once, and of slow readers a quarter as many will do.
    floors = [least[name] // (1 if way == "structure" else 4) for name in kinds for way in WAYS]
    shares = [SHARES.get(name, 1.0) for name in kinds for _ in WAYS]
    counts = iter(shared_out(inputs, shares, floors))
    return {name: {way: next(counts) for way in WAYS} for name in kinds}


def _plan(readers: Mapping[str, Reader], inputs: int, is_timed: bool) -> list[tuple[str, Way, range]]:
    """Batches, readers in turn."""
    size = BATCH if not is_timed else BATCH // 10
    counts = counts_of({name: reader.kind for name, reader in readers.items()}, inputs)
    batches = [
        (first / count, name, way, range(first, min(count, first + size)))
        for name, ways in counts.items()
        for way, count in ways.items()
        for first in range(0, count, size)
    ]
    return [batch[1:] for batch in sorted(batches, key=lambda batch: batch[0])]


def _keep(reader: Reader, name: str, seed: int, way: Way, number: int, fault: Fault, tally: Tally) -> None:
    """Count a fault, and keep the first input of each kind with how to read it again."""
    known = tally.found.faults
    if fault.key in {each.key for each in known.values()} or len(known) >= MOST_SAVED:
        return
    known[len(known)] = fault
    folder = OUT / "failures" / f"{name}-{fault.kind}-{fault.key}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / Path(reader.file).name).write_bytes(input_of(reader, name, seed, way, number).data)
    again = f"PYTHONPATH=src:tests python -m campaigns.fuzz --seed {seed} --again {name}:{way}:{number}"
    (folder / "why.txt").write_text(f"{fault.kind}: {fault.place}\n{again}\n\n{fault.text}\n")
    logging.info("%s: %s: %s (%s)", name, fault.kind, fault.place, again)


def _again(which: str, seed: int, readers: dict[str, Reader], room: Rooms) -> int:
    name, way, number = which.split(":")
    reader = readers[name]
    make = partial(input_of, reader, name, seed, "bytes" if way == "bytes" else "structure")
    found = run_batch(reader, make, [int(number)], room)
    print(dict(found.ended), *(f"{fault.kind}: {fault.place}\n{fault.text}" for fault in found.faults.values()))
    return int(bool(found.faults))


FAULTS = ("traceback", "message", "warning", "hang", "crash", "memory", "written", "followed", "code")
"""Ways in which an input may end that are faults."""


def _write_summary(tallies: dict[str, Tally], options: argparse.Namespace) -> None:
    readers = {name: _summary(tally) for name, tally in tallies.items()}
    kinds: dict[str, Counter[str]] = {}
    for tally in tallies.values():
        kinds.setdefault(tally.kind, Counter()).update(tally.inputs)
    summary = {
        "seed": options.seed,
        "inputs": sum(tally.inputs.total() for tally in tallies.values()),
        "memory_bound_bytes": MEMORY,
        "by_kind": {kind: dict(counts) for kind, counts in kinds.items()},
        "readers": readers,
    }
    (OUT / "summary.json").write_text(json.dumps(summary, indent=1) + "\n")


def _summary(tally: Tally) -> dict[str, Any]:
    return {
        "kind": tally.kind,
        "inputs": dict(tally.inputs),
        "ended": dict(sorted(tally.found.ended.items())),
        "peak_bytes": tally.found.peak,
        "faults": sorted(f"{fault.kind}: {fault.place}" for fault in tally.found.faults.values()),
    }


def _table(tallies: dict[str, Tally]) -> str:
    """By reader: inputs of both ways, how they ended, faults, memory, and milliseconds of processor time an input."""
    head = f"{'reader':<16} {'structure':>9} {'bytes':>8} {'read':>8} {'refused':>8} {'faults':>7} {'MB':>6} {'ms':>6}"
    lines = [head]
    for name, tally in tallies.items():
        ended, inputs = tally.found.ended, tally.inputs
        refused = ended["refused"] + ended["refused later"]
        wrong = sum(ended[kind] for kind in FAULTS)
        each = 1000 * tally.seconds / max(1, inputs.total())
        lines.append(
            f"{name:<16} {inputs['structure']:>9} {inputs['bytes']:>8} {ended['read']:>8} {refused:>8} {wrong:>7} "
            f"{tally.found.peak / 2**20:>6.0f} {each:>6.1f}"
        )
    total = Counter[str]()
    for tally in tallies.values():
        total.update(tally.found.ended)
    counts = ", ".join(f"{total[kind]} {kind}" for kind in FAULTS)
    return "\n".join([*lines, f"{sum(tally.inputs.total() for tally in tallies.values())} inputs: {counts}"])


if __name__ == "__main__":
    sys.exit(main())
