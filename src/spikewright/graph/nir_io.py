"""Reading and writing NIR files: read as data and checked before memory is allocated, written atomically.

Reading builds nir's own nodes and skips nir's type check, which rejects grouped convolutions and harmless older forms;
:func:`spikewright.graph.wiring.wire` checks shapes instead. In files that are older than the fields, a missing
``v_reset`` is read as zero, ``w_in`` as one, and ``input_shape`` follows from the graph.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np

from ..base.artefacts import existing_file, write_bytes
from ..base.errors import InputError, a_kind, refuse
from ..base.hdf5 import DAMAGED
from .nodes import MOST_NEURONS, NEURONS, handled
from .wiring import FORMAT_VERSION

WHAT = "a NIR graph, as written by `spikewright to-nir` or any NIR exporter"
# More than the synapses of the largest published neuromorphic chip (Loihi 2: 120 million).
MOST_VALUES = 2**28
# DEFLATE never packs tighter than 1032 to 1 (RFC 1951): an array that claims more than that holds nothing real.
TIGHTEST_PACKING = 1100
MOST_METADATA = 2**16
"""Values of one entry of the metadata."""
_DEEPEST = 30  # levels of HDF5 groups
_LEGACY = {"v_reset": None, "w_in": 1.0, "input_shape": None, "input_type": None, "start_dim": 1, "end_dim": -1}
_KINDS: dict[str, type[nir.NIRNode]] = {
    kind.__name__: kind
    for kind in (
        nir.Affine, nir.AvgPool2d, nir.Conv1d, nir.Conv2d, nir.Delay, nir.Flatten, nir.Linear, nir.Scale, nir.SumPool2d,
        *NEURONS,
    )
}  # fmt: skip


def read_graph(path: Path | str) -> nir.NIRGraph:
    """Read a NIR graph from an HDF5 file; its metadata become strings, numbers, lists and dictionaries.

    Raises:
        InputError: the file is missing, truncated, not HDF5 or not a NIR graph, or every node that cannot be read.
    """
    source = existing_file(path, WHAT)
    try:
        with h5py.File(source, "r") as file:
            if not _is_here(file, "node", h5py.Group):
                raise InputError(f"{source}: {_instead(file)}; expected {WHAT}")
            found = _Found()
            graph = _graph(file["node"], "", found)
            refuse(str(source), found.faults)
            vars(graph)[FORMAT_VERSION] = _version(file)
            return graph
    except OSError as error:
        how = "is truncated" if "truncated" in str(error) else "cannot be read as HDF5"
        raise InputError(f"{source}: {how}; expected {WHAT}") from None
    except DAMAGED as error:
        raise InputError(f"{source}: is damaged ({error}); expected {WHAT}") from error


def write_graph(graph: nir.NIRGraph, path: Path | str) -> None:
    """Write a NIR graph to ``path``, atomically; equal graphs give equal bytes.

    Raises:
        InputError: the folder does not exist.
    """
    write_bytes(path, graph_bytes(graph))


def graph_bytes(graph: nir.NIRGraph) -> bytes:
    """The file of a NIR graph: made in memory, since HDF5 does not survive a disk that fills up.

    Raises:
        InputError: metadata that NIR cannot write.
    """
    for where, metadata in (("graph", graph.metadata), *((f"node {n!r}", m.metadata) for n, m in graph.nodes.items())):
        if _is_unwritable(metadata):
            raise InputError(f"NIR {where}: its metadata have an entry 'metadata', which NIR cannot write; rename it")
    buffer = io.BytesIO()
    nir.write(buffer, _with_scalars(graph))
    return buffer.getvalue()


def _with_scalars(node: Any) -> Any:
    """The same node or graph with numbers in place of arrays without an axis, which nir 1.0.8 does not write."""
    held = {name: _as_scalar(value) for name, value in vars(node).items()}
    if all(value is getattr(node, name) for name, value in held.items()):
        return node
    twin = copy(node)
    vars(twin).update(held)
    return twin


def _as_scalar(value: Any) -> Any:
    if isinstance(value, dict):
        found = {name: _as_scalar(each) for name, each in value.items()}
        return value if all(each is value[name] for name, each in found.items()) else found
    if isinstance(value, nir.NIRNode):
        return _with_scalars(value)
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _is_unwritable(metadata: Mapping[str, Any]) -> bool:
    """Whether an entry has the name by which NIR knows a group of metadata, and is none."""
    own = metadata.get("metadata", {})
    return not isinstance(own, dict) or any(
        _is_unwritable(each) for each in metadata.values() if isinstance(each, dict)
    )


def _instead(file: h5py.File) -> str:
    """What an HDF5 file without a NIR graph is."""
    if _is_here(file, "layer", h5py.Group):
        return "is a network of lava-dl's; read it with read_netx, or give it to `spikewright lower`"
    return "is an HDF5 file without a NIR graph"


class _Unreadable(Exception):
    """What is wrong with one node of a file, without the node's name."""


