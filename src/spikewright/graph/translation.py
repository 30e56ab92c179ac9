"""A graph written anew for another tool, so that this one computes the same spikes; what it computes differently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import nir
import numpy as np

from ..base.errors import InputError, arg, check_type, did_you_mean, refuse
from ..base.types import Reset
from ..base.version import __version__
from ..chip.registers import GRID_KEY
from .fields import NodeFault
from .nir_io import read_graph
from .nodes import NeuronConstants, constants_of
from .other_maps import OtherMaps
from .producers import PRODUCERS
from .readers import BEYOND, READERS, STEP_S, WRITTEN_FOR, Reader, never_firing
from .time_step import Convention, Reading, assumptions, read_as
from .wiring import RESET_KEY, Wiring, wire

_OF_THE_GRAPH = ("dt_s", "reset_note", "assumed", GRID_KEY, STEP_S, WRITTEN_FOR)
"""Metadata that do not hold for the graph that is written."""
_LISTED = 4
"""Nodes that a remark lists at most."""
_ROUNDED = 1e-6
"""Relative difference of gains that the rounding of constants to float32 makes."""


class WrittenGraph(nir.NIRGraph):  # type: ignore[misc]
    """A graph in the convention of a tool; :func:`nir.write` leaves out what the nir of that tool does not know.

    Attributes:
        assumed: what was assumed of the graph that it was made from, as sentences.
        remarks: what the tool computes differently, and what one has to tell it, as sentences.
        leaves_out: fields of nodes that are not written.
    """

    assumed: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    leaves_out: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The graph as nir writes it."""
        found: dict[str, Any] = super().to_dict()
        found["type"] = "NIRGraph"
        for node in found["nodes"].values():
            for name in self.leaves_out:
                node.pop(name, None)
        return found


def translate(
    graph: nir.NIRGraph | str | Path,
    reader: str,
    *,
    dt_s: float | None = None,
    producer: str | None = None,
    reset: str | None = None,
) -> WrittenGraph:
    """Write a NIR graph of any tool in the convention of another one.

    The metadata say for which tool it is, so that it is read here as what it was made from.

    Args:
        graph: or the path of its file.
        reader: the tool that is to read it: sinabs, rockpool, norse, snntorch, spikingjelly, or nir-1.0.4.
        dt_s: of the graph as it is, as in :func:`spikewright.lower`, and so are ``producer`` and ``reset``.

    Returns:
        The graph, whose ``remarks`` say what the tool computes differently, and what one has to tell it; ``assumed``
        is what was assumed of the graph that was given.

    Raises:
        InputError: no such tool; the graph has faults; everything in it that the tool cannot take.
    """
    if isinstance(graph, str | Path):
        graph = read_graph(graph)
    check_type("graph", graph, nir.NIRGraph, "a NIR graph, such as nir.read(path), or the path of its file")
    known = reader_of(reader)
    reading = read_as(wire(graph), graph.metadata, Convention(dt_s, producer, reset))
    maps = OtherMaps(reading.wiring, known)
    faults = list(maps.rewrite())
    readouts = list(_neurons(reading, known, maps, faults))
    refuse(f"NIR graph for {known.tool}", faults)
    names = plain_names(maps.nodes)
    nodes = {names[name]: node for name, node in maps.nodes.items()}
    edges = [(names[source], names[target]) for source, target in maps.edges]
    written = WrittenGraph(nodes, edges, metadata=_metadata(graph.metadata, reading, known), type_check=False)
    written.assumed = tuple(assumptions(reading))
    of_all = *_of_resets(reading.wiring, known), *_of_maps(known, nodes), *_of_names(names)
    written.remarks = (*maps.remarks, *readouts, *of_all)
    written.leaves_out = () if known.knows_v_reset else ("v_reset",)
    return written


def reader_of(name: str) -> Reader:
    """The tool of this name.

    Raises:
        InputError: there is none.
    """
    check_type("reader", name, str, f"the name of a tool: {', '.join(READERS)}")
    if name not in READERS:
        raise InputError(f"{arg('reader', name)}: {did_you_mean(name, READERS)}")
    return READERS[name]


