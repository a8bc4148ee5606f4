"""Counters in an SQLite file, shared by all workers of a machine.

A file that cannot be used (locked, full, unreadable) must not hold up requests: the wait for its
lock is short, and after a failure a `MemoryStore` takes its place for some seconds.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
import sqlite3
import tempfile
import threading
import weakref
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from llmgate.storage.breaker import Breaker
from llmgate.storage.counters import WINDOW
from llmgate.storage.counters import MemoryStore
from llmgate.storage.counters import RateLimit
from llmgate.storage.counters import Store
from llmgate.storage.counters import seconds_until_room

T = TypeVar("T")

_LOG = logging.getLogger("llmgate")
_PATIENCE = 0.08  # seconds to wait while another process holds the file
_TABLES = """
create table if not exists used (
    name text, second integer, requests integer, tokens integer, primary key (name, second)
) without rowid;
create table if not exists rests (name text primary key, until real) without rowid;
create table if not exists boot (id text);
"""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ROWS = "select second, requests, tokens from used where name = ? and second >= ? order by second"
_ADD = """insert into used values (?, ?, ?, ?) on conflict do update
    set requests = requests + excluded.requests, tokens = tokens + excluded.tokens"""
_PRUNE = "delete from used where second < ?"
_START_COOLDOWN = """insert into rests values (?, ?) on conflict do update
    set until = max(until, excluded.until)"""


class SqliteStore:
    """A `Store` in the file at *path*, which is created when it is first needed.

    `owned`: the file is removed with this object, in the process that made it; if that is killed,
    by the next gateway that makes such a file.
    """

    def __init__(self, path: str, owned: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()  # one writer per process: SQLite's own wait is unfair
        self._opened: tuple[int, sqlite3.Connection] | None = None
        self._closing: Callable[[], object] = lambda: None  # of the connection
        self._owned = owned
        self._memory = MemoryStore()
        self._breaker = Breaker()
        if owned:
            weakref.finalize(self, _remove_own, path, os.getpid())

    def take(self, name: str, limit: RateLimit, tokens: int, now: float) -> float:
        def taken(db: sqlite3.Connection) -> float:
            db.execute("begin immediate")
            wait = seconds_until_room(_rows(db, name, now), limit, tokens, now)
            if wait == 0:
                db.execute(_ADD, (name, int(now), 1, tokens))
                db.execute(_PRUNE, (int(now) - 2 * WINDOW,))
            db.execute("commit")
            return wait

        return self._run(taken, lambda: self._memory.take(name, limit, tokens, now))

    def add(self, name: str, tokens: int, now: float) -> None:
        def added(db: sqlite3.Connection) -> None:
            db.execute(_ADD, (name, int(now), 0, tokens))

        self._run(added, lambda: self._memory.add(name, tokens, now))

    def used(self, name: str, now: float) -> tuple[int, int]:
        def found(db: sqlite3.Connection) -> tuple[int, int]:
            rows = _rows(db, name, now)
            return sum(row[1] for row in rows), sum(row[2] for row in rows)

        return self._run(found, lambda: self._memory.used(name, now))

    def start_cooldown(self, name: str, until: float) -> None:
        self._memory.start_cooldown(name, until)
        self._run(lambda db: db.execute(_START_COOLDOWN, (name, until)), lambda: None)

    def cooldowns(self) -> Mapping[str, float]:
        if not os.path.exists(self._path):
            return self._memory.cooldowns()
        return self._run(
            lambda db: dict(db.execute("select name, until from rests").fetchall()),
            self._memory.cooldowns,
        )

    def _run(self, action: Callable[[sqlite3.Connection], T], fallback: Callable[[], T]) -> T:
        """Return the result of *action*, or of *fallback* while the file cannot be used."""
        if self._breaker.is_open():
            return fallback()
        with self._lock:
            if not self._breaker.is_open():  # still: others may have failed while this one waited
                try:
                    result = action(self._connection())
                except OverflowError:  # a number of the client's, which no integer column holds
                    self._roll_back()
                    raise
                except (sqlite3.Error, OSError) as error:
                    self._failed(error)
                else:
                    if self._breaker.succeeded():
                        _LOG.warning(
                            "llmgate: limits and cooldowns are shared again: %s", self._path
                        )
                    return result
        return fallback()

    def _connection(self) -> sqlite3.Connection:
        """Return this process's connection; one from before a fork is not used."""
        if self._opened is None or self._opened[0] != os.getpid():
            lock = _in_use(self._path) if self._owned else -1
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(
                self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = off")  # worthless after a crash of the machine
            self._opened = (os.getpid(), db)
            # not __del__: in a cycle SQLite's own finalizer may run first, and it warns
            self._closing = weakref.finalize(self, _close, os.getpid(), db, lock)
            db.executescript(_TABLES)
            _drop_rows_of_other_boots(db)
        return self._opened[1]

    def _roll_back(self) -> None:
        """End a transaction that failed: the next could not begin."""
        if self._opened and self._opened[1].in_transaction:
            self._opened[1].rollback()

    def _failed(self, error: Exception) -> None:
        """Use memory for a while; log the first failure."""
        self._roll_back()
        if self._breaker.failed():
            _LOG.warning(
                "llmgate: warning: limits and cooldowns apply per worker, because %s cannot be"
                " used: %s",
                self._path,
                error,
            )

    def close(self) -> None:
        """Close the connection of this process."""
        with self._lock:
            self._closing()
            self._opened = None


def _rows(db: sqlite3.Connection, name: str, now: float) -> list[tuple[int, int, int]]:
    """Return the counts of *name* in the window."""
    found = db.execute(_ROWS, (name, int(now) - WINDOW))
    return [(second, requests, tokens) for second, requests, tokens in found]


def _drop_rows_of_other_boots(db: sqlite3.Connection) -> None:
    """Delete what was written before a reboot: the monotonic clock began again at 0."""
    boot_id = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    db.execute("begin immediate")
    if db.execute("select id from boot").fetchone() != (boot_id,):
        for table in ("used", "rests", "boot"):
            db.execute(f"delete from {table}")
        db.execute("insert into boot values (?)", (boot_id,))
    db.execute("commit")


def _close(pid: int, db: sqlite3.Connection, lock: int) -> None:
    """Close *db* and *lock* in the process *pid*, which opened them, and in no other."""
    if os.getpid() == pid:
        db.close()
        if lock >= 0:
            os.close(lock)


def open_store(path: str | None) -> Store:
    """Return the store at *path*; `off`: memory of this process, None: a file for this run."""
    if path == "off":
        return MemoryStore()
    if path:
        return SqliteStore(path)
    name = f"llmgate-{os.getpid()}-{secrets.token_hex(8)}.db"
    return SqliteStore(os.path.join(_temporary_folder(), name), owned=True)


def _temporary_folder() -> str:
    """Return where files may be written: in memory where no temporary directory is writable."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return "/dev/shm"


def _in_use(path: str) -> int:
    """Return a lock that shows that the file at *path* is in use; remove files that are not."""
    for other in Path(path).parent.glob("llmgate-*-*.db-lock"):
        if str(other) != f"{path}-lock":
            with contextlib.suppress(OSError):  # another user's
                _remove_abandoned(str(other).removesuffix("-lock"))
    while True:
        lock = os.open(f"{path}-lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_SH)
        if os.fstat(lock).st_nlink:  # else another process took it for abandoned
            return lock
        os.close(lock)


def _remove_abandoned(path: str) -> None:
    """Remove the file at *path* if no process uses it. Raises OSError."""
    lock = os.open(f"{path}-lock", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    finally:
        os.close(lock)


def _remove_own(path: str, pid: int) -> None:
    """Remove the file at *path* in the process *pid* only."""
    if os.getpid() == pid:
        _remove(path)


def _remove(path: str) -> None:
    """Remove the file at *path* and its companions."""
    for suffix in ("", "-wal", "-shm", "-lock"):
        Path(path + suffix).unlink(missing_ok=True)
