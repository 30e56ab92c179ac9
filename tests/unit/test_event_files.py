"""Files of events in each format: read alike, by libraries of others too, and refused where they are damaged."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data.options import DataOptions
from spikewright.sources.event_arrays import from_fields
from spikewright.sources.event_binaries import unwrapped
from spikewright.sources.event_sources import FORMATS
from spikewright.sources.read import read as read_path
from spikewright.sources.recordings import Recording

NONE = DataOptions()
T, X, Y, P = np.array([5, 9, 9, 70_000]), np.array([0, 3, 15, 7]), np.array([1, 0, 15, 8]), np.array([1, 0, 1, 1])


def read(path: Path, options: DataOptions = NONE) -> Recording:
    return FORMATS[path.suffix](path, options)


def message_of(path: Path, options: DataOptions = NONE) -> str:
    with pytest.raises(InputError) as refusal:
        read(path, options)
    return str(refusal.value)


def check(found: Recording, sensor: tuple[int, int] | None = None) -> None:
    for values, expected in ((found.t, T), (found.x, X), (found.y, Y), (found.p, P)):
        assert values.dtype == np.int64
        assert values.tolist() == expected.tolist()
    assert found.sensor == sensor


def test_nmnists_five_bytes(event_files: Any, tmp_path: Path) -> None:
    event_files.bin(tmp_path / "a.bin", T, X, Y, P)
    assert (tmp_path / "a.bin").read_bytes()[-5:] == bytes([7, 8, 0x80 | 1, 0x11, 0x70])  # 70000 = 0x11170
    found = read(tmp_path / "a.bin")
    check(found)
    assert found.starts_at_zero


def test_an_event_in_row_240_moves_the_clock(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes([1, 2, 0, 0, 9]) + bytes([0, 240, 0, 0, 0]) + bytes([1, 2, 0, 0, 9]))
    assert read(tmp_path / "a.bin").t.tolist() == [9, 9 + 8192]


def test_prophesees_dat(event_files: Any, tmp_path: Path) -> None:
    event_files.dat(tmp_path / "a.dat", T, X, Y, P)
    check(read(tmp_path / "a.dat"))
    event_files.dat(tmp_path / "a.dat", T, X, Y, P, sizes="% Width 304\n% Height 240\n")
    check(read(tmp_path / "a.dat"), (304, 240))


def test_expelliarmus_reads_the_same_dat(event_files: Any, tmp_path: Path) -> None:
    expelliarmus = pytest.importorskip("expelliarmus", reason="tonic is not installed (the extra `events`)")
    event_files.dat(tmp_path / "a.dat", *event_files.events(1, 0))
    theirs, ours = expelliarmus.Wizard(encoding="dat").read(str(tmp_path / "a.dat")), read(tmp_path / "a.dat")
    assert all(np.array_equal(getattr(ours, name), theirs[name]) for name in "txyp")


@pytest.mark.parametrize(("chip", "sensor"), [("DVS128", (128, 128)), ("Davis346red", (346, 260))])
def test_aedat_2(event_files: Any, tmp_path: Path, chip: str, sensor: tuple[int, int]) -> None:
    event_files.aedat2(tmp_path / "a.aedat", T, X, Y, P, chip=chip, height=sensor[1])
    check(read(tmp_path / "a.aedat"), sensor)


def test_aedat_2_of_a_davis_holds_other_events_too(event_files: Any, tmp_path: Path) -> None:
    event_files.aedat2(tmp_path / "a.aedat", T, X, Y, P, chip="Davis346red", height=260)
    others = np.array([[1 << 31, 6], [1 << 10, 7]], ">u4").tobytes()  # a frame's pixel, and an external event
    (tmp_path / "a.aedat").write_bytes((tmp_path / "a.aedat").read_bytes() + others)
    check(read(tmp_path / "a.aedat"), (346, 260))


def test_aedat_2_without_a_chip(event_files: Any, tmp_path: Path) -> None:
    """Addresses of 16 bits are a DVS128's, as in CIFAR10-DVS; others cannot be told."""
    file = tmp_path / "a.aedat"
    event_files.aedat2(file, T, X, Y, P)
    file.write_bytes(file.read_bytes().replace(b"# AEChip: eu.chips.DVS128\r\n", b""))
    check(read(file), (128, 128))
    event_files.aedat2(file, T, X, Y, P, chip="Davis346red", height=260)
    file.write_bytes(file.read_bytes().replace(b"Davis346red", b"Thing"))
    assert message_of(file) == (
        f"{file}: does not say which camera its addresses are of; its header needs a line '# AEChip: NAME', where NAME "
        "is one of dvs128, tmpdiff128, davis128, davis208, davis240, davis346, davis640, dvxplorer lite, dvxplorer"
    )


