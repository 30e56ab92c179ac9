"""The arguments that ``sweep`` and ``compare`` had before they took values as ``distill`` does."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from ..training.settings import DistillSettings

P = ParamSpec("P")
R = TypeVar("R")


def also_takes_settings(former: Callable[..., R]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let a function hand a call with :class:`DistillSettings` to the function that takes them, with a warning.

    Args:
        former: takes settings as its first argument or as ``settings``.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            if "settings" not in kwargs and not (args and isinstance(args[0], DistillSettings)):
                return function(*args, **kwargs)
            warnings.warn(
                f"the argument settings of {function.__name__} is deprecated and will be removed in 0.3; use data, "
                "teacher, student, within=Budget(...) and training=Training(...)",
                DeprecationWarning,
                stacklevel=2,
            )
            return former(*args, **kwargs)

        return call

    return decorate
