"""Signs of life for clients whose upstream is silent: comments in a stream, spaces before JSON.

A router that hears nothing for 30 s gives up (Heroku's H12, and H15 after 55 s more). A request
waits in its thread; a second thread, the pulse, looks at all of them a few times a second and
writes for those that have been silent for too long. It may do so while the request's own thread
has laid down the *pen*: that is, while it waits for the upstream. So a stream that is never silent
pays for two locks an event, and a request without heartbeats for nothing.

The first beat commits the status: 200, with the headers known so far. What goes wrong after it is
told in the body.
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
    ("Cache-Control", "no-cache"),
    ("X-Accel-Buffering", "no"),
]
_OFF = ("off", "false", "no", "0")


class Times(NamedTuple):
    """When beats come, in seconds of silence; 0 turns them off."""

    first: float = 20.0  # of a stream
    every: float = 15.0  # after the one before
    whole: float = 25.0  # the first before an answer that is no stream


class Beat:
    """The signs of life of one request; it is the request's `start_response`, too."""

    def __init__(self, start_response: Any, times: Times) -> None:
        self.times = times
        self.committed = False  # the pulse has sent the head of the answer
        self.write_error: WriteError | None = None  # how a stream tells of an error
        self.headers: _Headers = []  # to be sent with the first beat
        self._start_response = start_response
        self._client = disconnect.current()
        self._write: Write | None = None
        self._ping = b""
        self._head: _Headers = []
        self._pen: Any = None  # None: no beats are wanted
        self._held = True  # the request's thread has the pen
        self._count = 0  # events that it wrote
        self._seen = 0  # of these by the pulse
        self._since = 0.0
        self._limit = 0.0  # seconds of silence until the next beat

    def start(self, status: str, headers: _Headers, exc_info: Any = None) -> Any:
        """Start the answer, as WSGI's start_response does, unless a beat has done so."""
        if self.settled():
            return self._write
        self._write = self._start_response(status, headers, exc_info)
        return self._write

    def expect(self, head: _Headers, ping: bytes, first: float) -> None:
        """Begin to beat if *first* seconds pass in silence."""
        if first <= 0 or self._pen is not None:
            return
        self._head, self._ping, self._limit = head, ping, first
        self._since = time.monotonic()
        self._pen = threading.Lock()
        self._held = False
        _pulse().add(self)

    def settled(self) -> bool:
        """Return whether the head of the answer has gone out; if not, it will not by a beat."""
        if not self._held:
            self._pen.acquire()
            self._held = True
        return self.committed

    def over(self, blocks: Iterable[bytes]) -> Iterable[bytes]:
        """Return *blocks*, whole events each, with beats between them where beats are wanted."""
        return self._over(blocks) if self._pen is not None and self.write_error else blocks

    def _over(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield *blocks*; the pen is down while one is waited for."""
        self.settled()
        down, up = self._pen.release, self._pen.acquire
        is_down = True
        down()
        try:
            for block in blocks:
                up()
                is_down = False
                self._count += 1
                yield block
                is_down = True
                down()
        finally:
            if is_down:
                up()

    def end(self) -> None:
        """Beat no more."""
        if self._pen is not None:
            self.settled()
            _pulse().remove(self)

    def tick(self, now: float, slack: float) -> None:
        """Beat if it is time; *slack* seconds are how late the next call may be."""
        if self._count != self._seen:
            self._seen, self._since, self._limit = self._count, now, self.times.every
            return
        if now + slack - self._since < self._limit or not self._pen.acquire(blocking=False):
            return
        try:
            if self._count == self._seen and self._is_writable():
                self._beat()
                self._since, self._limit = now, self.times.every
        except (OSError, AssertionError):  # the client is gone: its own thread will be told
            self._since, self._limit = now, self.times.every
        finally:
            self._pen.release()

    def _is_writable(self) -> bool:
        """Return whether a beat can be written without waiting for the client to read."""
        if self._client is None:
            return True
        poll = disconnect.native("select").poll()
        poll.register(self._client.fd, select.POLLOUT)
        return bool(poll.poll(0))

    def _beat(self) -> None:
        """Write a sign of life, after the head if that has not gone out."""
        if self._write is None:
            self._write = self._start_response("200 OK", [*self._head, *self.headers])
            self.committed = True
        self._write(self._ping)


_CURRENT: ContextVar[Beat | None] = ContextVar("llmgate_beat", default=None)


def begin(beat: Beat | None) -> None:
    """Note that *beat* belongs to the request that this thread serves from now on."""
    _CURRENT.set(beat)


def current() -> Beat | None:
    """Return the beat of the request that this thread serves."""
    return _CURRENT.get()


def asked(header: str | None, times: Times) -> Times:
    """Return when beats come if the client says *header*: off, or seconds until the first one."""
    if header is None:
        return times
    if header.strip().lower() in _OFF:
        return Times(0, 0, 0)
    try:
        seconds = float(header)
    except ValueError:
        return times
    return Times(seconds, times.every or seconds, seconds) if 1 <= seconds <= 600 else times


def stream(operation: str, write_error: WriteError) -> None:
    """Let comments (pings, where the wire has them) go out while a stream is silent."""
    beat = _CURRENT.get()
    if beat:
        beat.write_error = write_error
        beat.expect(_STREAM, _PINGS.get(operation, _COMMENT), beat.times.first)


def whole() -> None:
    """Let spaces go out while a JSON answer does not come."""
    beat = _CURRENT.get()
    if beat:
        beat.expect(_JSON, _SPACE, beat.times.whole)


def named(request_id: str) -> None:
    """Let the first beat tell the client the name of its request."""
    beat = _CURRENT.get()
    if beat:
        beat.headers = [("x-request-id", request_id)]


def written(error: errors.GateError) -> bytes:
    """Return *error* as the stream tells it that a beat has begun; empty if none has."""
    beat = _CURRENT.get()
    return beat.write_error(error) if beat and beat.settled() and beat.write_error else b""


def end() -> None:
    """Beat no more for this request, and forget who asked."""
    beat = _CURRENT.get()
    if beat:
        beat.end()
        _CURRENT.set(None)


def over(blocks: Iterable[bytes]) -> Iterable[bytes]:
    """Return *blocks*, whole events each, with beats between them where beats are wanted."""
    beat = _CURRENT.get()
    return beat.over(blocks) if beat else blocks


class _Pulse:
    """The thread that beats for all; under gevent it is a greenlet, as the requests are."""

    def __init__(self) -> None:
        self._beats: set[Beat] = set()
        self._pause = 1.0
        self._known: tuple[Times, ...] = ()  # that the pause is short enough for
        self._thread: threading.Thread | None = None

    def add(self, beat: Beat) -> None:
        """Look after *beat* from now on."""
        if beat.times not in self._known:
            self._known = (*self._known[-9:], beat.times)
            shortest = min(time for time in beat.times if time > 0)
            self._pause = min(self._pause, max(shortest / 10, _SHORTEST_PAUSE))
        self._beats.add(beat)
        if self._thread is None:
            with _MAKING:
                self._begin()

    def _begin(self) -> None:
        """Start the thread, once its first pause is known."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="llmgate-pulse", daemon=True)
            self._thread.start()

    def remove(self, beat: Beat) -> None:
        """Look after *beat* no more."""
        self._beats.discard(beat)

    def _run(self) -> None:
        """Tick for ever."""
        while True:
            time.sleep(self._pause)
            now = time.monotonic()
            for beat in list(self._beats):
                beat.tick(now, 2 * self._pause)


_PULSES: list[_Pulse] = []  # one, made by the first request: threads do not live through a fork
_MAKING = threading.Lock()


def _pulse() -> _Pulse:
    """Return this process's pulse."""
    if not _PULSES:
        with _MAKING:
            if not _PULSES:
                _PULSES.append(_Pulse())
    return _PULSES[0]
