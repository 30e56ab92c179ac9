"""The table of data sets, and data sets by name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from pkgutil import resolve_name
from typing import cast

from ..base.errors import InputError, arg
from ..base.own_code import is_own
from ..sources.read import read, state_of
from .camera import load_filmed
from .dataset import Dataset
from .for_network import ForNetwork, raw_for
from .options import DataOptions
from .own import raw_of
from .own_function import given_by
from .raw import RawData
from .recipe import Recipe, TeacherRecipe

KEPT = 2
"""Data of paths that are kept in memory as they were read, or where they are large referred to."""


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
    network: ForNetwork | None = None,
) -> Dataset:
    """The data set called ``name`` in :data:`DATASETS`, with its recipe; or the data of a path.

    Args:
        name: of a data set; the path of a file or a folder; or ``file.py:function``, a function without arguments that
            returns data and is run for it.
        data_dir: folder that holds the data set's standard files; None: look in the cache and in the system's
            folder, else download.
        timesteps: frames of each sample of events, None for the data set's default; images have none.
        options: how the data of a path are read.
        network: that the data are for: those of a path are read, named and prepared as the network's own were.

    Raises:
        InputError: no such data set, files missing or damaged, or a download that failed.
    """
    source = DATASETS.get(name)
    if source is None:
        if data_dir is not None:
            raise InputError(f"{arg('data_dir', data_dir)}: is for data sets that have a name; leave it out for {name}")
        return _own(name, timesteps, options or DataOptions(), network)
    if options is not None and (asked := options.given()):
        raise InputError(f"data {name}: {', '.join(map(arg, asked))}: for data of your own alone; leave it out")
    loaded = source(data_dir, timesteps)
    twin = loaded.twin
    if twin is not None and twin.name == loaded.name:
        twin = replace(twin, recipe=source.recipe)
    loaded = replace(loaded, recipe=source.recipe, twin=twin)
    return loaded if network is None else loaded.by(network)


_read: OrderedDict[str, RawData | Dataset] = OrderedDict()
"""Data that were read last, by path, options and the state of the files: a whole road reads them once."""


def _own(name: str, timesteps: int | None, options: DataOptions, network: ForNetwork | None) -> Dataset:
    """Data of a path or a function."""
    key = repr((name, state_of(name), options, network))
    if key not in _read:
        _read[key] = _found(name, options, network)
        while len(_read) > KEPT:
            _read.popitem(last=False)
    _read.move_to_end(key)
    found = _read[key]
    if isinstance(found, Dataset):
        return found if network is None else found.by(network)
    if network is None:
        return Dataset.of_raw(found, options)
    if network.rule is None:
        form = DataOptions(scaling="none" if found.layout in ("vectors", "series") else None)
        return Dataset.of_raw(found, form, timesteps=timesteps)
    return Dataset.of_raw(found, rule=network.rule)


def _found(name: str, options: DataOptions, network: ForNetwork | None) -> RawData | Dataset:
    """What a path or a function holds, checked for training or for a network."""
    reading = None if network is None or network.rule is None else network.rule.reading
    found = given_by(name, options) if is_own(name) else read(name, options, DATASETS, reading)
    if isinstance(found, Dataset):
        return found
    return raw_of(found, options) if network is None else raw_for(found, options, network)


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
