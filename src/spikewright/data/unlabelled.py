"""Samples without labels, prepared as those with labels are: read, checked, and brought into form by the same rule."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, arg, refuse
from ..base.own_code import is_own
from ..sources.found import Layout
from ..sources.recordings import recorded
from ..sources.rows import Rows, chunks
from ..sources.unlabelled import read_samples
from .dataset import Dataset
from .event_frames import check_framing
from .for_network import ForNetwork
from .input_rule import InputRule
from .layout import as_rows, canonical, lengths_of
from .options import DataOptions
from .output_rule import NO_LABEL
from .own import prepared_part, unfit_numbers
from .own_function import given_by
from .raw import RawPart
from .split import Split

NAME = "unlabelled"
_NDIM: dict[Layout, tuple[int, ...]] = {
    "vectors": (2,), "images": (3, 4), "images-last": (4,), "series": (3,), "events": (5,)
}  # fmt: skip


def unlabelled_split(given: object, dataset: Dataset) -> tuple[Split, Split | None]:
    """Samples without labels as the student takes them, and as its teacher does where that is something else.

    Args:
        given: the path of a file; an array, a tensor or a list of recordings; or a data set, of which the training
            part's samples are taken and no labels.
        dataset: with labels, by whose rule the samples are prepared.

    Raises:
        InputError: samples that are not like those of the data set.
    """
    if isinstance(given, str) and is_own(given):
        found = given_by(given, DataOptions())
        given = found if isinstance(found, Dataset) else found.parts["train"][0]
    if isinstance(given, Dataset) and given.raw is None:
        return _of_named(given, dataset)
    x = as_rows(_samples(given, dataset), NAME)
    if not len(x):
        raise InputError(f"{arg(NAME)}: holds no samples; leave it out")
    rule = dataset.input_rule or _rule_of_named(dataset, x)
    x = _like(x, rule, dataset.name)
    lengths = given.raw.train.lengths if isinstance(given, Dataset) and given.raw is not None else None
    if rule.layout == "series" and lengths is None:
        lengths = lengths_of(x)
    part = RawPart(x, _no_labels(dataset, len(x)), lengths)
    refuse(NAME, [*unfit_numbers(NAME, part), *_out_of_range(x, rule)])
    twin = None if dataset.twin is None else dataset.twin.input_rule
    return prepared_part(part, rule), None if twin is None else prepared_part(part, twin)


def samples_for(path: str | Path, network: ForNetwork, shape: tuple[int, ...]) -> Split:
    """The samples of a file without labels, in the form that a network takes them.

    Args:
        path: of an ``.npz`` or ``.npy`` file.
        shape: ``(C, H, W)`` of one sample in one timestep, for a network that has no rule of its own.

    Raises:
        InputError: samples that are not like those that the network takes.
    """
    rule = network.rule
    x = as_rows(read_samples(path, {} if rule is None else rule.reading), str(path))
    if not len(x):
        raise InputError(f"{path}: holds no samples")
    if rule is None:
        x, rule = _of_foreign(x, str(path), network.frames, shape)
    x = _like(x, rule, "the network")
    part = RawPart(x, np.full(len(x), NO_LABEL, np.int64), lengths_of(x) if rule.layout == "series" else None)
    refuse(str(path), [*unfit_numbers(NAME, part), *_out_of_range(x, rule)])
    return prepared_part(part, rule)


def _of_foreign(x: Rows, where: str, frames: tuple[int, ...] | None, shape: tuple[int, ...]) -> tuple[Rows, InputRule]:
    """Samples in the form of a network without a rule, and the rule that takes them as they are."""
    whole = shape if frames is None else frames if len(frames) == 4 else (frames[0], 1, 1, prod(frames[1:]))
    if prod(x.shape[1:]) != prod(whole):
        raise InputError(f"{where}: its samples have shape {tuple(x.shape[1:])}, and the network takes {whole}")
    shaped = np.asarray(x[:]).reshape(len(x), *whole)
    if frames is not None:
        return shaped, InputRule("events", whole, timesteps=frames[0])
    full = float(np.iinfo(x.dtype).max) if x.dtype.kind == "u" else 1.0
    return shaped, InputRule("images", whole, gain=(1 / full,))


def _samples(given: object, dataset: Dataset) -> object:
    """The raw samples of what is given."""
    if isinstance(given, Dataset):
        assert given.raw is not None
        return given.raw.train.samples
    if isinstance(given, str | Path):
        return read_samples(given, {} if dataset.input_rule is None else dataset.input_rule.reading)
    return given


def samples_sha256(given: object) -> str:
    """The SHA-256 of shape and values of samples without labels that are given as an object."""
    if isinstance(given, Dataset):
        return given.train.without_labels().sha256
    x = as_rows(given, NAME)
    digest = hashlib.sha256(repr(tuple(x.shape)).encode())
    for chunk in chunks(x):
        digest.update(np.ascontiguousarray(chunk).data)
    return digest.hexdigest()


def _no_labels(dataset: Dataset, count: int) -> npt.NDArray[np.generic]:
    labels = dataset.train.labels
    if labels.ndim == 1:
        return np.full(count, NO_LABEL, np.int64)
    return np.full((count, labels.shape[1]), np.nan, np.float32)


def _of_named(given: Dataset, dataset: Dataset) -> tuple[Split, Split | None]:
    """The training samples of a data set that has a name, for one that has the same shape."""
    pairs = [(given, dataset)]
    if dataset.twin is not None and given.twin is not None:
        pairs.append((given.twin, dataset.twin))
    fits = all((a.shape, a.timesteps, a.is_events) == (b.shape, b.timesteps, b.is_events) for a, b in pairs)
    if not fits or (given.twin is None) != (dataset.twin is None) or dataset.raw is not None:
        raise InputError(
            f"{arg(NAME, given.name)}: has samples of shape {given.shape} in a form of its own, and {dataset.name} of "
            f"{dataset.shape}; give samples like those with labels, as an array or a path"
        )
    own, *twins = (each.train.without_labels() for each, _ in pairs)
    return own, twins[0] if twins else None


def _rule_of_named(dataset: Dataset, x: Rows) -> InputRule:
    """The rule by which arrays become samples like those of a data set that has a name."""
    if dataset.twin is not None:
        raise InputError(
            f"{arg(NAME)}: the events of {dataset.name} were made from images, and those of other samples cannot be; "
            "give a number, or rest"
        )
    if dataset.timesteps is None:
        full = float(np.iinfo(x.dtype).max) if x.dtype.kind == "u" else 1.0
        return InputRule("images", dataset.shape, gain=(1 / full,))
    frames = tuple(x.shape[1:]) if x.ndim == 5 else (dataset.timesteps, *dataset.shape)
    return InputRule("events", frames, timesteps=dataset.timesteps)


def _like(x: Rows, rule: InputRule, name: str) -> Rows:
    """The samples with their axes in the order of the rule's layout.

    Raises:
        InputError: they have another shape than those of the rule.
    """
    if rule.layout == "events" and recorded(x) is not None:
        check_framing(NAME, x, rule)
        return x
    layouts: list[Layout] = ["images", "images-last"] if rule.layout == "images" else [rule.layout]
    for layout in layouts:
        made = canonical(x, layout) if x.ndim in _NDIM[layout] else x
        shape = tuple(made.shape[1:])
        if shape == rule.shape or (rule.layout == "series" and len(shape) == 2 and shape[1:] == rule.shape[1:]):
            return made
    raise InputError(
        f"{arg(NAME)}: its samples have shape {tuple(x.shape[1:])}, and those of {name} are {rule.layout} of shape "
        f"{rule.shape}; give samples like those with labels"
    )


def _out_of_range(x: Rows, rule: InputRule) -> Iterator[str]:
    """Images of another range than those with labels, which would become black or white."""
    if rule.layout != "images":
        return
    low, high = rule.low[0], rule.low[0] + 1 / rule.gain[0]
    parts = [(float(np.min(chunk)), float(np.max(chunk))) for chunk in chunks(x) if chunk.size]
    least, most = min(part[0] for part in parts), max(part[1] for part in parts)
    slack = 1e-6 * (high - low)
    if least < low - slack or most > high + slack or (most <= 1 and high > 100 and most > 0):
        yield (
            f"its intensities reach {least:g}..{most:g}, and those of the samples with labels {low:g}..{high:g}; give "
            "them in the same range"
        )
