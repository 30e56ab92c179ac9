"""Data larger than memory: no step of a road asks for more than some samples at a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spikewright as sw
from spikewright.bench.run import run_with
from spikewright.data import fitting, own
from spikewright.data.options import DataOptions
from spikewright.divergence.drift import drift_on
from spikewright.sources import array_file, arrays, rows
from spikewright.sources.array_file import ArrayFile
from spikewright.training.settings import DistillSettings

COUNT, BATCH = 1000, 16


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows were asked for at a time, where everything counts as large."""
    for module in (array_file, arrays):
        monkeypatch.setattr(module, "IN_MEMORY", 0)
    monkeypatch.setattr(own, "IN_MEMORY", 0)
    monkeypatch.setattr(rows, "NUMBERS_AT_ONCE", 36 * BATCH)
    monkeypatch.setattr(rows, "CHUNK_BYTES", 36 * 8 * BATCH)
    monkeypatch.setattr(fitting, "VALUES_FOR_QUANTILES", 36 * BATCH)
    found: list[int] = []
    reads = ArrayFile.__getitem__

    def noted(self: ArrayFile, chosen: Any) -> Any:
        made = reads(self, chosen)
        found.append(len(made))
        return made

    monkeypatch.setattr(ArrayFile, "__getitem__", noted)
    return found


def images(folder: Path) -> str:
    y = np.arange(COUNT) % 2
    x = (np.random.default_rng(0).random((COUNT, 1, 6, 6)) * 0.5 + 0.5 * y[:, None, None, None]).astype(np.float32)
    np.savez(folder / "images.npz", x=x, y=y)
    return str(folder / "images.npz")


def series(folder: Path) -> str:
    x, y = np.random.default_rng(0).normal(size=(COUNT, 12, 3)), np.arange(COUNT) % 2
    np.savez(folder / "series.npz", x=x + y[:, None, None], y=y)
    return str(folder / "series.npz")


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (images, {"architecture": "mlp", "teacher": "mlp"}),
        (series, {"layout": "series", "architecture": "temporal", "teacher": "temporal"}),
        (series, {"layout": "series", "architecture": "mlp", "view": "steps", "teacher": "mlp"}),
        (series, {"layout": "series", "architecture": "mlp", "encoding": "delta", "scaling": "robust"}),
        (series, {"layout": "series", "window": 6, "hop": 3, "architecture": "temporal", "teacher": "temporal"}),
    ],
)  # fmt: skip
def test_a_whole_road_reads_some_samples_at_a_time(
    tmp_path: Path, asked: list[int], make: Any, options: dict[str, Any]
) -> None:
    small = {"width": 4, "epochs": 1, "batch": BATCH, "teacher_epochs": 1, "integer_from": 0}
    settings = DistillSettings.of(data=make(tmp_path), **options, **small)
    verdict = run_with(settings, tmp_path / "out", samples_lava=0)
    assert verdict.agreement.mismatches["student_integer"] == 0
    assert sum(asked) > COUNT
    assert max(asked) <= 256  # training samples on which scales are measured


def test_simulation_and_drift_read_some_samples_at_a_time(tmp_path: Path, asked: list[int]) -> None:
    data = sw.load(images(tmp_path), options=DataOptions())
    small = {"student": sw.StudentSpec(width=4, timesteps=2), "training": sw.Training(epochs=1, batch=BATCH)}
    student = sw.distill(data, "mlp", **small).student
    graph = sw.to_nir(student)
    chip = sw.lower(graph)
    asked.clear()
    assert sw.simulate(chip, data).samples == len(data.test)
    drift_on(graph, chip, data.test.samples, data.test.labels)
    assert 0 < max(asked) < len(data.test)


ROAD = """
import json, resource, sys
import numpy as np
import torch
import spikewright as sw

class Small(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.pool, self.head = torch.nn.AvgPool2d(32), torch.nn.Linear(64, 2)

    def forward(self, images):
        return self.head(self.pool(images).flatten(1))

data = sw.load(sys.argv[1])
torch.manual_seed(0)
student = sw.StudentSpec(architecture="convnet", width=1, timesteps=1)
made = sw.distill(data, Small(), student=student, training=sw.Training(epochs=1, integer_from=1, batch=64))
chip = sw.lower(sw.to_nir(made.student))
activity = sw.simulate(chip, data, samples=100)
print(json.dumps({"samples": len(data.train), "run": activity.samples,
                  "kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_six_gigabytes_are_trained_on_in_less_than_two(tmp_path: Path) -> None:
    """A sparse file takes no disk; its samples are read as those of any other."""
    count, side = 12_000, 256
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float64, (count, 1, side, side))
    x[1 :: count // 100, 0, :8, :8] = 1
    del x
    np.save(tmp_path / "y.npy", np.arange(count) % 2)
    file = tmp_path / "x.npy"
    assert file.stat().st_size > 6 * 10**9 > 100 * file.stat().st_blocks * 512
    done = subprocess.run(
        [sys.executable, "-c", ROAD, str(file)], capture_output=True, text=True, timeout=2900, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["samples"], found["run"]) == (7200, 100)
    assert found["kib"] * 1024 < 2 * 10**9
