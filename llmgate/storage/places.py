"""Where the stores are: a directory of SQLite files, or a PostgreSQL server."""

from __future__ import annotations

from pathlib import Path

from llmgate.storage.database import Database
from llmgate.storage.sqlite import SqliteDatabase


def database(place: str | Path, name: str, seconds: float | None = None) -> Database:
    """Return the database *name* at *place*, a directory; reads end after *seconds*."""
    path = Path(place) / f"{name}.db"
    return SqliteDatabase(path, name, _SYNCHRONOUS.get(name, "full"), seconds)


_SYNCHRONOUS = {"ledger": "normal"}
"""The ledger is written by every request, and synchronized ten times a second (QueuedLedger)."""
