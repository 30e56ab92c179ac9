"""Arrays in files: read by rows where they are large, and what is wrong with them."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import spikewright as sw
from spikewright.data.options import DataOptions
from spikewright.sources import array_file, arrays
from spikewright.sources.array_file import ArrayFile, Spool
from spikewright.sources.read import read
from spikewright.sources.rows import Recordings, Windows, bounds, chunks, first_rows

ASKED = DataOptions()


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything above 100 bytes counts as large."""
    monkeypatch.setattr(array_file, "IN_MEMORY", 100)
    monkeypatch.setattr(arrays, "IN_MEMORY", 100)


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint8, np.dtype(">i2")])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_large_array_of_an_npz_stays_in_the_file_and_reads_the_same(
    tmp_path: Path, small_memory: None, dtype: type, save: Callable[..., None]
) -> None:
    x = numbers(40, 3, 4, dtype=dtype)
    save(tmp_path / "m.npz", x=x, y=np.arange(40) % 2)
    found = read(tmp_path / "m.npz", ASKED)
    rows = found.parts["train"][0]
    assert isinstance(rows, ArrayFile) == (save is np.savez)
    assert (tuple(rows.shape), rows.dtype, rows.ndim, len(rows)) == (x.shape, x.dtype, 3, 40)
    for chosen in (slice(None), slice(3, 9), slice(30, 99), slice(0, 0), np.array([7, 7, 3, 39, 4, 5, 6, 0])):
        np.testing.assert_array_equal(rows[chosen], x[chosen])


def test_a_large_npy_stays_in_the_file(tmp_path: Path, small_memory: None) -> None:
    x = numbers(50, 6)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", np.arange(50) % 5)
    rows, labels = read(tmp_path / "x.npy", ASKED).parts["train"]
    assert isinstance(rows, ArrayFile)
    np.testing.assert_array_equal(np.concatenate(list(chunks(rows))), x)
    np.testing.assert_array_equal(labels, np.arange(50) % 5)
    assert bounds(rows) == (0, 299)
    np.testing.assert_array_equal(first_rows(rows, 3)[:], x[:3])


def test_a_data_set_from_a_file_is_that_from_memory(tmp_path: Path, small_memory: None) -> None:
    x, y = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32), np.arange(60) % 3
    np.savez(tmp_path / "m.npz", x=x, y=y)
    ours, theirs = sw.load(str(tmp_path / "m.npz")), sw.Dataset.from_arrays(x, y)
    assert ours.train.sha256 == theirs.train.sha256
    assert ours.test.sha256 == theirs.test.sha256
    assert ours.input_rule == theirs.input_rule


def test_a_file_that_became_shorter_is_noticed(tmp_path: Path, small_memory: None) -> None:
    np.save(tmp_path / "x.npy", numbers(50, 6))
    np.save(tmp_path / "y.npy", np.arange(50) % 5)
    rows = read(tmp_path / "x.npy", ASKED).parts["train"][0]
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate(600)
    with pytest.raises(sw.InputError, match=r"x\.npy: ends early, or was changed while it was read"):
        rows[:]


def test_a_spool_keeps_what_is_small_in_memory_and_the_rest_in_a_file(small_memory: None) -> None:
    small, large = Spool((2,), np.float32, "m"), Spool((2,), np.float32, "m")
    small.add(numbers(3, 2))
    for part in np.split(numbers(100, 2), 20):
        large.add(part)
    assert type(small.finish()) is np.ndarray
    rows = large.finish()
    assert isinstance(rows, ArrayFile)
    np.testing.assert_array_equal(rows[:], numbers(100, 2))
    assert large.finish(10, 10).shape == (10, 10, 2)
    np.testing.assert_array_equal(large.finish(10, 10)[3:4], numbers(100, 2).reshape(10, 10, 2)[3:4])
    assert len(large) == 100
    assert Spool((2,), np.float32, "m").finish().shape == (0, 2)


