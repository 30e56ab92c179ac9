"""Sounds in class folders as log-mel spectra, by soundfile and librosa (the extra ``sound``)."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, arg, refuse
from .array_file import Spool
from .folders import Listing
from .found import Found
from .needs import needed
from .options import ReadingOptions
from .rows import Recordings

SUFFIXES = (".wav", ".flac", ".ogg")
OPTIONS = ("group", "sample_rate", "bands", "frame_ms", "step_ms", "seconds")
EXTRA = "sound"
FLOOR = 1e-8
"""Power below which all is as silent: -80 dB of full scale."""
SHOWN = 3
"""Files that a message names where many have the same fault."""


@dataclass(frozen=True)
class Spectrum:
    """How a sound becomes a spectrum over time.

    Samples in [-1, 1] are cut into frames, a Hann window is laid on each, and the power of its Fourier transform is
    summed over triangular bands that are equally wide on the mel scale, from 0 Hz to half the sample rate; the value is
    ``10 log10(max(power, 1e-8))``, in dB.

    Attributes:
        sample_rate: Hz; sounds of another rate are resampled.
        bands: of the mel scale.
        frame_ms: length of a frame.
        step_ms: from frame to frame; the first frame is centred on the first sample, silence before it.
        seconds: to which sounds are cut at the end; None: whole sounds.

    Source: Davis and Mermelstein 1980 (the scale), as in librosa 0.11, ``feature.melspectrogram``.
    """

    sample_rate: int
    bands: int = 40
    frame_ms: float = 25.0
    step_ms: float = 10.0
    seconds: float | None = None

    def faults(self) -> Iterator[str]:
        """Why sounds cannot become such a spectrum."""
        if self.frame < 2 or self.step < 1:
            yield (
                f"{arg('frame_ms', f'{self.frame_ms:g}')} and {arg('step_ms', f'{self.step_ms:g}')} hold {self.frame} "
                f"and {self.step} samples at {self.sample_rate} Hz; give longer ones"
            )
        elif self.bands > self.frame // 4:
            yield (
                f"{arg('bands', self.bands)}: a frame of {self.frame} samples has {self.frame // 2 + 1} frequencies, "
                f"too few for so many bands; give {self.frame // 4} at most, or a longer {arg('frame_ms')}"
            )

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return round(self.sample_rate * self.frame_ms / 1000)

    @property
    def step(self) -> int:
        """Samples from frame to frame."""
        return round(self.sample_rate * self.step_ms / 1000)

    @property
    def reading(self) -> dict[str, Any]:
        """The parameters by name, as options of reading."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __call__(self, sound: npt.NDArray[np.float32], rate: int) -> npt.NDArray[np.float32]:
        """The spectrum of a sound.

        Args:
            sound: in [-1, 1], ``(samples,)``.
            rate: its sample rate in Hz.

        Returns:
            ``(frames, bands)``, in dB.
        """
        librosa = needed("librosa", EXTRA, "sounds")
        if rate != self.sample_rate:
            sound = librosa.resample(sound, orig_sr=rate, target_sr=self.sample_rate)
        if self.seconds is not None:
            sound = sound[: round(self.seconds * self.sample_rate)]
        with warnings.catch_warnings():  # of sounds shorter than a frame, which has silence around them
            warnings.filterwarnings("ignore", message="n_fft=", category=UserWarning)
            power = librosa.feature.melspectrogram(
                y=sound,
                sr=self.sample_rate,
                n_fft=self.frame,
                hop_length=self.step,
                n_mels=self.bands,
                pad_mode="constant",
            )
        return np.asarray(10 * np.log10(np.maximum(power, FLOOR)), np.float32).T

    def __str__(self) -> str:
        whole = "" if self.seconds is None else f", of the first {self.seconds:g} s"
        return (
            f"{self.bands} mel bands of frames of {self.frame_ms:g} ms every {self.step_ms:g} ms at {self.sample_rate} "
            f"Hz, in dB{whole}"
        )


@dataclass(frozen=True)
class _Header:
    rate: int
    channels: int
    samples: int


