"""How slowly a client may send the body of its request: a little now and then is not enough.

A time-out of each read alone lets a client that sends a byte every few seconds hold a thread for
hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from typing import NamedTuple


class Pace(NamedTuple):
    """The least that is asked of a client."""

    grace: float  # seconds that any body may take
    rate: float  # bytes for which it is given a second more
    longest: float  # seconds in all

    def allowed(self, come: int) -> float:
        """Return the seconds that a body may have taken of which *come* bytes are here."""
        return min(self.longest, self.grace + come / self.rate)


class Paced:
    """A client's socket, from which a body is read at no less than a *pace*."""

    def __init__(self, sock: Any, pace: Pace, clock: Callable[[], float] = time.monotonic) -> None:
        self._sock = sock
        self._pace = pace
        self._clock = clock
        self._begun: float | None = None
        self._come = 0

    def recv(self, size: int) -> bytes:
        """Return what has come, at most *size* bytes; raises TimeoutError if it is too little."""
        if self._begun is None:
            self._begun = self._clock()
        data: bytes = self._sock.recv(size)
        self._come += len(data)
        took = self._clock() - self._begun
        if data and took > self._pace.allowed(self._come):
            raise TimeoutError(f"the client sent {self._come} bytes of its body in {took:.0f} s")
        return data

    def __getattr__(self, name: str) -> Any:
        """Return what else the socket has."""
        return getattr(self._sock, name)


@contextmanager
def paced(unreader: Any, pace: Pace) -> Iterator[None]:
    """Let gunicorn's *unreader* ask for a *pace* while one request is served."""
    sock = getattr(unreader, "sock", None)
    if sock is None:
        yield
        return
    unreader.sock = Paced(sock, pace)
    try:
        yield
    finally:
        unreader.sock = sock