def test_a_spool_that_finds_no_room_says_how_much_it_needs(
    small_memory: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    spool = Spool((4,), np.float32, "data m")
    spool._file = array_file.OpenFile(os.open("/dev/full", os.O_WRONLY))
    with pytest.raises(sw.InputError) as caught:
        spool.add(numbers(50, 4))
    assert str(caught.value) == (
        f"data m: needs a file of 0.0 GiB or more in {tmp_path / 'spool'}, which cannot be written (No space left on "
        "device); make room there, or name another folder in SPIKEWRIGHT_CACHE"
    )


def test_recordings_are_padded_with_nan() -> None:
    made = Recordings(numbers(9, 2), np.array([2, 4, 3]))
    assert (made.shape, made.lengths.tolist()) == ((3, 4, 2), [2, 4, 3])
    np.testing.assert_array_equal(made[1:2][0], numbers(9, 2)[2:6])
    np.testing.assert_array_equal(made[np.array([2, 0])][0, :3], numbers(9, 2)[6:])
    assert np.isnan(made[:]).sum() == (12 - 9) * 2


def test_windows_are_cut_out_of_their_recordings() -> None:
    source = numbers(2, 10, 1)
    made = Windows(source, np.array([0, 0, 1]), np.array([0, 4, 2]), 3)
    assert made[:][..., 0].tolist() == [[0, 1, 2], [4, 5, 6], [12, 13, 14]]
    assert made[np.array([2, 0])][..., 0].tolist() == [[12, 13, 14], [0, 1, 2]]


def test_lengths_beside_the_samples_cut_what_pads_them(tmp_path: Path) -> None:
    x, lengths = np.zeros((12, 5, 2), np.float32), np.arange(12) % 3 + 3
    np.savez(tmp_path / "m.npz", x=x, y=np.arange(12) % 2, lengths=lengths)
    raw = sw.load(str(tmp_path / "m.npz"), options=DataOptions(layout="series")).raw
    assert raw is not None
    found = np.concatenate([np.asarray(part.lengths) for part in raw.parts.values()])
    assert sorted(found.tolist()) == sorted(lengths.tolist())
    assert any("recordings have 3 to 5 steps, half of them at most 4" in note for note in raw.notes)


def test_nan_behind_the_end_of_recordings_is_their_padding() -> None:
    x = np.random.default_rng(0).normal(size=(20, 6, 2)).astype(np.float32)
    for index in range(20):
        x[index, 4 + index % 3 :] = np.nan
    padded = sw.Dataset.from_arrays(x, np.arange(20) % 2, layout="series")
    listed = sw.Dataset.from_arrays([each[: 4 + i % 3] for i, each in enumerate(x)], np.arange(20) % 2)
    assert padded.train.sha256 == listed.train.sha256
    x[3, 1, 0] = np.nan
    with pytest.raises(sw.InputError, match=r"^data arrays: its train part holds NaN, first in sample 3; fill such"):
        sw.Dataset.from_arrays(x, np.arange(20) % 2, layout="series")


def test_a_recording_without_steps_is_refused() -> None:
    x = np.zeros((20, 6, 2), np.float32)
    x[7] = np.nan
    with pytest.raises(sw.InputError, match="recording 7 of its train part has no steps; leave it out"):
        sw.Dataset.from_arrays(x, np.arange(20) % 2, layout="series")


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(sw.InputError) as caught:
        sw.load(str(path), options=DataOptions(**options))
    return str(caught.value)


def test_a_compressed_array_larger_than_memory_allows_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "LARGEST_COMPRESSED", 1000)
    path = tmp_path / "m.npz"
    np.savez_compressed(path, x=np.zeros((50, 8), np.float32), y=np.arange(50) % 2)
    assert refusal(path) == (
        f"{path}: its array x is compressed and takes 0.0 GiB unpacked; save it with numpy.savez, which does not "
        "compress, or as .npy: then it is read by rows"
    )


def test_large_arrays_in_fortrans_order_say_what_to_do(tmp_path: Path, small_memory: None) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, x=np.asfortranarray(numbers(50, 8)), y=np.arange(50) % 2)
    assert refusal(path) == (
        f"{path}: its array x: is in Fortran's order, so that samples cannot be read one by one; save "
        "numpy.ascontiguousarray of it"
    )


def test_an_announced_size_is_checked_before_memory_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, x=np.zeros((50, 8)), y=np.arange(50) % 2)
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(tmp_path / "huge.npz", "w") as huge:
        huge.writestr("x.npy", whole.read("x.npy").replace(b"(50, 8), }", b"(1000000000000, 8), }")[:200])
        huge.writestr("y.npy", whole.read("y.npy"))
    assert "cannot be read as .npz (it ends early: " in refusal(tmp_path / "huge.npz")


def test_all_that_an_npz_lacks_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "m.npz"
    np.savez(path, x_train=np.zeros((9, 4)), y_test=np.zeros(9))
    expected = "expected x and y; or x_train, y_train and, where there are such parts, x_val, y_val, x_test, y_test"
    assert refusal(path) == (
        f"{path}: 2 faults\n  - has no array y_train; {expected}\n  - has no array x_test; {expected}"
    )
    np.savez(path, images=np.zeros((9, 4)))
    assert refusal(path) == f"{path}: its arrays are images; {expected}"


def test_arrays_that_are_not_used_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", x=np.zeros((20, 4)) + np.arange(4), y=np.arange(20) % 2, ids=np.arange(20))
    assert "data m: arrays that are not used: ids" in sw.load(str(tmp_path / "m.npz")).notes


def test_groups_and_names_come_from_the_file(tmp_path: Path) -> None:
    x, y, groups = np.random.default_rng(0).normal(size=(60, 4)), np.arange(60) % 2, np.arange(60) // 6
    np.savez(tmp_path / "m.npz", x=x, y=y, groups=groups, names=np.array(["off", "on"]))
    data = sw.load(str(tmp_path / "m.npz"))
    assert data.output.names == ("off", "on")
    assert data.raw is not None
    of = {round(float(row[0]), 9): int(group) for row, group in zip(x, groups, strict=True)}
    parts = [{of[round(float(row[0]), 9)] for row in part.samples[:]} for part in data.raw.parts.values()]
    assert set.union(*parts) == set(range(10))
    assert sum(map(len, parts)) == 10
