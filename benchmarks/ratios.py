"""Whether anything has become slower: ratios of speeds in one run, beside those on record.

    python benchmarks/ratios.py [--record] [--repeats 7]

Each ratio compares two ways to the same result, one after the other on the same machine, so that it hardly depends on
it: the compiled loops and plain operations, a training step and that of a network of ReLUs. A ratio that is more than a
fifth below the one in `ratios.json` fails the command, after a second look. `--record` writes those of this run.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from simulation import T, convnet, dense_net, firing
from training import ours, ours_on_integers, relu, seconds, step_of

import spikewright as sw
from spikewright.base.artefacts import atomic_write
from spikewright.base.memory import freed_memory_kept
from spikewright.simulation import integer
from spikewright.simulation.dense import Dense
from spikewright.student import compiled

ON_RECORD = Path(__file__).with_name("ratios.json")
LOST = 0.2
"""Share of a ratio that may be missing."""
Run = Callable[[], object]


def ratio(quick: Run, slow: Run, repeats: int) -> float:
    """The median of how many times ``slow`` takes what ``quick`` takes, run in turn."""
    quick()
    slow()
    pairs = [(seconds(quick), seconds(slow)) for _ in range(repeats)]
    return statistics.median(other / one for one, other in pairs)


def simulations() -> Mapping[str, tuple[Run, Run]]:
    """The simulator and dense arithmetic."""
    found = {}
    for name, make, samples in (("convnet", convnet, 512), ("dense", dense_net, 1024)):
        for share in (0.1, 0.01):
            frames = (np.random.default_rng(1).random((samples, T, 784)) < share).astype(np.uint8)
            chip = make(np.random.default_rng(0))
            frames = frames.reshape(samples, T, *chip.input.shape)
            chip, drive = firing(chip, np.moveaxis(frames[:64], 0, 1), share), np.moveaxis(frames, 0, 1)
            labels = np.zeros(samples, np.int64)

            def ours(chip: Any = chip, frames: Any = frames, labels: Any = labels) -> object:
                return sw.simulate(chip, (frames, labels))

            def plain(chip: Any = chip, drive: Any = drive) -> object:
                return integer.simulated(Dense(chip, drive), chip, drive.shape[1], None)

            found[f"simulation, {name}, {share:.0%} events: dense arithmetic / ours"] = (ours, plain)
    return found


def plainly(run: Run) -> Run:
    """The same with the compiled loops left out."""

    def without() -> None:
        known = compiled.RESETS
        compiled.RESETS = {}
        try:
            run()
        finally:
            compiled.RESETS = known

    return without


def trainings() -> Mapping[str, tuple[Run, Run]]:
    """Training steps beside the bound, and beside plain operations."""
    bound, floats, integers = (step_of(*made) for made in (relu(4), ours(4), ours_on_integers(4)))
    return {
        "training step in floats: ReLU / ours": (floats, bound),
        "training step on integers: ReLU / ours": (integers, bound),
        "training step in floats: plain operations / ours": (floats, plainly(floats)),
        "training step on integers: plain operations / ours": (integers, plainly(integers)),
    }


def main(
    record: Annotated[bool, typer.Option("--record", help="write the ratios of this run")] = False,
    repeats: Annotated[int, typer.Option(help="of each pair")] = 7,
) -> None:
    """Print the ratios; fail where one has fallen."""
    torch.set_num_threads(1)
    known: dict[str, float] = json.loads(ON_RECORD.read_text()) if ON_RECORD.is_file() else {}
    found, fallen = {}, []
    print("| ratio | now | on record |\n| --- | --- | --- |")
    with freed_memory_kept():
        for name, (quick, slow) in {**simulations(), **trainings()}.items():
            found[name], least = ratio(quick, slow, repeats), (1 - LOST) * known.get(name, 0.0)
            if found[name] < least and not record:
                found[name] = max(found[name], ratio(quick, slow, 2 * repeats))  # the machine may have been busy
            if found[name] < least:
                fallen.append(name)
            print(f"| {name} | {found[name]:.2f} | {known.get(name, float('nan')):.2f} |", flush=True)
    if record:
        with atomic_write(ON_RECORD) as temporary:
            Path(temporary).write_text(
                json.dumps({name: round(each, 3) for name, each in found.items()}, indent=1) + "\n"
            )
    elif fallen:
        raise SystemExit(f"more than {LOST:.0%} below the record: {'; '.join(fallen)}")


if __name__ == "__main__":
    typer.run(main)
