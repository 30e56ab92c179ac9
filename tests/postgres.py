"""A PostgreSQL server of a test run's own, where the programs of one are installed."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "spikewright"
OTHER_USERS = ("postgres", "nobody")
"""Who runs the server where tests run as root, which PostgreSQL refuses."""
DEBIAN = "/usr/lib/postgresql"


def missing() -> str | None:
    """Why no server can be started here; None where one can."""
    if _program("initdb") is None or _program("pg_ctl") is None:
        return "PostgreSQL's initdb and pg_ctl are not installed (Debian's package is postgresql)"
    if os.getuid() == 0 and _other_user() is None:
        return f"PostgreSQL does not run as root, and there is neither of the users {' and '.join(OTHER_USERS)}"
    return None


@contextmanager
def server() -> Iterator[str]:
    """The URL of a new server that listens on this machine alone and asks for a password."""
    password, user = secrets.token_hex(8), _other_user() if os.getuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="spikewright-postgres-"))
    (folder / "password").write_text(password)
    if user is not None:
        shutil.chown(folder, user)
        shutil.chown(folder / "password", user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = str(folder / "data")
    try:
        _run(user, "initdb", "-D", data, "-U", USER, "--auth=scram-sha-256", f"--pwfile={folder / 'password'}")
        settings = f"-p {port} -h 127.0.0.1 -k '' -c fsync=off -c max_connections=50"
        _run(user, "pg_ctl", "-D", data, "-l", str(folder / "log"), "-o", settings, "-w", "start")
        try:
            yield f"postgresql+psycopg2://{USER}:{password}@127.0.0.1:{port}/postgres"
        finally:
            _run(user, "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(user: str | None, program: str, *words: str) -> None:
    found = _program(program)
    assert found is not None
    done = subprocess.run([found, *words], user=user, group=_group_of(user), cwd="/", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _group_of(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def _program(name: str) -> str | None:
    """A program of PostgreSQL on PATH, or where Debian puts those of its newest version."""
    newest = sorted(Path(DEBIAN).glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return shutil.which(name) or (str(newest[-1]) if newest else None)


def _other_user() -> str | None:
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((user for user in OTHER_USERS if user in known), None)
