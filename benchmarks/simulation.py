"""How many samples a second the integer simulator takes, beside Lava, on the same networks and events.

    python benchmarks/simulation.py [--threads 2] [--samples 4096] [--lava-samples 32] [--out simulation.json]

Everything is measured through `sw.simulate`, with all the counts that a report reads. Events are drawn at the share
that a row says; thresholds are set so that hidden neurons fire at that share, too. Before the table it says how long
the compiled loops took to load, or to be compiled, with `NUMBA_CACHE_DIR` at an empty folder. Without Lava (Python 3.11
and later) its columns are empty.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

import spikewright as sw
from spikewright.base.artefacts import atomic_write
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from spikewright.simulation import integer
from spikewright.simulation.dense import Dense
from spikewright.simulation.events import EventDriven
from spikewright.simulation.simulate import BATCH

T, REPEATS, DECAY = 8, 5, 400
SHARES = (0.1, 0.01)
NEVER = 131071


@dataclass(frozen=True)
class Row:
    """One network at one share of events; samples a second are medians.

    Attributes:
        network: in words.
        events: share of the input that is active in a step.
        rates: by hidden population, the share of neurons that fire in a step.
        ours: samples a second through `sw.simulate`.
        spread: between the slowest and the fastest repetition, as a share of the median.
        dense: the same by dense arithmetic in torch, without the counts of a report.
        one: samples a second, one at a time.
        lava: samples a second of Lava without its start; None where it is not installed.
    """

    network: str
    events: float
    rates: dict[str, float]
    ours: float
    spread: float
    dense: float
    one: float
    lava: float | None

    @property
    def text(self) -> str:
        rates = ", ".join(f"{rate:.1%}" for rate in self.rates.values())
        theirs = "" if self.lava is None else f"{self.lava:.1f}"
        ratio = "" if self.lava is None else f"{self.ours / self.lava:,.0f}"
        return (
            f"| {self.network} | {self.events:.0%} | {rates} | {self.ours:,.0f} | {self.spread:.0%} "
            f"| {self.dense:,.0f} | {self.one:,.0f} | {theirs} | {ratio} |"
        )


HEAD = (
    "| network | events | hidden rates | samples/s | spread | dense | one at a time | Lava | times Lava |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def resting(shape: tuple[int, ...], vth: int = NEVER) -> Neuron:
    return Neuron(4095, DECAY, vth, np.zeros(shape, np.int64), fires=vth != NEVER)


def convnet(random: np.random.Generator) -> ChipNetwork:
    """Two convolutions of 16 and 32 channels with stride 2, and ten outputs."""
    populations = (
        Population("input", (1, 28, 28), "input", None),
        Population("conv1", (16, 14, 14), "hidden", resting((16, 14, 14), 100)),
        Population("conv2", (32, 7, 7), "hidden", resting((32, 7, 7), 100)),
        Population("readout", (10,), "readout", resting((10,))),
    )
    halving = ConvGeometry((2, 2), (1, 1))
    connections = (
        Connection("input", "conv1", random.integers(-100, 128, (16, 1, 3, 3)), conv=halving),
        Connection("conv1", "conv2", random.integers(-100, 128, (32, 16, 3, 3)), conv=halving),
        Connection("conv2", "readout", random.integers(-100, 128, (10, 1568))),
    )
    return ChipNetwork(populations, connections, T, "events", "membrane", "none", "")


def dense_net(random: np.random.Generator) -> ChipNetwork:
    """784 inputs, 256 hidden neurons and ten outputs."""
    populations = (
        Population("input", (784,), "input", None),
        Population("hidden", (256,), "hidden", resting((256,), 100)),
        Population("readout", (10,), "readout", resting((10,))),
    )
    connections = (
        Connection("input", "hidden", random.integers(-100, 128, (256, 784))),
        Connection("hidden", "readout", random.integers(-100, 128, (10, 256))),
    )
    return ChipNetwork(populations, connections, T, "events", "membrane", "none", "")


def firing(chip: ChipNetwork, drive: np.ndarray, share: float) -> ChipNetwork:
    """The same network with thresholds by which hidden neurons fire at ``share``, found layer by layer."""
    for place, population in enumerate(chip.populations):
        if population.role != "hidden":
            continue
        low, high = 0, NEVER
        while low < high:
            middle = (low + high) // 2
            neuron = resting(population.shape, middle)
            changed = (*chip.populations[:place], replace(population, neuron=neuron), *chip.populations[place + 1 :])
            chip = replace(chip, populations=changed)
            rate = float(integer.run(chip, drive).spikes[population.name].mean())
            low, high = (middle + 1, high) if rate > share else (low, middle)
    return chip


def timed(chip: ChipNetwork, samples: np.ndarray, on: str, batch: int = BATCH) -> float:
    """Samples a second through `sw.simulate`, its counts included."""
    labels, began = np.zeros(len(samples), np.int64), time.perf_counter()
    sw.simulate(chip, (samples, labels), on, batch=batch)
    return len(samples) / (time.perf_counter() - began)


def of_lava(chip: ChipNetwork, frames: np.ndarray, samples: int) -> float:
    """Lava's samples a second without its start, which twice as many samples do not need again."""
    few, many = (count / timed(chip, frames[:count], "lava", batch=count) for count in (samples, 2 * samples))
    return samples / (many - few)


