"""Read the usage out of answers that are passed through unchanged."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from llmgate.codecs import sse
from llmgate.contract import Usage
from llmgate.dialects import native_usage
from llmgate.dialects.openai import wire as openai_wire

_TAIL = 16 * 1024  # bytes at the end that are searched for usage
_USAGE = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{[^{}]*\})*\})')


def pieces(
    answer: Iterable[bytes], is_events: bool, add_usage: Callable[[Usage], None]
) -> Iterator[bytes]:
    """Yield the pieces of *answer* as they arrive; pass the usage in them to *add_usage*.

    Raises UpstreamError if the first of them is an error.
    """
    tail = b""
    for piece in answer:
        if not tail:
            _check_first(piece, is_events)
        tail = (tail + piece)[-_TAIL:]
        yield piece
    found = _USAGE.findall(tail)
    if found:
        add_usage(openai_wire.usage({"usage": _object(found[-1])}))


def _check_first(piece: bytes, is_event: bool) -> None:
    """Raise the error in the first *piece* of an answer, if it holds one."""
    found = _object(next(sse.decoded(piece), ("", b""))[1] if is_event else piece)
    if isinstance(found, dict) and openai_wire.is_error(found):
        raise openai_wire.stream_error(found)


def _object(data: bytes) -> Any:
    """Return the JSON in *data*, None if it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def native_pieces(
    answer: Iterable[bytes], add_usage: Callable[[Usage, str | None], None]
) -> Iterator[bytes]:
    """Yield the pieces of *answer*, on any provider's wire, as they arrive.

    At the end, or when reading stops, *add_usage* gets the usage and the model that the beginning
    and the end of the answer contain.
    """
    head, tail, size = bytearray(), b"", 0
    try:
        for piece in answer:
            size += len(piece)
            if len(head) < _TAIL:
                head += piece[: _TAIL - len(head)]
            tail = (tail + piece[-_TAIL:])[-_TAIL:]
            yield piece
    finally:
        known = bytes(head) + tail[max(0, len(tail) - size + len(head)) :]
        add_usage(native_usage.usage(known), native_usage.model(known))
