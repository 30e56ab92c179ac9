"""Valid files of data, small."""

from __future__ import annotations

import gzip
import io
import tarfile
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io
from conftest import EventFiles
from PIL import Image


def npz_files() -> list[bytes]:
    """Vectors with names and groups, images in parts, and padded series with lengths."""
    random = np.random.default_rng(0)
    x, y = random.random((30, 4)).astype(np.float32), np.arange(30) % 3
    parts = {f"x_{part}": random.integers(0, 255, (12, 5, 5), np.uint8) for part in ("train", "test")}
    parts |= {f"y_{part}": np.arange(12) % 2 for part in ("train", "test")}
    series = {"x": random.random((24, 5, 2)), "y": np.arange(24) % 2, "lengths": np.arange(24) % 5 + 1}
    first = {"x": x, "y": y, "names": np.array(["a", "b", "c"]), "groups": np.arange(30) // 3}
    return [_npz(**first), _npz(**parts), _npz(**series), _npz(x=x, y=random.random((30, 2)))]


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def npy_files() -> list[bytes]:
    """Vectors, images and series, whose labels lie beside them."""
    random = np.random.default_rng(0)
    return [_npy(random.random((30, *shape)).astype(np.float32)) for shape in ((4,), (1, 5, 5), (5, 2))]


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


LABELS = _npy(np.arange(30) % 3)


def tables() -> list[bytes]:
    """Tables of vectors, and a long one of series."""
    random = np.random.default_rng(0)
    rows = [f"{a:.3f},{b:.3f},{'abc'[n % 3]}" for n, (a, b) in enumerate(random.random((30, 2)))]
    long = [f"{n // 5},{n % 5},{v:.3f},{n // 5 % 2}" for n, v in enumerate(random.random(100))]
    wide = [";".join([*(f"{v:.2f}".replace(".", ",") for v in row), "x"]) for row in random.random((5, 3))]
    heads = ("a,b,label", "id,time,v,label", "p;q;r;label")
    return ["\n".join([head, *body, ""]).encode() for head, body in zip(heads, (rows, long, wide), strict=True)]


def ts_files() -> list[bytes]:
    """Series of sktime's format: of two channels with classes, and with values."""
    random = np.random.default_rng(0)
    lines = [":".join([*(",".join(f"{v:.2f}" for v in row) for row in random.random((2, 4))), "ab"[n % 2]])
             for n in range(20)]  # fmt: skip
    values = [f"{','.join(f'{v:.2f}' for v in random.random(4))}:{n / 3:.2f}" for n in range(20)]
    first = ["@problemName x", "@timeStamps false", "@univariate false", "@classLabel true a b", "@data", *lines]
    second = ["@problemName y", "@timeStamps false", "@targetLabel true", "@data", *values]
    return ["\n".join(each).encode() for each in (first, second)]


def arff_files() -> list[bytes]:
    """Vectors, and relational series, in Weka's format."""
    random = np.random.default_rng(0)
    names = [f"@attribute a{n} numeric" for n in range(3)]
    rows = [",".join([*(f"{v:.2f}" for v in row), "ab"[n % 2]]) for n, row in enumerate(random.random((20, 3)))]
    first = ["@relation x", *names, "@attribute class {a,b}", "@data", *rows]
    series = [
        "'" + "\\n".join(",".join(f"{v:.2f}" for v in row) for row in random.random((2, 4))) + f"',{'ab'[n % 2]}"
        for n in range(20)
    ]
    second = ["@relation y", "@attribute s relational", "@attribute t numeric", "@end s", "@attribute class {a,b}",
              "@data", *series]  # fmt: skip
    return ["\n".join(each).encode() for each in (first, second)]


def parquet_files() -> list[bytes]:
    """A table of vectors."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    buffer = io.BytesIO()
    columns = {"a": random.random(30), "b": np.arange(30), "label": [["x", "y"][n % 2] for n in range(30)]}
    pq.write_table(pa.table(columns), buffer)
    return [buffer.getvalue()]


def pictures() -> list[bytes]:
    """A grey and a coloured picture of 8 x 8."""
    random = np.random.default_rng(0)
    made = []
    for shape in ((8, 8), (8, 8, 3)):
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 255, shape, np.uint8)).save(buffer, "PNG")
        made.append(buffer.getvalue())
    return made


def sounds() -> list[bytes]:
    """A tenth of a second of noise at 8 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.random.default_rng(0).integers(-9999, 9999, 800).astype("<i2").tobytes())
    return [buffer.getvalue()]