def _neurons(reading: Reading, reader: Reader, maps: OtherMaps, faults: list[str]) -> Iterator[str]:
    """Write the neurons; gives what is to be known of readouts."""
    wiring, common = reading.wiring, _common(reading.wiring)
    for name in wiring.neurons:
        before = maps.nodes[name]
        try:
            constants = wiring.constants(name, reading.step.dt_s)
            wider = replace(constants, gain_v=constants.gain_v * maps.gains.get(name, 1.0))
            made = reader.node(wider) if reader.neuron is not None else never_firing(before)
        except NodeFault as fault:
            faults.append(f"{type(before).__name__} {name!r} {fault}")
            continue
        maps.nodes[name] = made = copy(made)
        try:
            yield from _in_its_unit(name, wider, made, reader, maps)
        except NodeFault as fault:
            faults.append(f"{type(before).__name__} {name!r} {fault}")
        own = wiring.resets.get(name, "zero")
        made.metadata = made.metadata | ({RESET_KEY: own} if name in _firing(wiring) and own != common else {})
        if constants.threshold is None and hasattr(made, "v_threshold"):
            yield f"{name!r} is a readout: it never fires, and what it answers is its membrane potential"


def _in_its_unit(
    name: str, wanted: NeuronConstants, made: nir.NIRNode, reader: Reader, maps: OtherMaps
) -> Iterator[str]:
    """Scale what arrives at neurons that do not fire, so that their potentials are those of the graph."""
    if wanted.threshold is not None or reader.neuron is None or reader.dt_s is None:
        return
    meant = PRODUCERS[reader.producer].read(made, reader.dt_s)
    theirs = constants_of(meant, reader.dt_s, wanted.leak_v.shape)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        factor = wanted.gain_u * wanted.gain_v / (theirs.gain_u * theirs.gain_v)
    if not np.all(np.isfinite(factor)):
        raise NodeFault(BEYOND)
    if np.all(np.abs(factor - 1) < _ROUNDED):
        return
    maps.scale_before(name, factor)
    low, high = (f"{each:g}" for each in (factor.min(), factor.max()))
    by = low if low == high else f"{low} to {high}"
    yield f"what arrives at {name!r} is scaled by {by}, so that its potentials in {reader.tool} are those of the graph"


def _firing(wiring: Wiring) -> list[str]:
    return [name for name in wiring.neurons if hasattr(wiring.nodes[name], "v_threshold")]


def _common(wiring: Wiring) -> Reset:
    """The reset of the first neurons that fire."""
    return next((wiring.resets.get(name, "zero") for name in _firing(wiring)), "zero")


def _of_resets(wiring: Wiring, reader: Reader) -> Iterator[str]:
    """What the tool does at a spike, where that is another thing or has to be said to it."""
    tool, untold = reader.tool, next(iter(reader.resets))
    for reset in dict.fromkeys(wiring.resets.get(name, "zero") for name in _firing(wiring)):
        if reset not in reader.resets:
            yield f"{tool} resets by {untold!r}, and this network by {reset!r}: it computes other spikes"
        elif reader.resets[reset]:
            yield f"{tool} resets by {untold!r} unless told otherwise: for {reset!r}, {reader.resets[reset]}"


def _of_maps(reader: Reader, nodes: Mapping[str, nir.NIRNode]) -> Iterator[str]:
    yield from (f"{reader.tool}: {sentence}" for sentence in reader.says)
    if reader.flattens_batch and any(isinstance(node, nir.Flatten) for node in nodes.values()):
        yield f"{reader.tool} flattens the batch, too: give it samples without a batch"


def _of_names(names: Mapping[str, str]) -> Iterator[str]:
    """Which nodes have other names."""
    other = [f"{old!r} is {new!r}" for old, new in names.items() if old != new]
    if other:
        more = f" and {len(other) - _LISTED} more" if len(other) > _LISTED else ""
        yield f"names of nodes have no dots: {', '.join(other[:_LISTED])}{more}"


def _metadata(metadata: Mapping[str, Any], reading: Reading, reader: Reader) -> dict[str, Any]:
    own = {key: value for key, value in metadata.items() if key not in _OF_THE_GRAPH}
    dt_s = reading.step.dt_s if reader.dt_s is None else reader.dt_s
    said = {"source": f"spikewright {__version__}", WRITTEN_FOR: reader.name, STEP_S: dt_s}
    return own | said | {RESET_KEY: _common(reading.wiring)}


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Names without dots, which modules of torch cannot have."""
    found: dict[str, str] = {}
    taken = {name for name in names if "." not in name}
    for name in names:
        tries = (name.replace(".", "_") + "_" * more for more in count())
        found[name] = name if "." not in name else next(each for each in tries if each not in taken)
        taken.add(found[name])
    return found
