"""Connections per worker, so that the worker with the fewest accepts the next one.

Linux wakes every worker that waits on a listening socket, and the first accepts everything in the
backlog: persistent connections then stay with one process while the other idles. The counts are in
memory that the master maps before it forks.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

_SLOTS = 64
_YIELD_SECONDS = 0.002  # that a busier worker waits


class AcceptBalance:
    """The connections of each worker, by its age (gunicorn's serial number of workers)."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, _SLOTS * 4)).cast("I")  # 0: does not accept

    def record(self, age: int, connections: int | None) -> None:
        """Record that the worker of *age* has *connections*; None: it no longer accepts."""
        self._counts[age % _SLOTS] = 0 if connections is None else connections + 1

    def is_busier(self, age: int, connections: int) -> bool:
        """Return whether another worker than that of *age* accepts and has fewer *connections*."""
        own = age % _SLOTS
        return any(0 < count <= connections for at, count in enumerate(self._counts) if at != own)

    def yield_to_others(
        self, age: int, connections: int, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Wait briefly if another worker has fewer connections, so that it accepts first."""
        if self.is_busier(age, connections):
            sleep(_YIELD_SECONDS)


CONNECTIONS = AcceptBalance()
"""The connections of this master's workers."""
