"""A student's network out of the graph of a single step: its readout, its encoding, its parts and weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ..base.errors import arg, refuse
from ..base.types import Encoding, Readout
from .answer import Answer
from .building import Builder
from .coding import encoding_of, faults_of_choice
from .description import Description, ImportedNetwork
from .ends import Choice, choose, ends_of
from .folding import Folding
from .layer import Shape, canonical
from .neuron import CannotImport


@dataclass(frozen=True)
class Asked:
    """What is asked for at an import, as far as the network leaves a choice.

    Attributes:
        timesteps: T; None where the network's own loop says it.
        input_shape: ``(C, H, W)`` of a student's input; None for the shape that the network takes.
        classes: fewer than the outputs of a population code.
    """

    timesteps: int | None = None
    readout: Readout | None = None
    encoding: Encoding | None = None
    input_shape: Shape | None = None
    classes: int | None = None


@dataclass(eq=False)
class Assembled:
    """A student's network, and what its configuration says.

    Attributes:
        network: with its weights.
        layers: by name of a part, the layer of the module.
        input_shape: ``(C, H, W)``.
        encoding, readout, outputs: of the configuration.
        population: outputs for each class, where the network says so.
        series: whether samples are series of vectors, one for each step.
        answer: what is read of the network's own results.
        remarks: what was assumed or changed.
    """

    network: ImportedNetwork
    layers: dict[str, str]
    input_shape: tuple[int, int, int]
    encoding: Encoding
    readout: Readout
    outputs: int
    population: int
    series: bool
    answer: Answer
    remarks: tuple[str, ...] = ()


def assembled(fold: Folding, asked: Asked, called: str) -> Assembled:
    """The network of a student.

    Raises:
        InputError: all that keeps the network from being imported, each with its remedy.
    """
    shape = asked.input_shape or _student_shape(fold.sample.shape)
    fold.row = shape[1] == 1 and shape[2] > 1
    builder = Builder(fold, shape)
    choice = _choice(builder, fold, asked)
    encoding, remarks = _encoding(fold, asked, builder)
    refuse(called, builder.found_faults)
    assert choice is not None
    last = builder.readout(choice)
    refuse(called, builder.found_faults)
    parts = {part.name: part for part in builder.without_unused(last)}
    answering = parts.pop(last)
    description = Description(parts=(*parts.values(), answering))
    outputs = int(choice.value.tensor.shape[-1])
    faults = list(description.shape_faults(shape, outputs))
    refuse(called, [fault.removeprefix("network: ") for fault in faults])
    series = encoding in GRADED and set(fold.entering) == {"steps"} and _changes(fold)
    if series:
        shape = (prod(shape), 1, 1)
    elif encoding in GRADED and "steps" in fold.entering:
        remarks.append("it takes an input for each step, and the student gets the same values in each")
    return Assembled(
        _loaded(description, builder.weights),
        {part.name: builder.layers[part.name] for part in description.parts},
        (shape[0], shape[1], shape[2]),
        encoding,
        choice.readout,
        outputs,
        choice.population,
        series,
        _answer(fold, choice, asked),
        (*choice.remarks, *remarks, *_caveats(fold, builder)),
    )


def _caveats(fold: Folding, builder: Builder) -> list[str]:
    """Where the network may compute something else than the student on other samples than those that are compared."""
    layers = dict.fromkeys(layer for layer in builder.layers.values() if layer in fold.neurons)
    told = [(layer, fold.neurons[layer].caveat) for layer in layers]
    return [f"{layer}: {caveat} (no sample that is compared shows a difference)" for layer, caveat in told if caveat]


def _answer(fold: Folding, choice: Choice, asked: Asked) -> Answer:
    places = tuple(dict.fromkeys(end.place for end in ends_of(fold) if end.layer == choice.layer))
    outputs = int(choice.value.tensor.shape[-1])
    population = choice.population if asked.classes is None else outputs // max(asked.classes, 1)
    gathered = choice.readout == "count" or choice.decay == 1
    whole = population if population and outputs % population == 0 else 1
    return Answer(choice.layer, choice.value.index, places, whole, gathered, asked.readout is not None, choice.once)


GRADED = ("direct", "current")
"""Encodings by which values enter, and not spikes."""


def _changes(fold: Folding) -> bool:
    """Whether the example is not the same in each step."""
    first = fold.sample.step(0)
    return any(not torch.equal(fold.sample.step(step), first) for step in range(1, fold.steps))


def _choice(builder: Builder, fold: Folding, asked: Asked) -> Choice | None:
    """The readout, after all that leads to each output has been built and its faults noted."""
    ends = ends_of(fold)
    for end in ends:
        try:
            if end.layer in fold.neurons:
                builder.neurons(end.layer)
            else:
                builder.above.setdefault(end.layer, set())
                builder._current = end.layer
                builder.node(fold.place_of(end.value)[0])
                builder._current = ""
        except CannotImport as fault:
            builder.faults.append(f"{end.layer}: {fault}")
    try:
        return choose(fold, ends, asked.readout, builder.above)
    except CannotImport as fault:
        builder.faults.append(str(fault))
        return None


def _encoding(fold: Folding, asked: Asked, builder: Builder) -> tuple[Encoding, list[str]]:
    """How the input enters, and what was assumed of it."""
    kinds = set(fold.entering)
    if kinds == {"same"}:
        if asked.encoding not in (None, "direct", "current"):
            builder.faults.append(
                f"{arg('encoding', asked.encoding)}: the network is fed with the same values in each step, which is "
                f"{arg('encoding', 'direct')}"
            )
        return asked.encoding or "direct", []
    if kinds == {"steps"}:
        if asked.encoding is None:
            builder.faults.append(
                f"takes an input for each step; say what these are: {arg('encoding', 'direct')}, the same values each "
                "time; rate or latency, spikes made of values of 0 to 1; or events, frames of spikes"
            )
        elif asked.encoding in GRADED and _changes(fold) and any(len(each) != 1 for each in fold.entering.values()):
            builder.faults.append(
                "takes images or sequences of values that change from step to step, which no encoding here makes: the "
                "values of a step are a vector (flatten them before the first layer), or the same in each step of the "
                f"example, or spikes ({arg('encoding', 'events')})"
            )
        return asked.encoding or "direct", []
    if kinds == {"coded"}:
        try:
            if (found := encoding_of(fold)) is not None:
                builder.faults += faults_of_choice(found[0], asked.encoding)
                return found
        except CannotImport as fault:
            builder.faults.append(str(fault))
            return asked.encoding or "direct", []
    if not kinds and builder.faults:
        return asked.encoding or "direct", []  # nothing is known of an input that leads nowhere
    told = ", ".join(name for name in fold.codes) or "nothing"
    builder.faults.append(
        f"computes {told} of its input before the first layer; a student's input enters as it is, from 0 to 1: put "
        "that into the first layer, or train on such input"
        if "coded" in kinds
        else "takes its input in different ways in different places; feed it in one way"
    )
    return asked.encoding or "direct", []


def _student_shape(shape: Shape) -> Shape:
    """The shape of a student's input: vectors are channels, sequences have a last axis of 1."""
    return (shape[0], 1, 1) if len(shape) == 1 else canonical(shape)


def _loaded(description: Description, weights: dict[str, Tensor]) -> ImportedNetwork:
    network = ImportedNetwork(description)
    there = network.state_dict()
    mine = {name: value.reshape(there[name].shape) for name, value in weights.items() if name in there}
    left = network.load_state_dict(mine, strict=False).missing_keys
    assert all(name.endswith(("graded_spikes_factor", "reset_mechanism_val")) for name in left), left
    return network.eval()
