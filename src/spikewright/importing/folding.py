"""From the recording of T steps the graph of one: which call of a step is which of the next, and what enters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from torch import Tensor

from .calls import Call, Recording, Value
from .layer import Layer, Shape, Use, handler_of
from .neuron import CannotImport, Neuron
from .over_time import Gathered, gathered
from .refusals import refusal_of
from .sample import Sample, part_of, same

Entering = Literal["same", "steps", "coded"]


@dataclass(frozen=True, eq=False)
class Node:
    """A value of a single step.

    Attributes:
        call: that makes it; None for what enters.
        sources: numbers of the nodes that it is made of.
        shape: of one sample.
        use: of a layer.
        constant: whether it is the same for every sample.
        layer: what it is in a student, where that is known without its use.
        behind: whether it is computed once, of what was gathered over all steps.
    """

    call: Call | None
    sources: tuple[int, ...]
    shape: Shape
    use: Use | None = None
    constant: bool = False
    layer: Layer | None = None
    behind: bool = False


@dataclass(eq=False)
class Folding:
    """The graph of a single step, and what enters it.

    Attributes:
        recording: of all steps.
        neurons: by name of layer.
        sample: what was fed.
        steps: T.
        nodes: of a single step.
        entering: how the input enters, by kind.
        entries: what enters in each step, ``(B, ...)``.
        row: whether sequences ``(C, L)`` lie along the width of a student's images, and not along their height.
        codes: operations between the input and what enters.
        coded: by step, what enters where it is neither the sample nor a step of it.
    """

    recording: Recording
    neurons: dict[str, Neuron]
    sample: Sample
    steps: int
    nodes: list[Node] = field(default_factory=list)
    entering: dict[Entering, Shape] = field(default_factory=dict)
    entries: dict[int, Tensor] = field(default_factory=dict)
    codes: tuple[str, ...] = ()
    coded: dict[int, Value] = field(default_factory=dict)
    row: bool = False
    _numbers: dict[Any, int] = field(default_factory=dict)
    _known: dict[tuple[int, int, bool], int] = field(default_factory=dict)
    _moving: dict[int, bool] = field(default_factory=dict)
    _order: dict[int, int] = field(default_factory=dict)

    def number(self, value: Value, step: int, timed: bool = False) -> int:
        """The number of the node that ``value`` is in ``step``; equal nodes have equal numbers.

        Args:
            timed: whether ``value`` holds all timesteps.

        Raises:
            CannotImport: it is none of a single step.
        """
        place = id(value), step, timed
        if place not in self._known:
            self._known[place] = self._number(value, step, timed)
        return self._known[place]

    def _number(self, value: Value, step: int, timed: bool) -> int:
        if self._enters(value):
            return self._entry(value, step, timed)
        call = value.maker
        if call is None or not self.moves(value):
            return self._at(("constant", _content(value)), Node(None, (), (), constant=True))
        if (neuron := self.neurons.get(call.what)) is not None and call.module is not None:
            if not neuron.over_time and call.index != step:
                raise CannotImport(
                    f"takes {neuron.result(value.index)} of {call.what!r} of step {call.index} in step {step}, and a "
                    "layer of a student hears the others in the same step: take the output of the same step (a layer "
                    "that hears itself is snn.RLeaky or snn.RSynaptic), and compute nothing over steps but sums and "
                    "means at the end"
                )
            shape = self.shape_of(value, timed or bool(neuron.over_time))
            return self._at(("neuron", call.what, value.index), Node(call, (value.index,), shape))
        if timed and call.what == "stack" and len(call.sources) == self.steps:
            return self.number(call.sources[step], step)
        if not timed and self._selects(call, value, step):
            return self.number(call.sources[0], step, timed=True)
        if (over_time := self._gathered(value)) is not None:
            layer, shape = Layer(None, gain=over_time.gain), self.shape_of(value, False)
            node = Node(call, (over_time.number,), shape, layer=layer, behind=True)
            return self._at(("gathered", over_time.number, over_time.gain, shape), node)
        return self._layer(call, value, step, timed)

    def _gathered(self, value: Value) -> Gathered | None:
        """What is gathered in a value over all steps."""
        if not self._order:
            self._order = {id(call): place for place, call in enumerate(self.recording.calls)}
        return gathered(
            value,
            self.steps,
            self._order,
            self.number,
            lambda source, step: part_of(source.tensor, step, self.sample, self.steps),
            self.moves,
        )

    def place_of(self, value: Value) -> tuple[int, int, bool]:
        """The node of a value that is an output, its step, and whether it holds all of them.

        Raises:
            CannotImport: it is none of a single step.
        """
        timed = any(neuron.over_time for neuron in self.neurons.values())
        step = 0 if timed or value.maker is None else value.maker.index
        try:
            return self.number(value, step, timed), step, timed
        except CannotImport:
            try:  # a layer behind the loop, of the last step
                return self.number(value, self.steps - 1), self.steps - 1, False
            except CannotImport:
                pass
            raise

    def _layer(self, call: Call, value: Value, step: int, timed: bool) -> int:
        moving = [source for source in call.sources if self.moves(source)]
        sources = tuple(self.number(source, step, timed) for source in moving)
        key = ("layer", call.what, value.index, sources, _frame(call, self))
        if key in self._numbers:
            return self._numbers[key]
        behind = any(self.nodes[source].behind for source in sources)
        timed = timed and not behind
        shapes = tuple(self.shape_of(source, timed) for source in moving)
        use = Use(call.module, call.args, call.kwargs, shapes, self.shape_of(value, timed), self.row)
        return self._at(key, Node(call, sources, use.shape, use, behind=behind))

    def _at(self, key: Any, node: Node) -> int:
        if key not in self._numbers:
            self._numbers[key] = len(self.nodes)
            self.nodes.append(node)
        return self._numbers[key]

    def moves(self, value: Value) -> bool:
        """Whether a value depends on the input or on a neuron."""
        if id(value) not in self._moving:
            call = value.maker
            own = value.is_input or (call is not None and call.module is not None and call.what in self.neurons)
            self._moving[id(value)] = own or (call is not None and any(self.moves(each) for each in call.sources))
        return self._moving[id(value)]

    def _enters(self, value: Value) -> bool:
        """Whether a value is the input, or is made of it by operations without weights."""
        if value.is_input:
            return True
        call = value.maker
        if call is None or call.module is not None or not self.moves(value):
            return False
        moving = [source for source in call.sources if self.moves(source)]
        if any(source.name and not source.is_input for source in call.sources):
            return False  # a parameter
        return all(self._enters(source) for source in moving)

    def _entry(self, value: Value, step: int, timed: bool) -> int:
        if (known := self._known.get((id(value), -1, timed))) is not None:
            return known  # all of its steps have entered
        found = value.tensor
        if (
            timed
            and self.sample.time_axis is None
            and not self.sample.order
            and _is_repeated(found, self.sample, self.steps)
        ):
            self.sample = replace(self.sample, order="T")
        sample = self.sample
        steps = range(self.steps) if timed else (step,)
        parts = {number: part_of(found, number, sample, self.steps) if timed else found for number in steps}
        kind: Entering = "coded"
        if all(same(part, sample.step(number)) for number, part in parts.items()):
            kind = "same" if sample.time_axis is None else "steps"
        for number, part in parts.items():
            self.entries[number] = part.detach().clone()
        shape = tuple(parts[step].shape[1:])
        self.entering[kind] = shape
        if kind == "coded":
            self.coded |= dict.fromkeys(parts, value)
            self.codes = tuple(dict.fromkeys((*self.codes, *_operations(value))))
        number = self._at(("entry", kind, shape), Node(None, (), shape))
        if timed:
            self._known[id(value), -1, True] = number
        return number

    def shape_of(self, value: Value, timed: bool) -> Shape:
        """The shape of one sample in one step."""
        shape, batch, steps = tuple(value.tensor.shape), self.sample.batch, self.steps
        if timed:
            if self.sample.merged and shape[:1] == (steps * batch,):
                return shape[1:]
            if shape[:2] in ((steps, batch), (batch, steps), (1, batch)):
                return shape[2:]
            if shape[:1] in ((steps * batch,), (batch,)):
                return shape[1:]
        elif shape[:1] == (batch,):
            return shape[1:]
        elif shape[:2] == (1, batch):
            return shape[2:]
        raise CannotImport(
            f"makes values of shape {shape}, of which no axis is that of the {batch} samples; keep samples apart"
        )

    def _selects(self, call: Call, value: Value, step: int) -> bool:
        """Whether a call takes what belongs to this step out of all timesteps."""
        if call.what not in ("__getitem__", "select", "unbind") or not call.sources:
            return False
        source = call.sources[0].tensor
        for axis in (0, 1):
            if (
                source.dim() > axis + 1
                and source.shape[axis] == self.steps
                and source.shape[1 - axis] == self.sample.batch
            ):
                return same(value.tensor, source.select(axis, step))
        return False


def _content(value: Value) -> Any:
    if value.name:
        return value.name
    numbers = value.tensor.detach().cpu()
    return tuple(numbers.shape), hashlib.sha256(numbers.float().numpy().tobytes()).hexdigest()


def _frame(call: Call, folding: Folding) -> str:
    """The arguments of a call without its values that move."""

    def told(tree: Any) -> str:
        if isinstance(tree, Value):
            return "*" if folding.moves(tree) else repr(_content(tree))
        if isinstance(tree, dict):
            return f"{{{', '.join(f'{name}: {told(each)}' for name, each in sorted(tree.items()))}}}"
        if isinstance(tree, list | tuple):
            return f"({', '.join(map(told, tree))})"
        return repr(tree)

    return told((call.args, call.kwargs))


def _is_repeated(values: Tensor, sample: Sample, steps: int) -> bool:
    """Whether values are the samples, all of them once for each step, along one axis."""
    return len(values) == steps * sample.batch and all(same(part, sample.tensor) for part in values.chunk(steps))


def _operations(value: Value) -> Iterator[str]:
    if value.maker is not None:
        for source in value.maker.sources:
            yield from _operations(source)
        yield value.maker.what


def layer_of(node: Node) -> Layer:
    """What the layer or operation of a node is in a student.

    Raises:
        CannotImport: it has no counterpart.
    """
    if node.layer is not None:
        return node.layer
    assert node.use is not None and node.call is not None
    handler = handler_of(node.use.module, node.call.what)
    if handler is None:
        raise CannotImport(refusal_of(node.use.module, node.call.what))
    return handler(node.use)
