"""A NIR graph as a network of a student: its nodes as parts, with their weights and constants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import nir
import numpy as np
import torch
from torch import Tensor

from ..base.errors import a_kind, refuse
from ..base.types import FloatArray
from ..graph.fields import NodeFault, conv1d_padding, conv_padding, one_number, pair
from ..graph.nodes import NEURONS, NeuronConstants, Shape, filled
from ..graph.time_step import Reading
from .description import Description, ImportedNetwork, is_taken
from .parts import INPUT, AnyPart, ConvPart, FlattenPart, LinearPart, Loop, NeuronPart, PoolPart, SumPart

WEIGHTED = (nir.Linear, nir.Affine, nir.Conv2d, nir.Conv1d)
CLOSE = 1e-6
"""Relative rounding of float32, below which a gain counts as 1 and a potential as 0."""


class GraphNetwork(NamedTuple):
    """The network of a graph.

    Attributes:
        names: by name of a neuron layer, the node that it was.
        shape: ``(C, H, W)`` of a sample.
        is_integrator: whether its output is a membrane potential.
    """

    network: ImportedNetwork
    names: dict[str, str]
    shape: tuple[int, int, int]
    outputs: int
    is_integrator: bool


class _Unfit(Exception):
    """Why a node has no counterpart, without its name."""


def framed(shape: Shape) -> Shape:
    """The shape of values in a student: sequences ``(C, L)`` are images ``(C, L, 1)``; vectors stay."""
    return (*shape, 1) if len(shape) == 2 else shape


def network_of_graph(reading: Reading) -> GraphNetwork:
    """The network that computes what a graph does.

    Raises:
        InputError: every node that has no counterpart in a student, with the reason.
    """
    builder = _Builder(reading)
    builder.build()
    refuse("graph", builder.faults)
    description = Description(parts=tuple(builder.parts))
    shape = builder.input_shape
    last = description.parts[-1]
    outputs = int(np.prod(reading.wiring.shapes[reading.wiring.readout][0]))
    refuse("graph", [fault.removeprefix("network: ") for fault in description.shape_faults(shape, outputs)])
    network = ImportedNetwork(description)
    left = network.load_state_dict(builder.weights, strict=False)
    assert not left.unexpected_keys, left
    assert isinstance(last, NeuronPart)
    return GraphNetwork(network.eval(), builder.nodes, shape, outputs, last.reset == "none")


class _Builder:
    """The parts and weights of a graph's nodes, in their order."""

    def __init__(self, reading: Reading) -> None:
        self._wiring, self._dt = reading.wiring, reading.step.dt_s
        loops = {name: self._loop(name) for name in self._wiring.neurons}
        self._loops = {name: loop for name, loop in loops.items() if loop is not None}
        self._value: dict[str, str] = {}
        self.parts: list[AnyPart] = []
        self.weights: dict[str, Tensor] = {}
        self.nodes: dict[str, str] = {}
        self.faults: list[str] = []
        first = framed(self._wiring.shapes[self._wiring.input][1])
        self.input_shape = (first[0], first[1], first[2]) if len(first) == 3 else (first[0], 1, 1)

    def build(self) -> None:
        """Take every node; the faults of those that have no counterpart are in :attr:`faults`."""
        wiring = self._wiring
        for name in self._order():
            node = wiring.nodes[name]
            if isinstance(node, nir.Output) or name in self._loops.values():
                continue
            try:
                self._value[name] = self._taken(name, node)
            except (_Unfit, NodeFault) as fault:
                self.faults.append(f"{name}: {fault}")
                self._value[name] = INPUT
        loops = {(name, loop) for name, loop in self._loops.items()} | {(b, a) for a, b in self._loops.items()}
        for source, target in sorted(wiring.delayed - loops):
            self.faults.append(
                f"{source} -> {target}: closes a loop of another kind than dense weights from a layer of neurons to "
                "itself, which is all that a student has"
            )
        ends = wiring.into(wiring.output)
        if len(ends) != 1 or not isinstance(wiring.nodes[ends[0]], NEURONS):
            self.faults.append(
                f"{wiring.output}: is fed by {', '.join(ends)}; a student answers by one layer of neurons"
            )

    def _order(self) -> list[str]:
        """The nodes in the order in which the graph's edges reach them, where that is one; our exporter writes it so.

        A student that is made of a graph of ours has its layers in the order of the student that it was, then.
        """
        edges = self._wiring.edges
        reached = list(dict.fromkeys([self._wiring.input, *(target for _, target in edges)]))
        places = {name: place for place, name in enumerate(reached)}
        forward = [edge for edge in edges if edge not in self._wiring.delayed]
        is_order = all(places[source] < places[target] for source, target in forward)
        return reached if is_order and len(reached) == len(self._wiring.nodes) else list(self._wiring.nodes)

    def _loop(self, name: str) -> str | None:
        """The dense weights from a layer of neurons to itself; None where there are none."""
        wiring = self._wiring
        for source in wiring.into(name):
            node = wiring.nodes[source]
            is_dense = isinstance(node, nir.Linear | nir.Affine)
            if is_dense and wiring.into(source) == (name,) == wiring.out_of(source):
                return source
        return None

    def _taken(self, name: str, node: nir.NIRNode) -> str:
        """The name of the part that gives what a node does."""
        shape = self._wiring.shapes[name][0]
        if isinstance(node, nir.Input):
            return self._flat(name, shape, INPUT)
        arriving = self._arriving(name)
        if _does_nothing(node, shape):
            return arriving
        if isinstance(node, NEURONS):
            return self._neurons(name, arriving)
        part, weights = _layer(node, shape)
        return self._add(name, part, (arriving,), self._scaled(name, node, part, weights))

    def _flat(self, name: str, shape: Shape, value: str) -> str:
        """Vectors enter a student as images of a pixel."""
        return self._add(f"{name}_flat", {"kind": FlattenPart}, (value,)) if len(shape) == 1 else value

    def _arriving(self, name: str) -> str:
        """What a node is fed with: of several nodes, their sum."""
        loop = self._loops.get(name)
        sources = tuple(self._value[each] for each in self._wiring.into(name) if each != loop and each in self._value)
        if not sources:
            raise _Unfit("is fed by nothing but itself")
        return sources[0] if len(sources) == 1 else self._add(f"{name}_sum", {"kind": SumPart}, sources)

    def _add(
        self, name: str, settings: dict[str, Any], inputs: tuple[str, ...], weights: dict[str, Any] | None = None
    ) -> str:
        plain = re.sub(r"\W", "_", name)[:150]
        taken = {part.name for part in self.parts}
        while plain in taken or is_taken(plain):
            plain += "_"
        fields = {key: value for key, value in settings.items() if key != "kind"}
        self.parts.append(settings["kind"](name=plain, inputs=inputs, **fields))
        for key, value in (weights or {}).items():
            self.weights[f"{plain}.{key}"] = torch.as_tensor(np.array(value, np.float32))
        return plain

    def _scaled(self, name: str, node: nir.NIRNode, part: dict[str, Any], weights: dict[str, Any]) -> dict[str, Any]:
        """Weights with the gain and the drift of the neurons behind them, which a student's neurons do not have."""
        behind = self._wiring.out_of(name)
        if not isinstance(node, WEIGHTED) or len(behind) != 1 or not self._absorbs(behind[0]):
            return weights
        found = self._wiring.constants(behind[0], self._dt)
        gain, drift = _of_channels(_gain(found), "gain"), _of_channels(found.drift, "drift")
        axes = (-1, *([1] * (np.ndim(weights["weight"]) - 1)))
        made = {"weight": weights["weight"] * gain.reshape(axes)}
        if "bias" in weights or np.any(drift):
            part["bias"] = True
            made["bias"] = weights.get("bias", 0.0) * gain + np.broadcast_to(drift, len(weights["weight"]))
        return made

    def _absorbs(self, name: str) -> bool:
        """Whether the gain and the drift of a neuron node go into the weights before it."""
        if name not in self._wiring.neurons or name in self._loops or len(self._wiring.into(name)) != 1:
            return False
        found = self._wiring.constants(name, self._dt)
        has_filter = bool(np.any(found.leak_u != 1))
        return not (has_filter and np.any(found.drift)) and all(
            _is_by_channel(values) for values in (_gain(found), found.drift)
        )

    def _neurons(self, name: str, arriving: str) -> str:
        found = self._wiring.constants(name, self._dt)
        into = [self._wiring.nodes[each] for each in self._wiring.into(name)]
        is_done = len(into) == 1 and isinstance(into[0], WEIGHTED) and self._absorbs(name)
        is_done = is_done and self._wiring.out_of(self._wiring.into(name)[0]) == (name,)
        gain = np.ones_like(found.gain_v) if is_done else _gain(found)
        fires = found.threshold is not None
        for fault in _unfit(found, gain, is_done, fires, name == self._wiring.readout):
            self.faults.append(f"{name}: {fault}")
        shape, filtered = framed(self._wiring.shapes[name][0]), bool(np.any(found.leak_u != 1))
        threshold = np.ones(()) if found.threshold is None else found.threshold / np.where(gain > 0, gain, 1.0)
        constants = {"beta": 1 - found.leak_v, "threshold": threshold} | (
            {"alpha": 1 - found.leak_u} if filtered else {}
        )
        values = {key: _short(value, shape) for key, value in constants.items()}
        settings: dict[str, Any] = {
            "kind": NeuronPart,
            "reset": "none" if not fires else "zero" if found.reset == "zero" else "subtract",
            "delay": fires and found.reset == "subtract-late",
            "beta": values["beta"].shape,
            "alpha": values["alpha"].shape if filtered else None,
            "threshold": values["threshold"].shape,
            "learnt": (),
            "loop": None,
        }
        weights: dict[str, Any] = dict(values)
        if (loop := self._loops.get(name)) is not None:
            weights |= _looped(self._wiring.nodes[loop], len(np.ravel(found.leak_v)))
            settings["loop"] = Loop(kind="dense", channels=int(shape[0]))
        made = self._add(name, settings, (arriving,), weights)
        self.nodes[made] = name
        return made