def test_a_clock_of_32_bits_goes_on(event_files: Any, tmp_path: Path) -> None:
    times = np.array([2**32 - 5, 3, 8], np.uint32)
    assert unwrapped(times).tolist() == [2**32 - 5, 2**32 + 3, 2**32 + 8]


def test_data_that_look_like_a_header_line(event_files: Any, tmp_path: Path) -> None:
    """An address may begin with the byte of #; what follows it is no line of text."""
    file, row = tmp_path / "a.aedat", 260 - 1 - (0x23000000 >> 22)
    y = np.array([row, 0, 1, 2])
    event_files.aedat2(file, T, X, y, P, chip="Davis346red", height=260)
    assert b"\r\n#" in file.read_bytes()[-40:]
    assert read(file).y.tolist() == y.tolist()


def test_aedat_3(event_files: Any, tmp_path: Path) -> None:
    event_files.aedat3(tmp_path / "a.aedat", T, X, Y, P)
    check(read(tmp_path / "a.aedat"), (128, 128))
    event_files.aedat3(tmp_path / "a.aedat", T, X, Y, P, device="Thing")
    check(read(tmp_path / "a.aedat"), None)


def test_aedat_3_keeps_valid_events_and_counts_overflows(event_files: Any, tmp_path: Path) -> None:
    file = tmp_path / "a.aedat"
    event_files.aedat3(file, T, X, Y, P)
    head = file.read_bytes().split(b"#!END-HEADER\r\n")[0] + b"#!END-HEADER\r\n"
    events = np.array([[1 | 3 << 17, 5], [0 | 4 << 17, 6], [1 | 5 << 17, 7]], "<u4").tobytes()
    file.write_bytes(head + struct.pack("<hhiiiiii", 1, 1, 8, 4, 2, 3, 3, 2) + events)
    found = read(file)
    assert (found.x.tolist(), found.t.tolist()) == ([3, 5], [2 * 2**31 + 5, 2 * 2**31 + 7])


def test_aedat_4(event_files: Any, tmp_path: Path) -> None:
    pytest.importorskip("aedat", reason="aedat is not installed (the extra `events`)")
    event_files.aedat4(tmp_path / "a.aedat4", T, X, Y, P)
    check(read(tmp_path / "a.aedat4"), (16, 16))
    (tmp_path / "a.aedat4").rename(tmp_path / "a.aedat")  # the version says what it is, not the name
    check(read(tmp_path / "a.aedat"), (16, 16))


def test_aedat_4_needs_a_package(event_files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "aedat", None)
    event_files.aedat4(tmp_path / "a.aedat4", T, X, Y, P)
    said = "AEDAT 4.0: needs aedat, which is not installed: pip install 'spikewright[events]'"
    assert message_of(tmp_path / "a.aedat4") == said
    folder = event_files.folder(tmp_path / "mine", event_files.aedat4, ".aedat4")
    with pytest.raises(InputError) as refusal:
        read_path(folder, NONE)
    assert str(refusal.value) == said  # once, not for each file


@pytest.mark.parametrize("group", ["events", "/", "CD"])
def test_hdf5_with_fields(event_files: Any, tmp_path: Path, group: str) -> None:
    event_files.h5(tmp_path / "a.h5", T, X, Y, P, group=group)
    check(read(tmp_path / "a.h5"))


