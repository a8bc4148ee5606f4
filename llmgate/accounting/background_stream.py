"""A text stream that never blocks its writers: a reader that has paused must not stop requests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from llmgate.accounting.background import BackgroundQueue

MAX_BYTES = 16 * 1024 * 1024
"""Characters that may wait for the reader."""

_MAX_LINES = 9000  # fewer than the queue holds, which would log, to where no one reads


class BackgroundStream:
    """Lines for the stream that *target* returns, written by a native thread of each process.

    What does not fit is dropped; a line with the number of dropped lines follows when there is
    room again.
    """

    def __init__(
        self,
        target: Callable[[], Any],
        report: Callable[[int], str],
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._target, self._report, self._max_bytes = target, report, max_bytes
        self._queue: BackgroundQueue[str] = BackgroundQueue(self._write_now)
        self._added = 0  # characters and lines, counted by the writers
        self._lines_added = 0
        self._written = 0  # the same, counted by the thread
        self._lines_written = 0
        self.dropped = 0
        self._reported = 0

    def write(self, text: str) -> None:
        """Write *text* soon, or drop it if too much is waiting."""
        waiting = self._added - self._written
        if waiting + len(text) > self._max_bytes or (
            self._lines_added - self._lines_written >= _MAX_LINES
        ):
            self.dropped += 1
            return
        self._added += len(text)
        self._lines_added += 1
        self._queue.put(text)

    def flush(self) -> None:
        """Return at once, as `logging` calls it for each line; `drain` waits."""

    def drain(self, seconds: float) -> bool:
        """Wait at most *seconds* for what is queued; return whether all is written."""
        return self._queue.flush(seconds)

    def _write_now(self, text: str) -> None:
        """Write *text* in the thread of this process; a target that is gone loses it."""
        missing = self.dropped - self._reported
        self._reported += missing
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or None
            stream = self._target()
            stream.write(text)
            if missing:
                stream.write(self._report(missing))
            stream.flush()
        self._written += len(text)
        self._lines_written += 1
