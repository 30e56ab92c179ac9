"""What the nodes of a NIR graph did, in nir's own form: ``NIRGraphData``, which ``nir.read_data`` reads.

A node has observables, each an array ``(samples, timesteps, neurons)`` with the time step in seconds; neurons are in C
order of the node's shape.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import nir
import numpy as np

from ..base.artefacts import writable, write_bytes
from ..base.errors import InputError, refuse
from ..base.types import FloatArray

SPIKES, VOLTAGES, VALUES = "spikes", "voltages", "values"
"""Observables: spikes, 0 and 1; membrane potentials before a reset; graded values of an input."""


def graph_data(
    drive: Mapping[str, FloatArray], spikes: Mapping[str, FloatArray], voltages: Mapping[str, FloatArray], dt_s: float
) -> nir.NIRGraphData:
    """What the nodes of a graph did, as an object of nir.

    Args:
        drive: by name of an input node what it gave, ``(samples, timesteps, *shape)``.
        spikes, voltages: by name of a neuron node, of the same shape.
        dt_s: seconds per timestep.

    Raises:
        InputError: the nir that is installed has no such form.
    """
    if not hasattr(nir, "NIRGraphData"):
        raise InputError(f"NIR data: nir {version('nir')} has no form for them; install nir 1.0.8 or later")
    nodes: dict[str, dict[str, nir.TimeGriddedData]] = {}
    for name, values in drive.items():
        is_binary = bool(np.isin(values, (0, 1)).all())
        nodes[name] = {SPIKES if is_binary else VALUES: _gridded(values, dt_s, is_binary)}
    for name, values in voltages.items():
        nodes.setdefault(name, {})[VOLTAGES] = _gridded(values, dt_s, is_binary=False)
    for name, values in spikes.items():
        nodes.setdefault(name, {})[SPIKES] = _gridded(values, dt_s, is_binary=True)
    return nir.NIRGraphData({name: nir.NIRNodeData(observables) for name, observables in nodes.items()})


def write_graph_data(data: nir.NIRGraphData, path: Path | str) -> None:
    """Write such an object to ``path`` as ``nir.write_data`` does, atomically.

    Raises:
        InputError: a node's name that HDF5 cannot hold, or the folder does not exist.
    """
    odd = [name for name in data.nodes if not name or "/" in name or "\0" in name or name == "."]
    refuse("NIR data", [f"node {name!r}: HDF5 has no such name; call the node differently" for name in odd])
    target, packed = writable(path), io.BytesIO()
    nir.write_data(packed, data)
    write_bytes(target, packed.getbuffer())


def _gridded(values: FloatArray, dt_s: float, is_binary: bool) -> nir.TimeGriddedData:
    flat = np.ascontiguousarray(values).reshape(*values.shape[:2], -1)
    return nir.TimeGriddedData(flat.astype(bool) if is_binary else flat, dt_s)
