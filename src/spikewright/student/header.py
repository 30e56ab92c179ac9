"""The header of a student's file, and whether the file's weights can be of the network that it describes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from torch import Tensor

from ..base.errors import InputError, Refusal, refuse
from ..base.headers import Header, faults_of
from ..chip.registers import TrainedGrid
from ..importing.description import Description
from .config import StudentConfig

FORMAT = "spikewright-student"
FORMAT_VERSION = 1
IMPORTED = "imported"
"""The architecture of a student whose file describes its network."""
WHAT = "a student file"
REMEDY = "make one with `spikewright distill`"


class _Format(Header):
    format: Any = None
    format_version: Any = None


class StudentHeader(BaseModel):
    """What a student's file says besides its weights.

    Attributes:
        integer: of a student with integer arithmetic.
        network: of an imported student, layer by layer.
        provenance: how it was made.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    config: StudentConfig
    integer: TrainedGrid | None = None
    network: Description | None = None
    provenance: dict[str, object]


def read_header(text: str, file: str) -> StudentHeader:
    """The header in a student's file.

    Args:
        text: JSON.
        file: for messages.

    Raises:
        InputError: another format or version, or every fault of the header at once.
    """
    try:
        said = _Format.model_validate_json(text)
        if said.format != FORMAT:
            raise InputError(f"{file}: its format is {said.format!r}; expected {FORMAT!r}")
        if said.format_version != FORMAT_VERSION:
            raise InputError(
                f"{file}: its format version is {said.format_version!r}; this version reads {FORMAT_VERSION}"
            )
        return StudentHeader.model_validate_json(text)
    except ValidationError as error:
        refuse(f"{file}: its header is damaged", faults_of(error))
        raise
    except Refusal as error:  # of the values together, as the configuration says it
        raise InputError(f"{file}: its header is damaged: {error.message}") from error


def network_faults(header: StudentHeader, weights: Mapping[str, Tensor] | Any) -> Iterator[str]:
    """Why no network is made of the description in a header; there is one where the architecture is ``imported``."""
    config, network = header.config, header.network
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        return
    if (network is None) != (config.architecture != IMPORTED):
        there = "has no network" if network is None else "has a network of its own"
        yield f"architecture is {config.architecture!r}, and the file {there}"
    elif network is not None and not list(size_faults(config, weights)):
        faults = list(network.faults(weights))
        yield from faults or network.shape_faults(config.input_shape, config.outputs)


def size_faults(config: StudentConfig, weights: Mapping[str, Tensor] | Any) -> Iterator[str]:
    """Sizes of a configuration that the weights cannot be of, before a network of that size is made."""
    if not isinstance(weights, dict) or not all(isinstance(value, Tensor) for value in weights.values()):
        return
    there = sum(value.numel() for value in weights.values())
    for name, size in (("width", config.width), ("classes", config.outputs)):
        if size > there:
            yield f"{name} is {size}, and the file holds {there} weights in all"
