"""The database that holds a sweep's study: opened, shown, and locked where it does not lock enough itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .claim import locked

if TYPE_CHECKING:
    import optuna

BUSY_S = 60.0
"""How long SQLite waits for another worker's write, which takes milliseconds."""
TABLE_TRIES = 3
Turn = Callable[[], AbstractContextManager[object]]


def storage_of(url: str) -> optuna.storages.RDBStorage:
    """The database, its tables made; of two workers that make them at once one is refused, and tries again."""
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    connect = {"connect_args": {"timeout": BUSY_S}} if url.startswith("sqlite") else {}
    for _ in range(TABLE_TRIES - 1):
        with suppress(IntegrityError, ProgrammingError):
            return RDBStorage(url, engine_kwargs=connect)
        time.sleep(1.0)
    return RDBStorage(url, engine_kwargs=connect)


def turn_of(url: str) -> Turn:
    """What lets one worker at a time take a point.

    A server locks the rows that Optuna reads before it writes. SQLite does not, and two workers would be given the
    same trial; a file beside the database is locked instead.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        database = make_url(url)
    except ArgumentError:
        return nullcontext
    if not database.drivername.startswith("sqlite") or database.database in (None, "", ":memory:"):
        return nullcontext
    return partial(locked, Path(f"{database.database}.lock"), wait=True)


def require_optuna() -> None:
    """Refuse to go on without Optuna.

    Raises:
        InputError: it is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"sweep: needs Optuna, which cannot be imported ({error}); install it: pip install 'spikewright[sweep]'"
        ) from error


def shown(url: str) -> str:
    """A database's URL without its password."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "<no URL>"
