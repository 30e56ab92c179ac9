"""The database that holds a study: opening it, naming it in messages, and a lock where its own are not enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import InputError, arg
from ..base.lock import locked

if TYPE_CHECKING:
    from optuna.storages import RDBStorage
    from sqlalchemy.engine import URL

BUSY_S = 60.0
"""How long SQLite waits for another worker's write, which takes milliseconds."""
TABLE_TRIES = 3
EXAMPLES = "sqlite:///sweep.db or postgresql://user@host/name"
PACKAGES = {"psycopg2": "psycopg2-binary", "psycopg": "psycopg[binary]"}
"""What to install where a driver of PostgreSQL is missing; by default SQLAlchemy 2.0 takes one, 2.1 the other."""
Turn = Callable[[], AbstractContextManager[object]]


def read_url(text: str) -> URL:
    """The URL of a database.

    Raises:
        InputError: the text is no such URL; it is not repeated in the message, since it may hold a password.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        database = make_url(text)
    except (ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise InputError(f"{arg('study')}: is not the URL of a database; give one such as {EXAMPLES}") from error
    if "@" in (database.host or ""):
        raise InputError(f"{arg('study')}: has more than one @ before its host; write that of a password as %40")
    return database


def storage_of(database: URL) -> RDBStorage:
    """The database opened, its tables made.

    Raises:
        InputError: its driver is missing, or it cannot be opened.
    """
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        return _opened(database)
    except ImportError as error:
        raise InputError(f"{arg('study', shown(database))}: {_driver_is_missing(error)}") from error
    except (SQLAlchemyError, OSError, RuntimeError, ValueError, OptunaError) as error:
        raise InputError(
            f"{arg('study', shown(database))}: cannot be opened ({_reason(error)}); give the URL of a database that is "
            f"there and in which you may make tables, such as {EXAMPLES}"
        ) from error


@contextmanager
def answering(database: URL) -> Iterator[None]:
    """Work with a database that was opened.

    Raises:
        InputError: the database can no longer be reached.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (StorageInternalError, SQLAlchemyError) as error:
        raise InputError(
            f"{arg('study', shown(database))}: can no longer be read and written ({_reason(error)}); see to it and "
            "run the command again, which goes on where it stopped"
        ) from error


def _opened(database: URL) -> RDBStorage:
    """The storage. If two workers create the tables at once, one is refused and tries again."""
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    # Optuna fills in what braces enclose.
    url = database.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")
    # A server may have ended the connection during a job: ask before each use.
    options = {"connect_args": {"timeout": BUSY_S}} if _is_sqlite(database) else {"pool_pre_ping": True}
    for _ in range(TABLE_TRIES - 1):
        with suppress(IntegrityError, ProgrammingError):
            return RDBStorage(url, engine_kwargs=dict(options))
        time.sleep(1.0)
    return RDBStorage(url, engine_kwargs=dict(options))


def _is_sqlite(database: URL) -> bool:
    return database.drivername.startswith("sqlite")


def _driver_is_missing(error: ImportError) -> str:
    """Which package is missing: the cause of Optuna's error names it."""
    cause = error.__cause__ if isinstance(error.__cause__, ImportError) else error
    package = PACKAGES.get(cause.name or "")
    install = f"install it: pip install '{package}'" if package else "install it"
    return f"the driver of this database cannot be imported ({_reason(cause)}); {install}"


def _reason(error: BaseException) -> str:
    """The first line of the innermost cause of an error, which is the server's message if there is one."""
    while error.__cause__ is not None:
        error = error.__cause__
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def turn_of(database: URL) -> Turn:
    """A lock under which one worker at a time takes a job.

    A server locks the rows that Optuna reads before it writes. SQLite does not, so that two workers could get the same
    trial; for it a file beside the database is locked.
    """
    if not _is_sqlite(database) or database.database in (None, "", ":memory:"):
        return nullcontext
    file = Path(f"{database.database}.lock")
    if not file.parent.is_dir():
        raise InputError(f"{arg('study', shown(database))}: the folder {file.parent} does not exist; create it first")
    return partial(locked, file, wait=True)


def require_optuna(verb: str) -> None:
    """Refuse to go on without Optuna.

    Args:
        verb: what needs it.

    Raises:
        InputError: it is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"{verb}: needs Optuna, which cannot be imported ({error}); install it: pip install 'spikewright[sweep]'"
        ) from error


def shown(database: URL) -> str:
    """A database's URL without passwords, those among the options after the question mark included."""
    secret = [name for name in database.query if "pass" in name.lower()]
    return database.difference_update_query(secret).render_as_string(hide_password=True)
