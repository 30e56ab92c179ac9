"""Named data sets of events, on made-up files in their published layouts."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data.cifar10_dvs import CLASSES
from spikewright.data.dataset import Dataset
from spikewright.data.dvs_gesture import GESTURES, HEADER
from spikewright.data.for_network import ForNetwork
from spikewright.data.load import load
from spikewright.data.options import DataOptions


def network_of(data: Dataset) -> ForNetwork:
    """A network that was trained on these data."""
    return ForNetwork(data.input_rule, data.output, data.classes)


def message_of(name: str, data_dir: Path | None, **options: Any) -> str:
    with pytest.raises(InputError) as refusal:
        load(name, data_dir, options=DataOptions(**options))
    said = str(refusal.value)
    del refusal
    gc.collect()  # what the refusal's frames hold is let go, open files among it
    return said


@pytest.fixture(scope="module")
def shd(tmp_path_factory: pytest.TempPathFactory, spike_trains: Callable[..., None]) -> Path:
    folder = tmp_path_factory.mktemp("shd")
    spike_trains(folder / "shd_train.h5", 40, seed=1)
    spike_trains(folder / "shd_test.h5", 10, seed=2)
    return folder


def test_shd(shd: Path) -> None:
    data = load("shd", shd)
    assert (data.name, data.shape, data.timesteps, data.classes) == ("shd", (1, 1, 700), 100, 2)
    assert (data.recipe.architecture, data.output.names) == ("mlp", ("one", "zwei"))
    assert len(data.test) == 10
    assert data.input_rule is not None
    reading = dict(data.input_rule.reading)
    assert len(reading.pop("identity")) == 64
    assert reading == {"sensor": [700, 1], "duration": 1400.0, "pool": 1, "polarity": "merged"}
    with h5py.File(shd / "shd_test.h5") as file:
        times, units = file["spikes/times"][4].astype(float), file["spikes/units"][4]
    expected = np.zeros((100, 700), np.uint8)
    expected[(times / 0.014).astype(int), units] = 1
    assert np.array_equal(data.test.samples[4, :, 0, 0], expected)


def test_speakers_of_shd_are_not_cut(shd: Path) -> None:
    """Four speakers in blocks of two recordings; one of them is validation."""
    data = load("shd", shd)
    assert [len(part) for part in (data.train, data.validation)] == [30, 10]
    assert load("shd", shd, 50).validation.samples.shape == (10, 50, 1, 1, 700)


def test_ssc_has_a_validation_part(tmp_path: Path, spike_trains: Callable[..., None]) -> None:
    for part, count in (("train", 24), ("valid", 6), ("test", 8)):
        spike_trains(tmp_path / f"ssc_{part}.h5", count)
    data = load("ssc", tmp_path, options=DataOptions(duration=500))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [24, 6, 8]
    assert data.input_rule is not None
    assert data.input_rule.reading["duration"] == 500


def test_a_network_on_a_named_set_reads_it_alike(shd: Path) -> None:
    data = load("shd", shd, 20, DataOptions(duration=700, pool=4))
    again = load("shd", shd, 20, network=network_of(data))
    assert again.shape == (1, 1, 175)
    assert again.test.sha256 == data.test.sha256


def test_files_of_shd_that_are_missing(
    shd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spike_trains: Callable[..., None]
) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "cache"))
    assert message_of("shd", None) == (
        "shd: is not on this machine; get it from https://zenkelab.org/datasets, unpack it, and give with data_dir the "
        "folder that holds shd_train.h5, shd_test.h5"
    )
    assert message_of("shd", tmp_path / "none") == (
        f"{tmp_path / 'none'}: there is no such folder; data_dir is the folder with the files of shd"
    )
    (tmp_path / "SHD").mkdir()
    shutil.copy(shd / "shd_train.h5", tmp_path / "SHD")
    assert message_of("shd", tmp_path) == (
        f"{tmp_path / 'SHD'}: lacks shd_test.h5 of shd; get what is missing from https://zenkelab.org/datasets, or "
        "give another data_dir"
    )
    (tmp_path / "SHD" / "shd_test.h5.zip").touch()
    assert message_of("shd", tmp_path) == (
        f"{tmp_path / 'SHD'}: lacks shd_test.h5 of shd; unpack shd_test.h5.zip, or give another data_dir"
    )
    shutil.copy(shd / "shd_test.h5", tmp_path / "SHD")
    assert len(load("shd", tmp_path).test) == 10
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path / "kept"))
    shutil.copytree(tmp_path / "SHD", tmp_path / "kept" / "data" / "SHD")
    assert len(load("shd").test) == 10


def test_files_of_shd_that_are_damaged(shd: Path, tmp_path: Path) -> None:
    for file in shd.iterdir():
        shutil.copy(file, tmp_path)
    with h5py.File(tmp_path / "shd_train.h5", "r+") as file:
        file["spikes/units"][3] = np.array([701, 5], np.uint16)
        file["spikes/times"][3] = np.array([0.5, 0.1], np.float16)
        file["spikes/units"][6] = np.array([5], np.uint16)
    assert message_of("shd", tmp_path).startswith(
        f"data shd: 2 faults\n  - {tmp_path / 'shd_train.h5'}: recording 3: its clock runs backwards, at event 1 from "
    )
    with h5py.File(tmp_path / "shd_train.h5", "r+") as file:
        file["spikes/times"][3] = np.array([0.1, 0.5], np.float16)
        file["spikes/times"][6] = np.array([0.1], np.float16)
    assert message_of("shd", tmp_path) == (
        f"data shd: give the size of its camera with sensor=WIDTH,HEIGHT: {tmp_path / 'shd_train.h5'}: recording 3: "
        "has events up to column 701 and row 0, outside of 700 x 1 pixels"
    )
    with h5py.File(tmp_path / "shd_train.h5", "r+") as file:
        del file["labels"]
    assert message_of("shd", tmp_path) == (
        f"{tmp_path / 'shd_train.h5'}: has no labels; spike trains need spikes/times, spikes/units, labels"
    )


@pytest.fixture(scope="module")
def gestures(tmp_path_factory: pytest.TempPathFactory, event_files: Any) -> Path:
    """Six people, two gestures each in one file of 300 ms on a clock that does not begin at 0."""
    folder = tmp_path_factory.mktemp("gesture") / "DvsGesture"
    folder.mkdir()
    for person in range(1, 7):
        stem = f"user{person:02d}_fluorescent"
        parts = [event_files.events(label, person, size=128) for label in (0, 5)]
        t = np.concatenate([parts[0][0] + 5_000_000, parts[1][0] + 5_200_000])
        x, y, p = (np.concatenate([part[field] for part in parts]) for field in (1, 2, 3))
        event_files.aedat3(folder / f"{stem}.aedat", t, x, y, p)
        rows = "1,5000000,5100000\n6,5200000,5300000\n"
        (folder / f"{stem}_labels.csv").write_text(f"{HEADER}\n{rows}")
    names = [f"user{person:02d}_fluorescent.aedat" for person in range(1, 7)]
    (folder / "trials_to_train.txt").write_text("\n".join([*names[:4], ""]))
    (folder / "trials_to_test.txt").write_text("\n".join([*names[4:], "", ""]))
    return folder


def test_gestures(gestures: Path, event_files: Any) -> None:
    data = load("dvs128-gesture", gestures.parent, options=DataOptions(duration=100))
    assert (data.shape, data.timesteps, data.classes) == ((2, 32, 32), 20, 11)
    assert data.output.names == GESTURES
    assert [len(part) for part in (data.train, data.validation, data.test)] == [6, 2, 4]
    assert data.test.labels.tolist() == [0, 5, 0, 5]
    t, x, y, p = event_files.events(5, 6, size=128)
    expected = np.zeros((20, 2, 32, 32), np.uint8)
    expected[t * 20 // 100_000, p, y // 4, x // 4] = 1
    assert np.array_equal(data.test.samples[3], expected)
    assert sorted(data.validation.labels.tolist()) == [0, 5]  # one person's
    assert load("dvs128-gesture", gestures, options=DataOptions(pool=1, duration=100)).shape == (2, 128, 128)


def test_gestures_that_are_damaged(gestures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "DvsGesture"
    shutil.copytree(gestures, folder)
    table = folder / "user02_fluorescent_labels.csv"
    (folder / "user03_fluorescent.aedat").unlink()
    (folder / "user06_fluorescent_labels.csv").unlink()
    assert message_of("dvs128-gesture", tmp_path) == (
        "data dvs128-gesture: 2 faults\n"
        f"  - {folder / 'user03_fluorescent.aedat'}: is listed and missing; get the files again\n"
        f"  - {folder / 'user06_fluorescent_labels.csv'}: is listed and missing; get the files again"
    )
    (folder / "trials_to_train.txt").write_text("user01_fluorescent.aedat\nuser02_fluorescent.aedat\n")
    (folder / "trials_to_test.txt").write_text("user05_fluorescent.aedat\n")
    table.write_text(f"{HEADER}\n12,1,2\n1,5,5\n1;2;3\n")
    assert message_of("dvs128-gesture", tmp_path) == (
        "data dvs128-gesture: 3 faults\n"
        f"  - {table}: line 2 is '12,1,2'; classes are 1 to 11, and the end comes later\n"
        f"  - {table}: line 3 is '1,5,5'; classes are 1 to 11, and the end comes later\n"
        f"  - {table}: line 4 is '1;2;3'; must be a class and two times in us"
    )
    table.write_text(f"{HEADER}\n1,5000000,5100000\n2,9000000,9100000\n")
    assert message_of("dvs128-gesture", tmp_path) == (
        f"data dvs128-gesture: {table}: has a gesture from 9000000 to 9100000 us, and the events of its recording go "
        "from 5000000 to 5300000; get the files again"
    )
    (folder / "trials_to_test.txt").write_text("../user05_fluorescent.aedat\n")
    assert message_of("dvs128-gesture", tmp_path) == (
        f"{folder / 'trials_to_test.txt'}: lists ../user05_fluorescent.aedat; each line is a file userNN_LIGHT.aedat"
    )
    (folder / "trials_to_test.txt").unlink()
    assert message_of("dvs128-gesture", tmp_path) == (
        f"{folder}: lacks trials_to_test.txt of dvs128-gesture; get what is missing from "
        "https://research.ibm.com/interactive/dvsgesture, or give another data_dir"
    )


@pytest.mark.parametrize("kind", ["aedat2", "aedat4", "mat"])
def test_cifar10_dvs(event_files: Any, tmp_path: Path, kind: str) -> None:
    """Ten class folders, split by the one rule; frames of a DVS128."""
    if kind == "aedat4":
        pytest.importorskip("aedat", reason="aedat is not installed (the extra `events`)")
    for label, name in enumerate(CLASSES):
        (tmp_path / name).mkdir()
        for number in range(5):
            file = tmp_path / name / f"cifar10_{name}_{number}.{kind.rstrip('2')}"
            t, x, y, p = event_files.events(label, number, size=128)
            if kind == "mat":
                from scipy.io import savemat

                savemat(file, {"out1": np.stack([t, x, y, 2 * p - 1], axis=1).astype(float)})
            elif kind == "aedat4":
                event_files.aedat4(file, t, x, y, p, size=(128, 128))
            else:
                event_files.aedat2(file, t, x, y, p)
    data = load("cifar10-dvs", tmp_path, options=DataOptions(duration=100))
    assert (data.shape, data.timesteps, data.output.names) == ((2, 32, 32), 10, CLASSES)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [30, 10, 10]
    t, x, y, p = event_files.events(3, 2, size=128)
    expected = np.zeros((10, 2, 32, 32), np.uint8)
    expected[t * 10 // 100_000, p, y // 4, x // 4] = 1
    every = np.concatenate([part.samples for part in (data.train, data.validation, data.test)])
    assert (every == expected).all((1, 2, 3, 4)).sum() == 1
    shutil.rmtree(tmp_path / "cat")
    (tmp_path / "cat.zip").touch()
    assert message_of("cifar10-dvs", tmp_path) == (
        f"{tmp_path}: lacks cat of cifar10-dvs; unpack cat.zip, or give another data_dir"
    )


def test_options_that_a_named_set_does_not_take(shd: Path) -> None:
    assert message_of("shd", shd, scaling="none") == "data shd: scaling: for data of your own alone; leave it out"
    assert message_of("digits", None, pool=2) == "data digits: pool: for data of your own alone; leave it out"
