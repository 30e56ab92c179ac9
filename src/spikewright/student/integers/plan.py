"""The places of layers among the integers of a network: which scale each has, and what an integer 1 is worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import torch
from torch import Tensor, fx, nn

from ...base.errors import InputError, a_kind, refuse
from ...graph.nodes import Shape
from ..linear_layers import WEIGHTED, keeps_constants, window_of
from ..modules import CannotExport, has_node
from ..neurons import is_neuron
from ..operations import Join, Reshape, Times
from ..placed import PLACED
from ..spatial_maps import map_of_channel
from ..tracing import flat_time, follow, is_flatten, is_sum, pools_spikes, stateless
from .folding import UNCHANGED

POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
_MOST_DIVISOR = 2**12  # of an average, and the finest unit of a shortcut
MAY_BE = "may be convolutions, Linear, average pooling, nearest Upsample, padding, concatenation or Flatten"


@dataclass(frozen=True)
class Weights:
    """The place of a layer with weights among the integers of a network.

    Attributes:
        unit: what an integer 1 of its input is worth: 1 for a spike, less for graded input and where values are
            averaged before or behind it.
        target: the neuron layer that it feeds, whose scale is its own; of several the first, which all have one scale.
        shared: whether its weights meet others of one source on the chip, so that they keep to the grid of mixed signs.
        gain: by what numbers behind it multiply what it gives; part of ``unit``.
    """

    unit: float
    target: str
    shared: bool = False
    gain: float = 1.0


@dataclass(frozen=True)
class Plan:
    """The places of all layers of a network.

    Attributes:
        weights: of layers with weights, by the names of their nodes.
        shortcuts: of values that reach neurons without weights, which are weights of exactly 1, by :func:`port`.
        divisors: of pooling, by what its averages are multiplied to be whole numbers, by the names of their nodes.
        together: sets of neuron layers that share a scale, since they are fed by the same weights.
        multiples: by neuron layer with a shortcut, what its scale is a multiple of, in steps of the grid of weights.
    """

    weights: dict[str, Weights] = field(default_factory=dict)
    shortcuts: dict[str, Weights] = field(default_factory=dict)
    divisors: dict[str, int] = field(default_factory=dict)
    together: tuple[frozenset[str], ...] = ()
    multiples: dict[str, Fraction] = field(default_factory=dict)


def port(node: str, index: int = 0) -> str:
    """The name of one input of a node."""
    return f"{node}:{index}"


@dataclass(frozen=True)
class _Wire:
    """A value between two layers, of a shape without the batch.

    Attributes:
        unit: what an integer 1 is worth; of currents without meaning.
        weights: the layers and shortcuts whose sum it is, each with what averages it was divided by since, and by what
            numbers it was multiplied; empty for spikes, which no weights have multiplied yet.
    """

    shape: Shape
    unit: float
    weights: frozenset[tuple[str, float, float]] = frozenset()


class _Planner:
    def __init__(self) -> None:
        self.faults: list[str] = []
        self.units: dict[str, float] = {}
        self.factors: dict[str, set[tuple[float, float]]] = {}
        self.targets: dict[str, list[str]] = {}
        self.called: dict[str, str] = {}
        self.shortcuts: set[str] = set()
        self.divisors: dict[str, int] = {}
        self.followed: set[str] = set()
        self.composable: set[str] = set()
        self.placed: set[str] = set()
        self.shapes: dict[str, Shape] = {}

    def neurons(self, name: str, _: nn.Module, wire: _Wire) -> _Wire:
        """What neurons give; a value without weights reaches them by a shortcut."""
        self.shapes[port(name)] = wire.shape
        if not wire.weights:
            wire = self._shortcut(port(name), name, wire)
        for layer, *factors in wire.weights:
            self.factors[layer].add((factors[0], factors[1]))
            if name not in self.targets[layer]:
                self.targets[layer].append(name)
        return _Wire(wire.shape, 1.0)

    def other(self, node: fx.Node, module: nn.Module | None, arriving: list[_Wire]) -> _Wire:
        """What any other node gives."""
        made = self._given(node, module, arriving)
        self.shapes[node.name] = made.shape
        return made

    def _given(self, node: fx.Node, module: nn.Module | None, arriving: list[_Wire]) -> _Wire:
        first = arriving[0]
        if isinstance(module, WEIGHTED):
            self._new(node.name, str(node.target), first.unit)
            if first.weights:
                self.followed |= {layer for layer, *_ in first.weights}
                self._may_compose(node, "follows other weights without neurons between them; make them one layer")
            if isinstance(module, PLACED):
                self.placed.add(node.name)
            return _Wire(_shape(node, module, arriving), 0.0, frozenset([(node.name, 1.0, 1.0)]))
        if isinstance(module, POOLS):
            return self._pooled(node, module, first)
        if pools_spikes(node):
            return _Wire(_shape(node, module, arriving), 1.0)
        if isinstance(module, Times):
            return self._times(node, module, first)
        if is_sum(node) or isinstance(module, Join):
            return self._together(node, module, arriving)
        self._check(node, module, first)
        return _Wire(_shape(node, module, arriving), first.unit, first.weights)

    def _may_compose(self, node: fx.Node, fault: str) -> None:
        """Note a node that has no place of its own among integers, but could be part of a matrix."""
        self.composable.add(node.name)
        self.faults.append(f"{node.target if node.op == 'call_module' else node.name}: {fault}")

    def _new(self, key: str, called: str, unit: float) -> None:
        self.units[key], self.factors[key], self.targets[key], self.called[key] = unit, set(), [], called

    def _shortcut(self, key: str, called: str, wire: _Wire) -> _Wire:
        self._new(key, called, wire.unit)
        self.shortcuts.add(key)
        return _Wire(wire.shape, 0.0, frozenset([(key, 1.0, 1.0)]))

    def _check(self, node: fx.Node, module: nn.Module | None, wire: _Wire) -> None:
        """Whether a module only moves values: each output is one input, or zero."""
        if module is None or isinstance(module, (*UNCHANGED, nn.Flatten, Reshape)):
            return
        try:
            matrix, _ = map_of_channel(module, wire.shape[1:])
            moves = bool(((matrix == 0) | (matrix == 1)).all()) and bool((matrix.sum(1) <= 1).all())
        except (CannotExport, InputError, RuntimeError, TypeError, ValueError):
            moves = False
        if not moves and has_node(module):
            self._may_compose(node, f"is {a_kind(type(module).__name__)}; {MAY_BE}")
        elif not moves:
            self.faults.append(f"{node.target}: is {a_kind(type(module).__name__)}; {MAY_BE}")

    def _pooled(self, node: fx.Node, module: nn.Module, wire: _Wire) -> _Wire:
        shape = _shape(node, module, [wire])
        window = window_of(module, wire.shape[1:])
        divisor = self._uneven(node, module, wire.shape[1:]) if window is None else window
        self.divisors[node.name] = divisor
        if not wire.weights:
            return _Wire(shape, wire.unit / divisor)
        if window is None or not keeps_constants(module):
            fault = "pools after the weights, over windows that differ; put it before them, where it pools spikes"
            self._may_compose(node, fault)
        elif any(key in self.placed for key, *_ in wire.weights):
            self._may_compose(node, "averages a bias of each place, which is no whole number then; pool before it")
        return _Wire(shape, 0.0, frozenset((key, factor / divisor, gain) for key, factor, gain in wire.weights))

    def _uneven(self, node: fx.Node, module: nn.Module, spatial: Shape) -> int:
        """What makes whole numbers of averages over windows of several sizes."""
        try:
            matrix, _ = map_of_channel(module, spatial)
        except CannotExport as fault:
            self.faults.append(f"{node.target}: {fault}")
            return 1
        parts = {Fraction(value).limit_denominator(_MOST_DIVISOR) for value in set(matrix[matrix != 0].tolist())}
        divisor = math.lcm(*(part.denominator for part in parts))
        if divisor > _MOST_DIVISOR:
            self._may_compose(node, "averages over windows of too many sizes; let it divide what it pools")
        return divisor

    def _times(self, node: fx.Node, module: Times, wire: _Wire) -> _Wire:
        if module.factor == 0 or (module.factor < 0 and not wire.weights):
            self.faults.append(
                f"{node.target}: multiplies by {module.factor:g}, which leaves nothing; leave out what is before it"
                if module.factor == 0
                else f"{node.target}: multiplies spikes by {module.factor:g}; multiply the weights behind it instead"
            )
        multiplied = frozenset((key, factor, gain * module.factor) for key, factor, gain in wire.weights)
        return _Wire(wire.shape, wire.unit * module.factor, multiplied)

    def _together(self, node: fx.Node, module: nn.Module | None, arriving: list[_Wire]) -> _Wire:
        """A sum, or values side by side: spikes that meet currents go there by a shortcut."""
        shape = _shape(node, module, arriving)
        if any(wire.weights for wire in arriving):
            arriving = [
                wire if wire.weights else self._shortcut(port(node.name, index), node.name, wire)
                for index, wire in enumerate(arriving)
            ]
            return _Wire(shape, 0.0, frozenset().union(*(wire.weights for wire in arriving)))
        if len({wire.unit for wire in arriving}) > 1:
            self._may_compose(node, "adds values of different units; give both ways the same pooling and weights")
        return _Wire(shape, arriving[0].unit)

    def plan(self) -> Plan:
        """The plan.

        Raises:
            InputError: every place where the integers of the chip could not be the student's, at once.
        """
        idle = [key for key, reached in self.targets.items() if not reached and key not in self.followed]
        faults = [f"{self.called[key]}: feeds no neuron layer" for key in idle]
        faults += [
            f"{self.called[key]}: reaches neurons by ways that average it differently; give each weights of its own"
            for key, factors in self.factors.items()
            if len(factors) > 1
        ]
        skipped = {key: reached for key, reached in self.targets.items() if key in self.shortcuts}
        worth = {
            key: self.units[key] * (max(self.factors[key]) if self.factors[key] else (1.0, 1.0))[1] for key in skipped
        }
        units = {key: Fraction(unit).limit_denominator(_MOST_DIVISOR) for key, unit in worth.items()}
        faults += [
            f"{self.called[key]}: a shortcut brings it values of which an integer 1 is worth {worth[key]:.3g}, "
            "which no weight of the chip holds exactly; give the shortcut a convolution of 1 x 1"
            for key, unit in units.items()
            if unit <= 0 or abs(float(unit) - worth[key]) > 1e-9 or unit.denominator > 64 * unit.numerator
        ]
        refuse("training on integers", faults + self.faults)
        multiples: dict[str, Fraction] = {}
        for key, reached in skipped.items():
            ((factor, _),) = self.factors[key]
            each = 1 / (units[key] * Fraction(factor).limit_denominator(_MOST_DIVISOR))
            for name in reached:
                multiples[name] = common(multiples.get(name, each), each)
        places = {}
        for key, reached in self.targets.items():
            ((factor, gain),) = self.factors[key]
            is_shared = any(name in multiples for name in reached)
            places[key] = Weights(self.units[key] * factor * gain, reached[0], is_shared, gain)
        return Plan(
            weights={key: place for key, place in places.items() if key not in self.shortcuts},
            shortcuts={key: place for key, place in places.items() if key in self.shortcuts},
            divisors=self.divisors,
            together=_groups(list(self.targets.values())),
            multiples=multiples,
        )


def plan_of(traced: fx.GraphModule, input_unit: float, input_shape: Shape) -> Plan:
    """The places of all layers of a traced network.

    Args:
        input_unit: what an integer 1 of the input is worth.
        input_shape: without the batch.

    Raises:
        InputError: every place where the integers of the chip could not be the student's, at once.
    """
    planner = _Planner()
    follow(traced, _Wire(input_shape, input_unit), planner.neurons, planner.other)
    return planner.plan()


@dataclass(frozen=True)
class Unplaced:
    """What has no place of its own among the integers of a network.

    Attributes:
        names: of nodes that can be part of a matrix, and of neuron layers that a matrix can feed, by :func:`port`.
        shapes: of what every node gives, and every neuron layer by :func:`port`, without the batch.
    """

    names: frozenset[str]
    shapes: dict[str, Shape]


def unplaced(traced: fx.GraphModule, input_shape: Shape) -> Unplaced:
    """What of a traced network, for an input of this shape, could be placed as part of a matrix alone."""
    planner = _Planner()
    follow(traced, _Wire(input_shape, 1.0), planner.neurons, planner.other)
    several = {key for key, factors in planner.factors.items() if len(factors) > 1}
    fed = {port(name) for key in several for name in planner.targets[key]}
    return Unplaced(frozenset(planner.composable | fed), planner.shapes)


@torch.no_grad()
def _shape(node: fx.Node, module: nn.Module | None, arriving: Sequence[_Wire]) -> Shape:
    """The shape of what a node gives."""
    parameter = next(module.parameters(), torch.zeros(0)) if module is not None else torch.zeros(0)
    values = [torch.zeros(1, 1, *wire.shape).to(parameter) for wire in arriving]
    if module is None and not (is_sum(node) or is_flatten(node)):
        stateless(node, module)  # refuses it
    assert module is None or not is_neuron(module)
    try:
        found: Tensor = flat_time(stateless(node, module), *values)
    except RuntimeError as error:
        raise InputError(f"{node.target}: {str(error).splitlines()[0]}") from error
    return tuple(found.shape[2:])


def common(one: Fraction, other: Fraction) -> Fraction:
    """The smallest number that is a whole multiple of both."""
    return Fraction(math.lcm(one.numerator, other.numerator), math.gcd(one.denominator, other.denominator))


def _groups(sets: list[list[str]]) -> tuple[frozenset[str], ...]:
    """Sets of more than one neuron layer, those merged that have layers in common."""
    groups: list[set[str]] = []
    for names in sets:
        touching = [group for group in groups if group & set(names)]
        groups = [group for group in groups if group not in touching] + [set(names).union(*touching)]
    return tuple(frozenset(group) for group in groups if len(group) > 1)
