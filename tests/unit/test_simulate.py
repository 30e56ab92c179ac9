"""What a simulation takes, how it is cut into batches, and what is said of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.chip.activity import Activity, Overflows, PopulationActivity
from spikewright.chip.network import ChipNetwork, Connection, Neuron, Population
from spikewright.data.dataset import Dataset
from spikewright.data.output_rule import OutputRule
from spikewright.data.split import Split
from spikewright.simulation import simulate as simulating
from spikewright.simulation.backends import BACKENDS, Backend, check_drive
from spikewright.simulation.integer import run
from spikewright.simulation.simulate import chosen_samples, data_for, drive_of, fitting, for_chip, remarks, simulate


def chip(timesteps: int = 4, outputs: int = 2, encoding: str = "direct", bits: int = 3) -> ChipNetwork:
    neuron = Neuron(4095, 0, 5, np.zeros(outputs, np.int64))
    populations = Population("in", (3,), "input", None, bits), Population("out", (outputs,), "readout", neuron)
    weight = np.arange(3 * outputs).reshape(outputs, 3)
    return ChipNetwork(populations, (Connection("in", "out", weight),), timesteps, encoding, "count", "none", "")


class Counting:
    """A simulator that notes how many samples it is given at once."""

    backend_name = "counting"

    def __init__(self) -> None:
        self.batches: list[int] = []

    def as_backend(self, chip: ChipNetwork, drive: np.ndarray, *, record_states: bool = False, progress: object = None):
        self.batches.append(drive.shape[1])
        return run(chip, drive)


IMAGES = np.linspace(0, 1, 33, dtype=np.float32).reshape(11, 3)
LABELS = np.arange(11) % 2


@pytest.mark.parametrize(("values", "batch", "batches"), [
    (2**28, 256, [11]), (2**28, 4, [4, 4, 3]), (3 * 20, 256, [3, 3, 3, 2]), (4 * 20 - 1, 256, [3, 3, 3, 2]),
    (3 * 20, 2, [2, 2, 2, 2, 2, 1]), (19, 256, [1] * 11), (0, 256, [1] * 11),
])  # fmt: skip
def test_batches_are_as_large_as_their_spikes_fit(
    values: int, batch: int, batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five neurons and four steps are twenty spikes a sample."""
    monkeypatch.setattr(simulating, "VALUES", values)
    counting = Counting()
    found = simulate(chip(), (IMAGES, LABELS), counting, batch=batch)
    assert counting.batches == batches
    assert (found.samples, found.backend, found.split) == (11, "counting", "test")
    whole = simulate(chip(), (IMAGES, LABELS))
    assert found.populations["out"].spikes.tolist() == whole.populations["out"].spikes.tolist()
    assert found.correct == whole.correct


def test_no_more_than_2_to_the_28_spikes_at_once() -> None:
    class Seen(Exception):
        pass

    class Looking:
        backend_name = "looking"

        def as_backend(self, chip: ChipNetwork, drive: np.ndarray, **_: object):
            raise Seen(drive.shape[1])

    for samples, timesteps in ((2, 2**25 + 1), (4, 2**24)):
        with pytest.raises(Seen, match=f"^{samples}$" if timesteps == 2**24 else "^1$"):
            simulate(
                replace(chip(timesteps, outputs=1), populations=chip(outputs=1).populations),
                (IMAGES, LABELS * 0),
                Looking(),
            )


def test_every_spike_is_recorded(tmp_path: Path) -> None:
    simulate(chip(bits=9), (IMAGES, LABELS), record=tmp_path / "spikes.h5", batch=4)
    with h5py.File(tmp_path / "spikes.h5") as file:
        assert (file.attrs["format"], file.attrs["format_version"]) == ("spikewright raster", 1)
        given, fired = file["spikes/0"], file["spikes/1"]
        assert (given.attrs["name"], fired.attrs["name"]) == ("in", "out")
        assert (given.shape, given.dtype, fired.shape, fired.dtype) == ((11, 4, 3), np.uint16, (11, 4, 2), np.uint8)
        assert given[:, 3].tolist() == np.rint(IMAGES * 511).astype(int).tolist()
        whole = run(chip(bits=9), drive_of(chip(bits=9), IMAGES))
        assert np.array_equal(fired[()], np.swapaxes(whole.spikes["out"], 0, 1))
        assert np.array_equal(file["scores"][()], whole.scores)
        assert file["scores"].dtype == np.int64


def test_scores_of_a_student_in_floats_are_recorded_as_such(tmp_path: Path) -> None:
    class InFloats:
        backend_name = "float"

        def as_backend(self, chip: ChipNetwork, drive: np.ndarray, **_: object):
            found = run(chip, drive)
            return replace(found, scores=found.scores.astype(np.float32) + np.float32(0.25))

    simulate(chip(), (IMAGES, LABELS), InFloats(), record=tmp_path / "spikes.h5")
    with h5py.File(tmp_path / "spikes.h5") as file:
        assert file["scores"].dtype == np.float32
        assert np.array_equal(file["scores"][()], run(chip(), drive_of(chip(), IMAGES)).scores + 0.25)


