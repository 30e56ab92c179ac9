"""Data sets: what is in them, and how they are cut."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.data.dataset import official
from spikewright.data.load import DATA_HELP, DATASETS, load
from spikewright.data.split import Split, permutation

SOURCES = tuple(DATASETS.items())
DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def test_the_page_says_what_every_data_set_is(root: Path) -> None:
    page = (root / "docs" / "data.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+?) \| (.+?) \|", page, re.MULTILINE)
    said = {name: what for names, what in rows for name in re.findall(r"`([\w-]+)`", names)}
    assert {name: said.get(name) for name, _ in SOURCES} == {name: source.help for name, source in SOURCES}


def test_the_help_of_data_names_them_all() -> None:
    assert re.findall(r"\b(?!or\b|events\b)[a-z][\w-]+", DATA_HELP) == list(DATASETS)


def test_digits_are_cut_into_60_20_20() -> None:
    digits = load("digits")
    assert digits.shape == (1, 8, 8)
    assert digits.classes == 10
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [1079, 359, 359]
    for part in (digits.train, digits.validation, digits.test):
        assert part.samples.dtype == np.float32
        assert part.labels.dtype == np.int64
        assert (part.samples.min(), part.samples.max()) == (0.0, 1.0)
        assert set(part.labels) == set(range(10))


def test_the_cut_of_digits_never_changes() -> None:
    digits = load("digits")
    assert [part.sha256[:16] for part in (digits.train, digits.validation, digits.test)] == [
        "ddd196fbec7288de",
        "663b83bf427a6fd4",
        "072bac1b74065a80",
    ]


def test_the_parts_of_digits_hold_every_sample_once() -> None:
    from sklearn.datasets import load_digits

    digits = load("digits")
    images = np.concatenate([digits.train.samples, digits.validation.samples, digits.test.samples]) * 16
    every = load_digits().images[:, None]
    assert np.array_equal(images[np.argsort(permutation_of_parts())], every)


def permutation_of_parts() -> np.ndarray:
    """Where in scikit-learn's order the samples of train, validation and test come from."""
    order = permutation(1797)
    return np.concatenate([order[718:], order[359:718], order[:359]])


def test_the_permutation_is_the_same_for_ever() -> None:
    assert hashlib.sha256(permutation(60000).astype("<i8").tobytes()).hexdigest()[:16] == "640cd4886a8793a5"


def test_the_official_test_part_stays_as_it_is() -> None:
    pixels = np.arange(50, dtype=np.uint8).reshape(50, 1, 1, 1)
    labels = np.arange(50) % 10
    data = official("made-up", (pixels, labels), (pixels[:7] * 5, labels[:7]), 10)
    assert (len(data.train), len(data.validation)) == (45, 5)
    assert np.array_equal(data.test.samples.ravel(), np.arange(7, dtype=np.float32) * 5 / 255)
    together = np.concatenate([data.train.samples, data.validation.samples]).ravel()
    assert np.array_equal(np.sort(together), np.arange(50, dtype=np.float32) / np.float32(255))
    assert np.array_equal(np.rint(data.train.samples.ravel() * 255) % 10, data.train.labels)


def test_a_split_hashes_what_it_holds() -> None:
    images, labels = np.zeros((3, 1, 2, 2), np.float32), np.zeros(3, np.int64)
    assert Split(images, labels).sha256 == Split(images.copy(), labels.copy()).sha256
    assert Split(images, labels).sha256 != Split(images, labels + 1).sha256
    assert Split(images, labels).sha256 != Split(images.reshape(3, 4, 1, 1), labels).sha256


def test_images_and_labels_must_belong_together() -> None:
    with pytest.raises(ValueError, match="do not belong together"):
        Split(np.zeros((3, 1, 2, 2), np.float32), np.zeros(2, np.int64))


def test_the_first_samples_of_the_training_part_alone() -> None:
    digits = load("digits")
    whole = replace(digits, twin=digits)
    few = whole.with_train_samples(50)
    assert few.twin is not None
    for part in (few.train, few.twin.train):
        np.testing.assert_array_equal(part.samples, digits.train.samples[:50])
        np.testing.assert_array_equal(part.labels, digits.train.labels[:50])
    assert set(few.train.labels) == set(range(10))
    assert (few.validation, few.test) == (whole.validation, whole.test)
    assert whole.with_train_samples(None) is whole


def test_more_samples_than_there_are_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        load("digits").with_train_samples(1080)
    assert str(refused.value) == ("train_samples=1080: digits has 1079 to train on; ask for no more, or leave it out")


def test_an_unknown_name_is_refused_with_a_suggestion() -> None:
    with pytest.raises(InputError) as refusal:
        load("fasion-mnist")
    assert str(refusal.value) == (
        "fasion-mnist: there is no such data set; did you mean 'fashion-mnist'? "
        "may be: cifar10, cifar10-dvs, digits, digits-events, dvs128-gesture, fashion-mnist, fashion-mnist-events, "
        "mnist, mnist-5k, mnist-5k-events, mnist-events, mnist1d, nmnist, shd, speech-commands-12, speech-commands-35, "
        "ssc"
    )


def test_digits_take_no_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        load("digits", tmp_path)
    assert str(refusal.value) == f"{tmp_path}: digits come with scikit-learn and read no folder; leave data_dir out"


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="the Debian package dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_found_where_debian_puts_it() -> None:
    data = load("fashion-mnist")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [54000, 6000, 10000]
    assert [part.sha256[:16] for part in (data.train, data.validation, data.test)] == [
        "2b510481720d3166",
        "040984717e8b5b68",
        "3c9f1eb94de6d799",
    ]
    assert data.test.labels[:10].tolist() == [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]  # as published


def test_the_recipes_are_those_that_results_were_made_with() -> None:
    student = {name: (s.recipe.epochs, s.recipe.batch, s.recipe.augmentation, s.recipe.reach) for name, s in SOURCES}
    known = {
        "digits": (25, 32, "none", 1),
        "mnist-5k": (20, 64, "none", 2),
        "mnist": (8, 128, "shift", 2),
        "fashion-mnist": (12, 128, "none", 2),
        "cifar10": (30, 128, "shift-flip", 4),
        "nmnist": (10, 128, "none", 2),
        "mnist1d": (30, 64, "none", 2),
        "digits-events": (25, 32, "none", 2),
        "mnist-5k-events": (20, 64, "none", 2),
        "mnist-events": (8, 128, "none", 2),
        "fashion-mnist-events": (12, 128, "none", 2),
    }
    assert {name: student[name] for name in known} == known
    of_images = [(name, source.recipe.teacher) for name, source in SOURCES if not name.endswith("-events")]
    teachers = {name: (t.epochs, t.batch_size, t.augmentation, t.reach) for name, t in of_images}
    known = {
        "digits": (20, 64, "shift", 1),
        "mnist-5k": (12, 64, "shift", 2),
        "mnist": (6, 128, "shift", 2),
        "fashion-mnist": (8, 128, "shift-flip", 2),
        "cifar10": (30, 128, "shift-flip", 4),
        "nmnist": (8, 128, "none", 2),
        "mnist1d": (20, 64, "none", 2),
    }
    assert {name: teachers[name] for name in known} == known


def test_a_data_set_and_its_twin_bring_their_recipes() -> None:
    events = load("digits-events", timesteps=2)
    assert events.recipe == DATASETS["digits-events"].recipe != DATASETS["digits"].recipe
    assert events.twin is not None
    assert events.twin.recipe == load("digits").recipe == DATASETS["digits"].recipe
    assert events.with_train_samples(5).recipe == events.recipe
