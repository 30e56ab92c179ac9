"""Data of one's own: checked, split, and prepared as the input of a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import Gathered, InputError, arg, refuse
from ..base.types import IntArray
from ..sources.found import Found, Layout, View
from ..sources.recordings import recorded
from ..sources.rows import Computed, Rows, Windows, as_float32, chunks, picked
from .event_frames import check_framing, framed
from .fitting import fitted
from .input_rule import InputRule, bytes_of
from .labels import label_array, read_labels
from .layout import as_rows, canonical, layout_of, lengths_of
from .options import DataOptions
from .output_rule import LARGEST
from .raw import RawData, RawPart
from .split import Split, as_numbers, three_parts, train_and_validation

IN_MEMORY = 512 * 1024**2
"""Prepared samples of all parts are kept in memory up to this size; larger ones are prepared when they are asked for.
"""
IDENTITY = "identity"
"""The key in :attr:`RawData.reading` of the hash by which data are known again."""
KEPT = 3
"""Ways in which data were prepared last, that are kept: for the data set itself, a student and its teacher."""
VIEW_OF_ARCHITECTURE: dict[str, View] = {"temporal": "channels", "mlp": "steps"}
"""How a named architecture takes series; any other takes them as an image."""

"""The largest number that networks compute with."""


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
    return raw_of(Found(name, parts, groups, names, notes=tuple(notes), reading=dict(reading or {})), options)


def raw_of(found: Found, options: DataOptions) -> RawData:
    """Check what a reader found, and split it where there are no official parts.

    Raises:
        InputError: data that cannot be learned from; all faults at once.
    """
    where = f"data {found.name}"
    if "train" not in found.parts:
        raise InputError(f"{where}: holds no training part ({', '.join(found.parts)} alone); give one to learn from")
    gathered = Gathered(where)
    samples: dict[str, Rows] = {}
    with gathered:
        samples = {part: as_rows(x, f"{where}: {part}") for part, (x, _) in found.parts.items()}
        layout = layout_of(samples["train"], options.layout or found.layout, where)
    with gathered:
        rule, labels = read_labels(where, {part: y for part, (_, y) in found.parts.items()}, options.task, found.names)
        with gathered:
            refuse(where, list(_faults(samples, labels, found.groups)) if samples else [])
    gathered.refuse()
    ready = {part: raw_part(x, labels[part], layout) for part, x in samples.items()}
    refuse(where, [fault for part, each in ready.items() for fault in unfit_numbers(part, each)])
    train, validation, test = split_parts(ready, None if found.groups is None else as_numbers(found.groups))
    assumed = [f"the samples were read as {layout} by their shape"] if not (options.layout or found.layout) else []
    return RawData(
        found.name,
        "images" if layout == "images-last" else layout,
        train,
        validation,
        test,
        rule,
        (*assumed, *found.notes, *_about_lengths(ready)),
        {**found.reading, IDENTITY: found.identity or identity_of(ready["train"], found.parts["train"][1])},
        view=found.view,
    )


def raw_part(samples: Rows, labels: npt.NDArray[Any], layout: Layout) -> RawPart:
    """A part with its axes in order, and the lengths of recordings that are not equal."""
    lengths = lengths_of(samples) if layout == "series" else None
    return RawPart(canonical(samples, layout), labels, lengths)


def identity_of(part: RawPart, labels: object) -> str:
    """A hash by which data that were read before are known again: of shape, labels as given, and 64 samples.

    Args:
        labels: as they were given, before classes became numbers.
    """
    digest = hashlib.sha256(repr((part.samples.shape, np.asarray(label_array(labels)).astype(str).tolist())).encode())
    some = np.linspace(0, len(part) - 1, min(len(part), 64)).astype(np.int64)
    digest.update(np.ascontiguousarray(part.samples[some], np.float32).data)
    return digest.hexdigest()


def _about_lengths(parts: Mapping[str, RawPart]) -> list[str]:
    """A sentence about recordings of unequal lengths."""
    some = [each.lengths for each in parts.values() if each.lengths is not None]
    if not some:
        return []
    lengths = np.concatenate(some)
    return [
        f"recordings have {lengths.min()} to {lengths.max()} steps, half of them at most {int(np.median(lengths))}; "
        f"shorter ones are padded to the longest, or cut all into windows ({arg('window')})"
    ]


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
    if groups is not None and len(form := np.asarray(groups).shape) != 1:
        yield f"{arg('groups')} has shape {form}; must hold one entry for each sample, (n,)"
        return
    if groups is not None and (kind := np.asarray(groups).dtype).kind not in "iufbUSO":
        yield f"{arg('groups')} holds values of type {kind}; must be numbers or texts"
        return
    if groups is not None and len(groups) != len(samples["train"]):
        yield f"{arg('groups')} has {len(groups)} entries for {len(samples['train'])} samples; each sample needs one"
    if groups is not None and len(set(np.asarray(groups).astype(str).tolist())) < (3 if len(samples) == 1 else 2):
        yield (
            f"{arg('groups')} holds {len(set(np.asarray(groups).astype(str).tolist()))} groups, too few for parts that "
            "do not share one; leave it out, or give samples of more groups"
        )
    if len(samples["train"]) < 8 and len(samples) == 1:
        yield f"{len(samples['train'])} samples cannot be split into training, validation and test; give 8 or more"


def unfit_numbers(part: str, raw: RawPart) -> Iterator[str]:
    """Numbers that cannot be used: NaN and infinity, but for the padding of recordings, which must have steps; in
    frames of events those that are no counts."""
    if raw.lengths is not None and not raw.lengths.all():
        yield f"recording {int(raw.lengths.argmin())} of its {part} part has no steps; leave it out"
    if raw.samples.ndim == 5 and raw.samples.dtype.kind in "if":
        yield from _no_counts(part, raw.samples)
    if raw.samples.dtype.kind != "f":
        return
    first = 0
    for chunk in chunks(raw.samples):
        with np.errstate(invalid="ignore"):  # of a NaN that signals
            if chunk.size and -LARGEST <= chunk.min() and chunk.max() <= LARGEST:
                first += len(chunk)
                continue
            bad = ~(np.abs(chunk) <= LARGEST)
        if raw.lengths is not None:
            lengths = raw.lengths[first : first + len(chunk)]
            bad &= (np.arange(chunk.shape[1])[None, :] < lengths[:, None])[..., None]
        wrong = np.flatnonzero(bad.reshape(len(chunk), -1).any(1))
        if len(wrong):
            kind = _kind_of(chunk[wrong[0]])
            yield (
                f"its {part} part holds {kind}, first in sample {first + int(wrong[0])}; fill such values in, or leave "
                "the sample out"
            )
            return
        first += len(chunk)


def _kind_of(sample: npt.NDArray[Any]) -> str:
    """What is wrong with the numbers of a sample, in words."""
    if np.isinf(sample).any():
        return "infinity"
    with np.errstate(invalid="ignore"):  # of a NaN that signals
        is_large = bool((np.abs(sample) > LARGEST).any())
    return f"numbers beyond {LARGEST:.2g}, the largest of 32 bits" if is_large else "NaN"


def _no_counts(part: str, frames: Rows) -> Iterator[str]:
    """Numbers in frames of events that are below 0 or no whole numbers; NaN and infinity are another fault."""
    first = 0
    for chunk in chunks(frames):
        wrong = (chunk < 0) | (np.isfinite(chunk) & (chunk != np.rint(chunk)))
        if wrong.any():
            sample = int(np.flatnonzero(wrong.reshape(len(chunk), -1).any(1))[0])
            yield (
                f"its {part} part holds {chunk[wrong][0]:g} in frames of events, first in sample {first + sample}; "
                "they are numbers of events, 0 or more: give each polarity a channel of its own, and values over time "
                f"as series (n, steps, channels) with {arg('layout', 'series')}"
            )
            return
        first += len(chunk)


def split_parts(parts: Mapping[str, RawPart], groups: IntArray | None) -> tuple[RawPart, RawPart, RawPart]:
    """Training, validation and test part; official parts stay as they are."""
    whole = replace(parts["train"], groups=groups)
    if "test" in parts and "validation" in parts:
        return whole, parts["validation"], parts["test"]
    if "test" in parts or "validation" in parts:
        train, validation = (_rows_of(whole, rows) for rows in train_and_validation(whole.labels, groups))
        # What was called validation, where there is no test part, is the only part that was held out.
        return train, validation, parts.get("test", parts.get("validation", whole))
    train, validation, test = (_rows_of(whole, rows) for rows in three_parts(whole.labels, groups))
    return train, validation, test


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
    asked = repr((options, encoding, architecture, timesteps, None if rule is None else rule.as_json()))
    if asked not in raw.prepared:
        while len(raw.prepared) >= KEPT:
            raw.prepared.pop(next(iter(raw.prepared)))
        raw.prepared[asked] = _prepared(raw, rule or _fitted(raw, options, encoding, architecture, timesteps))
    found: Prepared = raw.prepared[asked]
    return found


def _fitted(
    raw: RawData,
    options: DataOptions | None,
    encoding: str | None,
    architecture: str | None,
    timesteps: int | None,
) -> InputRule:
    """The rule that the training part gives; a series is seen as the architecture or the data want it."""
    view = VIEW_OF_ARCHITECTURE.get(architecture or "temporal", "image")
    if architecture is None and raw.view is not None:
        view = raw.view
    return fitted(raw, options or DataOptions(), encoding=encoding, view=view, timesteps=timesteps)


def _prepared(raw: RawData, rule: InputRule) -> Prepared:
    _check_rule(raw, rule)
    twin = None
    if rule.view == "steps":
        twin = prepare(raw, rule=replace(rule, view="channels", delta=(), timesteps=None))
    parts = [when_asked(part, rule) for part in raw.parts.values()]
    if bytes_of(rule, sum(map(len, parts))) <= IN_MEMORY:
        parts = [_in_memory(part) if len(part) else part for part in parts]
    train, validation, test = parts
    return Prepared(rule, (train, validation, test), twin)


def _check_rule(raw: RawData, rule: InputRule) -> None:
    shape = tuple(raw.train.samples.shape[1:])
    fits = shape == rule.shape or (raw.layout == "series" and shape[1:] == rule.shape[1:])
    if raw.layout == rule.layout and recorded(raw.train.samples) is not None:
        check_framing(f"data {raw.name}", raw.train.samples, rule)
        return
    if raw.layout != rule.layout or not fits:
        raise InputError(
            f"data {raw.name}: holds {raw.layout} of shape {shape}, and the network was made for {rule.layout} of "
            f"shape {rule.shape}; give data like those it was trained on"
        )


def _source(part: RawPart, rule: InputRule) -> tuple[Rows, IntArray | None]:
    """Raw samples of the length that a rule takes, of events their frames; and of windows the recording of each."""
    if rule.layout != "series":
        return framed(part.samples, rule)
    source, recordings = _windows(part, rule)
    return source if source.shape[1] == rule.shape[0] else _fitted_to(source, rule.shape[0]), recordings


def when_asked(part: RawPart, rule: InputRule) -> Split:
    """A part whose samples are prepared by a rule when they are asked for."""
    source, recordings = _source(part, rule)
    labels = part.labels if recordings is None else part.labels[recordings]
    samples = Computed(source, lambda rows, _: rule(rows), (len(labels), *rule.sample_shape), rule.dtype)
    return Split(samples, labels, recordings)


def _in_memory(part: Split) -> Split:
    return replace(part, samples=np.concatenate(list(chunks(part.samples))))


def cut_recordings(part: RawPart, rule: InputRule) -> int:
    """How many recordings are longer than what a network takes, so that their ends are left out."""
    if rule.layout != "series" or rule.window is not None:
        return 0
    if part.lengths is None:
        return len(part) if part.samples.shape[1] > rule.shape[0] else 0
    return int((part.lengths > rule.shape[0]).sum())


def cut_notes(raw: RawData, rule: InputRule) -> Iterator[str]:
    """A sentence for each part with recordings that are longer than what a network takes."""
    several = raw.train is not raw.test  # data for a network that was trained on others are one part
    for name, part in raw.parts.items() if several else {"test": raw.test}.items():
        if count := cut_recordings(part, rule):
            longer = f"longer than the {rule.shape[0]} steps that the network takes"
            if count == 1:
                yield f"1 recording of its {name} part is {longer}; its end is left out"
            else:
                yield f"{count:,} recordings of its {name} part are {longer}; their ends are left out"


def prepared_part(part: RawPart, rule: InputRule) -> Split:
    """One part, prepared by a rule that was fitted before; in memory where it fits there."""
    split = when_asked(part, rule)
    return _in_memory(split) if bytes_of(rule, len(split)) <= IN_MEMORY else split


def _fitted_to(source: Rows, steps: int) -> Rows:
    """Recordings cut at the end, or padded with NaN, to ``steps``."""

    def fit(rows: npt.NDArray[Any], _: IntArray) -> npt.NDArray[Any]:
        cut = as_float32(rows[:, :steps])
        return np.pad(cut, ((0, 0), (0, steps - cut.shape[1]), (0, 0)), constant_values=np.nan)

    return Computed(source, fit, (len(source), steps, *source.shape[2:]), np.dtype(np.float32))


def _windows(part: RawPart, rule: InputRule) -> tuple[Rows, IntArray | None]:
    """Windows of recordings, and the recording that each belongs to; a recording shorter than a window is one."""
    if rule.window is None or rule.hop is None:
        return part.samples, None
    longest = part.samples.shape[1]
    lengths = np.full(len(part), longest) if part.lengths is None else part.lengths
    counts = np.maximum(1, (lengths - rule.window) // rule.hop + 1)
    starts = np.concatenate([np.arange(count) * rule.hop for count in counts])
    windows = Windows(part.samples, np.repeat(np.arange(len(part)), counts), starts, min(rule.window, longest))
    return windows, windows.recordings
