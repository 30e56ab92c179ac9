"""Levels that long recordings leave to the weights: with room for any input, and with room for measured peaks.

    python benchmarks/starvation.py [--samples 400] [--lava 2] [--out starvation.json]

Each row is a network in floats, lowered twice for `loihi2-assumed`: with scales that hold in the worst case (*before*),
and with scales that leave room for the peaks of 256 samples (*after*, the defaults of `lower(calibrate=...)`). Other
samples of the same kind are then run: how often the integers give the float network's answer, and how often a register
overflowed. Weights are drawn as torch initialises a dense layer, uniformly within 1/sqrt(fan-in).

* *readout*: events of 256 neurons, 1.2 % of them at each step, into ten integrators. The rates of a sample are drawn
  from a gamma distribution of shape 1, so that samples differ.
* *CubaLIF*: events of 700 or 2,312 lines, 2 % of them at each step, into 256 CubaLIF neurons over 100 steps, and ten
  integrators behind them, whose weights are fitted to ten classes of samples by least squares on the float network's
  spike counts. Its answers are right in about four of five samples, so that many are close.

``--lava N`` also runs N samples of each network *after* through Lava and counts the values that differ.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from math import log2
from pathlib import Path
from typing import Annotated

import nir
import numpy as np
import torch
import typer

from spikewright.base.artefacts import write_json
from spikewright.base.types import FloatArray
from spikewright.chip.network import ChipNetwork
from spikewright.data.split import Pixels, Split
from spikewright.graph.interpreter import GraphTrace, interpret
from spikewright.graph.wiring import wire
from spikewright.lowering.lower import lower
from spikewright.simulation.backends import backend
from spikewright.simulation.recording import Recording, compare
from spikewright.simulation.simulate import drive_of

DT_S = 1e-4
CLASSES = 10
MEASURED_SAMPLES = 256
NEURONS = 256
READOUT_RATE = 0.012
CUBA_STEPS = 100
CUBA_RATE = 0.02
BATCH = 50


@dataclass(frozen=True)
class Side:
    """A network lowered in one way.

    Attributes:
        levels: from zero to the largest weight, of the connection in question.
        bits: log2 of the values between its extremes.
        same: share of the samples in which it answers what the float network does.
        wraps, resets, clips: over all populations and samples.
    """

    levels: int
    bits: float
    same: float
    wraps: int
    resets: int
    clips: int


@dataclass(frozen=True)
class Row:
    """One network before and after; in ``differing`` values Lava differs from the integers, None if not run."""

    name: str
    before: Side
    after: Side
    differing: int | None = None


def uniform(rows: int, columns: int, seed: int) -> FloatArray:
    """Weights as torch draws those of a dense layer."""
    drawn = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed))
    return ((2 * drawn - 1) / columns**0.5).numpy().astype(np.float32)


def chain(lines: int, steps: int, *layers: tuple[str, nir.NIRNode]) -> nir.NIRGraph:
    """A graph of layers one behind the other."""
    nodes = {"input": nir.Input(np.array([lines])), **dict(layers), "output": nir.Output(np.array([CLASSES]))}
    metadata = {"dt_s": DT_S, "timesteps": steps, "encoding": "events", "reset": "zero"}
    return nir.NIRGraph(nodes, list(pairwise(nodes)), metadata=metadata, type_check=False)


def integrators() -> nir.I:
    """A readout that sums up its input."""
    return nir.I(r=np.full(CLASSES, 1 / DT_S, np.float32))


def cuba(alpha: float, beta: float, threshold: float) -> nir.CubaLIF:
    """CubaLIF neurons whose current keeps alpha and whose membrane keeps beta of itself per step."""
    tau_syn, tau_mem = DT_S / (1 - alpha), DT_S / (1 - beta)

    def each(value: float) -> FloatArray:
        return np.full(NEURONS, value, np.float32)

    return nir.CubaLIF(
        tau_syn=each(tau_syn),
        tau_mem=each(tau_mem),
        r=each(tau_mem / DT_S),
        v_leak=each(0.0),
        v_threshold=each(threshold),
        w_in=each(tau_syn / DT_S),
        v_reset=each(0.0),
    )


def drawn(rates: FloatArray, steps: int, rate: float, random: np.random.Generator) -> Pixels:
    """Events ``(n, T, lines)`` of these relative rates ``(n, lines)``, on average ``rate`` of all lines at a step."""
    scaled = rates * (rate / rates.mean(1, keepdims=True))
    return (random.random((len(rates), steps, rates.shape[1]), np.float32) < scaled[:, None]).astype(np.uint8)


def in_floats(graph: nir.NIRGraph, events: Pixels) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Scores of the graph's own equations, and by layer the spike counts of each sample."""
    wiring = wire(graph)
    traces: list[GraphTrace] = []
    for start in range(0, len(events), BATCH):
        drive = torch.from_numpy(np.moveaxis(events[start : start + BATCH], 0, 1).astype(np.float64))
        traces.append(interpret(wiring, drive, DT_S, events.shape[1]))
    scores = torch.cat([trace.scores("readout") for trace in traces]).numpy()
    return scores, {name: torch.cat([t.spikes[name].sum(0) for t in traces]).numpy() for name in traces[0].spikes}


