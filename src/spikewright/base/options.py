"""Frozen groups of typed options with descriptions, which report every wrong value at once."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails

from .bounds import MOST_SEED
from .errors import InputError, arg

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)  # which has no public name


@dataclass(frozen=True)
class Fault:
    """An option that is unknown, or whose value is not allowed.

    Attributes:
        reason: what is wrong with the value.
    """

    name: str
    value: object
    reason: str

    def __str__(self) -> str:
        return f"{arg(self.name.partition('.')[0])} is {reprlib.repr(self.value)}: {self.reason}"


class WrongOptions(InputError):
    """Unknown options or values that are not allowed, all of them."""

    def __init__(self, where: str, faults: Sequence[Fault]) -> None:
        super().__init__(f"{where}: {'; '.join(map(str, faults))}")
        self.faults = tuple(faults)


MOST: dict[type, float] = {int: MOST_SEED, float: 1e9}
"""By type, the largest number of any option: beyond it the arithmetic of options may overflow."""


def _is_huge(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) > MOST[type(value)]


def _reason(error: ErrorDetails) -> str:
    if error["type"] == "string_type":
        return "must be text"
    if error["type"] == "value_error":  # of a validator of ours
        return error["msg"].removeprefix("Value error, ")
    return error["msg"].lower()


class _ByName(ModelMetaclass):
    """Lets a group take one option without its name; a constructor of its own would lose pydantic's context."""

    first: str = ""

    def __call__(self, *given: Any, **values: Any) -> Any:
        if given:
            called, name = self.__name__, self.first
            if not name or len(given) > 1:
                most = f"only {arg(name)} may be given without its name" if name else "options are given by name"
                count = "a value" if len(given) == 1 else f"{len(given)} values"
                raise InputError(f"{called}: {count} without a name; {most}, as {called}(name=value)")
            if name in values:
                raise InputError(f"{called}: {arg(name)} is given twice, once without its name")
            values[name] = given[0]
        return super().__call__(**values)


class Options(BaseModel, metaclass=_ByName):
    """A group of options; the description of a field is also the help of its command-line flag.

    A subclass may name one option as ``first``, a ClassVar, which is then taken by position, too.

    Raises:
        InputError: unknown options or values that are not allowed, all of them at once.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_faults(
        cls, values: Any, validate: ModelWrapValidatorHandler[Options], info: ValidationInfo[Any]
    ) -> Options:
        called = (info.context or {}).get("called", cls.__name__)
        try:
            made = validate(values)
        except ValidationError as error:
            faults = [Fault(".".join(map(str, e["loc"])), e["input"], _reason(e)) for e in error.errors()]
            raise cls.refusal(faults, called) from error
        if faults := [
            Fault(name, value, f"may be up to {MOST[type(value)]:g}") for name, value in made if _is_huge(value)
        ]:
            raise cls.refusal(faults, called)
        return made

    @classmethod
    def refusal(cls, faults: Sequence[Fault], called: str) -> InputError:
        """The error that lists ``faults``; ``called`` is the name of the group in the message."""
        return WrongOptions(called, faults)
