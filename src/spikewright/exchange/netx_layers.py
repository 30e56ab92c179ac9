"""The layers of a file in lava-dl's network exchange format, as typed values; whatever is not read is refused by name.

Files are data of others: sizes are held against what the file stores before anything is read, links are not followed,
and every fault of every layer is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ..base.artefacts import existing_file
from ..base.errors import InputError, refuse
from ..base.hdf5 import DAMAGED
from ..base.types import IntArray
from ..graph.nir_io import MOST_VALUES, TIGHTEST_PACKING
from ..graph.nodes import MOST_NEURONS

WHAT = "a network in lava-dl's exchange format, as its `export_hdf5` and `spikewright lower --emit netx` write it"
MOST_LAYERS = 1000
_MOST = 2**31 - 1
_ELSEWHERE = "such networks are read from NIR graphs"
_NO_LOADER = "lava-dl's own loader has none either"
REFUSED = {
    "dense_rec": f"is recurrent, which is not read from this format; {_ELSEWHERE}",
    "dense_comp": "has complex weights, which neurons with one membrane potential cannot take",
    "pool": f"pools; {_NO_LOADER}: write it as a convolution with one group for each channel",
    "convT": f"is a transposed convolution; {_NO_LOADER}",
    "unpool": f"spreads its input out; {_NO_LOADER}",
    "concat": f"joins several layers; {_NO_LOADER}, and {_ELSEWHERE}",
}
"""Layers that the format has and that are not read."""
_NEURONS = {
    "SDNN": "sigma-delta neurons",
    "AD": "neurons with an adaptive threshold",
    "ALIF": "neurons with an adaptive threshold",
    "RF": "resonate-and-fire neurons",
}
"""By what the name of a kind of neurons holds, kinds that are not read, in words."""
REGISTERS = ("iDecay", "vDecay", "vThMant")


@dataclass(frozen=True)
class Layer:
    """One layer of a file.

    Attributes:
        index: of the file, from 0.
        kind: ``input``, ``dense``, ``conv``, ``flatten`` or ``average``.
        shape: as the file has it, ``(neurons,)`` or ``(channels, rows, columns)``.
        numbers: whole numbers by name, int64: weight, bias, stride and so on.
        registers: of its neurons, by their names in the file; None for a layer without neurons of its own.
    """

    index: int
    kind: str
    shape: tuple[int, ...]
    numbers: Mapping[str, IntArray]
    registers: Mapping[str, int] | None

    @property
    def name(self) -> str:
        """Its name among the populations."""
        return "input" if self.kind == "input" else f"{self.kind}-{self.index}"

    @property
    def size(self) -> int:
        """How many neurons it has."""
        return prod(self.shape)


class _Fault(Exception):
    """What is wrong with a layer, without its name."""


def is_netx(path: Path | str) -> bool:
    """Whether a file is of lava-dl's format, and not a NIR graph; by its name where it cannot be read."""
    try:
        with h5py.File(path, "r") as file:
            return _member(file, "layer", h5py.Group) is not None and _member(file, "node", h5py.Group) is None
    except DAMAGED:
        return Path(path).suffix.lower() == ".net"


def layers_of(path: Path | str) -> tuple[list[Layer], int | None]:
    """The layers of a file, in order, and the timesteps of a sample that it notes, or None.

    Raises:
        InputError: no such file, not of this format, or all that is wrong with its layers, or not read.
    """
    source = existing_file(path, WHAT)
    try:
        with h5py.File(source, "r") as file:
            group = _member(file, "layer", h5py.Group)
            if group is None:
                raise InputError(f"{source}: is an HDF5 file without layers; expected {WHAT}")
            faults: list[str] = []
            layers = list(_layers(group, faults))
            steps = _steps(file, faults)
            refuse(str(source), faults)
            return layers, steps
    except OSError as error:
        how = "is truncated" if "truncated" in str(error) else "cannot be read as HDF5"
        raise InputError(f"{source}: {how}; expected {WHAT}") from None
    except DAMAGED as error:
        raise InputError(f"{source}: is damaged ({error}); expected {WHAT}") from error


