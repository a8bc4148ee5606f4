"""How many connections each worker has, so that the one with the fewest takes the next.

Linux wakes every worker that waits on a listening socket, and the first to come takes all that
wait there: kept connections then stay with one process while the other idles. The counts lie in
memory that the master makes before it forks.
"""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable

_PLACES = 64
_COURTESY = 0.002  # seconds that a fuller worker gives the others


class Counts:
    """The connections of each worker, by its age: the master counts those that it ever made."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, _PLACES * 4)).cast("I")  # 0: accepts none

    def note(self, age: int, connections: int | None) -> None:
        """Note how many *connections* the worker of *age* has; None: it accepts no more."""
        self._counts[age % _PLACES] = 0 if connections is None else connections + 1

    def is_fuller(self, age: int, connections: int) -> bool:
        """Return whether a worker beside that of *age* accepts, and has fewer *connections*."""
        own = age % _PLACES
        return any(0 < count <= connections for at, count in enumerate(self._counts) if at != own)

    def give_way(
        self, age: int, connections: int, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """Wait a moment if another worker has fewer connections, so that it may be first."""
        if self.is_fuller(age, connections):
            sleep(_COURTESY)


CONNECTIONS = Counts()
"""Those of this master's workers."""
