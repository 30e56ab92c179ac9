"""How data of one's own are read: the options behind `--data PATH`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from ..base.options import Options
from .input_rule import SCALINGS, VIEWS, Scaling, View
from .output_rule import Task
from .raw import LAYOUTS, Layout

Polarity = Literal["both", "merged"]
EventColumns = Literal["txyp", "xytp", "xypt"]
TimeUnit = Literal["us", "ms", "s"]
OF_RECORDINGS = ("duration", "sensor", "pool", "polarity", "event_columns", "time_unit")
"""Options of recordings of events."""


class DataOptions(Options):
    """How data of one's own are read and scaled; none of them applies to a data set that has a name."""

    layout: Layout | None = Field(
        None, description=f"shape of the samples: {', '.join(LAYOUTS)}; left out, where the shape says it"
    )
    task: Task | None = Field(None, description="classification or regression; left out, by the labels")
    intensities: tuple[float, float] | None = Field(
        None, description="smallest and largest intensity of images, 0,1; left out, 0..1 for floats, 0..255 for bytes"
    )
    scaling: Scaling | None = Field(
        None, description=f"{', '.join(SCALINGS)}; left out, standard for vectors and series"
    )
    view: View | None = Field(
        None, description=f"how the network takes a series: {', '.join(VIEWS)}; left out, by architecture and encoding"
    )
    window: int | None = Field(
        None, ge=1, description="length of a window, of a series in steps, of events in ms; left out, whole recordings"
    )
    hop: int | None = Field(None, ge=1, description="from window to window, likewise; left out, a window")
    delta_level: float | None = Field(
        None, gt=0, description="level of the delta encoding in scaled units; left out, by the training part"
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

    @field_validator("intensities", "sensor", mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        if isinstance(value, list) and len(value) == 1:  # a flag that was given once
            value = value[0]
        return value.split(",") if isinstance(value, str) else value

    @field_validator("sensor", mode="before")
    @classmethod
    def _two_sizes(cls, value: Any) -> Any:
        if value is not None and len(value) != 2:
            raise ValueError("must be width,height")
        return value

    def given(self) -> list[str]:
        """The names of the options that are not left out."""
        return [name for name in DataOptions.model_fields if getattr(self, name) is not None]
