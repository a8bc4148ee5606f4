"""What the workers of one machine know together: who was used how often, and who rests.

A `Memory` is one process's own; a `File` is shared by SQLite, and as good as a `Memory` where the
file cannot be used. Both count in windows of a minute: in no 60 seconds is a limit exceeded.
"""

from __future__ import annotations

import atexit
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
from typing import NamedTuple
from typing import Protocol
from typing import TypeVar

T = TypeVar("T")

WINDOW = 60
"""Seconds that requests and tokens are counted over."""

_LOG = logging.getLogger("llmgate")


class Most(NamedTuple):
    """Limits of a minute; None: there is none."""

    requests: int | None = None
    tokens: int | None = None


class Store(Protocol):
    """Counts and rests, by the ids of deployments; *now* is in seconds since the epoch."""

    def take(self, name: str, most: Most, tokens: int, now: float) -> float:
        """Count a request of *tokens* and return 0, or return the seconds until there is room."""

    def add(self, name: str, tokens: int, now: float) -> None:
        """Count more *tokens*, or fewer."""

    def used(self, name: str, now: float) -> tuple[int, int]:
        """Return the requests and tokens of the last minute."""

    def rest(self, name: str, until: float) -> None:
        """Note that *name* rests; an earlier end of it is forgotten."""

    def resting(self) -> Mapping[str, float]:
        """Return who rests until when."""


class _Bucket:
    """What was used in one second."""

    def __init__(self, second: int) -> None:
        self.second = second
        self.requests = 0
        self.tokens = 0


