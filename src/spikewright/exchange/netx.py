"""A chip network in lava-dl's network exchange format (netx, HDF5), as ``lava.lib.dl.netx.hdf5.Network`` reads it.

The format holds chains of layers without recurrence. lava-dl's loader changes some dense weights on the way (see
:mod:`.netx_weights`), and those of convolutions never: a dense connection whose weights it would change is written as a
convolution over its whole source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from ..base.errors import check_type, refuse
from ..base.hdf5 import new_hdf5
from ..chip.encoding import input_transform
from ..chip.network import ChipNetwork, Connection, ConvGeometry, Neuron, Population
from ..chip.registers import BIAS_EXP, LAVA_WIDTHS
from .lava_values import SUBTRACTING, model_faults, most_of, sum_faults
from .netx_weights import loaded_weight, sums_exactly


def write_netx(chip: ChipNetwork, path: Path | str) -> None:
    """Write ``chip`` to ``path``, a ``.net`` file of lava-dl, atomically; the same network gives the same bytes.

    How the file has to be loaded so that each layer begins every sample at rest is in its attribute ``loading``.

    Raises:
        InputError: the format cannot hold the network, with every reason; no chip network, or no path.
    """
    check_type("chip", chip, ChipNetwork, "a ChipNetwork, such as lower(graph) or read_netx(path)")
    refuse("netx", netx_faults(chip))
    with new_hdf5(path) as file:
        layers = file.create_group("layer")
        for index, block in enumerate(_blocks(chip)):
            _write(layers.create_group(str(index)), block)
        file["simulation/Ts"], file["simulation/tSample"] = 1, chip.timesteps
        file.attrs["loading"] = loading(chip)


def loading(chip: ChipNetwork) -> str:
    """The call by which lava-dl loads the network's file.

    lava-dl resets its first layer with neurons in steps ``reset_offset + 1``, ``reset_offset + 1 + T`` and so on, and
    every further one a step later. The input's events of a sample reach the first layer a step late, so that it has to
    begin a step late, unless it is the input itself. Without a reset a sample begins with what the one before left.
    """
    settings = {
        "reset_interval": chip.timesteps,
        "reset_offset": 1 if chip.input.neuron is None else 0,
        "input_message_bits": chip.input.payload_bits,
    }
    return f"lava.lib.dl.netx.hdf5.Network(PATH, {', '.join(f'{name}={value}' for name, value in settings.items())})"


def netx_faults(chip: ChipNetwork) -> list[str]:
    """Why the format cannot hold ``chip``, or its loader would change it; empty where neither is so."""
    return [*model_faults(chip), *_chain_faults(chip), *_neuron_faults(chip), *_weight_faults(chip), *sum_faults(chip)]


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
    kernels = _as_kernels(chip)
    for connection in chip.connections:
        name, source = f"connection {connection.name}", chip.by_name[connection.source]
        if connection.conv is not None:
            continue
        if len(chip.by_name[connection.target].shape) != 1:
            yield f"{name} is dense and leads to a population of three axes"
        most = most_of(connection, source.payload_bits)
        if connection.name in kernels and most >= LAVA_WIDTHS.state_limit:
            yield (
                f"{name}: lava-dl would change weights of it or behind it; written as convolutions, whose weights it "
                f"keeps, their sums, of up to {most}, would leave 24 bits"
            )
    weight, bias = _transform(chip) or (0.0, 0.0)
    if not (float(weight).is_integer() and float(bias).is_integer()):
        yield f"its samples become currents by the weight {weight:g} and the bias {bias:g}; the format has whole ones"


def _as_kernels(chip: ChipNetwork) -> frozenset[str]:
    """Dense connections of a chain that are written as convolutions: what lava-dl would change, and what leads there.

    A convolution's source has three axes in the file, so that a dense layer before it is written as one, too.
    """
    chosen, needed = set(), False
    for connection in reversed(chip.connections):
        if connection.conv is not None:
            needed = False
            continue
        needed = needed or not connection.packed.values.any() or not _is_kept(connection)
        if needed:
            chosen.add(connection.name)
        needed = needed and len(chip.by_name[connection.source].shape) == 1
    return frozenset(chosen)


def _is_kept(connection: Connection) -> bool:
    """Whether lava-dl computes with these weights, and with sums of them."""
    weight = connection.weight
    return np.array_equal(loaded_weight(weight), weight) and sums_exactly(weight)


def _transform(chip: ChipNetwork) -> tuple[float, float] | None:
    """Weight and bias by which samples in [0, 1] become currents; None where the network does not say."""
    if chip.encoding != "current":
        return None
    bits = chip.provenance.get("input_bits")
    return input_transform(chip) or ((2.0**bits - 1, 0.0) if isinstance(bits, int) and 1 <= bits <= 12 else None)


Block = dict[str, object]


def _blocks(chip: ChipNetwork) -> Iterator[Block]:
    """One mapping per layer: dataset names to values, a nested mapping for a group."""
    kernels, first = _as_kernels(chip), chip.input
    three_axes = {p.name: p.shape for p in chip.populations if len(p.shape) == 3}
    for connection in chip.connections:
        if connection.name in kernels:
            for name in (connection.source, connection.target):
                three_axes.setdefault(name, (chip.by_name[name].size, 1, 1))
    block: Block = {"type": "input", "shape": list(three_axes.get(first.name, first.shape))}
    if first.neuron is not None:
        block["neuron"] = _neurons(first.neuron)
        if (transform := _transform(chip)) is not None:
            block |= {"weight": int(transform[0]), "bias": int(transform[1])}
    yield block
    name = first.name
    while following := chip.out_of(name):
        (connection,) = following
        source, target = chip.by_name[connection.source], chip.by_name[connection.target]
        if connection.name in kernels:
            shape = three_axes[source.name]
            kernel = connection.weight.reshape(target.size, *shape)
            wide = replace(target, shape=three_axes[target.name])
            yield _block(Connection(source.name, target.name, kernel, conv=ConvGeometry()), source, wide)
        else:
            if connection.conv is None and source.name in three_axes:
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
    channels = {"inChannels": weight.shape[1] * geometry.groups, "outChannels": target.shape[0]}
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
