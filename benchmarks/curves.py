"""How the time of a simulation and of a training step grows with the network, its spikes, its timesteps and the batch.

    python benchmarks/curves.py [--quick] [--out curves.json] [--plot curves.svg]

Each row is a curve: one size changes, all others stay. Its exponent is fitted by least squares on the logarithms of its
last four points: 1 is proportional, 0 does not grow. One thread; each point is the median of several runs.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import matplotlib as mpl
import numpy as np
import torch
import typer
from simulation import firing, resting
from training import seconds, step_of, student

import spikewright as sw
from spikewright.base.artefacts import atomic_write
from spikewright.base.memory import freed_memory_kept
from spikewright.chip.network import ChipNetwork, Connection, Population
from spikewright.simulation import integer
from spikewright.simulation.events import EventDriven
from spikewright.student.student import Student

INPUTS, OUTPUTS, SHARE, T, NEURONS, SAMPLES, BATCH = 256, 10, 0.1, 8, 256, 512, 64


@dataclass(frozen=True)
class Curve:
    """One size and the seconds that go with it.

    Attributes:
        work: what was timed.
        size: which number changes.
        values: of it.
        seconds: medians.
        exponent: of the last four.
    """

    work: str
    size: str
    values: tuple[float, ...]
    seconds: tuple[float, ...]
    exponent: float

    @property
    def text(self) -> str:
        first, last = (f"{1000 * each:.3g} ms" for each in (self.seconds[0], self.seconds[-1]))
        sizes = f"{self.values[0]:g} to {self.values[-1]:g}"
        return f"| {self.work} | {self.size} | {sizes} | {first} | {last} | {self.exponent:.2f} |"


def fitted(values: Sequence[float], seconds: Sequence[float]) -> float:
    """The exponent of the last four points of a curve."""
    return float(np.polyfit(np.log(values[-4:]), np.log(seconds[-4:]), 1)[0])


def measured(work: str, size: str, values: Sequence[float], made: Callable[[float], Callable[[], object]]) -> Curve:
    """The curve of what ``made`` makes of each value, once unmeasured and then the median of five."""
    found = []
    for value in values:
        run = made(value)
        run()
        found.append(statistics.median(seconds(run) for _ in range(5)))
    return Curve(work, size, tuple(values), tuple(found), fitted(values, found))


def network(neurons: int = NEURONS, timesteps: int = T, inputs: int = INPUTS) -> ChipNetwork:
    """A chip network of event inputs, one dense hidden layer and ten outputs."""
    random = np.random.default_rng(0)
    populations = (
        Population("input", (inputs,), "input", None),
        Population("hidden", (neurons,), "hidden", resting((neurons,), 100)),
        Population("readout", (OUTPUTS,), "readout", resting((OUTPUTS,))),
    )
    connections = (
        Connection("input", "hidden", random.integers(-100, 128, (neurons, inputs))),
        Connection("hidden", "readout", random.integers(-100, 128, (OUTPUTS, neurons))),
    )
    return ChipNetwork(populations, connections, timesteps, "events", "membrane", "none", "")


def simulation(chip: ChipNetwork, share: float = SHARE, samples: int = SAMPLES) -> Callable[[], object]:
    """A simulation of ``chip`` in which inputs and hidden neurons have an event at this share of the steps."""
    drawn = np.random.default_rng(1).random((samples, chip.timesteps, *chip.input.shape), np.float32) < share
    frames, labels = drawn.astype(np.uint8), np.zeros(samples, np.int64)
    chip = firing(chip, np.moveaxis(frames[:32], 0, 1), share)
    return lambda: sw.simulate(chip, (frames, labels))


def step(trained: Student, batch: int = BATCH) -> Callable[[], object]:
    """A training step of a student on a batch of random images."""
    return step_of(trained, lambda images: trained(images).logits, batch)


def curves(quick: bool) -> Iterator[Curve]:
    """All curves, one after the other."""
    far = 3 if quick else 6
    doubled = [2.0**n for n in range(far)]
    work = "simulation"
    yield measured(work, "hidden neurons", [256 * n for n in doubled], lambda n: simulation(network(int(n))))
    yield measured(work, "inputs, of which as many have events", [64 * n for n in doubled],
                   lambda n: simulation(network(inputs=int(n)), SHARE * 64 / n))  # fmt: skip
    yield measured(work, "share of events", [0.01 * n for n in doubled], lambda n: simulation(network(), n))
    yield measured(work, "timesteps", [4 * n for n in doubled], lambda n: simulation(network(timesteps=int(n))))
    yield measured(work, "samples", [64 * n for n in doubled], lambda n: simulation(network(), samples=int(n)))
    steps = doubled[: far - 1]
    yield measured("training step", "timesteps", [4 * n for n in steps], lambda n: step(student(int(n)), 16))
    yield measured("training step", "samples of a batch", [16 * n for n in steps], lambda n: step(student(4), int(n)))


def draw(found: Sequence[Curve], path: Path) -> None:
    """All curves relative to their first point, on logarithmic axes."""
    mpl.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    for curve in found:
        relative = np.array(curve.values) / curve.values[0], np.array(curve.seconds) / curve.seconds[0]
        axes.loglog(*relative, marker="o", markersize=3, label=f"{curve.work}: {curve.size} ({curve.exponent:.2f})")
    axes.loglog([1, 32], [1, 32], color="0.7", linestyle=":", label="proportional")
    axes.set_xlabel("size, times the smallest")
    axes.set_ylabel("time, times that of the smallest")
    axes.legend(fontsize=7)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="svg")


def main(
    quick: Annotated[bool, typer.Option("--quick", help="only the smaller sizes")] = False,
    out: Annotated[Path | None, typer.Option(help="also write JSON here")] = None,
    plot: Annotated[Path | None, typer.Option(help="also draw the curves here, as SVG")] = None,
) -> None:
    """Print a table; write and draw it where asked."""
    torch.set_num_threads(1)
    chip, found = network(), []
    integer.simulated(EventDriven(chip, np.zeros((T, 1, INPUTS), np.uint8)), chip, 1, None)  # the loops are there
    print("| work | size | from, to | first | last | exponent |\n| --- | --- | --- | --- | --- | --- |")
    with freed_memory_kept():
        for curve in curves(quick):
            found.append(curve)
            print(curve.text, flush=True)
    if out is not None:
        with atomic_write(out) as temporary:
            Path(temporary).write_text(json.dumps([asdict(curve) for curve in found], indent=1))
    if plot is not None:
        draw(found, plot)


if __name__ == "__main__":
    typer.run(main)
