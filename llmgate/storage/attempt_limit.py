"""A limit of attempts per name that the workers of one machine share, in a fixed piece of memory.

The master maps it before it forks. There is no lock: two workers that count in the same instant may
count one attempt instead of two.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import time
from collections.abc import Callable

_SLOT = struct.Struct("=8sd")  # the name's hash; when its allowance is complete again
_REPORT = struct.Struct("=dI")  # when the last report was due; refused attempts since then
_NEIGHBOURS = 4  # slots in which a name may be


class AttemptLimit:
    """Admits *burst* attempts of a name at once, then one each *interval* seconds.

    That is the generic cell rate algorithm: a slot holds one number. A table of *slots* names
    forgets first those whose allowance is complete soonest.
    """

    def __init__(
        self,
        burst: int,
        interval: float,
        slots: int = 4096,
        clock: Callable[[], float] = time.monotonic,  # one clock for all processes of a machine
    ) -> None:
        self._tolerance, self._interval, self._clock = (burst - 1) * interval, interval, clock
        self._groups = slots // _NEIGHBOURS
        self._memory = mmap.mmap(-1, self._groups * _NEIGHBOURS * _SLOT.size + _REPORT.size)
        self._secret = os.urandom(16)  # so that no one can choose names of the same slots

    def attempt(self, name: str) -> float:
        """Count an attempt of *name*; return the seconds until it is allowed, 0: now."""
        now, (at, digest, complete) = self._clock(), self._find(name)
        wait = complete - self._tolerance - now
        if wait > 0:
            return wait
        _SLOT.pack_into(self._memory, at, digest, max(now, complete) + self._interval)
        return 0.0

    def wait(self, name: str) -> float:
        """Return the seconds until an attempt of *name* is allowed, 0: now; count nothing."""
        return max(0.0, self._find(name)[2] - self._tolerance - self._clock())

    def refused_to_report(self, every: float) -> int | None:
        """Count a refused attempt; once in *every* seconds, return how many there were."""
        at, now = self._groups * _NEIGHBOURS * _SLOT.size, self._clock()
        last, count = _REPORT.unpack_from(self._memory, at)
        is_due = not last or now - last >= every
        _REPORT.pack_into(self._memory, at, now if is_due else last, 0 if is_due else count + 1)
        return count + 1 if is_due else None

    def _find(self, name: str) -> tuple[int, bytes, float]:
        """Return the place of *name*, its hash, and when its allowance is complete."""
        digest = hashlib.blake2b(name.encode(), digest_size=8, key=self._secret).digest()
        first = int.from_bytes(digest) % self._groups * _NEIGHBOURS
        places = [(first + n) * _SLOT.size for n in range(_NEIGHBOURS)]
        found = [(*_SLOT.unpack_from(self._memory, at), at) for at in places]
        for held, complete, at in found:
            if held == digest:
                return at, digest, complete
        _, _, at = min(found, key=lambda slot: slot[1])
        return at, digest, 0.0