@pytest.mark.parametrize(("bits", "kind"), [(0, np.uint8), (1, np.uint8), (8, np.uint8), (9, np.uint16)])
def test_payloads_are_recorded_in_the_narrowest_type(bits: int, kind: type, tmp_path: Path) -> None:
    network = replace(chip(bits=bits), encoding="rate" if bits == 0 else "direct")
    simulate(network, (IMAGES, LABELS), record=tmp_path / "spikes.h5")
    with h5py.File(tmp_path / "spikes.h5") as file:
        assert file["spikes/0"].dtype == kind


def test_provenance_says_what_was_run_on_what() -> None:
    whole = Dataset.from_arrays(np.tile(IMAGES, (6, 1)), np.tile(LABELS, 6))
    unnamed = simulate(chip(), (IMAGES, LABELS), seed=7).provenance
    assert unnamed.keys() == {"source", "seed"}
    assert unnamed["seed"] == 7
    wide = replace(
        chip(), populations=(Population("in", (6, 1, 1), "input", None, 3), chip().output),
        connections=(Connection("in", "out", np.ones((2, 6), np.int64)),),
    )  # fmt: skip
    assert simulate(wide, whole, samples=2).provenance["data"] == whole.name


def test_the_bits_of_an_input_are_known() -> None:
    assert drive_of(chip(bits=2), IMAGES[-1:]).max() == 3
    noted = replace(chip(bits=0), provenance={"input_bits": 5})
    assert drive_of(noted, IMAGES[-1:]).max() == 31
    assert drive_of(chip(encoding="latency", bits=0), IMAGES[-1:]).max() == 1
    with pytest.raises(InputError) as refusal:
        drive_of(chip(bits=0), IMAGES)
    assert str(refusal.value) == (
        "the network's direct input does not say its bits (`input_bits` in its provenance); lower it again"
    )


def test_remarks_are_of_inexact_simulators_and_of_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    def said(backend: str, overflows: Overflows | None, **provenance: object) -> list[str]:
        counts = {"out": PopulationActivity(np.zeros(2, np.int64), 8, 0, overflows)}
        found = Activity(counts, {}, 1, 4, backend)
        return [str(each) for each in remarks(replace(chip(), provenance=provenance), found)]

    monkeypatch.setitem(BACKENDS, "rough", Backend(run, "rough", exact=False))
    for exact in ("integer", "float", "lava"):
        assert said(exact, Overflows()) == []
    assert said("rough", None) == [
        "the simulator 'rough' is not exact; its counts may differ from those of the chip network"
    ]
    for overflows, harmful in ((Overflows(wraps=1), True), (Overflows(clips=1), False), (Overflows(resets=1), True)):
        assert len(said("integer", overflows)) == 1
        assert len(said("integer", overflows, **{simulating.MEASURED: ["out"]})) == 1 + harmful


