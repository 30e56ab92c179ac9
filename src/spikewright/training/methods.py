"""Methods and regularizers as values and as words."""

from __future__ import annotations

from ..base.errors import InputError, did_you_mean
from ..distillation.base import LossTerms
from ..distillation.methods import METHODS, REGULARIZERS, parse_spec


def parse(text: str) -> LossTerms:
    """The method or regularizer that ``name`` or ``name:option=value,option=value`` describes.

    Raises:
        InputError: an unknown name, or every unknown option and value that is not allowed.
    """
    name = text.partition(":")[0].strip()
    if name in REGULARIZERS:
        return parse_spec("regularizer", text, REGULARIZERS)
    if name in METHODS:
        return parse_spec("method", text, METHODS)
    raise InputError(f"method {name!r} is unknown; {did_you_mean(name, [*METHODS, *REGULARIZERS])}")


def name_of(terms: LossTerms) -> str:
    """The name of a method or regularizer in the table; of a class that is not in it, the name of the class."""
    names = {kind: name for name, kind in (METHODS | REGULARIZERS).items()}
    return names.get(type(terms), type(terms).__name__)


def text_of(terms: LossTerms) -> str:
    """``name`` or ``name:option=value,...`` with the options that were given, which :func:`parse` reads."""
    given = terms.model_dump(mode="json", exclude_defaults=True)
    options = ",".join(f"{option}={value}" for option, value in given.items())
    return f"{name_of(terms)}:{options}" if options else name_of(terms)
