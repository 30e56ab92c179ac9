"""Files in class folders: images and sounds, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import spikewright as sw
from spikewright.data.options import DataOptions
from spikewright.sources import images
from spikewright.sources.images import ImageFiles
from spikewright.sources.read import read


def picture(path: Path, size: tuple[int, int] = (6, 8), mode: str = "L", value: int = 100) -> Path:
    """An image of this height and width, of one grey that its corner differs from."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full(size if mode == "L" else (*size, 3), value, np.uint8)
    pixels[0, 0] = 255
    Image.fromarray(pixels, mode).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve grey images of 6 x 8 in each of two classes."""
    for number in range(12):
        picture(tmp_path / "pets" / "cat" / f"{number:02}.png", value=2 * number)
        picture(tmp_path / "pets" / "dog" / f"{number:02}.png", value=100 + 2 * number)
    return tmp_path / "pets"


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(sw.InputError) as caught:
        sw.Dataset.from_folder(path, **options)
    return str(caught.value)


def test_images_are_bytes_in_the_order_of_classes_and_names(folder: Path) -> None:
    found = read(folder, DataOptions())
    samples, labels = found.parts["train"]
    assert (samples.shape, samples.dtype) == ((24, 1, 6, 8), np.uint8)
    assert samples[:, 0, 3, 3].tolist() == [*range(0, 24, 2), *range(100, 124, 2)]
    assert samples[:, 0, 0, 0].tolist() == [255] * 24
    assert labels.tolist() == ["cat"] * 12 + ["dog"] * 12
    data = sw.Dataset.from_folder(folder)
    assert (data.shape, data.output.names, data.name) == ((1, 6, 8), ("cat", "dog"), "pets")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 4, 4]


def test_images_of_large_folders_are_decoded_when_they_are_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = sw.Dataset.from_folder(folder)
    monkeypatch.setattr(images, "IN_MEMORY", 100)
    assert isinstance(read(folder, DataOptions()).parts["train"][0], ImageFiles)
    streamed = sw.Dataset.from_folder(folder)
    assert streamed.train.sha256 == at_once.train.sha256
    assert streamed.input_rule == at_once.input_rule


def test_parts_as_folders_are_official(folder: Path) -> None:
    for part, count in (("Train", 9), ("valid", 3), ("testing", 4)):
        for name in ("a", "b"):
            for number in range(count):
                picture(folder.parent / "parts" / part / name / "deeper" / f"{number}.png")
    data = sw.Dataset.from_folder(folder.parent / "parts")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [18, 6, 8]


def test_sizes_and_colours_are_made_equal_where_it_is_asked_for(folder: Path) -> None:
    picture(folder / "cat" / "large.jpg", (12, 16), "RGB")
    data = sw.Dataset.from_folder(folder, image_size="3x4", colors="rgb")
    assert data.shape == (3, 3, 4)
    assert "data pets: 25 images were resized to 3 x 4" in data.notes
    assert data.input_rule is not None
    assert data.input_rule.reading["image_size"] == [3, 4]
    assert data.input_rule.reading["colors"] == "rgb"


def test_cameras_that_were_held_upright(folder: Path) -> None:
    turned = Image.open(picture(folder / "cat" / "turned.jpg", (8, 6)))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "cat" / "turned.jpg", exif=exif)
    assert sw.Dataset.from_folder(folder).shape == (1, 6, 8)


def test_groups_are_found_in_the_paths_of_files(folder: Path) -> None:
    found = read(folder, DataOptions(group=r"/\d(\d)\.png"))
    assert found.groups == [*"012345678901"] * 2


def test_files_of_other_kinds_are_left_out_and_that_is_said(folder: Path) -> None:
    (folder / "cat" / "notes.txt").write_text("mine")
    (folder / "cat" / ".DS_Store").write_text("theirs")
    (folder / ".git").mkdir()
    assert sw.Dataset.from_folder(folder).notes == ("data pets: 1 files of other kinds are left out",)


def test_sizes_and_colours_that_differ_are_refused_at_once(folder: Path) -> None:
    picture(folder / "cat" / "large.jpg", (12, 16), "RGB")
    assert refusal(folder) == (
        f"{folder}: 2 faults\n"
        "  - its images have several sizes, height x width: 24 of 6 x 8, 1 of 12 x 16; give image_size=32x32 or "
        "another size, to which all are resized\n"
        "  - its images are of several kinds, 24 grey and 1 rgb; give colors=grey or colors=rgb"
    )


def test_damaged_and_deep_images_are_named(folder: Path) -> None:
    for number in range(5):
        (folder / "dog" / f"z{number}.png").write_bytes(b"\x89PNG no")
    Image.fromarray(np.zeros((6, 8), np.uint16)).save(folder / "dog" / "deep.png")
    named = "".join(
        f"  - {folder / 'dog' / f'z{number}.png'}: cannot be read as an image; replace it, or leave it out\n"
        for number in range(3)
    )
    assert refusal(folder) == (
        f"{folder}: 5 faults\n{named}  - 2 other files cannot be read as images either\n"
        f"  - {folder / 'dog' / 'deep.png'} has pixels of more than 8 bits, 1 files in all; save them with 8 bits"
    )


def test_an_image_that_is_cut_short_is_named(folder: Path) -> None:
    path = picture(folder / "dog" / "zz.png", value=7)
    path.write_bytes(path.read_bytes()[:-20])
    assert refusal(folder).startswith(f"{path}: cannot be read as an image (")


def test_a_file_of_a_format_that_starts_programs_is_not_read(folder: Path) -> None:
    (folder / "dog" / "z.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 6\n")
    assert "z.png: cannot be read as an image; replace it" in refusal(folder)


def test_what_is_wrong_with_folders(folder: Path) -> None:
    root = folder.parent
    (root / "flat").mkdir()
    picture(root / "flat" / "1.png")
    assert refusal(root / "flat") == (
        f"{root / 'flat'}: has no class folders; put the files of each class into a folder of its name, such as "
        "flat/cat/001.png"
    )
    (folder / "cow").mkdir()
    assert refusal(folder) == f"{folder}: the class folder cow holds no images; add some, or leave the folder out"
    (folder / "cow" / "a.wav").write_bytes(b"RIFF")
    assert refusal(folder) == (
        f"{folder}: its class folders hold files of several kinds (24 images, 1 sounds); give a folder of one kind"
    )
    (root / "texts" / "a").mkdir(parents=True)
    (root / "texts" / "a" / "1.txt").write_text("a")
    assert refusal(root / "texts") == (
        f"{root / 'texts'}: its class folders hold 1 .txt; files that are read are images .png .jpg .jpeg .bmp .webp "
        ".tif .tiff .ppm .pgm; sounds .wav .flac .ogg; recordings of events .bin .dat .aedat .aedat4 .h5 .hdf5 .npy "
        ".npz .mat"
    )
    for part in ("train/a", "test/a", "cat"):
        picture(root / "mixed" / part / "1.png")
    assert refusal(root / "mixed") == (
        f"{root / 'mixed'}: has folders of parts (test, train) and others (cat); leave only those of the parts, or "
        "only those of classes"
    )
    assert refusal(folder / "cat" / "00.png") == (
        f"{folder / 'cat' / '00.png'}: is no folder; give one with a folder for each class"
    )


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "group=(: is no regular expression (missing ), unterminated subpattern at position 0)"),
        ("_.", "group=_.: has no parenthesis around the group; write such as '_(\\w+)_'"),
        (r"_(\w+)_", "group=_(\\w+)_: is not found in cat/00.png; give one that fits every file"),
    ],
)
def test_what_is_wrong_with_groups(folder: Path, pattern: str, message: str) -> None:
    assert refusal(folder, group=pattern) == f"data pets: {message}"


def test_options_of_other_files_are_refused(folder: Path) -> None:
    assert refusal(folder, bands=20, label="x") == (
        f"data {folder}: 2 faults\n"
        f"  - label=x is for tables and .arff files, and {folder} is a folder of images; leave it out\n"
        f"  - bands=20 is for folders of sounds, and {folder} is a folder of images; leave it out"
    )


def test_a_folder_of_several_data_sets_asks_for_one(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        np.savez(tmp_path / name, x=np.zeros((9, 2)), y=np.zeros(9))
    assert refusal(tmp_path) == f"{tmp_path}: holds several data sets; give one of its files, such as a.npz, b.npz"