def on_integers(chip: ChipNetwork, events: Pixels, answers: FloatArray, connection: str) -> Side:
    """One side of a row."""
    right, wraps, resets, clips = 0, 0, 0, 0
    for start in range(0, len(events), BATCH):
        found = backend("integer")(chip, drive_of(chip, events[start : start + BATCH]))
        right += int((found.scores.argmax(1) == answers[start : start + BATCH]).sum())
        for tally in found.tallies.values():
            counts = tally.overflows
            assert counts is not None
            wraps, resets, clips = wraps + counts.wraps, resets + counts.resets, clips + counts.clips
    levels = chip.provenance["weight_levels"]
    assert isinstance(levels, dict)
    count = int(levels[connection])
    return Side(count, log2(2 * count + 1), right / len(events), wraps, resets, clips)


def row(name: str, graph: nir.NIRGraph, events: Pixels, connection: str, lava: int) -> Row:
    """Lower and run one network in both ways; its first samples are measured, the others run."""
    measured, others = events[:MEASURED_SAMPLES], events[MEASURED_SAMPLES:]
    answers = in_floats(graph, others)[0].argmax(1)
    part = Split(measured[..., None, None], np.zeros(len(measured), np.int64))
    before, after = lower(graph), lower(graph, calibrate=part, calibrate_samples=MEASURED_SAMPLES)
    sides = [on_integers(chip, others, answers, connection) for chip in (before, after)]
    return Row(name, *sides, _differing(after, others[:lava]) if lava else None)


def _differing(chip: ChipNetwork, events: Pixels) -> int:
    ours, theirs = (_states(on, chip, events) for on in ("integer", "lava"))
    return sum(mismatch.count for mismatch in compare(ours, theirs))


def _states(on: str, chip: ChipNetwork, events: Pixels) -> Recording:
    return backend(on)(chip, drive_of(chip, events), record_states=True)


def readout(steps: int, samples: int, lava: int) -> Row:
    """A membrane readout behind 256 neurons."""
    graph = chain(NEURONS, steps, ("dense", nir.Linear(uniform(CLASSES, NEURONS, 0))), ("readout", integrators()))
    random = np.random.default_rng(1)
    rates = random.gamma(1.0, 1.0, (MEASURED_SAMPLES + samples, NEURONS))
    events = drawn(rates, steps, READOUT_RATE, random)
    return row(f"readout behind {NEURONS}, T = {steps:,}", graph, events, "input->readout", lava)


def cubalif(lines: int, alpha: float, samples: int, lava: int) -> Row:
    """CubaLIF neurons behind many lines; a third set of samples fits the readout."""
    random = np.random.default_rng(1)
    prototypes = 0.5 + random.gamma(0.5, 1.0, (CLASSES, lines))
    classes = random.integers(0, CLASSES, 2 * MEASURED_SAMPLES + samples)
    rates = prototypes[classes] * random.gamma(0.5, 2.0, (len(classes), lines))
    events = drawn(rates, CUBA_STEPS, CUBA_RATE, random)
    hidden = (
        ("dense", nir.Linear(uniform(NEURONS, lines, 0))),
        ("cuba", cuba(alpha, beta=0.9, threshold=1 / (1 - alpha) ** 0.5)),
    )

    def graph(weight: FloatArray) -> nir.NIRGraph:
        return chain(lines, CUBA_STEPS, *hidden, ("head", nir.Linear(weight)), ("readout", integrators()))

    fitting, rest = events[:MEASURED_SAMPLES], events[MEASURED_SAMPLES:]
    _, counts = in_floats(graph(uniform(CLASSES, NEURONS, 1)), fitting)
    weight = _least_squares(counts["cuba"], classes[:MEASURED_SAMPLES])
    return row(f"CubaLIF, {lines:,} inputs, alpha {alpha:g}", graph(weight), rest, "input->cuba", lava)


def _least_squares(counts: FloatArray, classes: FloatArray) -> FloatArray:
    """Weights of a linear readout, with a ridge of the mean count for each sample."""
    targets = 2.0 * np.eye(CLASSES)[classes] - 1
    ridge = len(counts) * counts.mean() * np.eye(counts.shape[1])
    return np.linalg.solve(counts.T @ counts + ridge, counts.T @ targets).T.astype(np.float32)


def table(rows: list[Row]) -> str:
    """The table of docs/long-recordings.md in Markdown, a line for each network."""
    heads = [
        "network",
        *(f"{what}, {when}" for what in ("levels", "bits", "same answer") for when in ("before", "after")),
    ]
    heads += ["wraps and resets, after", "clips, after", "Lava differs in"]
    lines = [" | ".join(heads), " | ".join(["---"] * len(heads))]
    for each in rows:
        one, other = each.before, each.after
        cells = [each.name, str(one.levels), str(other.levels), f"{one.bits:.1f}", f"{other.bits:.1f}"]
        cells += [f"{one.same:.1%}", f"{other.same:.1%}", str(other.wraps + other.resets), f"{other.clips:,}"]
        lines.append(" | ".join([*cells, "not run" if each.differing is None else f"{each.differing} values"]))
    return "\n".join(f"| {line} |" for line in lines)


def main(
    samples: Annotated[int, typer.Option(min=1, help="samples that are run, beside those that are measured")] = 400,
    lava: Annotated[int, typer.Option(min=0, help="samples of each network that also go through Lava")] = 0,
    out: Annotated[Path | None, typer.Option(help="file for the numbers, JSON")] = None,
) -> None:
    """Print the table, before and after."""
    torch.set_grad_enabled(False)
    rows = [readout(steps, samples, lava) for steps in (100, 250, 500, 1000)]
    rows += [cubalif(lines, alpha, samples, lava) for lines in (700, 2312) for alpha in (0.9, 0.95, 0.99)]
    print(table(rows))
    if out is not None:
        write_json(out, {"samples": samples, "rows": [asdict(each) for each in rows]})


if __name__ == "__main__":
    typer.run(main)
