"""Other data for a network: read as its own were, classes by their names, all samples where they are others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikewright as sw
from spikewright.data.for_network import ForNetwork, labels_for
from spikewright.data.load import load
from spikewright.data.output_rule import OutputRule

RANDOM = np.random.default_rng(0)
NAMES = np.array(["ant", "bee", "cow"])


def vectors(count: int, classes: str | list[str] = "ant bee cow") -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose largest number says the class, in the order of :data:`NAMES`."""
    known = classes.split() if isinstance(classes, str) else classes
    y = np.array([known[i % len(known)] for i in range(count)])
    x = RANDOM.normal(size=(count, 3))
    x[np.arange(count), np.searchsorted(NAMES, y)] += 9
    return x, y


def network_of(data: sw.Dataset) -> ForNetwork:
    return ForNetwork(data.input_rule, data.output, data.classes)


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, ForNetwork]:
    """A file, and what a network that was trained on it takes."""
    x, y = vectors(90)
    np.savez(tmp_path / "mine.npz", x=x, y=y)
    return tmp_path / "mine.npz", network_of(load(str(tmp_path / "mine.npz")))


def refusal(path: Path, network: ForNetwork) -> str:
    with pytest.raises(sw.InputError) as caught:
        load(str(path), network=network)
    return str(caught.value)


def test_its_own_file_is_split_as_in_training(trained: tuple[Path, ForNetwork]) -> None:
    path, network = trained
    ours, again = load(str(path)), load(str(path), network=network)
    for part in ("train", "validation", "test"):
        assert getattr(again, part).sha256 == getattr(ours, part).sha256
    assert again.notes == ()


def test_its_own_file_under_another_name_too(trained: tuple[Path, ForNetwork], tmp_path: Path) -> None:
    path, network = trained
    (tmp_path / "copy.npz").write_bytes(path.read_bytes())
    assert load(str(tmp_path / "copy.npz"), network=network).test.sha256 == load(str(path)).test.sha256


def test_all_samples_of_another_file_are_run_and_that_is_said(trained: tuple[Path, ForNetwork], tmp_path: Path) -> None:
    x, y = vectors(5)
    np.savez(tmp_path / "new.npz", x=x, y=y)
    data = load(str(tmp_path / "new.npz"), network=trained[1])
    assert len(data.test) == len(data.validation) == 5
    assert [str(note) for note in data.notes] == [
        "data new: is not what the network was trained on, so that all 5 samples are run, whatever the part"
    ]
    np.savez(tmp_path / "test.npz", x_test=x, y_test=y)
    named = load(str(tmp_path / "test.npz"), network=trained[1])
    assert (named.test.sha256, named.notes) == (data.test.sha256, ())


@pytest.mark.parametrize("classes", ["cow ant", "bee", "cow bee ant"])
def test_classes_are_matched_by_name(trained: tuple[Path, ForNetwork], tmp_path: Path, classes: str) -> None:
    x, y = vectors(12, classes)
    np.savez(tmp_path / "new.npz", x=x, y=y)
    data = load(str(tmp_path / "new.npz"), network=trained[1])
    assert data.output == trained[1].output
    assert np.array_equal(NAMES[data.test.labels], y)
    assert np.array_equal(data.test.samples[:, :3, 0, 0].argmax(1), data.test.labels)


def test_numbers_with_names_are_matched_too(trained: tuple[Path, ForNetwork], tmp_path: Path) -> None:
    x, y = vectors(12)
    order = np.array(["cow", "bee", "ant"])
    np.savez(tmp_path / "new.npz", x=x, y=np.array([order.tolist().index(name) for name in y]), names=order)
    assert np.array_equal(NAMES[load(str(tmp_path / "new.npz"), network=trained[1]).test.labels], y)


def test_classes_that_the_network_does_not_know_are_refused(trained: tuple[Path, ForNetwork], tmp_path: Path) -> None:
    x, y = vectors(6)
    y[2:4] = "dog", "eel"
    np.savez(tmp_path / "new.npz", x=x, y=y)
    assert refusal(tmp_path / "new.npz", trained[1]) == (
        "data new: its train part has classes that the network does not know: dog, eel; it knows ant, bee, cow; "
        "leave them out"
    )
    np.savez(tmp_path / "new.npz", x=x, y=np.arange(6) % 3)
    assert refusal(tmp_path / "new.npz", trained[1]) == (
        "data new: its train part has classes that the network does not know: 0, 1, 2; it knows ant, bee, cow; give "
        "the names of the numbers too"
    )


def test_classes_of_a_network_without_names_are_numbers() -> None:
    network = ForNetwork(None, OutputRule(), 10)
    assert labels_for("data m", {"test": np.array([7, 2])}, network)["test"].tolist() == [7, 2]
    assert labels_for("data m", {"test": np.array(["7", "2"])}, network)["test"].tolist() == [7, 2]
    with pytest.raises(sw.InputError, match="does not know: 10; it knows 0, 1, 2, 3, 4, 5, 6, 7, 8, 9; leave them out"):
        labels_for("data m", {"test": np.array([10, 2])}, network)


def test_a_data_set_in_python_is_matched_too(trained: tuple[Path, ForNetwork]) -> None:
    x, y = vectors(30, "cow bee")
    data = sw.Dataset.from_arrays(x, y)
    assert data.output.names == ("bee", "cow")
    matched = data.by(trained[1])
    assert np.array_equal(matched.test.samples[:, :3, 0, 0].argmax(1), matched.test.labels)
    assert matched.output.names == ("ant", "bee", "cow")
    x, y = vectors(30, ["bee", "cow"])
    with pytest.raises(sw.InputError, match="classes that the network does not know: gnu"):
        sw.Dataset.from_arrays(x, np.where(y == "cow", "gnu", y)).by(trained[1])