@dataclass
class _Found:
    """What was found in a file so far."""

    faults: list[str] = field(default_factory=list)
    groups: set[int] = field(default_factory=set)

    def enter(self, group: h5py.Group) -> None:
        """Note that a group is read; one that is linked in several places could be read without an end."""
        place = int(h5py.h5o.get_info(group.id).addr)
        if place in self.groups:
            raise _Unreadable(
                "is linked in several places of the file, or in itself; each node needs a group of its own"
            )
        self.groups.add(place)


def _graph(group: h5py.Group, prefix: str, found: _Found) -> nir.NIRGraph:
    nodes: dict[str, nir.NIRNode] = {}
    try:
        if group.name.count("/") > _DEEPEST:
            raise _Unreadable(f"is nested deeper than {_DEEPEST // 2} graphs")
        found.enter(group)
        members = _member(group, "nodes", h5py.Group)
        edges = list(_edges(_member(group, "edges", h5py.Dataset)))
        names, metadata = [_as_text(name) for name in members], _metadata(group, found)
    except _Unreadable as fault:
        found.faults.append(f"graph {prefix.rstrip('.') or 'at the top'!r} {fault}")
        return nir.NIRGraph({}, [], metadata={}, type_check=False)
    for name in names:
        try:
            nodes[name] = _node(members, name, f"{prefix}{name}.", found)
        except _Unreadable as fault:
            found.faults.append(f"node {prefix + name!r} {fault}")
    return nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False)


def _version(file: h5py.File) -> str:
    """The version of NIR that wrote a file; empty where none is said."""
    try:
        return _as_text(_value(_member(file, "version", h5py.Dataset)))
    except _Unreadable:
        return ""


def _edges(dataset: h5py.Dataset) -> Iterator[tuple[str, str]]:
    pairs = np.asarray(_value(dataset))
    if pairs.size == 0:
        return
    if pairs.ndim != 2 or pairs.shape[1] != 2:
        raise _Unreadable(f"has edges of shape {pairs.shape}; expected (n, 2)")
    for source, target in pairs:
        yield _as_text(source), _as_text(target)


def _node(parent: h5py.Group, name: str, prefix: str, found: _Found) -> nir.NIRNode:
    group = _member(parent, name, h5py.Group)
    kind = _as_text(_value(_member(group, "type", h5py.Dataset)))
    if kind == "NIRGraph":
        return _graph(group, prefix, found)
    found.enter(group)
    if kind in ("Input", "Output"):
        shape = np.asarray(_value(_member(group, "shape", h5py.Dataset)))
        metadata = _metadata(group, found)
        return nir.Input(shape, metadata=metadata) if kind == "Input" else nir.Output(shape, metadata=metadata)
    if kind not in _KINDS:
        raise _Unreadable(f"is of unknown type {kind!r}; handled are {handled()}")
    wanted = [f.name for f in fields(_KINDS[kind]) if f.name not in ("metadata", "output_type", "input_type")]
    values = {field: _field(group, field) for field in wanted}
    if kind == "Flatten":
        values["input_type"] = {"input": _field(group, "input_type")}
    metadata = _metadata(group, found)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", RuntimeWarning)  # of nir, which divides by what a node says
            return _KINDS[kind](**values, metadata=metadata)
    except (
        RuntimeWarning,
        AssertionError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        ArithmeticError,
    ) as error:
        raise _Unreadable(f"is {a_kind(kind)} with parameters that do not fit each other: {error}") from error


