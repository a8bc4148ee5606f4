"""Keep-alives while an upstream is idle: comments or pings in a stream, spaces before JSON.

A router that receives nothing for 30 s ends the request (Heroku's H12, and H15 after 55 s more). A
request waits in its own thread; a second thread, the scheduler, checks all requests a few times a
second and writes for those that have been idle for too long. It may write only while the request's
thread does not hold the *write lock*, that is, while it waits for the upstream. So a stream that is
never idle pays for two lock operations per event, and a request without keep-alives for nothing.

The first keep-alive commits the status: 200, with the headers known so far. An error after it is
reported in the body.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.inbound import disconnect

WriteError = Callable[[errors.GateError], bytes]
Write = Callable[[bytes], object]
_Headers = list[tuple[str, str]]
_SHORTEST_PAUSE = 0.02
_SPACE = b" "
_COMMENT = b": keepalive\n\n"
_PINGS = {
    "messages": b'event: ping\ndata: {"type": "ping"}\n\n',
    "generate": b"\n\n",  # google-genai takes comments for JSON
}
_JSON: _Headers = [("Content-Type", "application/json")]
_STREAM: _Headers = [
    ("Content-Type", "text/event-stream; charset=utf-8"),
    ("Cache-Control", "no-cache, no-transform"),
    ("X-Accel-Buffering", "no"),
]
_OFF = ("off", "false", "no", "0")


class Times(NamedTuple):
    """Idle seconds before a keep-alive; 0 turns them off."""

    first: float = 20.0  # of a stream
    every: float = 15.0  # after the previous one
    whole: float = 25.0  # before a response that is not a stream


class KeepAlive:
    """The keep-alives of one request; `start` is the request's `start_response`."""

    def __init__(self, start_response: Any, times: Times) -> None:
        self.times = times
        self.committed = False  # the scheduler has sent the head of the response
        self.write_error: WriteError | None = None  # formats an error as an event of the stream
        self.headers: _Headers = []  # sent with the first keep-alive
        self._start_response = start_response
        self._client = disconnect.current()
        self._write: Write | None = None
        self._ping = b""
        self._head: _Headers = []
        self._write_lock: Any = None  # None: no keep-alives
        self._owns_lock = True  # the request's thread holds the write lock
        self._count = 0  # events written by the request's thread
        self._seen = 0  # of these, seen by the scheduler
        self._since = 0.0
        self._limit = 0.0  # idle seconds until the next keep-alive

    def start(self, status: str, headers: _Headers, exc_info: Any = None) -> Any:
        """Start the response, as WSGI's start_response does, unless a keep-alive has."""
        if self.is_committed():
            return self._write
        self._write = self._start_response(status, headers, exc_info)
        return self._write

    def expect(self, head: _Headers, ping: bytes, first: float) -> None:
        """Send keep-alives once *first* seconds have passed without data."""
        if first <= 0 or self._write_lock is not None:
            return
        self._head, self._ping, self._limit = head, ping, first
        self._since = time.monotonic()
        self._write_lock = threading.Lock()
        self._owns_lock = False
        _scheduler().add(self)

    def is_committed(self) -> bool:
        """Return whether a keep-alive has sent the head; the caller then holds the write lock."""
        if not self._owns_lock:
            self._write_lock.acquire()
            self._owns_lock = True
        return self.committed

    def wrap(self, blocks: Iterable[bytes]) -> Iterable[bytes]:
        """Return *blocks*, each of whole events, with keep-alives between them if requested."""
        return (
            self._wrapped(blocks) if self._write_lock is not None and self.write_error else blocks
        )

    def _wrapped(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield *blocks*; the write lock is free while waiting for the next one."""
        self.is_committed()
        release, acquire = self._write_lock.release, self._write_lock.acquire
        is_free = True
        release()
        try:
            for block in blocks:
                acquire()
                is_free = False
                self._count += 1
                yield block
                is_free = True
                release()
        finally:
            if is_free:
                acquire()

    def stop(self) -> None:
        """Send no more keep-alives."""
        if self._write_lock is not None:
            self.is_committed()
            _scheduler().remove(self)

    def tick(self, now: float, slack: float) -> None:
        """Send a keep-alive if one is due; the next call may be *slack* seconds late."""
        if self._count != self._seen:
            self._seen, self._since, self._limit = self._count, now, self.times.every
            return
        if now + slack - self._since < self._limit or not self._write_lock.acquire(blocking=False):
            return
        try:
            if self._count == self._seen and self._is_writable():
                self._send()
                self._since, self._limit = now, self.times.every
        except (OSError, AssertionError):  # disconnected: its own thread will notice
            self._since, self._limit = now, self.times.every
        finally:
            self._write_lock.release()

    def _is_writable(self) -> bool:
        """Return whether a keep-alive can be written without waiting for the client to read."""
        if self._client is None:
            return True
        poll = disconnect.native("select").poll()
        poll.register(self._client.fd, select.POLLOUT)
        return bool(poll.poll(0))

    def _send(self) -> None:
        """Write a keep-alive, after the head if that has not been sent."""
        if self._write is None:
            self._write = self._start_response("200 OK", [*self._head, *self.headers])
            self.committed = True
        self._write(self._ping)


_CURRENT: ContextVar[KeepAlive | None] = ContextVar("llmgate_keepalive", default=None)


def begin(keep_alive: KeepAlive | None) -> None:
    """Set the keep-alives of this thread's request."""
    _CURRENT.set(keep_alive)


def current() -> KeepAlive | None:
    """Return the keep-alives of this thread's request."""
    return _CURRENT.get()


def times_from_header(header: str | None, times: Times) -> Times:
    """Return the times that *header* requests: off, or seconds until the first keep-alive."""
    if header is None:
        return times
    if header.strip().lower() in _OFF:
        return Times(0, 0, 0)
    try:
        seconds = float(header)
    except ValueError:
        return times
    return Times(seconds, times.every or seconds, seconds) if 1 <= seconds <= 600 else times


def expect_stream(operation: str, write_error: WriteError) -> None:
    """Send comments (pings, where the wire format has them) while a stream is idle."""
    keep_alive = _CURRENT.get()
    if keep_alive:
        keep_alive.write_error = write_error
        keep_alive.expect(_STREAM, _PINGS.get(operation, _COMMENT), keep_alive.times.first)


def expect_json() -> None:
    """Send spaces while a JSON response is pending."""
    keep_alive = _CURRENT.get()
    if keep_alive:
        keep_alive.expect(_JSON, _SPACE, keep_alive.times.whole)


def set_request_id(request_id: str) -> None:
    """Send *request_id* with the first keep-alive."""
    keep_alive = _CURRENT.get()
    if keep_alive:
        keep_alive.headers = [("x-request-id", request_id)]


def format_error(error: errors.GateError) -> bytes:
    """Return *error* as an event of a stream that a keep-alive has begun, else nothing."""
    keep_alive = _CURRENT.get()
    return (
        keep_alive.write_error(error)
        if keep_alive and keep_alive.is_committed() and keep_alive.write_error
        else b""
    )


def end() -> None:
    """Send no more keep-alives for this thread's request, and forget it."""
    keep_alive = _CURRENT.get()
    if keep_alive:
        keep_alive.stop()
        _CURRENT.set(None)


def wrap(blocks: Iterable[bytes]) -> Iterable[bytes]:
    """Return *blocks*, each of whole events, with keep-alives between them if requested."""
    keep_alive = _CURRENT.get()
    return keep_alive.wrap(blocks) if keep_alive else blocks


class _Scheduler:
    """The thread that sends all keep-alives; under gevent a greenlet, as the requests are."""

    def __init__(self) -> None:
        self._active: set[KeepAlive] = set()
        self._pause = 1.0
        self._known: tuple[Times, ...] = ()  # for which the pause is short enough
        self._thread: threading.Thread | None = None

    def add(self, keep_alive: KeepAlive) -> None:
        """Send keep-alives for *keep_alive*."""
        if keep_alive.times not in self._known:
            self._known = (*self._known[-9:], keep_alive.times)
            shortest = min(time for time in keep_alive.times if time > 0)
            self._pause = min(self._pause, max(shortest / 10, _SHORTEST_PAUSE))
        self._active.add(keep_alive)
        if self._thread is None:
            with _MAKING:
                self._begin()

    def _begin(self) -> None:
        """Start the thread, once its first pause is known."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="llmgate-keepalive", daemon=True)
            self._thread.start()

    def remove(self, keep_alive: KeepAlive) -> None:
        """Send no more keep-alives for *keep_alive*."""
        self._active.discard(keep_alive)

    def _run(self) -> None:
        """Check all requests, without end."""
        while True:
            time.sleep(self._pause)
            now = time.monotonic()
            for keep_alive in list(self._active):
                keep_alive.tick(now, 2 * self._pause)


_SCHEDULERS: list[_Scheduler] = []  # at most one, made by the first request: after the fork
_MAKING = threading.Lock()


def _scheduler() -> _Scheduler:
    """Return this process's scheduler."""
    if not _SCHEDULERS:
        with _MAKING:
            if not _SCHEDULERS:
                _SCHEDULERS.append(_Scheduler())
    return _SCHEDULERS[0]
