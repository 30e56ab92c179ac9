"""How data of one's own are read: the options behind `--data PATH`."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from ..sources.found import VIEWS, View
from ..sources.options import ReadingOptions
from .input_rule import SCALINGS, Scaling


class DataOptions(ReadingOptions):
    """How data of one's own are read and scaled; none of them applies to a data set that has a name."""

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

    @field_validator("intensities", mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        """``0,255``, as text, or alone in a list as flags are."""
        text = value[0] if isinstance(value, list | tuple) and len(value) == 1 else value
        return text.split(",") if isinstance(text, str) else value

    def given(self) -> list[str]:
        """The names of the options that are not left out."""
        return [name for name in DataOptions.model_fields if getattr(self, name) is not None]
