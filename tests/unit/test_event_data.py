"""Recordings of events as data: frames for each T, windows, sensors, and what newcomers get wrong."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikewright.base.errors import InputError, Message
from spikewright.data.dataset import Dataset
from spikewright.data.for_network import ForNetwork
from spikewright.data.input_rule import InputRule
from spikewright.data.load import load
from spikewright.data.options import DataOptions
from spikewright.data.split import Split
from spikewright.sources import recordings
from spikewright.sources.recordings import EventRows, Framing, Recording, Spans
from spikewright.sources.unlabelled import read_samples


def recording(*events: tuple[int, int, int, int]) -> Recording:
    """Events (us, column, row, polarity)."""
    return Recording(*np.array(events, np.int64).reshape(-1, 4).T)


class Listed:
    """Recordings in memory, and which of them were read."""

    def __init__(self, *found: Recording) -> None:
        self.found, self.names, self.read_before = found, [f"recording {i}" for i in range(len(found))], []

    def read(self, index: int) -> Recording:
        self.read_before.append(index)
        return self.found[index]


def whole(*found: Recording, end: int) -> Spans:
    count = len(found)
    return Spans(np.arange(count), np.zeros(count, np.int64), np.full(count, end, np.int64))


def samples_of(*parts: Split) -> list[tuple[int, bytes]]:
    """Classes and frames in an order of their own."""
    return sorted((int(y), x.tobytes()) for part in parts for x, y in zip(part.samples[:], part.labels, strict=True))


def network_of(data: Dataset) -> ForNetwork:
    """A network that was trained on these data."""
    return ForNetwork(data.input_rule, data.output, data.classes)


def message_of(path: Path, timesteps: int | None = None, **options: Any) -> str:
    with pytest.raises(InputError) as refusal:
        load(str(path), timesteps=timesteps, options=DataOptions(**options))
    return str(refusal.value)


def test_frames_of_a_sample() -> None:
    """Three frames of 10 us: what begins at 30 us is left out, and so is what the sample's end cuts off."""
    events = recording((0, 0, 0, 0), (9, 1, 0, 1), (10, 2, 1, 1), (29, 3, 1, 0), (30, 0, 1, 0))
    framing = Framing(4, 2, 30)
    assert framing.shape == (2, 2, 4)
    made = framing.frames(events, 0, 100, 3)
    assert np.argwhere(made).tolist() == [[0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 2], [2, 0, 1, 3]]
    assert np.argwhere(framing.frames(events, 0, 29, 3)).tolist() == [[0, 0, 0, 0], [0, 1, 0, 1], [1, 1, 1, 2]]
    assert np.argwhere(framing.frames(events, 9, 100, 3)).tolist() == [
        [0, 1, 0, 1],
        [0, 1, 1, 2],
        [2, 0, 1, 0],
        [2, 0, 1, 3],
    ]


def test_squares_of_pixels_and_merged_polarities() -> None:
    events = recording((0, 0, 0, 0), (1, 4, 2, 1))
    framing = Framing(5, 3, 10, pool=2, polarities=1)
    assert framing.shape == (1, 2, 3)
    assert np.argwhere(framing.frames(events, 0, 10, 1)).tolist() == [[0, 0, 0, 0], [0, 0, 1, 2]]
    assert Framing.of(framing.reading()) == framing
    assert DataOptions(**framing.reading()).sensor == (5, 3)  # files are read alike by these options


def test_windows_of_recordings() -> None:
    """30 ms in windows of 10 every 8 ms: at 0, 8 and 16; a recording of 7 ms is one window."""
    spans = Spans(np.array([4, 5]), np.array([100, 0]), np.array([30_100, 7_000]))
    cut, of = spans.windows(10_000, 8_000)
    assert of.tolist() == [0, 0, 0, 1]
    assert cut.recording.tolist() == [4, 4, 4, 5]
    assert cut.start.tolist() == [100, 8_100, 16_100, 0]
    assert cut.end.tolist() == [10_100, 18_100, 26_100, 7_000]


