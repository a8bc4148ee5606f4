"""Logins to the dashboard, shared by all workers: a database of its own.

That of the keys changes its version with every write, and its existence means that requests need a
key: a login must do neither.
"""

from __future__ import annotations

from llmgate.storage.database import Connection
from llmgate.storage.database import Database


class Sessions:
    """The sessions in *database*, which is made with the first login; times are in seconds.

    Each method raises Unavailable if the database cannot be used.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, id: str, subject: str, now: int, expires: int) -> None:
        """Store the session *id* of *subject*; those that have expired are removed."""

        def created(db: Connection) -> None:
            db.execute("delete from sessions where expires <= ?", (now,))
            db.execute("insert into sessions values (?, ?, ?, ?)", (id, subject, now, expires))

        self._database.write(created)

    def subject(self, id: str, now: int) -> str | None:
        """Return whose session *id* is, None if there is none or it has expired."""
        if not self._database.exists():
            return None
        row = self._database.read(
            lambda db: db.execute(
                "select subject from sessions where id = ? and expires > ?", (id, now)
            ).fetchone()
        )
        return row[0] if row else None

    def count(self, subject: str, now: int) -> int:
        """Return how many sessions *subject* has."""
        row = self._database.read(
            lambda db: db.execute(
                "select count(*) from sessions where subject = ? and expires > ?", (subject, now)
            ).fetchone()
        )
        return int(row[0])

    def end(self, id: str) -> None:
        """Remove the session *id*."""
        self._database.write(lambda db: db.execute("delete from sessions where id = ?", (id,)))

    def end_all(self, subject: str) -> None:
        """Remove every session of *subject*."""
        self._database.write(
            lambda db: db.execute("delete from sessions where subject = ?", (subject,))
        )

    def attempt(self, address: str, now: int, since: int, most: int) -> int | None:
        """Note a login from *address* as failed, and return its number for `forget`.

        None: *most* have failed since *since*, and this one does not count.
        """

        def noted(db: Connection) -> int | None:
            db.execute("delete from failures where at < ?", (since,))
            counted = "select count(*) from failures where address = ?"
            if db.execute(counted, (address,)).fetchone()[0] >= most:
                return None
            added = "insert into failures (address, at) values (?, ?) returning n"
            return int(db.execute(added, (address, now)).fetchone()[0])

        return self._database.write(noted)

    def forget(self, attempt: int) -> None:
        """Remove *attempt*, which has not failed."""
        self._database.write(lambda db: db.execute("delete from failures where n = ?", (attempt,)))
