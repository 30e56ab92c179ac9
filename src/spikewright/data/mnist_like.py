"""MNIST and Fashion-MNIST: four IDX files each, found on this machine or downloaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torchvision

from ..base.cache import cache_folder, cache_root
from ..base.errors import InputError, arg, refuse
from .dataset import Dataset, Labels, Pixels, official
from .download import download, missing_folder
from .idx import read_idx

SIDE = 28
CLASSES = 10
# Sizes of the official parts (both data sets).
PARTS = {"train": 60000, "t10k": 10000}
FILES = tuple(f"{part}-{kind}-ubyte" for part in PARTS for kind in ("images-idx3", "labels-idx1"))


@dataclass(frozen=True)
class MnistFiles:
    """Where a data set in MNIST's format may be.

    Attributes:
        name: ours.
        torchvision: name of torchvision's class, also of the folder in which it keeps the files.
        installed: folder of an operating system's package, None where there is none.
    """

    name: str
    torchvision: str
    installed: Path | None


MNIST = MnistFiles("mnist", "MNIST", None)
FASHION_MNIST = MnistFiles("fashion-mnist", "FashionMNIST", Path("/usr/share/datasets/fashion-mnist"))


def load_mnist(data_dir: Path | None) -> Dataset:
    """MNIST; see :func:`load_mnist_like`."""
    return load_mnist_like(MNIST, data_dir)


def load_fashion_mnist(data_dir: Path | None) -> Dataset:
    """Fashion-MNIST; see :func:`load_mnist_like`."""
    return load_mnist_like(FASHION_MNIST, data_dir)


def load_mnist_like(source: MnistFiles, data_dir: Path | None) -> Dataset:
    """Read the four files from ``data_dir``, else from the cache, else from the system, else download them.

    Raises:
        InputError: files are missing, damaged, or cannot be downloaded.
    """
    files = _given(source, data_dir) if data_dir is not None else _found_or_downloaded(source)
    parts = [_part(files, part, most) for part, most in PARTS.items()]
    return official(source.name, parts[0], parts[1], CLASSES)


def _given(source: MnistFiles, data_dir: Path) -> dict[str, Path]:
    if not data_dir.is_dir():
        raise missing_folder(data_dir, source.name)
    folders = [data_dir, data_dir / source.torchvision / "raw"]
    for folder in folders:
        files = _files_in(folder)
        if len(files) == len(FILES):
            return files
    near = max((_files_in(folder) for folder in folders), key=len)
    missing = [name for name in FILES if name not in near]
    raise InputError(
        f"{data_dir}: has not all files of {source.name}; missing {', '.join(missing)} (plain or .gz, here or in "
        f"{source.torchvision}/raw); put them there, or leave {arg('data_dir')} out to have them found or downloaded"
    )


def _found_or_downloaded(source: MnistFiles) -> dict[str, Path]:
    kept = cache_root() / "data" / source.torchvision / "raw"
    for folder in (kept, source.installed):
        files = _files_in(folder) if folder is not None else {}
        if len(files) == len(FILES):
            return files
    with download(source.name, f"{', '.join(FILES)} (plain or .gz)"):
        getattr(torchvision.datasets, source.torchvision)(str(cache_folder("data")), download=True)
    files = _files_in(kept)
    lacking = [name for name in FILES if name not in files]
    refuse(str(kept), [f"the download left no {name}; remove the folder and try again" for name in lacking])
    return files


def _files_in(folder: Path) -> dict[str, Path]:
    candidates = {name: (folder / name, folder / f"{name}.gz") for name in FILES}
    return {
        name: next(path for path in paths if path.is_file())
        for name, paths in candidates.items()
        if any(path.is_file() for path in paths)
    }


def _part(files: dict[str, Path], part: str, most: int) -> tuple[Pixels, Labels]:
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
