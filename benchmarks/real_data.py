"""Real data sets that lie inside public packages, as .npz files for `--data PATH`.

    pip download --no-deps seglearn==1.2.5 && python benchmarks/real_data.py watch seglearn-1.2.5-*.whl watch.npz
    apt-get download r-cran-mlbench && dpkg-deb -x r-cran-mlbench_*.deb mlbench    # and pip install rdata
    python benchmarks/real_data.py letters mlbench/usr/lib/R/site-library/mlbench/data letters.npz
    python benchmarks/real_data.py satellite mlbench/usr/lib/R/site-library/mlbench/data satellite.npz
    python benchmarks/real_data.py housing mlbench/usr/lib/R/site-library/mlbench/data housing.npz     # a regression
    npm pack @fontsource/roboto @fontsource/lato ...    # and pip install pillow
    python benchmarks/real_data.py glyphs FOLDER_OF_TGZ glyphs.npz

Sources: physiotherapy exercises of a smart watch (D. Burns et al. 2018, Physiological Measurement 39), as seglearn has
them; Letter Recognition (P. Frey, D. Slate 1991), Landsat Satellite and Boston Housing of the UCI repository, as R's
mlbench ships them; typefaces of fontsource. JapaneseVowels and BasicMotions are made by `benchmarks/series_npz.py`.
Boston Housing is taken without its column `b`, which was computed from the race of the people of a town.

The watch's file is a pickle: it is read here, once, because you name it; spikewright itself reads none.
"""

from __future__ import annotations

import argparse
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SIDE = 28
WINDOW, HOP = 100, 50


def watch(wheel: Path) -> Arrays:
    """Windows of two seconds at 50 Hz, half of each shared with the next, and the person of each."""
    with zipfile.ZipFile(wheel) as archive:
        held = np.load(io.BytesIO(archive.read("seglearn/data/watch_dataset.npy")), allow_pickle=True).item()
    x, y, person = [], [], []
    for recording, label, subject in zip(held["X"], held["y"], held["subject"], strict=True):
        starts = range(0, len(recording) - WINDOW + 1, HOP)
        x += [recording[start : start + WINDOW] for start in starts]
        y += [held["y_labels"][int(label)]] * len(starts)
        person += [int(subject)] * len(starts)
    return {"x": np.stack(x).astype(np.float32), "y": np.array(y), "groups": np.array(person)}


def table(folder: Path, name: str, target: str, without: str = "") -> Arrays:
    """A table of R's mlbench: features but for one that is left out, and the column that is learned."""
    import rdata

    frame = rdata.read_rda(folder / f"{name}.rda")[name]
    columns = {str(column): frame[column] for column in frame.columns}
    columns.pop(without, None)
    y = np.asarray(columns.pop(target))
    x = np.stack([np.asarray(values).astype(np.float64) for values in columns.values()], axis=1)
    return {"x": x.astype(np.float32), "y": y.astype(str) if y.dtype.kind not in "iuf" else y}


def glyphs(folder: Path) -> Arrays:
    """62 letters and digits of every typeface, drawn into 28 x 28 pixels, and the typeface of each."""
    from PIL import Image, ImageDraw, ImageFont

    x, y, face = [], [], []
    for package in sorted(folder.glob("*.tgz")):
        with tarfile.open(package) as archive:
            latin = (name for name in archive.getnames() if "-latin-" in name and "-ext-" not in name)
            names = sorted(name for name in latin if name.endswith("-normal.woff2"))
            for name in names:
                member = archive.extractfile(name)
                assert member is not None
                font = ImageFont.truetype(io.BytesIO(member.read()), 20)
                for letter in LETTERS:
                    image = Image.new("L", (SIDE, SIDE))
                    box = font.getbbox(letter)
                    at = ((SIDE - box[0] - box[2]) / 2, (SIDE - box[1] - box[3]) / 2)
                    ImageDraw.Draw(image).text(at, letter, fill=255, font=font)
                    x.append(np.asarray(image))
                    y.append(letter)
                    face.append(package.stem.removeprefix("fontsource-").rpartition("-")[0])
    return {"x": np.stack(x), "y": np.array(y), "groups": np.array(face)}


SETS: dict[str, Callable[[Path], Arrays]] = {
    "watch": watch,
    "letters": lambda path: table(path, "LetterRecognition", "lettr"),
    "satellite": lambda path: table(path, "Satellite", "classes"),
    "housing": lambda path: table(path, "BostonHousing", "medv", without="b"),
    "glyphs": glyphs,
}


def main() -> None:
    """Write the data set that is named to an .npz file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=SETS)
    parser.add_argument("package", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    arrays = SETS[given.name](given.package)
    np.savez_compressed(given.out, **arrays)
    print(given.out, {name: values.shape for name, values in arrays.items()})


if __name__ == "__main__":
    main()