def read_sounds(listing: Listing, options: ReadingOptions) -> Found:
    """The spectra of the sounds in class folders, as series ``(frames, bands)`` of unequal lengths.

    Of several channels the mean is taken.

    Raises:
        InputError: libraries that are not installed, damaged or empty files, several sample rates, or a spectrum that
            is not possible; all faults at once.
    """
    where = str(listing.root)
    headers = _headers(where, listing.every)
    rates = Counter(header.rate for header in headers)
    if len(rates) > 1 and options.sample_rate is None:
        some = ", ".join(f"{count} of {rate} Hz" for rate, count in rates.most_common())
        raise InputError(
            f"{where}: its sounds have several sample rates: {some}; give {arg('sample_rate', min(rates))}, to which "
            "all are resampled"
        )
    spectrum = spectrum_of(where, next(iter(rates)), options)
    parts = {part: (spectra(files, spectrum), np.array(listing.classes[part])) for part, files in listing.files.items()}
    return Found(
        listing.root.name,
        parts,
        listing.groups(options.group),
        layout="series",
        view="image",
        notes=(f"sounds were read as {spectrum}", *listing.notes, *_notes(headers, spectrum)),
        reading=spectrum.reading,
        identity=listing.identity,
    )


def spectrum_of(where: str, rate: int, options: ReadingOptions) -> Spectrum:
    """The spectrum that is asked for, of sounds of this sample rate where no other is asked for.

    Raises:
        InputError: one that is not possible.
    """
    asked = {name: getattr(options, name) for name in ("bands", "frame_ms", "step_ms", "seconds")}
    given = {name: value for name, value in asked.items() if value is not None}
    spectrum = Spectrum(options.sample_rate or rate, **given)
    refuse(where, list(spectrum.faults()))
    return spectrum


def spectra(files: Sequence[Path], spectrum: Spectrum) -> Recordings:
    """The spectra of sound files, each ``(frames, bands)``.

    Raises:
        InputError: a damaged file.
    """
    spool, lengths = Spool((spectrum.bands,), np.float32, "spectra"), []
    for file in files:
        found = spectrum(*_sound(file))
        spool.add(found)
        lengths.append(len(found))
    return Recordings(spool.finish(), np.array(lengths, np.int64))


def _sound(file: Path) -> tuple[npt.NDArray[np.float32], int]:
    """The sound in a file, one channel in [-1, 1], and its sample rate.

    Raises:
        InputError: a damaged file.
    """
    soundfile = needed("soundfile", EXTRA, str(file))
    try:
        read, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, OSError) as error:
        raise InputError(f"{file}: cannot be read as a sound; replace it, or leave it out") from error
    return np.ascontiguousarray(read.mean(1)), int(rate)


def _headers(where: str, files: Sequence[Path]) -> list[_Header]:
    """Rate, channels and length of each sound.

    Raises:
        InputError: damaged or empty files; all faults at once.
    """
    soundfile = needed("soundfile", EXTRA, where)
    found, damaged, empty = [], [], []
    for file in files:
        try:
            header = soundfile.info(file)
        except (soundfile.SoundFileError, OSError):
            damaged.append(str(file))
            continue
        found.append(_Header(header.samplerate, header.channels, header.frames))
        if not header.frames:
            empty.append(str(file))
    faults = []
    for files_with, fault in ((damaged, "cannot be read as a sound"), (empty, "holds no samples")):
        faults += [f"{each}: {fault}; replace it, or leave it out" for each in files_with[:SHOWN]]
        if len(files_with) > SHOWN:
            faults.append(f"{len(files_with) - SHOWN} more: {fault}")
    refuse(where, faults)
    return found


def _notes(headers: Sequence[_Header], spectrum: Spectrum) -> Iterator[str]:
    several = sum(header.channels > 1 for header in headers)
    if several:
        yield f"{several} sounds have several channels, of which the mean was taken"
    others = sum(header.rate != spectrum.sample_rate for header in headers)
    if others:
        yield f"{others} sounds were resampled to {spectrum.sample_rate} Hz"
    longer = 0
    if spectrum.seconds is not None:
        longer = sum(header.samples > spectrum.seconds * header.rate for header in headers)
    if longer:
        yield f"{longer} sounds were cut after {spectrum.seconds:g} s"
