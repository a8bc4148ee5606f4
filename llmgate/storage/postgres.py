"""A PostgreSQL database for all machines. Imported only when one is configured.

Every write holds one lock, so that it can be read and decided as in SQLite; commits are grouped.
Each process has a connection that writes and one that reads, opened when they are needed.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
import weakref
import zlib
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

import psycopg
from psycopg import conninfo

from llmgate.storage import database
from llmgate.storage import schema
from llmgate.storage.breaker import Breaker
from llmgate.storage.database import Connection
from llmgate.storage.database import Group
from llmgate.storage.database import Job
from llmgate.storage.database import Rows
from llmgate.storage.database import TooSlow
from llmgate.storage.database import Unavailable

T = TypeVar("T")

_CONNECT_SECONDS = 2
_STATEMENT_SECONDS = 5.0
_LOCKS = 0x6C6C6D67  # the first key of our advisory locks
_BETWEEN_LOOKS = 0.1  # seconds, of every request, for a first change
_VERSIONED = ("control",)  # databases whose readers must know of each change
_PARAMETERS: dict[str, str | int] = {
    "application_name": "llmgate",
    "connect_timeout": _CONNECT_SECONDS,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 30,
}
_TABLES = """create schema if not exists llmgate;
    create table if not exists llmgate.schema_version (
        name text not null, n integer not null, at bigint not null, primary key (name, n)
    );
    create table if not exists llmgate.versions (name text primary key, n bigint not null)"""


class _Translated:
    """A connection that takes statements with `?`."""

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self.db = db
        self.is_committing = False

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        """Run the statement *sql*."""
        self.is_committing = sql == "commit"
        if not parameters:
            return self.db.execute(sql.encode())
        return self.db.execute(_translated(sql), parameters)


class _Process:
    """What one process has open."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.group = Group()
        self.breaker = Breaker()
        self.reading = threading.Lock()
        self.writer: _Translated | None = None
        self.reader: _Translated | None = None


