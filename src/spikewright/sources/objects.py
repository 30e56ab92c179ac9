"""Data that Python objects hold: arrays, map-style data sets of torch, and data sets of Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from PIL.Image import Image

from ..base.errors import InputError, a_kind, arg, did_you_mean, refuse
from .arrays import found_in
from .collected import Collected
from .found import Found
from .hub import HubItems
from .images import pixels_of
from .official import PART_OF
from .options import ReadingOptions
from .sounds import Spectrum, spectrum_of

WAYS = "(x, y), a dictionary of arrays such as x and y, a Dataset, or a map-style data set of torch or Hugging Face"
Item = tuple[Any, Any, Any]
"""A sample, its label, and its group or None."""


class Items(Protocol):
    """The samples of a data set by their numbers.

    Attributes:
        names: of the classes 0, 1, ...; None where the labels are the names.
    """

    names: Sequence[str] | None

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Item: ...


def found_in_object(given: object, name: str, where: str, options: ReadingOptions) -> Found:
    """What an object holds.

    Args:
        given: ``(x, y)``, a dictionary of arrays as in an ``.npz`` file, a data set of torch or Hugging Face, or a
            dictionary of such by part.
        name: of the data.
        where: the object, for messages.

    Raises:
        InputError: something else, or data that cannot be read.
    """
    if isinstance(given, tuple | list) and len(given) == 2:
        return Found(name, {"train": (given[0], given[1])})
    if isinstance(given, Mapping) and given and all(map(_is_data_set, given.values())):
        return found_in_data_sets(given, name, where, options)
    if isinstance(given, Mapping):
        return found_in(where, name, {str(key): np.asarray(value) for key, value in given.items()})
    if _is_data_set(given):
        return found_in_data_sets({"train": given}, name, where, options)
    raise InputError(f"{where}: is {a_kind(type(given).__name__)}; may be {WAYS}")


def found_in_data_sets(parts: Mapping[str, Any], name: str, where: str, options: ReadingOptions) -> Found:
    """The samples of data sets, each read once and kept as it was.

    Args:
        parts: by part, as it is usually called, a map-style data set of torch, whose items are pairs of sample and
            label, or a data set of Hugging Face.
        name: of the data.
        where: the data sets, for messages.

    Raises:
        InputError: data sets that can only be iterated, that give other samples each time, or whose items are no
            pairs of sample and label.
    """
    named = {_part(part, where): each for part, each in parts.items()}
    read = {part: _read(each, f"{where}: {part}", options) for part, each in named.items()}
    first = next(iter(read.values()))
    reading = {"image_size": options.image_size and list(options.image_size), "colors": options.colors}
    return Found(
        name,
        {part: (each.collected.finish(), np.array(each.labels)) for part, each in read.items()},
        read["train"].groups or None if "train" in read else None,
        first.names,
        layout="images" if first.are_images else "series" if first.spectrum else None,
        view="image" if first.spectrum else None,
        notes=(f"sounds were read as {first.spectrum}",) if first.spectrum else (),
        reading=first.spectrum.reading if first.spectrum else {k: v for k, v in reading.items() if v is not None},
    )


def is_iterable_only(given: object) -> bool:
    """Whether a data set gives its samples only one after the other."""
    return any(kind.__name__ == "IterableDataset" for kind in type(given).__mro__)


def _is_data_set(given: object) -> bool:
    """Whether it is a data set with items by number, or one that can only be iterated; arrays are none."""
    has_items = hasattr(given, "__getitem__") and hasattr(given, "__len__") and not hasattr(given, "dtype")
    return is_iterable_only(given) or (has_items and not isinstance(given, list | tuple | str | bytes | Mapping))


def _part(name: object, where: str) -> str:
    if str(name).lower() not in PART_OF:
        raise InputError(f"{where}: has a part {name!r}; {did_you_mean(str(name), PART_OF)}")
    return PART_OF[str(name).lower()]


class TorchItems:
    """The items of a map-style data set of torch, pairs of sample and label."""

    def __init__(self, given: Any, where: str) -> None:
        self._given, self._where = given, where
        classes: Any = getattr(given, "classes", None)
        is_named = isinstance(classes, list | tuple) and bool(classes) and all(isinstance(c, str) for c in classes)
        self.names: Sequence[str] | None = classes if is_named else None

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, index: int) -> Item:
        item = self._given[index]
        if not isinstance(item, tuple | list) or len(item) != 2:
            what = f"{len(item)} values" if isinstance(item, tuple | list) else f"{a_kind(type(item).__name__)}"
            raise InputError(f"{self._where}: item {index} holds {what}; give a data set of pairs (sample, label)")
        return item[0], item[1], None


@dataclass
class _Read:
    """What the items of a data set hold.

    Attributes:
        names: of the classes; None where the labels are the names.
        are_images: whether samples are images of Pillow.
        spectrum: of samples that are sounds.
    """

    where: str
    options: ReadingOptions
    collected: Collected
    names: Sequence[str] | None
    labels: list[Any] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    are_images: bool = False
    spectrum: Spectrum | None = None

    def array_of(self, sample: Any) -> Any:
        """A sample as an array: of an image its pixels, of a sound its spectrum."""
        if isinstance(sample, Image):
            self.are_images = True
            return pixels_of(sample, self.options)
        if hasattr(sample, "detach"):
            return sample.detach().cpu().numpy()
        if not isinstance(sample, Mapping) and not hasattr(sample, "get_all_samples"):
            return np.asarray(sample)
        rate = int(sample["sampling_rate"])
        self.spectrum = self.spectrum or spectrum_of(self.where, rate, self.options)
        if rate != self.spectrum.sample_rate and self.options.sample_rate is None:
            raise InputError(
                f"{self.where}: its sounds have several sample rates, such as {self.spectrum.sample_rate} and {rate} "
                f"Hz; give {arg('sample_rate', rate)}, to which all are resampled"
            )
        return self.spectrum(np.asarray(sample["array"], np.float32), rate)


def _read(given: Any, where: str, options: ReadingOptions) -> _Read:
    """All items of a data set.

    Raises:
        InputError: as :func:`found_in_data_sets`.
    """
    if not _is_data_set(given):
        raise InputError(f"{where}: is {a_kind(type(given).__name__)}; may be {WAYS}")
    if is_iterable_only(given):
        raise InputError(
            f"{where}: gives its samples only one after the other; give a map-style data set, which has a length and "
            "items by number, or arrays"
        )
    is_hub = hasattr(given, "column_names") and hasattr(given, "features")
    items: Items = HubItems(given, where, options) if is_hub else TorchItems(given, where)
    made = _Read(where, options, Collected(where), items.names)
    first = None
    for index in range(len(items)):
        sample, label, group = items[index]
        array = made.array_of(sample)
        first = array if first is None else first
        made.collected.add(array)
        made.labels.append(label.item() if hasattr(label, "item") and np.ndim(label) == 0 else np.asarray(label))
        made.groups += [] if group is None else [str(group)]
    if first is not None and not np.array_equal(first, made.array_of(items[0][0]), equal_nan=first.dtype.kind == "f"):
        raise InputError(
            f"{where}: item 0 is another one each time that it is asked for; leave random transforms out, and ask for "
            f"{arg('augmentation')} in training"
        )
    unused = options.misplaced(*_heeded(made, is_hub))
    refuse(where, [f"{arg(name)} has no effect on these samples; leave it out" for name in unused])
    return made


def _heeded(read: _Read, is_hub: bool) -> list[str]:
    """The options of reading that have an effect on samples of this kind."""
    heeded = ["label", "columns", "group"] if is_hub else []
    if read.are_images:
        heeded += ["image_size", "colors"]
    return heeded + (["sample_rate", "bands", "frame_ms", "step_ms", "seconds"] if read.spectrum else [])
