"""CIFAR-10: six files of records, one label byte and 3 x 32 x 32 pixel bytes each.

The binary version is data and is preferred. The Python version is pickled, which can run code: it is read only by
torchvision, which first compares every file with its published MD5.

Source: A. Krizhevsky, "The CIFAR-10 dataset", file layout and checksums on the data set's page.
"""

from __future__ import annotations

import tarfile
import warnings
import zlib
from pathlib import Path

import numpy as np
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import download_url

from ..base.cache import cache_folder, cache_root
from ..base.errors import InputError, arg
from .dataset import Dataset, official
from .download import download, missing_folder
from .split import Samples

NAME = "cifar10"
CLASSES = 10
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32
MOST = 10000  # records in one file of the official data set
ARCHIVE = "cifar-10-binary.tar.gz"
ARCHIVE_URL = f"https://www.cs.toronto.edu/~kriz/{ARCHIVE}"
ARCHIVE_MD5 = "c32a1d4ab5d03f1284b67883e8d87530"
BINARY = "cifar-10-batches-bin"
PICKLED = "cifar-10-batches-py"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
FILES = (*TRAIN_FILES, "test_batch.bin")
WANTED = f"{BINARY}/ ({FILES[0]} to _5.bin and {FILES[-1]}), {ARCHIVE} or {PICKLED}/"


def load_cifar10(data_dir: Path | None) -> Dataset:
    """Read CIFAR-10 from ``data_dir``, else from the cache, else download the binary version.

    Raises:
        InputError: files are missing, damaged, or cannot be downloaded.
    """
    archive = cache_root() / "data" / ARCHIVE
    if data_dir is None and not archive.is_file():
        with download(NAME, WANTED):
            download_url(ARCHIVE_URL, str(cache_folder("data")), ARCHIVE, ARCHIVE_MD5)
    train, test = _from_archive(archive) if data_dir is None else _given(data_dir)
    return official(NAME, train, test, CLASSES)


def _given(data_dir: Path) -> tuple[Samples, Samples]:
    if not data_dir.is_dir():
        raise missing_folder(data_dir, NAME)
    for folder in (data_dir, data_dir / BINARY):
        if all((folder / name).is_file() for name in FILES):
            return _joined({name: _records(folder / name, _first_bytes(folder / name)) for name in FILES})
    if (data_dir / ARCHIVE).is_file():
        return _from_archive(data_dir / ARCHIVE)
    if (data_dir / PICKLED).is_dir():
        return _from_torchvision(data_dir)
    raise InputError(
        f"{data_dir}: has no files of {NAME}; looked for {WANTED}; put one of them there, "
        f"or leave {arg('data_dir')} out to have them found or downloaded"
    )


def _first_bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(MOST * RECORD + 1)
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); check its permissions") from error


def _from_archive(archive: Path) -> tuple[Samples, Samples]:
    """Read the six members in place: nothing is unpacked to the disk, so no path in the archive matters."""
    parts = {}
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                name = member.name.rpartition("/")[2]
                stream = tar.extractfile(member) if member.isreg() and name in FILES else None
                if stream is not None:
                    parts[name] = _records(archive / name, stream.read(MOST * RECORD + 1))
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise InputError(f"{archive}: is not a whole .tar.gz archive ({error}); remove it and try again") from error
    missing = [name for name in FILES if name not in parts]
    if missing:
        raise InputError(f"{archive}: has no {', '.join(missing)}; get {ARCHIVE} again from {ARCHIVE_URL}")
    return _joined(parts)


def _records(file: Path, content: bytes) -> Samples:
    count, rest = divmod(len(content), RECORD)
    if rest or not 0 < count <= MOST:
        size = f"{len(content)} bytes" if len(content) <= MOST * RECORD else f"more than {MOST * RECORD} bytes"
        raise InputError(f"{file}: has {size}, may have 1 to {MOST} records of {RECORD} bytes; get the file again")
    table = np.frombuffer(content, dtype=np.uint8).reshape(count, RECORD)
    if table[:, 0].max() >= CLASSES:
        raise InputError(f"{file}: holds the label {table[:, 0].max()}, may be 0 to {CLASSES - 1}; get it again")
    return table[:, 1:].reshape(count, *SHAPE), table[:, 0].astype(np.int64)


def _joined(parts: dict[str, Samples]) -> tuple[Samples, Samples]:
    images, labels = zip(*(parts[name] for name in TRAIN_FILES), strict=True)
    return (np.concatenate(images), np.concatenate(labels)), parts[FILES[-1]]


def _from_torchvision(data_dir: Path) -> tuple[Samples, Samples]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy deprecates what the published pickles say about their dtype
            train, test = CIFAR10(str(data_dir), train=True), CIFAR10(str(data_dir), train=False)
    except RuntimeError as error:
        raise InputError(
            f"{data_dir / PICKLED}: its files are not the published ones (their MD5 differs or some are missing), "
            f"and other pickles are not read because they can run code; use {ARCHIVE} from {ARCHIVE_URL}"
        ) from error
    first, second = (
        (np.ascontiguousarray(part.data.transpose(0, 3, 1, 2)), np.asarray(part.targets, np.int64))
        for part in (train, test)
    )
    return first, second
