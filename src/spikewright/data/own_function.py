"""Data that a function of one's own returns: ``file.py:function``."""

from __future__ import annotations

from ..base.errors import InputError
from ..base.own_code import file_of, named_in, run_own
from ..sources.found import Found
from ..sources.objects import found_in_object
from .dataset import Dataset
from .options import DataOptions


def given_by(spec: str, options: DataOptions) -> Found | Dataset:
    """What ``file.py:function`` returns: a data set, ``(x, y)``, a dictionary of arrays, or a data set of torch.

    The file is run for it, so this is for a name that a person gave, and never for one that was read.

    Raises:
        InputError: no such function, an exception in it, or something else that it returns.
    """
    called = f"data {spec!r}"
    function = named_in(spec, called)
    if not callable(function):
        raise InputError(f"{called}: is no function; give one without arguments that returns data")
    made = run_own(file_of(spec), called, function)
    if not isinstance(made, Dataset):
        return run_own(file_of(spec), called, lambda: found_in_object(made, spec.rsplit(":", 1)[1], called, options))
    if made.raw is None or not options.given():
        return made
    return Dataset.of_raw(made.raw, options)
