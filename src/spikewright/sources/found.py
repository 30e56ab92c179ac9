"""What a reader found in files or objects, before it is checked and split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy.typing as npt

Layout = Literal["vectors", "images", "images-last", "series", "events"]
LAYOUTS: dict[str, str] = {
    "vectors": "(n, features)",
    "images": "(n, height, width) or (n, channels, height, width)",
    "images-last": "(n, height, width, channels)",
    "series": "(n, steps, channels), or a list of (steps, channels)",
    "events": "(n, steps, channels, height, width)",
}
"""By layout, the shape of an array in it."""
View = Literal["steps", "image", "channels"]
VIEWS: dict[str, str] = {
    "steps": "step by step: one timestep of the network for each step of the recording",
    "image": "at once, as an image (1, steps, channels)",
    "channels": "at once, as channels (channels, steps, 1)",
}
"""By view, how a network takes a recording."""
PARTS = ("train", "validation", "test")
Task = Literal["classification", "regression"]
TASKS: tuple[Task, ...] = ("classification", "regression")


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
