"""The table of data sets, and data sets by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

from ..base.errors import InputError, arg
from .camera import load_filmed
from .dataset import Dataset
from .files.read import read
from .input_rule import InputRule
from .options import DataOptions
from .output_rule import OutputRule
from .recipe import Recipe, TeacherRecipe


@dataclass(frozen=True)
class DataSource:
    """One line of the table of data sets.

    Attributes:
        load: a function of ``data_dir``, for events also of ``timesteps``, that returns the data set; or its place,
            ``package.module:function``, which is imported when it is needed.
        recipe: how students and teachers are trained on it.
        events: whether its samples are frames of events.
        help: what it is, in a few words.
    """

    load: Callable[..., Dataset] | str
    recipe: Recipe = field(default_factory=Recipe)
    events: bool = False
    help: str = ""

    def __call__(self, data_dir: Path | None, timesteps: int | None) -> Dataset:
        """Load the data set; images have no timesteps."""
        loader = resolve_name(self.load) if isinstance(self.load, str) else self.load
        return cast(Dataset, loader(data_dir, timesteps) if self.events else loader(data_dir))


def load(
    name: str,
    data_dir: Path | None = None,
    timesteps: int | None = None,
    options: DataOptions | None = None,
    rule: InputRule | None = None,
    output: OutputRule | None = None,
) -> Dataset:
    """The data set called ``name`` in :data:`DATASETS`, with its recipe; or the data of a path.

    Args:
        data_dir: folder that holds the data set's standard files; None: look in the cache and in the system's
            folder, else download.
        timesteps: frames of each sample of events, None for the data set's default; images have none.
        options: how the data of a path are read.
        rule, output: of a network that the data are for, by which those of a path are read and prepared.

    Raises:
        InputError: no such data set, files missing or damaged, or a download that failed.
    """
    source = DATASETS.get(name)
    if source is None:
        if rule is not None:
            asked = DataOptions(layout=rule.layout, task=None if output is None else output.task)
            return Dataset.of_raw(read(name, asked, DATASETS), rule=rule)
        return Dataset.of_raw(read(name, options or DataOptions(), DATASETS), options)
    if options is not None and (given := options.given()):
        raise InputError(f"data {name}: {arg(given[0])} is for data of your own; leave it out")
    loaded = source(data_dir, timesteps)
    twin = loaded.twin
    if twin is not None and twin.name == loaded.name:
        twin = replace(twin, recipe=source.recipe)
    return replace(loaded, recipe=source.recipe, twin=twin)


def _filmed(stills: str, recipe: Recipe) -> DataSource:
    """The events that a virtual camera makes of the images of another line."""
    loader = partial(load_filmed, f"{stills}-events", partial(load, stills))
    return DataSource(loader, recipe, events=True, help="the images of that name, seen by a simulated event camera")


_HERE = __package__
_SMALL_TEACHER = TeacherRecipe(epochs=20, batch_size=64)

# Epochs and batches were chosen on validation parts, and so were the teachers of digits, mnist-5k, Fashion-MNIST and
# mnist1d (the signals behind its events). In the few epochs that a spiking student gets, Fashion-MNIST loses by
# augmentation: on validation 92.1 against 90.8 % (direct, width 16, 6 epochs), 91.0 against 90.0 % (current, 8 epochs).
DATASETS: dict[str, DataSource] = {
    "digits": DataSource(
        f"{_HERE}.digits:load_digits",
        Recipe(epochs=25, batch=32, reach=1, teacher=replace(_SMALL_TEACHER, reach=1)),
        help="handwritten digits of 8 x 8 pixels",
    ),
    "mnist-5k": DataSource(
        f"{_HERE}.digits:load_mnist_5k",
        Recipe(epochs=20, batch=64, teacher=TeacherRecipe(epochs=12, batch_size=64)),
        help="500 of each of MNIST's digits",
    ),
    "mnist": DataSource(
        f"{_HERE}.mnist_like:load_mnist",
        Recipe(epochs=8, augmentation="shift", teacher=TeacherRecipe(epochs=6)),
        help="handwritten digits",
    ),
    "fashion-mnist": DataSource(
        f"{_HERE}.mnist_like:load_fashion_mnist",
        Recipe(epochs=12, teacher=TeacherRecipe(augmentation="shift-flip")),
        help="clothes, shoes and bags",
    ),
    "cifar10": DataSource(
        f"{_HERE}.cifar:load_cifar10",
        Recipe(
            epochs=30,
            augmentation="shift-flip",
            reach=4,
            teacher=TeacherRecipe(epochs=30, augmentation="shift-flip", reach=4),
        ),
        help="animals and vehicles in colour",
    ),
    "nmnist": DataSource(
        f"{_HERE}.events:load_nmnist",
        Recipe(teacher=TeacherRecipe(augmentation="none")),
        events=True,
        help="MNIST's digits, recorded by a moving event camera",
    ),
    "mnist1d": DataSource(
        f"{_HERE}.mnist1d:load_mnist1d",
        Recipe(epochs=30, batch=64, teacher=replace(_SMALL_TEACHER, augmentation="none")),
        events=True,
        help="patterns of a line over time",
    ),
    "digits-events": _filmed("digits", Recipe(epochs=25, batch=32)),
    "mnist-5k-events": _filmed("mnist-5k", Recipe(epochs=20, batch=64)),
    "mnist-events": _filmed("mnist", Recipe(epochs=8)),
    "fashion-mnist-events": _filmed("fashion-mnist", Recipe(epochs=12)),
}

_IMAGES, _EVENTS = ([name for name, source in DATASETS.items() if source.events is events] for events in (False, True))
DATA_HELP = f"{', '.join(_IMAGES[:-1])} or {_IMAGES[-1]}; or events: {', '.join(_EVENTS[:-1])} or {_EVENTS[-1]}"
"""The names, for the help of ``--data``."""
