"""The deployed network: integers only, frozen, and checked when it is made.

A :class:`ChipNetwork` is a graph of populations and connections with the registers of Lava's fixed-point LIF process
(Loihi's neuron). Nothing in it is a float; what the simulators run, what Lava runs and what the energy
estimator counts is this object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import Literal

import numpy as np

from ..base.errors import InputError, refuse
from ..base.shown import Brief, Shown
from ..base.types import Encoding, IntArray, Readout
from ..data.for_network import ForNetwork
from ..data.input_rule import InputRule
from ..data.output_rule import CLASSES, OutputRule
from .registers import BIAS_EXP, BIAS_EXP_MAX, DECAY_ONE, LAVA_WIDTHS, STATE_UNIT
from .weights import PACKED, PackedField, PackedWeights, read_only

INPUT_RULE_KEY, OUTPUT_RULE_KEY = "input_rule", "output_rule"
"""Keys of the rules in the metadata of a graph, as JSON."""
Role = Literal["input", "hidden", "readout", "relay", "bias"]


SMALLEST_SCALE = 1e-30
"""The least integer units per float unit of a readout, with which values and their squares stay finite."""


@dataclass(frozen=True, eq=False, repr=False)
class Neuron(Brief):
    """Registers of one population of neurons; :class:`spikewright.chip.law.Law` says what they do.

    Attributes:
        du: current decay register, 0..4095 (4095: no current memory, a plain LIF).
        dv: voltage decay register, 0..4096 (0: no leak).
        vth: threshold mantissa, 0..131071.
        bias: bias mantissas, shape of the population, int64, each -4096..4095.
        bias_exp: shared bias exponent, 0..7.
        fires: False for a readout integrator, whose quantisation guarantees that it never reaches its threshold.
        law: name of the neuron model in :data:`spikewright.chip.neuron_models.LAWS`.
    """

    du: int
    dv: int
    vth: int
    bias: IntArray
    bias_exp: int = BIAS_EXP
    fires: bool = True
    law: str = "lif"

    def __post_init__(self) -> None:
        object.__setattr__(self, "bias", read_only(self.bias))


@dataclass(frozen=True, eq=False, repr=False)
class Population(Brief):
    """Neurons of one kind.

    Attributes:
        name: unique in the network.
        shape: ``(N,)`` or ``(channels, height, width)``; flat order is C order (channel, row, column).
        role: ``input`` populations are driven from outside the chip; ``relay`` and ``bias`` ones are added in lowering.
        neuron: None for an input population whose events are injected ready-made (direct, rate, latency, events).
            An input population with a neuron is driven by a bias that the host sets per sample (current encoding).
        payload_bits: width of a graded spike's payload; 0 for binary spikes.
    """

    name: str
    shape: tuple[int, ...]
    role: Role
    neuron: Neuron | None
    payload_bits: int = 0

    @property
    def size(self) -> int:
        """Number of neurons (or of input lines)."""
        return prod(self.shape)


@dataclass(frozen=True)
class ConvGeometry:
    """Geometry of a convolution, each pair ``(vertical, horizontal)``."""

    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


@dataclass(frozen=True, eq=False, repr=False)
class Connection(Brief):
    """Synapses from one population to another; spikes arrive one step later on the chip.

    Attributes:
        weight: integers; dense ``(target size, source size)``, or, where ``conv`` is given, a cross-correlation kernel
            ``(out channels, in channels / groups, kernel height, kernel width)`` as in torch. Each is held in
            a byte where that suffices (:attr:`packed`), and read as int64, a new array each time.
        weight_bits: width of a weight including its sign.
        conv: geometry of a convolution, None for a dense connection.
    """

    source: str
    target: str
    weight: PackedField = PACKED
    weight_bits: int = 8
    conv: ConvGeometry | None = None

    @property
    def packed(self) -> PackedWeights:
        """The weights as they are held."""
        held: PackedWeights = vars(self)["packed"]
        return held

    @property
    def name(self) -> str:
        """The name of the connection, ``source->target``."""
        return f"{self.source}->{self.target}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights: ``(target size, source size)``, or that of a kernel."""
        return self.packed.shape

    def axis(self, axis: int) -> tuple[int, int, int, int]:
        """Kernel size, stride, padding and dilation of a convolution along one axis (0: rows, 1: columns)."""
        assert self.conv is not None
        return self.shape[2 + axis], self.conv.stride[axis], self.conv.padding[axis], self.conv.dilation[axis]


