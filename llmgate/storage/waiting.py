"""What one process has to charge, and how far that is."""

from __future__ import annotations

import math
import threading
from collections import Counter
from pathlib import Path

from llmgate.storage.breaker import Breaker
from llmgate.storage.journal import JournalFile
from llmgate.storage.ledger import Call

Batch = list[tuple[Call, JournalFile | None]]
"""Calls, and the files they are in."""


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


def charged(state: Waiting, batch: Batch) -> None:
    """Note that the calls of *batch* are in the ledger."""
    if not batch:
        return
    with state.changed:
        for _, file in batch:
            if file is not None:
                file.charged(1)
