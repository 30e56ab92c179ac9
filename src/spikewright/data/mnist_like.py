"""MNIST and Fashion-MNIST: four IDX files each, found on this machine or downloaded.

An IDX file has a big-endian header (two zero bytes, element type, dimensions), then the elements.

Source: the format description that Y. LeCun, C. Cortes and C. J. C. Burges published with the MNIST database.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, cast

import numpy as np
import torchvision

from ..base.cache import cache_folder, cache_root
from ..base.errors import InputError, arg, refuse
from .dataset import Dataset, official
from .download import download, missing_folder
from .split import Pixels, Samples

SIDE = 28
CLASSES = 10
UNSIGNED_BYTE = 0x08  # IDX's type of elements
AGAIN = "get the file again"
# Sizes of the official parts (both data sets).
PARTS = {"train": 60000, "t10k": 10000}
FILES = tuple(f"{part}-{kind}-ubyte" for part in PARTS for kind in ("images-idx3", "labels-idx1"))


@dataclass(frozen=True)
class MnistFiles:
    """Where a data set in MNIST's format may be.

    Attributes:
        torchvision: name of torchvision's class, also of the folder in which it keeps the files.
        installed: folder of an operating system's package, None where there is none.
    """

    name: str
    torchvision: str
    installed: Path | None


MNIST = MnistFiles("mnist", "MNIST", None)
FASHION_MNIST = MnistFiles("fashion-mnist", "FashionMNIST", Path("/usr/share/datasets/fashion-mnist"))


def load_mnist_like(source: MnistFiles, data_dir: Path | None) -> Dataset:
    """Read the four files from ``data_dir``, else from the cache, else from the system, else download them.

    Raises:
        InputError: files are missing, damaged, or cannot be downloaded.
    """
    files = _files(source, data_dir)
    train, test = (_part(files, part, most) for part, most in PARTS.items())
    return official(source.name, train, test, CLASSES)


load_mnist = partial(load_mnist_like, MNIST)
load_fashion_mnist = partial(load_mnist_like, FASHION_MNIST)


def _files(source: MnistFiles, data_dir: Path | None) -> dict[str, Path]:
    kept = cache_root() / "data" / source.torchvision / "raw"
    if data_dir is not None and not data_dir.is_dir():
        raise missing_folder(data_dir, source.name)
    folders = (kept, source.installed) if data_dir is None else (data_dir, data_dir / source.torchvision / "raw")
    files = max((_files_in(folder) for folder in filter(None, folders)), key=len)
    if len(files) == len(FILES):
        return files
    if data_dir is not None:
        missing = [name for name in FILES if name not in files]
        raise InputError(
            f"{data_dir}: has not all files of {source.name}; missing {', '.join(missing)} (plain or .gz, here or in "
            f"{source.torchvision}/raw); put them there, or leave {arg('data_dir')} out to have them found or "
            "downloaded"
        )
    with download(source.name, f"{', '.join(FILES)} (plain or .gz)"):
        getattr(torchvision.datasets, source.torchvision)(str(cache_folder("data")), download=True)
    files = _files_in(kept)
    lacking = [name for name in FILES if name not in files]
    refuse(str(kept), [f"the download left no {name}; remove the folder and try again" for name in lacking])
    return files


def _files_in(folder: Path) -> dict[str, Path]:
    """The files that are there, by name; plain ones are preferred."""
    candidates = ((name, folder / f"{name}{ending}") for name in FILES for ending in (".gz", ""))
    return {name: path for name, path in candidates if path.is_file()}


def _part(files: dict[str, Path], part: str, most: int) -> Samples:
    images_file, labels_file = files[f"{part}-images-idx3-ubyte"], files[f"{part}-labels-idx1-ubyte"]
    labels = read_idx(labels_file, (), most)
    images = read_idx(images_file, (SIDE, SIDE), most)
    if len(images) != len(labels):
        raise InputError(
            f"{images_file}: holds {len(images)} images, but {labels_file} holds {len(labels)} labels; "
            "get both files from the same place"
        )
    if labels.max() >= CLASSES:
        raise InputError(f"{labels_file}: holds the label {labels.max()}, may be 0 to {CLASSES - 1}; get it again")
    return images[:, None], labels.astype(np.int64)


def read_idx(path: Path, item: tuple[int, ...], most: int) -> Pixels:
    """Read an IDX file of unsigned bytes, gzipped if its name ends in ``.gz``.

    Args:
        item: shape of one item, ``()`` for labels.
        most: most items that the data set has; checked before anything is allocated.

    Returns:
        uint8, shape ``(items, *item)``.

    Raises:
        InputError: the file is not IDX, has another shape, or is shorter or longer than its header says.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            return _read(path, cast("IO[bytes]", file), item, most)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path}: is not a whole gzip file ({error}); {AGAIN}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def _read(path: Path, file: IO[bytes], item: tuple[int, ...], most: int) -> Pixels:
    dimensions = 1 + len(item)
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    header = file.read(4 + 4 * dimensions)
    if not header.startswith(magic):
        raise InputError(
            f"{path}: starts with {header[:4].hex() or 'nothing'}, an IDX file of bytes in "
            f"{dimensions} dimension{'s' if item else ''} with {magic.hex()}; {AGAIN}"
        )
    if len(header) < 4 + 4 * dimensions:
        raise InputError(f"{path}: ends within its header; {AGAIN}")
    count, *found = struct.unpack(f">{dimensions}I", header[4:])
    if tuple(found) != item:
        raise InputError(f"{path}: its items have shape {tuple(found)}, expected {item}; {AGAIN}")
    if not 0 < count <= most:
        raise InputError(f"{path}: its header says {count} items, may be 1 to {most}; {AGAIN}")
    expected = count * math.prod(item)
    body = file.read(expected + 1)
    if len(body) != expected:
        size = f"only {len(body)}" if len(body) < expected else "more"
        raise InputError(f"{path}: its header promises {expected} bytes of data, but it holds {size}; {AGAIN}")
    return np.frombuffer(body, dtype=np.uint8).reshape(count, *item)
