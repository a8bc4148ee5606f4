"""Where the stores are: a directory of SQLite files, or a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from llmgate.storage.database import Database
from llmgate.storage.sqlite import SqliteDatabase

POSTGRES = ("postgres://", "postgresql://")
"""How the address of a PostgreSQL server begins."""

_SYNCHRONOUS = {"ledger": "normal"}
"""The ledger is written by every request, and synchronized ten times a second (QueuedLedger)."""


def database(place: str | Path, name: str, seconds: float | None = None) -> Database:
    """Return the database *name* at *place*, a directory or the URL of a PostgreSQL server.

    Reads end after *seconds*.
    """
    if str(place).startswith(POSTGRES):
        from llmgate.storage.postgres import PostgresDatabase  # 85 ms, and an extra

        return PostgresDatabase(str(place), name, seconds)
    path = Path(place) / f"{name}.db"
    return SqliteDatabase(path, name, _SYNCHRONOUS.get(name, "full"), seconds)