@dataclass(frozen=True, eq=False, repr=False)
class ChipNetwork(Shown):
    """Integer populations and connections, ready for a chip of one profile.

    Attributes:
        populations: in an order in which every feed-forward connection points forward.
        timesteps: number of timesteps per sample.
        input_rule: by which samples of the user's own data are prepared; None for a data set that has a name.
        meaning: of the outputs.
        provenance: JSON-able facts of where it came from (parent hash, profile hash, seed, scales for humans).
    """

    populations: tuple[Population, ...]
    connections: tuple[Connection, ...]
    timesteps: int
    encoding: Encoding
    readout: Readout
    profile: str
    profile_sha256: str
    provenance: dict[str, object] = field(default_factory=dict)
    input_rule: InputRule | None = None
    meaning: OutputRule = CLASSES

    def __post_init__(self) -> None:
        refuse("chip network", list(_faults(self)))

    def __repr__(self) -> str:
        neurons = sum(population.size for population in self.populations if population.neuron is not None)
        return (
            f"ChipNetwork({self.profile}: {self.encoding} input {self.input.shape}, T = {self.timesteps}, {neurons:,} "
            f"neurons in {len(self.populations)} populations, {len(self.connections)} connections, {self.readout} "
            f"readout of {self.outputs})"
        )

    @cached_property
    def by_name(self) -> dict[str, Population]:
        """The populations by name, in the network's order."""
        return {population.name: population for population in self.populations}

    @property
    def input(self) -> Population:
        """The population that the data drives."""
        return next(p for p in self.populations if p.role == "input")

    @property
    def output(self) -> Population:
        """The population that the host reads."""
        return next(p for p in self.populations if p.role == "readout")

    @property
    def classes(self) -> int:
        """Number of classes, or of values of a regression."""
        return self.outputs // self.meaning.population

    @property
    def outputs(self) -> int:
        """The size of the readout."""
        return self.output.size

    @property
    def score_unit(self) -> float:
        """By which scores are divided to be logits: spike counts by 1, membrane potentials by their scale and T.

        Raises:
            InputError: the network does not note the scale of its readout, or one that nothing can be divided by.
        """
        if self.readout == "count":
            return 1.0
        scales = self.provenance.get("scales")
        scale = scales.get(self.output.name) if isinstance(scales, dict) else None
        if not isinstance(scale, float | int):
            raise InputError(
                f"chip network: its provenance does not note the scale of {self.output.name!r}, by which potentials "
                "become values; lower it again"
            )
        if not SMALLEST_SCALE <= scale <= 1 / SMALLEST_SCALE:
            raise InputError(
                f"chip network: its provenance notes a scale of {self.output.name!r} that is not between "
                f"{SMALLEST_SCALE:g} and {1 / SMALLEST_SCALE:g}; lower it again"
            )
        return STATE_UNIT * float(scale) * self.timesteps

    @property
    def takes(self) -> ForNetwork:
        """What data for the network must be like."""
        frames = (self.timesteps, *self.input.shape) if self.encoding == "events" else None
        return ForNetwork(self.input_rule, self.meaning, self.classes, frames)

    @property
    def changes_each_step(self) -> bool:
        """Whether samples are frames of intensities, one for each timestep."""
        return self.input_rule is not None and self.input_rule.changes_each_step

    def into(self, target: str) -> tuple[Connection, ...]:
        """The connections into the population ``target``, in the network's order."""
        return tuple(c for c in self.connections if c.target == target)

    def out_of(self, source: str) -> tuple[Connection, ...]:
        """The connections out of the population ``source``, in the network's order."""
        return tuple(c for c in self.connections if c.source == source)

    @cached_property
    def depth(self) -> dict[str, int]:
        """Steps from the input to each population: its spikes of sample step t come at chip step t + depth.

        Bias populations sit one step before what they feed.
        """
        depth: dict[str, int] = {}
        for population in self.populations:
            arriving = [depth[c.source] for c in self.into(population.name) if c.source in depth]
            depth[population.name] = 1 + max(arriving) if arriving else 0
        for population in self.populations:
            if population.role == "bias":
                depth[population.name] = min(depth[c.target] for c in self.out_of(population.name)) - 1
        return depth

    @property
    def is_recurrent(self) -> bool:
        """Whether a population feeds itself."""
        return any(c.source == c.target for c in self.connections)

    def with_provenance(self, **facts: object) -> ChipNetwork:
        """A copy with further facts in its provenance."""
        return replace(self, provenance={**self.provenance, **facts})


@dataclass(frozen=True)
class Schedule:
    """Samples streaming through the chip's pipeline.

    Algorithmic step t of sample s happens in a population of depth d at chip step ``s * stride + d + t``, counted from
    0. Without recurrence samples follow each other with ``stride = timesteps``, several in the pipeline at once; a
    recurrent network would hear its last spikes of the sample before, so it is emptied between samples and the stride
    is the whole pipeline, ``timesteps + deepest``.

    Attributes:
        stride: chip steps from one sample's start to the next one's.
        deepest: greatest depth of a population.
    """

    samples: int
    timesteps: int
    stride: int
    deepest: int

    @staticmethod
    def of(chip: ChipNetwork, samples: int) -> Schedule:
        """The schedule of ``samples`` on ``chip``."""
        deepest = max(chip.depth.values())
        stride = chip.timesteps + (deepest if chip.is_recurrent else 0)
        return Schedule(samples, chip.timesteps, stride, deepest)

    @property
    def chip_steps(self) -> int:
        """Chip steps until the last sample has left."""
        return (self.samples - 1) * self.stride + self.timesteps + self.deepest

    def places(self, depth: int) -> IntArray:
        """Chip steps, counted from 0, of every timestep and sample; shape ``(timesteps, samples)``."""
        return depth + np.arange(self.timesteps)[:, None] + np.arange(self.samples)[None, :] * self.stride


