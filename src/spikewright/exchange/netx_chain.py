"""The layers of a file of lava-dl's as populations and connections, as its loader connects them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..base.types import IntArray
from ..chip.network import Connection, ConvGeometry, Neuron, Population, Role
from ..chip.registers import DECAY_ONE, LAVA_WIDTHS
from .netx_layers import Layer
from .netx_weights import HIGHEST, LOWEST, loaded_weight, sums_exactly

NEVER = LAVA_WIDTHS.vth_max
"""The threshold of neurons whose potential is the answer."""
_INTEGRATOR = {"iDecay": 0, "vDecay": DECAY_ONE, "vThMant": NEVER + 1}
"""The neurons that lava-dl's loader gives to a dense layer without any: the current sums up, and is the potential."""


class _Fault(Exception):
    """What is wrong with a layer, without its name."""


@dataclass
class Chain:
    """A network as it grows, layer by layer.

    Attributes:
        assumed: what the file does not say, or what its loader makes of it, in sentences.
        faults: what a chip network cannot hold.
        population: outputs for each class, as an averaging layer at the end says.
    """

    populations: list[Population] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    population: int | None = None


def chain_of(layers: Sequence[Layer], payload_bits: int) -> Chain:
    """The network of a file, with all that is wrong with it.

    Args:
        layers: in the file's order.
        payload_bits: of the events that enter it; 0 for spikes of one bit.
    """
    chain, flattened = Chain(), False
    blocks = [layer for layer in layers if layer.kind in ("dense", "conv")]
    for place, layer in enumerate(layers):
        try:
            if layer.kind == "input":
                _enter(chain, layer, layers[place + 1 :], payload_bits)
            elif layer.kind == "average":
                _average(chain, layer, place == len(layers) - 1)
            elif layer.kind == "flatten":
                flattened = True
            else:
                _add(chain, layer, flattened, layer is blocks[-1], payload_bits)
                flattened = False
        except _Fault as fault:
            chain.faults.append(f"layer {layer.index} ({layer.kind}) {fault}")
    if not blocks:
        chain.faults.append("has neither a dense layer nor a convolution")
    return chain


def _enter(chain: Chain, layer: Layer, following: Sequence[Layer], payload_bits: int) -> None:
    if layer.index != 0:
        raise _Fault("is not the first layer")
    if layer.registers is not None:
        neuron = _neuron(layer, None, last=False)
        chain.populations.append(Population(layer.name, layer.shape, "input", neuron))
        return
    # A dense layer without a flatten before it has its inputs in a row, in whatever order they are sent.
    in_a_row = bool(following) and following[0].kind == "dense"
    shape = (layer.size,) if in_a_row else layer.shape
    chain.populations.append(Population(layer.name, shape, "input", None, payload_bits))


def _average(chain: Chain, layer: Layer, is_last: bool) -> None:
    """An averaging layer at the end: outputs that stand side by side for one class."""
    outputs = chain.populations[-1].size if chain.populations else 0
    if not is_last or not outputs or outputs % layer.size:
        raise _Fault(f"averages {outputs} values to {layer.size}; one at the end, over equally many for each, is read")
    chain.population = outputs // layer.size


def _add(chain: Chain, layer: Layer, flattened: bool, last: bool, payload_bits: int) -> None:
    """A dense layer or a convolution, with its neurons."""
    if not chain.populations:
        if layer.kind == "conv":
            raise _Fault("is the first, and the file does not say the shape of its input")
        inputs = _matrix(layer).shape[1]
        chain.populations.append(Population("input", (inputs,), "input", None, payload_bits))
    source = chain.populations[-1]
    if flattened and layer.kind == "conv":
        raise _Fault("follows a flatten layer, behind which there are no rows and columns")
    if layer.kind == "dense" and not flattened and source.neuron is not None and len(source.shape) != 1:
        raise _Fault(f"follows {source.name}, of shape {source.shape}, without a flatten layer between them")
    shape = layer.shape if layer.kind == "conv" else (layer.size,)
    role: Role = "readout" if last else "hidden"
    neuron = _neuron(replace(layer, shape=shape), chain, last)
    chain.populations.append(Population(layer.name, shape, role, neuron))
    if layer.kind == "conv":
        connection = Connection(source.name, layer.name, _kernel(layer), conv=_geometry(layer))
    else:
        connection = Connection(source.name, layer.name, _as_loaded(chain, layer))
    chain.connections.append(connection)


