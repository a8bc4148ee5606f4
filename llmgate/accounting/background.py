"""A bounded queue in front of a thread, for work that must not hold up a request."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import threading
from collections.abc import Callable
from typing import Any
from typing import Generic
from typing import TypeVar

from llmgate.inbound import disconnect

T = TypeVar("T")

LIMIT = 10_000
"""Items that may wait; what comes then is dropped, and counted."""

_LOGGER = logging.getLogger("llmgate")


class BackgroundQueue(Generic[T]):
    """Gives items to *handle* in a thread of this process, in order.

    Under gevent it is a real thread: one that blocks does not stop the loop. *handle* must not
    raise. The thread starts with the first item, so that it is there after a fork.
    """

    def __init__(self, handle: Callable[[T], None], limit: int = LIMIT) -> None:
        self._handle, self._limit = handle, limit
        self._items: collections.deque[T] = collections.deque()
        self._starting = threading.Lock()
        self._pid = 0
        self._ready: Any = None  # a lock that is held while there is nothing to do
        self._busy = False
        self.dropped = 0

    def put(self, item: T) -> bool:
        """Append *item*; returns whether there was room for it."""
        if len(self._items) >= self._limit:
            if not self.dropped:
                _LOGGER.error("llmgate: a queue of %d records is full; dropping", self._limit)
            self.dropped += 1
            return False
        self._items.append(item)
        if self._pid == os.getpid() or self._start():
            self._wake()
        return True

    def flush(self, seconds: float) -> bool:
        """Wait at most *seconds* for the queue to be empty; returns whether it is."""
        clock, sleep = disconnect.native("time").monotonic, threading.Event().wait
        end = clock() + seconds
        while (self._items or self._busy) and clock() < end:
            sleep(0.01)
        return not self._items and not self._busy

    def _start(self) -> bool:
        """Start the thread of this process; return False if the system has none: items wait."""
        with self._starting:
            if self._pid == os.getpid():
                return True
            native = disconnect.native("_thread")
            self._ready = native.allocate_lock()
            self._ready.acquire()
            with contextlib.suppress(RuntimeError, MemoryError):
                native.start_new_thread(self._run, ())
                self._pid = os.getpid()
            return self._pid == os.getpid()

    def _wake(self) -> None:
        """Let the thread look at the queue."""
        try:
            self._ready.release()
        except RuntimeError:  # it is awake
            return

    def _run(self) -> None:
        while True:
            self._ready.acquire()
            self._busy = True
            while self._items:
                self._handle(self._items.popleft())
            self._busy = False
