"""Methods and regularizers as values and as words."""

from __future__ import annotations

from collections.abc import Mapping

from ..base.errors import InputError, did_you_mean
from ..distillation.base import LossTerms
from ..distillation.methods import METHODS, REGULARIZERS, parse_spec

Known = Mapping[str, type[LossTerms]]


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


def method_of(method: LossTerms | str) -> LossTerms:
    """A method itself, or the one that text describes.

    Raises:
        InputError: neither, a regularizer, an unknown name, or options that are not allowed.
    """
    return _terms_of("method", method, METHODS, REGULARIZERS)


def regularizer_of(regularizer: LossTerms | str) -> LossTerms:
    """A regularizer itself, or the one that text describes.

    Raises:
        InputError: neither, a method, an unknown name, or options that are not allowed.
    """
    return _terms_of("regularizer", regularizer, REGULARIZERS, METHODS)


def _terms_of(kind: str, given: object, known: Known, others: Known) -> LossTerms:
    if isinstance(given, str):
        return parse_spec(kind, given, known)
    if not isinstance(given, LossTerms):
        raise InputError(
            f"{kind} {given!r}: may be an object, such as {next(iter(known.values())).__name__}(), or text"
        )
    if type(given) in others.values():
        raise InputError(f"{kind} {name_of(given)}: is no {kind}; may be: {', '.join(known)}")
    return given


def name_of(terms: LossTerms) -> str:
    """The name of a method or regularizer in the table; of a class that is not in it, the name of the class."""
    names = {kind: name for name, kind in (METHODS | REGULARIZERS).items()}
    return names.get(type(terms), type(terms).__name__)


def text_of(terms: LossTerms) -> str:
    """``name`` or ``name:option=value,...`` with the options that were given, which :func:`parse` reads."""
    given = terms.model_dump(mode="json", exclude_defaults=True)
    options = ",".join(f"{option}={value}" for option, value in given.items())
    return f"{name_of(terms)}:{options}" if options else name_of(terms)
