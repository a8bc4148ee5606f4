"""How many requests run at a time under a name, over all workers of this machine.

A lease ends with its request, or with its process. Nothing here is worth keeping after a restart.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from llmgate.storage.database import Connection
from llmgate.storage.database import Refused
from llmgate.storage.sqlite import SqliteDatabase


class Full(Refused):
    """As many requests as are allowed under *name* are running."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name)
        self.name = name
        self.limit = limit


class Wanted(NamedTuple):
    """A lease under a name that allows *limit* at a time."""

    name: str
    limit: int


class Leases:
    """The leases in the file at *path*, which is made for the first one."""

    def __init__(self, path: Path) -> None:
        self._database = SqliteDatabase(path, "leases", "off")

    def take(self, id: str, wanted: list[Wanted], now: int) -> None:
        """Take a lease for the request *id* under each name; raises Full, and takes none."""

        def taken(db: Connection) -> None:
            for name, limit in wanted:
                if _running(db, name) >= limit:
                    raise Full(name, limit)
            for name, _ in wanted:
                row = (name, id, os.getpid(), now)
                db.execute("insert into leases values (?, ?, ?, ?)", row)

        self._database.write(taken)

    def release(self, id: str) -> None:
        """End the leases of the request *id*."""
        self._database.write(lambda db: db.execute("delete from leases where id = ?", (id,)))

    def running(self, name: str) -> int:
        """Return how many requests run under *name*."""
        return self._database.write(lambda db: _running(db, name))


def _running(db: Connection, name: str) -> int:
    """Return how many leases *name* has; those of dead processes are deleted."""
    rows = db.execute("select pid, count(*) from leases where name = ? group by pid", (name,))
    found = 0
    for pid, number in rows.fetchall():
        if _is_alive(pid):
            found += number
        else:
            db.execute("delete from leases where pid = ?", (pid,))
    return found


def _is_alive(pid: int) -> bool:
    """Return whether the process *pid* exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
