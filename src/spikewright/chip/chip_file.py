"""The chip network's file: HDF5, integers only, read as data and checked before anything is allocated.

Layout, version 1: root attributes ``format`` and ``format_version``; ``network`` and ``provenance``, each JSON text;
``bias/<population index>`` and ``weight/<connection index>``, int16, contiguous and uncompressed, so that an array can
never be larger than the file that holds it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import h5py
import numpy as np
from pydantic import Field, NonNegativeInt, ValidationError

from ..base.artefacts import existing_file
from ..base.bounds import MOST_COUNT
from ..base.errors import InputError
from ..base.hdf5 import DAMAGED, new_hdf5
from ..base.headers import faults_of, read_json
from ..base.types import Encoding, IntArray, Readout
from ..data.input_rule import InputRule
from ..data.output_rule import CLASSES, OutputRule
from .network import ChipNetwork, Connection, ConvGeometry, Neuron, Population, Role
from .records import Record

FORMAT = "spikewright chip network"
FORMAT_VERSION = 1
WHAT = "a chip network file, as written by `spikewright lower`"

_Count = Annotated[int, Field(ge=1, le=MOST_COUNT)]


class _NeuronRecord(Record):
    du: int
    dv: int
    vth: int
    bias_exp: int
    fires: bool
    law: str = "lif"


class _PopulationRecord(Record):
    name: str
    shape: Annotated[tuple[_Count, ...], Field(min_length=1, max_length=3)]
    role: Role
    payload_bits: Annotated[int, Field(ge=0, le=32)]  # as wide as a profile's graded spikes may be
    neuron: _NeuronRecord | None


class _ConvRecord(Record):
    stride: tuple[_Count, _Count]
    padding: tuple[NonNegativeInt, NonNegativeInt]
    dilation: tuple[_Count, _Count]
    groups: _Count


class _ConnectionRecord(Record):
    source: str
    target: str
    shape: Annotated[tuple[_Count, ...], Field(min_length=2, max_length=4)]
    weight_bits: _Count
    conv: _ConvRecord | None


class _NetworkRecord(Record):
    """Everything of a chip network but its arrays and its provenance."""

    timesteps: Annotated[int, Field(le=MOST_COUNT)]
    encoding: Encoding
    readout: Readout
    profile: str
    profile_sha256: str
    populations: tuple[_PopulationRecord, ...]
    connections: tuple[_ConnectionRecord, ...]
    input_rule: InputRule | None = None
    meaning: OutputRule = CLASSES


def save_chip(chip: ChipNetwork, path: Path | str) -> None:
    """Write ``chip`` to ``path``, atomically; the same network gives the same bytes.

    Raises:
        InputError: the folder does not exist.
    """
    network = _NetworkRecord.model_validate(chip, from_attributes=True).model_dump_json(exclude_defaults=True)
    provenance = json.dumps(chip.provenance, sort_keys=True, allow_nan=False)
    with new_hdf5(path) as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        file["network"] = np.frombuffer(network.encode(), np.uint8)
        file["provenance"] = np.frombuffer(provenance.encode(), np.uint8)
        for index, population in enumerate(chip.populations):
            if population.neuron is not None:
                file[f"bias/{index}"] = population.neuron.bias.astype("<i2")
        for index, connection in enumerate(chip.connections):
            file[f"weight/{index}"] = connection.weight.astype("<i2")


def load_chip(path: Path | str) -> ChipNetwork:
    """Read a chip network.

    Raises:
        InputError: no such file, not HDF5, truncated, of another kind or version, or inconsistent in itself.
    """
    source = existing_file(path, WHAT)
    try:
        with h5py.File(source, "r") as file:
            if _attribute(file, "format") != FORMAT:
                kind = "a NIR graph" if "node" in file else "an HDF5 file of another kind"
                raise InputError(f"{source}: is {kind}; expected {WHAT}")
            if (version := _attribute(file, "format_version")) != FORMAT_VERSION:
                raise InputError(
                    f"{source}: has format version {version}; this spikewright reads {FORMAT_VERSION}: lower the graph "
                    "again or use the spikewright that wrote it"
                )
            return _network(file)
    except _DamagedError as error:
        raise InputError(f"{source}: is a damaged chip network file: {error}; lower the graph again") from None
    except OSError as error:
        how = "is truncated" if "truncated" in str(error) else "cannot be read as HDF5"
        raise InputError(f"{source}: {how}; expected {WHAT}") from None
    except DAMAGED as error:
        raise InputError(f"{source}: is damaged ({error}); lower the graph again") from error


def _attribute(file: h5py.File, name: str) -> object:
    """A text or a whole number at the head of the file; None for whatever else it is."""
    value = file.attrs.get(name)
    return value if isinstance(value, str) else int(value) if isinstance(value, np.integer) else None


class _DamagedError(Exception):
    """Something in the file that no writer of ours leaves behind."""


def _network(file: h5py.File) -> ChipNetwork:
    try:
        record = _NetworkRecord.model_validate_json(_text(file, "network"))
        provenance = read_json(_text(file, "provenance"))
    except ValidationError as error:
        raise _DamagedError("; ".join(faults_of(error))) from None
    except InputError as error:  # of a rule of its input or output, as data of one's own give it
        raise _DamagedError(error.message) from None
    except ValueError as error:
        raise _DamagedError(f"its text is not JSON in UTF-8 ({error})") from None
    if not isinstance(provenance, dict):
        raise _DamagedError("its provenance is not a JSON object")
    populations = tuple(_population(file, i, p) for i, p in enumerate(record.populations))
    connections = tuple(_connection(file, i, c) for i, c in enumerate(record.connections))
    facts = {name: value for name, value in record if name not in ("populations", "connections")}
    try:
        return ChipNetwork(populations, connections, provenance=provenance, **facts)
    except InputError as error:
        raise _DamagedError(error.message) from None


def _population(file: h5py.File, index: int, record: _PopulationRecord) -> Population:
    neuron = None
    if record.neuron is not None:
        neuron = Neuron(bias=_integers(file, f"bias/{index}", record.shape), **dict(record.neuron))
    return Population(**dict(record) | {"neuron": neuron})


def _connection(file: h5py.File, index: int, record: _ConnectionRecord) -> Connection:
    weight = _integers(file, f"weight/{index}", record.shape)
    if record.conv is not None and weight.ndim != 4:
        raise _DamagedError(f"weight/{index} is a convolution's kernel and has shape {weight.shape}")
    conv = None if record.conv is None else ConvGeometry(**dict(record.conv))
    return Connection(record.source, record.target, weight, record.weight_bits, conv)


def _integers(file: h5py.File, name: str, shape: tuple[int, ...]) -> IntArray:
    dataset = _dataset(file, name, np.dtype("<i2"), "an int16 array")
    if dataset.shape != shape:
        raise _DamagedError(f"{name} has shape {dataset.shape}, its record says {shape}")
    return np.asarray(dataset[()], np.int64)


def _text(file: h5py.File, name: str) -> str:
    return bytes(_dataset(file, name, np.dtype(np.uint8), "UTF-8 bytes")[()]).decode()


def _dataset(file: h5py.File, name: str, dtype: np.dtype[np.generic], what: str) -> h5py.Dataset:
    """A dataset whose values lie whole in this very file: no link elsewhere, nothing that unpacks to more."""
    node: h5py.Group | h5py.Dataset | None = file
    for part in name.split("/"):
        is_link_here = isinstance(node, h5py.Group) and isinstance(node.get(part, getlink=True), h5py.HardLink)
        node = node.get(part) if node is not None and is_link_here else None
    if not isinstance(node, h5py.Dataset) or node.dtype != dtype:
        raise _DamagedError(f"{name} is missing or is not {what}")
    if node.shape is None or node.is_virtual or node.external or node.id.get_storage_size() != node.nbytes:
        raise _DamagedError(f"{name} is not stored whole in the file")
    return node