def _layers(group: h5py.Group, faults: list[str]) -> Iterator[Layer]:
    count = len(group)
    if not 1 <= count <= MOST_LAYERS:
        faults.append(f"has {count} layers; may have 1..{MOST_LAYERS}")
        return
    for index in range(count):
        try:
            members = _member(group, str(index), h5py.Group)
            if members is None:
                raise _Fault(f"is missing; {count} layers are numbered from 0 to {count - 1}")
            kind = _kind(members)
        except _Fault as fault:
            faults.append(f"layer {index} {fault}")
            continue
        found: list[str] = []
        layer = _layer(index, kind, members, found)
        faults += [f"layer {index} ({kind}) {fault}" for fault in found]
        if layer is not None:
            yield layer


def _kind(members: h5py.Group) -> str:
    kind = _text(members, "type")
    if kind not in _FIELDS and kind not in REFUSED:
        known = ", ".join([*_FIELDS, *REFUSED])
        raise _Fault(f"is of the unknown type {kind[:40]!r}; types are {known}")
    return kind


_FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "input": ((), ("weight", "bias")),
    "dense": (("weight",), ("bias", "delay")),
    "conv": (("weight", "stride", "padding", "dilation", "groups"), ("bias", "delay")),
    "flatten": ((), ()),
    "average": ((), ()),
}
"""By type of a layer that is read, the arrays that it must have and those that it may have."""


def _layer(index: int, kind: str, members: h5py.Group, faults: list[str]) -> Layer | None:
    """A layer; all that is wrong with it is added to ``faults``, and where anything is, None is returned."""
    if kind in REFUSED:
        faults.append(REFUSED[kind])
    registers = _registers(members, faults)
    needed, optional = _FIELDS.get(kind, ((), ()))
    numbers: dict[str, IntArray] = {}
    for name in ("shape", *needed, *(each for each in (*optional, "delay") if each in members)):
        try:
            numbers[name] = _whole(members, name)
        except _Fault as fault:
            faults.append(str(fault))
    if "delay" in numbers and (longest := int(numbers["delay"].max(initial=0))) > 0:
        faults.append(f"delays spikes by up to {longest} steps, and connections of a chip network have no delays")
    if "delay" in numbers and int(numbers["delay"].min(initial=0)) < 0:
        faults.append("has negative delays")
    if kind == "dense" and "weight" in numbers and numbers["weight"].ndim == 2:
        faults += _contradictions(members, numbers["weight"].shape)
    if "shape" not in numbers:
        return None
    shape = tuple(int(size) for size in numbers["shape"].ravel()[:4])
    if len(shape) not in (1, 3) or min(shape) < 1 or prod(shape) > MOST_NEURONS:
        faults.append(f"has the shape {shape}; may be (neurons) or (channels, rows, columns) of up to {MOST_NEURONS:,}")
    return None if faults else Layer(index, kind, shape, numbers, registers)


def _contradictions(members: h5py.Group, shape: tuple[int, ...]) -> Iterator[str]:
    """Sizes of a dense layer that its weights are not of."""
    for name, size in zip(("outFeatures", "inFeatures"), shape, strict=True):
        try:
            if name in members and (said := _one(members, name)) != size:
                yield f"has {name} {said}, and its weights are {shape}"
        except _Fault as fault:
            yield str(fault)


def _registers(members: h5py.Group, faults: list[str]) -> Mapping[str, int] | None:
    if "neuron" not in members:
        return None
    neuron = _member(members, "neuron", h5py.Group)
    if neuron is None:
        faults.append("has a 'neuron' that is no group of this file")
        return None
    try:
        kind = _text(neuron, "type")
    except _Fault as fault:
        faults.append(f"has neurons, and they have {str(fault).removeprefix('has ')}")
        return None
    if kind not in ("LOIHI", "CUBA"):
        words = next((words for part, words in _NEURONS.items() if part in kind), "neurons of an unknown kind")
        faults.append(f"has {words} ({kind[:40]!r}); those that are read are LOIHI and CUBA, leaky integrate-and-fire")
        return None
    found: dict[str, int] = {}
    for name, usual in (*((each, None) for each in REGISTERS), *_ONLY.items()):
        if usual is not None and name not in neuron:
            continue
        try:
            found[name] = _one(neuron, name)
        except _Fault as fault:
            faults.append(f"has neurons, and they have {str(fault).removeprefix('has ')}")
            continue
        if usual is not None and found[name] != usual[0]:
            faults.append(f"has neurons with {name} {found[name]}, {usual[1]}")
    return found


