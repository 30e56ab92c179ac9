"""Series of unequal lengths from a file to a certified chip network, taken at once and step by step."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spikewright.chip.activity_file import load_activity
from spikewright.commands.cli import main

SHORT = ("--epochs", "2", "--teacher-epochs", "2", "--width", "8", "--samples-lava", "0", "--json")


@pytest.fixture(scope="module")
def tones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """48 recordings of two channels, 8 to 15 steps, whose frequency is their class; padded with NaN."""
    random = np.random.default_rng(0)
    x = np.full((48, 15, 2), np.nan, np.float32)
    y = np.arange(48) % 3
    for sample, length in zip(x, random.integers(8, 16, 48), strict=True):
        sample[:length] = random.normal(0, 0.1, (length, 2))
    for index, label in enumerate(y):
        there = ~np.isnan(x[index, :, 0])
        phase = np.arange(there.sum()) * (0.3 + 0.5 * label) + random.random() * 6
        x[index, there] += np.stack([np.sin(phase), 3 * np.cos(phase)], 1)
    path = tmp_path_factory.mktemp("series") / "tones.npz"
    np.savez(path, x=x, y=np.array(["low", "middle", "high"])[y])
    return path


@pytest.mark.parametrize(
    "words",
    [
        ("--encoding", "delta"),
        ("--encoding", "current", "--view", "steps", "--architecture", "mlp", "--profile", "loihi1-davies"),
        ("--encoding", "direct", "--view", "steps", "--architecture", "mlp", "-T", "5"),
        (
            "--encoding",
            "rate",
        ),
        ("--window", "6", "--hop", "3"),
    ],
    ids=" ".join,
)
def test_from_recordings_to_a_chip_network(
    tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    given = ["run", "--data", str(tones), "--layout", "series", *words, *SHORT, "--out", str(out)]
    assert main(given) == 0, capsys.readouterr().err
    found = json.loads(capsys.readouterr().out)
    assert "accuracy" in json.dumps(found)
    for command in (
        ["simulate", str(out / "chip.h5"), "--data", str(tones), "-o", str(tmp_path / "a.json"), "--json"],
    ):
        assert main(command) == 0
    activity = json.loads(capsys.readouterr().out)
    whole = load_activity(out / "activity.json")
    assert whole.quality is not None
    assert activity["accuracy"] == whole.accuracy == whole.quality.correct / whole.quality.samples


def test_a_verdict_says_windows_where_samples_are_such(
    tones: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word for word in SHORT if word != "--json"]
    given = ["run", "--data", str(tones), "--layout", "series", "--window", "6", "--hop", "3", *words]
    assert main([*given, "--method", "none", "--samples-lava", "0", "--out", str(tmp_path / "out")]) == 0
    said = " ".join(capsys.readouterr().out.split())
    activity = load_activity(tmp_path / "out" / "activity.json")
    assert activity.quality is not None
    assert activity.samples > activity.quality.samples
    assert f"integer {activity.accuracy:.2%} ({activity.samples} test windows)" in said


def test_views_and_encodings_that_contradict_each_other_are_refused(
    tones: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["distill", "--data", str(tones), "--layout", "series"]
    assert main([*given, "--encoding", "delta", "--architecture", "temporal"]) == 2
    assert "goes over the steps of recordings that are taken at once" in capsys.readouterr().err
    assert main([*given, "--view", "steps", "--encoding", "latency"]) == 2
    assert "the samples change from step to step" in capsys.readouterr().err
    assert main([*given, "--view", "channels", "--encoding", "delta"]) == 2
    assert "--encoding delta goes step by step, and --view channels does not" in capsys.readouterr().err
