"""A chip network as an ONNX model that computes all its timesteps on integers, with standard operators alone.

Populations come in the network's order. The synaptic input of all timesteps of a population is computed at once; its
neurons are unrolled, one timestep after the other. All integers are int64, and no operator is one about whose integers
readers disagree: a quotient is one of numbers that are not negative, and a convolution is a sum of matrix products, one
for each place of the kernel, since ONNX has none of integers this wide.

Where no input within its range can make a register overflow, the operators of overflow are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import onnx

from ..base.errors import refuse
from ..chip.law import INT32_LIMIT, STATE_LIMIT
from ..chip.network import ChipNetwork, Connection, Neuron, Population
from ..chip.neuron_models import LAWS, reset_of
from ..chip.registers import DECAY_ONE, STATE_UNIT
from .onnx_graph import Axes, GraphWriter, legible, save
from .onnx_reach import Reach, most_delivered, range_of

INPUT, SCORES, ANSWER, VALUES, SPIKES = "input", "scores", "answer", "values", "spikes/"
"""Names of the model's input, and of its outputs; behind the last one comes the name of a population."""
MOST_NODES = 1_000_000
"""Of a model; a network of more would take readers hours to load."""


def write_network(chip: ChipNetwork, path: Path | str) -> None:
    """Write :func:`network_model` of ``chip`` to ``path``, atomically.

    Raises:
        InputError: as :func:`network_model`; or the folder does not exist.
    """
    save(network_model(chip), path)


def network_model(chip: ChipNetwork) -> onnx.ModelProto:
    """The network as an ONNX model.

    Its input is ``input``, int64 ``(batch, steps, *input shape)``, with 1 step where every timestep gets the same, or
    T: events and graded values of an input population, or the bias mantissas that the host sets. Its outputs are
    ``scores``, int64 ``(batch, outputs)``; ``answer``, int64 ``(batch,)``, or of a regression ``values``, float64
    ``(batch, outputs)``; and ``spikes/NAME``, uint8 ``(batch, T, *shape)``, of each population that has neurons.

    Raises:
        InputError: a neuron model that is not one of ours, or a network that would have too many nodes.
    """
    refuse("ONNX", onnx_faults(chip))
    graph = GraphWriter()
    writer = _Writer(chip, graph)
    for population in chip.populations:
        graph.prefix = legible(population.name)
        writer.write(population)
    graph.prefix = "readout"
    writer.write_answer()
    return graph.model("spikewright chip network", _about(chip), _facts(chip))


def onnx_faults(chip: ChipNetwork) -> list[str]:
    """Why a model cannot hold ``chip``; empty where it can."""
    return [*_law_faults(chip), *_size_faults(chip)]


def _law_faults(chip: ChipNetwork) -> Iterator[str]:
    for population in chip.populations:
        neuron = population.neuron
        if neuron is not None and (neuron.law not in LAWS or reset_of(neuron.law) is None):
            yield f"population {population.name!r}: the neuron model {neuron.law!r} has no operators here"


def _size_faults(chip: ChipNetwork) -> Iterator[str]:
    """A count of nodes from above that is cheap to make, before any is made."""
    kernels = {c.name: 4 * prod(c.shape[2:]) if c.conv else 3 for c in chip.connections}
    fixed = sum(kernels.values())
    loops = sum(kernels[c.name] for c in chip.connections if c.source == c.target)
    nodes = fixed + chip.timesteps * (40 * len(chip.populations) + loops)
    if nodes > MOST_NODES:
        yield (
            f"{chip.timesteps} timesteps of {len(chip.populations)} populations take up to {nodes:,} nodes, and a "
            f"model of more than {MOST_NODES:,} is not written; lower the network for fewer timesteps"
        )


