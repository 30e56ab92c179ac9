"""Data for a network that was trained on others: read, named and prepared as its own data were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from ..base.errors import Gathered, InputError, refuse
from ..sources.found import PARTS, Found, Layout
from ..sources.rows import Computed, Rows, as_float32
from .fitting import bounds_of
from .input_rule import InputRule
from .labels import label_array
from .layout import as_rows, layout_of
from .options import DataOptions
from .output_rule import OutputRule
from .own import IDENTITY, identity_of, raw_part, split_parts, unfit_numbers
from .raw import RawData, RawPart
from .split import as_numbers

ROUNDING = 1e-6
"""Share of their range by which intensities may lie beyond it."""


@dataclass(frozen=True)
class ForNetwork:
    """What a network takes and answers, as far as data for it are concerned.

    Attributes:
        rule: by which samples are prepared; None for a network that was trained on a data set that has a name, or was
            made by another tool.
        output: what its outputs mean.
        classes: of its outputs, or values of a regression.
        frames: where a network without a rule takes events, the shape of its samples, ``(timesteps, *input shape)``;
            None where it is not known, or where it takes others.
    """

    rule: InputRule | None
    output: OutputRule
    classes: int
    frames: tuple[int, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the classes, their numbers where they have none."""
        return self.output.names or tuple(map(str, range(self.classes)))


def as_frames(found: Found, network: ForNetwork) -> Found:
    """Samples of the shape that a network of another tool takes are its frames, whatever else they could be."""
    shaped: dict[str, Any] = {part: x for part, (x, _) in found.parts.items() if hasattr(x, "shape")}
    frames = network.frames
    if network.rule is not None or frames is None or found.layout is not None or len(shaped) < len(found.parts):
        return found
    if any(tuple(x.shape[1:]) not in (frames, (prod(frames),)) for x in shaped.values()):
        return found
    shape = frames if len(frames) == 4 else (frames[0], 1, 1, prod(frames[1:]))
    reshaped = {part: (_reshaped(x, shape), found.parts[part][1]) for part, x in shaped.items()}
    return replace(found, parts=reshaped, layout="events")


def _reshaped(x: Any, shape: tuple[int, ...]) -> Rows:
    whole = (len(x), *shape)
    return Computed(x, lambda rows, _: np.asarray(rows).reshape(len(rows), *shape), whole, np.dtype(x.dtype))


def raw_for(found: Found, options: DataOptions, network: ForNetwork) -> RawData:
    """Data for a network: classes are matched by their names, and nothing is fitted.

    Parts that the data have stay as they are. Of data without a test part those that the network was trained on are
    split as they were then; all other samples are the test part, and, where another part is asked for, that part too.

    Raises:
        InputError: classes that the network does not know, numbers that cannot be used, or intensities outside the
            range of its own samples; all faults at once.
    """
    where, gathered, rule = f"data {found.name}", Gathered(f"data {found.name}"), network.rule
    samples: dict[str, Rows] = {}
    with gathered:
        samples = {part: as_rows(x, f"{where}: {part}") for part, (x, _) in found.parts.items()}
        layout = _layout(next(iter(samples.values())), found, options, rule, where)
    with gathered:
        labels = labels_for(where, {part: y for part, (_, y) in found.parts.items()}, network, found.names)
        with gathered:
            refuse(where, list(_counts(samples, labels)))  # none where samples were refused
    gathered.refuse()
    parts = {part: raw_part(x, labels[part], layout) for part, x in samples.items()}
    faults = [fault for part, each in parts.items() for fault in unfit_numbers(part, each)]
    refuse(where, faults or [fault for part, each in parts.items() for fault in _strange_range(part, each, rule)])
    train, validation, test, notes = _parts(found, parts, rule)
    kind: Layout = "images" if layout == "images-last" else layout
    return RawData(
        found.name, kind, train, validation, test, network.output, (*found.notes, *notes), dict(found.reading)
    )


def _layout(x: Rows, found: Found, options: DataOptions, rule: InputRule | None, where: str) -> Layout:
    """The layout that fits the network; of images also which axis holds the channels."""
    known = options.layout or found.layout
    if rule is None or known is not None:
        return layout_of(x, known, where)
    shape = tuple(x.shape[1:])
    is_last = rule.layout == "images" and len(shape) == 3 and shape != rule.shape
    try:
        return layout_of(x, "images-last" if is_last and (shape[2], *shape[:2]) == rule.shape else rule.layout, where)
    except InputError as error:  # speaks of a layout that nobody asked for
        raise InputError(
            f"{where}: has shape {tuple(x.shape)}, and the network was made for {rule.layout} of shape {rule.shape}; "
            "give data like those it was trained on"
        ) from error