def _looped(node: nir.NIRNode, count: int) -> dict[str, FloatArray]:
    bias = filled(node.bias, (count,)) if isinstance(node, nir.Affine) else np.zeros(count)
    return {"recurrent.weight": np.asarray(node.weight), "recurrent.bias": bias}


def _unfit(found: NeuronConstants, gain: FloatArray, is_done: bool, fires: bool, is_last: bool) -> Iterator[str]:
    """What neurons have that those of a student have not."""
    if not fires and not is_last:
        yield "does not fire, and its potential goes on to other layers; a student's hidden neurons fire"
    if not is_done and np.any(np.abs(found.drift) > CLOSE):
        yield "has a v_leak other than 0 that no weights before it can take over; give it as a bias of these"
    if not is_done and not fires and np.any(np.abs(gain - 1) > CLOSE):
        yield "integrates with a gain other than 1 that no weights before it can take over; multiply these by it"
    if np.any(gain <= 0):
        yield "has a gain that is not above 0; put the sign into the weights before it"
    if fires and found.threshold is not None and np.any(found.threshold <= 0):
        yield "has a threshold that is not above 0, so that it fires without input; give it a bias and a threshold"
    for kind, values in (("tau_mem", found.leak_v), ("tau_syn", found.leak_u)):
        if np.any(values > 1 + CLOSE):
            yield f"loses more than all it has in a step: its {kind} is shorter than the time step"


