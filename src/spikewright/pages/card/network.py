"""The part of a model card on what the network is: its constants, and its layers with their shapes."""

from __future__ import annotations

from dataclasses import fields

import nir
import numpy as np
import numpy.typing as npt

from ...graph.nodes import NEURONS, NodeFault, Shape, constants_of
from ...graph.time_step import resolve_dt
from .facts import Known, pairs, table

WEIGHTS = ("weight", "bias")


def network_part(known: Known) -> list[str]:
    """Its constants, then a row for each node."""
    said, wiring = known.metadata, known.wiring
    bits = said.get("input_bits") if said.get("encoding") in ("direct", "current") else None
    encoding = said.get("encoding")
    neurons = sum(int(np.prod(wiring.shapes[name][0])) for name in wiring.neurons)
    facts = pairs(
        (
            ("architecture", _architecture(known)),
            ("input", _shape(wiring.shapes[wiring.input][0])),
            ("encoding", None if encoding is None else f"{encoding}{f', {bits} bits' if bits is not None else ''}"),
            ("time steps", _steps(known)),
            ("readout", _readout(known)),
            ("reset", None if "reset" not in said else f"to {said['reset']}, in the step of the spike"),
            ("neurons", f"{neurons:,}"),
            ("parameters", f"{_parameters(known):,} weights and biases of layers"),
            ("integers", _integers(known)),
        )
    )
    return [*facts, "", *_layers(known)]


def _architecture(known: Known) -> str | None:
    name, width = known.text("student", "architecture"), known.fact("student", "width")
    return None if name is None else f"{name}, width {width}"


def _steps(known: Known) -> str | None:
    steps, dt_s = known.metadata.get("timesteps"), known.metadata.get("dt_s")
    if steps is None:
        return None
    return f"{steps}" if dt_s is None else f"{steps}, each written as {dt_s:g} s (NIR's constants are in seconds)"


def _readout(known: Known) -> str | None:
    meanings = {"membrane": "membrane potentials after the last step", "count": "spikes counted over all steps"}
    return meanings.get(str(known.metadata.get("readout")))


def _integers(known: Known) -> str | None:
    if known.grid is None:
        return None
    registers = known.grid.registers
    return (
        f"trained on those of `{known.grid.profile}`: weights of {registers.weight_bits} bits, biases of "
        f"{registers.bias_mantissa_bits}, thresholds of {registers.threshold_bits}, states of {registers.state_bits}; "
        "each number of the graph is its integer divided by the layer's scale"
    )


def _parameters(known: Known) -> int:
    return sum(_size(node) for node in known.wiring.nodes.values())


def _size(node: nir.NIRNode) -> int:
    if isinstance(node, NEURONS):
        return 0
    return sum(np.asarray(getattr(node, each.name)).size for each in fields(node) if each.name in WEIGHTS)


def _layers(known: Known) -> list[str]:
    wiring = known.wiring
    rows = []
    for name, node in wiring.nodes.items():
        if isinstance(node, nir.Input | nir.Output):
            continue
        into = ", ".join(wiring.into(name))
        arriving, leaving = wiring.shapes[name]
        shapes = _shape(leaving) if arriving == leaving else f"{_shape(arriving)} to {_shape(leaving)}"
        rows.append((f"`{name}`", type(node).__name__, into, shapes, _said_of(known, name)))
    return table(("layer", "NIR node", "takes", "shape", "what it does"), *rows)


def _said_of(known: Known, name: str) -> str:
    node = known.wiring.nodes[name]
    if isinstance(node, NEURONS):
        return _neuron(known, name)
    if isinstance(node, nir.Conv2d):
        kernel = " x ".join(map(str, np.shape(node.weight)[2:]))
        return f"kernel {kernel}, stride {_pair(node.stride)}, {_size(node):,} parameters"
    return f"{_size(node):,} parameters" if _size(node) else ""


def _neuron(known: Known, name: str) -> str:
    dt_s = resolve_dt(known.wiring, known.metadata).dt_s
    try:
        law = constants_of(known.wiring.nodes[name], dt_s, known.wiring.shapes[name][0])
    except NodeFault as fault:
        return str(fault)
    current = f"current keeps {_range(1 - law.leak_u)} of itself per step, " if (law.leak_u != 1).any() else ""
    fires = "never fires" if law.threshold is None else f"fires above {_range(law.threshold)}"
    return f"{current}membrane keeps {_range(1 - law.leak_v)} per step, {fires}"


def _range(values: npt.NDArray[np.float64]) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} to {high}"


def _pair(value: object) -> str:
    both = np.broadcast_to(np.asarray(value), (2,)).tolist()
    return str(both[0]) if both[0] == both[1] else f"{both[0]} x {both[1]}"


def _shape(shape: Shape) -> str:
    return " x ".join(map(str, shape))