@pytest.mark.parametrize("kept", [recordings.KEPT_BYTES, 0])
def test_rows_are_the_frames_whether_kept_or_made_anew(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(recordings, "KEPT_BYTES", kept)
    random = np.random.default_rng(0)
    found = [recording(*random.integers((0, 0, 0, 0), (900, 5, 3, 2), (40, 4))) for _ in range(6)]
    source, framing = Listed(*found), Framing(5, 3, 900)
    rows = EventRows(source, whole(*found, end=900), framing, 7)
    assert (rows.shape, rows.ndim, rows.dtype, len(rows)) == ((6, 7, 2, 3, 5), 5, np.uint8, 6)
    expected = np.stack([framing.frames(each, 0, 900, 7) for each in found])
    for chosen in (slice(1, 5), slice(None), np.array([4, 0, 4])):
        assert np.array_equal(rows[chosen], expected[chosen])
    assert (
        sorted(source.read_before)
        == ([0, 1, 2, 3, 4, 5] if kept else [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 4, 5])[: len(source.read_before)]
    )
    assert len(source.read_before) == (6 if kept else 12)


def test_a_recording_is_read_once_for_all_its_windows() -> None:
    source = Listed(recording((0, 0, 0, 0), (99, 0, 0, 1)), recording((5, 0, 0, 0)))
    spans, _ = whole(*source.found, end=100).windows(10, 10)
    rows = EventRows(source, spans, Framing(1, 1, 10), 2)
    assert rows[np.array([3, 17, 0])].shape == (3, 2, 2, 1, 1)
    assert rows[:].sum() == 3
    assert sorted(source.read_before) == [0, 1]


def test_memory_is_an_eighth_of_the_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """400 recordings of 34 x 34 x 2 at T = 50 take 46 MB as bytes, 5.8 MB as bits; 10,000 take 145 MB."""

    class Many(Listed):
        def read(self, index: int) -> Recording:
            random = np.random.default_rng(index)
            return recording(*random.integers((0, 0, 0, 0), (315_000, 34, 34, 2), (500, 4)))

    source = Many(*[recording()] * 400)
    tracemalloc.start()
    rows = EventRows(source, whole(*source.found, end=315_000), Framing(34, 34, 315_000), 50)
    for first in range(0, 400, 20):
        assert rows[first : first + 20].any()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 15e6  # the bits, 20 samples as bytes, and one as it is made


def test_a_folder_of_class_folders(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    data = load(str(folder))
    assert (data.name, data.shape, data.timesteps, data.classes) == ("mine", (2, 16, 16), 10, 2)
    assert data.output.names == ("left", "right")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 4, 4]
    assert [np.bincount(part.labels).tolist() for part in (data.train, data.validation, data.test)] == [
        [8, 8],
        [2, 2],
        [2, 2],
    ]
    assert data.input_rule is not None
    reading = dict(data.input_rule.reading)
    assert len(reading.pop("identity")) == 64
    assert reading == {"sensor": [16, 16], "duration": 100.0, "pool": 1, "polarity": "both"}
    assert data.raw is not None
    assert tuple(map(Message, data.raw.notes)) == (
        "its camera was taken to have 16 x 16 pixels, as far as events reach; sensor=WIDTH,HEIGHT gives it",
        "recordings last 100 to 100 ms, half of them at most 100; a sample is as long as the longest of training, "
        "where duration or window gives no other",
    )


def test_frames_are_made_from_times_for_each_t(event_files: Any, tmp_path: Path) -> None:
    """7 frames are no union of 10, so they cannot come from these."""
    folder = event_files.folder(tmp_path / "mine", event_files.h5, ".h5")
    ten, seven = load(str(folder)), load(str(folder), timesteps=7)
    again = ten.for_student(None, None, 7)
    assert (seven.timesteps, again.timesteps) == (7, 7)
    assert np.array_equal(seven.test.samples, again.test.samples)
    t, x, y, p = event_files.events(0, 0)
    expected = Framing(16, 16, 100_000).frames(Recording(t, x, y, p), 0, 100_000, 7)
    every = np.concatenate([part.samples for part in (seven.train, seven.validation, seven.test)])
    assert (every == expected).all((1, 2, 3, 4)).sum() == 1
    assert ten.for_student(None, None, None) is ten


def test_nmnist_as_a_plain_folder(nmnist: Path) -> None:
    """The same frames as the data set of that name, for each T; what is split off training is another tenth."""
    for timesteps in (10, 7):
        plain, named = load(str(nmnist), timesteps=timesteps), load("nmnist", nmnist, timesteps)
        assert samples_of(plain.test) == samples_of(named.test)
        assert samples_of(plain.train, plain.validation) == samples_of(named.train, named.validation)
    assert plain.raw is not None
    assert plain.raw.notes == ("its .bin files were read as N-MNIST's, which last 315 ms at 34 x 34 pixels",)


def test_a_network_reads_other_files_as_its_own(event_files: Any, tmp_path: Path) -> None:
    """Its rule says sensor, duration and T, whatever the other files reach."""
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    trained = load(str(folder), timesteps=5, options=DataOptions(sensor=(20, 18), duration=50, pool=2))
    rule = trained.input_rule
    assert rule is not None
    assert InputRule.from_json(rule.as_json()) == rule
    other = event_files.folder(tmp_path / "other", event_files.dat, ".dat")
    data = load(str(other), network=network_of(trained))
    assert (data.shape, data.timesteps, data.input_rule) == ((2, 9, 10), 5, rule)
    assert np.array_equal(data.test.samples, load(str(folder)).by(network_of(trained)).test.samples)


def test_a_network_of_another_camera(event_files: Any, tmp_path: Path) -> None:
    small = event_files.folder(tmp_path / "small", event_files.dat, ".dat", sizes="% Width 16\n% Height 16\n")
    large = event_files.folder(tmp_path / "large", event_files.dat, ".dat", sizes="% Width 32\n% Height 24\n")
    with pytest.raises(InputError) as refusal:
        load(str(large)).by(network_of(load(str(small))))
    assert str(refusal.value) == (
        "data large: was recorded with 32 x 24 pixels, and the network was made for 16 x 16; give recordings of the "
        "same camera"
    )
    frames = Dataset.from_arrays(np.zeros((20, 10, 2, 16, 16), np.uint8), np.arange(20) % 2, names=["left", "right"])
    with pytest.raises(InputError) as refusal:
        load(str(small)).by(network_of(frames))
    assert str(refusal.value) == (
        "data small: holds recordings of events, and the network was made for frames in an array; give frames of shape "
        "(10, 2, 16, 16)"
    )


def test_windows_have_one_answer_for_a_recording(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    data = load(str(folder), timesteps=4, options=DataOptions(window=40, hop=20))
    assert data.test.recordings is not None
    assert data.test.recordings.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]
    assert data.test.samples.shape == (16, 4, 2, 16, 16)
    assert data.test.labels.tolist() == np.repeat(data.raw.test.labels, 4).tolist()  # type: ignore[union-attr]
    again = load(str(folder), network=network_of(data))
    assert again.test.sha256 == data.test.sha256


def test_spike_trains_of_a_cochlea(tmp_path: Path, spike_trains: Any) -> None:
    spike_trains(tmp_path / "mine.h5", 24)
    data = load(str(tmp_path / "mine.h5"))
    assert (data.name, data.shape, data.timesteps, data.output.names) == ("mine", (1, 1, 700), 100, ("one", "zwei"))
    assert data.recipe.architecture == "mlp"  # there is nothing to convolve in one row
    with h5py.File(tmp_path / "mine.h5") as file:
        times, units = file["spikes/times"][3], file["spikes/units"][3]
    assert data.input_rule is not None
    duration = data.input_rule.reading["duration"] * 1000
    expected = np.zeros((100, 700), np.uint8)
    expected[(np.rint(times.astype(float) * 1e6) * 100 // duration).astype(int), units] = 1
    every = np.concatenate([part.samples for part in (data.train, data.validation, data.test)])
    assert (every[:, :, 0, 0] == expected).all((1, 2)).sum() == 1


def test_many_recordings_in_one_file(event_files: Any, tmp_path: Path) -> None:
    """Groups of an HDF5 file, and arrays one recording after the other, are the recordings of a folder."""
    folder = load(str(event_files.folder(tmp_path / "mine", event_files.dat, ".dat")))
    all_events = [event_files.events(label, number) for label in (0, 1) for number in range(12)]
    labels = np.repeat(["left", "right"], 12)
    t, x, y, p = (np.concatenate(values) for values in zip(*all_events, strict=True))
    np.savez(tmp_path / "mine.npz", t=t, x=x, y=y, p=p, lengths=np.full(24, 200), labels=labels)
    np.savez(tmp_path / "again.npz", t=t, x=x, y=y, p=p, recording=np.repeat(np.arange(24), 200), labels=labels)
    with h5py.File(tmp_path / "groups.h5", "w") as file:
        for number, (label, events) in enumerate(zip(labels, all_events, strict=True)):
            for name, values in zip("txyp", events, strict=True):
                file[f"{number}/{name}"] = values
            file[str(number)].attrs["label"] = str(label)
    with h5py.File(tmp_path / "flat.h5", "w") as file:
        for name, values in (("t", t), ("x", x), ("y", y), ("p", p), ("lengths", np.full(24, 200))):
            file[name] = values
        file["labels"] = np.repeat([0, 1], 12)
    for name in ("mine.npz", "again.npz", "groups.h5", "flat.h5"):
        raw = load(str(tmp_path / name)).raw
        assert raw is not None
        found = recordings.recorded(raw.train.samples)
        theirs = recordings.recorded(folder.raw.train.samples)  # type: ignore[union-attr]
        assert found is not None
        assert theirs is not None
        assert np.array_equal(found[0][:], theirs[0][:])
    assert load(str(tmp_path / "groups.h5")).output.names == ("left", "right")
    assert load(str(tmp_path / "flat.h5")).output.names == ("0", "1")


# What newcomers get wrong, as whole messages.


def test_a_folder_one_level_too_low(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    assert message_of(folder / "left") == (
        f"{folder / 'left'}: has no class folders; put the files of each class into a folder of its name, such as "
        "left/cat/001.png"
    )
    assert message_of(folder / "left" / "000.dat") == (
        f"{folder / 'left' / '000.dat'}: is of a kind that is not read; give the folder that holds such files in class "
        "folders"
    )


def test_a_folder_one_level_too_high(event_files: Any, tmp_path: Path) -> None:
    for part in ("Train", "Test"):
        event_files.folder(tmp_path / "mine" / part, event_files.dat, ".dat")
    (tmp_path / "other").mkdir()
    assert message_of(tmp_path) == f"{tmp_path}: its folder mine holds the parts Test, Train; give {tmp_path / 'mine'}"


def test_recordings_of_a_kind_that_is_not_read(event_files: Any, tmp_path: Path) -> None:
    for name in ("up", "down"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.raw").touch()
    said = message_of(tmp_path)
    assert said.startswith(f"{tmp_path}: its class folders hold 2 .raw; files that are read are images .png ")
    assert said.endswith("; recordings of events .bin .dat .aedat .aedat4 .h5 .hdf5 .npy .npz .mat")


def test_cameras_of_different_sizes(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat", sizes="% Width 32\n% Height 32\n")
    odd = folder / "right" / "003.dat"
    event_files.dat(odd, *event_files.events(1, 3), sizes="% Width 64\n% Height 48\n")
    assert message_of(folder) == (
        f"data mine: holds recordings of cameras of different sizes (32 x 32 pixels, {folder / 'left' / '000.dat'} "
        f"among others; 64 x 48 pixels, {odd} among others); give recordings of one camera, or the size that holds all "
        "of them with sensor=WIDTH,HEIGHT"
    )
    assert load(str(folder), options=DataOptions(sensor=(64, 48))).shape == (2, 48, 64)


def test_events_outside_of_the_camera(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    event_files.dat(
        folder / "left" / "002.dat", np.array([0, 5]), np.array([3, 40]), np.array([0, 1]), np.array([0, 1])
    )
    assert message_of(folder, sensor=(16, 16)) == (
        f"data mine: give the size of its camera with sensor=WIDTH,HEIGHT: {folder / 'left' / '002.dat'}: has events "
        "up to column 40 and row 1, outside of 16 x 16 pixels"
    )


def test_every_damaged_recording_is_named(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    cut, empty, jumps = (folder / "left" / f"{number:03d}.dat" for number in (1, 5, 7))
    cut.write_bytes(cut.read_bytes()[:-3])
    event_files.dat(empty, *np.zeros((4, 0), np.int64))
    event_files.dat(jumps, np.array([0, 50_000, 20_000]), *np.ones((3, 3), np.int64))
    assert message_of(folder) == (
        "data mine: 3 faults\n"
        f"  - {cut}: ends inside an event, 5 of 8 bytes; get the file again\n"
        f"  - {empty}: holds no event; leave it out\n"
        f"  - {jumps}: its clock runs backwards, at event 2 from 50000 us to 20000; cut the recording there, or get it "
        "again"
    )


def test_slightly_late_events_are_counted(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    event_files.dat(folder / "left" / "002.dat", np.array([0, 900, 200, 99_999]), *np.ones((3, 4), np.int64))
    raw = load(str(folder)).raw
    assert raw is not None
    assert raw.notes[-1] == "1 recordings hold events behind younger ones; each is taken at its own time"


def test_too_many_timesteps(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    assert message_of(folder, timesteps=1001) == (
        "data mine: timesteps=1001: may be 1 to 1000, a frame for each 0.1 ms of a sample of 100 ms"
    )
    assert message_of(folder, timesteps=100, window=5) == (
        "data mine: timesteps=100: may be 1 to 50, a frame for each 0.1 ms of a sample of 5 ms"
    )


def test_options_that_do_not_go_together(event_files: Any, tmp_path: Path) -> None:
    folder = event_files.folder(tmp_path / "mine", event_files.dat, ".dat")
    assert message_of(folder, window=10, duration=50, scaling="standard", view="steps") == (
        "data mine: 3 faults\n"
        "  - window=10 and duration=50 both say how long a sample is; leave one out\n"
        "  - view=steps is for series, and the samples are events\n"
        "  - scaling=standard is for vectors and series, and the samples are events"
    )
    assert message_of(folder, layout="series") == "data mine: holds recordings of events; leave layout=series out"
    with pytest.raises(InputError) as refusal:
        Dataset.from_arrays(np.zeros((20, 8), np.float32), np.arange(20) % 2, pool=2, sensor=(3, 3))
    assert str(refusal.value) == (
        "data arrays: 2 faults\n"
        "  - sensor is for recordings of events, and the samples are vectors in an array\n"
        "  - pool is for recordings of events, and the samples are vectors in an array"
    )


def test_one_recording_in_a_file_that_needs_many(event_files: Any, tmp_path: Path) -> None:
    one = "holds one recording without a class; give a folder that holds a folder of recordings for each class"
    event_files.h5(tmp_path / "a.h5", *event_files.events(0, 0))
    assert message_of(tmp_path / "a.h5") == f"{tmp_path / 'a.h5'}: {one}"
    np.savez(tmp_path / "a.npz", **dict(zip("txyp", event_files.events(0, 0), strict=True)))
    assert message_of(tmp_path / "a.npz") == (
        f"{tmp_path / 'a.npz'}: {one}, or add arrays 'labels' and 'lengths', of each recording its class and events"
    )
    np.savez(
        tmp_path / "b.npz", **dict(zip("txyp", event_files.events(0, 0), strict=True)), labels=[0, 1], lengths=[9, 9]
    )
    assert message_of(tmp_path / "b.npz") == (
        f"{tmp_path / 'b.npz'}: has 2 labels and 200 events; 'lengths' must say how many events each recording has, or "
        "'recording' which one each event is of, ascending from 0"
    )


def test_shd_files_in_a_plain_folder(tmp_path: Path, spike_trains: Any) -> None:
    spike_trains(tmp_path / "shd_train.h5", 24)
    spike_trains(tmp_path / "shd_test.h5", 6)
    assert len(load(str(tmp_path)).test) == 6


def test_columns_of_events_are_no_samples_without_labels(tmp_path: Path) -> None:
    """The array x of a file of events holds columns; the file's recordings are taken, or it is refused."""
    rng = np.random.default_rng(0)
    t, x, y, p = np.arange(40), rng.integers(0, 8, 40), rng.integers(0, 6, 40), rng.integers(0, 2, 40)
    np.savez(tmp_path / "both.npz", t=t, x=x, y=y, p=p, lengths=[10] * 4, labels=[0, 1, 0, 1])
    found: Any = read_samples(tmp_path / "both.npz", {})
    assert recordings.recorded(found) is not None
    assert found[:].sum((1, 2, 3, 4)).tolist() == [10] * 4, "events of each recording"
    np.savez(tmp_path / "alone.npz", t=t, x=x, y=y, p=p)
    with pytest.raises(InputError, match=r"alone\.npz: .*add arrays 'labels' and 'lengths'"):
        read_samples(tmp_path / "alone.npz", {})
