"""Decode HTTP/1.1's chunked transfer coding: all the content of one read at once.

`http.client` returns one chunk per call, and a stream of events has one event per chunk: decoding
whole reads costs a burst of small events a tenth of that (bench/README.md).
Source: https://www.rfc-editor.org/rfc/rfc9112#section-7.1
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Iterator

from llmgate.upstream.http1_head import IncompleteError
from llmgate.upstream.http1_head import ProtocolError

MAX_LINE = 4096
"""The maximum length of a line of the framing (chunk size, trailer) in bytes."""

MAX_TRAILERS = 16384
"""The maximum size of all trailers in bytes; they are ignored."""

_SHORT_LINE = 10
_X = (b"x", b"X")
_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_SIZE_LINE = re.compile(rb"[0-9A-Fa-f]{1,15}(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")


def decoded(reads: Iterable[bytes], frame: Frame | None = None) -> Iterator[bytes]:
    """Yield the content in *reads*, cut as they are; ends after the last chunk and its trailers.

    Raises IncompleteError if the reads end before, ProtocolError if the framing is invalid.
    """
    frame = frame or Frame()
    for data in reads:
        content = frame.content(data)
        if content:
            yield content
        if frame.done:
            return
    raise IncompleteError("connection closed before the last chunk")


class Frame:
    """The position in the framing."""

    def __init__(self) -> None:
        self.done = False
        self.has_surplus = False  # bytes were received behind the end
        self.is_strict = True  # each line was exactly as RFC 9112 requires
        self._partial = b""  # the beginning of an incomplete line
        self._left = 0  # bytes of content until the end of the chunk
        self._closing = False  # the line break after a chunk is due
        self._trailers = False  # the last chunk was seen
        self._trailer_bytes = 0

    def content(self, data: bytes) -> bytes:
        """Return the content in *data*, the next bytes."""
        if self._partial:
            data, self._partial = self._partial + data, b""
        found: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.done:
            if self._left:
                found.append(data[at : at + self._left])
                taken = min(self._left, size - at)
                self._left -= taken
                self._closing = not self._left
                at += taken
                continue
            if not (self._closing or self._trailers):
                at = _whole(data, at, found)
            end = data.find(b"\n", at)
            if (end if end >= 0 else size) - at > MAX_LINE:
                raise ProtocolError(f"line of the chunked encoding longer than {MAX_LINE} bytes")
            if end < 0:
                self._partial = data[at:]
                break
            self._line(data[at:end])
            at = end + 1
        self.has_surplus = self.done and at < size
        return found[0] if len(found) == 1 else b"".join(found)

    def _line(self, line: bytes) -> None:
        """Process one *line* of the framing with its CR: a chunk's size or end, a trailer."""
        if line.endswith(b"\r"):
            line = line[:-1]
        else:
            self.is_strict = False
        if self._trailers:
            self._trailer(line)
        elif self._closing:
            if line:
                raise ProtocolError("chunk longer than its size")
            self._closing = False
        else:
            self._left = self._size(line)
            self._trailers = not self._left

    def _trailer(self, line: bytes) -> None:
        """Skip a trailer; an empty *line* is the end."""
        self.done = not line
        self._trailer_bytes += len(line)
        if self._trailer_bytes > MAX_TRAILERS:
            raise ProtocolError(f"more than {MAX_TRAILERS} bytes of trailers")
        if line and not _TRAILER.fullmatch(line):
            self.is_strict = False

    def _size(self, line: bytes) -> int:
        """Return the size in a chunk's first *line*; extensions and padding are ignored."""
        if not _SIZE_LINE.fullmatch(line):
            self.is_strict = False
        digits = line.partition(b";")[0].rstrip(b" \t")
        if not _SIZE.fullmatch(digits):
            raise ProtocolError("invalid chunk size")
        return int(digits, 16)


def _whole(data: bytes, at: int, found: list[bytes]) -> int:
    """Append the content of the complete, plainly framed chunks of *data* from *at* to *found*;
    return the position of the first other chunk."""
    while True:
        end = data.find(b"\r\n", at, at + _SHORT_LINE)
        digits = data[at:end]
        # Cheaper than _SIZE; int() would also take 0x5, spaces, signs and underscores.
        if end < 0 or not digits.isalnum() or digits[1:2] in _X:
            return at
        try:
            stop = end + 2 + int(digits, 16)
        except ValueError:
            return at
        if stop == end + 2 or data[stop : stop + 2] != b"\r\n":
            return at
        found.append(data[end + 2 : stop])
        at = stop + 2