def _gain(found: NeuronConstants) -> FloatArray:
    """By how much what arrives is multiplied on its way to the potential; 1 where it is to within float32."""
    gain = found.gain_u * found.gain_v
    return np.where(np.abs(gain - 1) <= CLOSE, 1.0, gain)


def _is_by_channel(values: FloatArray) -> bool:
    flat = values.reshape(len(values), -1)
    return bool(np.all(flat == flat[:, :1]))


def _of_channels(values: FloatArray, what: str) -> FloatArray:
    assert _is_by_channel(values), what
    return np.asarray(values.reshape(len(values), -1)[:, 0])


def _short(values: FloatArray, shape: Shape) -> FloatArray:
    """Constants in the shortest shape: one for all, one for each channel, or one for each neuron."""
    clipped = np.asarray(values, np.float64)
    if clipped.size == 1 or np.all(clipped == clipped.reshape(-1)[0]):
        return np.asarray(clipped.reshape(-1)[0])
    if len(shape) == 3 and _is_by_channel(clipped):
        return _of_channels(clipped, "constant").reshape(-1, 1, 1)
    return clipped.reshape(shape)


def _does_nothing(node: nir.NIRNode, shape: Shape) -> bool:
    return isinstance(node, nir.Flatten) and len(shape) == 1


