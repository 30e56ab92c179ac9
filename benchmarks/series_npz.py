"""Real series as .npz files, from wheels of public packages, for `spikewright run --data FILE.npz`.

    pip download aeon==1.6.0 seglearn==1.2.5 --no-deps -d wheels
    python benchmarks/series_npz.py wheels build/series

writes

- ``japanese-vowels.npz``: nine men say "ae"; 12 cepstra at 7 to 29 steps; which man; 270 + 370 recordings (Kudo,
  Toyama, Shimbo 1999), official parts;
- ``basic-motions.npz``: a smart watch while standing, walking, running or playing badminton; 6 channels at 100 steps;
  40 + 40 recordings, official parts;
- ``watch.npz``: seven exercises of the shoulder, recorded by a smart watch; 6 channels at 50 Hz, 140 recordings of 10
  people (Burns and others 2018); the person is the group, so that no part shares a person with another;
- ``watch-windows.npz``: the same in windows of two seconds, half of each shared with the next, every window a sample.

Neither package is imported. Recordings of unequal lengths are padded with NaN at their end.
"""

from __future__ import annotations

import argparse
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
AEON = "aeon/datasets/data/{0}/{0}_{1}.ts"
WINDOW, HOP = 100, 50
"""Steps of a window and from one window to the next, at 50 Hz."""
WATCH = "seglearn/data/watch_dataset.npy"
KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("_codecs", "encode"),
}
"""What the pickle in seglearn's file may name; anything else in it is refused."""


def read_ts(text: str) -> tuple[list[FloatArray], list[str]]:
    """Recordings ``(steps, channels)`` and classes of a UEA file: channels between colons, then the class."""
    body = text[text.lower().index("@data") + len("@data") :].split()
    recordings, classes = [], []
    for line in body:
        *channels, label = line.split(":")
        recordings.append(np.array([channel.split(",") for channel in channels], np.float32).T)
        classes.append(label)
    return recordings, classes


def padded(recordings: list[FloatArray]) -> FloatArray:
    """One array ``(n, longest, channels)``, NaN behind the end of a recording."""
    longest = max(len(each) for each in recordings)
    return np.stack(
        [np.pad(each, ((0, longest - len(each)), (0, 0)), constant_values=np.nan) for each in recordings]
    ).astype(np.float32)


class OnlyArrays(pickle.Unpickler):
    """Reads pickled arrays and plain values, and runs nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in KNOWN:
            raise pickle.UnpicklingError(f"{module}.{name} is not part of an array")
        return super().find_class(module, name)


def read_watch(content: bytes) -> dict[str, Any]:
    """The dictionary in seglearn's file of one object."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    assert version == (1, 0)
    np.lib.format.read_array_header_1_0(file)
    held = OnlyArrays(file).load()
    return dict(held.item())


def windows(recordings: list[FloatArray]) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Windows ``(n, WINDOW, channels)`` of all recordings, and the index of the recording of each."""
    starts = [
        (index, start) for index, each in enumerate(recordings) for start in range(0, len(each) - WINDOW + 1, HOP)
    ]
    cut = [recordings[index][start : start + WINDOW] for index, start in starts]
    return np.stack(cut), np.array([index for index, _ in starts])


def main() -> None:
    """Read the wheels in a folder and write one .npz file for each data set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="folder with the wheels of aeon and seglearn")
    parser.add_argument("out", type=Path, help="folder for the .npz files")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    wheels = {path.name.split("-")[0]: path for path in given.wheels.glob("*.whl")}
    with zipfile.ZipFile(wheels["aeon"]) as aeon:
        for name, file in (("JapaneseVowels", "japanese-vowels"), ("BasicMotions", "basic-motions")):
            arrays: dict[str, Any] = {}
            for part in ("TRAIN", "TEST"):
                recordings, classes = read_ts(aeon.read(AEON.format(name, part)).decode())
                arrays[f"x_{part.lower()}"], arrays[f"y_{part.lower()}"] = padded(recordings), np.array(classes)
            np.savez_compressed(given.out / f"{file}.npz", **arrays)
    with zipfile.ZipFile(wheels["seglearn"]) as seglearn:
        watch = read_watch(seglearn.read(WATCH))
    recordings = [np.asarray(each, np.float32) for each in watch["X"]]
    classes = np.array(watch["y_labels"])[np.asarray(watch["y"], np.int64)]
    people = np.asarray(watch["subject"], np.int64)
    np.savez_compressed(given.out / "watch.npz", x=padded(recordings), y=classes, groups=people)
    cut, of = windows(recordings)
    np.savez_compressed(given.out / "watch-windows.npz", x=cut, y=classes[of], groups=people[of])


if __name__ == "__main__":
    main()