class PostgresDatabase:
    """The tables of `migrations/<name>_NNNN.sql` in the schema `llmgate` of the server at *url*.

    A statement that takes more than *seconds* ends; a read of it raises TooSlow if they are given.
    """

    def __init__(self, url: str, name: str, seconds: float | None = None) -> None:
        self._url = url
        self._name = name
        self._seconds = seconds
        self._process = _Process()
        self._exists = name not in _VERSIONED
        self._look_again = 0.0
        lock = f"{_LOCKS}, {zlib.crc32(name.encode()) & 0x7FFFFFFF}"
        self._begin = f"begin; select pg_advisory_xact_lock({lock})"
        if name in _VERSIONED:
            self._begin += f"; update llmgate.versions set n = n + 1 where name = '{name}'"

    def exists(self) -> bool:
        """Return whether anything was ever stored; True if that is unknown."""
        if not self._exists and time.monotonic() >= self._look_again:
            try:
                self._exists = self.version() > 0
            except Unavailable:
                return True
            self._look_again = time.monotonic() + _BETWEEN_LOOKS
        return self._exists

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what *work* returns, once what it wrote is committed.

        What *work* raises is raised here, and what it wrote is undone. Raises Unavailable.
        """
        self._look_again = 0.0
        process = self._current()
        return process.group.run(work, lambda jobs: self._commit(process, jobs))

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what *work* reads. Raises Unavailable, TooSlow."""
        process = self._current()
        with process.reading:
            self._check(process)
            try:
                return self._read(process, work)
            except psycopg.errors.QueryCanceled as error:
                if self._seconds is None:
                    raise self._failure(process, error) from error
                raise TooSlow(f"a query of {self._name} was stopped") from None
            except psycopg.Error as error:
                raise self._failure(process, error) from error

    def version(self) -> int:
        """Return a number that differs after any change by any process."""
        sql = "select n from llmgate.versions where name = ?"
        return self.read(lambda db: int(db.execute(sql, (self._name,)).fetchone()[0]))

    def sync(self) -> None:
        """Do nothing: the server synchronizes each commit."""

    def close(self) -> None:
        """Close what this process has open."""
        process, self._process = self._process, _Process()
        _close(process)

    def _current(self) -> _Process:
        """Return what this process has open; what was open before a fork is not used."""
        if self._process.pid != os.getpid():
            self._process = _Process()
        return self._process

    def _read(self, process: _Process, work: Callable[[Connection], T]) -> T:
        """Return what *work* reads; a connection that has ended is opened again, once."""
        if process.reader is not None:
            try:
                return work(process.reader)
            except psycopg.OperationalError:
                if not process.reader.db.broken:
                    raise
            process.reader.db.close()
        process.reader = self._connected(process)
        return work(process.reader)

    def _commit(self, process: _Process, jobs: list[Job[Any]]) -> None:
        """Commit *jobs* in one transaction."""
        self._check(process)
        try:
            self._run(process, jobs)
        except psycopg.Error as error:
            raise self._failure(process, error) from error
        process.breaker.succeeded()

    def _run(self, process: _Process, jobs: list[Job[Any]]) -> None:
        """Commit *jobs*; a connection that has ended before the commit is opened again, once."""
        if process.writer is not None:
            try:
                return _run(process.writer, self._begin, jobs)
            except psycopg.OperationalError:
                if process.writer.is_committing or not process.writer.db.broken:
                    raise
            process.writer.db.close()
        process.writer = self._connected(process)
        return _run(process.writer, self._begin, jobs)

    def _check(self, process: _Process) -> None:
        """Raise Unavailable if the server could not be used a moment ago."""
        if process.breaker.is_open():
            raise Unavailable("PostgreSQL could not be used a few seconds ago; see DATABASE_URL")

    def _failure(self, process: _Process, error: psycopg.Error) -> Unavailable:
        """Return *error* in words for an operator, and do not use the server for a while."""
        process.breaker.failed()
        words = str(error).strip().splitlines() or [type(error).__name__]
        return Unavailable(f"PostgreSQL cannot be used: {words[0]}; see DATABASE_URL")

    def _connected(self, process: _Process) -> _Translated:
        """Return a new connection; the tables are updated first."""
        seconds = _STATEMENT_SECONDS if self._seconds is None else self._seconds
        milliseconds = max(1, int(seconds * 1000))  # 0: no limit
        options = f"-c search_path=llmgate -c statement_timeout={milliseconds}"
        given = conninfo.conninfo_to_dict(self._url)
        given = {**_PARAMETERS, **given, "options": f"{given.get('options', '')} {options}".strip()}
        db = psycopg.connect(**given, autocommit=True)  # type: ignore[arg-type]
        with contextlib.ExitStack() as failing:
            failing.callback(db.close)
            self._update(process, db)
            failing.pop_all()
        weakref.finalize(self, _close_connection, process.pid, db)
        return _Translated(db)

    def _update(self, process: _Process, db: psycopg.Connection[Any]) -> None:
        """Update the tables; if this program cannot, the server is not tried for a while."""
        try:
            _migrate(db, self._name)
        except Unavailable:
            process.breaker.failed()
            raise


@functools.lru_cache(1024)
def _translated(sql: str) -> bytes:
    """Return *sql* with psycopg's placeholders."""
    return sql.replace("%", "%%").replace("?", "%s").encode()


def _run(db: _Translated, begin: str, jobs: list[Job[Any]]) -> None:
    """Run *jobs* in one transaction."""
    try:
        database.run(db, begin, jobs, psycopg.Error)
    finally:
        if not db.db.closed and db.db.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            db.db.rollback()


def _migrate(db: psycopg.Connection[Any], name: str) -> None:
    """Update the tables of *name*; raises Unavailable if they are of a later program."""
    with db.transaction():
        db.execute("set local statement_timeout = 0")
        db.execute("select pg_advisory_xact_lock(%s, 0)", (_LOCKS,))
        db.execute(_TABLES.encode())
        for n, script in schema.scripts_after(name, _known(db, name), "the PostgreSQL database"):
            for statement in schema.statements(script):
                db.execute(schema.for_postgres(statement).encode())
            now = time.time_ns() // 1000
            db.execute("insert into llmgate.schema_version values (%s, %s, %s)", (name, n, now))
        known = "insert into llmgate.versions values (%s, 0) on conflict do nothing"
        db.execute(known, (name,))


def _known(db: psycopg.Connection[Any], name: str) -> int:
    """Return the number of the last script for *name* that has run."""
    sql = "select coalesce(max(n), 0) from llmgate.schema_version where name = %s"
    row = db.execute(sql, (name,)).fetchone()
    return int(row[0]) if row else 0


def _close(process: _Process) -> None:
    """Close what *process* has open, in that process only."""
    for connection in (process.writer, process.reader):
        if connection is not None:
            _close_connection(process.pid, connection.db)


def _close_connection(pid: int, db: psycopg.Connection[Any]) -> None:
    """Close *db* in the process *pid*, which opened it."""
    if pid == os.getpid():
        db.close()
