"""Decode and encode server-sent events. Bytes may be cut anywhere; lines end in LF, CRLF or CR.

Source of the format: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from llmgate import errors
from llmgate.codecs import json_cost

LARGEST_EVENT = 16 * 1024 * 1024
"""The maximum size of an event in bytes; images in base64 come near it."""

DONE = b"data: [DONE]\n\n"
"""The last event of OpenAI's streams."""

_CHECKED = 65536  # bytes from which on the cost of parsing a block is checked
_BOM = b"\xef\xbb\xbf"
_EVENT = re.compile(rb".*?(?:\r\n\r\n|\n\r?\n|\r\r|\Z)", re.S)
_ENDS = (b"\n\n", b"\n\r\n", b"\r\r")


def blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield *pieces* as blocks of one or more whole events, the bytes unchanged.

    An empty piece is passed on. The bytes behind the last whole event are yielded if only the
    blank line is missing, and dropped if the event is truncated. Raises BadUpstream for an event
    above LARGEST_EVENT, or with JSON that is too costly to parse.
    """
    rest = bytearray()
    for piece in pieces:
        if not piece or (not rest and piece.endswith((b"\n\n", b"\r\n\r\n"))):
            yield piece
            continue
        seen = len(rest)
        rest += piece
        end = last_end(rest, max(0, seen - 3))
        if end:
            yield _checked(bytes(rest[:end]))
            del rest[:end]
        elif len(rest) > LARGEST_EVENT:
            raise errors.BadUpstream(
                f"The upstream sent an event of more than {LARGEST_EVENT} bytes."
            )
    if rest and _complete(_checked(bytes(rest))):
        yield bytes(rest) + b"\n\n"


def _checked(block: bytes) -> bytes:
    """Return *block*, whose events are to be parsed; raises BadUpstream if that is too costly."""
    if len(block) > _CHECKED:
        json_cost.check(block)
    return block


def whole_events(pieces: Iterable[bytes], largest: int) -> Iterator[bytes]:
    """Yield *pieces* as blocks of whole events, the bytes unchanged; they are not parsed.

    An event above *largest* bytes is not waited for: it is yielded in parts.
    """
    rest = bytearray()
    for piece in pieces:
        if not rest and piece.endswith(b"\n\n"):
            yield piece
            continue
        seen = len(rest)
        rest += piece
        end = len(rest) if len(rest) > largest else last_end(rest, max(0, seen - 3))
        if end:
            yield bytes(rest[:end])
            del rest[:end]
    if rest:
        yield bytes(rest)


def last_end(data: bytes | bytearray, start: int, stop: int | None = None) -> int:
    """Return where the last whole event in *data* ends, 0 if none ends from *start* to *stop*."""
    found = [(data.rfind(end, start, stop), len(end)) for end in _ENDS]
    return max(at + size if at >= 0 else 0 for at, size in found)


def _complete(rest: bytes) -> bool:
    """Return whether *rest* is an event of which only the blank line is missing."""
    for _, data in decoded(rest):
        if data == b"[DONE]":
            return True
        try:
            json.loads(data)
        except ValueError:
            return False
        return True
    return False


def decoded(block: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (event name or "", data) for each event of *block* with data."""
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for event in block.removeprefix(_BOM).split(b"\n\n"):
        if event.startswith(b"data: ") and b"\n" not in event:
            yield "", event[6:]
            continue
        name, data = _fields(event)
        if data is not None:
            yield name, data


def _fields(event: bytes) -> tuple[str, bytes | None]:
    """Return the name and the data of one *event*, None if it has no data."""
    name, data = "", []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ").decode("utf-8", "replace")
    return name, b"\n".join(data) if data else None


def split(block: bytes) -> list[bytes]:
    """Return the events of *block*, each with its blank line; joined they are *block*."""
    return [event for event in _EVENT.findall(block) if event]


def event_at(block: bytes, at: int) -> bytes:
    """Return the event that begins in *block* at *at*, with its blank line."""
    found = _EVENT.match(block, at)
    return found[0] if found else b""


def events(pieces: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield (event name or "", data) for each event of a stream; ("", b"") for an empty piece."""
    for block in blocks(pieces):
        if block:
            yield from decoded(block)
        else:
            yield "", b""


def _encoder() -> Callable[[Any, int], Iterable[str]]:
    """Return an encoder for compact JSON, made once: json.dumps makes one for each call."""
    shape = json.JSONEncoder(separators=(",", ":"))
    make: Any = getattr(json.encoder, "c_make_encoder", None)  # CPython's, which is not typed
    if make is None:
        return lambda event, depth: (shape.encode(event),)
    quote = json.encoder.encode_basestring_ascii
    made: Callable[[Any, int], Iterable[str]] = make(
        None, shape.default, quote, None, ":", ",", False, False, True
    )
    return made


_written = _encoder()


def encoded(event: Any, name: str = "") -> bytes:
    """Return *event* as JSON in one server-sent event."""
    data = "".join(_written(event, 0)).encode("ascii")
    return (f"event: {name}\n".encode() if name else b"") + b"data: " + data + b"\n\n"
