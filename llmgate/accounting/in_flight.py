"""The requests that each worker is answering, in memory shared with the master.

A worker that is killed (SIGKILL, out of memory) cannot log its requests. Each admitted request has
a slot in a table that the master maps before it forks; when a worker has died the master logs what
it finds there. Only the pages in use cost memory.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from collections.abc import Iterator
from typing import Any

_WORKERS = 64  # that live at a time; a worker's region is that of its age modulo this
_SLOTS = 4096  # of a worker; the first holds how many of the others were ever used
_SIZE = 256  # bytes of a slot: a length, then texts with zeros between them
_REGION = _SLOTS * _SIZE
_LENGTH = struct.Struct("=H")


class InFlight:
    """The table; `attach` chooses the region of this process."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _WORKERS * _REGION)
        self._start = 0
        self._free: list[int] = []
        self._slots: dict[object, int] = {}
        self._highest = 0

    def attach(self, age: int) -> None:
        """Use the region of the worker of *age* in this process."""
        self._start = age % _WORKERS * _REGION
        self._free = list(range(1, _SLOTS))[::-1]  # the lowest first: fewer pages
        self._slots = {}
        self._highest = 0
        _LENGTH.pack_into(self._memory, self._start, 0)

    def detach(self) -> None:
        """Note nothing in this process, which a worker has forked."""
        self._free = []

    def add(self, request: object, *described: str) -> None:
        """Note that *request* is being answered; *described*: its id, endpoint and key."""
        if not self._free:
            return
        slot = self._free.pop()
        self._slots[request] = slot
        if slot > self._highest:
            self._highest = slot
            _LENGTH.pack_into(self._memory, self._start, slot)
        texts = [text[:60] for text in described]
        data = "\0".join((str(time.time()), *texts)).encode()[: _SIZE - _LENGTH.size]
        at = self._start + slot * _SIZE
        self._memory[at + _LENGTH.size : at + _LENGTH.size + len(data)] = data
        _LENGTH.pack_into(self._memory, at, len(data))  # last: it makes the slot valid

    def remove(self, request: object) -> None:
        """Note that *request* is complete."""
        slot = self._slots.pop(request, None)
        if slot is not None:
            _LENGTH.pack_into(self._memory, self._start + slot * _SIZE, 0)
            self._free.append(slot)

    def running(self) -> int:
        """Return how many requests the workers are answering."""
        found = 0
        for start in range(0, _WORKERS * _REGION, _REGION):
            (highest,) = _LENGTH.unpack_from(self._memory, start)
            for slot in range(1, highest + 1):
                found += _LENGTH.unpack_from(self._memory, start + slot * _SIZE)[0] > 0
        return found

    def lost(self, age: int) -> Iterator[dict[str, Any]]:
        """Yield and remove the requests that the worker of *age*, which has ended, left behind."""
        start = age % _WORKERS * _REGION
        (highest,) = _LENGTH.unpack_from(self._memory, start)
        for slot in range(1, highest + 1):
            at = start + slot * _SIZE
            (length,) = _LENGTH.unpack_from(self._memory, at)
            if length:
                _LENGTH.pack_into(self._memory, at, 0)
                yield _described(self._memory[at + _LENGTH.size : at + _LENGTH.size + length])


def _described(data: bytes) -> dict[str, Any]:
    """Return the request in a slot; one that was cut keeps what can be read."""
    started, *texts = data.decode(errors="replace").split("\0")
    request_id, endpoint, key, *_ = *texts, "", "", ""
    return {
        "started": float(started),
        "request_id": request_id or None,
        "endpoint": endpoint or None,
        "caller": key or None,
    }


TABLE = InFlight()
"""The table of this master and its workers."""
os.register_at_fork(after_in_child=TABLE.detach)
