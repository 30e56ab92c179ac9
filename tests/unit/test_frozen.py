"""Values that travel along the pipeline cannot be altered behind somebody's back, nor compared element by element."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

import spikewright
from spikewright.base.shown import Brief

PACKAGES = ("chip", "distillation", "energy", "lowering", "placing", "profile", "simulation", "training")
CHANGES = {"training.trainer.Trainer"}
"""The one dataclass there that changes while it lives."""
LENIENT = {"training.checkpoint._State", "training.times.EpochTimes", "training.times.TrainingTimes"}
"""Headers of files, in which later versions may have more."""
ALONE = {
    "chip.activity.Counts",
    "chip.activity.Activity",
    "chip.network.Connection",
    "chip.network.Population",
    "chip.network.ChipNetwork",
    "energy.events.Spot",
    "energy.events.Event",
    "energy.pricing.PricedActivity",
    "energy.report.EnergyReport",
    "energy.time._Work",
    "lowering.draft.DraftPopulation",
    "lowering.draft.Draft",
    "lowering.peaks.Measuring",
    "lowering.quantize._Quantized",
    "lowering.quantize._Task",
    "placing.cores.CoreAssignment",
    "placing.partition.Partition",
    "training.ann_weights.AnnWeights",
    "training.start.Start",
    "placing.placement.Placement",
    "simulation.events.Prepared",
    "simulation.kernel.Rules",
    "simulation.recording.Counted",
    "simulation.lava.network.LavaNetwork",
    "simulation.recording.Recording",
    "training.deployment.Deployment",
    "training.limits.Limit",
    "training.objects.Objects",
    "training.records.Measurement",
    "training.result.Distillation",
    "training.teaching.TrainedTeacher",
    "training.teaching.Teaching",
}
"""Further ones: they have parts with arrays, or are too large to be compared by chance."""
ARRAY = re.compile(r"\b(ndarray|Tensor|IntArray|FloatArray|NDArray|Weights)\b(?!\])")


def label(made: type) -> str:
    return f"{made.__module__.removeprefix('spikewright.')}.{made.__qualname__}"


def classes() -> Iterator[type]:
    for package in PACKAGES:
        folder = importlib.import_module(f"{spikewright.__name__}.{package}")
        for found in pkgutil.walk_packages(folder.__path__, f"{folder.__name__}."):
            if "lava.processes" in found.name:
                continue  # needs Lava
            module = importlib.import_module(found.name)
            mine = (made for made in vars(module).values() if inspect.isclass(made) and made.__module__ == found.name)
            yield from mine


CLASSES = list(classes())
RECORDS = [made for made in CLASSES if dataclasses.is_dataclass(made)]
MODELS = [made for made in CLASSES if issubclass(made, BaseModel)]


def holds_arrays(made: type) -> bool:
    """Whether a field of the dataclass is an array, or a container of arrays."""
    return any(
        ARRAY.search(kind) and "Callable" not in kind for kind in (str(f.type) for f in dataclasses.fields(made))
    )


def test_the_search_finds_them() -> None:
    assert len(RECORDS) > 80
    assert len(MODELS) > 50
    assert {label(made) for made in CLASSES} >= CHANGES | LENIENT


@pytest.mark.parametrize("made", RECORDS, ids=label)
def test_dataclasses_are_frozen(made: type) -> None:
    assert made.__dataclass_params__.frozen == (label(made) not in CHANGES)


@pytest.mark.parametrize("made", RECORDS, ids=label)
def test_dataclasses_with_arrays_are_equal_to_themselves_alone(made: type) -> None:
    alone = made.__eq__ is object.__eq__
    assert alone == (holds_arrays(made) or label(made) in ALONE), "== of arrays is an array"
    assert alone == (made.__hash__ is object.__hash__)


@pytest.mark.parametrize("made", [made for made in RECORDS if issubclass(made, Brief)], ids=label)
def test_brief_dataclasses_are_told_briefly(made: type) -> None:
    assert "__repr__" not in vars(made), "the dataclass writes one of its own, with whole arrays"


@pytest.mark.parametrize("made", MODELS, ids=label)
def test_models_are_frozen_and_take_nothing_that_they_do_not_know(made: type[BaseModel]) -> None:
    assert made.model_config.get("frozen", False) or label(made) == "training.checkpoint._State"
    assert made.model_config["extra"] == ("ignore" if label(made) in LENIENT else "forbid")
