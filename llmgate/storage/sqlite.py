"""One SQLite file for all workers of a machine. Nothing is made on disk before the first write."""

from __future__ import annotations

import fcntl
import math
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from typing import TypeVar

from llmgate.storage import database
from llmgate.storage import schema
from llmgate.storage.breaker import Breaker
from llmgate.storage.database import Connection
from llmgate.storage.database import Group
from llmgate.storage.database import Job
from llmgate.storage.database import TooSlow
from llmgate.storage.database import Unavailable

T = TypeVar("T")

_PATIENCE = 2.0  # seconds that another program may hold the file
_BETWEEN_LOOKS = 0.1  # seconds, of every request, for a missing file
_STEPS = 20_000  # of SQLite's machine between looks at the clock
_OLDEST = (3, 35)  # of SQLite: `returning`


class _Process:
    """What one process has open."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.group = Group()
        self.breaker = Breaker()
        self.reading = threading.Lock()
        self.writer: sqlite3.Connection | None = None
        self.reader: sqlite3.Connection | None = None
        self.ends = math.inf  # when the read that runs must end, on the monotonic clock
        self.lock = -1  # file descriptor of the lock between processes


class SqliteDatabase:
    """The file at *path*, whose tables are those of `migrations/<name>_NNNN.sql`.

    A commit always outlives the process. With *synchronous* `full` it outlives a failure of the
    machine, too; with `normal` it does so after the next `sync`; with `off` nothing does. A read
    that takes more than *seconds* raises TooSlow.
    """

    def __init__(
        self, path: Path, name: str, synchronous: str = "full", seconds: float | None = None
    ) -> None:
        self.path = path
        self._name = name
        self._seconds = math.inf if seconds is None else seconds
        self._synchronous = synchronous
        self._process = _Process()
        self._exists = False
        self._look_again = 0.0  # when a file that was missing is looked for again

    def exists(self) -> bool:
        """Return whether anything was ever stored, by another process 0.1 s ago at the latest."""
        if not self._exists:
            now = time.monotonic()
            if now >= self._look_again:
                self._exists = os.path.exists(self.path)
                self._look_again = now + _BETWEEN_LOOKS
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
            try:
                if process.reader is None:
                    process.reader = self._opened_reader(process)
                process.ends = time.monotonic() + self._seconds
                return work(process.reader)
            except (sqlite3.Error, OSError) as error:
                if time.monotonic() > process.ends:
                    raise TooSlow(f"a query of {self._name} was stopped") from None
                raise self._unavailable(error) from error

    def version(self) -> int:
        """Return a number that differs after any other connection has written."""
        return self.read(lambda db: int(db.execute("pragma data_version").fetchone()[0]))

    def sync(self) -> None:
        """Let what is committed outlive a failure of the machine; no writer has to wait for it."""
        try:
            file = os.open(f"{self.path}-wal", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            os.fdatasync(file)
        finally:
            os.close(file)

    def close(self) -> None:
        """Close what this process has open."""
        process, self._process = self._process, _Process()
        _close(process)

    def _current(self) -> _Process:
        """Return what this process has open; what was open before a fork is not used."""
        if self._process.pid != os.getpid():
            self._process = _Process()
        return self._process

    def _commit(self, process: _Process, jobs: list[Job[Any]]) -> None:
        """Commit *jobs* in one transaction."""
        if process.breaker.is_open():
            raise Unavailable(f"{self.path} could not be used a few seconds ago")
        try:
            if process.writer is None:
                self._open_writer(process)
            assert process.writer is not None
            with _locked(process.lock):
                _run(process.writer, jobs)
        except (sqlite3.Error, OSError) as error:
            process.breaker.failed()
            raise self._unavailable(error) from error
        process.breaker.succeeded()

    def _unavailable(self, error: sqlite3.Error | OSError) -> Unavailable:
        """Return *error* in words for an operator."""
        why = error.strerror if isinstance(error, OSError) else error
        return Unavailable(f"{self.path} cannot be used: {why}; LLMGATE_DATA_DIR chooses its place")

    def _open_writer(self, process: _Process) -> None:
        """Open the connection that writes, and update its tables."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(f"{self.path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            with _locked(lock):
                db = _connected(self.path, self._synchronous)
                _migrate(db, self._name, self.path)
        except (sqlite3.Error, OSError, Unavailable):
            os.close(lock)
            raise
        process.writer, process.lock = db, lock
        weakref.finalize(self, _close, process)

    def _opened_reader(self, process: _Process) -> sqlite3.Connection:
        """Return the connection that reads; the file and its tables are made first."""
        if process.writer is None:
            self.write(lambda db: None)
        db = _connected(self.path, self._synchronous)
        db.execute("pragma query_only = on")
        if self._seconds < math.inf:
            db.set_progress_handler(lambda: time.monotonic() > process.ends, _STEPS)
        return db


def _connected(path: Path, synchronous: str) -> sqlite3.Connection:
    """Return a connection to the file at *path*."""
    if sqlite3.sqlite_version_info < _OLDEST:
        raise Unavailable(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 is needed")
    db = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    mode = db.execute("pragma journal_mode = wal").fetchone()[0]
    if mode != "wal":
        db.close()
        raise Unavailable(
            f"{path} is on a file system without shared memory (a network share?); set"
            " LLMGATE_DATA_DIR to a directory on a local disk"
        )
    db.execute(f"pragma synchronous = {synchronous}")
    db.execute("pragma journal_size_limit = 16777216")
    return db


@contextmanager
def _locked(lock: int) -> Iterator[None]:
    """Wait in a queue with other processes: SQLite's own wait has none, and starves."""
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def _run(db: sqlite3.Connection, jobs: list[Job[Any]]) -> None:
    """Run *jobs* in one transaction."""
    try:
        database.run(db, "begin immediate", jobs, sqlite3.Error)
    finally:
        if db.in_transaction:
            db.rollback()


def _migrate(db: sqlite3.Connection, name: str, path: Path) -> None:
    """Update the tables of *db*; raises Unavailable if they are of a later program."""
    db.execute("create table if not exists schema_version (n integer primary key, at integer)")
    known = db.execute("select coalesce(max(n), 0) from schema_version").fetchone()[0]
    for n, script in schema.scripts_after(name, known, str(path)):
        db.execute("begin immediate")
        for statement in schema.statements(script):
            db.execute(statement)
        db.execute("insert into schema_version values (?, ?)", (n, time.time_ns() // 1000))
        db.execute("commit")


def _close(process: _Process) -> None:
    """Close what *process* has open, in that process only."""
    if process.pid != os.getpid():
        return
    for db in (process.writer, process.reader):
        if db is not None:
            db.close()
    if process.lock >= 0:
        os.close(process.lock)
    process.writer = process.reader = None
    process.lock = -1