class _Writer:
    """The populations of one network, written one after the other."""

    def __init__(self, chip: ChipNetwork, graph: GraphWriter) -> None:
        self.chip, self.graph = chip, graph
        self.input = graph.input(INPUT, np.int64, ("batch", "steps", *chip.input.shape))
        self.sent: dict[str, str] = {}
        """By population, what its targets hear: ``(batch, T or steps, *shape)``."""
        self.last: dict[str, str] = {}
        """By population, the membrane potential after the last step, ``(batch, 1, *shape)``."""

    def write(self, population: Population) -> None:
        """One population through all its steps, or the events of an input."""
        if population.neuron is None:
            self.sent[population.name] = self.input
            return
        spikes = self._steps(population, population.neuron, self._arriving(population))
        chip, graph, name = self.chip, self.graph, population.name
        every = spikes[0] if len(spikes) == 1 else graph.add("Concat", *spikes, axis=1)
        self.sent[name] = every
        shown = graph.add("Cast", every, to=onnx.TensorProto.UINT8)
        axes: Axes = ("batch", chip.timesteps, *population.shape)
        graph.output(shown, f"{SPIKES}{legible(name)}", np.uint8, axes)

    def _arriving(self, population: Population) -> list[str | None]:
        """What comes to a population at each step from others, ``(batch, 1, *shape)`` each; None for nothing."""
        steps, graph = self.chip.timesteps, self.graph
        others = [c for c in self.chip.into(population.name) if c.source != c.target]
        if not others:
            return [None] * steps
        total = self._sum([self._delivered(c, self.sent[c.source]) for c in others])
        return list(self._each_step(graph.add("Expand", total, self._over_time(population))))

    def _each_step(self, values: str) -> list[str]:
        if self.chip.timesteps == 1:
            return [values]
        return self.graph.split("Split", self.chip.timesteps, values, axis=1)

    def _over_time(self, population: Population) -> str:
        """The shape to which values of one step, or of all, are expanded."""
        return self.graph.whole(1, self.chip.timesteps, *[1] * len(population.shape))

    def _sum(self, values: list[str]) -> str:
        total = values[0]
        for value in values[1:]:
            total = self.graph.add("Add", total, value)
        return total

    def _biases(self, population: Population, neuron: Neuron) -> list[str | None]:
        """What each step adds to the potential: constants, or what the host sets."""
        graph, scale = self.graph, 1 << neuron.bias_exp
        if population.role == "input":
            scaled = graph.add("Mul", self.input, graph.number(scale))
            return list(self._each_step(graph.add("Expand", scaled, self._over_time(population))))
        if not neuron.bias.any():
            return [None] * self.chip.timesteps
        value = graph.constant(neuron.bias.astype(np.int64)[None, None] * scale, f"bias of {legible(population.name)}")
        return [value] * self.chip.timesteps

    def _steps(self, population: Population, neuron: Neuron, arriving: list[str | None]) -> list[str]:
        """The spikes of each step, int64 of 0 and 1, ``(batch, 1, *shape)``."""
        graph, chip = self.graph, self.chip
        loops = [c for c in chip.into(population.name) if c.source == c.target]
        reach, biases, spikes = Reach.of(chip, population, neuron), self._biases(population, neuron), list[str]()
        u: str | None = None
        v: str | None = None
        for step in range(chip.timesteps):
            comes = [each for each in (arriving[step],) if each is not None]
            comes += [self._delivered(c, spikes[-1]) for c in loops if spikes]
            u = self._current(neuron, u, self._sum(comes) if comes else None, reach)
            parts = [u, self._decayed(v, DECAY_ONE - neuron.dv), biases[step]]
            present = [each for each in parts if each is not None]
            potential = self._sum(present) if present else self._rest(population)
            if step == 0 and arriving[0] is None and population.role != "input":
                potential = self._of_batch(potential, population)
            potential = self._limited(potential, self._owed(neuron, v), reach)
            fired = graph.add("Greater", potential, graph.number(neuron.vth * STATE_UNIT))
            spikes.append(graph.add("Cast", fired, to=onnx.TensorProto.INT64))
            v = self._reset(neuron, potential, fired, spikes[-1])
        assert v is not None
        self.last[population.name] = v
        return spikes

    def _rest(self, population: Population) -> str:
        return self.graph.constant(np.zeros((1, 1, *population.shape), np.int64))

    def _of_batch(self, value: str, population: Population) -> str:
        """``value`` with an entry for each sample, also where nothing that comes from the input is in it."""
        graph = self.graph
        batch = graph.add("Slice", graph.add("Shape", self.input), graph.whole(0), graph.whole(1))
        shape = graph.add("Concat", batch, graph.whole(*[1] * (1 + len(population.shape))), axis=0)
        return graph.add("Expand", value, shape)

    def _current(self, neuron: Neuron, u: str | None, arriving: str | None, reach: Reach) -> str | None:
        """``wrap(trunc(u (4095 - du) / 4096) + 64 a)``."""
        graph = self.graph
        kept = self._decayed(u, DECAY_ONE - (neuron.du + 1))
        gained = None if arriving is None else graph.add("Mul", arriving, graph.number(STATE_UNIT))
        parts = [each for each in (kept, gained) if each is not None]
        if not parts:
            return None
        total = self._sum(parts)
        if reach.overflows:
            total = self._modulo(total, INT32_LIMIT)
        if not reach.wraps:
            return total
        over = graph.add("Cast", graph.add("Greater", total, graph.number(STATE_LIMIT)), to=onnx.TensorProto.INT64)
        under = graph.add("LessOrEqual", total, graph.number(-STATE_LIMIT))
        back = graph.add("Sub", graph.add("Cast", under, to=onnx.TensorProto.INT64), over)
        return graph.add("Add", total, graph.add("Mul", back, graph.number(2 * STATE_LIMIT)))

    def _decayed(self, state: str | None, kept: int) -> str | None:
        """``trunc(state kept / 4096)``: of magnitudes, since quotients of negative numbers differ between readers."""
        graph = self.graph
        if state is None or kept == 0:
            return None
        if kept == DECAY_ONE:
            return state
        size = graph.add("Mul", graph.add("Abs", state), graph.number(kept))
        return graph.add("Mul", graph.add("Sign", state), graph.add("Div", size, graph.number(DECAY_ONE)))

    def _owed(self, neuron: Neuron, v: str | None) -> str | None:
        """What the spikes of the step before take off now."""
        if reset_of(neuron.law) != "subtract-late" or v is None:
            return None
        graph, threshold = self.graph, self.graph.number(neuron.vth * STATE_UNIT)
        fired = graph.add("Cast", graph.add("Greater", v, threshold), to=onnx.TensorProto.INT64)
        return graph.add("Mul", fired, threshold)

    def _limited(self, potential: str, owed: str | None, reach: Reach) -> str:
        graph = self.graph
        if owed is not None:
            potential = graph.add("Sub", potential, owed)
        if reach.overflows:
            potential = self._modulo(potential, INT32_LIMIT)
        if reach.clips:
            potential = graph.add("Max", potential, graph.number(1 - STATE_LIMIT))
            potential = graph.add("Min", potential, graph.number(STATE_LIMIT - 1))
        return potential

    def _reset(self, neuron: Neuron, potential: str, fired: str, spikes: str) -> str:
        graph, reset = self.graph, reset_of(neuron.law)
        if reset == "zero":
            return graph.add("Where", fired, graph.number(0), potential)
        if reset == "subtract":
            return graph.add("Sub", potential, graph.add("Mul", spikes, graph.number(neuron.vth * STATE_UNIT)))
        return potential

    def _modulo(self, value: str, limit: int) -> str:
        """``value`` brought into ``[-limit, limit)``, as two's complement does."""
        graph = self.graph
        moved = graph.add("Mod", graph.add("Add", value, graph.number(limit)), graph.number(2 * limit))
        return graph.add("Sub", moved, graph.number(limit))

    def _delivered(self, connection: Connection, sent: str) -> str:
        """Synaptic input through one connection, ``(batch, steps, *target shape)``."""
        chip, graph = self.chip, self.graph
        source, target = chip.by_name[connection.source], chip.by_name[connection.target]
        if connection.conv is not None:
            return self._convolved(connection, sent, target)
        if len(source.shape) != 1:
            sent = graph.add("Reshape", sent, graph.whole(0, 0, source.size))
        made = graph.add("MatMul", sent, self._weights(connection, connection.weight.T))
        return made if len(target.shape) == 1 else graph.add("Reshape", made, graph.whole(0, 0, *target.shape))

    def _convolved(self, connection: Connection, sent: str, target: Population) -> str:
        """A convolution as a sum over the places of its kernel, each a matrix between channels."""
        graph, conv = self.graph, connection.conv
        assert conv is not None
        (top, left), (outputs, channels) = conv.padding, connection.shape[:2]
        if top or left:
            sent = graph.add("Pad", sent, graph.whole(0, 0, 0, top, left, 0, 0, 0, top, left))
        rows, columns = target.shape[1:]
        grouped = connection.weight.reshape(conv.groups, outputs // conv.groups, channels, *connection.shape[2:])
        parts = []
        for row, column in product(*map(range, connection.shape[2:])):
            first = row * conv.dilation[0], column * conv.dilation[1]
            ends = (first[0] + (rows - 1) * conv.stride[0] + 1, first[1] + (columns - 1) * conv.stride[1] + 1)
            seen = graph.add(
                "Slice", sent, graph.whole(*first), graph.whole(*ends), graph.whole(3, 4), graph.whole(*conv.stride)
            )
            seen = graph.add("Reshape", seen, graph.whole(0, 0, conv.groups, channels, rows * columns))
            matrix = self._weights(connection, grouped[..., row, column], f", place {row}, {column}")
            parts.append(graph.add("MatMul", matrix, seen))
        made = graph.add("Reshape", self._sum(parts), graph.whole(0, 0, *target.shape))
        return self._modulo(made, STATE_LIMIT) if most_delivered(self.chip, connection) >= STATE_LIMIT else made

    def _weights(self, connection: Connection, weight: np.ndarray, place: str = "") -> str:  # type: ignore[type-arg]
        """Weights as int64; stored as int16, which holds all of them."""
        stored = self.graph.constant(weight.astype(np.int16), f"weight of {legible(connection.name)}{place}")
        return self.graph.add("Cast", stored, to=onnx.TensorProto.INT64)

    def write_answer(self) -> None:
        """What the host reads, and what it makes of that."""
        chip, graph, readout = self.chip, self.graph, self.chip.output
        if chip.readout == "count":
            read = graph.add("ReduceSum", self.sent[readout.name], graph.whole(1), keepdims=0)
        else:
            read = self.last[readout.name]
        flat = graph.add("Reshape", read, graph.whole(-1, chip.outputs))
        graph.output(flat, SCORES, np.int64, ("batch", chip.outputs))
        rule = chip.meaning
        if rule.is_classes:
            each = flat
            if rule.population > 1:
                by_class = graph.add("Reshape", flat, graph.whole(-1, chip.classes, rule.population))
                each = graph.add("ReduceSum", by_class, graph.whole(2), keepdims=0)
            best = graph.add("ArgMax", each, axis=1, keepdims=0)
            graph.output(best, ANSWER, np.int64, ("batch",))
            return
        score = graph.add("Cast", flat, to=onnx.TensorProto.DOUBLE)
        logit = graph.add("Div", score, graph.constant(np.array(chip.score_unit, np.float64)))
        spread = graph.add("Mul", logit, graph.constant(np.array(rule.spread, np.float64)))
        values = graph.add("Add", spread, graph.constant(np.array(rule.center, np.float64)))
        graph.output(values, VALUES, np.float64, ("batch", chip.outputs))


def _about(chip: ChipNetwork) -> str:
    low, high = range_of(chip)
    what = "bias mantissas of the input neurons" if chip.input.neuron is not None else "events, or graded values"
    return (
        f"A spiking network of {chip.timesteps} timesteps on integers. {INPUT}: {what}, {low}..{high}, with 1 step "
        f"where every timestep gets the same, or {chip.timesteps}. {SCORES}: {chip.readout} of the readout."
    )


def _facts(chip: ChipNetwork) -> dict[str, str]:
    low, high = range_of(chip)
    facts: dict[str, object] = {
        "format": "spikewright unrolled chip network",
        "format_version": 1,
        "timesteps": chip.timesteps,
        "encoding": chip.encoding,
        "readout": chip.readout,
        "input_low": low,
        "input_high": high,
        "profile": chip.profile,
        "profile_sha256": chip.profile_sha256,
        "meaning": chip.meaning.as_json(),
    }
    facts |= {key: chip.provenance[key] for key in ("input_bits", "input_transform") if key in chip.provenance}
    if chip.input_rule is not None:
        facts["input_rule"] = chip.input_rule.as_json()
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in facts.items()}
