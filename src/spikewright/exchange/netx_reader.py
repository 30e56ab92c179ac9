"""A file of lava-dl's becomes a chip network, whose integers are those that lava-dl's loader computes with."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator
from math import isfinite
from numbers import Integral
from pathlib import Path

import numpy as np

from ..base.artefacts import sha256_of
from ..base.bounds import MOST_COUNT
from ..base.errors import Gathered, InputError, Message, arg, check_type, did_you_mean, refuse
from ..base.types import ENCODINGS, Encoding, Readout
from ..chip.encoding import INPUT_TRANSFORM
from ..chip.network import ChipNetwork, Connection
from ..chip.registers import BIAS_EXP, FULL_WEIGHT_BITS, Registers, is_mixed
from ..data.output_rule import CLASSES, OutputRule
from ..lowering.chip_rules import check_chip
from ..lowering.draft import CUSTOMARY_INPUT_BITS
from ..profile.profile import HardwareProfile, load_profile
from .netx_chain import chain_of
from .netx_layers import Layer, layers_of

INPUT_WEIGHT, INPUT_BIAS = 64, 0
"""What lava-dl's loader takes for the transform of the input where a file does not say it."""


def read_netx(
    path: Path | str,
    profile: HardwareProfile | str | Path = "loihi2-assumed",
    *,
    timesteps: int | None = None,
    encoding: str | None = None,
    input_bits: int | None = None,
    input_range: tuple[float, float] | None = None,
    population: int | None = None,
) -> ChipNetwork:
    """Read a network that lava-dl exported (a ``.net`` file) as an integer network for a chip.

    It computes what ``lava.lib.dl.netx.hdf5.Network`` of the same file computes on Lava, bit for bit, where that resets
    each layer after every sample. What had to be assumed stands in the network's provenance (``assumed``).

    Args:
        path: of the file.
        profile: a profile, its name, or a path to its file.
        timesteps: timesteps per sample; None for what the file notes, or the profile's default.
        encoding: how samples enter the network; None for ``current`` where the input has neurons, else ``events``.
        input_bits: bits of graded input (``direct``); None for 8.
        input_range: of the samples that the network was trained on; None for ``(0, 1)``. Where the input has neurons,
            the file has a weight w and a bias b, and a sample x of this range becomes the current ``w x + b``. Samples
            here are in [0, 1], and are stretched to the range.
        population: outputs for each class, side by side, whose scores are added up; None for what the file says, or 1.

    Raises:
        InputError: the file, or everything in it that a chip network cannot hold, in one message.
        AnswerIsNo: the network does not fit this chip; all reasons in one message.
    """
    _check_given(timesteps=timesteps, input_bits=input_bits, population=population)
    target = load_profile(profile)
    layers, noted = layers_of(path)
    assumed: list[str] = []
    faults = Gathered(str(path))
    with faults:
        takes, bits = _entered_by(layers[0], encoding, input_bits, input_range, assumed)
        steps = _timesteps(timesteps, noted, target, assumed)
    chain = chain_of(layers, bits if not faults.faults and takes == "direct" else 0)
    faults.faults += chain.faults
    faults.refuse()
    facts = _facts(chain.connections, [p.name for p in chain.populations if p.neuron is not None])
    facts |= {"input_bits": bits, "assumed": [*assumed, *chain.assumed], "parent_sha256": sha256_of(path)}
    if takes == "current":
        facts[INPUT_TRANSFORM] = list(_transform(layers[0], input_range or (0.0, 1.0)))
    last = chain.populations[-1].neuron
    readout: Readout = "count" if last is not None and last.fires else "membrane"
    with faults:
        network = tuple(chain.populations), tuple(chain.connections)
        meaning = _meaning(population, chain.population, chain.populations[-1].size)
        chip = ChipNetwork(*network, steps, takes, readout, target.name, target.sha256, facts, meaning=meaning)
    faults.refuse()
    refuse(f"profile {target.name!r}", list(profile_faults(chip, target)))
    check_chip(chip, target)
    return chip


def _check_given(**counts: object) -> None:
    """Refuse arguments that are no whole numbers."""
    wrong = {
        name: value
        for name, value in counts.items()
        if isinstance(value, bool) or not isinstance(value, Integral | None)
    }
    faults = [f"{arg(name)}: is {reprlib.repr(value)}; must be a whole number" for name, value in wrong.items()]
    refuse("read_netx", faults)


