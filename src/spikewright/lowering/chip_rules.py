"""Limits of a whole chip, beyond those of its cores, as small named functions of a chip network.

Each rule yields a sentence for every way in which it is broken, and messages give its name. Lowering applies the rules,
and reports do, since a network may have been lowered for another chip. To add a rule, add it to :data:`CHIP_RULES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod

from ..base.errors import AnswerIsNo, arg
from ..chip.network import ChipNetwork, Connection, Population
from ..chip.neuron_models import resets_of
from ..chip.registers import DECAY_ONE
from ..profile.resets import reset_faults
from ..profile.schema import HardwareProfile, Layers, Limits, Whole
from .rules import Rule, faults_by

_NO_LEAK = f"this chip's neurons cannot leak: train with {arg('neuron', 'lif')} {arg('beta', 1)}"
_SMALLER = f"train with a smaller {arg('width')}"
_REMEDIES = {"input lines": "take data of smaller samples", "outputs": "take data of fewer classes"}


def check_chip(chip: ChipNetwork, profile: HardwareProfile) -> None:
    """Apply :data:`CHIP_RULES`.

    Raises:
        AnswerIsNo: the network does not fit; the message has the name of each broken rule.
    """
    if broken := faults_by(CHIP_RULES, chip, profile.limits):
        raise AnswerIsNo(f"{profile.name}: the network does not fit: {'; '.join(broken)}")


def decays(chip: ChipNetwork, limits: Limits) -> Iterator[str]:
    """The chip has the decays of the network's neurons.

    Relays and biases keep no state, and in a network of a single timestep no state is used again.
    """
    if chip.timesteps == 1:
        return
    odd: dict[tuple[str, int], list[str]] = {}
    for population in chip.populations:
        neuron = population.neuron
        if neuron is None or population.role in ("relay", "bias"):
            continue
        synaptic = neuron.du + 1 if neuron.du + 1 < DECAY_ONE else 0
        for what, decay in (("current", synaptic), ("membrane potential", neuron.dv)):
            if decay != _nearest_decay(decay, limits):
                odd.setdefault((what, decay), []).append(repr(population.name))
    for (what, decay), names in odd.items():
        nearest = f"the nearest that this chip has is {_nearest_decay(decay, limits) / DECAY_ONE:g}"
        may_be = nearest if limits.decay_bits else _NO_LEAK
        yield f"the {what} of {', '.join(names)} decays by {decay / DECAY_ONE:.4g} per step; {may_be}"


def resets(chip: ChipNetwork, limits: Limits) -> Iterator[str]:
    """What a spike does to the membrane potential is something that the chip's neurons can do."""
    yield from reset_faults(resets_of(chip), limits)


def steps(chip: ChipNetwork, limits: Limits) -> Iterator[str]:
    """The chip takes so many timesteps."""
    most = (limits.whole or Whole()).timesteps
    if most is not None and chip.timesteps > most:
        keeps = "; no state is kept between steps" if most == 1 else ""
        yield f"it runs {chip.timesteps} time steps; the chip takes {most}{keeps}: train with {arg('timesteps', most)}"


def totals(chip: ChipNetwork, limits: Limits) -> Iterator[str]:
    """The chip has so many input lines and neurons."""
    whole = limits.whole or Whole()
    neurons = [p for p in chip.populations if p.neuron is not None]
    for what, populations, most in (
        ("input lines", [chip.input], whole.inputs),
        ("neurons", neurons, whole.neurons),
        ("hidden neurons", [p for p in neurons if p.role not in ("input", "readout")], whole.hidden_neurons),
        ("outputs", [chip.output], whole.outputs),
        ("lines and neurons with synapses", [p for p in chip.populations if chip.out_of(p.name)], whole.sources),
    ):
        used = sum(population.size for population in populations)
        if most is not None and used > most:
            yield f"it has {used} {what}; the chip has {most}: {_REMEDIES.get(what, _SMALLER)}"


def targets(chip: ChipNetwork, limits: Limits) -> Iterator[str]:
    """The chip can send the spikes of a population to all populations that it feeds."""
    most = (limits.whole or Whole()).targets
    for population in chip.populations:
        count = len(chip.out_of(population.name))
        if most is not None and count > most:
            yield f"{population.name!r} feeds {count} populations; the chip sends to {most}"


