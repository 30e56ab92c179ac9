"""Linear maps of a graph in other forms that compute the same, for tools that lack some."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from itertools import count
from math import prod
from typing import Any

import nir
import numpy as np

from ..base.types import FloatArray
from .fields import NodeFault, one_number, pair
from .nodes import NEURONS, Shape, is_linear
from .readers import Reader, in_32_bits
from .wiring import Wiring

_WEIGHTED = (nir.Linear, nir.Affine, nir.Conv1d, nir.Conv2d)


class OtherMaps:
    """The linear maps of a graph on their way to another tool.

    Attributes:
        nodes: by name; copies, which are changed.
        edges: pairs of source and target.
        gains: by name of a neuron node, by which factor its input has to become larger.
        remarks: what is to be known, as sentences.
    """

    def __init__(self, wiring: Wiring, reader: Reader) -> None:
        self._wiring, self._reader = wiring, reader
        self.nodes: dict[str, Any] = {name: copy(node) for name, node in wiring.nodes.items()}
        for name, node in self.nodes.items():
            if isinstance(node, nir.Flatten):
                node.input_type = {"input": np.array(wiring.shapes[name][0])}  # which a file need not say
        self.edges = list(wiring.edges)
        self.gains: dict[str, float] = {}
        self.remarks: list[str] = []

    def rewrite(self) -> Iterator[str]:
        """Rewrite all maps; gives everything that the tool cannot take, as sentences."""
        # Pools first, because they scale the weights behind them.
        yield from self._each(self._pool)
        yield from self._each(self._map)
        if self._reader.splits_loops:
            self._split_loops()
        self.nodes[self._wiring.input] = nir.Input(np.array(self._input_shape()))
        self.nodes[self._wiring.output] = nir.Output(np.array(self._wiring.shapes[self._wiring.output][0]))

    def _each(self, how: Callable[[str, Any], None]) -> Iterator[str]:
        for name, node in list(self.nodes.items()):
            try:
                if is_linear(node):
                    how(name, node)
            except NodeFault as fault:
                yield f"{type(node).__name__} {name!r} {fault}"

    def _input_shape(self) -> Shape:
        """The input's shape, flat where the Flatten behind it was left out."""
        shape = self._wiring.shapes[self._wiring.input][1]
        gone = [name for name in self._wiring.out_of(self._wiring.input) if name not in self.nodes]
        return (prod(shape),) if gone else shape

    def _pool(self, name: str, node: Any) -> None:
        """Means as sums, or sums as means, where the tool has one of them; the weights behind them make up for it."""
        kinds = nir.AvgPool2d, nir.SumPool2d
        takes = set(kinds) & set(self._reader.maps)
        if not isinstance(node, kinds) or not takes or (type(node) in takes and nir.AvgPool2d in takes):
            return
        sums, values = nir.SumPool2d in takes, prod(pair(node.kernel_size))
        if sums and any(pair(node.padding)):
            raise NodeFault(f"is padded, which {self._reader.tool} leaves out")
        if sums and not self._counts(name):
            raise NodeFault(f"pools what may be negative, and {self._reader.tool} sums magnitudes")
        made = (nir.SumPool2d if sums else nir.AvgPool2d)(
            kernel_size=np.array(pair(node.kernel_size)),
            stride=np.array(pair(node.stride)),
            padding=np.array(pair(node.padding)),
        )
        if type(made) is not type(node):
            self._scale_behind(name, 1 / values if sums else float(values))
        self.nodes[name] = made

    def _counts(self, name: str) -> bool:
        """Whether spikes arrive, which are not negative; of inputs it is taken for granted, and said."""
        sources = [self._wiring.nodes[source] for source in self._wiring.into(name)]
        if any(isinstance(each, nir.Input) for each in sources):
            self.remarks.append(f"{name!r} pools the input: {self._reader.tool} takes its magnitudes")
        passing = nir.AvgPool2d, nir.SumPool2d, nir.Flatten
        before = [n for n in self._wiring.into(name) if isinstance(self._wiring.nodes[n], passing)]
        return all(isinstance(each, (*NEURONS, nir.Input, *passing)) for each in sources) and all(
            map(self._counts, before)
        )

    def _scale_behind(self, name: str, factor: float) -> None:
        """Scale what reads a node: weights, and where there are none the gain of neurons."""
        todo, scaled = [name], {name}
        while todo:
            for target in self._wiring.out_of(todo.pop()):
                if target in scaled:
                    continue
                scaled.add(target)
                node = self.nodes[target]
                if any(source not in scaled for source in self._wiring.into(target)):
                    raise NodeFault(f"feeds {target!r} beside others, so that its values cannot be scaled there")
                if isinstance(node, _WEIGHTED):
                    node.weight = in_32_bits(np.asarray(node.weight) * factor)
                elif isinstance(node, NEURONS):
                    self.gains[target] = self.gains.get(target, 1.0) * factor
                elif isinstance(node, nir.Output):
                    raise NodeFault("is before the output, so that its values cannot be scaled")
                else:
                    todo.append(target)

    def scale_before(self, name: str, factor: FloatArray) -> None:
        """Scale what arrives at neurons: the weights in front of them, or a map that is put there.

        Args:
            name: of the neurons.
            factor: by which, of their shape.

        Raises:
            NodeFault: there are no weights, and no map of that shape.
        """
        for source in [source for source, target in self.edges if target == name]:
            node = self.nodes[source]
            alone = sum(edge[0] == source for edge in self.edges) == 1
            rows = _of_rows(node, factor) if alone and isinstance(node, _WEIGHTED) else None
            if rows is not None:
                node.weight = _scaled(node.weight, rows)
                if hasattr(node, "bias"):
                    node.bias = _scaled(node.bias, rows)
            elif factor.ndim == 1:
                self._put_before(name, source, in_32_bits(np.diag(factor)))
            else:
                raise NodeFault(f"gets {float(factor.flat[0]):g} times as much in {self._reader.tool}, and no weights")

    def _put_before(self, name: str, source: str, weight: Any) -> None:
        """Put a matrix into an edge."""
        free = next(made for made in (f"{name}_scaled" + "_" * n for n in count()) if made not in self.nodes)
        self.edges[self.edges.index((source, name))] = (source, free)
        self.edges.append((free, name))
        self.nodes[free] = nir.Linear(weight=weight)
        if nir.Linear not in self._reader.maps:
            self.nodes[free] = nir.Affine(weight=weight, bias=np.zeros(len(weight), np.float32))

    def _map(self, name: str, node: Any) -> None:
        """A map in a form that the tool takes."""
        takes, shape = self._reader.maps, self._wiring.shapes[name][0]
        in_groups = (
            isinstance(node, nir.Conv1d | nir.Conv2d)
            and one_number(node.groups, "groups") > 1
            and not self._reader.groups
        )
        if isinstance(node, takes):
            if in_groups:
                self.nodes[name] = _without_groups(node)
            return
        if isinstance(node, nir.Linear) and nir.Affine in takes:
            weight = in_32_bits(np.asarray(node.weight))
            self.nodes[name] = nir.Affine(weight=weight, bias=np.zeros(len(weight), np.float32))
        elif isinstance(node, nir.Scale) and len(shape) == 1:
            weight = np.diag(np.broadcast_to(in_32_bits(np.asarray(node.scale)).reshape(-1), shape))
            self.nodes[name] = nir.Linear(weight=weight)
            self._map(name, self.nodes[name])
        elif isinstance(node, nir.Flatten) and self._wiring.into(name) == (self._wiring.input,):
            self._leave_out(name)
        else:
            raise NodeFault(f"is nothing that {self._reader.tool} reads: it takes {_names(takes)}")

    def _split_loops(self) -> None:
        """Put a map that changes nothing into loops of one map and one population."""
        for source, target in [edge for edge in self.edges if edge[::-1] in self.edges]:
            if isinstance(self._wiring.nodes[source], NEURONS):
                self.edges.remove((source, target))
                same = next(name for name in (f"{target}_same" + "_" * n for n in count()) if name not in self.nodes)
                size = np.eye(prod(self._wiring.shapes[source][1]), dtype=np.float32)
                self.nodes[same] = nir.Linear(weight=size)
                self.edges += [(source, same), (same, target)]

    def _leave_out(self, name: str) -> None:
        """Leave out a Flatten of the input, which is then flat."""
        if len(self._wiring.out_of(self._wiring.input)) > 1:
            raise NodeFault(f"is nothing that {self._reader.tool} reads, and others read the input, too")
        self.remarks.append(f"{name!r} is left out: give {self._reader.tool} flat samples")
        targets = self._wiring.out_of(name)
        self.edges = [edge for edge in self.edges if name not in edge]
        self.edges += [(self._wiring.input, target) for target in targets]
        del self.nodes[name]


def _of_rows(node: Any, factor: FloatArray) -> FloatArray | None:
    """A factor of each output as one of each row of a map; None where rows have several."""
    rows = factor.reshape(len(node.weight), -1)
    return rows[:, 0] if np.all(rows == rows[:, :1]) else None


def _scaled(values: Any, rows: FloatArray) -> Any:
    values = np.asarray(values)
    return in_32_bits(values * rows.reshape(-1, *[1] * (values.ndim - 1)))


def _without_groups(node: Any) -> Any:
    """A convolution in groups as one whose weights between groups are zero."""
    groups, weight = one_number(node.groups, "groups"), np.asarray(node.weight)
    outputs, inputs = len(weight) // groups, weight.shape[1]
    whole = np.zeros((len(weight), inputs * groups, *weight.shape[2:]), weight.dtype)
    for group in range(groups):
        rows = slice(group * outputs, (group + 1) * outputs)
        whole[rows, group * inputs : (group + 1) * inputs] = weight[rows]
    made = copy(node)
    made.weight, made.groups = whole, 1
    return made


def _names(kinds: Sequence[type[nir.NIRNode]]) -> str:
    return ", ".join(kind.__name__ for kind in kinds)
