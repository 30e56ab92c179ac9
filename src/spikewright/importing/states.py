"""The states that a network hands from one step of its neurons to the next."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from .calls import Call, Value, values_in
from .neuron import Neuron

UNCHANGED = ("clone", "detach", "data", "contiguous", "to", "float")
"""Operations that hand a value on."""


def state_faults(name: str, calls: list[Call], neuron: Neuron) -> Iterator[str]:
    """What is wrong with the states that are handed to a layer of neurons.

    Args:
        calls: of the layer, in order.
    """
    for call in calls if neuron.states else ():
        arguments = arguments_of(call)
        for place in neuron.states:
            given = list(values_in(arguments[place])) if place < len(arguments) else []
            if fault := _state_fault(call, given):
                yield f"{name}: {fault}"
                return


def arguments_of(call: Call) -> list[Any]:
    """The arguments of a layer's call by position."""
    assert call.module is not None
    try:
        bound = inspect.signature(call.module.forward).bind(*call.args, **call.kwargs)
    except (TypeError, ValueError):
        return list(call.args)
    return list(bound.arguments.values())


def _state_fault(call: Call, given: list[Value]) -> str:
    """What is wrong with the states ``given`` to a call; empty where nothing is."""
    for value in given:
        while value.maker is not None and value.maker.what in UNCHANGED and value.maker.module is None:
            value = value.maker.sources[0]
        before = value.maker
        at_rest = not bool(value.tensor.count_nonzero())
        if call.index == 0:
            if not at_rest or (before is not None and before.module is not None):
                return "starts from a state that is not zero; the chip starts at rest: start from zeros"
        elif before is None or before.module is None or not _is_same(before, call):
            if at_rest:
                return f"starts from zero again in step {call.index}; hand it the state that it returned"
            what = "another layer" if before is not None and before.module is not None else "the code around it"
            return (
                f"gets a state from {what} in step {call.index}, and not its own of the step before; hand the state "
                "that the layer returned to the same layer, unchanged"
            )
        elif before.index != call.index - 1:
            return f"gets its state of step {before.index} in step {call.index}; hand it that of the step before"
    return ""


def _is_same(one: Call, other: Call) -> bool:
    return one.module is other.module and one.what == other.what
