"""Which layout an array has, and the array with its axes in the one order of that layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.errors import InputError, arg
from ..base.types import IntArray
from ..sources.found import LAYOUTS, Layout
from ..sources.rows import Array, Computed, Recordings, Rows, chunks

FEW_CHANNELS = (1, 2, 3, 4)
"""Sizes by which the axis of an image's channels is told from its height and width."""
_NDIM = {"vectors": (2,), "images": (3, 4), "images-last": (4,), "series": (3,), "events": (5,)}


def layout_of(x: Rows, asked: Layout | None, where: str) -> Layout:
    """The layout of samples by their shape, or the one that was asked for.

    Raises:
        InputError: the shape fits no layout, several, or not the one that was asked for.
    """
    shape = tuple(x.shape)
    if asked is not None:
        if x.ndim not in _NDIM[asked]:
            raise InputError(f"{where}: has shape {shape}; {arg('layout', asked)} is for arrays of {LAYOUTS[asked]}")
        return asked
    if isinstance(x, Recordings):
        return "series"
    if x.ndim == 2:
        return "vectors"
    if x.ndim == 5:
        return "events"
    if x.ndim == 3:
        if x.dtype == np.uint8:
            return "images"
        raise _ambiguous(where, shape, "series", "images")
    if x.ndim == 4:
        first, last = shape[1] in FEW_CHANNELS, shape[3] in FEW_CHANNELS
        if first != last:
            return "images" if first else "images-last"
        raise _ambiguous(where, shape, "images", "images-last")
    known = "; ".join(f"{name} {form}" for name, form in LAYOUTS.items())
    raise InputError(f"{where}: has shape {shape}; samples may be {known}")


def _ambiguous(where: str, shape: tuple[int, ...], *layouts: str) -> InputError:
    forms = ", or ".join(f"{arg('layout', name)} for {LAYOUTS[name]}" for name in layouts)
    return InputError(f"{where}: shape {shape} can be read in two ways; give {forms}")


def canonical(x: Rows, layout: Layout) -> Rows:
    """The samples with their axes in order: images ``(n, channels, height, width)``, others as :data:`LAYOUTS` says."""
    shape = tuple(x.shape)
    if layout == "images" and x.ndim == 3:
        return _changed(x, (shape[0], 1, *shape[1:]), lambda rows: rows[:, None])
    if layout == "images-last":
        moved = (shape[0], shape[3], *shape[1:3])
        return _changed(x, moved, lambda rows: np.ascontiguousarray(rows.transpose(0, 3, 1, 2)))
    return x


def _changed(x: Rows, shape: tuple[int, ...], change: Any) -> Rows:
    if isinstance(x, np.ndarray) and not isinstance(x, np.memmap):
        made: Array = change(x)
        return made
    return Computed(x, lambda rows, _: change(rows), shape, x.dtype)


def as_rows(x: object, where: str) -> Rows:
    """Samples as rows: an array, anything with a shape and rows, or a list of recordings of unequal lengths.

    Raises:
        InputError: none of these, or numbers of a type that cannot be samples.
    """
    if isinstance(x, np.ndarray) and x.dtype == object and x.ndim == 1:
        x = list(x)
    if isinstance(x, Sequence) and not isinstance(x, str) and len(x):
        x = _of_sequence([_as_array(each) for each in x], where)
    found: Any = x if hasattr(x, "shape") and hasattr(x, "dtype") and hasattr(x, "__getitem__") else np.asarray(x)
    found = _as_array(found)
    if found.dtype.kind not in "uifb":
        raise InputError(f"{where}: holds values of type {found.dtype}; samples must be numbers")
    if not found.shape:
        raise InputError(f"{where}: holds one number; give samples, {', or '.join(LAYOUTS.values())}")
    rows: Rows = found
    return rows


def _as_array(x: object) -> Any:
    """A torch tensor as an array; anything else as it is."""
    return x.detach().cpu().numpy() if hasattr(x, "detach") else x


def _of_sequence(samples: list[Any], where: str) -> Rows:
    """Samples one by one as an array, or as recordings where their lengths differ.

    Raises:
        InputError: samples of unequal shape that are no recordings of the same channels.
    """
    shapes = list(dict.fromkeys(np.shape(each) for each in samples))
    if len(shapes) == 1:
        return np.asarray(samples)
    if {len(shape) for shape in shapes} != {2}:
        raise InputError(
            f"{where}: its samples have unequal shapes, such as {shapes[0]} and {shapes[1]}; only recordings "
            "(steps, channels) may be of unequal lengths"
        )
    if len({shape[1:] for shape in shapes}) > 1:
        raise InputError(f"{where}: its recordings have different numbers of channels; give all the same channels")
    return Recordings.of([np.asarray(each) for each in samples])


def lengths_of(series: Rows) -> IntArray | None:
    """Steps of each recording ``(n, steps, channels)``, the NaN behind its end left out; None where all are equal."""
    known = getattr(series, "lengths", None)
    if known is None and series.dtype.kind == "f":
        ends = [_ends(chunk) for chunk in chunks(series)]
        known = np.concatenate(ends) if ends else None
    if known is None or bool((known == series.shape[1]).all()):
        return None
    return np.asarray(known, np.int64)


def _ends(series: Array) -> IntArray:
    """The step behind the last one with a number, of each recording."""
    there = ~np.isnan(series).all(2)
    return np.where(there.any(1), series.shape[1] - there[:, ::-1].argmax(1), 0).astype(np.int64)
