"""The chip network's file: HDF5, integers only, read as data and checked before anything is allocated.

Layout, version 2: root attributes ``format`` and ``format_version``; ``network`` and ``provenance``, each JSON text;
``bias/<population index>``, int16, and ``weight/<connection index>``, of eight bits where they suffice, with the
attribute ``factor``; contiguous and uncompressed, so that an array can never be larger than the file that holds it. In
version 1 all weights are int16 and have no factor.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import numpy.typing as npt
from pydantic import Field, NonNegativeInt, ValidationError

from ..base.artefacts import existing_file
from ..base.bounds import MOST_COUNT
from ..base.errors import InputError
from ..base.hdf5 import DAMAGED, new_hdf5
from ..base.headers import faults_of, read_json
from ..base.memory import available_bytes, in_gib
from ..base.types import Encoding, Readout
from ..data.input_rule import InputRule
from ..data.output_rule import CLASSES, OutputRule
from .network import ChipNetwork, Connection, ConvGeometry, Neuron, Population, Role
from .records import Record
from .weights import PackedWeights

FORMAT = "spikewright chip network"
FORMAT_VERSION = 2
VERSIONS = (1, 2)
"""Those that are read."""
FACTOR = "factor"
_INT16 = np.dtype("<i2")
_WEIGHTS: dict[int, dict[np.dtype[Any], tuple[int, ...]]] = {
    1: {_INT16: (1,)},
    2: {np.dtype(np.int8): (1, 2), np.dtype(np.uint8): (1, -1), _INT16: (1,)},
}
"""By version, the types that weights may have, and their factors."""
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
            values = connection.packed.values
            file[f"weight/{index}"] = values.astype(values.dtype.newbyteorder("<"), copy=False)
            file[f"weight/{index}"].attrs[FACTOR] = np.int8(connection.packed.factor)


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
            version = _attribute(file, "format_version")
            if not isinstance(version, int) or version not in VERSIONS:
                raise InputError(
                    f"{source}: has format version {version}; this spikewright reads {' and '.join(map(str, VERSIONS))}"
                    ": lower the graph again or use the spikewright that wrote it"
                )
            return _network(file, version)
    except _DamagedError as error:
        raise InputError(f"{source}: is a damaged chip network file: {error}; lower the graph again") from None
    except _TooLargeError as error:
        raise InputError(f"{source}: {error}; end other programs, or read it on a machine that has more") from None
    except OSError as error:
        how = "is truncated" if "truncated" in str(error) else "cannot be read as HDF5"
        raise InputError(f"{source}: {how}; expected {WHAT}") from None
    except (*DAMAGED, TypeError) as error:  # of h5py: a type of numbers that NumPy has not
        raise InputError(f"{source}: is damaged ({error}); lower the graph again") from error


def _attribute(file: h5py.File | h5py.Dataset, name: str) -> object:
    """A text or a whole number at the head of the file or of an array; None for whatever else it is."""
    value = file.attrs.get(name)
    return value if isinstance(value, str) else int(value) if isinstance(value, np.integer) else None


class _DamagedError(Exception):
    """Something in the file that no writer of ours leaves behind."""


class _TooLargeError(Exception):
    """An array that does not fit the memory."""


def _network(file: h5py.File, version: int) -> ChipNetwork:
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
    connections = tuple(_connection(file, i, c, version) for i, c in enumerate(record.connections))
    facts = {name: value for name, value in record if name not in ("populations", "connections")}
    try:
        return ChipNetwork(populations, connections, provenance=provenance, **facts)
    except InputError as error:
        raise _DamagedError(error.message) from None


def _population(file: h5py.File, index: int, record: _PopulationRecord) -> Population:
    neuron = None
    if record.neuron is not None:
        found = _array(file, f"bias/{index}", {_INT16: (1,)}, record.shape)
        neuron = Neuron(bias=_read(found, np.int64), **dict(record.neuron))
    return Population(**dict(record) | {"neuron": neuron})


def _connection(file: h5py.File, index: int, record: _ConnectionRecord, version: int) -> Connection:
    name = f"weight/{index}"
    found = _array(file, name, _WEIGHTS[version], record.shape)
    if record.conv is not None and len(record.shape) != 4:
        raise _DamagedError(f"{name} is a convolution's kernel and has shape {record.shape}")
    factor = 1 if version == 1 else _attribute(found, FACTOR)
    if not isinstance(factor, int) or factor not in _WEIGHTS[version][found.dtype]:
        known = " or ".join(map(str, _WEIGHTS[version][found.dtype]))
        raise _DamagedError(f"{name} has a factor of {factor}; of {found.dtype} it may be {known}")
    values = _read(found, found.dtype.type)
    weight = PackedWeights.of(values) if found.dtype == _INT16 else PackedWeights(values, factor)
    conv = None if record.conv is None else ConvGeometry(**dict(record.conv))
    return Connection(record.source, record.target, weight, record.weight_bits, conv)


def _array(
    file: h5py.File, name: str, kinds: Mapping[np.dtype[Any], tuple[int, ...]], shape: tuple[int, ...]
) -> h5py.Dataset:
    """A dataset of one of these types, of this shape."""
    dataset = _dataset(file, name, kinds, f"an {' or '.join(map(str, kinds))} array")
    if dataset.shape != shape:
        raise _DamagedError(f"{name} has shape {dataset.shape}, its record says {shape}")
    return dataset


def _read(dataset: h5py.Dataset, kind: type[np.integer[Any]]) -> npt.NDArray[Any]:
    """The numbers of a dataset in native order; nothing is held twice.

    Raises:
        _TooLargeError: they take more memory than there is.
    """
    needed, room = dataset.size * np.dtype(kind).itemsize, available_bytes()
    if needed > room:
        raise _TooLargeError(f"{dataset.name[1:]} takes {in_gib(needed)} of memory, and {in_gib(room)} are there")
    found = np.empty(dataset.shape, kind)
    if found.size:
        dataset.read_direct(found)
    return found


def _text(file: h5py.File, name: str) -> str:
    return bytes(_dataset(file, name, (np.dtype(np.uint8),), "UTF-8 bytes")[()]).decode()


def _dataset(file: h5py.File, name: str, kinds: Container[np.dtype[Any]], what: str) -> h5py.Dataset:
    """A dataset whose values lie whole in this very file: no link elsewhere, nothing that unpacks to more."""
    node: h5py.Group | h5py.Dataset | None = file
    for part in name.split("/"):
        is_link_here = isinstance(node, h5py.Group) and isinstance(node.get(part, getlink=True), h5py.HardLink)
        node = node.get(part) if node is not None and is_link_here else None
    if not isinstance(node, h5py.Dataset) or node.dtype not in kinds:
        raise _DamagedError(f"{name} is missing or is not {what}")
    if node.shape is None or node.is_virtual or node.external or node.id.get_storage_size() != node.nbytes:
        raise _DamagedError(f"{name} is not stored whole in the file")
    return node
