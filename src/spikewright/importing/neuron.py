"""What a layer of neurons of another tool is in the terms of a student, and the table of tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from ..base.errors import a_kind

Reset = Literal["zero", "subtract", "none"]
Result = Literal["spikes", "current", "membrane"]


@dataclass(frozen=True, eq=False)
class Neuron:
    """A layer of neurons: ``syn = alpha * syn + gain * I``, ``mem = beta * mem + syn``, spikes at ``mem > threshold``.

    Attributes:
        reset: after a spike; ``none`` of neurons that integrate.
        delay: whether the reset follows in the next step, after the decay.
        beta, alpha, threshold: a number, or one for each channel or neuron; ``alpha`` None: no synaptic current.
        gain: by which the tool multiplies what arrives.
        learnt: which constants are parameters.
        results: what a call of the layer returns, in order.
        states: by place among the arguments of a call, the place among the results of the step before.
        over_time: whether one call goes through all steps, time first ("T"), batch first ("B") or both in one ("TB").
        loop: weights from the layer to itself, by which it hears its spikes of the step before.
        caveat: where the tool computes something else than the chip, said when the proof finds it.
    """

    reset: Reset
    beta: Tensor
    threshold: Tensor
    alpha: Tensor | None = None
    delay: bool = False
    gain: float = 1.0
    learnt: tuple[Literal["beta", "alpha", "threshold"], ...] = ()
    results: tuple[Result, ...] = ("spikes",)
    states: dict[int, int] = field(default_factory=dict)
    over_time: Literal["", "T", "B", "TB"] = ""
    caveat: str = ""
    loop: nn.Module | None = None

    def result(self, index: int) -> str:
        """What a call of the layer returns at a place."""
        return self.results[index] if index < len(self.results) else "state"

    @property
    def fires(self) -> bool:
        """Whether the neurons are no integrators."""
        return self.reset != "none"


class CannotImport(Exception):
    """Why a layer has no counterpart here and what to do, as a predicate without the layer's name."""


Translator = Callable[[nn.Module], Neuron]
TRANSLATORS: dict[tuple[str, str], Translator] = {}
"""By package and class, the function that says what a layer is; a package is not imported for it."""
RESETS: dict[str, Callable[[nn.Module], None]] = {}
"""By package, the function that puts a layer to rest."""

HIDDEN: dict[str, Callable[[nn.Module], list[Tensor]]] = {}
"""By package, the states that a layer keeps, which code may read: they are results of a call."""


def translates(package: str, *classes: str) -> Callable[[Translator], Translator]:
    """Register the decorated function for classes of a package."""

    def register(function: Translator) -> Translator:
        for name in classes:
            TRANSLATORS[package, name] = function
        return function

    return register


def translator_of(module: nn.Module) -> tuple[str, Translator] | None:
    """The package and translator of a layer of neurons, by its class or the nearest class above; None for others."""
    for kind in type(module).__mro__:
        package = kind.__module__.partition(".")[0]
        if (found := TRANSLATORS.get((package, kind.__name__))) is not None:
            return package, found
    return None


def is_foreign_neuron(module: nn.Module) -> bool:
    """Whether a module is a layer of neurons of a tool that is known here."""
    return translator_of(module) is not None


def rest(network: nn.Module) -> None:
    """Put all layers of neurons of a network to rest."""
    for module in network.modules():
        if (found := translator_of(module)) is not None and found[0] in RESETS:
            RESETS[found[0]](module)


def hidden_in(module: nn.Module) -> list[Tensor]:
    """The states that a layer of neurons keeps and that may be read as results of its calls."""
    found = translator_of(module)
    return HIDDEN[found[0]](module) if found is not None and found[0] in HIDDEN else []


def constant(value: object) -> Tensor:
    """A constant of neurons as float32, detached from the network."""
    return torch.as_tensor(value).detach().float().clone()


def refused(reason: str) -> Translator:
    """A translator that refuses, with the reason and the remedy."""

    def function(module: nn.Module) -> Neuron:
        kind = type(module).__name__
        raise CannotImport(reason.format(kind=kind, a_kind=a_kind(kind)))

    return function


def reached(threshold: Tensor) -> Tensor:
    """The threshold of neurons that fire at ``v >= threshold`` for neurons that fire above it: the float32 below."""
    return torch.nextafter(threshold, torch.full_like(threshold, -torch.inf))


def check_constants(neuron: Neuron, name: str) -> list[str]:
    """What is wrong with the constants of a layer."""
    faults = []
    for word, value in (("beta", neuron.beta), ("alpha", neuron.alpha), ("threshold", neuron.threshold)):
        if value is not None and (bad := int((~torch.isfinite(value)).sum())):
            faults.append(f"{name}: {bad} of {value.numel()} values of its {word} are NaN or infinite; train it again")
        elif value is not None and word != "threshold" and not 0 <= float(value.min()) <= float(value.max()) <= 1:
            faults.append(
                f"{name}: its {word} reaches from {float(value.min()):g} to {float(value.max()):g}; a decay is from 0 "
                "to 1: take a shorter time step, or longer time constants"
            )
    return faults or list(_without_a_leak(neuron, name))


def _without_a_leak(neuron: Neuron, name: str) -> Iterator[str]:
    """Decays of 1 that no network of a chip has: beside others, or of neurons with a synaptic current."""
    for word, value in (("beta", neuron.beta), ("alpha", neuron.alpha)):
        if value is None or not bool((value == 1).any()):
            continue
        whole = (value == 1).flatten()
        first = f"{int(whole.sum())} of {whole.numel()} values, the first at index {int(whole.int().argmax())}"
        if neuron.alpha is not None:
            yield f"{name}: its {word} is 1 ({first}), an infinite time constant beside a synaptic current; use 0.999"
        elif not bool(whole.all()):
            yield (
                f"{name}: its {word} is 1 ({first}; snnTorch takes larger values as 1), and neurons with a leak and "
                "without one are no layer of a chip network: use at most 0.999, or 1 for all"
            )
