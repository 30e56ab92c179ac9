"""Google Speech Commands, version 0.02: one-second sounds of 35 words, as log-mel spectra.

The published lists say which sounds are for validation and which for test; all others are for training.

With 12 classes ten of the words are told apart from ``_unknown_``, of the other words, and ``_silence_``, of the
recordings of noise. Of each of these two there are a tenth as many samples as of the ten words together, in each part:
other words in the fixed order of :func:`~spikewright.data.split.permutation`; noise in pieces at equal distances, of
the first 80 % of a recording for training, the next 10 % for validation and the last 10 % for test.

All spectra take minutes, so they are kept in the cache.

Source: P. Warden 2018, arXiv 1804.03209, Speech Commands: a dataset for limited-vocabulary speech recognition.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..base.artefacts import atomic_write, sha256_of_json
from ..base.cache import cache_folder
from ..base.errors import InputError, refuse
from ..sources.found import Found
from ..sources.needs import needed
from ..sources.rows import Rows
from ..sources.sounds import EXTRA, Spectrum, spectrum_of
from .download import fetched_folder
from .options import DataOptions
from .split import permutation

SOURCE = "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz"
FOLDERS = ("speech_commands_v0.02", "SpeechCommands/speech_commands_v0.02", "speech_commands")
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
NOISE = "_background_noise_"
SAMPLE_RATE = 16_000
TEN = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
OTHERS = (
    *("backward", "bed", "bird", "cat", "dog", "eight", "five", "follow", "forward", "four", "happy", "house", "learn"),
    *("marvin", "nine", "one", "seven", "sheila", "six", "three", "tree", "two", "visual", "wow", "zero"),
)
UNKNOWN, SILENCE = "_unknown_", "_silence_"
EXTRA_SHARE = 0.1
OF_NOISE = {"train": (0.0, 0.8), "validation": (0.8, 0.9), "test": (0.9, 1.0)}
"""By part, from where to where in a recording of noise its pieces lie."""
OPTIONS = ("sample_rate", "bands", "frame_ms", "step_ms")
USUAL = {"frame_ms": 40.0, "step_ms": 20.0}
"""51 frames a second where nothing else is asked for."""
SHOWN = 5


@dataclass(frozen=True)
class _Clip:
    """One second of sound: a file from this sample on."""

    file: Path
    label: str
    start: int = 0


def load_speech_commands(classes: int, data_dir: Path | None, options: DataOptions) -> Found:
    """The sounds in ``classes`` classes, 12 or 35.

    Raises:
        InputError: soundfile or librosa is not installed, or files are missing or damaged; all of them at once.
    """
    name = f"speech-commands-{classes}"
    words = sorted((*TEN, *OTHERS))
    folder = fetched_folder(name, data_dir, FOLDERS, [*LISTS.values(), NOISE, *words], SOURCE)
    parts = _parts(name, folder, words)
    names: Sequence[str] = words
    if classes == 12:
        parts = {part: _twelve(part, clips, folder) for part, clips in parts.items()}
        names = (*TEN, UNKNOWN, SILENCE)
    asked = options.model_copy(update={key: getattr(options, key) or value for key, value in USUAL.items()})
    spectrum = spectrum_of(f"data {name}", SAMPLE_RATE, asked)
    clips = [clip for each in parts.values() for clip in each]
    rows = _spectra(name, clips, spectrum)
    ends = np.cumsum([len(each) for each in parts.values()])
    return Found(
        name,
        {
            part: (rows[end - len(each) : end], np.array([names.index(clip.label) for clip in each], np.int64))
            for (part, each), end in zip(parts.items(), ends, strict=True)
        },
        names=names,
        layout="series",
        view="image",
        notes=(f"sounds were read as {spectrum}",),
        reading=spectrum.reading,
        identity=sha256_of_json([(clip.label, clip.file.name, clip.start) for clip in clips]),
    )


load_12, load_35 = partial(load_speech_commands, 12), partial(load_speech_commands, 35)


def _parts(name: str, folder: Path, words: Sequence[str]) -> dict[str, list[_Clip]]:
    """By part, its sounds in the order of words and names.

    Raises:
        InputError: lists name sounds that are not there, or words have none.
    """
    every = {
        f"{word}/{file.name}": _Clip(file, word) for word in words for file in sorted((folder / word).glob("*.wav"))
    }
    listed = {part: _listed(folder / file) for part, file in LISTS.items()}
    faults = [f"{word}: holds no .wav files" for word in words if not any(c.label == word for c in every.values())]
    for part, lines in listed.items():
        absent = [line for line in lines if line not in every]
        if absent:
            faults.append(f"{LISTS[part]}: {len(absent)} sounds are not there, such as {', '.join(absent[:SHOWN])}")
        if not lines:
            faults.append(f"{LISTS[part]}: is empty")
    refuse(f"data {name}: {folder}", faults)
    held_out = {line: part for part, lines in listed.items() for line in lines}
    found: dict[str, list[_Clip]] = {part: [] for part in ("train", *LISTS)}
    for line, clip in every.items():
        found[held_out.get(line, "train")].append(clip)
    return found


def _listed(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read ({error}); get the folder again") from error


def _twelve(part: str, clips: Sequence[_Clip], folder: Path) -> list[_Clip]:
    """The sounds of ten words, and as many of other words and of noise as belong to them."""
    ten = [clip for clip in clips if clip.label in TEN]
    others = [clip for clip in clips if clip.label not in TEN]
    count = max(1, round(EXTRA_SHARE * len(ten)))
    unknown = [_Clip(others[row].file, UNKNOWN) for row in np.sort(permutation(len(others))[:count])]
    return [*ten, *unknown, *_silence(part, folder, count)]


def _silence(part: str, folder: Path, count: int) -> Iterator[_Clip]:
    """Pieces of the recordings of noise, at equal distances."""
    soundfile = needed("soundfile", EXTRA, str(folder))
    files = sorted((folder / NOISE).glob("*.wav"))
    if not files:
        raise InputError(f"{folder / NOISE}: holds no .wav files; get the folder again")
    low, high = OF_NOISE[part]
    for index, file in enumerate(files):
        try:
            length = soundfile.info(file).frames
        except (soundfile.SoundFileError, OSError) as error:
            raise InputError(f"{file}: cannot be read as a sound; get it again") from error
        pieces = len(range(index, count, len(files)))
        room = max(0, int((high - low) * length) - SAMPLE_RATE)
        for piece in range(pieces):
            yield _Clip(file, SILENCE, int(low * length) + room * piece // max(1, pieces - 1))


def _spectra(name: str, clips: Sequence[_Clip], spectrum: Spectrum) -> Rows:
    """The spectra ``(clips, frames, bands)``, from the cache where they are there."""
    librosa = needed("librosa", EXTRA, name)
    stats = [(str(clip.file.resolve()), clip.start, clip.file.stat()) for clip in clips]
    files = [(path, start, stat.st_size, stat.st_mtime_ns) for path, start, stat in stats]
    key = sha256_of_json([files, spectrum.reading, librosa.__version__])[:16]
    kept = cache_folder("spectra") / f"{name}-{key}.npy"
    if not kept.is_file():
        frames = len(spectrum(np.zeros(SAMPLE_RATE, np.float32), SAMPLE_RATE))
        with atomic_write(kept) as temporary:
            create: Callable[..., npt.NDArray[np.float32]] = np.lib.format.open_memmap
            made = create(temporary, "w+", np.float32, (len(clips), frames, spectrum.bands))
            if hasattr(os, "posix_fallocate"):  # not on macOS
                with temporary.open("r+b") as file:  # else a full disk kills the process at a mapped write
                    os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)
            faults = [fault for row, clip in enumerate(clips) if (fault := _fill(made, row, clip, spectrum))]
            more = [f"and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
            refuse(f"data {name}", [*faults[:SHOWN], *more])
    rows: Rows = np.load(kept, mmap_mode="r")
    return rows


def _fill(spectra: npt.NDArray[np.float32], row: int, clip: _Clip, spectrum: Spectrum) -> str | None:
    """Compute one spectrum; what is wrong with its sound, where something is."""
    soundfile = needed("soundfile", EXTRA, str(clip.file))
    try:
        sound, rate = soundfile.read(clip.file, SAMPLE_RATE, clip.start, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError):
        return f"{clip.file}: cannot be read as a sound; get it again"
    if rate != SAMPLE_RATE or not len(sound):
        return f"{clip.file}: has {len(sound)} samples at {rate} Hz; sounds of this set are of {SAMPLE_RATE} Hz"
    whole = np.zeros(SAMPLE_RATE, np.float32)
    whole[: len(sound)] = sound.mean(1)
    spectra[row] = spectrum(whole, rate)
    return None
