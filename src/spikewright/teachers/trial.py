"""A torch network run once on the samples of a data set, so that what cannot be used is refused before any training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..base.errors import InputError, a_kind, arg, refuse
from ..data.output_rule import CLASSES, OutputRule
from .samples import LAYOUTS, SampleFormat, Shape, by

SEVERAL = 3
"""Samples of a trial: unlike a batch of one or two, it is seldom the size of another axis by chance."""
ONES = torch.ones(SEVERAL)


def samples_for(network: nn.Module, taken: SampleFormat, samples: Tensor) -> Tensor:
    """Samples ``(B, C, H, W)`` as a network takes them, in the type of its weights."""
    kinds = (parameter.dtype for parameter in network.parameters() if parameter.is_floating_point())
    found = taken(samples).to(next(kinds, samples.dtype))
    return found.contiguous(memory_format=torch.channels_last) if found.ndim == 4 else found.contiguous()


def require_logits(
    called: str, network: nn.Module, taken: SampleFormat, shape: Shape, output: OutputRule = CLASSES
) -> None:
    """Run a network, in evaluation mode, on noise of this shape.

    Args:
        called: the network, in messages.
        shape: ``(C, H, W)`` of a sample of the data.
        output: what the network's outputs mean.

    Raises:
        InputError: samples that cannot be taken so, whatever the network raises, or an output that is no logits.
    """
    refuse(called, list(taken.faults(shape)))
    try:
        answer = _run(network, taken, shape)
    except Exception as error:  # whatever a user's network may raise
        raise InputError(f"{called}: {_why_not_run(network, taken, shape, error)}") from error
    refuse(called, list(_no_logits(answer)))
    assert isinstance(answer, Tensor)
    is_distribution = bool((answer >= 0).all()) and torch.allclose(answer.sum(1).cpu().float(), ONES, atol=1e-4)
    if output.is_classes and is_distribution:
        raise InputError(
            f"{called}: its output holds probabilities (they sum to 1), and a student learns from the logits before "
            "them; leave the last softmax out"
        )


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its type."""
    said = str(error).strip().splitlines()
    return said[0] if said else type(error).__name__


def _run(network: nn.Module, taken: SampleFormat, shape: Shape) -> object:
    noise = torch.rand(SEVERAL, *shape, generator=torch.Generator().manual_seed(0))
    device = next(network.parameters(), noise).device
    with torch.no_grad():
        answer: object = network(samples_for(network, taken, noise.to(device)))
    return answer


def _no_logits(answer: object) -> Iterator[str]:
    """Why the output for :data:`SEVERAL` samples is no logits."""
    if not isinstance(answer, Tensor):
        yield f"its output is {a_kind(type(answer).__name__)}; give a network that returns its logits alone"
    elif answer.ndim != 2 or len(answer) != SEVERAL:
        yield f"its output for {SEVERAL} samples has shape {tuple(answer.shape)}; it must be ({SEVERAL}, classes)"
    elif not bool(torch.isfinite(answer).all()):
        yield "its output is not finite for samples of noise; check its weights"


def _why_not_run(network: nn.Module, taken: SampleFormat, shape: Shape, error: Exception) -> str:
    """What a network said of samples of a shape, and what may help."""
    ways = ", ".join(f"{name} {axes}" for name, axes in LAYOUTS.items() if name != (taken.layout or "images"))
    general = f"give a network for them, or say how it takes them: {arg('layout')} may be {ways}"
    advice = "; ".join([*_colours(network, taken, shape), *_other_layouts(network, taken, shape)]) or general
    return (
        f"cannot be run on samples of {by(taken.unscaled_shape(shape))}, taken {taken} ({first_line(error)}); {advice}"
    )


def _colours(network: nn.Module, taken: SampleFormat, shape: Shape) -> Iterator[str]:
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d)), None)
    if first is not None and shape[0] == 1 and first.in_channels not in (1, taken.channels):
        yield (
            f"its first layer takes {first.in_channels} channels, and the samples have one: give "
            f"{arg('channels', first.in_channels)} to copy it"
        )


def _other_layouts(network: nn.Module, taken: SampleFormat, shape: Shape) -> Iterator[str]:
    """The other layouts in which the network gives logits."""
    for layout in LAYOUTS:
        other = replace(taken, layout=layout)
        if layout != (taken.layout or "images") and not any(other.faults(shape)):
            with suppress(Exception):  # it is only tried
                if not any(_no_logits(_run(network, other, shape))):
                    yield f"it gives logits with {arg('layout', layout)}, samples as {LAYOUTS[layout]}"
