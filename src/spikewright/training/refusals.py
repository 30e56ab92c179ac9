"""What a student cannot be trained by, said before the first step."""

from __future__ import annotations

from collections.abc import Iterator

from ..data.dataset import Dataset
from ..distillation.base import LossTerms
from .settings import DistillSettings


def contradictions(settings: DistillSettings) -> Iterator[str]:
    """Settings that would do nothing beside others."""
    if settings.reserve and not settings.is_limited:
        yield (
            f"--reserve {settings.reserve:g}: is the share of a limit to leave unused, and there is no limit; "
            "give one, such as --energy-budget, or leave --reserve out"
        )
    if settings.integer_from < 1:
        return
    if settings.weight_bits is not None:
        yield (
            f"--weight-bits {settings.weight_bits}: is for training on integers, which --integer-from 1 leaves out; "
            f"round afterwards with `spikewright lower --weight-bits {settings.weight_bits}`"
        )
    if settings.shorten is not None:
        yield "--shorten: T is shortened where training on integers begins, which --integer-from 1 leaves out"


def unmet(settings: DistillSettings, method: LossTerms, dataset: Dataset) -> Iterator[str]:
    """What a method needs and the data do not have."""
    name = settings.method.partition(":")[0]
    if "static twins" in method.needs and (dataset.twin is None or dataset.twin.shape[1:] != dataset.shape[1:]):
        yield (
            f"--method {name}: learns from the images that events were made from, and {dataset.name} has none; "
            f"use data such as digits-events"
        )
    if method.training_timesteps(1) > 1 and (dataset.timesteps or settings.encoding == "latency"):
        fixed = "events" if dataset.timesteps else "a latency code"
        yield f"--method {name}: runs samples beyond T, as {fixed} cannot be; use direct, current or rate input"
