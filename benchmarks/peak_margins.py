"""How far the registers of new samples go beyond the peaks of those that were measured: what margin is enough.

    python benchmarks/peak_margins.py [--data nmnist --data-dir build/data/nmnist-1100 -T 100] [--draws 30]

A student is trained in floats for three epochs on each data set. Of each layer the largest current of each sample is
measured, of the readout also the largest potential. N samples of the training part are drawn, and the largest value
of all validation and test samples is divided by the quantile of theirs: what the margin must be so that no sample
overflows. Of the draws and layers the median and the largest quotient are printed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import spikewright as sw
from spikewright.base.types import FloatArray
from spikewright.data.dataset import Dataset
from spikewright.lowering.lower import drafted
from spikewright.lowering.passes import rewritten
from spikewright.lowering.peaks import peaks_of
from spikewright.profile.profile import load_profile

MEASURED = (64, 128, 256, 512)
QUANTILES = (1.0, 0.99)
MOST = 2000
"""Training samples from which those that are measured are drawn."""
STUDENTS: dict[str, tuple[sw.StudentSpec, int | None]] = {
    "digits": (sw.StudentSpec(architecture="convnet", width=8, timesteps=4, encoding="direct"), None),
    "digits-events": (sw.StudentSpec(architecture="mlp", width=32, neuron="cubalif", alpha=0.9, beta=0.95), 30),
    "mnist1d": (sw.StudentSpec(architecture="mlp", width=32, neuron="cubalif", alpha=0.95, beta=0.9), None),
}
"""By data set, the student, and the frames of a sample where they are not the data set's own."""
OTHER = sw.StudentSpec(architecture="mlp", width=32, neuron="cubalif", alpha=0.95, beta=0.95)


def registers(data: Dataset, spec: sw.StudentSpec) -> list[tuple[FloatArray, FloatArray]]:
    """By register of a layer, the peaks of training samples, and of validation and test samples."""
    training = sw.Training(epochs=3, integer_from=1.0)
    student = sw.distill(data, student=spec, method="none", training=training).student
    profile = load_profile("loihi2-assumed")
    draft = rewritten(drafted(sw.to_nir(student), profile), profile)
    train, *others = (peaks_of(draft, part.samples) for part in (data.train.first(MOST), data.validation, data.test))
    chosen = [(name, 0) for name in train] + [(draft.populations[-1].name, 1)]
    return [(train[name][at], np.concatenate([other[name][at] for other in others])) for name, at in chosen]


def quotients(found: list[tuple[FloatArray, FloatArray]], count: int, quantile: float, draws: int) -> FloatArray:
    """The largest value of new samples over the quantile of ``count`` measured ones, by draw and register."""
    random = np.random.default_rng(0)
    made = []
    for measured, others in found:
        for _ in range(draws):
            some = random.permutation(measured)[:count]
            made.append(others.max() / np.quantile(some, quantile, method="higher"))
    return np.array(made)


def main(
    data: Annotated[str | None, typer.Option(help="one data set instead of those that come along")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="folder with its files")] = None,
    timesteps: Annotated[int | None, typer.Option("-T", help="its frames")] = None,
    draws: Annotated[int, typer.Option(min=1, help="draws of the samples that are measured")] = 30,
) -> None:
    """Print a row for each data set."""
    columns = [(count, quantile) for count in MEASURED for quantile in QUANTILES]
    print(" | ".join(["| data", *(f"{count} samples, quantile {quantile:g}" for count, quantile in columns)]) + " |")
    print("| --- " * (len(columns) + 1) + "|")
    for name, (spec, steps) in ({data: (OTHER, timesteps)} if data else STUDENTS).items():
        found = registers(sw.load(name, data_dir, steps), spec)
        cells = []
        for count, quantile in columns:
            all_of = quotients(found, count, quantile, draws)
            cells.append(f"{np.median(all_of):.2f}, {all_of.max():.2f}")
        print(" | ".join([f"| {name}", *cells]) + " |", flush=True)


if __name__ == "__main__":
    typer.run(main)