def row(name: str, chip: ChipNetwork, share: float, samples: int, lava_samples: int) -> Row:
    """One network at one share of events, by every simulator of the table."""
    drawn = np.random.default_rng(1).random((samples, T, *chip.input.shape)) < share
    frames = drawn.astype(np.uint8)
    drive = np.moveaxis(frames[:64], 0, 1)
    chip = firing(chip, drive, share)
    first = integer.run(chip, drive)
    several = [timed(chip, frames, "integer") for _ in range(REPEATS)]
    plain, began = Dense(chip, np.moveaxis(frames[:256], 0, 1)), time.perf_counter()
    integer.simulated(plain, chip, min(256, samples), None)
    dense = min(256, samples) / (time.perf_counter() - began)
    alone = statistics.median(timed(chip, frames[:128], "integer", batch=1) for _ in range(REPEATS))
    lava = of_lava(chip, frames, lava_samples) if lava_samples else None
    middle = statistics.median(several)
    rates = {p.name: float(first.spikes[p.name].mean()) for p in chip.populations if p.role == "hidden"}
    spread = (max(several) - min(several)) / middle
    return Row(name, share, rates, middle, spread, dense, alone, lava)


def main(
    threads: Annotated[int, typer.Option(help="of the simulator")] = 2,
    samples: Annotated[int, typer.Option(help="of each repetition")] = 4096,
    lava_samples: Annotated[int, typer.Option(help="by which Lava is measured; 0: not at all")] = 32,
    out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None,
) -> None:
    """Print a table; write it as JSON where asked."""
    torch.set_num_threads(threads)
    if importlib.util.find_spec("lava") is None:
        lava_samples = 0
    chip, tiny, began = dense_net(np.random.default_rng(0)), np.zeros((T, 1, 784), np.uint8), time.perf_counter()
    integer.simulated(EventDriven(chip, tiny), chip, 1, None)
    print(f"loading the loops: {time.perf_counter() - began:.1f} s\n\n{HEAD}")
    rows = []
    for name, make in (("convnet 16-32-10", convnet), ("784-256-10", dense_net)):
        for share in SHARES:
            rows.append(row(name, make(np.random.default_rng(0)), share, samples, lava_samples))
            print(rows[-1].text, flush=True)
    if out is not None:
        with atomic_write(out) as temporary:
            Path(temporary).write_text(json.dumps([asdict(each) for each in rows], indent=1))


if __name__ == "__main__":
    typer.run(main)
