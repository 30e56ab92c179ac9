"""JSON files of records that are checked as they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..base.artefacts import existing_file
from ..base.errors import InputError, refuse
from ..base.headers import faults_of, read_json


class Record(BaseModel):
    """What a file must hold: no other fields, and no values that would have to be converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


AnyRecord = TypeVar("AnyRecord", bound=Record)


def read_record(path: Path | str, what: str, kind: type[AnyRecord]) -> AnyRecord:
    """Read a JSON file.

    Args:
        path: of the file.
        what: the file is expected to be, for messages.
        kind: of its record.

    Raises:
        InputError: no such file, not JSON, or not such a record; names every fault.
    """
    file = existing_file(path, what)
    try:
        return kind.model_validate(read_json(file.read_bytes().decode()))
    except ValidationError as error:
        refuse(f"{file}: is not {what}", faults_of(error))
        raise
    except ValueError as error:
        raise InputError(f"{file}: is not JSON ({error}); expected {what}") from error
