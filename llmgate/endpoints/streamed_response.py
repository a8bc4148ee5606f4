"""Streaming responses."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from flask import Response


class _Pieces:
    """What the server iterates over and closes, with no wrapper around the pieces."""

    def __init__(self, pieces: Iterable[bytes], close: Callable[[], None]) -> None:
        self._pieces, self.close = pieces, close

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)


class StreamedResponse(Response):
    """A response whose pieces are bytes, passed to the server unchanged."""

    def get_app_iter(self, environ: Any) -> Iterable[bytes]:
        """Return the pieces, which the server closes; nothing for a response without a body."""
        if environ["REQUEST_METHOD"] == "HEAD" or self.status_code in (204, 304):
            return super().get_app_iter(environ)
        pieces: Any = self.response
        return _Pieces(pieces, self.close)
