"""What a reader found in files or objects, before it is checked and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

from .raw import Layout, View


@dataclass(frozen=True, eq=False)
class Found:
    """What a reader found.

    Attributes:
        name: of the data.
        parts: by part (``train``, and where they are given ``validation`` and ``test``), samples and labels.
        groups: of the training samples (person, recording), which no split cuts.
        names: of the classes 0, 1, ... or of the values.
        layout: of the samples, where the reader knows it; None where their shape has to say it.
        view: how a network takes series, where nothing else is asked for; None: by its architecture.
        notes: sentences about what was assumed.
        reading: options by which other files are read alike; JSON-able.
        identity: a hash by which the same files are known again; None where samples and labels have to say it.
    """

    name: str
    parts: Mapping[str, tuple[object, object]]
    groups: Sequence[object] | npt.NDArray[Any] | None = None
    names: Sequence[str] | None = None
    layout: Layout | None = None
    view: View | None = None
    notes: tuple[str, ...] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)
    identity: str | None = None