def labels_for(
    where: str, parts: Mapping[str, object], network: ForNetwork, names: Sequence[str] | None = None
) -> dict[str, npt.NDArray[Any]]:
    """Labels as a network's outputs mean them: classes by their names, whatever their order.

    Args:
        parts: by part, its labels.
        names: of the classes 0, 1, ... in the labels; None: labels are the names.

    Raises:
        InputError: classes that the network does not know, or values in another number; all faults at once.
    """
    arrays = {part: label_array(labels) for part, labels in parts.items()}
    if not network.output.is_classes:
        return _values_for(where, arrays, network.classes)
    made: dict[str, npt.NDArray[Any]] = {}
    faults: list[str] = []
    for part, labels in arrays.items():
        if labels.ndim != 1 or (labels.dtype.kind == "f" and not np.array_equal(labels, np.rint(labels))):
            faults.append(
                f"labels of {part} are {labels.dtype} of shape {labels.shape}; the network's are classes (n,)"
            )
            continue
        whole = labels.astype(np.int64) if labels.dtype.kind == "f" else labels
        made[part] = _by_name(part, whole, network.names, names, faults)
    refuse(where, faults)
    return made


def _by_name(
    part: str, labels: npt.NDArray[Any], known: Sequence[str], names: Sequence[str] | None, faults: list[str]
) -> npt.NDArray[Any]:
    """The places of classes among the names of a network's classes; unknown ones are noted."""
    present, of = np.unique(labels, return_inverse=True)
    called = [str(each) for each in present]
    if names is not None and labels.dtype.kind in "iu":
        called = [str(names[each]) if 0 <= each < len(names) else str(each) for each in present]
    unknown = [name for name in called if name not in known]
    if unknown:
        are_numbers = present.dtype.kind in "iu" and names is None and not known[0].isdigit()
        faults.append(
            f"its {part} part has classes that the network does not know: {', '.join(unknown[:5])}; it knows "
            f"{', '.join(known[:10])}{', ...' if len(known) > 10 else ''}; "
            + ("give the names of the numbers too" if are_numbers else "leave them out")
        )
        return np.zeros(len(labels), np.int64)
    return np.array([known.index(name) for name in called], np.int64)[of]


def _values_for(where: str, parts: Mapping[str, npt.NDArray[Any]], wanted: int) -> dict[str, npt.NDArray[Any]]:
    faults = [
        f"labels of {part} are {labels.dtype} of shape {labels.shape}; the network answers with {wanted} values each"
        for part, labels in parts.items()
        if labels.dtype.kind not in "iuf" or labels.reshape(len(labels), -1).shape[1] != wanted
    ]
    refuse(where, faults)
    return {part: as_float32(labels.reshape(len(labels), -1)) for part, labels in parts.items()}


def _counts(samples: Mapping[str, Rows], labels: Mapping[str, npt.NDArray[Any]]) -> Iterator[str]:
    for part, x in samples.items():
        if not len(x):
            yield f"its {part} part is empty"
        if len(x) != len(labels[part]):
            yield f"its {part} part has {len(x)} samples and {len(labels[part])} labels; each sample needs one"


def _strange_range(part: str, raw: RawPart, rule: InputRule | None) -> Iterator[str]:
    """Intensities that are outside the range of a network's own samples, or fill a tiny part of it."""
    if rule is None or rule.scaling != "none" or rule.layout == "events":
        return
    low, high = rule.low[0], rule.low[0] + 1 / rule.gain[0]
    floor = 2 * low - high if rule.signed else low
    least, most = bounds_of(raw)
    found = f"its {part} part reaches {least:g}..{most:g}, and the network was trained on {floor:g}..{high:g}"
    if least < floor - ROUNDING * (high - low) or most > high + ROUNDING * (high - low):
        yield f"{found}; bring the samples into this range"
    elif rule.layout == "images" and high - low >= 255 and most - low <= 1 and raw.samples.dtype.kind == "f":
        yield f"{found}; multiply the samples by {high - low:g}"


def _parts(
    found: Found, parts: Mapping[str, RawPart], rule: InputRule | None
) -> tuple[RawPart, RawPart, RawPart, tuple[str, ...]]:
    """Training, validation and test part, and a note about what became the test part."""
    if "test" in parts and "train" not in parts:
        return parts.get("validation", parts["test"]), parts.get("validation", parts["test"]), parts["test"], ()
    groups = None if found.groups is None else as_numbers(found.groups)
    if "test" in parts or "validation" in parts:
        return *split_parts(parts, groups), ()
    whole = parts["train"]
    known = None if rule is None else rule.reading.get(IDENTITY)
    if known is not None and known == (found.identity or identity_of(whole, found.parts["train"][1])):
        return *split_parts(parts, groups), ()
    return (
        whole,
        whole,
        whole,
        (f"is not what the network was trained on, so that all {len(whole)} samples are run, whatever the part",),
    )


def renamed(raw: RawData, network: ForNetwork) -> RawData:
    """The same data with labels as a network's outputs mean them.

    Raises:
        InputError: classes that the network does not know, or values in another number.
    """
    if raw.output == network.output:
        return raw
    names = [raw.output.name_of(index) for index in range(raw.classes)] if raw.output.is_classes else None
    labels = labels_for(f"data {raw.name}", {name: part.labels for name, part in raw.parts.items()}, network, names)
    parts = {name: replace(part, labels=labels[name]) for name, part in raw.parts.items()}
    train, validation, test = (parts[name] for name in PARTS)
    return replace(raw, output=network.output, train=train, validation=validation, test=test)