def layer_shapes(chip: ChipNetwork, limits: Limits) -> Iterator[str]:
    """Where a core computes a layer, every connection is a convolution or dense layer that it can compute."""
    layers = limits.layers
    if layers is None:
        return
    for population in chip.populations:
        incoming = chip.into(population.name)
        if population.neuron is not None and population.role == "input":
            spikes = arg("encoding", "rate")
            yield f"{population.name!r} is driven by currents, and this chip's cores take spikes: train with {spikes}"
        elif population.neuron is not None and len(incoming) != 1:
            yield f"{population.name!r} has {len(incoming)} connections into it; a core computes one"
        if any(c.source == population.name for c in incoming):
            yield f"{population.name!r} feeds itself, which a core cannot"
    for connection in chip.connections:
        yield from (f"{connection.name} has {fault}" for fault in _shape_faults(chip, connection, layers))


def layer_memory(chip: ChipNetwork, limits: Limits) -> Iterator[str]:
    """Where a core computes a layer, every layer gets a core whose memories for weights and neurons it fits."""
    layers = limits.layers
    if layers is None:
        return
    needs = {p.name: _words(chip, p) for p in chip.populations if p.neuron is not None}
    cores = list(zip(layers.weight_words, layers.neuron_words, strict=True))
    fitting = {
        name: [i for i, core in enumerate(cores) if weights <= core[0] and neurons <= core[1]]
        for name, (weights, neurons) in needs.items()
    }
    for name in _without_core(fitting):
        weights, neurons = needs[name]
        words = f"{weights:,} words of weights and {neurons:,} of neurons"
        yield f"{name!r} takes {words}; no free core has both: {_SMALLER}"


CHIP_RULES: tuple[Rule, ...] = (decays, resets, steps, totals, targets, layer_shapes, layer_memory)


def _nearest_decay(decay: int, limits: Limits) -> int:
    """The nearest decay that the chip has, in units of 1/4096 per timestep."""
    if limits.decay_bits == 0:
        return 0
    if limits.decay_shifts:
        shifted = (DECAY_ONE >> shift for shift in range(limits.decay_bits + 1))
        return min(0, *shifted, key=lambda has: abs(has - decay))
    unit = DECAY_ONE >> limits.decay_bits
    return round(decay / unit) * unit


def _geometry(chip: ChipNetwork, connection: Connection) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Input channels, kernel shape and input height and width; the kernel of a dense layer is its whole input."""
    shape = chip.by_name[connection.source].shape
    channels, space = (shape[0], shape[1:]) if len(shape) == 3 else (shape[0], (1, 1))
    return channels, connection.shape[2:] if connection.conv else space, space


def _shape_faults(chip: ChipNetwork, connection: Connection, layers: Layers) -> Iterator[str]:
    channels, kernel, space = _geometry(chip, connection)
    out_channels, *out = chip.by_name[connection.target].shape
    most = max(channels, out_channels)
    rules = [
        (max(kernel) > layers.kernel, f"a kernel of {_by(kernel)}; at most {_by([layers.kernel] * 2)}"),
        (layers.square_kernels and kernel[0] != kernel[1], f"a kernel of {_by(kernel)}; it must be square"),
        (max(space) > layers.input_side, f"an input of {_by(space)}; at most {_by([layers.input_side] * 2)}"),
        (max(out, default=0) > layers.output_side, f"an output of {_by(out)}; at most {_by([layers.output_side] * 2)}"),
        (most > layers.channels, f"{most:,} channels; at most {layers.channels:,}"),
    ]
    if (conv := connection.conv) is not None:
        strides = ", ".join(map(str, layers.strides))
        rules += [
            (not set(conv.stride) <= set(layers.strides), f"strides of {_by(conv.stride)}; may be {strides}"),
            (max(conv.padding) > layers.padding, f"a padding of {max(conv.padding)}; at most {layers.padding}"),
            (conv.groups > 1 or max(conv.dilation) > 1, "groups or dilation, which the chip does not have"),
        ]
    return (fault for is_broken, fault in rules if is_broken)


def _words(chip: ChipNetwork, population: Population) -> tuple[int, int]:
    """Memory words that a layer needs for weights and for neurons, each size rounded up to a power of 2."""
    out_channels, *sides = population.shape
    weights = 0
    for connection in chip.into(population.name):
        channels, kernel, _ = _geometry(chip, connection)
        weights += channels * _power_of_2(prod(kernel)) * _power_of_2(out_channels)
    return weights, out_channels * prod(map(_power_of_2, sides))


def _power_of_2(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _without_core(fitting: dict[str, list[int]]) -> list[str]:
    """Layers that get no core in a largest matching of layers to ``fitting`` cores, by augmenting paths."""
    holder: dict[int, str] = {}

    def settle(name: str, tried: set[int]) -> bool:
        for core in fitting[name]:
            if core not in tried:
                tried.add(core)
                if core not in holder or settle(holder[core], tried):
                    holder[core] = name
                    return True
        return False

    return [name for name in fitting if not settle(name, set())]


def _by(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))
