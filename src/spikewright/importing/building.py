"""The parts and weights of a student out of the graph of a single step."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import prod

import torch
from torch import Tensor, nn

from .description import is_taken
from .ends import Choice
from .folding import Folding, Node, layer_of
from .layer import Layer, Shape, canonical
from .neuron import CannotImport, Neuron, check_constants
from .parts import (
    INPUT,
    AnyPart,
    ConvPart,
    FlattenPart,
    LinearPart,
    Loop,
    MaxPoolPart,
    NeuronPart,
    NormPart,
    TransposedPart,
)
from .refusals import MAX_OF_CURRENTS
from .states import state_faults

Made = tuple[str, float]
"""The name of a part, and the number by which its result is to be multiplied."""
_BEHIND = (
    "is fed with what was summed or averaged over time, and on the chip neurons hear the spikes of each step; only the "
    "last layers, without neurons behind them, may do so"
)
_WEIGHTED = (LinearPart, ConvPart, TransposedPart)


@dataclass(eq=False)
class Builder:
    """Collects parts, weights and faults.

    Attributes:
        folding: the graph of a single step.
        input_shape: ``(C, H, W)`` of a student's input.
        parts: by name, in order of computation.
        weights: by name, as in a state dict.
        layers: by name of part, the layer of the network that it was.
        faults: why layers cannot be imported.
        above: by layer, the neurons that it depends on.
    """

    folding: Folding
    input_shape: Shape
    parts: dict[str, AnyPart] = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    above: dict[str, set[str]] = field(default_factory=dict)
    _made: dict[int, Made] = field(default_factory=dict)
    _sources: dict[int, frozenset[str]] = field(default_factory=dict)
    _neurons: dict[str, Made] = field(default_factory=dict)
    _current: str = ""

    @property
    def found_faults(self) -> list[str]:
        """The faults in the order in which they were found, each once."""
        return list(dict.fromkeys(self.faults))

    def neurons(self, layer: str) -> Made:
        """The part of a layer of neurons, with all that is before it; neurons that fire are only reached once."""
        if layer in self._neurons:
            return self._neurons[layer]
        folding, neuron = self.folding, self.folding.neurons[layer]
        self._neurons[layer] = layer, 1.0  # of a network that returns to it
        name, gain = self._feeding(layer, neuron)
        self.faults += [
            *state_faults(layer, folding.recording.of_layer(layer), neuron),
            *check_constants(neuron, layer),
        ]
        own = self._name(layer)
        shape = canonical(self._entering_shape(layer, neuron), self.folding.row)
        with torch.no_grad():
            try:
                part, weights, gain = self._neuron_part(own, neuron, (name,), gain * neuron.gain, shape)
                self._add(part, weights, layer)
            except CannotImport as fault:
                self.faults.append(f"{layer}: {fault}")
        self._neurons[layer] = own, 1.0
        return own, gain

    def _feeding(self, layer: str, neuron: Neuron) -> Made:
        folding, calls = self.folding, self.folding.recording.of_layer(layer)
        before, self._current = self._current, layer
        self.above.setdefault(layer, set())
        try:
            if neuron.over_time:
                numbers = [folding.number(calls[0].sources[0], step, True) for step in range(folding.steps)]
            else:
                numbers = [folding.number(call.sources[0], call.index) for call in calls]
            other = next((step for step, number in enumerate(numbers) if number != numbers[0]), None)
            if other is not None:
                self.faults.append(f"{layer}: {self._difference(numbers[0], numbers[other], other)}")
            if folding.nodes[numbers[0]].behind:
                self.faults.append(f"{layer}: {_BEHIND}")
            made = self.node(numbers[0])
        except CannotImport as fault:
            self.faults.append(f"{layer}: {fault}")
            made = INPUT, 1.0
        self._current = before
        if before:
            self.above[before] |= {layer, *self.above[layer]}
        return made

    def _difference(self, number: int, other: int, step: int) -> str:
        """How what feeds a layer in ``step`` differs from what feeds it in the first."""
        was = self.folding.nodes[number].call
        now = self.folding.nodes[other].call
        first, later = (each.what if each is not None else "the input" for each in (was, now))
        if was is not None and isinstance(was.module, nn.BatchNorm1d | nn.BatchNorm2d) and first != later:
            return (
                f"is fed through {first!r} in step 0 and through {later!r} in step {step}: a batch norm for each step "
                "(BatchNormTT) changes the weights from step to step, which no chip does; use one batch norm"
            )
        return (
            f"is fed by {first!r} in step 0 and otherwise, by {later!r}, in step {step}; every step has to compute the "
            "same"
        )

    def node(self, number: int) -> Made:
        """The part that a node of the graph becomes."""
        if number not in self._made:
            self._made[number] = self._node(self.folding.nodes[number])
        return self._made[number]

    def _node(self, node: Node) -> Made:
        folding, call = self.folding, node.call
        if node.constant:
            raise CannotImport("is fed with numbers that the code brings along, the same for every sample; use a bias")
        if call is None:
            return self._input(node.shape)
        if call.module is not None and (neuron := folding.neurons.get(call.what)) is not None:
            result = neuron.result(node.sources[0])
            if result != "spikes":
                self.faults.append(
                    f"{call.what}: hands its {result} on to another layer; on the chip spikes go from layer to layer"
                )
            elif not neuron.fires:
                self.faults.append(
                    f"{call.what}: integrates without a reset and stands before other layers; such neurons are a "
                    "readout: use a reset"
                )
            return self.neurons(call.what)
        sources = [self.node(each) for each in node.sources]
        try:
            layer = layer_of(node)
        except CannotImport as fault:
            self.faults.append(f"{call.what}: {fault}")
            return sources[0] if sources else (INPUT, 1.0)
        if node.behind and layer.kind is MaxPoolPart:
            self.faults.append(f"{call.what}: {MAX_OF_CURRENTS}")
        return self._layer(layer, call.what, sources)

    def _input(self, shape: Shape) -> Made:
        if canonical(shape, self.folding.row) == self.input_shape:
            return INPUT, 1.0
        if shape != (prod(self.input_shape),):
            raise CannotImport(f"is fed with shape {shape}, and the network's input has shape {self.input_shape}")
        return self._layer(Layer(FlattenPart), "flatten", [(INPUT, 1.0)])

    def _layer(self, layer: Layer, what: str, sources: list[Made]) -> Made:
        gains = {gain for _, gain in sources}
        gain = gains.pop()
        if layer.kind is None:
            return sources[0][0], gain * layer.gain
        if gains:
            sources = [(self._weighed(name, each), 1.0) for name, each in sources]
            gain = 1.0
        if layer.kind is MaxPoolPart and not (gain == 1.0 and self._spikes(sources[0][0])):
            self.faults.append(f"{what}: {MAX_OF_CURRENTS}")
        name, weights = self._name(what if what[0] != "_" else layer.kind.__name__[:-4].lower()), dict(layer.weights)
        if gain != 1.0 and layer.kind in _WEIGHTED:
            weights["weight"], gain = weights["weight"] * gain, 1.0
        elif gain != 1.0 and layer.kind is NormPart:
            weights["weight"] = weights.get("weight", torch.ones_like(weights["running_mean"])) * gain
            weights["bias"] = weights.get("bias", torch.zeros_like(weights["running_mean"]))
            weights["running_mean"], gain = weights["running_mean"] / gain, 1.0
            layer = replace(layer, settings={**layer.settings, "affine": True})
        inputs = tuple(source for source, _ in sources)
        self._add(layer.part(name, inputs), weights, what)
        return name, gain * layer.gain

    def _spikes(self, name: str) -> bool:
        """Whether a part gives 0 or 1: neurons that fire, and what only moves or picks their spikes."""
        part = self.parts.get(name)
        if isinstance(part, NeuronPart):
            return part.reset != "none"
        return isinstance(part, MaxPoolPart) and all(map(self._spikes, part.inputs))

    def _weighed(self, name: str, gain: float) -> str:
        """A part with ``gain`` in its weights."""
        part = self.parts.get(name)
        if gain == 1.0:
            return name
        if not isinstance(part, LinearPart | ConvPart) or any(name in each.inputs for each in self.parts.values()):
            raise CannotImport(
                f"multiplies by {gain:g} what no layer with weights made for it alone; put the number into the weights"
            )
        for each in ("weight", "bias"):
            if f"{name}.{each}" in self.weights:
                self.weights[f"{name}.{each}"] = self.weights[f"{name}.{each}"] * gain
        return name

    def _neuron_part(
        self, name: str, neuron: Neuron, inputs: tuple[str, ...], gain: float, shape: Shape
    ) -> tuple[NeuronPart, dict[str, Tensor], float]:
        """A layer of neurons; a gain of its input goes into the threshold, or into the weights before a readout."""
        threshold, left = neuron.threshold, 1.0
        if gain != 1.0 and neuron.fires:
            if not gain > 0:
                raise CannotImport(f"multiplies its input by {gain:g}, which is not above 0")
            threshold = threshold / gain
        elif gain != 1.0:
            inputs = (self._weighed(inputs[0], gain),)
        values = {"beta": neuron.beta, "threshold": threshold}
        if neuron.alpha is not None:
            values["alpha"] = neuron.alpha
        values = {key: _of_shape(value, shape) for key, value in values.items()}
        part = NeuronPart(
            name=name,
            inputs=inputs,
            reset=neuron.reset,
            delay=neuron.delay,
            beta=tuple(values["beta"].shape),
            alpha=tuple(values["alpha"].shape) if "alpha" in values else None,
            threshold=tuple(values["threshold"].shape),
            learnt=neuron.learnt,
            loop=None if neuron.loop is None else _loop(neuron.loop),
        )
        if neuron.loop is not None:
            values |= {f"recurrent.{key}": value.float() for key, value in neuron.loop.state_dict().items()}
            values |= {"V": values["recurrent.V"]} if "recurrent.V" in values else {}
        return part, values, left

    def _entering_shape(self, layer: str, neuron: Neuron) -> Shape:
        call = self.folding.recording.of_layer(layer)[0]
        try:
            return self.folding.shape_of(call.results[0], bool(neuron.over_time))
        except CannotImport:
            return ()

    def _name(self, what: str) -> str:
        base = re.sub(r"\W", "_", what)
        if is_taken(base):
            base = f"{base}_layer"
        name, count = base, 1
        while name in self.parts:
            count += 1
            name = f"{base}_{count}"
        return name

    def _add(self, part: AnyPart, weights: dict[str, Tensor], layer: str) -> None:
        self.parts[part.name] = part
        self.layers[part.name] = layer
        self.weights |= {f"{part.name}.{key}": value for key, value in weights.items()}

    def readout(self, choice: Choice) -> str:
        """The part that answers: the network's last neurons, or an integrator behind its last layer."""
        if choice.decay is None:
            return self.neurons(choice.layer)[0]
        name, gain = self.node(self.folding.place_of(choice.value)[0])
        made = Neuron(reset="none", beta=torch.tensor(choice.decay), threshold=torch.tensor(1.0))
        part, weights, _ = self._neuron_part(self._name("readout"), made, (name,), gain, ())
        self._add(part, weights, choice.layer)
        return part.name

    def without_unused(self, last: str) -> Iterator[AnyPart]:
        """The parts that lead to ``last``, in order."""
        needed, waiting = set(), [last]
        while waiting:
            name = waiting.pop()
            if name in self.parts and name not in needed:
                needed.add(name)
                waiting += self.parts[name].inputs
        yield from (part for name, part in self.parts.items() if name in needed)


def _loop(module: nn.Module) -> Loop:
    """The weights of a layer of neurons to itself."""
    if isinstance(module, nn.Linear):
        return Loop(kind="dense", channels=module.in_features)
    if isinstance(module, nn.Conv2d):
        return Loop(kind="conv2d", channels=module.in_channels, kernel=(module.kernel_size[0], module.kernel_size[1]))
    return Loop(kind="one_to_one", shape=tuple(torch.as_tensor(module.V).shape))


def _of_shape(value: Tensor, shape: Shape) -> Tensor:
    """A constant without axes of samples, in a student's shape."""
    while value.dim() > len(shape) and value.shape[0] == 1:
        value = value[0]
    if value.dim() == 2 and len(shape) == 3 and 1 in shape[1:] and value.shape != shape[1:]:
        value = value.unsqueeze(-1 if shape[-1] == 1 else 1)
    if value.numel() > 1 and bool((value == value.flatten()[0]).all()) and value.dim() <= 1:
        return value.flatten()[0]
    return value
