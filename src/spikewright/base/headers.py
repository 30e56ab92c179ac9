"""Headers of files, read into typed models; a wrong value becomes a fault in one sentence, never a traceback."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

_SHOWN = 60  # characters of a value that a message repeats


class Header(BaseModel):
    """The header of a file: values keep their types, and unknown entries are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


def read_json(text: str | bytes) -> Any:
    """A JSON value.

    Raises:
        ValueError: the text is not JSON, is nested too deeply, or holds NaN or infinity, which JSON does not have.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def faults_of(error: ValidationError) -> list[str]:
    """What a model does not allow, each as ``place: reason (it is value)``."""
    return [_fault(each) for each in error.errors(include_url=False, include_context=False)]


def _fault(each: Any) -> str:
    place, said = ".".join(map(str, each["loc"])) or "the header", each["msg"]
    if each["type"] in ("missing", "json_invalid"):
        return f"{place}: {said}"
    value = repr(each["input"])
    return f"{place}: {said} (it is {value if len(value) <= _SHOWN else value[:_SHOWN] + ' ...'})"


def _no_constant(name: str) -> None:
    raise ValueError(f"it holds {name}, which JSON does not have")
