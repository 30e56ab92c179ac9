"""Which layout an array has, and the array with its axes in the one order of that layout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..base.errors import InputError, arg
from .raw import LAYOUTS, Layout
from .rows import Array, Computed, Recordings, Rows

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
    if isinstance(x, Sequence) and not isinstance(x, str) and len(x) and np.ndim(x[0]) == 2:
        if len({np.shape(each)[1:] for each in x}) > 1:
            raise InputError(f"{where}: its recordings have different numbers of channels; give all the same channels")
        if len({len(each) for each in x}) > 1:
            return Recordings(list(x))
    found: Any = x if hasattr(x, "shape") and hasattr(x, "dtype") and hasattr(x, "__getitem__") else np.asarray(x)
    if hasattr(found, "detach"):  # a torch tensor
        found = found.detach().cpu().numpy()
    if found.dtype.kind not in "uifb":
        raise InputError(f"{where}: holds values of type {found.dtype}; samples must be numbers")
    rows: Rows = found
    return rows
