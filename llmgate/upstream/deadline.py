"""How long a request may take, all its attempts together."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """The moment by which an answer has to be there; a stream has only to begin by then."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end = clock() + seconds

    def left(self) -> float:
        """Return the seconds that are left, negative if it is past."""
        return self._end - self._clock()

    def lift(self) -> None:
        """Take it away: the answer has begun."""
        self._end = float("inf")
