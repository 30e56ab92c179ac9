"""Published points to stand beside one's own: accuracy and energy of chips on one task, one TOML file for each task.

Add a task by adding a file to the folder ``anchors`` beside the hardware profiles, or name a file of your own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from ..base.errors import InputError, arg, check_type, did_you_mean, refuse
from ..base.resources import profiles_dir
from .costs import Kind, Source, Table, Text
from .profile import read_named
from .schema import HardwareProfile

UNITS = {"pJ": 1e-12, "nJ": 1e-9, "uJ": 1e-6, "mJ": 1e-3, "J": 1.0}
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
MOST_POINTS = 100
"""Of one file; each has a name in one plot."""

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Included = Literal["dynamic", "total", "unstated"]


class PublishedEnergy(Table):
    """The energy of one inference, as it was published.

    Attributes:
        value: in ``unit``.
        includes: ``dynamic`` is what the inference adds to a chip at rest, ``total`` has static power in it,
            ``unstated`` where the source does not say, or was not read.
        kind: how the number was obtained.
    """

    value: Positive
    unit: Literal["pJ", "nJ", "uJ", "mJ", "J"]
    includes: Included
    kind: Kind

    @property
    def joules(self) -> float:
        """The value in joules."""
        return self.value * UNITS[self.unit]


class Latency(Table):
    """The time from input to answer of one inference."""

    value: Positive
    unit: Literal["ns", "us", "ms", "s"]

    @property
    def seconds(self) -> float:
        """The value in seconds."""
        return self.value * SECONDS[self.unit]


class AnchorPoint(Table):
    """What one chip was published to do on the task.

    Attributes:
        chip: its name, and its maker or process where it has none.
        network: empty where the source does not say.
        accuracy: share of right answers on the test samples, in [0, 1]; None where it was not published.
        energy: of one inference; None where it was not published.
        samples: what the network is given, where that is not ``samples`` of the file; else empty.
        source: key of the file's ``sources``; ``where`` is the table, page or file in it.
    """

    chip: Text
    network: str = ""
    accuracy: Share | None = None
    energy: PublishedEnergy | None = None
    latency: Latency | None = None
    samples: str = ""
    source: Text
    where: Text
    note: str = ""

    @property
    def name(self) -> str:
        """Chip and network."""
        return f"{self.chip}: {self.network}" if self.network else self.chip


class Anchors(Table):
    """Published points of one task.

    Attributes:
        name: the file's name without ``.toml``.
        data: names of the data sets whose samples these are, as ``--data`` takes them; empty where there is none.
        samples: what one sample is.
    """

    name: Text
    schema_version: Literal[1]
    title: Text
    data: list[Text]
    samples: Text
    sources: dict[str, Source]
    points: Annotated[list[AnchorPoint], Field(min_length=1, max_length=MOST_POINTS)]

    def source_of(self, point: AnchorPoint) -> str:
        """Where a point is from, in full."""
        return f"{self.sources[point.source].cited}, {point.where}"


def anchor_names() -> tuple[str, ...]:
    """Names of the tasks of which points come with the package."""
    return tuple(sorted(path.stem for path in _folder().glob("*.toml")))


def load_anchors(name: str | Path | Anchors) -> Anchors:
    """The points of that name, or of that TOML file; points are returned as they are.

    Raises:
        InputError: unknown name (with those there are), or every fault of the file at once.
    """
    if isinstance(name, Anchors):
        return name
    words = f"a name ({', '.join(anchor_names())}), the path of a .toml file, or Anchors"
    check_type("anchors", name, str | Path, words)
    if isinstance(name, Path) or name.endswith(".toml"):
        return read_anchors(Path(name))
    if name not in anchor_names():
        raise InputError(
            f"{arg('anchors', name)}: there are no points of that name; {did_you_mean(name, anchor_names())}, or the "
            "path of a .toml file"
        )
    return read_anchors(_folder() / f"{name}.toml")


def anchors_beside(name: str | Path | Anchors, profiles: Sequence[HardwareProfile]) -> Anchors:
    """The points of that name, as :func:`load_anchors` finds them, to stand beside energies on these profiles.

    Raises:
        InputError: there are none, or a profile has no joules to compare with theirs.
    """
    anchors, lacking = load_anchors(name), [profile.name for profile in profiles if not profile.has_joules]
    if lacking:
        raise InputError(
            f"{arg('anchors', anchors.name)}: published points are in joules, and there are none on "
            f"{', '.join(lacking)}; choose profiles with joules, or leave it out"
        )
    return anchors


def read_anchors(path: Path) -> Anchors:
    """Read and check one TOML file; every fault is reported at once."""
    anchors = read_named(path, "a point set in TOML", Anchors)
    refuse(str(path), list(_contradictions(anchors)))
    return anchors


def _contradictions(anchors: Anchors) -> Iterator[str]:
    seen: set[str] = set()
    for number, point in enumerate(anchors.points):
        where = f"points.{number}"
        if point.source not in anchors.sources:
            yield f"{where}.source: is {point.source!r}; {did_you_mean(point.source, anchors.sources)}"
        if point.accuracy is None and point.energy is None:
            yield f"{where}: has neither accuracy nor energy; give one of the two"
        if point.name in seen:
            yield f"{where}: is {point.name!r} once more; tell the two apart by chip or network"
        seen.add(point.name)


def _folder() -> Path:
    return profiles_dir() / "anchors"
