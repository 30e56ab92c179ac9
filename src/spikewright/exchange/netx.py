"""A chip network in lava-dl's network exchange format (netx, HDF5), as ``lava.lib.dl.netx.hdf5.Network`` reads it.

The format holds chains of layers without recurrence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from ..base.errors import refuse
from ..base.hdf5 import new_hdf5
from ..chip.network import ChipNetwork, Connection, Neuron, Population
from ..chip.registers import BIAS_EXP
from .lava_values import SUBTRACTING, model_faults
from .netx_weights import loaded_weight


def write_netx(chip: ChipNetwork, path: Path | str) -> None:
    """Write ``chip`` to ``path``, atomically.

    Raises:
        InputError: the format cannot hold the network; says every reason.
    """
    refuse("netx", netx_faults(chip))
    with new_hdf5(path) as file:
        layers = file.create_group("layer")
        for index, block in enumerate(_blocks(chip)):
            _write(layers.create_group(str(index)), block)


def netx_faults(chip: ChipNetwork) -> list[str]:
    """Why the format cannot hold ``chip``, or its loader would change it; empty where neither is so."""
    return [*model_faults(chip), *_chain_faults(chip), *_neuron_faults(chip), *_weight_faults(chip)]


def _chain_faults(chip: ChipNetwork) -> Iterator[str]:
    for population in chip.populations:
        name, into, out_of = population.name, chip.into(population.name), chip.out_of(population.name)
        if any(c.source == name for c in into):
            yield f"population {name!r} feeds itself; a recurrent network cannot be emptied between samples"
        elif len(into) > 1 or len(out_of) > 1:
            counts = f"{len(into)} incoming and {len(out_of)} outgoing connections"
            yield f"population {name!r} has {counts}; the format holds chains only"
        elif population.role == "bias":
            yield f"population {name!r} is a bias population, which the format has no place for"


def _neuron_faults(chip: ChipNetwork) -> Iterator[str]:
    laws = {p.name: p.neuron.law for p in chip.populations if p.neuron is not None}
    for law in SUBTRACTING:
        if names := [repr(name) for name, each in laws.items() if each == law]:
            why = f"are of the neuron model {law!r}, and lava-dl's neurons are reset to zero; use 'lava' for 'netx'"
            yield f"populations {', '.join(names)} {why}"
    for population in chip.populations:
        name, neuron = population.name, population.neuron
        if neuron is None or neuron.bias_exp == BIAS_EXP:
            continue
        if population.role == "input" or neuron.bias.any():
            yield f"population {name!r} has the bias exponent {neuron.bias_exp}; the format's is always {BIAS_EXP}"


def _weight_faults(chip: ChipNetwork) -> Iterator[str]:
    for connection in chip.connections:
        name, weight = f"connection {connection.name}", connection.weight
        if connection.conv is not None:
            continue
        if len(chip.by_name[connection.target].shape) != 1:
            yield f"{name} is dense and leads to a population of three axes"
        if not weight.any():
            yield f"{name} has no weight but 0, which lava-dl cannot scale"
            continue
        loaded = loaded_weight(weight)
        if changed := np.flatnonzero(loaded != weight).tolist():
            first = f"from {weight.flat[changed[0]]} to {loaded.flat[changed[0]]}"
            yield f"{name}: lava-dl would change {len(changed)} of its weights, the first {first}"


Block = dict[str, object]


def _blocks(chip: ChipNetwork) -> Iterator[Block]:
    """One mapping per layer: dataset names to values, a nested mapping for a group."""
    first = chip.input
    yield {"type": "input", "shape": list(first.shape)} | ({"neuron": _neurons(first.neuron)} if first.neuron else {})
    name = first.name
    while following := chip.out_of(name):
        (connection,) = following
        source, target = chip.by_name[connection.source], chip.by_name[connection.target]
        if connection.conv is None and len(source.shape) > 1:
            yield {"type": "flatten", "shape": [source.size]}
        yield _block(connection, source, target)
        name = target.name


def _block(connection: Connection, source: Population, target: Population) -> Block:
    neuron, geometry, weight = target.neuron, connection.conv, connection.weight
    assert neuron is not None
    block: Block = {"shape": list(target.shape), "neuron": _neurons(neuron), "weight": weight.astype(np.int32)}
    if neuron.bias.any():
        bias = neuron.bias.astype(np.int32)
        if bias.ndim > 1:  # one number per channel where it is the same all over each, else (column, row, channel)
            per_channel = bias[:, 0, 0]
            bias = per_channel if np.all(bias == per_channel[:, None, None]) else bias.T
        block["bias"] = bias
    if geometry is None:
        return block | {"type": "dense", "inFeatures": source.size, "outFeatures": target.size}
    pairs = {name: list(getattr(geometry, name)) for name in ("stride", "padding", "dilation")}
    channels = {"inChannels": source.shape[0], "outChannels": target.shape[0]}
    return block | channels | pairs | {"type": "conv", "kernelSize": list(weight.shape[2:]), "groups": geometry.groups}


def _neurons(neuron: Neuron) -> Block:
    registers = {"iDecay": neuron.du + 1, "vDecay": neuron.dv, "vThMant": neuron.vth}
    return registers | {"type": "LOIHI", "refDelay": 1, "gradedSpike": False}


def _write(group: h5py.Group, block: Block) -> None:
    for name, value in block.items():
        if isinstance(value, dict):
            _write(group.create_group(name), value)
        elif isinstance(value, str):
            group.create_dataset(name, data=np.array([value.encode("ascii")], dtype="S10"))
        else:
            group.create_dataset(name, data=value)
