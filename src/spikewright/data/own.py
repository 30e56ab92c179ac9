"""Data of one's own: checked, split, and prepared as the input of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import InputError, arg, refuse
from ..base.types import IntArray
from .fitting import fitted
from .input_rule import InputRule, View, bytes_of
from .labels import read_labels
from .layout import as_rows, canonical, layout_of
from .options import DataOptions
from .raw import PARTS, RawData, RawPart
from .rows import Computed, Picked, Rows, chunks, picked
from .split import Split, as_numbers, three_parts, train_and_validation

IN_MEMORY = 512 * 1024**2
"""Prepared samples of a part are kept in memory up to this size; larger ones are prepared when they are asked for."""
VIEW_OF_ARCHITECTURE: dict[str, View] = {"temporal": "channels", "mlp": "steps"}
"""How a named architecture takes series; any other takes them as an image."""


def raw_from_arrays(
    name: str,
    parts: Mapping[str, tuple[object, object]],
    options: DataOptions,
    *,
    groups: Sequence[object] | npt.NDArray[Any] | None = None,
    names: Sequence[str] | None = None,
    notes: Sequence[str] = (),
    reading: Mapping[str, Any] | None = None,
) -> RawData:
    """Check samples and labels, and split them where there are no official parts.

    Args:
        parts: by part (``train``, and where they are given ``validation`` and ``test``), samples and labels.
        groups: of the training samples (person, recording), which no split cuts.
        names: of the classes 0, 1, ... or of the values.
        notes, reading: see :class:`~spikewright.data.raw.RawData`.

    Raises:
        InputError: data that cannot be learned from; all faults at once.
    """
    where = f"data {name}"
    samples = {part: as_rows(x, f"{where}: {part}") for part, (x, _) in parts.items()}
    layout = layout_of(samples["train"], options.layout, where)
    rule, labels = read_labels(where, {part: y for part, (_, y) in parts.items()}, options.task, names)
    refuse(where, list(_faults(samples, labels, groups)))
    ordered = "images" if layout == "images-last" else layout
    ready = {
        part: RawPart(canonical(x, layout), labels[part], getattr(x, "lengths", None)) for part, x in samples.items()
    }
    refuse(where, [fault for part, each in ready.items() for fault in _unfit_numbers(part, each)])
    train, validation, test = _split(ready, None if groups is None else as_numbers(groups))
    assumed = [f"the samples were read as {layout} by their shape"] if options.layout is None else []
    return RawData(name, ordered, train, validation, test, rule, (*assumed, *notes), dict(reading or {}))


def _faults(
    samples: Mapping[str, Rows],
    labels: Mapping[str, npt.NDArray[Any]],
    groups: Sequence[object] | npt.NDArray[Any] | None,
) -> Iterator[str]:
    shape = samples["train"].shape[1:]
    for part, x in samples.items():
        if not len(x):
            yield f"its {part} part is empty"
        if len(x) != len(labels[part]):
            yield f"its {part} part has {len(x)} samples and {len(labels[part])} labels; each sample needs one"
        if x.shape[1:] != shape and not (x.ndim == 3 and x.shape[2:] == shape[1:]):
            yield f"samples of {part} have shape {x.shape[1:]}, those of training {shape}; they must be equal"
    if groups is not None and len(groups) != len(samples["train"]):
        yield f"{arg('groups')} has {len(groups)} entries for {len(samples['train'])} samples; each sample needs one"
    if len(samples["train"]) < 8 and len(samples) == 1:
        yield f"{len(samples['train'])} samples cannot be split into training, validation and test; give 8 or more"


def _unfit_numbers(part: str, raw: RawPart) -> Iterator[str]:
    """Numbers that cannot be used: NaN and infinity, but for the padding of recordings."""
    if raw.samples.dtype.kind != "f":
        return
    first = 0
    for chunk in chunks(raw.samples):
        bad = ~np.isfinite(chunk)
        if raw.lengths is not None:
            lengths = raw.lengths[first : first + len(chunk)]
            bad &= (np.arange(chunk.shape[1])[None, :] < lengths[:, None])[..., None]
        wrong = np.flatnonzero(bad.reshape(len(chunk), -1).any(1))
        if len(wrong):
            kind = "infinity" if np.isinf(chunk[wrong[0]]).any() else "NaN"
            yield (
                f"its {part} part holds {kind}, first in sample {first + int(wrong[0])}; fill such values in, or leave "
                "the sample out"
            )
            return
        first += len(chunk)


def _split(parts: Mapping[str, RawPart], groups: IntArray | None) -> list[RawPart]:
    """Training, validation and test part; official parts stay as they are."""
    train = replace(parts["train"], groups=groups)
    parts = {**parts, "train": train}
    if "test" in parts and "validation" in parts:
        return [parts[name] for name in PARTS]
    if "test" in parts:
        rows = train_and_validation(train.labels, groups)
        return [*(_rows_of(train, each) for each in rows), parts["test"]]
    if "validation" in parts:  # what was called validation is the only part that was held out
        rows = train_and_validation(train.labels, groups)
        return [*(_rows_of(train, each) for each in rows), parts["validation"]]
    return [_rows_of(train, each) for each in three_parts(train.labels, groups)]


def _rows_of(part: RawPart, rows: IntArray) -> RawPart:
    lengths, groups = (None if each is None else each[rows] for each in (part.lengths, part.groups))
    return RawPart(picked(part.samples, rows), part.labels[rows], lengths, groups)


@dataclass(frozen=True, eq=False)
class Prepared:
    """Data in the form that a network takes.

    Attributes:
        rule: by which they were prepared.
        parts: training, validation and test part.
        twin: the same at once, of series that are taken step by step, for an artificial teacher; None else.
    """

    rule: InputRule
    parts: tuple[Split, Split, Split]
    twin: Prepared | None = None


def prepare(
    raw: RawData,
    options: DataOptions | None = None,
    *,
    encoding: str | None = None,
    architecture: str | None = None,
    timesteps: int | None = None,
    rule: InputRule | None = None,
) -> Prepared:
    """Bring data into the form that a network takes.

    Args:
        options: how the data are scaled and seen.
        encoding: of the student's input, ``delta`` among others; None leaves it open.
        architecture: of the student, which decides how a series is seen; None leaves it open.
        timesteps: of samples that are taken step by step; None for as many as a recording has.
        rule: that was fitted before and is applied again; None fits one on the training part.

    Raises:
        InputError: options that do not suit the data, or a rule that was made for others.
    """
    if rule is None:
        view = VIEW_OF_ARCHITECTURE.get(architecture or "temporal", "image")
        rule = fitted(raw, options or DataOptions(), encoding=encoding, view=view, timesteps=timesteps)
    else:
        _check_rule(raw, rule)
    twin = None
    if rule.view == "steps":
        twin = prepare(raw, rule=replace(rule, view="channels", delta=(), timesteps=None))
    train, validation, test = (_prepared(part, rule) for part in raw.parts.values())
    return Prepared(rule, (train, validation, test), twin)


def _check_rule(raw: RawData, rule: InputRule) -> None:
    shape = tuple(raw.train.samples.shape[1:])
    fits = shape == rule.shape or (raw.layout == "series" and shape[1:] == rule.shape[1:])
    if raw.layout != rule.layout or not fits:
        raise InputError(
            f"data {raw.name}: holds {raw.layout} of shape {shape}, and the network was made for {rule.layout} of "
            f"shape {rule.shape}; give data like those it was trained on"
        )


def _prepared(part: RawPart, rule: InputRule) -> Split:
    """A part whose samples are prepared, now where they fit in memory and else when they are asked for."""
    later = when_asked(part, rule)
    if bytes_of(rule, len(later)) > IN_MEMORY:
        return later
    return replace(later, samples=np.concatenate(list(chunks(later.samples))))


def when_asked(part: RawPart, rule: InputRule) -> Split:
    """A part whose samples are prepared by a rule when they are asked for."""
    source, recordings = part.samples, None
    if rule.layout == "series":
        source, recordings = _windows(part, rule)
        if source.shape[1] != rule.shape[0]:
            source = _fitted_to(source, rule.shape[0])
    labels = part.labels if recordings is None else part.labels[recordings]
    samples = Computed(source, lambda rows, _: rule(rows), (len(labels), *rule.sample_shape), rule.dtype)
    return Split(samples, labels, recordings)


def _fitted_to(source: Rows, steps: int) -> Rows:
    """Recordings cut at the end, or padded with NaN, to ``steps``."""

    def fit(rows: npt.NDArray[Any], _: IntArray) -> npt.NDArray[Any]:
        cut = np.asarray(rows[:, :steps], np.float32)
        return np.pad(cut, ((0, 0), (0, steps - cut.shape[1]), (0, 0)), constant_values=np.nan)

    return Computed(source, fit, (len(source), steps, *source.shape[2:]), np.dtype(np.float32))


def _windows(part: RawPart, rule: InputRule) -> tuple[Rows, IntArray | None]:
    """Windows of recordings, and the recording that each belongs to; a recording shorter than a window is one."""
    if rule.window is None or rule.hop is None:
        return part.samples, None
    longest = part.samples.shape[1]
    lengths = np.full(len(part), longest) if part.lengths is None else part.lengths
    counts = np.maximum(1, (lengths - rule.window) // rule.hop + 1)
    recordings = np.repeat(np.arange(len(part)), counts)
    starts = np.concatenate([np.arange(count) * rule.hop for count in counts])
    size = min(rule.window, longest)

    def cut(rows: npt.NDArray[Any], indices: IntArray) -> npt.NDArray[Any]:
        return np.stack([each[s : s + size] for each, s in zip(rows, starts[indices], strict=True)])

    shape = (len(recordings), size, *part.samples.shape[2:])
    return Computed(Picked(part.samples, recordings), cut, shape, part.samples.dtype), recordings