def test_hdf5_with_other_names_and_seconds(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        for name, values in (("ts", T / 1e6), ("xs", X), ("ys", Y), ("ps", P == 1)):
            file[f"events/{name}"] = values
    check(read(tmp_path / "a.hdf5"))


def test_hdf5_as_v2e_writes_it(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["events"] = np.stack([T, X, Y, P], axis=1).astype(np.uint32)
    check(read(tmp_path / "a.h5"))


def test_hdf5_with_a_compound_array(tmp_path: Path) -> None:
    events = np.zeros(4, [("x", "<u2"), ("y", "<u2"), ("p", "<i2"), ("t", "<i8")])
    events["x"], events["y"], events["p"], events["t"] = X, Y, 2 * P - 1, T
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["CD/events"] = events
    check(read(tmp_path / "a.h5"))
    np.save(tmp_path / "a.npy", events)
    check(read(tmp_path / "a.npy"))


@pytest.mark.parametrize("order", ["txyp", "xytp", "xypt"])
def test_columns_are_told_by_their_values(tmp_path: Path, order: str) -> None:
    columns = {"t": T, "x": X, "y": Y, "p": P}
    np.save(tmp_path / "a.npy", np.stack([columns[name] for name in order], axis=1))
    check(read(tmp_path / "a.npy"))


def test_columns_that_could_be_several_things(tmp_path: Path) -> None:
    ones = np.ones((4, 4), np.int64)
    np.save(tmp_path / "a.npy", ones)
    assert message_of(tmp_path / "a.npy") == (
        f"{tmp_path / 'a.npy'}: by their values its four columns may be txyp or xytp or xypt; give event_columns: "
        "txyp, xytp, xypt"
    )
    assert read(tmp_path / "a.npy", DataOptions(event_columns="xytp")).t.tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("unit", "factor"), [("us", 1), ("ms", 1000), ("s", 1_000_000)])
def test_units_of_time(tmp_path: Path, unit: Any, factor: int) -> None:
    np.savez(tmp_path / "a.npz", t=np.array([1, 3]), x=X[:2], y=Y[:2], p=P[:2])
    assert read(tmp_path / "a.npz", DataOptions(time_unit=unit)).t.tolist() == [factor, 3 * factor]


def test_matrices_of_dat2mat(tmp_path: Path) -> None:
    from scipy.io import savemat

    nothing = np.full(4, -1)
    savemat(tmp_path / "a.mat", {"out1": np.stack([T, nothing, nothing, X, Y, 2 * P - 1], axis=1).astype(float)})
    check(read(tmp_path / "a.mat"))
    savemat(tmp_path / "a.mat", {"CIN": np.stack([T, X, Y, 2 * P - 1], axis=1).astype(float)})
    check(read(tmp_path / "a.mat"))
    savemat(tmp_path / "a.mat", {"spiketrain": np.zeros((101, 7))})
    assert message_of(tmp_path / "a.mat") == (
        f"{tmp_path / 'a.mat'}: holds no matrix of events, of 4 or 6 columns as jAER's dat2mat makes them"
    )


def test_fields_that_cannot_be_events() -> None:
    arrays = {"t": T[:3], "x": X - 1, "y": Y + 0.5, "p": P + 4}
    with pytest.raises(InputError) as refusal:
        from_fields(Path("a.npz"), arrays, NONE)
    assert str(refusal.value) == (
        "a.npz: 4 faults\n"
        "  - its fields have different lengths: t 3, x 4, y 4, p 4\n"
        "  - x holds -1; pixels are counted in whole numbers from 0\n"
        "  - y holds 1.5; pixels are counted in whole numbers from 0\n"
        "  - p holds 5; polarities are 0 and 1, or -1 and 1"
    )


WRITTEN: list[tuple[str, str, Callable[[bytes], bytes], str]] = [
    ("bin", ".bin", lambda data: data[:-2], "holds 18 bytes, must be a multiple of 5; get the file again"),
    ("dat", ".dat", lambda data: data[:-2], "ends inside an event, 6 of 8 bytes; get the file again"),
    ("dat", ".dat", lambda data: data[2:], "has no header of a .dat file, lines that begin with %; get the file again"),
    (
        "dat",
        ".dat",
        lambda data: data.replace(bytes([12, 8]), bytes([14, 8])),
        "holds events of type 14 in 8 bytes; may be type 0 or 12 in 8: export changes of brightness (CD)",
    ),
    ("aedat2", ".aedat", lambda data: data[:-2], "ends inside an event, 6 of 8 bytes; get the file again"),
    (
        "aedat2",
        ".aedat",
        lambda data: data[2:],
        "does not begin with #!AER-DAT and a version; may be 2.0, 3.1 or 4.0",
    ),
    (
        "aedat2",
        ".aedat",
        lambda data: data.replace(b"2.0", b"1.0"),
        "is AEDAT 1.0; may be 2.0, 3.1 or 4.0: convert it with DV",
    ),
    ("aedat3", ".aedat", lambda data: data[:-2], "ends inside a packet, after 0 of its 1 events; get the file again"),
    ("aedat3", ".aedat", lambda data: data[:-20], "ends inside the header of a packet; get the file again"),
    (
        "aedat3",
        ".aedat",
        lambda data: data.replace(struct.pack("<ii", 8, 4), struct.pack("<ii", -8, 4)),
        "has a packet of 4 events of -8 bytes; it is damaged: get the file again",
    ),
    (
        "aedat3",
        ".aedat",
        lambda data: data.replace(struct.pack("<hhi", 1, 1, 8), struct.pack("<hhi", 1, 1, 7)),
        "has changes of brightness of 7 bytes; they have 8",
    ),
]


@pytest.mark.parametrize(("kind", "suffix", "damage", "says"), WRITTEN)
def test_damaged_files(
    event_files: Any, tmp_path: Path, kind: str, suffix: str, damage: Callable[[bytes], bytes], says: str
) -> None:
    file = tmp_path / f"a{suffix}"
    getattr(event_files, kind)(file, T, X, Y, P)
    file.write_bytes(damage(file.read_bytes()))
    assert message_of(file) == f"{file}: {says}"


def test_a_truncated_aedat_4(event_files: Any, tmp_path: Path) -> None:
    pytest.importorskip("aedat", reason="aedat is not installed (the extra `events`)")
    file = tmp_path / "a.aedat4"
    event_files.aedat4(file, T, X, Y, P)
    file.write_bytes(file.read_bytes()[:-9])
    assert message_of(file).startswith(f"{file}: cannot be read as AEDAT 4.0 (")


def test_pickles_and_damaged_arrays_are_not_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{"t": 1}], object), allow_pickle=True)
    assert message_of(tmp_path / "a.npy") == (
        f"{tmp_path / 'a.npy'}: holds pickled objects, which are not read; save plain arrays t, x, y, p"
    )
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 and no more")
    assert message_of(tmp_path / "a.npz").startswith(f"{tmp_path / 'a.npz'}: cannot be read as .npz (")


