"""`spikewright data`: what it says of data of one's own and of named ones, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from spikewright.commands.cli import main
from spikewright.data.load import load


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """36 recordings of 3 channels at 12 steps, one of which never changes; the test part is longer."""
    random = np.random.default_rng(1)
    x = random.normal(size=(36, 12, 3)).astype(np.float32)
    x[..., 2] = 4
    y = np.array(["rest", "walk", "run"])[np.arange(36) % 3]
    longer = np.concatenate([x[:9], x[9:18]], 1)
    path = tmp_path / "walks.npz"
    np.savez(path, x_train=x, y_train=y, x_test=longer, y_test=y[:9])
    return path


def test_tables_and_sentences(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(recordings), "--layout", "series"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "walks: series (12, 3), 3 classes"
    assert "rest 11 1 3" in lines
    assert "parts are channels of their own; channels that never change and carry nothing: 2" in " ".join(out.split())
    assert any(line.startswith("test 9 24 steps 9 ") for line in lines), (
        "all 9 recordings of the test part are cut at the end"
    )
    encodings = ("direct, at once", "latency, at once", "current, step by step", "delta, step by step")
    assert all(any(line.startswith(each) for line in lines) for each in encodings)
    assert "- encoding latency step by step: frames change from step to step" in lines
    assert any(line.startswith("- teacher 'vgg': ") for line in lines)


def test_the_same_as_json(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(recordings), "--layout", "series", "-T", "6", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["parts"]["test"]["cut"] == 9
    assert found["constant"] == [2]
    assert found["output"]["names"] == ["rest", "run", "walk"]
    assert found["teachers"]["temporal"] == ""
    rates = {(rate["encoding"], rate["view"]): rate for rate in found["rates"]}
    assert {rate["timesteps"] for rate in rates.values()} == {6}
    assert rates["rate", "channels"]["events"] == pytest.approx(6 * rates["rate", "steps"]["events"] * 12 / 6, rel=0.35)
    assert rates["delta", "steps"]["shape"] == [6, 1, 1]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], suffix: str) -> None:
    picture = tmp_path / f"sample{suffix}"
    words = ["data", str(recordings), "--layout", "series", "--show", str(picture), "--sample", "5"]
    assert main(words) == 0
    assert capsys.readouterr().err == f"wrote {picture}\n"
    head = picture.read_bytes()[:8]
    assert head == b"\x89PNG\r\n\x1a\n" if suffix == ".png" else head.startswith(b"<?xml")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--show", "sample.bmp"], "error: --show sample.bmp: may be: .pdf, .png, .svg\n"),
        (
            ["--show", "sample.png", "--sample", "99"],
            "error: --sample 99: may be 0 to 32, the samples of the training part\n",
        ),
        (["--hop", "3"], "error: data walks: --hop 3 is the distance of windows; give --window too\n"),
    ],
)
def test_wrong_words(
    recordings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: list[str], said: str
) -> None:
    monkeypatch.chdir(recordings.parent)
    assert main(["data", str(recordings), "--layout", "series", *words]) == 2
    assert capsys.readouterr() == ("", said)
    assert not (recordings.parent / "sample.png").exists()


def test_what_a_training_would_refuse_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.ones((20, 4), np.float32)
    x[3, 1] = np.nan
    np.savez(tmp_path / "bad.npz", x=x, y=np.zeros(20, int))
    assert main(["data", str(tmp_path / "bad.npz")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "NaN" in err or "one class" in err


def test_a_level_of_delta_is_used_for_that_encoding_alone(recordings: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = []
    for level in ("0.05", "0.8"):
        assert main(["data", str(recordings), "--layout", "series", "--delta-level", level, "--json"]) == 0
        rates = json.loads(capsys.readouterr().out)["rates"]
        events.append({rate["encoding"]: rate["events"] for rate in rates if rate["view"] == "steps"})
    assert events[0]["delta"] > 2 * events[1]["delta"] > 0
    assert events[0]["rate"] == events[1]["rate"]


@pytest.mark.parametrize("name", ["digits", "digits-events"])
def test_a_named_data_set(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    part = load(name).train
    assert found["parts"]["train"]["counts"] == np.bincount(part.labels).tolist()
    if name == "digits-events":
        (rate,) = found["rates"]
        assert rate["events"] == pytest.approx(part.samples.sum() / len(part))  # type: ignore[union-attr]


def test_reading_options_are_for_data_of_your_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "digits", "--scaling", "minmax"]) == 2
    assert capsys.readouterr().err == "error: data digits: --scaling: for data of your own alone; leave it out\n"
