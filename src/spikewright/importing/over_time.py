"""Values that are gathered over all steps before a layer, as in ``fc(spikes.mean(0))``.

A layer that adds and weighs may as well compute in each step, and its results be gathered: with
``z_t = W s_t + b``, ``sum_t z_t = T (W mean_t(s_t) + b)``, and of a sum with ``W T`` in place of ``W``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from .calls import Call, Value
from .neuron import CannotImport

ADDITIONS = ("add", "__add__", "__radd__", "__iadd__", "add_")
RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""What sums of float32 in another order may differ by."""


@dataclass(frozen=True, eq=False)
class Gathered:
    """A sum or mean over all steps.

    Attributes:
        number: of the node that is gathered.
        gain: by which a mean over time is to be multiplied, T of a sum.
    """

    number: int
    gain: float


def gathered(
    value: Value,
    steps: int,
    order: dict[int, int],
    number: Callable[[Value, int, bool], int],
    part: Callable[[Value, int], torch.Tensor],
    moves: Callable[[Value], bool],
) -> Gathered | None:
    """What is gathered in ``value`` over all steps; None where it is no such sum or mean.

    Args:
        steps: T.
        order: by identity of a call, when it was made.
        number: of the node that a value is in a step; the last argument says whether it holds all steps.
        part: one step of a value that holds all of them.
        moves: whether a value depends on the sample.
    """
    call = value.maker
    if call is None or call.module is not None or call.what not in ("sum", "mean", *ADDITIONS):
        return None
    moving = [source for source in call.sources if moves(source)]
    try:
        if call.what in ("sum", "mean") and len(moving) == 1:
            numbers = {number(moving[0], step, True) for step in range(steps)}
            parts = [part(moving[0], step) for step in range(steps)]
        elif call.what in ADDITIONS and len(terms := _terms(call, moves)) == steps > 1:
            terms.sort(key=lambda term: (order[id(term.maker)], term.index))
            numbers = {number(term, step, False) for step, term in enumerate(terms)}
            parts = [term.tensor for term in terms]
        else:
            return None
    except CannotImport:
        return None
    total = torch.stack(parts).float().sum(0)
    gain = 1.0 if call.what == "mean" else float(steps)
    found = value.tensor.float()
    if len(numbers) != 1 or found.numel() != total.numel():
        return None
    same = torch.allclose(found.reshape(total.shape), total * (gain / steps), RELATIVE, ABSOLUTE)
    return Gathered(numbers.pop(), gain) if same else None


def _terms(call: Call, moves: Callable[[Value], bool]) -> list[Value]:
    """What a chain of additions adds, without constants."""
    found: list[Value] = []
    waiting = list(call.sources)
    while waiting:
        value = waiting.pop()
        maker = value.maker
        if maker is not None and maker.module is None and maker.what in ADDITIONS:
            waiting += maker.sources
        elif maker is not None and moves(value):
            found.append(value)
    return found
