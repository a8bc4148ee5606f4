"""What the stores need of a database, and grouped commits: one transaction serves many threads.

The thread that finds the writer free commits its own work together with that of every thread that
waits: under load one fsync serves many, and no thread of its own is needed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from typing import Generic
from typing import Protocol
from typing import TypeVar

T = TypeVar("T")

_LARGEST_GROUP = 64  # works in one transaction


class Unavailable(Exception):
    """The store cannot be used now; the message names it and the remedy."""


class TooSlow(Exception):
    """A read did not end within the seconds that this database gives it."""


class Refused(Exception):
    """What a work raises that has changed nothing: the others of its transaction go on."""


class Rows(Protocol):
    """What a statement returns."""

    @property
    def rowcount(self) -> int:
        """Return how many rows the statement changed."""

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""

    def fetchall(self) -> list[Any]:
        """Return the other rows."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the other rows."""


class Connection(Protocol):
    """Runs statements in the SQL that all databases share; each parameter is a `?`."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Rows:
        """Run the statement *sql*."""


class Database(Protocol):
    """Where rows are; all but `exists` and `close` raise Unavailable."""

    def exists(self) -> bool:
        """Return whether anything was ever stored."""

    def write(self, work: Callable[[Connection], T]) -> T:
        """Return what *work* returns, once what it wrote is committed.

        What *work* raises is raised here, and what it wrote is undone. It may be run again.
        """

    def read(self, work: Callable[[Connection], T]) -> T:
        """Return what *work* reads. Raises TooSlow where a limit is set."""

    def version(self) -> int:
        """Return a number that differs after any change by any process."""

    def sync(self) -> None:
        """Let what is committed outlive a failure of the machine, if commits alone do not."""

    def close(self) -> None:
        """Close what this process has open."""


class Job(Generic[T]):
    """One thread's work: run inside a transaction with others, kept until that is committed."""

    def __init__(self, work: Callable[[Connection], T]) -> None:
        self._work = work
        self._results: list[T] = []
        self.error: BaseException | None = None
        self.is_done = False

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Keep an error of the work for the thread that submitted it."""
        self.error = error
        return isinstance(error, Exception)

    def run(self, db: Connection) -> bool:
        """Do the work; return whether what it wrote can be committed."""
        with self:
            self._results = [self._work(db)]
        return self.error is None or isinstance(self.error, Refused)

    def result(self) -> T:
        """Return what the work returned, or raise what it raised."""
        error, self.error = self.error, None
        if error is not None:
            raise error
        return self._results[0]


class Group:
    """The works of one process that wait for a commit."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[Job[Any]] = deque()

    def run(self, work: Callable[[Connection], T], commit: Callable[[list[Job[Any]]], None]) -> T:
        """Return what *work* returns once *commit*, here or in another thread, was given it."""
        job = Job(work)
        self._waiting.append(job)
        while not job.is_done:
            with self._mutex:
                if not job.is_done:
                    self._commit(commit)
        return job.result()

    def _commit(self, commit: Callable[[list[Job[Any]]], None]) -> None:
        """Give *commit* what waits."""
        number = min(_LARGEST_GROUP, len(self._waiting))
        jobs = [self._waiting.popleft() for _ in range(number)]
        failure: Exception | None = Unavailable("the transaction was not committed")
        try:
            commit(jobs)
            failure = None
        except Unavailable as error:
            failure = error
        finally:
            for job in jobs:
                job.error = failure or job.error
                job.is_done = True


def run(db: Connection, begin: str, jobs: list[Job[Any]], failures: type[Exception]) -> None:
    """Run *jobs* in one transaction; raises those of their errors that are *failures* of *db*."""
    db.execute(begin)
    if not all(job.run(db) for job in jobs):  # rare: again, each apart from the others
        db.execute("rollback")
        db.execute(begin)
        for job in jobs:
            _run_apart(db, job, failures)
    db.execute("commit")


def _run_apart(db: Connection, job: Job[Any], failures: type[Exception]) -> None:
    """Run *job*; what it wrote is undone if it raises."""
    db.execute("savepoint job")
    if not job.run(db):
        if isinstance(job.error, failures):
            raise job.error
        db.execute("rollback to savepoint job")
    db.execute("release savepoint job")
