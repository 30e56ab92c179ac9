"""Google Speech Commands on a made-up copy of its published layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data.for_network import ForNetwork
from spikewright.data.load import load
from spikewright.data.options import DataOptions
from spikewright.data.speech_commands import NOISE, OTHERS, TEN

soundfile = pytest.importorskip("soundfile", reason="soundfile is not installed (the extra `sound`)")
pytest.importorskip("librosa", reason="librosa is not installed (the extra `sound`)")


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sounds of each word, three of them for training, and a recording of noise of 20 s."""
    folder = tmp_path_factory.mktemp("speech") / "speech_commands_v0.02"
    random = np.random.default_rng(0)
    lists: dict[str, list[str]] = {"validation_list.txt": [], "testing_list.txt": []}
    for index, word in enumerate((*TEN, *OTHERS)):
        (folder / word).mkdir(parents=True)
        for number in range(5):
            time = np.arange(16_000 - 1000 * number) / 16_000
            sound = 0.3 * np.sin(2 * np.pi * (200 + 100 * index) * time) + 0.01 * random.standard_normal(len(time))
            file = f"{word}/{number:08x}_nohash_0.wav"
            soundfile.write(folder / file, sound, 16_000, "PCM_16")
            if number in (1, 3):
                lists["validation_list.txt" if number == 1 else "testing_list.txt"].append(file)
    (folder / NOISE).mkdir()
    soundfile.write(folder / NOISE / "running_tap.wav", 0.1 * random.standard_normal(320_000), 16_000, "PCM_16")
    (folder / NOISE / "README.md").touch()
    for name, lines in lists.items():
        (folder / name).write_text("\n".join(lines) + "\n")
    return folder


def message_of(folder: Path) -> str:
    with pytest.raises(InputError) as refusal:
        load("speech-commands-35", folder)
    return str(refusal.value)


def test_thirty_five_words(commands: Path) -> None:
    data = load("speech-commands-35", commands.parent)
    assert (data.classes, data.output.names) == (35, tuple(sorted((*TEN, *OTHERS))))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [105, 35, 35]
    assert data.test.labels.tolist() == list(range(35))
    assert data.raw is not None
    assert data.raw.train.samples.shape == (105, 51, 40)
    assert data.shape == (2, 51, 40)  # positive and negative parts of standardised values
    assert data.input_rule is not None
    assert data.input_rule.reading["frame_ms"] == 40


def test_a_spectrum_is_of_the_whole_second(commands: Path) -> None:
    """A sound that is shorter is silent at its end, -80 dB."""
    raw = load("speech-commands-35", commands).raw
    assert raw is not None
    short = np.asarray(raw.test.samples[:1])[0]  # 13,000 samples
    assert np.allclose(short[-8:], -80, atol=1e-3)
    assert (short[:38].max(1) > -30).all()


def test_ten_words_others_and_silence(commands: Path) -> None:
    data = load("speech-commands-12", commands, options=DataOptions(step_ms=50, bands=20))
    assert data.output.names == (*TEN, "_unknown_", "_silence_")
    assert np.bincount(data.train.labels).tolist() == [3] * 10 + [3, 3]
    assert np.bincount(data.validation.labels).tolist() == [1] * 12
    assert np.bincount(data.test.labels).tolist() == [1] * 12
    assert data.shape == (2, 21, 20)
    network = ForNetwork(data.input_rule, data.output, data.classes)
    again = load("speech-commands-12", commands, network=network)
    assert again.test.sha256 == data.test.sha256


def test_spectra_are_kept(commands: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    first = load("speech-commands-35", commands, options=DataOptions(step_ms=100, bands=10)).test.sha256
    (kept,) = (tmp_path / "spectra").iterdir()
    before = kept.stat().st_mtime_ns
    assert load("speech-commands-35", commands, options=DataOptions(step_ms=100, bands=10)).test.sha256 == first
    assert kept.stat().st_mtime_ns == before
    load("speech-commands-35", commands, options=DataOptions(step_ms=100, bands=12))
    assert len(list((tmp_path / "spectra").iterdir())) == 2


def test_what_is_missing(commands: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(commands, folder)
    (folder / "testing_list.txt").rename(folder / "test_list.txt")
    source = "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
    assert message_of(folder) == (
        f"{folder}: lacks testing_list.txt of speech-commands-35; get what is missing from {source}, or give another "
        "data_dir"
    )
    (folder / "test_list.txt").rename(folder / "testing_list.txt")
    (folder / "yes" / "00000003_nohash_0.wav").unlink()
    for file in (folder / "tree").iterdir():
        file.unlink()
    (folder / "validation_list.txt").write_text("")
    assert message_of(folder) == (
        f"data speech-commands-35: {folder}: 3 faults\n"
        "  - tree: holds no .wav files\n"
        "  - validation_list.txt: is empty\n"
        "  - testing_list.txt: 2 sounds are not there, such as yes/00000003_nohash_0.wav, tree/00000003_nohash_0.wav"
    )


def test_damaged_sounds(commands: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(commands, folder)
    damaged, slow = folder / "bed" / "00000002_nohash_0.wav", folder / "cat" / "00000000_nohash_0.wav"
    damaged.write_bytes(b"RIFF and no more")
    soundfile.write(slow, np.zeros(8000), 8000)
    assert message_of(folder) == (
        "data speech-commands-35: 2 faults\n"
        f"  - {damaged}: cannot be read as a sound; get it again\n"
        f"  - {slow}: has 8000 samples at 8000 Hz; sounds of this set are of 16000 Hz"
    )
