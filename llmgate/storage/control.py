"""What is administered: keys, users, teams and similar, as JSON documents in a database.

It is a database of its own so that its version changes with an administrator's action only:
workers keep what they have read until then.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any
from typing import NamedTuple
from typing import TypeVar

from llmgate.storage.database import Connection
from llmgate.storage.database import Database

T = TypeVar("T")

Document = dict[str, Any]
"""A record in LiteLLM's fields."""


class AliasTaken(Exception):
    """Another record of the kind has the alias."""


class Filter(NamedTuple):
    """Which records to list; None: any."""

    user_id: str | None = None
    team_id: str | None = None
    alias: str | None = None
    id: str | None = None


class Records:
    """The records as one transaction sees them."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def get(self, kind: str, id: str) -> Document | None:
        """Return the record *id* of *kind*."""
        row = self._db.execute(
            "select data from records where kind = ? and id = ?", (kind, id)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def put(self, kind: str, id: str, data: Document) -> None:
        """Write the record *id* of *kind*. Raises AliasTaken."""
        alias = data.get("key_alias") if kind == "key" else None
        if alias is not None:
            sql = "select 1 from records where kind = ? and alias = ? and id <> ?"
            if self._db.execute(sql, (kind, alias, id)).fetchone():
                raise AliasTaken(alias)
        row = (kind, id, alias, data.get("user_id"), data.get("team_id"), json.dumps(data))
        self._db.execute(
            """insert into records (kind, id, alias, user_id, team_id, data)
            values (?, ?, ?, ?, ?, ?) on conflict (kind, id) do update set
            alias = excluded.alias, user_id = excluded.user_id, team_id = excluded.team_id,
            data = excluded.data""",
            row,
        )

    def delete(self, kind: str, id: str) -> bool:
        """Delete the record *id* of *kind*; return whether there was one."""
        done = self._db.execute("delete from records where kind = ? and id = ?", (kind, id))
        return done.rowcount > 0

    def list(self, kind: str, only: Filter = Filter()) -> list[Document]:
        """Return the records of *kind*, oldest first."""
        wanted = {name: value for name, value in only._asdict().items() if value is not None}
        where = "".join(f" and {name} = ?" for name in wanted)
        rows = self._db.execute(
            f"select data from records where kind = ?{where} order by n", (kind, *wanted.values())
        )
        return [json.loads(data) for (data,) in rows]

    def audit(self, actor: str, action: str, kind: str, id: str) -> None:
        """Note who did what to the record *id* of *kind*, and what it is now."""
        self._db.execute(
            "insert into audit (at, actor, action, kind, id, data) values (?, ?, ?, ?, ?, ?)",
            (time.time_ns() // 1000, actor, action, kind, id, json.dumps(self.get(kind, id))),
        )


class Control:
    """The records in *database*."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def exists(self) -> bool:
        """Return whether anything was ever stored."""
        return self.database.exists()

    def version(self) -> int:
        """Return a number that differs after any change by any process; 0 before the first."""
        return self.database.version() if self.exists() else 0

    def read(self, work: Callable[[Records], T]) -> T:
        """Return what *work* reads; nothing may have been stored yet. Raises Unavailable."""
        return self.database.read(lambda db: work(Records(db)))

    def change(self, work: Callable[[Records], T]) -> T:
        """Return what *work* returns, once its changes are committed; an error undoes them.

        Raises Unavailable.
        """
        return self.database.write(lambda db: work(Records(db)))