def _entered_by(
    first: Layer,
    encoding: str | None,
    input_bits: int | None,
    input_range: tuple[float, float] | None,
    assumed: list[str],
) -> tuple[Encoding, int]:
    """How samples enter, and the bits of graded input."""
    has_neurons = first.kind == "input" and first.registers is not None
    check_type("encoding", encoding, str | None, f"None or a name: {', '.join(ENCODINGS)}")
    if encoding is not None and encoding not in ENCODINGS:
        raise InputError(f"{arg('encoding', encoding)}: there is no such encoding; {did_you_mean(encoding, ENCODINGS)}")
    if has_neurons and encoding not in (None, "current"):
        raise InputError(f"{arg('encoding', encoding)}: the input has neurons, which currents drive; leave it out")
    if not has_neurons and encoding == "current":
        raise InputError(f"{arg('encoding', encoding)}: the input has no neurons that a current could drive")
    if input_bits is not None and (encoding != "direct" or not 1 <= input_bits <= 32):
        raise InputError(f"{arg('input_bits', input_bits)}: is for {arg('encoding', 'direct')}, and may be 1..32")
    if has_neurons:
        weight, bias = _transform(first, input_range or (0.0, 1.0))
        said = "" if input_range else f"; if it was trained on samples of -1 to 1, give {arg('input_range', '-1,1')}"
        assumed.append(str(Message(f"samples of 0 to 1 become currents of {bias:g} to {weight + bias:g}{said}")))
        return "current", CUSTOMARY_INPUT_BITS
    if input_range is not None:
        raise InputError(f"{arg('input_range')}: is for a network whose input has neurons, and this one's has none")
    if encoding is None:
        assumed.append("encoding events: the file does not say how samples enter")
    return encoding or "events", input_bits or CUSTOMARY_INPUT_BITS


def _transform(first: Layer, of: tuple[float, float]) -> tuple[float, float]:
    """Weight and bias by which a sample in [0, 1] becomes a current, of those in the file for samples in ``of``."""
    are_two = isinstance(of, tuple | list) and len(of) == 2 and all(isinstance(each, int | float) for each in of)
    if not (are_two and isfinite(of[0]) and isfinite(of[1]) and of[0] < of[1]):
        raise InputError(f"{arg('input_range')}: is {of}; may be two numbers, the lower one first")
    said = {"weight": INPUT_WEIGHT, "bias": INPUT_BIAS}
    for name in said:
        numbers = first.numbers.get(name)
        if numbers is not None and numbers.size != 1:
            raise InputError(f"layer 0 (input) has a {name!r} of {numbers.size} values; one is read")
        said[name] = said[name] if numbers is None else int(numbers.ravel()[0])
    return said["weight"] * (of[1] - of[0]), said["weight"] * of[0] + said["bias"]


def _timesteps(asked: int | None, noted: int | None, profile: HardwareProfile, assumed: list[str]) -> int:
    for steps, why in ((asked, ""), (noted, "noted in the file"), (profile.default_timesteps, "the profile's default")):
        if steps is None:
            continue
        if not 1 <= steps <= MOST_COUNT:
            raise InputError(f"{arg('timesteps', steps)}: may be 1..{MOST_COUNT}")
        if why:
            assumed.append(f"timesteps {steps}: {why}")
        return steps
    raise AssertionError


def _meaning(asked: int | None, noted: int | None, outputs: int) -> OutputRule:
    each = asked if asked is not None else noted or 1
    if each < 1 or outputs % each or (noted is not None and asked not in (None, noted)):
        by_file = "" if noted is None else f", and the file has {noted} for each class"
        raise InputError(f"{arg('population', each)}: the network has {outputs} outputs{by_file}; leave it out")
    return CLASSES if each == 1 else OutputRule(population=each)


def _facts(connections: list[Connection], neurons: list[str]) -> dict[str, object]:
    """What a network's provenance has to hold: a weight of 1 is the unit of every population."""
    levels = {}
    for connection in connections:
        step = int(np.gcd.reduce(connection.weight, axis=None)) or 1
        levels[connection.name] = int(np.abs(connection.weight).max()) // step
    return {"producer": "lava-dl", "scales": dict.fromkeys(neurons, 1.0), "weight_levels": levels}


def profile_faults(chip: ChipNetwork, profile: HardwareProfile) -> Iterator[str]:
    """Registers and weights that are wider than the chip's."""
    limits, registers = profile.limits, Registers.of(profile.limits)
    if chip.encoding == "direct" and chip.input.payload_bits > limits.graded_spike_bits:
        yield f"input has {chip.input.payload_bits} bits, a graded spike carries {limits.graded_spike_bits}"
    for population in chip.populations:
        if (neuron := population.neuron) is None:
            continue
        if neuron.vth > registers.vth_max:
            yield f"{population.name}: its threshold is {neuron.vth}; the chip's registers hold {registers.vth_max}"
        most = int(np.abs(neuron.bias).max())
        if most > registers.bias_max:
            yield f"{population.name}: its bias reaches {most}; the chip's registers hold {registers.bias_max}"
        largest = limits.bias_exponent_max
        if (most or population.role == "input") and largest < BIAS_EXP:
            yield f"{population.name}: its bias needs the exponent {BIAS_EXP}; the chip's largest is {largest}"
    for connection in chip.connections:
        if not _fits(connection, registers):
            yield (
                f"{connection.name}: its weights, from {connection.weight.min()} to {connection.weight.max()}, take "
                f"more than the {registers.weight_bits} bits of the chip's"
            )


def _fits(connection: Connection, registers: Registers) -> bool:
    """Whether some weight exponent brings all weights to the chip's grid."""
    weight = connection.weight
    step, top = registers.grid(is_mixed(weight))
    shifted = (weight << shift for shift in range(FULL_WEIGHT_BITS + 1))
    return any(not np.any(w % step) and w.max() <= top and w.min() >= -top - step for w in shifted)
