"""Sounds in class folders become log-mel spectra with parameters that are kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikewright as sw
from spikewright.data.options import DataOptions
from spikewright.sources import array_file
from spikewright.sources.array_file import ArrayFile
from spikewright.sources.read import read
from spikewright.sources.sounds import Spectrum

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("librosa")


def tone(path: Path, hertz: float, seconds: float, rate: int = 8000, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave = 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    soundfile.write(path, wave if channels == 1 else np.stack([2 * wave, 0 * wave], 1), rate)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(8):
        tone(tmp_path / "tones" / "high" / f"s{number % 4}_{number}.wav", 2000, 0.1 + 0.05 * number)
        tone(tmp_path / "tones" / "low" / f"s{number % 4}_{number}.flac", 500, 0.1 + 0.05 * number)
    return tmp_path / "tones"


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(sw.InputError) as caught:
        sw.Dataset.from_folder(path, **options)
    return str(caught.value)


def test_a_tone_fills_the_band_of_its_pitch() -> None:
    spectrum = Spectrum(8000, bands=20)
    wave = np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000).astype(np.float32)
    made = spectrum(wave, 8000)
    assert (made.shape, made.dtype) == ((1 + 4000 // 80, 20), np.float32)
    assert len(set(made[5:-5].argmax(1))) == 1
    higher = spectrum(np.sin(2 * np.pi * 3000 * np.arange(4000) / 8000).astype(np.float32), 8000)
    assert higher[20].argmax() > made[20].argmax()
    np.testing.assert_allclose(spectrum(np.zeros(400, np.float32), 8000), np.full((6, 20), -80), rtol=1e-6)


def test_ten_times_the_amplitude_is_twenty_decibels_more() -> None:
    spectrum = Spectrum(8000)
    wave = np.random.default_rng(0).normal(0, 0.05, 2000).astype(np.float32)
    np.testing.assert_allclose(spectrum(10 * wave, 8000) - spectrum(wave, 8000), 20, atol=1e-3)


def test_a_sound_shorter_than_a_frame_has_silence_around_it() -> None:
    spectrum = Spectrum(8000)
    wave = np.random.default_rng(0).normal(0, 0.05, 80).astype(np.float32)
    long = spectrum(np.concatenate([wave, np.zeros(400, np.float32)]), 8000)
    np.testing.assert_allclose(spectrum(wave, 8000), long[:2], atol=1e-3)


def test_sounds_of_unequal_length_become_an_image_of_time_and_pitch(folder: Path) -> None:
    data = sw.Dataset.from_folder(folder, bands=16, group=r"(s\d)_")
    assert (data.shape, data.output.names) == ((2, 46, 16), ("high", "low"))
    assert data.input_rule is not None
    assert (data.input_rule.view, data.recipe.architecture, data.recipe.teacher.architecture) == (
        "image", "convnet", "convnet",
    )  # fmt: skip
    reading = {key: value for key, value in data.input_rule.reading.items() if key != "identity"}
    assert reading == {"sample_rate": 8000, "bands": 16, "frame_ms": 25.0, "step_ms": 10.0}
    assert data.notes == (
        "data tones: sounds were read as 16 mel bands of frames of 25 ms every 10 ms at 8000 Hz, in dB",
        "data tones: recordings have 11 to 46 steps, half of them at most 28; shorter ones are padded to the longest, "
        "or cut all into windows (window)",
    )


def test_spectra_of_many_sounds_go_to_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once = sw.Dataset.from_folder(folder, bands=16)
    monkeypatch.setattr(array_file, "IN_MEMORY", 1000)
    samples = read(folder, DataOptions(bands=16)).parts["train"][0]
    assert isinstance(samples._steps, ArrayFile)
    assert sw.Dataset.from_folder(folder, bands=16).train.sha256 == at_once.train.sha256


def test_rates_channels_and_lengths_are_made_equal_and_that_is_said(folder: Path) -> None:
    tone(folder / "low" / "fast.wav", 500, 0.3, 16000, channels=2)
    data = sw.Dataset.from_folder(folder, sample_rate=8000, seconds=0.2)
    assert data.shape[1] == 21
    assert [note.partition(": ")[2] for note in data.notes[:4]] == [
        "sounds were read as 40 mel bands of frames of 25 ms every 10 ms at 8000 Hz, in dB, of the first 0.2 s",
        "1 sounds have several channels, of which the mean was taken",
        "1 sounds were resampled to 8000 Hz",
        "11 sounds were cut after 0.2 s",
    ]


def test_the_mean_of_two_channels_is_the_sound_of_one(tmp_path: Path) -> None:
    for number in range(8):
        tone(tmp_path / "one" / "a" / f"{number}.wav", 500, 0.1)
        tone(tmp_path / "one" / "b" / f"{number}.wav", 900, 0.1)
        tone(tmp_path / "two" / "a" / f"{number}.wav", 500, 0.1, channels=2)
        tone(tmp_path / "two" / "b" / f"{number}.wav", 900, 0.1, channels=2)
    ones, twos = (read(tmp_path / name, DataOptions()).parts["train"][0][:] for name in ("one", "two"))
    np.testing.assert_allclose(ones, twos, atol=0.5)


def test_several_sample_rates_are_refused(folder: Path) -> None:
    tone(folder / "low" / "fast.wav", 500, 0.3, 16000)
    assert refusal(folder) == (
        f"{folder}: its sounds have several sample rates: 16 of 8000 Hz, 1 of 16000 Hz; give sample_rate=8000, to "
        "which all are resampled"
    )


def test_damaged_and_empty_sounds_are_named_at_once(folder: Path) -> None:
    (folder / "low" / "x.wav").write_bytes(b"RIFF no")
    tone(folder / "low" / "y.wav", 500, 0)
    assert refusal(folder) == (
        f"{folder}: 2 faults\n"
        f"  - {folder / 'low' / 'x.wav'}: cannot be read as a sound; replace it, or leave it out\n"
        f"  - {folder / 'low' / 'y.wav'}: holds no samples; replace it, or leave it out"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame_ms": 0.1}, "frame_ms=0.1 and step_ms=10 hold 1 and 80 samples at 8000 Hz; give longer ones"),
        ({"bands": 80}, "bands=80: a frame of 200 samples has 101 frequencies, too few for so many bands; give 50 at "
         "most, or a longer frame_ms"),
    ],
)  # fmt: skip
def test_spectra_that_are_not_possible(folder: Path, options: dict[str, float], message: str) -> None:
    assert refusal(folder, **options) == f"{folder}: {message}"


def test_without_librosa_it_is_said_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "librosa", None)
    assert refusal(folder) == "sounds: needs librosa, which is not installed: pip install 'spikewright[sound]'"
