"""The time limit of a request, all its attempts included."""

from __future__ import annotations

import time
from collections.abc import Callable

from llmgate import errors


class Deadline:
    """The time by which a response must be complete; a stream must only have begun by then.

    A stream may last *stream_seconds* from its beginning, None: without limit.
    """

    def __init__(
        self,
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
        stream_seconds: float | None = None,
    ) -> None:
        self._clock = clock
        self._end = clock() + seconds
        self._stream_seconds = stream_seconds
        self._is_stream = False

    def remaining(self) -> float:
        """Return the remaining seconds, negative after the deadline.

        Raises StreamTooLong after that of a stream.
        """
        seconds = self._end - self._clock()
        if seconds <= 0 and self._is_stream:
            raise errors.StreamTooLong(
                f"The stream has reached the gateway's limit of {self._stream_seconds:g} s. Request"
                " a shorter response, or raise llmgate_settings.stream_max_seconds."
            )
        return seconds

    def lift(self) -> None:
        """Replace the deadline by that of a stream, which has begun."""
        self._is_stream = True
        limit = self._stream_seconds
        self._end = float("inf") if limit is None else self._clock() + limit
