"""N-MNIST: made-up recordings in the published layout, and everything that can be wrong with them."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from spikewright.augmentation.augment import still
from spikewright.base.errors import InputError
from spikewright.chip.encoding import encode
from spikewright.data.events import DURATION_US, FRAMING
from spikewright.data.load import load
from spikewright.sources.event_binaries import read_bin
from spikewright.sources.recordings import Recording
from spikewright.training.prepare import prepared
from spikewright.training.settings import DistillSettings

WITHOUT = "tonic is not installed (the extra `events`)"


@pytest.fixture
def tonic() -> None:
    pytest.importorskip("tonic", reason=WITHOUT)


def message_of(data_dir: Path, timesteps: int | None = None) -> str:
    with pytest.raises(InputError) as refusal:
        load("nmnist", data_dir, timesteps)
    return str(refusal.value)


def frames(timesteps: int, *events: tuple[int, int, int, int]) -> np.ndarray:
    """Frames of events (column, row, us, polarity)."""
    x, y, t, p = np.array(events, np.int64).reshape(-1, 4).T
    return FRAMING.frames(Recording(t, x, y, p), 0, DURATION_US, timesteps)


def test_frames_hold_one_where_something_happened() -> None:
    """Steps of 105 ms: the third begins at 210 ms, and what comes at 315 ms or later is left out."""
    events = ((0, 1, 0, 0), (0, 1, 104_999, 0), (33, 2, 105_000, 1), (5, 33, 314_999, 1), (7, 7, 315_000, 0))
    binned = frames(3, *events)
    assert (binned.shape, binned.dtype) == ((3, 2, 34, 34), np.uint8)
    assert np.argwhere(binned).tolist() == [[0, 0, 1, 0], [1, 1, 2, 33], [2, 1, 33, 5]]
    assert binned.max() == 1


def test_a_recording_without_events_is_silent() -> None:
    assert not frames(4).any()


def test_what_is_read_is_cut_into_frames(tmp_path: Path) -> None:
    """An event has 5 bytes: x, y, polarity in the highest bit, 23 bits of microseconds; y = 240 moves the clock."""
    clock = bytes([0, 240, 0, 0, 0])
    for part in ("Train", "Test"):
        (tmp_path / part / "3").mkdir(parents=True)
        (tmp_path / part / "3" / "00001.bin").write_bytes(bytes([9, 4, 0x80 | 2, 0, 1]) + clock)
        (tmp_path / part / "3" / "00002.bin").write_bytes(bytes([9, 4, 1, 0, 0]))
    data = load("nmnist", tmp_path, timesteps=5)
    assert data.test.labels.tolist() == [3, 3]
    step = [131_073 * 5 // 315_000, 65_536 * 5 // 315_000]
    assert np.argwhere(data.test.samples).tolist() == [[0, step[0], 1, 4, 9], [1, step[1], 0, 4, 9]]


def test_the_parts_and_their_order(nmnist: Path) -> None:
    data = load("nmnist", nmnist)
    assert (data.name, data.classes, data.shape, data.timesteps) == ("nmnist", 10, (2, 34, 34), 10)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [36, 4, 20]
    assert data.test.labels.tolist() == [number * 7 % 10 for number in range(20)]  # by number, not by class
    assert data.train.samples.shape[1:] == (10, 2, 34, 34)
    assert data.test.sha256 == load("nmnist", nmnist, 10).test.sha256 != load("nmnist", nmnist, 9).test.sha256


def test_tonics_own_folder_is_found(nmnist: Path, tmp_path: Path) -> None:
    shutil.copytree(nmnist, tmp_path / "NMNIST")
    assert load("nmnist", tmp_path).test.sha256 == load("nmnist", nmnist).test.sha256


def test_what_is_in_the_cache_is_taken(nmnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    shutil.copytree(nmnist, tmp_path / "data" / "NMNIST")
    assert len(load("nmnist").test) == 20


def test_a_download_is_tonics(tonic: None, nmnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tonic.datasets import NMNIST

    def fetch(dataset: NMNIST) -> None:
        part = "Train" if dataset.train else "Test"
        shutil.copytree(nmnist / part, Path(dataset.location_on_system) / part)

    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(NMNIST, "download", fetch)
    assert load("nmnist").test.sha256 == load("nmnist", nmnist).test.sha256


def test_a_download_that_fails(tonic: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tonic.datasets import NMNIST

    def fetch(dataset: NMNIST) -> None:
        raise OSError("no route to host")

    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    monkeypatch.setattr(NMNIST, "download", fetch)
    with pytest.raises(InputError) as refusal:
        load("nmnist")
    assert str(refusal.value) == (
        "nmnist: is not on this machine and could not be downloaded (no route to host); connect to the network once, "
        "or give with data_dir a folder that holds Train and Test, as in the published archives"
    )


def test_only_a_download_needs_tonic(nmnist: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tonic", "tonic.io", "tonic.datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    assert len(load("nmnist", nmnist).test) == 20
    monkeypatch.setenv("SPIKEWRIGHT_CACHE", str(tmp_path))
    with pytest.raises(InputError) as refusal:
        load("nmnist")
    assert str(refusal.value) == (
        "nmnist: needs tonic, which is not installed; install it with `pip install 'spikewright[events]'`"
    )


def test_tonic_reads_the_same(tonic: None, nmnist: Path) -> None:
    import tonic.datasets
    import tonic.io

    for file in sorted(nmnist.glob("T*/*/*.bin"))[:5]:
        theirs, ours = tonic.io.read_mnist_file(str(file), dtype=tonic.datasets.NMNIST.dtype), read_bin(file)
        assert len(ours) == len(theirs) == 300
        assert all(np.array_equal(getattr(ours, name), theirs[name]) for name in "xytp")


def test_no_such_folder(tmp_path: Path) -> None:
    assert message_of(tmp_path / "none") == (
        f"{tmp_path / 'none'}: there is no such folder; data_dir is the folder that holds the files of nmnist, or "
        "leave it out to have them found or downloaded"
    )


def test_a_folder_without_the_parts(tmp_path: Path) -> None:
    assert message_of(tmp_path) == (
        f"{tmp_path}: has not both folders of nmnist, Train and Test (here or in NMNIST); unpack Train.zip and "
        "Test.zip there, or leave data_dir out to have them found or downloaded"
    )


def test_empty_folders(tmp_path: Path) -> None:
    for part in ("Train", "Test"):
        (tmp_path / part).mkdir()
    assert message_of(tmp_path) == (
        f"{tmp_path / 'Train'}: holds 0 recordings in 0/*.bin to 9/*.bin, may be 1 to 60000; get the file again"
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds 0 bytes, must be a multiple of 5; get the file again"),
        (b"1234567", "holds 7 bytes, must be a multiple of 5; get the file again"),
        (bytes([34, 0, 0, 0, 0]), "has an event outside 34 x 34 pixels; get the file again"),
    ],
)
def test_damaged_recordings_are_named(nmnist: Path, tmp_path: Path, content: bytes, says: str) -> None:
    shutil.copytree(nmnist, tmp_path / "NMNIST")
    file = tmp_path / "NMNIST" / "Test" / "7" / "00002.bin"
    assert file.is_file()
    file.write_bytes(content)
    assert message_of(tmp_path) == f"{file}: {says}"


def test_timesteps_below_one(nmnist: Path) -> None:
    assert message_of(nmnist, 0) == "nmnist: timesteps is 0; must be at least 1"


def test_events_drive_step_by_step() -> None:
    samples = np.random.default_rng(0).integers(0, 2, (3, 5, 2, 4, 4)).astype(np.uint8)
    drive = encode("events", samples, 5, 8)
    assert drive.dtype == np.uint8
    assert np.array_equal(drive, samples.swapaxes(0, 1))


def test_events_in_another_number_of_frames_are_refused() -> None:
    with pytest.raises(InputError) as refusal:
        encode("events", np.zeros((3, 5, 2, 4, 4), np.uint8), 6, 8)
    assert str(refusal.value) == (
        "events: the samples have shape (3, 5, 2, 4, 4); must be (samples, 6, ...), one frame for each time step: "
        "load the data with timesteps=6"
    )


def test_an_ann_sees_the_mean_of_the_frames() -> None:
    samples = torch.zeros(2, 4, 2, 3, 3, dtype=torch.uint8)
    samples[1, :3, 1, 2, 0] = 1
    seen = still(samples)
    assert (seen.shape, seen.dtype) == ((2, 2, 3, 3), torch.float32)
    assert seen[1, 1, 2, 0] == 0.75
    assert float(seen.sum()) == 0.75
    images = torch.rand(2, 1, 3, 3)
    assert still(images) is images


def test_settings_that_do_not_go_with_events(nmnist: Path) -> None:
    from spikewright.profile.profile import load_profile

    settings = DistillSettings.of(data="nmnist", encoding="rate", timesteps=4, augmentation="jitter", shorten=0.5)
    with pytest.raises(InputError) as refusal:
        prepared(settings, load("nmnist", nmnist, 5), load_profile("loihi2-assumed"), None)
    assert str(refusal.value) == (
        "data nmnist: 4 faults\n"
        "  - augmentation=jitter:0.05 is for images, series and vectors, and the samples are events; for these there "
        "are shift, flip, cutout, time-shift, drop, time-jitter\n"
        "  - encoding is 'rate', but the samples are events already; leave encoding out\n"
        "  - timesteps is 4, but the samples have 5 frames; load them with timesteps=4\n"
        "  - T cannot be shortened, since the samples have 5 frames; leave shorten out"
    )


def test_event_input_needs_events() -> None:
    from spikewright.profile.profile import load_profile

    with pytest.raises(InputError) as refusal:
        prepared(DistillSettings.of(encoding="events"), load("digits"), load_profile("loihi2-assumed"), None)
    assert str(refusal.value) == (
        "data digits: encoding is 'events', but the samples are intensities; may be direct, current, rate or latency"
    )
