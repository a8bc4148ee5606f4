"""A circuit breaker: after a failure the store is not tried again for some seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

OPEN_SECONDS = 5.0


class Breaker:
    """Whether a store may be used: without it each request would wait for the failed store."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._open_until = 0.0
        self._has_failed = False

    def is_open(self) -> bool:
        """Return whether the store failed a short time ago."""
        return self._has_failed and self._clock() < self._open_until

    def failed(self) -> bool:
        """Open the breaker; return whether this is the first failure since the last success."""
        is_first, self._has_failed = not self._has_failed, True
        self._open_until = self._clock() + OPEN_SECONDS
        return is_first

    def succeeded(self) -> bool:
        """Close the breaker; return whether the store had failed before."""
        had_failed, self._has_failed = self._has_failed, False
        return had_failed
