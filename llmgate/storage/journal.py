"""Files with calls that are not in the ledger yet: what is in them outlives a killed process.

A file belongs to the process that holds its lock; a file without an owner is that of a process
that died, and anybody may charge what is in it. A call is charged once anyway.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Payer

_LOGGER = logging.getLogger("llmgate")
_LARGEST = 1 << 18  # bytes of calls that are in the ledger, before they are removed


class JournalFile:
    """A file of this process in *folder*, made for the first call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / f"journal-{os.getpid()}-{secrets.token_hex(4)}.jsonl"
        self._file = -1
        self._size = 0
        self.number = 0  # calls in it that are not in the ledger

    def append(self, call: Call, durably: bool = False) -> None:
        """Write *call* at the end; *durably*: a power failure does not take it. Raises OSError."""
        if self._file < 0:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = _owned(self._path)
        line = f"{json.dumps(call)}\n".encode()
        if os.write(self._file, line) < len(line):
            os.ftruncate(self._file, self._size)  # half a line would spoil the next one
            raise OSError(28, "No space left on device")
        self._size += len(line)
        self.number += 1
        if durably:
            os.fsync(self._file)

    def read(self) -> Iterator[Call]:
        """Yield every call in the file."""
        return iter(_read(self._path)[0] if self._file >= 0 else [])

    def charged(self, number: int) -> None:
        """Note that so many of its calls are in the ledger."""
        self.number -= number
        if self.number == 0 and self._size > _LARGEST:
            os.ftruncate(self._file, 0)
            self._size = 0

    def close(self) -> None:
        """Close the file, and remove it if all of it is in the ledger."""
        if self._file < 0:
            return
        if self.number == 0:
            self._path.unlink(missing_ok=True)
        os.close(self._file)
        self._file = -1


def _owned(path: Path) -> int:
    """Return a new file at *path*, locked by this process."""
    flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_CLOEXEC
    while True:
        file = os.open(path, flags, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:  # else another process took it for one without an owner
            return file
        os.close(file)


@contextmanager
def abandoned(folder: Path) -> Iterator[list[Path]]:
    """Yield the files of dead processes in *folder*; no one else gets them."""
    files: list[tuple[Path, int]] = []
    try:
        for path in sorted(folder.glob("journal*.jsonl")):
            file = _taken(path)
            if file >= 0:
                files.append((path, file))
        yield [path for path, _ in files]
    finally:
        for _, file in files:
            os.close(file)


def charge_abandoned(folder: Path, charge: Callable[[list[Call]], None]) -> None:
    """Give the calls of dead processes in *folder* to *charge*, and remove their files.

    A file with a line that cannot be read is kept under another name.
    """
    with abandoned(folder) as found:
        for path in found:
            calls, unreadable = _read(path)
            charge(calls)
            if unreadable:
                kept = path.rename(path.with_suffix(".bad"))
                _LOGGER.error("llmgate: %s has calls that cannot be read: %d", kept, unreadable)
            else:
                path.unlink(missing_ok=True)


def _taken(path: Path) -> int:
    """Return the file at *path*, locked, or -1 if it has an owner."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return -1
    return file


def _read(path: Path) -> tuple[list[Call], int]:
    """Return the calls in the file at *path*, and how many lines cannot be read."""
    calls, unreadable = [], 0
    with open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):  # the process died while it wrote
                continue
            try:
                calls.append(_call(line))
            except (ValueError, TypeError):
                unreadable += 1
    return calls, unreadable


def _call(line: bytes) -> Call:
    """Return the call in *line*; raises ValueError, TypeError."""
    id, at, payer, *others = json.loads(line)
    key, user, team, end_user, model, tags, provider = payer
    return Call(id, at, Payer(key, user, team, end_user, model, tuple(tags), provider), *others)
