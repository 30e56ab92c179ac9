"""Data of one's own from a file or an object to a certificate and a report, in small; student and integers alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

import spikewright as sw
from spikewright.commands.cli import main
from spikewright.student.student import student_provenance
from spikewright.training.settings import DistillSettings

SMALL = ["--width", "4", "-T", "3", "--epochs", "15", "--teacher-epochs", "20"]
Road = tuple[str, list[str]]


def band(number: int, label: int, size: int) -> np.ndarray:
    """A picture of bytes, dark but for a bright band whose place says the class, of five."""
    picture = np.random.default_rng(number).integers(0, 60, (size, size), dtype=np.uint8)
    picture[label * size // 5 : (label + 1) * size // 5] += 150
    return picture


def wave(number: int, label: int, steps: int) -> np.ndarray:
    """A recording of two channels ``(steps, 2)`` whose pitch says the class."""
    random = np.random.default_rng(number)
    angle = (label + 1) * np.arange(steps) / 3 + random.random() * 6
    return np.stack([np.sin(angle), np.cos(angle)], 1) + random.normal(0, 0.1, (steps, 2))


def npz_images(folder: Path) -> Road:
    labels = np.arange(120) % 5
    np.savez(folder / "parts.npz", x=np.stack([band(i, c, 48) for i, c in enumerate(labels)]), y=labels,
             names=np.array(["nut", "bolt", "screw", "washer", "pin"]))  # fmt: skip
    return str(folder / "parts.npz"), []


def png_folder(folder: Path) -> Road:
    for number in range(60):
        path = folder / "pets" / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(band(number, number % 2, 16)).save(path)
    return str(folder / "pets"), []


def wav_folder(folder: Path) -> Road:
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("librosa")
    for number in range(60):
        path = folder / "tones" / ("low", "high")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        seconds = np.arange(1600 + 80 * (number % 7)) / 8000
        soundfile.write(path, 0.3 * np.sin(2 * np.pi * (400, 1800)[number % 2] * seconds), 8000)
    return str(folder / "tones"), ["--bands", "16", "--step-ms", "20"]


def ts_series(folder: Path) -> Road:
    for part, count in (("TRAIN", 60), ("TEST", 20)):
        lines = ["@problemName waves", "@timeStamps false", "@univariate false", "@classLabel true slow fast", "@data"]
        for number in range(count):
            channels = wave(number, number % 2, 20 + number % 5).T
            lines.append(":".join([*(",".join(f"{v:.4f}" for v in c) for c in channels), ("slow", "fast")[number % 2]]))
        (folder / f"waves_{part}.ts").write_text("\n".join(lines))
    return str(folder / "waves_TRAIN.ts"), []


def csv_rows(folder: Path) -> Road:
    random = np.random.default_rng(0)
    rows = [[*(random.normal(size=4) + 2 * (i % 3) * np.arange(4)), ("a", "b", "c")[i % 3]] for i in range(90)]
    text = "\n".join(["w,x,y,z,kind", *(",".join(map(str, row)) for row in rows)])
    (folder / "plants.csv").write_text(text)
    return str(folder / "plants.csv"), ["--label", "kind"]


ROADS: dict[str, Callable[[Path], Road]] = {
    "npz images": npz_images,
    "folder of PNGs": png_folder,
    "folder of WAVs": wav_folder,
    "ts series": ts_series,
    "CSV": csv_rows,
}


def ran(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, Any]:
    """The verdict of ``run`` with these words."""
    assert main(["run", "--json", *map(str, words)]) == 0
    verdict: dict[str, Any] = json.loads(capsys.readouterr().out)
    return verdict


@pytest.mark.parametrize("road", ROADS)
def test_from_a_file_to_a_certificate_and_a_report(
    road: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, words = ROADS[road](tmp_path)
    out = tmp_path / "out"
    verdict = ran(capsys, "--data", data, *SMALL, *words, "--samples-lava", 0, "--energy-budget", "50uJ", "-o", out)
    assert verdict["mismatches"]["student_integer"] == 0
    assert verdict["accuracy"]["student"] == verdict["accuracy"]["integer"]
    assert verdict["accuracy"]["integer"] > 0.6
    facts = student_provenance(out / "student.pt")
    certificate = facts["certificate"]
    assert isinstance(certificate, dict)
    assert (certificate["met"], certificate["samples"] > 0) == (True, True)
    assert (out / "report.html").stat().st_size > 0
    again = tmp_path / "again.json"
    assert main(["simulate", str(out / "chip.h5"), "--data", data, "-o", str(again), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] == verdict["accuracy"]["integer"]


@pytest.mark.lava
@pytest.mark.parametrize("road", ROADS)
def test_lava_answers_as_the_integers_do(road: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lava")
    data, words = ROADS[road](tmp_path)
    short = ["--width", "4", "-T", "3", "--epochs", "2", "--teacher-epochs", "2"]
    verdict = ran(capsys, "--data", data, *short, *words, "--samples-lava", 2, "-o", tmp_path / "out")
    assert verdict["mismatches"] == {"student_integer": 0, "integer_lava": 0, "integer_netx": 0}
    assert verdict["samples"]["lava"] == 2


@pytest.fixture(scope="module")
def torch_set() -> sw.Dataset:
    """Recordings in a torch data set, classes by name."""
    x = np.stack([wave(i, i % 2, 24) for i in range(80)]).astype(np.float32)
    given = TensorDataset(torch.from_numpy(x), torch.arange(80) % 2)
    return sw.Dataset.from_torch(given, name="waves", layout="series", names=["slow", "fast"])


ONCE = {"student": sw.StudentSpec(width=4, timesteps=2), "training": sw.Training(epochs=6)}


@pytest.fixture(scope="module")
def distilled(torch_set: sw.Dataset) -> sw.Distillation:
    return sw.distill(torch_set, "temporal", **ONCE)


def test_from_a_torch_data_set_to_a_certificate_and_a_report(
    torch_set: sw.Dataset, distilled: sw.Distillation, tmp_path: Path
) -> None:
    assert distilled.certificate.met
    chip = sw.lower(sw.to_nir(distilled.student))
    activity = sw.simulate(chip, torch_set)
    assert activity.correct == sw.simulate(chip, torch_set, distilled.student).correct
    assert activity.samples == len(torch_set.test)
    assert sw.report(activity, chip, "loihi2-assumed").energy.total > 0


@pytest.mark.lava
def test_lava_answers_to_a_torch_data_set_as_the_integers_do(torch_set: sw.Dataset, distilled: sw.Distillation) -> None:
    pytest.importorskip("lava")
    chip = sw.lower(sw.to_nir(distilled.student))
    ours, theirs = (sw.simulate(chip, torch_set, on, samples=3) for on in ("integer", "lava"))
    assert ours.answers is not None
    assert theirs.answers is not None
    assert np.array_equal(ours.answers.scores, theirs.answers.scores)
    for name, population in ours.populations.items():
        assert np.array_equal(population.spikes, theirs.populations[name].spikes)


def test_python_takes_the_same_data_everywhere(
    torch_set: sw.Dataset, distilled: sw.Distillation, tmp_path: Path
) -> None:
    from spikewright.divergence.drift import drift_on

    graph = sw.to_nir(distilled.student)
    chip = sw.lower(graph)
    matched = torch_set.by(chip.takes)
    assert drift_on(graph, chip, matched.validation.samples, matched.validation.labels).answers.samples > 0
    swept = sw.sweep(torch_set, "temporal", budgets=["50uJ"], out=tmp_path / "sweep", **ONCE)
    assert [point.state for point in swept.points] == ["done", "done"]
    compared = sw.compare(torch_set, "temporal", methods=["kd", "none"], seeds=1, out=tmp_path / "compare", **ONCE)
    assert len(compared.rows) >= 2


def test_the_commands_take_the_same_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, words = ts_series(tmp_path)
    student, graph, chip = (str(tmp_path / name) for name in ("student.pt", "student.nir", "chip.h5"))
    assert main(["distill", "--data", data, *SMALL, *words, "-o", student]) == 0
    assert main(["to-nir", student, "-o", graph, "--data", data, "--samples", "4"]) == 0
    assert main(["lower", graph, "-o", chip]) == 0
    assert main(["simulate", chip, "--data", data, "-o", str(tmp_path / "activity.json")]) == 0
    assert main(["drift", graph, chip, "--data", data, "--samples", "4"]) == 0
    assert "2 faults" not in capsys.readouterr().err
    assert DistillSettings.of(data=data).data.name == data
