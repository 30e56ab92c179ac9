"""The rows of a comparison: a method, or a method with regularizers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

from ...base.artefacts import sha256_of_json
from ...base.errors import InputError, arg, refuse
from ...distillation.base import LossTerms
from ...distillation.methods import METHODS, method_of, name_of, regularizer_of, text_of
from ...training.settings import DistillSettings
from .labels import WithoutLabels

ALL = "all"
JOIN = "+"
EXAMPLE = 'all, or e.g. "none kd:alpha=0.7 kd + logits:weight=0.01"'


@dataclass(frozen=True)
class Variant:
    """A method with regularizers: objects, or texts such as ``kd:alpha=0.7``.

    Attributes:
        unlabelled: samples without labels that it is given too; None for none.
    """

    method: LossTerms | str
    regularize: tuple[LossTerms | str, ...] = ()
    unlabelled: WithoutLabels | None = None

    def __str__(self) -> str:
        every = (self.method, *self.regularize)
        words = f" {JOIN} ".join(text_of(each) if isinstance(each, LossTerms) else str(each) for each in every)
        return words if self.unlabelled is None else f"{words} with unlabelled"

    @property
    def terms(self) -> LossTerms:
        """The loss terms of the method.

        Raises:
            InputError: an unknown method, or options that it does not have.
        """
        return method_of(self.method)

    def of(self, common: DistillSettings) -> DistillSettings:
        """The settings that all rows share, without what is for a teacher's training where the row has no teacher."""
        return common if self.terms.needs_teacher() else common.changed({"teacher_samples": None})

    @property
    def facts(self) -> dict[str, object]:
        """Names and every option, defaults included: two rows with the same facts are one."""
        regularizers = map(regularizer_of, self.regularize)
        facts: dict[str, object] = {
            "method": _facts(self.terms),
            "regularizers": [_facts(terms) for terms in regularizers],
        }
        return facts if self.unlabelled is None else facts | {"unlabelled": asdict(self.unlabelled)}

    @property
    def name(self) -> str:
        """The name of its folder: readable, and different for other options."""
        words = re.sub(r"[^\w.=-]+", "-", str(self))[:60].strip("-")
        return f"{words}-{sha256_of_json(self.facts)[:8]}"


Refusals = dict[tuple[Variant, str | None], str]
"""By row and budget, why it cannot be trained."""


def read_rows(
    methods: Sequence[LossTerms | str],
    regularize: Sequence[LossTerms | str],
    further: Sequence[Variant] = (),
    unlabelled: WithoutLabels | None = None,
) -> list[Variant]:
    """Rows in the order in which they are asked for, each once.

    Args:
        methods: each is a method; or text: ``all``, or rows separated by blanks, such as ``kd tser``, where a ``+``
            between blanks adds a regularizer to the method before it, as in ``kd + logits:weight=0.01``.
        regularize: for each of these regularizers every row is taken once more with it.
        further: rows to begin with.
        unlabelled: samples without labels, with which every row that has a teacher is taken once more.

    Raises:
        InputError: unknown names or options, all of them at once.
    """
    faults: list[str] = []
    plain = [*further, *(row for each in methods for row in _rows(each, faults))]
    if not plain and not faults:
        faults.append(f"{arg('methods')}: names no method; give {EXAMPLE}")
    rows = [*plain, *(Variant(row.method, (*row.regularize, extra)) for extra in regularize for row in plain)]
    kept: dict[str, Variant] = {}
    for row in rows:
        try:
            kept.setdefault(sha256_of_json(row.facts), row)
        except InputError as error:
            faults.append(error.message)
    refuse("compare", list(dict.fromkeys(faults)))
    found = list(kept.values())
    if unlabelled is not None:
        found += [replace(row, unlabelled=unlabelled) for row in found if row.terms.needs_teacher()]
    return found


def _rows(text: LossTerms | str, faults: list[str]) -> Iterator[Variant]:
    """The rows of one method or text; a ``+`` without a method before it or a regularizer after it is a fault."""
    if not isinstance(text, str):
        yield Variant(text)
        return
    words = text.split()
    groups: list[list[str]] = []
    for i, word in enumerate(words):
        if word == JOIN:
            if not groups or i + 1 == len(words) or words[i + 1] == JOIN:
                where = arg("methods", text)
                faults.append(f"{where}: a {JOIN} stands between a method and a regularizer; give {EXAMPLE}")
        elif i and words[i - 1] == JOIN and groups:
            groups[-1].append(word)
        else:
            groups.append([word])
    for method, *regularize in groups:
        for name in METHODS if method == ALL else (method,):
            yield Variant(name, tuple(regularize))


def _facts(terms: LossTerms) -> dict[str, object]:
    return {"name": name_of(terms), "options": terms.model_dump(mode="json")}
