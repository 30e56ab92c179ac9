"""Readers of the published files of data sets that have a name."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spikewright.data import cifar, dvs_gesture, events, heidelberg, mnist_like, speech_commands
from spikewright.data.options import DataOptions

from . import binary_files, data_seeds, formats
from .hdf5 import of_hdf5
from .reader import Reader, same
from .seeds import Seeds


def idx(_: Seeds) -> Reader:
    """MNIST's files."""
    train, labels = data_seeds.idx_file(20, 28, 28), data_seeds.idx_file(20)
    files = {"train-images-idx3-ubyte": train, "train-labels-idx1-ubyte": labels, "t10k-images-idx3-ubyte": train}
    return Reader(
        "data sets",
        "t10k-labels-idx1-ubyte",
        [labels],
        binary_files.of_idx,
        lambda path: mnist_like.load_mnist(path.parent),
        beside=same(files.items()),
    )


def packed_idx(_: Seeds) -> Reader:
    """The same, by gzip."""
    return Reader(
        "data sets",
        "images.gz",
        [data_seeds.packed(data_seeds.idx_file(3, 28, 28))],
        formats.of_gzip(binary_files.of_idx),
        lambda path: mnist_like.read_idx(path, (28, 28), 60_000),
    )


def cifar_binary(_: Seeds) -> Reader:
    """CIFAR-10's binary files."""
    files = {f"data_batch_{number}.bin": data_seeds.cifar_records() for number in range(1, 6)}
    return Reader(
        "data sets",
        "test_batch.bin",
        [data_seeds.cifar_records()],
        binary_files.of_records([("label", "u1"), ("pixels", "V3072")]),
        lambda path: cifar.load_cifar10(path.parent),
        beside=same(files.items()),
    )


def cifar_archive(_: Seeds) -> Reader:
    """Their archive."""
    return Reader(
        "data sets",
        cifar.ARCHIVE,
        [data_seeds.cifar_archive()],
        binary_files.of_tar,
        lambda path: cifar.load_cifar10(path.parent),
    )


def cifar_pickled(_: Seeds) -> Reader:
    """Pickles in their place, which are always refused."""
    import pickle

    content = pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [0, 1]})
    names = [*(f"data_batch_{n}" for n in range(1, 6)), "batches.meta"]
    files = {f"{cifar.PICKLED}/{name}": content for name in names}
    return Reader(
        "data sets",
        f"{cifar.PICKLED}/test_batch",
        [content],
        formats.of_pickle,
        lambda path: cifar.load_cifar10(path.parents[1]),
        beside=same(files.items()),
        is_read=False,
    )


def nmnist(made: Seeds) -> Reader:
    """N-MNIST's recordings."""
    content = data_seeds.event_arrays(made.folder)[".bin"][0]
    files = {f"{part}/{label}/00{label}.bin": content for part in ("Train", "Test") for label in range(10)}
    return Reader(
        "events",
        "Train/0/000.bin",
        [content],
        binary_files.of_records([("x", "u1"), ("y", "u1"), ("t", "V3")]),
        lambda path: events.load_nmnist(path.parents[2], 3),
        beside=same(files.items()),
    )


def gestures(made: Seeds) -> Reader:
    """Tables of DVS128 Gesture."""
    recording = data_seeds.event_arrays(made.folder)[".aedat3"][0]
    table = f"{dvs_gesture.HEADER}\n1,0,90000\n2,100,99000\n".encode()
    files = {f"user0{n}_x.aedat": recording for n in (1, 2)} | {"user02_x_labels.csv": table}
    files |= {"trials_to_train.txt": b"user01_x.aedat\n", "trials_to_test.txt": b"user02_x.aedat\n"}
    return Reader(
        "events",
        "user01_x_labels.csv",
        [table],
        formats.of_lines(","),
        lambda path: dvs_gesture.load_gestures(path.parent, DataOptions()),
        beside=same(files.items()),
    )


def gesture_list(made: Seeds) -> Reader:
    """Lists of its files."""
    recording = data_seeds.event_arrays(made.folder)[".aedat3"][0]
    table = f"{dvs_gesture.HEADER}\n1,0,90000\n".encode()
    files = {f"user0{n}_x.aedat": recording for n in (1, 2)} | {f"user0{n}_x_labels.csv": table for n in (1, 2)}
    files |= {"trials_to_test.txt": b"user02_x.aedat\n"}
    return Reader(
        "events",
        "trials_to_train.txt",
        [b"user01_x.aedat\n"],
        formats.of_lines("_"),
        lambda path: dvs_gesture.load_gestures(path.parent, DataOptions()),
        beside=same(files.items()),
    )


def spike_trains(made: Seeds) -> Reader:
    """Spike trains of SHD."""
    trains = data_seeds.many_in_hdf5(made.folder)[1]

    def read(path: Path) -> object:
        return heidelberg.load_shd(path.parent, DataOptions())

    return Reader("events", "shd_train.h5", [trains], of_hdf5, read, beside=same([("shd_test.h5", trains)]))


def spoken_lists(_: Seeds) -> Reader:
    """Lists of Speech Commands."""
    words = sorted((*speech_commands.TEN, *speech_commands.OTHERS))
    files = {f"{word}/{n}.wav": b"" for word in words for n in range(3)}
    files |= {"testing_list.txt": "\n".join(f"{word}/0.wav" for word in words).encode()}
    valid = "\n".join(f"{word}/1.wav" for word in words).encode()
    return Reader(
        "data sets",
        "validation_list.txt",
        [valid],
        formats.of_lines("/"),
        lambda path: speech_commands._parts("speech-commands-35", path.parent, words),
        beside=same(files.items()),
    )
