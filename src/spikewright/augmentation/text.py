"""Lists of transforms as text, and which of them do not suit the samples of a data set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from ..base.errors import arg, did_you_mean
from ..data.dataset import Dataset
from .transforms import TRANSFORMS, CutOut, Flip, Form, MixUp, Shift, Transform

NONE = "none"
SHIFT_FLIP = "shift-flip"
EXAMPLE = "shift:2,flip,cutout:4"


def read_transforms(text: str, reach: int) -> tuple[Transform, ...]:
    """The transforms that text names: ``none``, or a list such as ``shift:2,flip,cutout:4``.

    Args:
        text: ``shift`` without an amount moves by ``reach``, and ``shift-flip`` is ``shift,flip``.
        reach: pixels, of the data set's recipe.

    Raises:
        ValueError: unknown names or amounts that are not allowed, all of them.
    """
    if text == NONE:
        return ()
    words = "shift,flip" if text == SHIFT_FLIP else text
    faults: list[str] = []
    made = [each for word in words.split(",") if (each := _read(word.strip(), reach, faults)) is not None]
    if sum(isinstance(each, MixUp) for each in made) > 1:
        faults.append("mixup stands there twice; samples are mixed once")
    if faults:
        raise ValueError("; ".join(faults))
    return tuple(made)


def _read(word: str, reach: int, faults: list[str]) -> Transform | None:
    name, colon, amount = word.partition(":")
    kind = TRANSFORMS.get(name)
    if kind is None:
        known = [NONE, SHIFT_FLIP, *TRANSFORMS]
        alone = name in (NONE, SHIFT_FLIP)
        faults.append(f"{name} stands alone" if alone else f"{name!r} is unknown; {did_you_mean(name, known)}")
        return None
    if not colon and kind is Shift:
        return Shift(reach)
    own = fields(kind)
    try:
        if not colon:
            return kind()
        if not own:
            faults.append(f"{name} has no amount; write {name}")
            return None
        number = float(amount)
        if problem := kind.problem(number):
            faults.append(f"{name}: {problem}")
            return None
        return kind(int(number) if own[0].type == "int" else number)  # type: ignore[call-arg]
    except ValueError:
        faults.append(f"{word!r} is no number of {own[0].name}; write such as {EXAMPLE}")
    except TypeError:
        faults.append(f"{name} needs an amount, its {own[0].name}; write such as {name}:4")
    return None


def text_of(transforms: str | Transform | Iterable[Transform]) -> str:
    """The text that :func:`read_transforms` reads.

    Raises:
        ValueError: something that is no transform, or text that cannot be read.
    """
    if isinstance(transforms, str):
        read_transforms(transforms, reach=1)
        return transforms
    listed = [transforms] if isinstance(transforms, Transform) else list(transforms)
    strange = [each for each in listed if type(each) not in TRANSFORMS.values()]
    if strange:
        names = ", ".join(kind.__name__ for kind in TRANSFORMS.values())
        raise ValueError(f"{strange[0]!r} is no transform; may be text, or a list of {names}")
    return ",".join(map(str, listed)) or NONE


def misfits_of(transforms: Iterable[Transform], dataset: Dataset) -> Iterator[str]:
    """Why transforms cannot be applied to the samples of a data set."""
    form, twin = Form.of(dataset), None if dataset.twin is None else Form.of(dataset.twin)
    for each in transforms:
        name = arg("augmentation", each)
        if problem := each.misfit(form):
            others = ", ".join(kind for kind, other in TRANSFORMS.items() if form.kind in other.suits)
            advice = f"; for these there are {others}" if form.kind not in each.suits else ""
            yield f"{name} {problem}{advice}"
        elif twin is not None and form.kind == "events" and twin.shape[1:] != form.shape[1:] and _is_spatial(each):
            yield (
                f"{name} moves pixels, and what the teacher sees of {dataset.name} has others "
                f"({twin.shape[1]} x {twin.shape[2]}, not {form.shape[1]} x {form.shape[2]}); leave it out"
            )


def _is_spatial(transform: Transform) -> bool:
    return isinstance(transform, Shift | Flip | CutOut)
