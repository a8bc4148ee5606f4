"""The minimum rate at which a client must send the body of its request.

A read timeout alone lets a client that sends a byte every few seconds hold a thread for hours
(slowloris).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from typing import NamedTuple


class MinimumRate(NamedTuple):
    """How long a body may take."""

    grace: float  # seconds that any body may take
    rate: float  # bytes per second beyond the grace
    longest: float  # seconds in total

    def allowed(self, received: int) -> float:
        """Return the seconds that a body may have taken once *received* bytes have arrived."""
        return min(self.longest, self.grace + received / self.rate)


class RateCheckedSocket:
    """A client's socket; reading a body from it fails below the *minimum* rate."""

    def __init__(
        self,
        sock: Any,
        minimum: MinimumRate,
        interim: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send *interim* (100 Continue) when the body is first read."""
        self._sock = sock
        self._minimum = minimum
        self._interim = interim
        self._clock = clock
        self._started: float | None = None
        self._received = 0

    def recv(self, size: int) -> bytes:
        """Return at most *size* bytes; raises TimeoutError if the body arrives too slowly."""
        if self._started is None:
            self._started = self._clock()
            if self._interim:
                self._sock.sendall(self._interim)
        data: bytes = self._sock.recv(size)
        self._received += len(data)
        elapsed = self._clock() - self._started
        if data and elapsed > self._minimum.allowed(self._received):
            raise TimeoutError(
                f"the client sent {self._received} bytes of its body in {elapsed:.0f} s"
            )
        return data

    def __getattr__(self, name: str) -> Any:
        """Return the socket's other attributes."""
        return getattr(self._sock, name)


@contextmanager
def enforced(unreader: Any, minimum: MinimumRate, interim: bytes = b"") -> Iterator[None]:
    """Check gunicorn's *unreader* against the *minimum* rate while one request is answered.

    *interim* is sent to the client when the body is first read.
    """
    sock = getattr(unreader, "sock", None)
    if sock is None:
        yield
        return
    unreader.sock = RateCheckedSocket(sock, minimum, interim)
    try:
        yield
    finally:
        unreader.sock = sock
