"""Arrays that cannot be learned from: the whole message, and never an error of another kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spikewright as sw
from spikewright.base.errors import InputError
from spikewright.data.for_network import ForNetwork, raw_for
from spikewright.data.options import DataOptions
from spikewright.sources.found import Found

RANDOM = np.random.default_rng(3)
VECTORS = RANDOM.normal(size=(24, 4))
CLASSES = np.arange(24) % 2
FRAMES = (RANDOM.random((24, 3, 2, 4, 4)) > 0.5).astype(np.float32)
OF_EVENTS = (
    "; they are numbers of events, 0 or more: give each polarity a channel of its own, and values over time as series "
    "(n, steps, channels) with layout=series"
)
UNEQUAL = [np.zeros((5 + row % 2, 3 + row % 2)) for row in range(24)]
LINES = [np.zeros(5 + row % 2) for row in range(24)]


def changed(frames: Any, value: float) -> Any:
    """The frames with one number of the sixth sample changed."""
    other = frames.copy()
    other[5, 0, 0, 0, 0] = value
    return other


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (VECTORS + 1j, CLASSES, "train: holds values of type complex128; samples must be numbers"),
        (UNEQUAL, CLASSES, "train: its recordings have different numbers of channels; give all the same channels"),
        (
            LINES,
            CLASSES,
            "train: its samples have unequal shapes, such as (5,) and (6,); only recordings (steps, channels) may be "
            "of unequal lengths",
        ),
        (
            VECTORS + 1j,
            CLASSES + 0.5,
            "2 faults\n  - train: holds values of type complex128; samples must be numbers\n  - its labels are "
            "float64; give task=regression where they are values to learn, or task=classification where they are "
            "whole numbers of classes",
        ),
        (
            VECTORS,
            np.array(["a", None] * 12, object),
            "labels of train hold None, first at sample 1; leave samples without a label out, and give them as "
            "unlabelled",
        ),
        (
            VECTORS,
            np.array(["a", np.nan] * 12, object),
            "labels of train hold nan, first at sample 1; leave samples without a label out, and give them as "
            "unlabelled",
        ),
        (
            VECTORS,
            np.array(["a", 1] * 12, object),
            "labels of train are objects (int, str); give whole numbers alone, or names alone",
        ),
        (changed(FRAMES, -1), CLASSES, f"its train part holds -1 in frames of events, first in sample 5{OF_EVENTS}"),
        (
            changed(FRAMES.astype(np.int8), -1),
            CLASSES,
            f"its train part holds -1 in frames of events, first in sample 5{OF_EVENTS}",
        ),
        (changed(FRAMES, 0.5), CLASSES, f"its train part holds 0.5 in frames of events, first in sample 5{OF_EVENTS}"),
    ],
)
def test_what_cannot_be_learned_from(x: object, y: object, said: str) -> None:
    with pytest.raises(InputError) as refusal:
        sw.Dataset.from_arrays(x, y, name="mine")
    assert str(refusal.value) == f"data mine: {said}"


def test_samples_of_a_type_that_is_none_are_refused_for_a_network_too() -> None:
    trained = sw.Dataset.from_arrays(VECTORS, CLASSES, name="mine")
    network = ForNetwork(trained.input_rule, trained.output, 2)
    with pytest.raises(InputError, match=r"^data more: train: holds values of type complex128; samples must be"):
        raw_for(Found("more", {"train": (VECTORS + 1j, CLASSES)}), DataOptions(), network)


def test_numbers_of_events_above_one_count_as_one_event() -> None:
    once, often = (sw.Dataset.from_arrays(frames, CLASSES) for frames in (FRAMES, 3 * FRAMES))
    assert np.array_equal(once.train.samples[:], often.train.samples[:])


@pytest.mark.parametrize("kind", [np.uint16, np.int64])
def test_the_range_of_integers_wider_than_a_byte_is_declared(kind: type[np.generic]) -> None:
    images = RANDOM.integers(0, 4096, (24, 1, 6, 6)).astype(kind)
    images[:, 0, 0, 0] = 4095
    with pytest.raises(InputError, match=r"train reaches \d+\.\.\d+, outside 0\.\.1; declare their range"):
        sw.Dataset.from_arrays(images, CLASSES)
    declared = sw.Dataset.from_arrays(images, CLASSES, intensities=(0, 4095))
    part = declared.train.samples[:]
    assert part.max() > 0.9
    assert declared.input_rule is not None
    assert declared.input_rule.gain == (1 / 4095,)


@pytest.mark.parametrize("scaling", ["standard", "robust", "minmax"])
def test_samples_that_are_all_the_same_are_not_trained_on(scaling: str) -> None:
    data = sw.Dataset.from_arrays(np.ones((24, 4)), CLASSES, name="mine", scaling=scaling)
    with pytest.raises(InputError) as refusal:
        sw.distill(data, method="none", training=sw.Training(epochs=1))
    assert str(refusal.value) == "data mine: all its training samples are the same; give samples that differ"


def test_data_that_are_neither_a_data_set_nor_a_name() -> None:
    with pytest.raises(InputError) as refusal:
        sw.distill((VECTORS, CLASSES))  # type: ignore[arg-type]
    assert str(refusal.value) == (
        "data: is of type tuple; may be a Dataset, such as Dataset.from_arrays(x, y) or Dataset.from_torch(dataset), "
        "the name of a data set, a path, or DataSettings"
    )