def test_hdf5_files_that_point_elsewhere_or_claim_too_much(event_files: Any, tmp_path: Path) -> None:
    event_files.h5(tmp_path / "other.h5", T, X, Y, P)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["events"] = h5py.ExternalLink("other.h5", "events")
    assert message_of(tmp_path / "a.h5") == (
        f"{tmp_path / 'a.h5'}: holds events; a recording is an array or a group 'events' with t, x, y, p"
    )
    with h5py.File(tmp_path / "b.h5", "w") as file:
        for name in "txyp":
            file.create_dataset(f"events/{name}", (10_000_000,), "i8", chunks=True, compression="gzip", fillvalue=1)
    assert message_of(tmp_path / "b.h5") == (
        f"{tmp_path / 'b.h5'}: /events/t claims 10000000 values and stores 1 bytes"
    )
    (tmp_path / "c.h5").write_bytes(b"no HDF5")
    assert message_of(tmp_path / "c.h5").startswith(f"{tmp_path / 'c.h5'}: cannot be read as HDF5 (")


@pytest.fixture(scope="module")
def samples(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One real recording of each of several formats; measured counts come from tonic's and its libraries' readers."""
    archive = root.parent / "shared" / "data" / "event-samples.zip"
    if not archive.is_file():
        pytest.skip(f"{archive} is not there")
    folder = tmp_path_factory.mktemp("samples")
    with zipfile.ZipFile(archive) as file:
        file.extractall(folder)
    return folder / "event-samples"


def test_a_real_bin_file(samples: Path) -> None:
    found = read(samples / "sample_nmnist.bin")
    assert (len(found), found.t[0], found.t[-1], found.x.max(), found.y.max()) == (4325, 654, 311_175, 33, 33)


def test_a_real_dat_file(samples: Path) -> None:
    found = read(samples / "sample_ncars.dat")
    assert (len(found), found.t[0], found.t[-1], found.x.max(), found.y.max()) == (2009, 0, 99_952, 77, 41)
    assert [int(values[2]) for values in (found.t, found.x, found.y, found.p)] == [152, 56, 27, 1]


def test_a_real_aedat_4_file(samples: Path) -> None:
    pytest.importorskip("aedat", reason="aedat is not installed (the extra `events`)")
    found = read(samples / "sample.aedat4")
    assert (len(found), found.sensor, found.t[-1] - found.t[0]) == (111_954, (320, 240), 589_917)


def test_a_real_aedat_2_header(samples: Path) -> None:
    """The head of a recording, without events."""
    found = read(samples / "sample_aedat_header.aedat")
    assert (len(found), found.sensor) == (0, (346, 260))


def test_a_real_matrix_of_taxels_is_none_of_events(samples: Path) -> None:
    assert message_of(samples / "sample_stmnist.mat").endswith("of 4 or 6 columns as jAER's dat2mat makes them")
