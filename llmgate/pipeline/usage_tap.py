"""Answers that are passed on as they come, and what is understood of them in passing."""

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

_TAIL = 16 * 1024  # bytes at the end that are looked through for usage
_USAGE = re.compile(rb'"usage"\s*:\s*(\{(?:[^{}]|\{[^{}]*\})*\})')


def pieces(
    answer: Iterable[bytes], is_events: bool, saw: Callable[[Usage], None]
) -> Iterator[bytes]:
    """Yield the pieces of *answer* as they come, and tell *saw* of the usage in them.

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
        saw(openai_wire.usage({"usage": _object(found[-1])}))


def _check_first(piece: bytes, is_event: bool) -> None:
    """Raise the error that the first *piece* of an answer is, if it is one."""
    found = _object(next(sse.decoded(piece), ("", b""))[1] if is_event else piece)
    if isinstance(found, dict) and openai_wire.is_error(found):
        raise openai_wire.stream_error(found)


def _object(data: bytes) -> Any:
    """Return the JSON of *data*, None if it is none."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def natively(answer: Iterable[bytes], saw: Callable[[Usage, str | None], None]) -> Iterator[bytes]:
    """Yield the pieces of *answer*, on whatever wire, as they come; tell *saw* at their end.

    It is told of the usage that the beginning and the end of them say, and of the model; also when
    nobody reads on.
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
        saw(native_usage.usage(known), native_usage.model(known))