def output_shape(connection: Connection, source: Population) -> tuple[int, ...]:
    """Shape of what ``connection`` delivers when driven by ``source``."""
    if connection.conv is None:
        return connection.shape[:1]
    axes = zip(source.shape[1:], map(connection.axis, (0, 1)), strict=True)
    spatial = ((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, (k, s, p, d) in axes)
    return (connection.shape[0], *spatial)


def _faults(chip: ChipNetwork) -> Iterator[str]:
    names = [p.name for p in chip.populations]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"two populations are named {name!r}"
    for role in ("input", "readout"):
        if (count := sum(p.role == role for p in chip.populations)) != 1:
            yield f"{count} populations have the role {role!r}; exactly one must"
    if chip.timesteps < 1:
        yield f"timesteps is {chip.timesteps}; at least 1"
    for population in chip.populations:
        yield from _register_faults(population)
    for connection in chip.connections:
        yield from _connection_faults(connection, chip.by_name)
    for name, count in Counter(connection.name for connection in chip.connections).items():
        if count > 1:
            yield f"connection {name}: is there {count} times; add the weights up into one connection"
    yield from _order_faults(chip, names)


def _register_faults(population: Population) -> Iterator[str]:
    name, neuron = population.name, population.neuron
    if neuron is None:
        if population.role != "input":
            yield f"{name}: has no neuron; only an input population may be without"
        return
    for register, value, most in (
        ("du", neuron.du, DECAY_ONE - 1),
        ("dv", neuron.dv, DECAY_ONE),
        ("vth", neuron.vth, LAVA_WIDTHS.vth_max),
        ("bias_exp", neuron.bias_exp, BIAS_EXP_MAX),
    ):
        if not 0 <= value <= most:
            yield f"{name}: {register} is {value}; may be 0..{most}"
    bias, low, high = neuron.bias, -LAVA_WIDTHS.bias_max - 1, LAVA_WIDTHS.bias_max
    if bias.shape != population.shape:
        yield f"{name}: bias has shape {bias.shape}; the population has {population.shape}"
    elif bias.size and not (low <= bias.min() and bias.max() <= high):
        bits = LAVA_WIDTHS.bias_mantissa_bits
        yield f"{name}: bias reaches {bias.min()}..{bias.max()}; {bits} bits hold {low}..{high}"


def _connection_faults(connection: Connection, known: dict[str, Population]) -> Iterator[str]:
    name, shape = f"connection {connection.name}", connection.shape
    if missing := [n for n in (connection.source, connection.target) if n not in known]:
        yield f"{name}: no population is named {missing[0]!r}"
        return
    source, target = known[connection.source], known[connection.target]
    if not np.issubdtype(kind := connection.packed.values.dtype, np.integer):
        yield f"{name}: weights are {kind}; they must be integers"
    elif (ends := connection.packed.extent)[0] < -256 or ends[1] > 255:
        yield f"{name}: weights reach {ends[0]}..{ends[1]}; may be -256..255"
    if connection.conv is None:
        fits = shape == (target.size, source.size)
    else:
        fits = (
            len(source.shape) == 3
            and shape[1] * connection.conv.groups == source.shape[0]
            and output_shape(connection, source) == target.shape
        )
    if not fits:
        yield f"{name}: weight {shape} does not lead from {source.shape} to {target.shape}"


def _order_faults(chip: ChipNetwork, names: list[str]) -> Iterator[str]:
    sorter: TopologicalSorter[str] = TopologicalSorter({name: set() for name in names})
    for connection in chip.connections:
        if connection.source != connection.target:
            sorter.add(connection.target, connection.source)
    try:
        sorter.prepare()
    except CycleError as error:
        yield f"populations feed each other in a circle ({' -> '.join(error.args[1])}); only a population on itself may"
        return
    place = {name: i for i, name in enumerate(names)}
    known = [c for c in chip.connections if c.source in place and c.target in place]
    backwards = [c.name for c in known if place[c.source] > place[c.target]]
    yield from (f"connection {name}: points backwards in the order of populations" for name in backwards)
    if not backwards and len(place) == len(names) and len(known) == len(chip.connections):
        yield from _balance_faults(chip)


def _balance_faults(chip: ChipNetwork) -> Iterator[str]:
    """A spike takes one step over each connection, so that all paths that meet have to be equally long."""
    if idle := [p.name for p in chip.populations if p.role == "bias" and not chip.out_of(p.name)]:
        yield f"bias population {idle[0]!r} feeds nothing"
        return
    for connection in chip.connections:
        steps = chip.depth[connection.target] - chip.depth[connection.source]
        if connection.source != connection.target and steps != 1:
            yield (
                f"connection {connection.name}: spans {steps} steps of the chip, and a spike arrives after one: paths "
                "that meet have to be equally long; lower the graph again, which puts relays between"
            )
