"""What one process has to charge, and how far that is."""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llmgate.storage.breaker import Breaker
from llmgate.storage.journal import JournalFile
from llmgate.storage.ledger import Call

Batch = list[tuple[Call, JournalFile | None]]
"""Calls, and the files they are in."""


_PATIENCE = 5.0  # seconds


class Waiting:
    """What one process has to charge."""

    def __init__(self, folder: Path) -> None:
        self.changed = threading.Condition()
        self.calls: Batch = []
        self.files = [JournalFile(folder), JournalFile(folder)]
        self.overflowed: Counter[JournalFile] = Counter()  # calls that are in files alone
        self.breaker = Breaker()
        self.due = math.inf  # when the calls must be charged
        self.wakes = math.inf  # when the thread looks again
        self.added = self.seen = 0
        self.synced = 0.0  # when that was done last
        self.is_dirty = False  # whether something was committed since
        self.thread: threading.Thread | None = None
        self.looked = -math.inf
        self.closing = False
        self.returned = threading.Condition()
        self.taken: set[object] = set()  # a token for each batch that is being charged now

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Let `await_taken` wait for the end of the block, which takes and charges a batch."""
        token = object()
        with self.returned:
            self.taken.add(token)
        try:
            yield
        finally:
            with self.returned:
                self.taken.remove(token)
                self.returned.notify_all()

    def await_taken(self) -> None:
        """Wait until the batches that other threads have taken are charged, or put back."""
        with self.returned:
            before = set(self.taken)
            self.returned.wait_for(lambda: before.isdisjoint(self.taken), _PATIENCE)


def charged(state: Waiting, batch: Batch) -> None:
    """Note that the calls of *batch* are in the ledger."""
    if not batch:
        return
    with state.changed:
        for _, file in batch:
            if file is not None:
                file.charged(1)