def _neuron(layer: Layer, chain: Chain | None, last: bool) -> Neuron:
    """The registers; a bias of the input's is its transform, and not read here."""
    bias = np.zeros(layer.shape, np.int64) if chain is None else _bias(layer)
    registers = layer.registers
    if registers is None:
        if layer.kind != "dense" or not last:
            raise _Fault("has no neurons")
        registers = _INTEGRATOR
        assert chain is not None
        chain.assumed.append(
            f"{layer.name}: the file has no neurons for it, and lava-dl takes some that add up their input and do not "
            "spike; the same potentials are read as long as they stay within 24 bits"
        )
    du, dv, vth = (int(registers[name]) for name in _INTEGRATOR)
    if du == 0:
        if dv != DECAY_ONE or vth < NEVER or np.any(bias) or not last:
            raise _Fault(
                "has neurons with iDecay 0, whose current never decays; that is read of an output without a bias, "
                f"with vDecay {DECAY_ONE} and vThMant {NEVER} or more"
            )
        # A current that is kept and a potential that is not add up to the same as the other way round.
        du, dv, vth = DECAY_ONE, 0, NEVER
    return Neuron(du - 1, dv, vth, bias, fires=not (last and vth >= NEVER))


def _bias(layer: Layer) -> IntArray:
    """A bias for each neuron; the file has one for each neuron or channel, or one for a dense layer."""
    bias, shape = layer.numbers.get("bias"), layer.shape
    if bias is None:
        return np.zeros(shape, np.int64)
    if len(shape) == 1 and (bias.shape == shape or bias.ndim == 0):
        return np.broadcast_to(bias, shape).copy()
    if len(shape) == 3 and bias.shape == shape[::-1]:
        return np.ascontiguousarray(bias.T)
    if len(shape) == 3 and bias.shape == shape[:1]:
        return np.broadcast_to(bias[:, None, None], shape).copy()
    raise _Fault(f"has a bias of shape {bias.shape}, which does not fit neurons of shape {shape}")


def _matrix(layer: Layer) -> IntArray:
    weight = layer.numbers["weight"]
    if weight.ndim == 1 and weight.size and weight.size % layer.size == 0:
        return weight.reshape(layer.size, -1)
    if weight.ndim != 2 or not weight.size or weight.shape[0] != layer.size:
        raise _Fault(f"has weights of shape {weight.shape}, which do not lead to {layer.size} neurons")
    return weight


def _in_range(weight: IntArray) -> IntArray:
    if weight.min() < LOWEST or weight.max() > HIGHEST:
        raise _Fault(f"has weights from {weight.min()} to {weight.max()}; a synapse holds {LOWEST}..{HIGHEST}")
    return weight


def _as_loaded(chain: Chain, layer: Layer) -> IntArray:
    """Dense weights as lava-dl computes with them, which is said where it is not as the file has them."""
    weight = _in_range(_matrix(layer))
    if not weight.any():
        return weight
    if not sums_exactly(weight):
        raise _Fault(
            "has no weight above 0 and some at 0, and lava-dl rounds the sums of such weights; write one weight above "
            "0, or the layer as a convolution"
        )
    loaded = loaded_weight(weight)
    if count := np.count_nonzero(loaded != weight):
        first = np.flatnonzero(loaded != weight)[0]
        chain.assumed.append(
            f"{layer.name}: {count} weights are read as lava-dl's loader changes them, the first from "
            f"{weight.flat[first]} to {loaded.flat[first]}"
        )
    return loaded


def _kernel(layer: Layer) -> IntArray:
    weight = layer.numbers["weight"]
    if weight.ndim not in (4, 5) or not weight.size or weight.shape[4:] not in ((), (1,)):
        raise _Fault(f"has a kernel of shape {weight.shape}; may be (out, in, rows, columns)")
    return _in_range(weight.reshape(weight.shape[:4]))


def _geometry(layer: Layer) -> ConvGeometry:
    least = {"stride": 1, "padding": 0, "dilation": 1}
    pairs = {name: _pair(layer, name, low) for name, low in least.items()}
    groups = layer.numbers["groups"]
    if groups.size != 1 or groups.ravel()[0] < 1:
        raise _Fault("has 'groups' that are not a number of at least 1")
    return ConvGeometry(**pairs, groups=int(groups.ravel()[0]))


def _pair(layer: Layer, name: str, least: int) -> tuple[int, int]:
    numbers = layer.numbers[name].ravel()
    if numbers.size not in (1, 2) or numbers.min() < least:
        raise _Fault(f"has a {name!r} of {numbers.tolist()[:4]}; may be one or two numbers of at least {least}")
    return int(numbers[0]), int(numbers[-1])
