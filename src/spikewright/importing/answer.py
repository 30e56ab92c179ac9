"""Whether what a network returns is what a readout of the chip gives: spikes or potentials of its last neurons, each or
gathered over time, and nothing that is computed behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..base.errors import arg
from .calls import Call
from .ends import leaves
from .folding import Folding
from .sample import part_of

RELATIVE, ABSOLUTE = 1e-4, 1e-5
"""What sums of float32 in another order may differ by."""


@dataclass(frozen=True)
class Answer:
    """What is read of a network.

    Attributes:
        layer: whose results are the answer.
        result: number of the result that is read, where the layer has several.
        places: of the outputs that come from it, among what the network returns.
        population: outputs for each class, side by side, that the network may itself make one of.
        gathered: whether the chip gives their sum over time; else those of the last step.
        was_asked_for: whether the readout was chosen by the user, who then wants what is behind it left out.
        once: whether the layer computes once, and not in each step.
    """

    layer: str
    result: int
    places: tuple[str, ...]
    population: int
    gathered: bool
    was_asked_for: bool
    once: bool


def misread(fold: Folding, answer: Answer) -> str | None:
    """Why none of the outputs that come from a readout is what the chip gives; None where one is."""
    values = values_of(fold, answer)
    outputs = {place: [value.tensor for value in each] for place, each in leaves(fold.recording.outputs)}
    for place in answer.places:
        passes = outputs.get(place, [])
        returned = passes[0] if len(passes) == 1 else torch.stack(passes) if _alike(passes) else None
        if returned is not None and any(_is(returned, reading) for reading in _readings(values, answer)):
            return None
    given = "their sum or mean over time" if answer.gathered else "those of the last"
    return (
        f"computes something of the results of {answer.layer} before it returns them, which is neither these in each "
        f"step nor {given}; what is behind the last neurons is the host's: return them as they are (outputs that lie "
        f"side by side for a class with {arg('classes', 10)}), or choose {arg('readout')} to leave it out"
    )


def values_of(fold: Folding, answer: Answer) -> Tensor:
    """The results of the layer, ``(T, B, K)``, with one step of a layer that computes once."""
    results = [call.results[min(answer.result, len(call.results) - 1)].tensor for call in _calls(fold, answer.layer)]
    if len(results) == 1 and fold.steps > 1 and not answer.once:
        results = [part_of(results[0], step, fold.sample, fold.steps) for step in range(fold.steps)]
    return torch.stack(results).flatten(2).float()


def _calls(fold: Folding, layer: str) -> list[Call]:
    named = fold.recording.of_layer(layer)
    return list(named or [call for call in fold.recording.calls if call.what == layer])


def _alike(passes: list[Tensor]) -> bool:
    return len({tuple(each.shape) for each in passes}) == 1


def _readings(values: Tensor, answer: Answer) -> Iterator[Tensor]:
    """What may be made of the results of all steps, ``(T, B, K)``, without changing the answer."""
    for each in dict.fromkeys((1, answer.population)):
        grouped = values.reshape(*values.shape[:2], -1, each).mean(3)
        for steps in (grouped, grouped * each):
            yield from (steps, steps.transpose(0, 1), steps.permute(1, 2, 0), steps.cumsum(0))
            yield from (steps.flatten(0, 1), steps.transpose(0, 1).flatten(0, 1))
            for made in (steps.sum(0), steps.mean(0)) if answer.gathered else (steps[-1],):
                yield from (made, made.softmax(-1), made.log_softmax(-1), made.argmax(-1))


def _is(returned: Tensor, reading: Tensor) -> bool:
    """Whether two tensors hold the same numbers, but for axes of neurons that were flattened or are of length 1."""
    if returned.numel() != reading.numel():
        return False
    same_axes = [size for size in returned.shape if size > 1] == [size for size in reading.shape if size > 1]
    flat = returned.reshape(*returned.shape[: reading.dim() - 1], -1)
    if not same_axes and flat.shape != reading.shape:
        return False
    return torch.allclose(returned.float().reshape(reading.shape), reading.float(), RELATIVE, ABSOLUTE)