class Memory:
    """Counts of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, list[_Bucket]] = {}
        self._rests: dict[str, float] = {}

    def take(self, name: str, most: Most, tokens: int, now: float) -> float:
        with self._lock:
            rows = [(b.second, b.requests, b.tokens) for b in self._kept(name, now)]
            wait = waiting(rows, most, tokens, now)
            if wait == 0:
                bucket = self._bucket(name, now)
                bucket.requests += 1
                bucket.tokens += tokens
            return wait

    def add(self, name: str, tokens: int, now: float) -> None:
        with self._lock:
            self._kept(name, now)
            self._bucket(name, now).tokens += tokens

    def used(self, name: str, now: float) -> tuple[int, int]:
        with self._lock:
            kept = self._kept(name, now)
            return sum(b.requests for b in kept), sum(b.tokens for b in kept)

    def rest(self, name: str, until: float) -> None:
        with self._lock:
            self._rests[name] = max(until, self._rests.get(name, until))

    def resting(self) -> Mapping[str, float]:
        with self._lock:
            return dict(self._rests)

    def _kept(self, name: str, now: float) -> list[_Bucket]:
        """Return the buckets of *name* that still count, and forget the others."""
        buckets = self._buckets.setdefault(name, [])
        while buckets and buckets[0].second < int(now) - WINDOW:
            buckets.pop(0)
        return buckets

    def _bucket(self, name: str, now: float) -> _Bucket:
        """Return the bucket of this second."""
        buckets = self._buckets[name]
        if not buckets or buckets[-1].second < int(now):
            buckets.append(_Bucket(int(now)))
        return buckets[-1]


def waiting(rows: list[tuple[int, int, int]], most: Most, tokens: int, now: float) -> float:
    """Return the seconds until *rows* (second, requests, tokens) leave room, 0 if they do.

    A request that is larger than the limit waits for an empty minute, or it would wait for ever.
    """
    requests = sum(row[1] for row in rows)
    used = sum(row[2] for row in rows)
    needed = tokens if most.tokens is None else min(tokens, most.tokens)
    wait = 0.0
    for second, freed_requests, freed_tokens in rows:
        if _fits(requests, used + needed, most):
            return wait
        requests, used = requests - freed_requests, used - freed_tokens
        wait = max(0.001, second + WINDOW + 1 - now)
    return wait if _fits(requests, used + needed, most) else float(WINDOW)


def _fits(requests: int, tokens: int, most: Most) -> bool:
    """Return whether one request more than *requests*, and so many *tokens*, are within *most*."""
    within = most.requests is None or requests < most.requests
    return within and (most.tokens is None or tokens <= most.tokens)


_PATIENCE = 1.0  # seconds that another process may hold the file
_TABLES = """
create table if not exists used (
    name text, second integer, requests integer, tokens integer, primary key (name, second)
) without rowid;
create table if not exists rests (name text primary key, until real) without rowid;
"""


class File:
    """Counts of all processes that open the file at *path*, made when it is first needed.

    `owned`: it goes when the process ends that has made this object.
    """

    def __init__(self, path: str, owned: bool = False) -> None:
        self._path = path
        self._lock = threading.Lock()  # one writer for each process: SQLite's own wait is unfair
        self._opened: tuple[int, sqlite3.Connection] | None = None
        self._memory = Memory()
        self._failing = False
        if owned:
            atexit.register(_removed, path, os.getpid())

    def take(self, name: str, most: Most, tokens: int, now: float) -> float:
        def taken(db: sqlite3.Connection) -> float:
            db.execute("begin immediate")
            rows = db.execute(_ROWS, (name, int(now) - WINDOW)).fetchall()
            wait = waiting(rows, most, tokens, now)
            if wait == 0:
                db.execute(_COUNTED, (name, int(now), 1, tokens))
                db.execute("delete from used where second < ?", (int(now) - 2 * WINDOW,))
            db.execute("commit")
            return wait

        return self._done(taken, lambda: self._memory.take(name, most, tokens, now))

    def add(self, name: str, tokens: int, now: float) -> None:
        def added(db: sqlite3.Connection) -> None:
            db.execute(_COUNTED, (name, int(now), 0, tokens))

        self._done(added, lambda: self._memory.add(name, tokens, now))

    def used(self, name: str, now: float) -> tuple[int, int]:
        def found(db: sqlite3.Connection) -> tuple[int, int]:
            rows = db.execute(_ROWS, (name, int(now) - WINDOW)).fetchall()
            return sum(row[1] for row in rows), sum(row[2] for row in rows)

        return self._done(found, lambda: self._memory.used(name, now))

    def rest(self, name: str, until: float) -> None:
        self._memory.rest(name, until)
        self._done(lambda db: db.execute(_RESTED, (name, until)), lambda: None)

    def resting(self) -> Mapping[str, float]:
        if not os.path.exists(self._path):
            return self._memory.resting()
        return self._done(
            lambda db: dict(db.execute("select name, until from rests").fetchall()),
            self._memory.resting,
        )

    def _done(self, asked: Callable[[sqlite3.Connection], T], otherwise: Callable[[], T]) -> T:
        """Return what *asked* makes of the database, or *otherwise*() if it cannot be used."""
        with self._lock:
            try:
                done = asked(self._connection())
            except (sqlite3.Error, OSError) as error:
                self._failed(error)
            else:
                self._failing = False
                return done
        return otherwise()

    def _connection(self) -> sqlite3.Connection:
        """Return this process's connection; one from before a fork is not used."""
        if self._opened is None or self._opened[0] != os.getpid():
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            db = sqlite3.connect(
                self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
            )
            db.execute("pragma journal_mode = wal")
            db.execute("pragma synchronous = off")  # of no worth after a crash of the machine
            db.executescript(_TABLES)
            self._opened = (os.getpid(), db)
            # not __del__: of what goes in a cycle SQLite's own may be the first, and it complains
            weakref.finalize(self, _closed, *self._opened)
        return self._opened[1]

    def _failed(self, error: Exception) -> None:
        """Note, once, that the file cannot be used."""
        if self._opened and self._opened[1].in_transaction:
            self._opened[1].rollback()
        if not self._failing:
            _LOG.warning(
                "llmgate: warning: limits and cooldowns hold in each worker alone: %s: %s",
                self._path,
                error,
            )
        self._failing = True

    def close(self) -> None:
        """Close the connection of this process."""
        with self._lock:
            if self._opened:
                _closed(*self._opened)
            self._opened = None


def _closed(pid: int, db: sqlite3.Connection) -> None:
    """Close *db*, which the process *pid* has opened, in that process only."""
    if os.getpid() == pid:
        db.close()


def opened(path: str | None) -> Store:
    """Return the store at *path*; `off`: that of this process, None: a file of this run alone."""
    if path == "off":
        return Memory()
    if path:
        return File(path)
    name = f"llmgate-{os.getpid()}-{secrets.token_hex(8)}.db"
    return File(os.path.join(tempfile.gettempdir(), name), owned=True)


_ROWS = "select second, requests, tokens from used where name = ? and second >= ? order by second"
_COUNTED = """insert into used values (?, ?, ?, ?) on conflict do update
    set requests = requests + excluded.requests, tokens = tokens + excluded.tokens"""
_RESTED = """insert into rests values (?, ?) on conflict do update
    set until = max(until, excluded.until)"""


def _removed(path: str, pid: int) -> None:
    """Remove the file at *path* and its companions, in the process *pid* only."""
    if os.getpid() == pid:
        for suffix in ("", "-wal", "-shm"):
            Path(path + suffix).unlink(missing_ok=True)