_ONLY = {
    "refDelay": (1, "and a refractory time is not read: lava-dl's loader ignores it"),
    "wgtExp": (0, "which lava-dl's loader ignores: scale the weights in the file"),
    "gradedSpike": (0, "and graded spikes of neurons are not read"),
    "messageBits": (0, "and graded spikes of neurons are not read"),
}
"""Of neurons, what has to be as it usually is, and why."""


def _one(group: h5py.Group, name: str) -> int:
    numbers = _whole(group, name)
    if numbers.size != 1:
        raise _Fault(f"has a {name!r} of {numbers.size} values; one is read for a layer")
    return int(numbers.ravel()[0])


def _whole(group: h5py.Group, name: str) -> IntArray:
    """Whole numbers of a dataset, int64, in any type of the file."""
    values = _values(group, name)
    if values.dtype.kind not in "iufb":
        raise _Fault(f"has a {name!r} of type {values.dtype}; expected numbers")
    if not np.all(np.isfinite(values)) or np.any(np.abs(values.astype(np.float64)) > _MOST):
        raise _Fault(f"has a {name!r} that is not finite, or larger than 32 bits hold")
    if values.dtype.kind == "f" and (odd := values[values != np.rint(values)]).size:
        raise _Fault(f"has a {name!r} with {odd.size} values that are not whole, such as {odd[0]:g}; round them")
    return np.asarray(values, np.int64)


def _text(group: h5py.Group, name: str) -> str:
    value = _values(group, name).ravel()
    first = value[0] if value.size else None
    if not isinstance(first, bytes | str):
        raise _Fault(f"has a {name!r} that is no text")
    try:
        return first.decode("ascii") if isinstance(first, bytes) else first
    except UnicodeDecodeError:
        raise _Fault(f"has a {name!r} that is no text") from None


def _values(group: h5py.Group, name: str) -> Any:
    """The array of a dataset that lies in this file and does not claim more than it can hold."""
    dataset = _member(group, name, h5py.Dataset)
    if dataset is None:
        raise _Fault(f"has no {name!r}" if name not in group else f"has a {name!r} that is no array of this file")
    if dataset.shape is None or dataset.is_virtual or dataset.external:
        raise _Fault(f"has a {name!r} that is not stored in the file")
    stored = max(1, min(dataset.id.get_storage_size(), dataset.file.id.get_filesize()))
    if dataset.size > MOST_VALUES or dataset.nbytes > stored * TIGHTEST_PACKING:
        raise _Fault(f"has a {name!r} that claims {dataset.size} values and stores {stored} bytes")
    return np.asarray(dataset[()])


def _member(group: h5py.Group, name: str, kind: type) -> Any:
    """A member of this kind that is stored in this file, or None; links elsewhere are not looked at."""
    found = group.get(name) if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
    return found if isinstance(found, kind) else None


def _steps(file: h5py.File, faults: list[str]) -> int | None:
    """The timesteps of a sample, which files of lava-dl note and its loader does not read."""
    simulation = _member(file, "simulation", h5py.Group)
    if simulation is None or "tSample" not in simulation:
        return None
    try:
        steps, width = _one(simulation, "tSample"), _one(simulation, "Ts") if "Ts" in simulation else 1
        if width < 1 or steps % width:
            raise _Fault(f"has samples of {steps} and timesteps of {width}, which do not divide them")
        return steps // width
    except _Fault as fault:
        faults.append(f"group 'simulation' {fault}")
        return None
