"""The time limit of a request, all its attempts included."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """The time by which a response must be complete; a stream must only have begun by then."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Return the remaining seconds, negative after the deadline."""
        return self._end - self._clock()

    def lift(self) -> None:
        """Remove the deadline: a stream has begun."""
        self._end = float("inf")
