"""What newcomers do first with data of their own and get wrong: one ``error:``, exit code 2, nothing written."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spikewright.commands.cli import main

Words = list[str]
Case = tuple[Words, str]
X, Y = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32), np.arange(40) % 2
EXPECTED = "expected x and y; or x_train, y_train and, where there are such parts, x_val, y_val, x_test, y_test"


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., str]:
    """What ``distill --data`` says last to a path and further words, the only error in it."""

    def say(*words: object) -> str:
        student = tmp_path / "student.pt"
        assert main(["distill", "--data", *map(str, words), "-o", str(student)]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert not student.exists()
        assert err.count("error:") == 1
        return err.removeprefix("error: ").rstrip("\n")

    return say


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., Path]:
    """Writes ``mine.npz`` with these arrays."""

    def save(**arrays: object) -> Path:
        np.savez(tmp_path / "mine.npz", **arrays)
        return tmp_path / "mine.npz"

    return save


def test_no_such_file(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "nine.npz"
    assert refused(path) == f"{path}: there is no such file or folder"


def test_a_misspelt_name(refused: Callable[..., str]) -> None:
    assert refused("digts").startswith("digts: there is no such data set; did you mean 'digits'? may be: ")


def test_a_folder_without_class_folders(refused: Callable[..., str], tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(folder / "1.png")
    assert refused(folder) == (
        f"{folder}: has no class folders; put the files of each class into a folder of its name, such as "
        "pictures/cat/001.png"
    )


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("mine.mat", "save its arrays with numpy.savez after scipy.io.loadmat"),
        ("mine.pkl", "a pickle can run code; save arrays with numpy.savez"),
        ("mine.pt", "save its tensors as arrays, numpy.savez('NAME.npz', x=x.numpy(), y=y.numpy())"),
        ("mine.xlsx", "save the sheet as CSV"),
        ("mine.zip", "unpack it and give what it holds"),
        ("mine.wav", "give the folder that holds such files in class folders"),
        ("mine.py", "give the function in it too, file.py:function"),
    ],
)
def test_a_kind_that_is_not_read(refused: Callable[..., str], tmp_path: Path, name: str, advice: str) -> None:
    (tmp_path / name).write_bytes(b"something")
    assert refused(tmp_path / name) == f"{tmp_path / name}: is of a kind that is not read; {advice}"


def test_a_kind_that_nobody_knows(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "mine.dat0"
    path.write_bytes(b"something")
    text = refused(path)
    assert text.startswith(f"{path}: is of a kind that is not read; may be .npz, .npy, .csv, ")
    assert text.endswith("or file.py:function")


def test_a_file_of_no_bytes(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    path.touch()
    assert refused(path) == f"{path}: is empty, 0 bytes long; make it again"


def test_a_file_that_is_not_what_its_name_says(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "mine.npz"
    path.write_bytes(b"<html>not found</html>")
    assert refused(path) == f"{path}: cannot be read as .npz (File is not a zip file); save it again with numpy.savez"


def test_pickled_objects(refused: Callable[..., str], npz: Callable[..., Path], tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    path = npz(x=np.array([Harm(ran)] * 9, dtype=object), y=np.arange(9) % 2)
    assert refused(path) == (
        f"{path}: its array x: holds pickled objects, which are not read; save plain arrays, recordings of unequal "
        "lengths padded with NaN"
    )
    assert not ran.exists()


class Harm:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_a_pickle_of_the_name_of_an_array(refused: Callable[..., str], tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (tmp_path / "x.npy").write_bytes(pickle.dumps(Harm(ran)))
    np.save(tmp_path / "y.npy", Y)
    assert "x.npy: cannot be read as .npy (" in refused(tmp_path / "x.npy")
    assert not ran.exists()


def test_samples_without_labels(refused: Callable[..., str], npz: Callable[..., Path], tmp_path: Path) -> None:
    path = npz(x=X)
    assert refused(path) == f"{path}: has no array y; {EXPECTED}"
    np.save(tmp_path / "x.npy", X)
    assert refused(tmp_path / "x.npy") == (
        f"{tmp_path / 'x.npy'}: has no labels beside it; save them as y.npy or x_y.npy or x-labels.npy, or both in one "
        ".npz (--data)"
    )


def test_arrays_of_other_names(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    path = npz(images=X, labels=Y)
    assert refused(path) == f"{path}: its arrays are images, labels; {EXPECTED}"


def test_more_samples_than_labels(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    assert refused(npz(x=X, y=Y[:39])) == (
        "data mine: its train part has 40 samples and 39 labels; each sample needs one"
    )


def test_missing_numbers(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    holed = X.copy()
    holed[7, 2] = np.nan
    assert refused(npz(x=holed, y=Y)) == (
        "data mine: its train part holds NaN, first in sample 7; fill such values in, or leave the sample out"
    )


def test_a_shape_that_may_be_two_things(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    assert refused(npz(x=X.reshape(40, 2, 3), y=Y)) == (
        "data mine: shape (40, 2, 3) can be read in two ways; give --layout series for (n, steps, channels), or a "
        "list of (steps, channels), or --layout images for (n, height, width) or (n, channels, height, width)"
    )


def test_intensities_outside_the_range(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    pictures = np.linspace(0, 255, 40 * 36).reshape(40, 1, 6, 6).astype(np.float32)
    text = refused(npz(x=pictures, y=Y))
    assert text.startswith("data mine: 3 faults\n  - train reaches ")
    assert text.count("outside 0..1; declare their range with --intensities LOW,HIGH") == 3


def test_labels_that_are_no_classes(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    assert refused(npz(x=X, y=Y + 0.5)) == (
        "data mine: its labels are float64; give --task regression where they are values to learn, or --task "
        "classification where they are whole numbers of classes"
    )


def test_two_faults_of_two_kinds_are_said_at_once(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    text = refused(npz(x=X.reshape(40, 2, 3), y=Y + 0.5))
    assert text.startswith("data mine: 2 faults\n  - shape (40, 2, 3) can be read in two ways; ")
    assert "\n  - its labels are float64; give --task regression " in text


def test_one_class_alone(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    assert refused(npz(x=X, y=0 * Y)) == (
        "data mine: its training part holds one class, 0; give samples of two or more"
    )


def test_an_empty_part(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    path = npz(x_train=X, y_train=Y, x_test=X[:0], y_test=Y[:0])
    assert refused(path) == "data mine: its test part is empty"


def test_classes_that_training_has_no_sample_of(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    path = npz(x_train=X, y_train=Y, x_test=X[:4], y_test=np.array([0, 1, 2, 3]))
    assert refused(path) == (
        "data mine: its test part has classes that training has no sample of: 2, 3; add samples of them to training, "
        "or leave them out"
    )


def test_a_test_part_alone(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    assert refused(npz(x_test=X, y_test=Y)) == (
        "data mine: holds no training part (test alone); give one to learn from"
    )


def test_text_in_a_table(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b,label\n1,red,0\n2,blue,1\n")
    assert refused(path) == (
        f"{path}: column b holds text, first 'red' in row 1, where a number is expected; leave the column out "
        "(--columns)"
    )


def test_a_label_column_of_another_name(refused: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("a,b,species\n1,2,0\n2,3,1\n")
    assert refused(path) == (
        f"{path}: which column is the label is not clear: none is called label or class or target; give --label "
        "COLUMN, one of a, b, species"
    )
    assert refused(path, "--label", "specis") == (
        f"{path}: --label specis: there is no such column; did you mean 'species'? may be: a, b, species"
    )


def test_images_of_several_sizes(refused: Callable[..., str], tmp_path: Path) -> None:
    for name, size in (("cat", 8), ("dog", 9)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        Image.fromarray(np.zeros((8, size), np.uint8)).save(tmp_path / "pets" / name / "1.png")
    assert refused(tmp_path / "pets") == (
        f"{tmp_path / 'pets'}: its images have several sizes, height x width: 1 of 8 x 8, 1 of 8 x 9; give "
        "--image-size 32x32 or another size, to which all are resized"
    )


def test_a_damaged_sound(refused: Callable[..., str], tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    for name in ("hum", "hiss"):
        (tmp_path / "sounds" / name).mkdir(parents=True)
        (tmp_path / "sounds" / name / "1.wav").write_bytes(b"RIFF and no more")
    assert refused(tmp_path / "sounds") == (
        f"{tmp_path / 'sounds'}: 2 faults\n"
        f"  - {tmp_path / 'sounds' / 'hiss' / '1.wav'}: cannot be read as a sound; replace it, or leave it out\n"
        f"  - {tmp_path / 'sounds' / 'hum' / '1.wav'}: cannot be read as a sound; replace it, or leave it out"
    )


def test_options_of_own_data_for_a_data_set_that_has_a_name(refused: Callable[..., str]) -> None:
    assert refused("digits", "--label", "a", "--scaling", "minmax") == (
        "data digits: --label, --scaling: for data of your own alone; leave it out"
    )


def test_a_folder_of_files_for_data_of_ones_own(
    refused: Callable[..., str], npz: Callable[..., Path], tmp_path: Path
) -> None:
    path = npz(x=X, y=Y)
    assert refused(path, "--data-dir", tmp_path) == (
        f"--data-dir {tmp_path}: is for data sets that have a name; leave it out for {path}"
    )


def test_options_of_another_kind_of_file(refused: Callable[..., str], npz: Callable[..., Path]) -> None:
    path = npz(x=X, y=Y)
    assert refused(path, "--sample-rate", 8000) == (
        f"data {path}: --sample-rate 8000 is for folders of sounds, and {path} holds arrays; leave it out"
    )


def test_a_preset_that_names_a_file_of_data(refused: Callable[..., str], tmp_path: Path) -> None:
    preset = tmp_path / "preset.toml"
    for name in ("mine.py:load", "mine.npz", "mine.csv", "folder/pets"):
        preset.write_text(f'data = "{name}"')
        text = refused("digits", "--preset", preset)
        assert text == (
            f"preset {preset}: data is '{name}'; a preset names only what comes with spikewright, give --data yourself"
        )


def test_a_function_that_fails(refused: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def load():\n    return open('nowhere')\n")
    assert refused(f"{tmp_path}/mine.py:load") == (
        f"data '{tmp_path}/mine.py:load': {tmp_path}/mine.py raises FileNotFoundError in line 2: [Errno 2] No such "
        "file or directory: 'nowhere'"
    )


@pytest.mark.parametrize("words", [["run"], ["distill"], ["sweep"], ["compare", "--methods", "kd"]])
def test_data_are_refused_before_torch_is_loaded(npz: Callable[..., Path], words: Words, tmp_path: Path) -> None:
    path = npz(x=X, y=Y + 0.5)
    program = f"import sys; from spikewright.commands.cli import main; main({[*words, '--data', str(path)]!r})"
    loaded = "; print([name for name in ('torch', 'matplotlib') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program + loaded], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout == "[]\n"
    assert done.stderr == (
        "error: data mine: its labels are float64; give --task regression where they are values to learn, or --task "
        "classification where they are whole numbers of classes\n"
    )


def test_training_is_loaded_without_torchvision() -> None:
    program = "import sys, spikewright.training.distill; print('torchvision' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "False\n"
