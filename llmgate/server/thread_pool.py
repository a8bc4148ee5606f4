"""A thread pool that survives the platform's limit of threads.

`concurrent.futures` raises "can't start new thread" in the accept loop, which ends the worker. Here
a few threads are started ahead of need. When the platform refuses one more, those that run are the
limit for a while: requests wait for them, and `limit` reports how many there are.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any

RETRY_SECONDS = 5.0  # until more threads are tried again

_Task = tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]


class ThreadPool:
    """Runs calls in at most *most* threads, *spare* of which are started ahead of need."""

    def __init__(self, most: int, spare: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._spare, self._clock = most, spare, clock
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0  # tasks that run or wait
        self._retry_at: float | None = None  # None: the platform has refused no thread

    @property
    def limit(self) -> int:
        """Return how many threads there can be."""
        return self._most if self._retry_at is None else self._threads

    def submit(self, function: Callable[..., Any], *args: Any) -> Future[Any]:
        """Run *function* soon; raises RuntimeError if there is no thread and none can start."""
        future: Future[Any] = Future()
        with self._lock:
            self._busy += 1
            wanted = min(self._most, self._busy + self._spare)
        for _ in range(min(2, wanted - self._threads)):
            self._start_thread()
        self._tasks.put((future, function, args))
        return future

    def shutdown(self, wait: bool = False) -> None:
        """End threads that are idle, and the others after their task; *wait* is ignored."""
        for _ in range(self._threads):
            self._tasks.put(None)

    def _start_thread(self) -> None:
        """Start a thread unless the platform refuses it, or did so a short time ago."""
        if self._retry_at is not None and self._clock() < self._retry_at:
            return
        try:
            threading.Thread(target=self._run, name="llmgate-request", daemon=True).start()
        except (RuntimeError, MemoryError):
            if not self._threads:
                with self._lock:
                    self._busy -= 1
                raise
            self._retry_at = self._clock() + RETRY_SECONDS
        else:
            self._threads += 1
            self._retry_at = None

    def _run(self) -> None:
        """Run tasks until `shutdown`."""
        while (task := self._tasks.get()) is not None:
            future, function, args = task
            try:
                result = function(*args)
            except (Exception, SystemExit) as error:  # the outermost handler of this thread
                self._done()
                future.set_exception(error)
            else:
                self._done()
                future.set_result(result)
            del task, future, function, args  # else the last request stays in memory

    def _done(self) -> None:
        """Count a task as done, before its future's callbacks submit another."""
        with self._lock:
            self._busy -= 1
