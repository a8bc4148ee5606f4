"""Calls that could not be written to the ledger: kept in a file, and charged when it is back."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path

from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Payer

_LOGGER = logging.getLogger("llmgate")
_MOST_IN_MEMORY = 10_000


class Journal:
    """The file at *path*, made for the first call that it keeps."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._unwritten: deque[Call] = deque(maxlen=_MOST_IN_MEMORY)  # the disk is full, perhaps

    def keep(self, call: Call, cause: str) -> None:
        """Keep *call*, which the ledger could not take because of *cause*."""
        _LOGGER.warning("llmgate: warning: request %s is journalled: %s", call.id, cause)
        with self._lock:
            try:
                self._append(call)
            except OSError:
                self._unwritten.append(call)

    def replay(self, settle: Callable[[Call], object]) -> None:
        """Give every kept call to *settle*; what it raises keeps the calls for the next time."""
        if not self._unwritten and not os.path.exists(self._path):
            return
        with self._lock:
            while self._unwritten:
                settle(self._unwritten[0])
                self._unwritten.popleft()
            if os.path.exists(self._path):
                self._replay_file(settle)

    def _append(self, call: Call) -> None:
        """Write *call* at the end of the file."""
        flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
        line = f"{json.dumps(call)}\n".encode()
        file = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            os.write(file, line)
            os.fsync(file)
        finally:
            os.close(file)

    def _replay_file(self, settle: Callable[[Call], object]) -> None:
        """Give the calls in the file to *settle*, then empty it; a call is charged once anyway."""
        with open(self._path, "r+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for line in file:
                if line.endswith("\n"):  # else the process died while it wrote
                    settle(_call(line))
            file.truncate(0)


def _call(line: str) -> Call:
    """Return the call in *line*."""
    id, at, payer, *rest = json.loads(line)
    key, user, team, end_user, model, tags, provider = payer
    return Call(id, at, Payer(key, user, team, end_user, model, tuple(tags), provider), *rest)
