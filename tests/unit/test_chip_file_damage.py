"""Damage in a chip network's file, each kind with its sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikewright.base.errors import InputError
from spikewright.chip import chip_file
from spikewright.chip.chip_file import load_chip, save_chip
from spikewright.chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population

CHIP = ChipNetwork(
    (
        Population("input", (1, 4, 4), "input", None),
        Population("out", (2, 3, 3), "readout", Neuron(4095, 0, 5, np.arange(18).reshape(2, 3, 3))),
    ),
    (Connection("input", "out", np.arange(8).reshape(2, 1, 2, 2), 8, ConvGeometry()),),
    4, "events", "count", "loihi2", "", {"seed": 1},
)  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    save_chip(CHIP, tmp_path / "chip.h5")
    return tmp_path / "chip.h5"


def said(path: Path) -> str:
    with pytest.raises(InputError) as refusal:
        load_chip(path)
    return str(refusal.value)


def damaged(path: Path, fault: str) -> None:
    assert said(path) == f"{path}: is a damaged chip network file: {fault}; lower the graph again"


def put(path: Path, name: str, value: np.ndarray) -> None:
    with h5py.File(path, "a") as file:
        del file[name]
        file[name] = value


def change_record(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    with h5py.File(path, "r") as file:
        record = json.loads(bytes(file["network"][()]))
    change(record)
    put(path, "network", np.frombuffer(json.dumps(record).encode(), np.uint8))


def test_it_is_whole_at_first(path: Path) -> None:
    read = load_chip(path)
    assert read.connections[0].conv == ConvGeometry()
    assert read.output.neuron is not None
    assert read.output.neuron.bias.tolist() == np.arange(18).reshape(2, 3, 3).tolist()
    assert read.input.neuron is None


@pytest.mark.parametrize("version", [0, 3, -1])
def test_other_versions(path: Path, version: int) -> None:
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = version
    assert f"has format version {version}; this spikewright reads 1 and 2" in said(path)


def test_a_nir_graph_is_said_to_be_one(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file.attrs["format"]
        file["node/a"] = 1
    assert said(path).startswith(f"{path}: is a NIR graph; expected a chip network file")


def test_a_kernel_has_four_axes(path: Path) -> None:
    change_record(path, lambda record: record["connections"][0].update(shape=[2, 4]))
    put(path, "weight/0", np.arange(8, dtype="<i2").reshape(2, 4))
    damaged(path, "weight/0 is a convolution's kernel and has shape (2, 4)")
    change_record(path, lambda record: record["connections"][0].update(shape=[2, 2, 2]))
    put(path, "weight/0", np.arange(8, dtype="<i2").reshape(2, 2, 2))
    damaged(path, "weight/0 is a convolution's kernel and has shape (2, 2, 2)")


@pytest.mark.parametrize(
    ("name", "kinds"), [("weight/0", "int8 or uint8 or int16"), ("bias/1", "int16")], ids=["weight", "bias"]
)
def test_arrays_of_other_shapes_and_types(path: Path, name: str, kinds: str) -> None:
    with h5py.File(path, "r") as file:
        shape, values = file[name].shape, file[name][()]
    put(path, name, values.astype(np.int32))
    damaged(path, f"{name} is missing or is not an {kinds} array")
    put(path, name, values.reshape(-1))
    damaged(path, f"{name} has shape ({values.size},), its record says {shape}")
    with h5py.File(path, "a") as file:
        del file[name]
    damaged(path, f"{name} is missing or is not an {kinds} array")
    with h5py.File(path, "a") as file:
        del file[name.split("/")[0]]
    damaged(path, f"{name} is missing or is not an {kinds} array")
    with h5py.File(path, "a") as file:
        file.create_group(name)
    damaged(path, f"{name} is missing or is not an {kinds} array")


def test_links_within_the_file_are_not_followed(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["elsewhere"] = file["weight/0"][()]
        del file["weight/0"]
        file["weight/0"] = h5py.SoftLink("/elsewhere")
    damaged(path, "weight/0 is missing or is not an int8 or uint8 or int16 array")


def test_values_that_lie_elsewhere_are_not_read(path: Path, tmp_path: Path) -> None:
    other, raw = tmp_path / "other.h5", tmp_path / "raw.bin"
    with h5py.File(other, "w") as file:
        file["w"] = np.zeros((2, 1, 2, 2), "<i2")
    raw.write_bytes(bytes(16))
    layout = h5py.VirtualLayout((2, 1, 2, 2), "<i2")
    layout[:] = h5py.VirtualSource(str(other), "w", (2, 1, 2, 2))
    with h5py.File(path, "a", libver="latest") as file:
        del file["weight/0"]
        file.create_virtual_dataset("weight/0", layout)
    damaged(path, "weight/0 is not stored whole in the file")
    save_chip(CHIP, path)
    with h5py.File(path, "a") as file:
        del file["weight/0"]
        file.create_dataset("weight/0", (2, 1, 2, 2), "<i2", external=[(str(raw), 0, 16)])
    damaged(path, "weight/0 is not stored whole in the file")
    save_chip(CHIP, path)
    with h5py.File(path, "a") as file:
        del file["weight/0"]
        file.create_dataset("weight/0", dtype="<i2", data=h5py.Empty("<i2"))
    damaged(path, "weight/0 is not stored whole in the file")


def test_texts_that_are_none(path: Path) -> None:
    put(path, "provenance", np.frombuffer(b"[1]", np.uint8))
    damaged(path, "its provenance is not a JSON object")
    for text in (b"{", b"\xff"):
        put(path, "provenance", np.frombuffer(text, np.uint8))
        assert "is a damaged chip network file: its text is not JSON in UTF-8 (" in said(path)
    put(path, "provenance", np.frombuffer(b"{}", np.uint8))
    assert load_chip(path).provenance == {}
    put(path, "network", np.zeros(3, np.int8))
    damaged(path, "network is missing or is not UTF-8 bytes")


@pytest.mark.parametrize(
    ("kind", "factor", "known"),
    [
        ("<i1", 3, "1 or 2"),
        ("<i1", -1, "1 or 2"),
        ("<u1", 2, "1 or -1"),
        ("<i2", 2, "1"),
        ("<i1", 0, "1 or 2"),
        ("<i1", "2", "1 or 2"),
        ("<i1", 2.0, "1 or 2"),
        ("<i1", np.array([2, 2]), "1 or 2"),
        ("<i1", None, "1 or 2"),
    ],
)
def test_factors_that_no_weights_have(path: Path, kind: str, factor: object, known: str) -> None:
    put(path, "weight/0", np.arange(8, dtype=kind).reshape(2, 1, 2, 2))
    with h5py.File(path, "a") as file:
        if factor is not None:
            file["weight/0"].attrs["factor"] = factor
    said_of = factor if isinstance(factor, int | str) else None
    kind = {"<i1": "int8", "<u1": "uint8", "<i2": "int16"}[kind]
    damaged(path, f"weight/0 has a factor of {said_of}; of {kind} it may be {known}")


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_narrow_weights_are_none_of_version_1(path: Path, kind: str) -> None:
    put(path, "weight/0", np.arange(8, dtype=kind).reshape(2, 1, 2, 2))
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = 1
    damaged(path, "weight/0 is missing or is not an int16 array")


@pytest.mark.parametrize("value", [-257, 256, 32767])
def test_weights_that_no_chip_has(path: Path, value: int) -> None:
    put(path, "weight/0", np.full((2, 1, 2, 2), value, "<i2"))
    with h5py.File(path, "a") as file:
        file["weight/0"].attrs["factor"] = 1
    damaged(path, f"chip network: connection input->out: weights reach {value}..{value}; may be -256..255")


def test_arrays_larger_than_the_memory_are_refused_before_they_are_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chip_file, "available_bytes", lambda: 100)
    said_of = "bias/1 takes 1.34e-07 GiB of memory, and 9.31e-08 GiB are there"  # 18 numbers of 8 bytes
    assert said(path) == f"{path}: {said_of}; end other programs, or read it on a machine that has more"
    monkeypatch.setattr(chip_file, "available_bytes", lambda: 18 * 8)
    assert load_chip(path).output.size == 18


def test_types_that_numpy_has_not(path: Path) -> None:
    with h5py.File(path, "a") as file:
        del file["weight/0"].attrs["factor"]
        scalar = h5py.h5s.create(h5py.h5s.SCALAR)
        h5py.h5a.create(file["weight/0"].id, b"factor", h5py.h5t.UNIX_D32LE.copy(), scalar)
    assert said(path) == f"{path}: is damaged (No NumPy equivalent for TypeTimeID exists); lower the graph again"
