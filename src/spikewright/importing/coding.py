"""Spikes that a network makes of its samples itself, and the encoding of a student that makes the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import snntorch.spikegen
import torch
from torch import Tensor

from ..base.errors import arg
from ..base.types import Encoding
from ..chip.encoding import encode
from .calls import Call, Value
from .folding import Folding
from .neuron import CannotImport
from .sample import part_of

_MOVED = frozenset(
    (
        *("__getitem__", "select", "unbind", "stack", "cat", "view", "reshape", "flatten", "squeeze", "unsqueeze"),
        *("transpose", "permute", "movedim", "repeat", "expand", "chunk", "split", "contiguous", "clone", "detach"),
        *("data", "to", "type", "type_as", "float", "bool"),
    )
)
"""Operations that only move spikes."""
_RANDOM = ("rand", "rand_like")
_BELOW = {"lt": True, "le": True, "gt": False, "ge": False}
"""Comparisons, and whether the first argument is the smaller one where they hold."""
_LEVELS = 1024


def encoding_of(fold: Folding) -> tuple[Encoding, list[str]] | None:
    """The encoding by which a student makes the spikes that a network makes itself, and what differs.

    Returns:
        None where what enters the first layer are no spikes made by a function that is known.

    Raises:
        CannotImport: the function makes other spikes than any encoding.
    """
    calls: dict[int, Call] = {}
    for value in fold.coded.values():
        found = list(_makers(value, fold))
        if not found or None in found:
            return None
        calls |= {id(call): call for call in found if call is not None}
    codes = {call.what: _CODES[call.what](fold, call) for call in calls.values()}
    if len({code for code, _ in codes.values()}) != 1:
        raise CannotImport(f"makes its spikes in several ways ({', '.join(codes)}); make them in one")
    return next(iter(codes.values()))


def _makers(value: Value, fold: Folding) -> Iterator[Call | None]:
    """The calls that make spikes behind a value; None for anything else that is computed there."""
    call = value.maker
    if call is None:
        yield None
    elif call.what in _CODES:
        yield call
    elif call.module is None and call.what in _MOVED:
        for source in call.sources:
            if fold.moves(source):
                yield from _makers(source, fold)
    else:
        yield None


def _bound(function: Callable[..., Any], call: Call) -> dict[str, Any]:
    """The arguments of a call by name, defaults included."""
    bound = inspect.signature(function).bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    return dict(bound.arguments)


def _refuse_other_values(fold: Folding, call: Call, value: Any) -> None:
    """Refuse a code that is not made of the samples as they are."""
    first = fold.sample.step(0)
    if any(not torch.equal(fold.sample.step(step), first) for step in range(1, fold.steps)):
        raise CannotImport(
            f"makes its spikes ({call.what}) of values that change from step to step, which no encoding here does; "
            f"make them before the network, as frames of spikes ({arg('encoding', 'events')})"
        )
    if not isinstance(value, Value) or not _is_sample(fold, value.tensor):
        raise CannotImport(
            f"makes its spikes ({call.what}) of other values than those of the samples, and a student's encoding takes "
            "these as they are, from 0 to 1: prepare the data so, and take the computation out of the network"
        )


def _is_sample(fold: Folding, found: Tensor) -> bool:
    sample = fold.sample
    parts = [sample.step(step) for step in range(fold.steps)]
    if found.numel() == parts[0].numel():
        return all(torch.equal(found.flatten().float(), part.flatten()) for part in parts)
    if found.numel() != fold.steps * parts[0].numel():
        return False
    theirs = (part_of(found, step, sample, fold.steps).flatten().float() for step in range(fold.steps))
    return all(torch.equal(one, parts[0].flatten()) for one in theirs)


_DRAWN = "its spikes are made by {what}; a student's are drawn by encoding 'rate', with the same probabilities"


def _rate(fold: Folding, call: Call) -> tuple[Encoding, list[str]]:
    given = _bound(snntorch.spikegen.rate, call)
    _refuse_other_values(fold, call, given["data"])
    gain, offset, first = (float(torch.as_tensor(given[name])) for name in ("gain", "offset", "first_spike_time"))
    if (gain, offset) != (1, 0):
        raise CannotImport(
            f"makes its spikes by spikegen.rate with gain={gain:g} and offset={offset:g}, and encoding 'rate' takes a "
            f"value as the probability: make the data {gain:g} * value + {offset:g}, cut off at 0 and 1, and take gain "
            "and offset out of the network, which gives the same spikes"
        )
    if first:
        raise CannotImport(
            f"makes its spikes by spikegen.rate with first_spike_time={first:g}, and encoding 'rate' draws from the "
            "first step on; leave it out and train again"
        )
    return "rate", [_DRAWN.format(what=call.what)]


def _drawn(fold: Folding, call: Call) -> tuple[Encoding, list[str]]:
    """``rate_conv(x)``, ``bernoulli(x)``, and ``tensor.bernoulli_(x)``."""
    place = 1 if call.what == "bernoulli_" else 0
    given = [*call.args, *call.kwargs.values()]
    _refuse_other_values(fold, call, given[place] if len(given) == place + 1 else None)
    return "rate", [_DRAWN.format(what=call.what)]


def _compared(fold: Folding, call: Call) -> tuple[Encoding, list[str]]:
    """``rand < x``."""
    one, other = (call.args[place] if place < len(call.args) else None for place in range(2))
    first, second = _is_random(one, fold), _is_random(other, fold)
    _refuse_other_values(fold, call, other if first else one if second else None)
    if first != _BELOW[call.what]:
        raise CannotImport(
            "makes a spike where a random number is above the value, so that larger values spike less; encoding 'rate' "
            "does so where it is below: turn the values of the data round, 1 - value, and compare so"
        )
    return "rate", [_DRAWN.format(what="random numbers below the values")]


def _is_random(value: Any, fold: Folding) -> bool:
    if not isinstance(value, Value) or value.maker is None:
        return False
    call = value.maker
    if call.what in _MOVED and call.sources:
        return _is_random(call.sources[0], fold)
    return call.what in _RANDOM


def _latency(fold: Folding, call: Call) -> tuple[Encoding, list[str]]:
    """Compared with encoding ``latency`` on values from 0 to 1, step for step."""
    given = _bound(snntorch.spikegen.latency, call)
    _refuse_other_values(fold, call, given.pop("data"))
    levels = torch.arange(_LEVELS + 1) / _LEVELS
    remedy = "use linear=True, normalize=True and clip=True, and train again"
    try:
        theirs = snntorch.spikegen.latency(levels, **given)
    except Exception as error:  # snnTorch raises Exception
        told = str(error).splitlines()[0].rstrip(".")
        raise CannotImport(
            f"makes its spikes by spikegen.latency, which refuses some values ({told}); {remedy}"
        ) from error
    ours = torch.from_numpy(encode("latency", levels[None].numpy(), fold.steps, 1)[:, 0]).float()
    differs = (theirs != ours).any(0) if theirs.shape == ours.shape else torch.ones_like(levels, dtype=torch.bool)
    threshold = float(given["threshold"])
    if bool((large := differs & (levels >= threshold)).any()):
        value = float(levels[large][len(levels[large]) // 2])
        raise CannotImport(
            "makes its spikes by spikegen.latency at other times than encoding 'latency', where a value x fires in "
            f"step (1 - x) (T - 1), rounded (they differ at x = {value:.4g}); {remedy}"
        )
    remarks = ["its spikes are made by spikegen.latency; a student's by encoding 'latency', in the same steps"]
    if bool(differs.any()):
        does = "do not spike" if given["clip"] else "spike in the last step"
        remarks[0] += (
            f" for values of {threshold:g} and more: smaller ones {does} in the network, and in the student 0 does not "
            "and others spike at their time"
        )
    return "latency", remarks


_CODES: dict[str, Callable[[Folding, Call], tuple[Encoding, list[str]]]] = {
    "spikegen.rate": _rate,
    "spikegen.rate_conv": _drawn,
    "bernoulli": _drawn,
    "bernoulli_": _drawn,
    **dict.fromkeys(_BELOW, _compared),
    "spikegen.latency": _latency,
}


def faults_of_choice(code: Encoding, asked: Encoding | None) -> list[str]:
    """What is wrong with an encoding that is asked for beside the network's own."""
    if asked in (None, code):
        return []
    return [f"{arg('encoding', asked)}: the network makes its spikes itself, which is encoding {code!r}; leave it out"]