def events_by(write: Callable[..., None], folder: Path, count: int = 40) -> bytes:
    """A recording of some events, as one of the test suite's writers writes it."""
    file = folder / "one"
    write(file, *(each[:count] for each in EventFiles.events(0, 0)))
    return file.read_bytes()


def event_arrays(folder: Path) -> dict[str, list[bytes]]:
    """Files of one recording or of many, by the end of their names."""
    t, x, y, p = (each[:40] for each in EventFiles.events(0, 0))
    columns = np.stack([t, x, y, p], 1)
    record = np.zeros(40, [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "?")])
    record["t"], record["x"], record["y"], record["p"] = t, x, y, p
    matrix = io.BytesIO()
    scipy.io.savemat(matrix, {"TD": columns.astype(float)})
    return {
        ".bin": [events_by(EventFiles.bin, folder)],
        ".dat": [events_by(EventFiles.dat, folder)],
        ".aedat2": [events_by(EventFiles.aedat2, folder)],
        ".aedat3": [events_by(EventFiles.aedat3, folder)],
        ".aedat4": [events_by(EventFiles.aedat4, folder)],
        ".h5": [events_by(EventFiles.h5, folder)],
        ".npy": [_npy(columns), _npy(record)],
        ".npz": [_npz(t=t, x=x, y=y, p=p), _npz(a=columns)],
        ".mat": [matrix.getvalue()],
    }


def many_recordings() -> list[bytes]:
    """Recordings one after the other in arrays."""
    found = [[each[:30] for each in EventFiles.events(label, n)] for n in range(12) for label in range(2)]
    t, x, y, p = (np.concatenate(column) for column in zip(*found, strict=True))
    return [_npz(t=t, x=x, y=y, p=p, lengths=np.full(24, 30), labels=np.arange(24) % 2)]


def many_in_hdf5(folder: Path) -> list[bytes]:
    """Recordings in a group each, and spike trains of a cochlea."""
    groups, trains = folder / "groups", folder / "trains"
    random = np.random.default_rng(0)
    with h5py.File(groups, "w") as file:
        for number in range(12):
            here = file.create_group(str(number))
            here.attrs["label"] = number % 2
            for name, values in zip("txyp", EventFiles.events(number % 2, number), strict=True):
                here[name] = values[:20]
    with h5py.File(trains, "w") as file:
        times = file.create_dataset("spikes/times", (12,), h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (12,), h5py.vlen_dtype(np.uint16))
        for row in range(12):
            times[row] = np.sort(random.uniform(0, 0.9, 9)).astype(np.float16)
            units[row] = random.integers(0, 700, 9).astype(np.uint16)
        file["labels"] = (np.arange(12) % 2).astype(np.uint16)
        file["extra/speaker"] = np.arange(12) // 2 % 4
        file["extra/keys"] = np.array([b"one", b"zwei"])
    return [groups.read_bytes(), trains.read_bytes()]


def idx_file(count: int, *item: int) -> bytes:
    """An IDX file of bytes."""
    values = np.random.default_rng(0).integers(0, 10, (count, *item), np.uint8)
    axes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + axes + values.tobytes()


def cifar_records(count: int = 10) -> bytes:
    """Records of CIFAR-10."""
    values = np.random.default_rng(0).integers(0, 255, (count, 3073), np.uint8)
    values[:, 0] = np.arange(count) % 10
    return values.tobytes()


def cifar_archive() -> bytes:
    """The six files of CIFAR-10 in their archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            content = cifar_records(2)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def packed(content: bytes) -> bytes:
    """The same, by gzip."""
    return gzip.compress(content, mtime=0)


def in_class_folders(file: bytes, suffix: str, count: int = 5) -> Iterator[tuple[str, bytes]]:
    """The same file a number of times in two class folders, beside the one that is changed."""
    for name in ("left", "right"):
        for number in range(1, count):
            yield f"{name}/{number:03d}{suffix}", file
