"""Linear maps between neurons that no single layer computes, as one matrix, which from then on is the layer.

The chip has one connection between two populations. Where what stands between them is no single layer, lowering
composes it into a matrix, and so does the change to integers: weights that a convolution shared become weights of
their own. The integers that train are those of the matrix.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, fx, nn

from ...base.errors import a_kind, refuse
from ...graph.nodes import Shape
from ...importing.description import ImportedNetwork
from ...importing.matrix import Matrix
from ...lowering.linear_map import MOST_DENSE_WEIGHTS
from ..modules import has_node
from ..neurons import is_neuron
from ..operations import Join
from ..tracing import OURS, inputs_of, pools_spikes, stateless, trace
from .borders import fold_the_others
from .constants import fold_thresholds, takes_constants
from .described import describe_merged, free, with_matrices
from .folding import UNCHANGED, fold_norms
from .plan import MAY_BE, port, unplaced

_CHUNK = 256


def fold(network: nn.Module, input_shape: Shape) -> nn.Module:
    """What a network becomes on integers; where it has to be wired anew, another one with the same layers.

    It depends on the layers alone, so that a network that is built anew takes the weights of a file.

    Raises:
        InputError: what cannot be folded or composed.
    """
    network, _ = in_single_layers(network, input_shape)
    fold_thresholds(network)
    return network


def in_single_layers(network: nn.Module, input_shape: Shape) -> tuple[nn.Module, list[str]]:
    """A network without norms and with one layer of weights on each way between neurons; and as :func:`composed`.

    Raises:
        InputError: norms that cannot be folded, or matrices that are too large.
    """
    was_training = network.training
    network.eval()  # so that looking at shapes moves no statistics
    fold_norms(network)
    if isinstance(network, ImportedNetwork):
        describe_merged(network)
    fold_the_others(network, input_shape)
    network, sentences = composed(network, input_shape)
    return network.train(was_training), sentences


@dataclass(frozen=True, eq=False)
class Composed:
    """What came to a layer of neurons by several layers, as matrices.

    Attributes:
        neurons: the layer that they feed.
        ways: by the node where each begins, neurons or the input, its name in the network and the matrix.
        before: how many numbers the layers had that it takes the place of.
    """

    neurons: fx.Node
    ways: dict[fx.Node, tuple[str, Matrix]]
    before: int

    @property
    def by_name(self) -> list[tuple[str, str, Matrix]]:
        """For each way the layer where it begins, empty for the input, its name and its matrix."""
        ways = self.ways.items()
        return [("" if s.op == "placeholder" else str(s.target), name, matrix) for s, (name, matrix) in ways]

    @property
    def sentence(self) -> str:
        """What it is and what it costs."""
        sizes = " and ".join(f"{m.in_features:,} x {m.out_features:,}" for _, m in self.ways.values())
        count = sum(matrix.weight.numel() for _, matrix in self.ways.values())
        return (
            f"{self.neurons.target}: what comes to it is no single layer, and is a matrix of {sizes} on the chip; it "
            f"trains as that from now on, {count:,} weights of their own in place of {self.before:,}"
        )


def composed(network: nn.Module, input_shape: Shape) -> tuple[nn.Module, list[str]]:
    """A network with one layer of weights on each way between neurons, and a sentence for each matrix that it got.

    The same network where that is so already. What is composed depends on its layers alone, and not on their values.

    Args:
        network: without norms that its weights can take.
        input_shape: without the batch.

    Raises:
        InputError: every matrix that is larger than a chip may hold.
    """
    traced = trace(network)
    found_unplaced = unplaced(traced, input_shape)
    chosen = [node for node in _neurons(traced) if _needs_matrix(traced, node, found_unplaced.names)]
    if not chosen:
        return network, []
    taken = {name for name, _ in traced.named_modules()}
    shapes = {
        node: found_unplaced.shapes.get(port(str(node.target)), found_unplaced.shapes.get(node.name, input_shape))
        for node in traced.graph.nodes
    }
    found: list[Composed] = []
    faults: list[str] = []
    for node in chosen:
        region = _Region.before(traced, node)
        too_large = [
            f"{node.target}: what comes to it from {source.name} would be a matrix of "
            f"{prod(shapes[source]) * prod(shapes[node]):,} weights, more than the {MOST_DENSE_WEIGHTS:,} that a chip "
            "may hold; put neurons between its layers, or use a convolution with a stride"
            for source in region.sources
            if prod(shapes[source]) * prod(shapes[node]) > MOST_DENSE_WEIGHTS
        ]
        faults += too_large or region.faults
        if not faults:
            found.append(region.composed(shapes, taken))
    refuse("training on integers", faults)
    if isinstance(network, ImportedNetwork):
        network = with_matrices(network, {str(each.neurons.target): each.by_name for each in found})
    else:
        network = _rewired(traced, found)
    return network, [each.sentence for each in found]


def _neurons(traced: fx.GraphModule) -> Iterator[fx.Node]:
    for node in traced.graph.nodes:
        if node.op == "call_module" and is_neuron(traced.get_submodule(str(node.target))):
            yield node


def _needs_matrix(traced: fx.GraphModule, neurons: fx.Node, names: frozenset[str]) -> bool:
    region = _Region.before(traced, neurons)
    if not takes_constants(neurons, region.modules) or port(str(neurons.target)) in names:
        return True
    return any(node.name in names for node in region.nodes)


@dataclass(frozen=True, eq=False)
class _Region:
    """The layers on the ways to a layer of neurons.

    Attributes:
        neurons: the layer.
        nodes: what is on the ways, in order.
        sources: where they begin, in order.
    """

    neurons: fx.Node
    nodes: tuple[fx.Node, ...]
    sources: tuple[fx.Node, ...]
    modules: Mapping[str, nn.Module]

    @staticmethod
    def before(traced: fx.GraphModule, neurons: fx.Node) -> _Region:
        modules = dict(traced.named_modules())
        todo, seen = list(inputs_of(neurons)), set[fx.Node]()
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += [] if _begins(node, modules) else inputs_of(node)
        ordered = [node for node in traced.graph.nodes if node in seen]
        return _Region(
            neurons,
            tuple(node for node in ordered if not _begins(node, modules)),
            tuple(node for node in ordered if _begins(node, modules)),
            modules,
        )

    @property
    def faults(self) -> list[str]:
        """Modules of which it is not known that they are linear."""
        known = (*UNCHANGED, *OURS, Join)
        own = [(node, self.modules[str(node.target)]) for node in self.nodes if node.op == "call_module"]
        kinds = [(node, module) for node, module in own if not (has_node(module) or isinstance(module, known))]
        return [f"{node.target}: is {a_kind(type(module).__name__)}; {MAY_BE}" for node, module in kinds]

    @torch.no_grad()
    def composed(self, shapes: Mapping[fx.Node, Shape], taken: set[str]) -> Composed:
        """The matrices of the ways.

        Args:
            taken: names that none of them gets; theirs are added.
        """
        doubles = {
            str(node.target): copy.deepcopy(self.modules[str(node.target)]).double().eval()
            for node in self.nodes
            if node.op == "call_module" and not isinstance(self.modules[str(node.target)], UNCHANGED)
        }
        like = next((p for m in doubles.values() for p in m.parameters()), torch.zeros(0))
        nothing = {source: torch.zeros(1, *shapes[source], dtype=torch.float64) for source in self.sources}
        offset, target = self._through(doubles, nothing), shapes[self.neurons]
        ways: dict[fx.Node, tuple[str, Matrix]] = {}
        for source in self.sources:
            size = prod(shapes[source])
            matrix = Matrix(size, target).to(like.device)
            for start in range(0, size, _CHUNK):
                units = torch.zeros(min(_CHUNK, size - start), size, dtype=torch.float64)
                units[torch.arange(len(units)), start + torch.arange(len(units))] = 1
                given = {each: zero.expand(len(units), *zero.shape[1:]) for each, zero in nothing.items()}
                given[source] = units.reshape(-1, *shapes[source])
                pushed = self._through(doubles, given) - offset
                matrix.weight[:, start : start + len(units)] = pushed.flatten(1).T
            matrix.bias.copy_(offset.flatten() if source is self.sources[0] else torch.zeros(prod(target)))
            ways[source] = free(f"{self.neurons.target}_matrix", taken), matrix
        own = {id(p): p.numel() for node in self.nodes for p in _parameters(self.modules, node)}
        return Composed(self.neurons, ways, sum(own.values()))

    def _through(self, modules: Mapping[str, nn.Module], given: Mapping[fx.Node, Tensor]) -> Tensor:
        values = dict(given)
        for node in self.nodes:
            arriving = [values[each] for each in inputs_of(node)]
            if node.op == "call_module" and str(node.target) not in modules:
                values[node] = arriving[0]
            else:
                values[node] = stateless(node, modules.get(str(node.target)))(*arriving)
        return values[inputs_of(self.neurons)[0]]


def _parameters(modules: Mapping[str, nn.Module], node: fx.Node) -> list[nn.Parameter]:
    return list(modules[str(node.target)].parameters()) if node.op == "call_module" else []


def _begins(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    """Whether spikes or the input come from a node."""
    is_layer = node.op == "call_module" and is_neuron(modules[str(node.target)])
    return node.op == "placeholder" or is_layer or pools_spikes(node)


def _rewired(traced: fx.GraphModule, found: Sequence[Composed]) -> nn.Module:
    """The traced network with matrices in place of what they compute."""
    graph = traced.graph
    for each in found:
        with graph.inserting_before(each.neurons):
            pieces = []
            for source, (name, matrix) in each.ways.items():
                traced.add_submodule(name, matrix)
                pieces.append(graph.call_module(name, (source,)))
            total = pieces[0]
            for piece in pieces[1:]:
                total = graph.call_function(operator.add, (total, piece))
        each.neurons.args, each.neurons.kwargs = (total,), {}
    graph.eliminate_dead_code()
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced
