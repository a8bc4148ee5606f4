"""Responses that the gateway itself stores, with their input: `previous_response_id` names one.

A conversation is a chain of them: each row has its own input alone. They end with their time, or
when the newest need the space.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from llmgate.storage.database import Connection
from llmgate.storage.database import Database

_LONGEST = 1000  # responses in a chain
_EVICTED = 50  # rows that are read at a time


class StoredResponse(NamedTuple):
    """One response of *owner*, a caller's key; input and response are JSON."""

    id: str
    owner: str
    previous: str | None
    input: str
    response: str


class Limits(NamedTuple):
    """How long responses are kept, and how much."""

    ttl: int  # seconds after the last response of the chain
    max_bytes: int


class ResponseStore:
    """The responses in *database*, which is made with the first one; times are in seconds.

    Each method raises Unavailable if the database cannot be used.
    """

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    def save(self, found: StoredResponse, now: int) -> None:
        """Store *found*; the responses before it are kept as long as it is."""
        expires = now + self._limits.ttl
        size = len(found.input.encode()) + len(found.response.encode())
        row = (found.id, found.owner, found.previous, expires, size, found.input, found.response)

        def saved(db: Connection) -> None:
            db.execute("delete from responses where expires <= ?", (now,))
            for each in _chain(db, found.owner, found.previous, now):
                db.execute("update responses set expires = ? where id = ?", (expires, each.id))
            db.execute("insert into responses values (?, ?, ?, ?, ?, ?, ?)", row)
            _evict(db, self._limits.max_bytes)

        self._database.write(saved)

    def chain(self, owner: str, id: str, now: int) -> list[StoredResponse]:
        """Return the responses of a conversation up to *id*, the oldest first.

        Empty if one of them is not there, or not *owner*'s.
        """
        if not self._database.exists():
            return []
        found = self._database.read(lambda db: list(_chain(db, owner, id, now)))
        is_whole = bool(found) and found[-1].previous is None
        return found[::-1] if is_whole else []

    def find(self, owner: str, id: str, now: int) -> StoredResponse | None:
        """Return the response *id* of *owner*, None if there is none."""
        if not self._database.exists():
            return None
        return self._database.read(lambda db: _row(db, owner, id, now))

    def delete(self, owner: str, id: str) -> bool:
        """Delete the response *id* of *owner*; return whether it was there."""
        if not self._database.exists():
            return False
        sql = "delete from responses where id = ? and owner = ?"
        return self._database.write(lambda db: db.execute(sql, (id, owner)).rowcount > 0)


_SELECT = """
select id, owner, previous, input, response from responses
where id = ? and owner = ? and expires > ?
"""


def _row(db: Connection, owner: str, id: str, now: int) -> StoredResponse | None:
    """Return the response *id* of *owner*."""
    row = db.execute(_SELECT, (id, owner, now)).fetchone()
    return StoredResponse(*row) if row else None


def _chain(db: Connection, owner: str, id: str | None, now: int) -> Iterator[StoredResponse]:
    """Yield the response *id* and those before it, the newest first."""
    for _ in range(_LONGEST):
        found = _row(db, owner, id, now) if id else None
        if found is None:
            return
        yield found
        id = found.previous


def _evict(db: Connection, most: int) -> None:
    """Delete the responses that end first, until all together have at most *most* bytes."""
    total = db.execute("select coalesce(cast(sum(size) as bigint), 0) from responses").fetchone()[0]
    while total > most:
        oldest = "select id, size from responses order by expires, id limit ?"
        for id, size in db.execute(oldest, (_EVICTED,)).fetchall():
            if total <= most:
                return
            db.execute("delete from responses where id = ?", (id,))
            total -= size
