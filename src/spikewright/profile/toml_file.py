"""One TOML file read into a model that is named after it, with every fault said at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from ..base.artefacts import existing_file
from ..base.errors import InputError, did_you_mean, refuse

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Model = TypeVar("Model", bound=BaseModel)


def read_named(path: Path, what: str, model: type[Model]) -> Model:
    """The model that a file holds; its ``name`` is the file's.

    Args:
        what: was expected there, for the refusal.

    Raises:
        InputError: there is no such file, it is not TOML, or every fault that a single field can see.
    """
    file = existing_file(path, what)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: is not TOML: {error}") from error
    if "name" in table:
        raise InputError(f"{file}: name: the file's name is the {_noun(what)}'s name; remove the key")
    try:
        return model.model_validate({"name": file.stem, **table})
    except ValidationError as error:
        refuse(str(file), [_sentence(dict(fault), model) for fault in error.errors(include_url=False)])
        raise


def _noun(what: str) -> str:
    return what.removesuffix(" in TOML").split()[-1]


def _sentence(fault: Mapping[str, Any], model: type[BaseModel]) -> str:
    path = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"{path}: unknown key; {did_you_mean(str(fault['loc'][-1]), _keys_at(fault['loc'][:-1], model))}"
    if fault["type"] == "missing":
        return f"{path}: is missing"
    may_be = re.sub(r"^(Input should be|\w+ should have) (a |an )?(valid )?", "", fault["msg"])
    may_be = re.sub(r" after validation, not \d+$", "", may_be)
    return f"{path}: is {fault['input']!r}; may be: {may_be}"


def _keys_at(path: tuple[int | str, ...], model: type[BaseModel]) -> tuple[str, ...]:
    """Keys that may stand in the table at ``path``."""
    table = model
    for part in path:
        inner = table.model_fields.get(str(part))
        if inner is None:
            continue
        table = next(iter(_tables_in(inner.annotation)), table)
    return tuple(key for key in table.model_fields if (table, key) != (model, "name"))


def _tables_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _tables_in(inner)
