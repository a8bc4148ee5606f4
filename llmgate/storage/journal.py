"""Files with calls that are not in the ledger yet: what is in them outlives a killed process.

A file belongs to the process that holds its lock; a file without an owner is that of a process
that died, and anybody may charge what is in it. A call is charged once anyway.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Payer

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
            raise OSError(28, "No space left on device")
        self._size += len(line)
        self.number += 1
        if durably:
            os.fsync(self._file)

    def read(self) -> Iterator[Call]:
        """Yield every call in the file."""
        return _calls(self._path) if self._file >= 0 else iter(())

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
def abandoned(folder: Path) -> Iterator[list[tuple[Path, Iterator[Call]]]]:
    """Yield the files of dead processes in *folder* with their calls; no one else gets them."""
    files: list[tuple[Path, int]] = []
    try:
        for path in sorted(folder.glob("journal*.jsonl")):
            file = _taken(path)
            if file >= 0:
                files.append((path, file))
        yield [(path, _calls(path)) for path, _ in files]
    finally:
        for _, file in files:
            os.close(file)


def charge_abandoned(folder: Path, charge: Callable[[list[Call]], None]) -> None:
    """Give the calls of dead processes in *folder* to *charge*, and remove their files."""
    with abandoned(folder) as found:
        for path, calls in found:
            charge(list(calls))
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


def _calls(path: Path) -> Iterator[Call]:
    """Yield the calls in the file at *path*."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):  # else the process died while it wrote
                yield _call(line)


def _call(line: str) -> Call:
    """Return the call in *line*."""
    id, at, payer, *others = json.loads(line)
    key, user, team, end_user, model, tags, provider = payer
    return Call(id, at, Payer(key, user, team, end_user, model, tuple(tags), provider), *others)