def _layer(node: nir.NIRNode, shape: Shape) -> tuple[dict[str, Any], dict[str, Any]]:
    """The part of a linear node, and its weights."""
    if isinstance(node, nir.Linear | nir.Affine):
        weight = np.asarray(node.weight, np.float64)
        sizes: dict[str, Any] = {"kind": LinearPart, "entering": weight.shape[1], "leaving": weight.shape[0]}
        if not isinstance(node, nir.Affine):
            return {**sizes, "bias": False}, {"weight": weight}
        return {**sizes, "bias": True}, {"weight": weight, "bias": filled(node.bias, (len(weight),))}
    if isinstance(node, nir.Conv2d):
        sides = pair(node.stride, "stride"), conv_padding(node), pair(node.dilation, "dilation")
        return _convolution(np.asarray(node.weight, np.float64), one_number(node.groups, "groups"), *sides, node.bias)
    if isinstance(node, nir.Conv1d):
        stride, dilation = ((pair(getattr(node, name), name)[0], 1) for name in ("stride", "dilation"))
        weight = np.asarray(node.weight, np.float64)[..., None]
        return _convolution(
            weight, one_number(node.groups, "groups"), stride, (conv1d_padding(node), 0), dilation, node.bias
        )
    if isinstance(node, nir.AvgPool2d):
        windows: dict[str, Any] = {
            "kernel": pair(node.kernel_size, "kernel_size"),
            "stride": pair(node.stride, "stride"),
            "padding": pair(node.padding, "padding"),
        }
        return {"kind": PoolPart, **windows}, {}
    if isinstance(node, nir.SumPool2d):
        ones = np.ones((shape[0], 1, *pair(node.kernel_size, "kernel_size")))
        return _convolution(ones, shape[0], pair(node.stride, "stride"), pair(node.padding, "padding"), (1, 1), None)
    if isinstance(node, nir.Scale):
        return _scale(node, shape)
    if isinstance(node, nir.Flatten):
        start, end = one_number(node.start_dim, "start_dim"), one_number(node.end_dim, "end_dim")
        if start not in (0, -len(shape)) or end not in (-1, len(shape) - 1):
            raise _Unfit("flattens some of the axes of its values; a student flattens all or none")
        return {"kind": FlattenPart}, {}
    raise _Unfit(f"is {a_kind(type(node).__name__)}, which a student does not have")


def _convolution(
    weight: FloatArray, groups: int, stride: Any, padding: Any, dilation: Any, bias: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    settings = {
        "kind": ConvPart, "entering": weight.shape[1] * groups, "leaving": weight.shape[0],
        "kernel": tuple(weight.shape[2:]), "stride": tuple(stride), "padding": tuple(padding),
        "dilation": tuple(dilation), "groups": groups, "bias": bias is not None,
    }  # fmt: skip
    return settings, {"weight": weight} | ({} if bias is None else {"bias": np.asarray(bias, np.float64)})


def _scale(node: nir.Scale, shape: Shape) -> tuple[dict[str, Any], dict[str, Any]]:
    """A product with numbers: dense weights of vectors, a convolution of single pixels for each channel of maps."""
    values = filled(node.scale, shape)
    if len(shape) == 1:
        return {"kind": LinearPart, "entering": shape[0], "leaving": shape[0], "bias": False}, {
            "weight": np.diag(values)
        }
    if not _is_by_channel(values):
        raise _Unfit("scales each value by a number of its own; a student scales channels: put them into the weights")
    weight = _of_channels(values, "scale").reshape(-1, 1, 1, 1)
    return _convolution(weight, shape[0], (1, 1), (0, 0), (1, 1), None)
