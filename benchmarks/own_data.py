"""Teacher and student on data of one's own, beside logistic regression and the nearest neighbour: a row of a table.

    python benchmarks/own_data.py letters.npz --seeds 3 --energy-budget 200nJ
    python benchmarks/own_data.py watch.npz --layout series --encoding direct --seeds 3

All flags of `spikewright distill` are taken. Accuracy (of values R^2) is that of the test part, which no choice is made
on: the teacher's, the chip network's (mean and largest distance from it over the seeds), and its energy per inference.
Logistic regression and the nearest neighbour see the prepared samples flat, those of a recording as one row.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from spikewright.base.progress import SILENT
from spikewright.data.dataset import Dataset
from spikewright.data.split import Split
from spikewright.profile.profile import load_profile
from spikewright.profile.units import quantity
from spikewright.training.deployment import deploy
from spikewright.training.distill import distill_with
from spikewright.training.objects import dataset_of, loss_terms, teaching_of
from spikewright.training.settings import FLAT, DistillSettings, settings_from

MOST = 6000
"""Training samples of the nearest neighbour and of logistic regression at most."""


def flat(split: Split, most: int | None = None) -> np.ndarray:
    """The prepared samples of a part, float32, ``(n, values)``; of the first ``most``, None for all."""
    samples = np.asarray(split.samples[:most])
    return samples.reshape(len(samples), -1).astype(np.float32)


def baselines(dataset: Dataset) -> tuple[float, float]:
    """Test scores of a linear model and of the nearest neighbour on what a teacher sees."""
    seen = dataset.twin or dataset
    x, y = flat(seen.train, MOST), seen.train.labels[:MOST]
    linear, nearest = LogisticRegression(max_iter=300), KNeighborsClassifier(1)
    if not dataset.output.is_classes:
        linear, nearest = Ridge(), KNeighborsRegressor(1)
    return tuple(model.fit(x, y).score(flat(seen.test), seen.test.labels) for model in (linear, nearest))  # type: ignore[return-value]


def settings_of(words: Sequence[str]) -> DistillSettings:
    """Settings from flags such as ``--width 8``."""
    parser = argparse.ArgumentParser()
    short = {"timesteps": ["-T"]}
    for name in FLAT:
        parser.add_argument(f"--{name.replace('_', '-')}", *short.get(name, []), dest=name)
    given = vars(parser.parse_args(words))
    return settings_from(None, {name: value for name, value in given.items() if value is not None})


def main() -> None:
    """Train the students and print their row of the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, default=3)
    given, rest = parser.parse_known_args()
    settings = settings_of(["--data", given.data, *rest])
    profile = load_profile(settings.limits.profile)
    dataset = dataset_of(settings, settings.student.timesteps)
    linear, nearest = baselines(dataset)
    began, scores, joules, sizes = time.perf_counter(), [], [], []
    for seed in range(given.seeds):
        asked = settings.changed({"seed": seed})
        made = distill_with(asked)
        student = made.student
        data = dataset_of(asked, student.config.timesteps)
        done = deploy(student, {"test": data.test}, profile, seed=seed)
        activity = done.activities["test"]
        assert activity.quality is not None
        scores.append(activity.quality.main)
        joules.append(done.reports["test"].total)
        sizes.append(f"{student.config.architecture} {student.config.width}, T = {student.config.timesteps}")
        print(f"seed {seed}: {scores[-1]:.4f} {joules[-1]:.4g} {sizes[-1]}", file=sys.stderr)
    method, _ = loss_terms(settings)
    teacher = "none"
    if method.needs_teacher():
        teaching = teaching_of(settings, method, dataset)
        if isinstance(teaching.teacher, str) and not teaching.teacher.startswith("snn"):
            found = teaching.trained_teacher(dataset, SILENT)
            teacher = f"{100 * found.quality(teaching.seen(dataset).test, dataset.output).main:.1f}"
    mean = float(np.mean(scores))
    spread = max(abs(score - mean) for score in scores)
    cells = [dataset.name, f"{len(dataset.train)} / {len(dataset.test)}", f"{100 * linear:.1f}", f"{100 * nearest:.1f}"]
    cells += [teacher, f"{100 * mean:.1f} ± {100 * spread:.1f}", quantity(float(np.mean(joules)), profile.cost_unit)]
    cells += ["; ".join(sorted(set(sizes))), f"{(time.perf_counter() - began) / 60:.1f}"]
    print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
