"""The chip network's file gives back what was written, and says in one sentence what is wrong with any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.chip import chip_file
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population


@pytest.fixture
def chip() -> ChipNetwork:
    draw = np.random.default_rng(0)
    lif = Neuron(du=4095, dv=164, vth=900, bias=draw.integers(-4096, 4096, (3, 4, 4)), bias_exp=5)
    readout = Neuron(du=2000, dv=0, vth=2**17 - 1, bias=np.zeros(2, np.int64), fires=False)
    return ChipNetwork(
        populations=(
            Population("input", (1, 8, 8), "input", None, payload_bits=8),
            Population("block.lif", (3, 4, 4), "hidden", lif),
            Population("out/readout", (2,), "readout", readout),
        ),
        connections=(
            Connection("input", "block.lif", draw.integers(-256, 256, (3, 1, 2, 2)), 9, ConvGeometry(stride=(2, 2))),
            Connection("block.lif", "out/readout", draw.integers(-256, 256, (2, 48)), 8),
        ),
        timesteps=4,
        encoding="direct",
        readout="membrane",
        profile="loihi2",
        profile_sha256="ab" * 32,
        provenance={"seed": 1, "scales": {"block.lif": 12.5}},
    )


def test_a_chip_network_survives_its_file(chip: ChipNetwork, tmp_path: Path) -> None:
    save_chip(chip, tmp_path / "chip.h5")
    again = load_chip(tmp_path / "chip.h5")
    for name in ("timesteps", "encoding", "readout", "profile", "profile_sha256", "provenance"):
        assert getattr(again, name) == getattr(chip, name)
    for mine, theirs in zip(chip.populations, again.populations, strict=True):
        assert (mine.name, mine.shape, mine.role, mine.payload_bits) == (
            theirs.name,
            theirs.shape,
            theirs.role,
            theirs.payload_bits,
        )
        assert (mine.neuron is None) == (theirs.neuron is None)
        if mine.neuron is not None and theirs.neuron is not None:
            np.testing.assert_array_equal(mine.neuron.bias, theirs.neuron.bias)
            assert theirs.neuron.bias.dtype == np.int64
            for register in ("du", "dv", "vth", "bias_exp", "fires"):
                assert getattr(mine.neuron, register) == getattr(theirs.neuron, register)
    for one, other in zip(chip.connections, again.connections, strict=True):
        assert (one.source, one.target, one.weight_bits, one.conv) == (
            other.source,
            other.target,
            other.weight_bits,
            other.conv,
        )
        np.testing.assert_array_equal(one.weight, other.weight)
        assert other.weight.dtype == np.int64


WEIGHTS = [
    ([-128, 0, 127], "int8", 1),
    ([0, 255, 3], "uint8", 1),
    ([-256, 254, 2], "int8", 2),
    ([-255, 0, -3], "uint8", -1),
    ([-256, -2, 0], "int8", 2),
    ([-256, -3, 0], "int16", 1),
    ([-255, 255, 2], "int16", 1),
    ([-129, 127, 0], "int16", 1),
    ([0, 0, 0], "int8", 1),
]
"""Weights, and how they lie in memory and in the file."""


@pytest.mark.parametrize(("weights", "kind", "factor"), WEIGHTS)
def test_weights_take_a_byte_each_where_they_can(
    weights: list[int], kind: str, factor: int, chip: ChipNetwork, tmp_path: Path
) -> None:
    whole = np.resize(np.array(weights), (2, 48))
    made = replace(chip, connections=(chip.connections[0], replace(chip.connections[1], weight=whole)))
    save_chip(made, tmp_path / "chip.h5")
    with h5py.File(tmp_path / "chip.h5") as file:
        stored = file["weight/1"]
        assert (stored.dtype, stored.attrs["factor"]) == (np.dtype(kind), factor)
        np.testing.assert_array_equal(stored[()].astype(np.int64) * factor, whole)
    for each in (made, load_chip(tmp_path / "chip.h5")):
        assert (each.connections[1].packed.values.dtype, each.connections[1].packed.factor) == (np.dtype(kind), factor)
        assert each.connections[1].weight.dtype == np.int64
        np.testing.assert_array_equal(each.connections[1].weight, whole)


@pytest.mark.parametrize(("weights", "kind", "factor"), WEIGHTS)
def test_files_of_version_1_are_read(
    weights: list[int], kind: str, factor: int, chip: ChipNetwork, tmp_path: Path
) -> None:
    whole = np.resize(np.array(weights), (2, 48))
    made = replace(chip, connections=(chip.connections[0], replace(chip.connections[1], weight=whole)))
    save_chip(made, tmp_path / "new.h5")
    save_chip(made, tmp_path / "old.h5")
    with h5py.File(tmp_path / "old.h5", "a") as file:
        file.attrs["format_version"] = 1
        for index, connection in enumerate(made.connections):
            del file[f"weight/{index}"]
            file[f"weight/{index}"] = connection.weight.astype("<i2")
    read = load_chip(tmp_path / "old.h5")
    assert (read.connections[1].packed.values.dtype, read.connections[1].packed.factor) == (np.dtype(kind), factor)
    save_chip(read, tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == (tmp_path / "new.h5").read_bytes()


def test_the_same_network_gives_the_same_bytes(chip: ChipNetwork, tmp_path: Path) -> None:
    save_chip(chip, tmp_path / "one.h5")
    save_chip(chip, tmp_path / "two.h5")
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


EXPECTED = "expected a chip network file, as written by `spikewright lower`"


def _message(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_chip(path)
    return str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none.h5"
    assert _message(path) == f"{path}: there is no such file; {EXPECTED}"


@pytest.mark.parametrize("content", [b"", b"not HDF5 at all"])
def test_what_is_not_hdf5_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "chip.h5"
    path.write_bytes(content)
    assert _message(path) == f"{path}: cannot be read as HDF5; {EXPECTED}"


def test_a_truncated_file_is_refused(chip: ChipNetwork, tmp_path: Path) -> None:
    path = tmp_path / "chip.h5"
    save_chip(chip, path)
    path.write_bytes(path.read_bytes()[:-100])
    assert _message(path) == f"{path}: is truncated; {EXPECTED}"


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["layer/0/type"] = 3
    assert _message(path) == f"{path}: is an HDF5 file of another kind; {EXPECTED}"


def test_a_later_version_is_refused(chip: ChipNetwork, tmp_path: Path) -> None:
    path = tmp_path / "chip.h5"
    save_chip(chip, path)
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = 3
    assert _message(path) == (
        f"{path}: has format version 3; this spikewright reads 1 and 2: lower the graph again or use the spikewright "
        "that wrote it"
    )


def test_an_array_that_promises_more_than_it_stores_is_refused(chip: ChipNetwork, tmp_path: Path) -> None:
    path = tmp_path / "chip.h5"
    save_chip(chip, path)
    with h5py.File(path, "a") as file:
        del file["weight/1"]
        file.create_dataset("weight/1", shape=(1 << 20, 1 << 20), dtype="<i2", chunks=(1024, 1024), compression="gzip")
    assert "weight/1 is not stored whole in the file" in _message(path)


def test_a_link_out_of_the_file_is_not_followed(chip: ChipNetwork, tmp_path: Path) -> None:
    path = tmp_path / "chip.h5"
    save_chip(chip, tmp_path / "other.h5")
    save_chip(chip, path)
    with h5py.File(path, "a") as file:
        del file["weight/1"]
        file["weight/1"] = h5py.ExternalLink("other.h5", "weight/1")
    assert "weight/1 is missing or is not an int8 or uint8 or int16 array" in _message(path)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"timesteps":4', b'"timesteps":0', "timesteps is 0; at least 1"),
        (b'"role":"readout"', b'"role":"readot_"', "Input should be 'input'"),
        (b'"stride":[2,2]', b'"stride":[2,0]', "greater than or equal to 1"),
        (b'"shape":[2,48]', b'"shape":[2,49]', "weight/1 has shape (2, 48), its record says (2, 49)"),
        (b'"vth":900', b'"vth":-90', "vth is -90; may be 0..131071"),
    ],
)
def test_an_inconsistent_record_is_refused(
    chip: ChipNetwork, tmp_path: Path, old: bytes, new: bytes, says: str
) -> None:
    path = tmp_path / "chip.h5"
    save_chip(chip, path)
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    message = _message(path)
    assert message.startswith(f"{path}: is a damaged chip network file: ") and says in message


def test_an_interrupted_write_leaves_the_old_file(chip: ChipNetwork, tmp_path: Path) -> None:
    path = tmp_path / "chip.h5"
    save_chip(chip, path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        save_chip(chip.with_provenance(bad=float("nan")), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["chip.h5"]


def test_the_page_of_the_file_names_every_field() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "chip-file.md").read_text()
    records = (chip_file._NetworkRecord, chip_file._PopulationRecord, chip_file._NeuronRecord,
               chip_file._ConnectionRecord, chip_file._ConvRecord)  # fmt: skip
    fields = [*(name for record in records for name in record.model_fields), "format", "format_version", "provenance"]
    assert [name for name in fields if f"`{name}`" not in page] == []
    assert chip_file.FORMAT in page
    assert f"version {chip_file.FORMAT_VERSION}" in page
