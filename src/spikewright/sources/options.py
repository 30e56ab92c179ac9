"""How files and objects are read: the options of reading."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from ..base.options import Options
from .found import LAYOUTS, Layout, Task

Colors = Literal["grey", "rgb"]
Polarity = Literal["both", "merged"]
EventColumns = Literal["txyp", "xytp", "xypt"]
TimeUnit = Literal["us", "ms", "s"]


class ReadingOptions(Options):
    """How files are read; a network that was trained on what was read keeps them, so that others are read alike."""

    layout: Layout | None = Field(
        None, description=f"shape of the samples: {', '.join(LAYOUTS)}; left out, where the shape says it"
    )
    task: Task | None = Field(None, description="classification or regression; left out, by the labels")
    label: tuple[str, ...] | None = Field(
        None,
        description="column of the classes in a table, or of the values with --task regression, several with commas; "
        "left out, label, class or target",
    )
    group: str | None = Field(
        None,
        description="column of a table, or for folders a regular expression whose first parenthesis is found in a "
        "file's path, that names person or recording; no split cuts a group",
    )
    id_column: str | None = Field(None, description="column of a long table that says which recording a row is of")
    time_column: str | None = Field(None, description="column of a long table by which rows are put in order")
    columns: tuple[str, ...] | None = Field(
        None, description="columns to learn from, with commas; * stands for any letters; left out, all others"
    )
    image_size: tuple[int, int] | None = Field(
        None, description="height and width to which image files are resized, 32 or 48x64; left out, as they are"
    )
    colors: Colors | None = Field(None, description="read image files as grey or rgb; left out, as they are")
    sample_rate: int | None = Field(
        None, ge=1000, description="Hz to which sounds are resampled; left out, that of the files"
    )
    bands: int | None = Field(None, ge=2, description="mel bands of a sound's spectrum; left out, 40")
    frame_ms: float | None = Field(None, gt=0, description="length of a frame of the spectrum; left out, 25")
    step_ms: float | None = Field(None, gt=0, description="from frame to frame; left out, 10")
    seconds: float | None = Field(
        None, gt=0, description="to which sounds are cut at the end; left out, whole sounds, padded to the longest"
    )

    duration: float | None = Field(
        None, gt=0, description="ms of a recording of events that become a sample; left out, the longest recording"
    )
    sensor: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = Field(
        None, description="width,height of an event camera in pixels; left out, what files say or reach"
    )
    pool: int | None = Field(
        None, ge=1, description="side of the squares of an event camera's pixels that become one; left out, 1"
    )
    polarity: Polarity | None = Field(
        None, description="of events: both, a channel each, or merged into one; left out, both where files have both"
    )
    event_columns: EventColumns | None = Field(
        None, description="order of time, column, row, polarity in arrays (n, 4) of events; left out, by their values"
    )
    time_unit: TimeUnit | None = Field(
        None, description="us, ms or s of times in arrays of events; left out, s where they have fractions, else us"
    )

    @field_validator("label", "columns", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """One text alone; commas in it are seen to where the columns are known, whose names may hold some."""
        return [value] if isinstance(value, str) else value

    @field_validator("sensor", mode="before")
    @classmethod
    def _width_and_height(cls, value: Any) -> Any:
        """``34,34`` as text, alone in a list as flags are, or as numbers."""
        text = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
        sizes = text.split(",") if isinstance(text, str) else text
        if sizes is not None and len(sizes) != 2:
            raise ValueError("must be width,height")
        return sizes

    @field_validator("image_size", mode="before")
    @classmethod
    def _size(cls, value: Any) -> Any:
        """``32`` or ``48x64``, as text or as numbers."""
        text = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
        found = re.fullmatch(r"(\d+)(?:\s*[x,]\s*(\d+))?", str(text).strip())
        return (int(found[1]), int(found[2] or found[1])) if found else value

    @field_validator("image_size")
    @classmethod
    def _positive(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and min(value) < 1:
            raise ValueError("height and width must be at least 1")
        return value

    def misplaced(self, *used: str) -> list[str]:
        """The names of options for files that are given, and that a reader does not use."""
        return [name for name in FOR_FILES if getattr(self, name) is not None and name not in used]


FOR_FILES = tuple(name for name in ReadingOptions.model_fields if name not in ("layout", "task"))
"""The options that only some kinds of files heed."""
