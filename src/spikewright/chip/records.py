"""JSON files of records that are checked as they are read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..base.artefacts import existing_file
from ..base.errors import InputError, refuse


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
        return kind.model_validate(json.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)]
        refuse(f"{file}: is not {what}", faults)
        raise
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"{file}: is not JSON ({error}); expected {what}") from error