def test_files_are_read_by_what_the_network_keeps(tmp_path: Path) -> None:
    rows = [f"{i % 7},{i % 5},{i},{('no', 'yes')[i % 2]}" for i in range(40)]
    (tmp_path / "a.csv").write_text("\n".join(["p,q,r,verdict", *rows]))
    (tmp_path / "b.csv").write_text("\n".join(["extra,verdict,q,p", "9,yes,1,2", "8,no,3,4"]))
    network = network_of(sw.Dataset.from_file(tmp_path / "a.csv", label="verdict", columns="p,q"))
    data = load(str(tmp_path / "b.csv"), network=network)
    assert data.raw is not None
    assert data.raw.test.samples[:].tolist() == [[2, 1], [4, 3]]
    assert data.test.labels.tolist() == [1, 0]


def test_sounds_are_read_by_what_the_network_keeps(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("librosa")
    for name, rate in (("train", 8000), ("field", 16000)):
        for number in range(8):
            for kind in ("hum", "hiss"):
                path = tmp_path / name / kind / f"{number}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                length = rate // (4 if name == "train" else 2)
                soundfile.write(path, RANDOM.normal(0, 0.1, length) * np.linspace(0, 1, length), rate)
    network = network_of(sw.Dataset.from_folder(tmp_path / "train", bands=12, step_ms=20))
    data = load(str(tmp_path / "field"), network=network)
    assert data.shape == (2, 13, 12)
    assert [str(note).partition(": ")[2] for note in data.notes] == [
        "sounds were read as 12 mel bands of frames of 25 ms every 20 ms at 8000 Hz, in dB",
        "16 sounds were resampled to 8000 Hz",
        "is not what the network was trained on, so that all 16 samples are run, whatever the part",
        "16 recordings of its test part are longer than the 13 steps that the network takes; their ends are left out",
    ]


def images(count: int, dtype: type = np.uint8, high: float = 255) -> np.ndarray:
    return (RANDOM.random((count, 6, 6, 3)) * high).astype(dtype)


def test_the_axis_of_channels_is_found_by_the_shape_of_the_network(tmp_path: Path) -> None:
    x, y = images(30), np.arange(30) % 2
    network = network_of(sw.Dataset.from_arrays(x, y))
    for name, given in (("last", x[:9]), ("first", x[:9].transpose(0, 3, 1, 2))):
        np.savez(tmp_path / f"{name}.npz", x=given, y=y[:9])
    last, first = (load(str(tmp_path / f"{name}.npz"), network=network) for name in ("last", "first"))
    assert last.test.sha256 == first.test.sha256


@pytest.mark.parametrize(
    ("own", "other", "message"),
    [
        (images(30), images(9, np.float32, 1), "and the network was trained on 0..255; multiply the samples by 255"),
        (
            images(30, np.float32, 1),
            images(9),
            "and the network was trained on 0..1; bring the samples into this range",
        ),
    ],
)
def test_intensities_of_another_range_are_refused(
    tmp_path: Path, own: np.ndarray, other: np.ndarray, message: str
) -> None:
    network = network_of(sw.Dataset.from_arrays(own, np.arange(30) % 2))
    np.savez(tmp_path / "new.npz", x=other, y=np.arange(9) % 2)
    text = refusal(tmp_path / "new.npz", network)
    assert text.startswith("data new: its train part reaches ")
    assert text.endswith(message)


def test_data_of_another_form_are_refused(trained: tuple[Path, ForNetwork], tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", x=np.zeros((9, 4)), y=NAMES[np.arange(9) % 3])
    assert refusal(tmp_path / "new.npz", trained[1]) == (
        "data new: holds vectors of shape (4,), and the network was made for vectors of shape (3,); give data like "
        "those it was trained on"
    )
    np.savez(tmp_path / "new.npz", x=np.zeros((9, 4, 4)), y=NAMES[np.arange(9) % 3])
    assert refusal(tmp_path / "new.npz", trained[1]) == (
        "data new: has shape (9, 4, 4), and the network was made for vectors of shape (3,); give data like those it "
        "was trained on"
    )
    with pytest.raises(sw.InputError, match="data digits: has a form of its own, and the network takes vectors"):
        load("digits", network=trained[1])
    np.savez(tmp_path / "new.npz", x=np.full((9, 3), np.nan), y=np.array(["gnu"] * 9))
    assert refusal(tmp_path / "new.npz", trained[1]).startswith("data new: its train part has classes")


def test_values_of_a_regression_stay_in_their_unit(tmp_path: Path) -> None:
    x, y = RANDOM.normal(size=(60, 3)), RANDOM.normal(5, 2, size=(60, 2))
    network = network_of(sw.Dataset.from_arrays(x, y, task="regression"))
    np.savez(tmp_path / "new.npz", x=x[:7], y=y[:7])
    data = load(str(tmp_path / "new.npz"), network=network)
    np.testing.assert_allclose(data.test.labels, y[:7], rtol=1e-6)
    np.savez(tmp_path / "new.npz", x=x[:7], y=y[:7, 0])
    assert refusal(tmp_path / "new.npz", network) == (
        "data new: labels of train are float64 of shape (7,); the network answers with 2 values each"
    )
