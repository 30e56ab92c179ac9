"""The integer grid that a graph was trained on, as its metadata record it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError

from ..base.errors import InputError
from ..profile.profile import HardwareProfile
from .registers import Registers

KEY = "integer"


@dataclass(frozen=True)
class Grid:
    """What is known of the integers before rounding.

    Attributes:
        weight_bits: of the weights, None for the chip's own width.
        scales: by population, of a network that was trained on integers: its weights, biases and thresholds are whole
            numbers at this scale already. Populations that are not named get the largest scale that fits.
    """

    weight_bits: int | None = None
    scales: Mapping[str, float] = field(default_factory=dict)


class TrainedGrid(BaseModel):
    """The metadata of a graph that was trained on integers.

    Attributes:
        profile: name or path of the profile it was trained for, ``profile_sha256`` its content.
        registers: the widths it was trained within.
        scales: by neuron node, integer units per float unit: ``scale x weight`` is a whole number of the chip.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    profile_sha256: str
    registers: Registers
    scales: dict[str, Annotated[PositiveFloat, Field(allow_inf_nan=False)]]

    @property
    def as_metadata(self) -> str:
        """The text that goes into a graph."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)


def trained_grid(metadata: Mapping[str, Any]) -> TrainedGrid | None:
    """The grid in the metadata of a graph; None for a graph that was trained in floats.

    Raises:
        InputError: the entry is damaged; every fault at once.
    """
    said = metadata.get(KEY)
    if said is None:
        return None
    try:
        return TrainedGrid.model_validate_json(said if isinstance(said, str | bytes) else str(said))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'entry'}: {e['msg']}" for e in error.errors())
        raise InputError(f"NIR graph: its metadata {KEY!r} cannot be read ({faults}); export it again") from error


def grid_for(trained: TrainedGrid | None, profile: HardwareProfile, weight_bits: int | None) -> tuple[Grid, list[str]]:
    """The grid to lower a graph onto, and what had to be assumed.

    A graph that was trained on integers keeps them on every chip whose registers are as wide; elsewhere, or where other
    weights are asked for, it is rounded anew.
    """
    if trained is None:
        return Grid(weight_bits), []
    asked = weight_bits or min(trained.registers.weight_bits, profile.limits.weight_bits)
    if Registers.of(profile.limits, asked) == trained.registers:
        return Grid(asked, trained.scales), []
    sentence = (
        f"weights are rounded anew: the graph was trained on the integers of {trained.profile} with "
        f"{trained.registers.weight_bits}-bit weights"
    )
    return Grid(asked), [sentence]
