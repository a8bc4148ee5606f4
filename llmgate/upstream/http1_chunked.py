"""HTTP/1.1's chunked transfer coding -> bytes: all that one read brought, at once.

`http.client` gives one chunk a call, and a stream of events has one event a chunk: taking the
framing off whole reads costs a burst of small events a tenth of that (bench/README.md).
Source: https://www.rfc-editor.org/rfc/rfc9112#section-7.1
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Iterator

from llmgate import errors

_LONGEST_LINE = 4096
_SHORT_LINE = 10


def decoded(reads: Iterable[bytes], frame: Frame | None = None) -> Iterator[bytes]:
    """Yield the content in *reads*, cut as they are; ends after the last chunk and its trailers.

    Raises CutShort if the reads end before, BadUpstream if the framing makes no sense.
    """
    frame = frame or Frame()
    for data in reads:
        content = frame.content(data)
        if content:
            yield content
        if frame.done:
            return
    raise errors.CutShort("The upstream's answer ended before it was complete.")


class Frame:
    """Where in the framing the bytes are."""

    def __init__(self) -> None:
        self.done = False
        self.has_more = False  # something came behind the end
        self._rest = b""  # of a line that is not whole yet
        self._left = 0  # bytes of content until the end of the chunk
        self._closing = False  # the line break after a chunk is due
        self._trailers = False  # the last chunk was seen

    def content(self, data: bytes) -> bytes:
        """Return the content in *data*, the next bytes."""
        if self._rest:
            data, self._rest = self._rest + data, b""
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
            if end < 0:
                self._keep(data[at:])
                break
            self._line(data[at:end].rstrip(b"\r"))
            at = end + 1
        self.has_more = self.done and at < size
        return found[0] if len(found) == 1 else b"".join(found)

    def _keep(self, rest: bytes) -> None:
        """Keep the *rest* of a read until its line is whole."""
        if len(rest) > _LONGEST_LINE:
            raise _senseless()
        self._rest = rest

    def _line(self, line: bytes) -> None:
        """Take one *line* of the framing: a chunk's size, the end of one, a trailer."""
        if self._trailers:
            self.done = not line
        elif self._closing:
            if line:
                raise _senseless()
            self._closing = False
        else:
            self._left = _size(line)
            self._trailers = not self._left


def _whole(data: bytes, at: int, found: list[bytes]) -> int:
    """Put the content of the chunks that *data* has from *at* into *found*, as far as they are
    whole and framed as most are; return where the others begin."""
    while True:
        end = data.find(b"\r\n", at, at + _SHORT_LINE)
        digits = data[at:end]
        if end < 0 or not digits.isalnum():
            return at
        stop = end + 2 + _size(digits)
        if stop == end + 2 or data[stop : stop + 2] != b"\r\n":
            return at
        found.append(data[end + 2 : stop])
        at = stop + 2


def _size(line: bytes) -> int:
    """Return the size that a chunk's first *line* gives, extensions left out."""
    digits = line if line.isalnum() else line.partition(b";")[0].strip()
    if not digits.isalnum():
        raise _senseless()
    try:
        return int(digits, 16)
    except ValueError as error:
        raise _senseless() from error


def _senseless() -> errors.BadUpstream:
    return errors.BadUpstream("The upstream's chunked answer makes no sense.")