def _field(group: h5py.Group, name: str) -> Any:
    if name not in group:
        if name in _LEGACY:
            return _LEGACY[name]
        raise _Unreadable(f"has no {name!r}")
    dataset = _member(group, name, h5py.Dataset)
    if name != "weight" and (dataset.size or 0) > MOST_NEURONS:
        raise _Unreadable(f"has a {name!r} of {dataset.size} values; neurons are at most {MOST_NEURONS}")
    value = _value(dataset)
    if isinstance(value, bytes | str):
        return _as_text(value)
    return int(value) if isinstance(value, np.integer) else np.asarray(value)


def _member(group: h5py.Group, name: str, kind: type) -> Any:
    """A member that is stored in this file; links to other files are not followed."""
    if not _is_here(group, name, kind):
        raise _Unreadable(f"has no {name!r}")
    return group[name]


def _is_here(group: h5py.Group, name: str, kind: type) -> bool:
    """Whether a member is of this kind and is stored in this file; a link elsewhere is not even looked at."""
    return isinstance(group.get(name, getlink=True), h5py.HardLink) and isinstance(group.get(name), kind)


def _value(dataset: h5py.Dataset) -> Any:
    name = str(dataset.name).rsplit("/", 1)[-1]
    if dataset.shape is None or dataset.is_virtual or dataset.external:
        raise _Unreadable(f"has a {name!r} that is not stored in the file")
    is_text = h5py.check_string_dtype(dataset.dtype) is not None
    if dataset.dtype.kind not in "iufb" and not is_text:
        raise _Unreadable(f"has a {name!r} of type {dataset.dtype}; expected numbers or text")
    stored = max(min(dataset.id.get_storage_size(), dataset.file.id.get_filesize()), 1)
    if dataset.size > MOST_VALUES or dataset.nbytes > stored * TIGHTEST_PACKING:
        raise _Unreadable(f"has a {name!r} that claims {dataset.size} values and stores {stored} bytes")
    value = dataset[()]
    if isinstance(value, np.ndarray) and not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f" and not np.all(np.isfinite(value)):
        raise _Unreadable(f"has a {name!r} that is not finite everywhere")
    return value


def _metadata(group: h5py.Group, found: _Found) -> dict[str, Any]:
    return _plain(group["metadata"], found) if _is_here(group, "metadata", h5py.Group) else {}


def _plain(group: h5py.Group, found: _Found) -> dict[str, Any]:
    found.enter(group)
    plain: dict[str, Any] = {}
    for name in map(_as_text, group):
        member = group.get(name) if isinstance(group.get(name, getlink=True), h5py.HardLink) else None
        if isinstance(member, h5py.Group) and member.name.count("/") <= _DEEPEST:
            plain[name] = _plain(member, found)
        elif isinstance(member, h5py.Dataset):
            if (member.size or 0) > MOST_METADATA:
                raise _Unreadable(f"has {member.size:,} values of {name!r} in its metadata; may have {MOST_METADATA:,}")
            plain[name] = _said(_value(member))
    return plain


def _said(value: Any) -> Any:
    """A value of the metadata as text, a number, or lists of either."""
    plain = np.asarray(value).tolist() if not isinstance(value, bytes | str) else value
    if isinstance(plain, list):
        return [_said(each) for each in plain]
    return _as_text(plain) if isinstance(plain, bytes | str) else plain


def _as_text(value: object) -> str:
    if not isinstance(value, bytes | str):
        raise _Unreadable(f"has {value!r} where a name was expected")
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        raise _Unreadable(f"has text that is not UTF-8: {value!r}") from None
