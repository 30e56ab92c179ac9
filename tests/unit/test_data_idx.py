"""MNIST's file format: read strictly, found where it may be, refused in one sentence."""

from __future__ import annotations

import gzip
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data.load import load
from spikewright.data.mnist_like import FASHION_MNIST, FILES, MNIST, load_mnist_like, read_idx

Array = np.ndarray


def idx(array: Array) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def arrays(train: int = 30, test: int = 10) -> dict[str, Array]:
    random = np.random.default_rng(1)
    made = {}
    for part, count in (("train", train), ("t10k", test)):
        made[f"{part}-images-idx3-ubyte"] = random.integers(0, 256, (count, 28, 28))
        made[f"{part}-labels-idx1-ubyte"] = random.integers(0, 10, count)
    return made


@pytest.fixture
def write() -> Callable[[Path, dict[str, Array], str], None]:
    def writer(folder: Path, made: dict[str, Array], suffix: str = "") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, array in made.items():
            content = idx(array)
            (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)

    return writer


@pytest.mark.parametrize("where", [".", "MNIST/raw"])
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_four_files_is_read(tmp_path: Path, write: Callable[..., None], where: str, suffix: str) -> None:
    made = arrays()
    write(tmp_path / where, made, suffix)
    data = load("mnist", tmp_path)
    assert data.shape == (1, 28, 28)
    assert (len(data.train), len(data.validation), len(data.test)) == (27, 3, 10)
    assert np.array_equal(np.rint(data.test.samples[:, 0] * 255), made["t10k-images-idx3-ubyte"])
    assert np.array_equal(data.test.labels, made["t10k-labels-idx1-ubyte"])


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    with pytest.raises(InputError) as refusal:
        load("fashion-mnist", folder)
    assert str(refusal.value) == (
        f"{folder}: there is no such folder; data_dir is the folder that holds the files of fashion-mnist, "
        "or leave it out to have them found or downloaded"
    )


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        load("fashion-mnist", tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path}: has not all files of fashion-mnist; missing train-images-idx3-ubyte, train-labels-idx1-ubyte, "
        "t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz, here or in FashionMNIST/raw); "
        "put them there, or leave data_dir out to have them found or downloaded"
    )


def test_a_folder_with_some_of_the_files_says_which_are_missing(tmp_path: Path, write: Callable[..., None]) -> None:
    made = arrays()
    del made["t10k-labels-idx1-ubyte"]
    write(tmp_path, made)
    with pytest.raises(InputError, match=r"missing t10k-labels-idx1-ubyte \(plain"):
        load("mnist", tmp_path)


def test_without_a_folder_the_cache_comes_first(
    tmp_path: Path, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    write(tmp_path / "data" / "FashionMNIST" / "raw", arrays())
    assert len(load("fashion-mnist").train) == 27


def test_offline_the_refusal_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_words: object, **_more: object) -> NoReturn:
        raise OSError("no route to host")

    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    with pytest.raises(InputError) as refusal:
        load("mnist")
    message = str(refusal.value)
    assert message.startswith("mnist: is not on this machine and could not be downloaded (")
    assert message.endswith(
        "; connect to the network once, or give with data_dir a folder that holds train-images-idx3-ubyte, "
        "train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte (plain or .gz)"
    )
    assert "\n" not in message


DAMAGE: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("cut short", lambda content: content[:-1], "its header promises 23520 bytes of data, but it holds only 23519"),
    ("too long", lambda content: content + b"\0", "its header promises 23520 bytes of data, but it holds more"),
    ("empty", lambda content: b"", "starts with nothing, an IDX file of bytes in 3 dimensions with 00000803"),
    (
        "a web page",
        lambda content: b"<html>",
        "starts with 3c68746d, an IDX file of bytes in 3 dimensions with 00000803",
    ),
    ("no sizes", lambda content: content[:9], "ends within its header"),
    (
        "other items",
        lambda content: content[:12] + struct.pack(">I", 27) + content[16:],
        "its items have shape (28, 27), expected (28, 28)",
    ),
    ("no items", lambda content: content[:4] + bytes(4) + content[8:], "its header says 0 items, may be 1 to 60000"),
    (
        "a bomb",
        lambda content: content[:4] + b"\xff\xff\xff\xff" + content[8:],
        "its header says 4294967295 items, may be 1 to 60000",
    ),
]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize(("damage", "says"), [case[1:] for case in DAMAGE], ids=[case[0] for case in DAMAGE])
def test_damage_is_one_sentence(tmp_path: Path, damage: Callable[[bytes], bytes], says: str, suffix: str) -> None:
    content = damage(idx(arrays()["train-images-idx3-ubyte"]))
    file = tmp_path / f"train-images-idx3-ubyte{suffix}"
    file.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(InputError) as refusal:
        read_idx(file, (28, 28), 60000)
    assert str(refusal.value) == f"{file}: {says}; get the file again"


@pytest.mark.parametrize(
    ("cut", "says"),
    [(lambda packed: packed[:200], "Compressed file ended"), (lambda packed: b"\x1f\x8cno", "Not a gzipped file")],
    ids=["cut", "not gzip"],
)
def test_a_damaged_gzip_file_is_one_sentence(tmp_path: Path, cut: Callable[[bytes], bytes], says: str) -> None:
    file = tmp_path / "train-images-idx3-ubyte.gz"
    file.write_bytes(cut(gzip.compress(idx(arrays()["train-images-idx3-ubyte"]))))
    with pytest.raises(InputError) as refusal:
        read_idx(file, (28, 28), 60000)
    assert str(refusal.value).startswith(f"{file}: is not a whole gzip file ({says}")
    assert str(refusal.value).endswith("); get the file again")


def test_images_and_labels_of_different_number_are_refused(tmp_path: Path, write: Callable[..., None]) -> None:
    made = arrays()
    made["train-labels-idx1-ubyte"] = made["train-labels-idx1-ubyte"][:-1]
    write(tmp_path, made)
    with pytest.raises(InputError) as refusal:
        load("mnist", tmp_path)
    assert str(refusal.value) == (
        f"{tmp_path / FILES[0]}: holds 30 images, but {tmp_path / FILES[1]} holds 29 labels; "
        "get both files from the same place"
    )


def test_a_label_out_of_range_is_refused(tmp_path: Path, write: Callable[..., None]) -> None:
    made = arrays()
    made["train-labels-idx1-ubyte"][3] = 10
    write(tmp_path, made)
    with pytest.raises(InputError) as refusal:
        load("mnist", tmp_path)
    assert str(refusal.value) == f"{tmp_path / FILES[1]}: holds the label 10, may be 0 to 9; get it again"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.parametrize("source", [MNIST, FASHION_MNIST], ids=lambda source: source.name)
def test_the_download(source: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    assert isinstance(source, type(MNIST))
    data = load_mnist_like(type(source)(source.name, source.torchvision, installed=None), None)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [54000, 6000, 10000]
