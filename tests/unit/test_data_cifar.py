"""CIFAR-10: binary records from a folder or an archive; pickles only when they are the published ones."""

from __future__ import annotations

import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data.cifar import ARCHIVE, ARCHIVE_URL, FILES, RECORD
from spikewright.data.load import load


def contents(records: int = 4) -> dict[str, bytes]:
    random = np.random.default_rng(2)
    tables = random.integers(0, 256, (len(FILES), records, RECORD), dtype=np.uint8)
    tables[:, :, 0] %= 10
    return {name: table.tobytes() for name, table in zip(FILES, tables, strict=True)}


def write(folder: Path, made: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in made.items():
        (folder / name).write_bytes(content)


def pack(archive: Path, made: dict[str, bytes], prefix: str = "cifar-10-batches-bin/") -> None:
    with tarfile.open(archive, "w:gz") as tar:
        for name, content in made.items():
            info = tarfile.TarInfo(f"{prefix}{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("where", [".", "cifar-10-batches-bin"])
def test_a_folder_of_six_files_is_read(tmp_path: Path, where: str) -> None:
    made = contents()
    write(tmp_path / where, made)
    data = load("cifar10", tmp_path)
    assert data.shape == (3, 32, 32)
    assert (len(data.train), len(data.validation), len(data.test)) == (18, 2, 4)
    test = np.frombuffer(made["test_batch.bin"], np.uint8).reshape(4, RECORD)
    assert np.array_equal(data.test.labels, test[:, 0])
    assert np.array_equal(np.rint(data.test.samples * 255).reshape(4, -1), test[:, 1:])
    assert np.rint(data.test.samples[0, 1, 0, 1] * 255) == test[0, 1 + 1024 + 1]  # green plane, first row, second pixel


def test_the_archive_is_read_in_place(tmp_path: Path) -> None:
    pack(tmp_path / ARCHIVE, contents())
    write(tmp_path / "unpacked", contents())
    data, other = load("cifar10", tmp_path), load("cifar10", tmp_path / "unpacked")
    assert data.train.sha256 == other.train.sha256
    assert data.test.sha256 == other.test.sha256
    assert sorted(path.name for path in tmp_path.iterdir()) == [ARCHIVE, "unpacked"]


def test_paths_in_the_archive_write_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    pack(folder / ARCHIVE, contents(), prefix="../../escape/")
    load("cifar10", folder)
    assert [path.name for path in tmp_path.iterdir()] == ["given"]


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        load("cifar10", tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path}: has no files of cifar10; looked for cifar-10-batches-bin/ (data_batch_1.bin to _5.bin and "
        "test_batch.bin), cifar-10-binary.tar.gz or cifar-10-batches-py/; put one of them there, "
        "or leave data_dir out to have them found or downloaded"
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "has 0 bytes, may have 1 to 10000 records of 3073 bytes; get the file again"),
        (bytes(3072), "has 3072 bytes, may have 1 to 10000 records of 3073 bytes; get the file again"),
        (
            bytes(RECORD * 10000 + 1),
            "has more than 30730000 bytes, may have 1 to 10000 records of 3073 bytes; get the file again",
        ),
        (bytes([10]) + bytes(3072), "holds the label 10, may be 0 to 9; get it again"),
    ],
    ids=["empty", "short", "long", "label"],
)
def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    write(tmp_path, {**contents(), "data_batch_3.bin": content})
    with pytest.raises(InputError) as refusal:
        load("cifar10", tmp_path)
    assert str(refusal.value) == f"{tmp_path / 'data_batch_3.bin'}: {says}"


def test_an_archive_without_a_file_is_refused(tmp_path: Path) -> None:
    made = contents()
    del made["test_batch.bin"]
    pack(tmp_path / ARCHIVE, made)
    with pytest.raises(InputError) as refusal:
        load("cifar10", tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path / ARCHIVE}: has no test_batch.bin; get cifar-10-binary.tar.gz again from {ARCHIVE_URL}"
    )


@pytest.mark.parametrize(("keep", "then"), [(0, b""), (100, b""), (-20, b""), (200, b"x" * 10000)])
def test_a_damaged_archive_is_refused(tmp_path: Path, keep: int, then: bytes) -> None:
    pack(tmp_path / ARCHIVE, contents())
    (tmp_path / ARCHIVE).write_bytes((tmp_path / ARCHIVE).read_bytes()[:keep] + then)
    with pytest.raises(InputError, match=r"is not a whole \.tar\.gz archive"):
        load("cifar10", tmp_path)


class Harm:
    """What an unpickler would run."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.file,)


def test_a_pickle_that_is_not_the_published_one_is_never_loaded(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"]
    write(tmp_path / "cifar-10-batches-py", {name: pickle.dumps(Harm(harm)) for name in names})
    with pytest.raises(InputError) as refusal:
        load("cifar10", tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path / 'cifar-10-batches-py'}: its files are not the published ones (their MD5 differs or some are "
        f"missing), and other pickles are not read because they can run code; use {ARCHIVE} from {ARCHIVE_URL}"
    )
    assert not harm.exists()


def test_the_cache_is_looked_in_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    (tmp_path / "data").mkdir()
    pack(tmp_path / "data" / ARCHIVE, contents())
    assert len(load("cifar10").test) == 4


@pytest.mark.network
@pytest.mark.slow
def test_the_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    data = load("cifar10")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [45000, 5000, 10000]
