"""AWS's binary event streams -> messages. Bytes may be cut anywhere; every CRC is checked.

A message is: its length, the length of its headers, a CRC of these two, headers, payload, a CRC
of all before it. Source: https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import TypeAlias
from uuid import UUID
from zlib import crc32

from llmgate import errors
from llmgate.codecs import json_cost

LARGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes that one message may have."""

MEDIA_TYPE = "application/vnd.amazon.eventstream"
"""The Content-Type of such a stream."""

Message: TypeAlias = tuple[dict[str, str], bytes]
"""The headers of a message (such as `:event-type`) and its payload."""

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
_FRAME = _PRELUDE.size + _CRC.size
_STRING = 7
_CHECKED = 65536  # bytes from which on the cost of parsing a payload is checked


def messages(pieces: Iterable[bytes]) -> Iterator[Message]:
    """Yield each message of a stream, one without headers for an empty piece.

    Raises BadUpstream for an invalid message, and CutShort if the bytes end within one.
    """
    rest = bytearray()
    for piece in pieces:
        if not piece:
            yield {}, b""
            continue
        rest += piece
        start = 0
        while len(rest) - start >= _PRELUDE.size:
            total, heads = _lengths(rest, start)
            if len(rest) - start < total:
                break
            yield _message(bytes(rest[start : start + total]), heads)
            start += total
        del rest[:start]
    if rest:
        raise errors.CutShort("The upstream ended its stream within a message.")


def _lengths(rest: bytearray, start: int) -> tuple[int, int]:
    """Return the length of the message at *start* and that of its headers."""
    total, heads, crc = _PRELUDE.unpack_from(rest, start)
    if crc != crc32(rest[start : start + 8]):
        raise errors.BadUpstream("Invalid event stream from the upstream: wrong prelude CRC.")
    if total > LARGEST_MESSAGE:
        raise errors.BadUpstream(
            f"The upstream sent a message of more than {LARGEST_MESSAGE} bytes."
        )
    if heads > total - _FRAME:
        raise errors.BadUpstream("Invalid event stream from the upstream: inconsistent lengths.")
    return total, heads


def _message(data: bytes, heads: int) -> Message:
    """Return the message in *data*, whose headers have *heads* bytes."""
    if _CRC.unpack_from(data, len(data) - 4)[0] != crc32(data[:-4]):
        raise errors.BadUpstream("Invalid event stream from the upstream: wrong message CRC.")
    end = _PRELUDE.size + heads
    try:
        headers = _headers(data[_PRELUDE.size : end])
    except (IndexError, KeyError, ValueError, struct.error) as error:
        raise errors.BadUpstream(
            "Invalid event stream from the upstream: invalid headers."
        ) from error
    payload = data[end:-4]
    if len(payload) > _CHECKED:
        json_cost.check(payload)
    return headers, payload


_FIXED: Mapping[int, tuple[int, Callable[[bytes], str]]] = {
    0: (0, lambda value: "true"),
    1: (0, lambda value: "false"),
    2: (1, lambda value: str(int.from_bytes(value, "big", signed=True))),
    3: (2, lambda value: str(int.from_bytes(value, "big", signed=True))),
    4: (4, lambda value: str(int.from_bytes(value, "big", signed=True))),
    5: (8, lambda value: str(int.from_bytes(value, "big", signed=True))),
    8: (8, lambda value: str(int.from_bytes(value, "big", signed=True))),
    9: (16, lambda value: str(UUID(bytes=value))),
}
"""For each type of a fixed size: the size, and its value as text (a time is milliseconds)."""

_SIZED: Mapping[int, Callable[[bytes], str]] = {
    6: lambda value: value.hex(),
    _STRING: lambda value: value.decode(),
}
"""The types with a length prefix: bytes and text."""


def _headers(data: bytes) -> dict[str, str]:
    """Return the headers in *data*, their values as text."""
    headers: dict[str, str] = {}
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        name, kind = data[at + 1 : end].decode(), data[end]
        at = end + 1
        if kind in _SIZED:
            size, text = int.from_bytes(_slice(data, at, 2), "big"), _SIZED[kind]
            at += 2
        else:
            size, text = _FIXED[kind]
        headers[name] = text(_slice(data, at, size))
        at += size
    return headers


def _slice(data: bytes, at: int, size: int) -> bytes:
    """Return *size* bytes of *data*; raises ValueError if there are fewer."""
    if at + size > len(data):
        raise ValueError("a header extends beyond the headers")
    return data[at : at + size]
