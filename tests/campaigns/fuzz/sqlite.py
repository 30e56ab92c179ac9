"""Structure-aware changes of SQLite files: a cell becomes another, a row or a table goes."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path
from random import Random

from .value_changes import scalar


def of_sqlite(data: bytes, random: Random) -> bytes:
    """A database with one change."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.db"
        file.write_bytes(data)
        connection = sqlite3.connect(file)
        connection.text_factory = bytes
        try:
            _change(connection, random)
            connection.commit()
        finally:
            connection.close()
        return file.read_bytes()


def _change(connection: sqlite3.Connection, random: Random) -> None:
    tables = [name.decode() for (name,) in connection.execute("select name from sqlite_master where type = 'table'")]
    filled = [name for name in tables if connection.execute(f"select count(*) from {name}").fetchone()[0]]
    table = random.choice(filled)
    way = random.choice(("cell", "cell", "cell", "row", "table"))
    if way == "table":
        connection.execute(f"drop table {random.choice(tables)}")
        return
    rows = [row for (row,) in connection.execute(f"select rowid from {table}")]
    if way == "row":
        connection.execute(f"delete from {table} where rowid = ?", (random.choice(rows),))
        return
    columns = [column[1].decode() for column in connection.execute(f"pragma table_info({table})")]
    value = scalar(random)
    if (isinstance(value, int) and abs(value) >= 2**63) or not isinstance(value, int | float | str | None):
        value = str(value)
    if isinstance(value, str):
        value = value.encode(errors="replace").decode()
    statement = f"update {table} set {random.choice(columns)} = ? where rowid = ?"
    try:
        connection.execute(statement, (value, random.choice(rows)))
    except sqlite3.IntegrityError:  # a name or a number that must be of one row alone
        connection.execute(f"delete from {table} where rowid = ?", (random.choice(rows),))