def test_only_the_first_samples_of_a_part_are_taken() -> None:
    pair = (IMAGES, LABELS)
    for samples in (1, 11):
        images, labels, recordings = chosen_samples(pair, "test", samples)
        assert (len(images), labels.tolist(), recordings) == (samples, LABELS[:samples].tolist(), None)
    assert len(chosen_samples(pair, "test", None).images) == 11
    for samples in (0, 12, -1):
        with pytest.raises(InputError) as refusal:
            chosen_samples(pair, "validation", samples)
        assert str(refusal.value) == (
            f"the validation part holds 11 samples and {samples} were asked for; ask for 1 or more that are there"
        )
    with pytest.raises(InputError, match=r"^the test part holds 0 samples; ask for 1 or more that are there$"):
        chosen_samples((IMAGES[:0], LABELS[:0]), "test", None)
    with pytest.raises(InputError, match=r"^11 images and 10 labels; every image needs one label$"):
        chosen_samples((IMAGES, LABELS[:10]), "test", None)
    windows = Split(IMAGES.reshape(11, 1, 1, 3), LABELS, recordings=np.arange(11) // 2)
    kept = chosen_samples(windows, "test", 3).recordings
    assert kept is not None
    assert kept.tolist() == [0, 0, 1]


def test_data_are_of_the_networks_classes() -> None:
    def data(classes: int) -> Dataset:
        labels = np.arange(60) % classes
        return Dataset.from_arrays(np.random.default_rng(0).random((60, 3), np.float32), labels)

    two = data(2)
    assert for_chip(two, chip(outputs=2)) is two
    for outputs, more in (
        (4, ", or, where 2 outputs stand for each class, lower it with population=2"),
        (3, ""),
    ):
        with pytest.raises(InputError) as refusal:
            for_chip(two, chip(outputs=outputs))
        assert str(refusal.value) == (
            f"data {two.name}: has 2 classes, and the network {outputs} classes; "
            f"use the data that it was trained on{more}"
        )
    values = replace(
        chip(outputs=2), meaning=OutputRule("regression", ("a", "b"), center=(0.0, 0.0), spread=(1.0, 1.0))
    )
    with pytest.raises(
        InputError, match=r"has 2 classes, and the network 2 values; use the data that it was trained on$"
    ):
        for_chip(two, values)
    for count in (1, 2):  # as many values as classes are no classes
        measured = IMAGES.repeat(6, 0)[:, :count] * 5
        with pytest.raises(InputError, match=rf"has {count} values, and the network 2 classes; use the data"):
            for_chip(Dataset.from_arrays(IMAGES.repeat(6, 0), measured, task="regression"), chip())


def test_a_pair_of_arrays_is_taken_as_it_is_and_other_things_are_refused() -> None:
    pair = (IMAGES, LABELS)
    assert data_for(chip(), pair) is pair
    part = Split(IMAGES.reshape(11, 1, 1, 3), LABELS)
    assert data_for(chip(), part) is part
    for wrong in ((IMAGES, LABELS, LABELS), (IMAGES, 3), IMAGES, 5):
        with pytest.raises(InputError, match=f"is of type {type(wrong).__name__}; may be a Dataset, such as"):
            data_for(chip(), wrong)


def test_samples_are_flattened_for_a_flat_input_alone() -> None:
    network = chip()
    assert fitting(network, IMAGES) is IMAGES
    square = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    flat = replace(
        network, populations=(Population("in", (6,), "input", None, 3), network.output),
        connections=(Connection("in", "out", np.ones((2, 6), np.int64)),),
    )  # fmt: skip
    assert fitting(flat, square)[:2].tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert fitting(flat, square).shape == (4, 6)
    grid = replace(
        flat, populations=(Population("in", (1, 2, 3), "input", None, 3), network.output),
    )  # fmt: skip
    for wrong, images in ((grid, square), (network, square), (flat, IMAGES)):
        said = f"the network's input takes samples of shape {wrong.input.shape} and the data has {images.shape[1:]}"
        with pytest.raises(InputError, match=f"^{re.escape(said)}; use the data that it was trained on$"):
            fitting(wrong, images)
    events = replace(flat, encoding="events", timesteps=5)
    assert fitting(events, np.zeros((4, 5, 2, 3), np.uint8)).shape == (4, 5, 6)


def test_a_drive_is_of_steps_samples_and_input_lines() -> None:
    network = chip(bits=3)
    for steps, value in ((1, 0), (4, 7)):
        check_drive(network, np.full((steps, 2, 3), value))
    said = "input population 'in': the drive "
    for drive, fault in (
        (np.zeros((1, 2, 4), int), "has shape (1, 2, 4); it must be (steps, samples, 3)"),
        (np.zeros((2, 3), int), "has shape (2, 3); it must be (steps, samples, 3)"),
        (np.zeros(3, int), "has shape (3,); it must be (steps, samples, 3)"),
        (np.zeros((1, 2, 3, 1), int), "has shape (1, 2, 3, 1); it must be (steps, samples, 3)"),
        (np.zeros((2, 5, 3), int), "has 2 steps of 5 samples; steps may be 1 or 4, samples at least 1"),
        (np.zeros((1, 0, 3), int), "has 1 steps of 0 samples; steps may be 1 or 4, samples at least 1"),
        (np.array([[[0, 8, 0]]]), "reaches 0..8; may be 0..7"),
        (np.array([[[0, -1, 7]]]), "reaches -1..7; may be 0..7"),
    ):
        with pytest.raises(InputError) as refusal:
            check_drive(network, drive)
        assert str(refusal.value) == said + fault
    with pytest.raises(InputError, match=r"reaches 0\.\.2; may be 0\.\.1$"):
        check_drive(chip(bits=0), np.array([[[0, 2, 0]]]))
    driven = replace(
        network, populations=(Population("in", (3,), "input", Neuron(4095, 0, 5, np.zeros(3, int))), network.output),
        encoding="current",
    )  # fmt: skip
    check_drive(driven, np.array([[[-4096, 0, 4095]]]))
    for low, high in ((-4097, 0), (0, 4096)):
        with pytest.raises(InputError, match=rf"reaches {low}\.\.{high}; may be -4096\.\.4095$"):
            check_drive(driven, np.array([[[low, 0, high]]]))


def test_a_rate_code_begins_with_the_first_sample_and_the_seed_0() -> None:
    rate = chip(timesteps=16, encoding="rate", bits=0)
    found = drive_of(rate, IMAGES)
    draws = np.stack([np.random.default_rng((0, sample)).random((16, 3)) for sample in range(11)], axis=1)
    assert np.array_equal(found, draws < IMAGES.astype(np.float64))
    assert np.array_equal(drive_of(rate, IMAGES[4:], first_index=4), found[:, 4:])
    assert not np.array_equal(drive_of(rate, IMAGES, seed=1), found)
