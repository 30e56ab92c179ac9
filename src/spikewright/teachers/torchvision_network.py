"""Classifiers of torchvision with weights from a file."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor
from torchvision import models

from ..base.errors import InputError, arg, did_you_mean
from .built import TORCHVISION, BuiltNetwork
from .weights import StateDict, load_weights, read_weights

CHANGED_BY_OPTION = ("googlenet", "inception_v3")
"""Networks of torchvision that may change their input by an option which their weights do not tell."""


def torchvision_network(spec: str, weights: Path | None) -> BuiltNetwork:
    """A classifier with as many classes as the last layer in the file has; nothing is downloaded.

    Args:
        spec: ``torchvision:NAME``, with a name of ``torchvision.models``.
        weights: a file with its state dict.

    Raises:
        InputError: no such classifier, or no weights that fit it.
    """
    called, name = f"teacher {spec!r}", spec.removeprefix(TORCHVISION)
    known = models.list_models(module=models)
    if name not in known:
        near = did_you_mean(name, known).partition("may be:")[0]
        raise InputError(
            f"{called}: torchvision has no such classifier; {near}torchvision.models.list_models() has them all"
        )
    if name in CHANGED_BY_OPTION:
        raise InputError(
            f"{called}: its option transform_input changes the images, and its weights do not tell whether; write a "
            f"function that builds it, and give {arg('teacher', 'net.py:build')}"
        )
    if weights is None:
        raise InputError(f"{called}: nothing is downloaded; give the file of its state dict, {arg('weights', 'w.pt')}")
    state = read_weights(weights)
    last = list(models.get_model(name, weights=None).state_dict())[-1]
    network = models.get_model(name, weights=None, num_classes=_classes(state, last, called))
    return BuiltNetwork(network, f"{spec} with {weights.name}", load_weights(network, state, spec))


def _classes(state: StateDict, last: str, called: str) -> int:
    """How many classes the last layer has, in whichever part of a checkpoint."""
    found = [value for name, value in state.values.items() if name == last or name.endswith(f".{last}")]
    sizes = {int(value.shape[0]) for value in found if isinstance(value, Tensor) and value.ndim > 0}
    if len(sizes) != 1:
        raise InputError(
            f"{state.path}: does not fit {called}, whose last layer is {last!r}; if the network was changed, give the "
            f"function that builds it, {arg('teacher', 'net.py:build')}"
        )
    return sizes.pop()
