"""Defaults for series, chosen on training parts: the reach of the scaling, the level of delta, the depth of a student.

    python benchmarks/series_npz.py wheels build/series
    python benchmarks/series_choices.py build/series scaling
    python benchmarks/series_choices.py build/series delta
    python benchmarks/series_choices.py build/series depth

Each line is the accuracy of small students in floating point, trained on labels alone: over three or four folds of the
official training part of JapaneseVowels and BasicMotions, and over the validation persons of the smart watch's
exercises in windows of two seconds. No test sample is read.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from spikewright.base.types import Encoding
from spikewright.data import fitting
from spikewright.data.dataset import Dataset
from spikewright.data.input_rule import InputRule
from spikewright.data.options import DataOptions
from spikewright.data.own import when_asked
from spikewright.data.raw import RawData, RawPart
from spikewright.data.steps import crossings, means
from spikewright.student import architectures
from spikewright.student.config import StudentConfig
from spikewright.student.neuron_settings import NeuronSettings
from spikewright.student.student import Student

Array = npt.NDArray[Any]
SCALINGS = (("standard", 0.999), ("standard", 0.99), ("standard", 0.97), ("standard", 0.9))
SCALINGS = (*SCALINGS, ("robust", 0.99), ("robust", 0.95), ("minmax", 1.0))
INPUTS: tuple[tuple[str, str, Encoding], ...] = (
    *(("channels", "temporal", encoding) for encoding in ("direct", "current", "rate")),
    *(("steps", "mlp", encoding) for encoding in ("direct", "current", "rate")),
)
LEVELS = (0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Trial:
    """One data set and how long its students are trained.

    Attributes:
        folds: of the training part; 1 for the validation part of the one split.
        most: training and validation samples, at most.
    """

    name: str
    folds: int
    epochs: int
    batch: int
    most: int = 10**6
    window: int | None = None


TRIALS = (
    Trial("japanese-vowels", 3, 12, 16),
    Trial("basic-motions", 4, 60, 8),
    Trial("watch", 1, 6, 16, 1000, 100),
)


def folds(folder: Path, trial: Trial) -> Iterator[RawData]:
    """Data whose validation part is one fold of the training part; there is no other part."""
    options = DataOptions(layout="series", window=trial.window)
    with np.load(folder / f"{trial.name}.npz") as file:
        arrays = dict(file)
    if trial.folds == 1:
        whole = Dataset.from_arrays(arrays["x"], arrays["y"], groups=arrays["groups"].tolist(), **options.model_dump())
        assert whole.raw is not None
        yield whole.raw
        return
    x, y = arrays["x_train"], arrays["y_train"]
    fold = np.zeros(len(y), int)
    for label in np.unique(y):
        places = np.random.RandomState(0).permutation(np.flatnonzero(y == label))
        fold[places] = np.arange(len(places)) % trial.folds
    for each in range(trial.folds):
        held_out = (x[fold == each], y[fold == each])
        made = Dataset.from_arrays(
            x[fold != each], y[fold != each], validation=held_out, test=held_out, layout="series"
        )
        assert made.raw is not None
        yield made.raw


def prepared(part: RawPart, rule: InputRule, most: int) -> tuple[Array, Array]:
    """Some samples of a part, and their labels."""
    split = when_asked(part, rule)
    rows = np.sort(np.random.RandomState(0).permutation(len(split))[:most])
    return np.asarray(split.samples[rows]), split.labels[rows]


def right(trial: Trial, config: StudentConfig, train: tuple[Array, Array], test: tuple[Array, Array]) -> Array:
    """Which test samples a student answers right that was trained on the others."""
    torch.manual_seed(0)
    student = Student(config)
    x, y = torch.from_numpy(train[0]), torch.from_numpy(train[1])
    steps = trial.epochs * (len(x) // trial.batch)
    optimizer = torch.optim.AdamW(student.parameters(), 3e-3, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(steps):
        if step % (len(x) // trial.batch) == 0:
            order = torch.randperm(len(x))
        rows = order[: trial.batch]
        order = order[trial.batch :]
        optimizer.zero_grad()
        F.cross_entropy(student(x[rows], seed=step).logits, y[rows]).backward()
        optimizer.step()
        schedule.step()
    student.eval()
    with torch.no_grad():
        answers = torch.cat([student(some).logits.argmax(1) for some in torch.from_numpy(test[0]).split(256)])
    found: Array = answers.numpy() == test[1]
    return found


def config_of(rule: InputRule, architecture: str, encoding: Encoding, classes: int) -> StudentConfig:
    """A small student; one that is driven step by step forgets slowly."""
    is_dense = architecture == "mlp"
    neuron = NeuronSettings(beta=0.9 if is_dense else 0.5)
    bits, width = (6 if encoding == "direct" else 8), (96 if is_dense else 12)
    return StudentConfig(
        *(architecture, width, rule.input_shape, classes, rule.frames or 4, encoding, "membrane", bits, neuron, rule)
    )


def scaling(folder: Path) -> None:
    """Scaling rules and reaches, for each encoding."""
    for trial in TRIALS:
        for view, architecture, encoding in INPUTS:
            for name, reach in SCALINGS:
                fitting.REACH_QUANTILE[name] = reach
                options = DataOptions(scaling=name, window=trial.window)
                found = []
                for raw in folds(folder, trial):
                    rule = fitting.fitted(raw, options, view=view)  # type: ignore[arg-type]
                    parts = [prepared(part, rule, trial.most) for part in (raw.train, raw.validation)]
                    found.append(right(trial, config_of(rule, architecture, encoding, raw.classes), *parts))
                kind = f"{encoding} {'at once' if view == 'channels' else 'step by step'}"
                report(trial, found, f"{kind:<22} {name:<8} reach {reach:g}")


def delta(folder: Path) -> None:
    """Level crossings: where the remembered value begins, how far an event moves it, and the level."""
    for trial in TRIALS:
        for begins, moves in (("0", "one level"), ("the first value", "one level"), ("0", "whole levels")):
            for level in LEVELS:
                fitting.DELTA_QUANTILE = level
                found, events, values = [], 0, 0
                for raw in folds(folder, trial):
                    rule = fitting.fitted(raw, DataOptions(window=trial.window), encoding="delta")
                    still = replace(rule, view="channels", delta=(), timesteps=None)
                    parts = []
                    for part in (raw.train, raw.validation):
                        made, labels = prepared(part, rule, trial.most)
                        if (begins, moves) != ("0", "one level"):
                            plain, labels = prepared(part, still, trial.most)
                            made = variant(plain, rule, begins, moves)
                        parts.append((made, labels))
                        events, values = events + int(made.sum()), values + made.size // 2
                    found.append(right(trial, config_of(rule, "mlp", "events", raw.classes), *parts))
                each = f"{events / values:.3f} events a value"
                report(trial, found, f"begins at {begins:<16} moves by {moves:<13} quantile {level:g}  {each}")


def variant(still: Array, rule: InputRule, begins: str, moves: str) -> Array:
    """Events of other definitions, from positive and negative parts ``(n, 2 channels, steps, 1)``."""
    channels = rule.shape[1]
    values = (still[:, :channels] - still[:, channels:])[..., 0].transpose(0, 2, 1)
    there = values.any(2)[:, ::-1].cumsum(1)[:, ::-1] > 0
    levels = np.asarray(rule.delta)
    values, there = means(values, there, rule.timesteps or values.shape[1])
    if begins != "0":
        values = values - values[:, :1]
    if moves == "one level":
        return crossings(values, levels, there).astype(np.uint8)[..., None, None]
    made = np.zeros((*values.shape[:2], 2 * channels), np.uint8)
    remembered = np.zeros((len(values), channels))
    for step in range(values.shape[1]):
        moved = np.trunc(values[:, step] / levels - remembered) * there[:, step, None]
        made[:, step, :channels], made[:, step, channels:] = moved > 0, moved < 0
        remembered += moved
    return made[..., None, None]


def depth(folder: Path) -> None:
    """How often the temporal student halves a recording of 100 or 250 steps."""
    for trial in (TRIALS[1], replace(TRIALS[2], most=1500), replace(TRIALS[2], window=250)):
        for strides in (2, 3, 4):
            architectures.ARCHITECTURES["temporal"] = _with_strides(strides)
            found = []
            for raw in folds(folder, trial):
                rule = fitting.fitted(raw, DataOptions(window=trial.window), view="channels")
                parts = [prepared(part, rule, trial.most) for part in (raw.train, raw.validation)]
                config = config_of(rule, "temporal", "direct", raw.classes)
                found.append(right(trial, config, *parts))
            weights = sum(parameter.numel() for parameter in Student(config).parameters())
            report(trial, found, f"{rule.shape[0]} steps, halved {strides} times, {weights:,} weights")


def _with_strides(strides: int) -> architectures.Builder:
    def build(shape: Any, classes: int, width: int, settings: NeuronSettings, readout: Any) -> torch.nn.Module:
        stack = architectures._Stack(shape, settings).temporal(width, stride=2)
        for _ in range(strides - 1):
            stack.temporal(2 * width, stride=2)
        return stack.temporal(2 * width).dense(8 * width).readout(classes, readout)

    return build


def report(trial: Trial, found: list[Array], what: str) -> None:
    """Print the share of right answers over all folds of a trial."""
    answers = np.concatenate(found)
    print(f"{trial.name:<16} {what}  {answers.mean():.1%} of {len(answers)}", flush=True)


def main() -> None:
    """Run one of the three choices."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="with the files that series_npz.py makes")
    choices = {"scaling": scaling, "delta": delta, "depth": depth}
    parser.add_argument("what", choices=choices)
    given = parser.parse_args()
    torch.set_num_threads(1)
    choices[given.what](given.folder)


if __name__ == "__main__":
    main()
