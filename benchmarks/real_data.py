"""Real data sets that lie inside public packages, as .npz files for `--data PATH`.

    apt-get download r-cran-mlbench && dpkg-deb -x r-cran-mlbench_*.deb mlbench    # and pip install rdata
    python benchmarks/real_data.py letters mlbench/usr/lib/R/site-library/mlbench/data letters.npz
    python benchmarks/real_data.py satellite mlbench/usr/lib/R/site-library/mlbench/data satellite.npz
    python benchmarks/real_data.py housing mlbench/usr/lib/R/site-library/mlbench/data housing.npz     # a regression
    npm pack @fontsource/roboto @fontsource/lato ...    # and pip install pillow
    python benchmarks/real_data.py glyphs FOLDER_OF_TGZ glyphs.npz

Sources: Letter Recognition (P. Frey, D. Slate 1991), Landsat Satellite and Boston Housing of the UCI repository, as R's
mlbench ships them; typefaces of fontsource. Boston Housing is taken without its column `b`, which was computed from the
race of the people of a town. Series are made by `benchmarks/series_npz.py`.
"""

from __future__ import annotations

import argparse
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
SIDE = 28


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
