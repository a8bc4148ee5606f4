"""One call on a connection, and the answer to it as it comes.

`connections` opens what this sends and receives on; how a head is written is in `heads`.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from llmgate import errors
from llmgate.contract import SpooledFile
from llmgate.inbound import disconnect
from llmgate.upstream import http1_chunked
from llmgate.upstream import http1_head
from llmgate.upstream.connections import Connection

_BLOCK = 65536
_DRAIN_TIMEOUT = 0.5  # seconds that a finished stream has to end its framing


class Stale(Exception):
    """A kept connection was closed by the upstream before it answered anything."""


class Exchange:
    """A call on *connection*, which *keep* is given when the answer is over and it stays open.

    *patience*() are the seconds that the next wait may take.
    """

    def __init__(
        self,
        connection: Connection,
        patience: Callable[[], float],
        keep: Callable[[Connection], None],
    ) -> None:
        self._connection: Connection | None = connection
        self._patience, self._keep = patience, keep
        self._rest = b""  # of the body, that came with the head
        self._has_heard = False

    @contextlib.contextmanager
    def until_answered(self) -> Iterator[None]:
        """End the connection if the block fails."""
        is_answered = False
        try:
            yield
            is_answered = True
        finally:
            if not is_answered:
                self.close()

    def open(self, timeout: float) -> str:
        """Connect within *timeout* seconds, if that is to be done; return what Host says.

        Raises ClientLeft if nobody waits for the answer, urllib3's errors, OSError.
        """
        assert self._connection is not None
        self._connection.opened(timeout)
        return self._connection.authority

    def ask(self, head: bytes, data: bytes | SpooledFile) -> None:
        """Send a request, in one piece if it is small; raises OSError."""
        try:
            if isinstance(data, bytes) and len(data) <= _BLOCK:
                self._send(head + data)
            else:
                for block in itertools.chain([head], _blocks(data)):
                    self._send(block)
        except (BrokenPipeError, ConnectionResetError):
            self._keep = _closed  # what closes before it has heard all may yet have answered

    def head(self, method: str) -> http1_head.Head:
        """Return the head of the answer; raises Stale, BadUpstream, OSError."""
        try:
            head, self._rest = http1_head.read(self.receive, method)
        except (EOFError, ConnectionResetError, BrokenPipeError, errors.BadUpstream):
            self._lost()
            raise
        assert self._connection is not None
        self._connection.is_used = True
        if not head.is_kept or (head.length == 0 and self._rest):
            self._keep = _closed
        if head.length == 0:
            self._complete()
        return head

    def body(self, head: http1_head.Head) -> Iterator[bytes]:
        """Return the body behind *head* as it arrives, to be read to its end or not at all.

        Raises CutShort, BadUpstream, OSError.
        """
        reads = itertools.chain([self._rest] if self._rest else [], iter(self.receive, b""))
        if head.is_chunked:
            return self._chunked(reads)
        return self._to_the_end(reads) if head.length is None else self._sized(reads, head.length)

    def _chunked(self, reads: Iterable[bytes]) -> Iterator[bytes]:
        frame = http1_chunked.Frame()
        yield from http1_chunked.decoded(reads, frame)
        if frame.has_more:
            self._keep = _closed  # nobody asked for what follows
        self._complete()

    def _sized(self, reads: Iterable[bytes], size: int) -> Iterator[bytes]:
        if not size:
            return
        for piece in reads:
            size -= len(piece)
            if size > 0:
                yield piece
                continue
            if size < 0:
                self._keep = _closed  # nobody asked for what follows
            self._complete()
            yield piece[:size] if size else piece
            return
        raise errors.CutShort("The upstream's answer ended before it was complete.")

    def _to_the_end(self, reads: Iterable[bytes]) -> Iterator[bytes]:
        yield from reads
        if reason := disconnect.reason():
            raise reason  # the end of the connection was not the upstream's
        self._complete()

    def finish(self, pieces: Iterator[bytes]) -> None:
        """Read to the end of a stream that has said [DONE], so that its connection can be kept.

        Only the end of its framing is due; it is given a moment for that.
        """
        self._patience = lambda: _DRAIN_TIMEOUT
        with contextlib.suppress(errors.GateError):
            next(pieces, b"")

    def close(self) -> None:
        """End the call, if it is not over; may be called twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _complete(self) -> None:
        """Note that the answer is over."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.unwatch()
            self._keep(connection)

    def receive(self) -> bytes:
        """Return what has come, after waiting for at least a byte; nothing at the end."""
        connection = self._connection
        if connection is None:  # it was closed meanwhile
            return b""
        connection.limit(self._patience())
        data = connection.receive()
        self._has_heard = self._has_heard or bool(data)
        return data

    def _send(self, data: bytes) -> None:
        assert self._connection is not None
        left = memoryview(data)
        while left:
            self._connection.limit(self._patience())
            left = left[self._connection.send(left) :]

    def _lost(self) -> None:
        """Raise what it means that the connection was lost before there was an answer, if more."""
        if reason := disconnect.reason():
            raise reason
        if self._connection is not None and self._connection.is_used and not self._has_heard:
            raise Stale


def _blocks(data: bytes | SpooledFile) -> Iterable[bytes]:
    """Return *data* in pieces that each have a time of their own."""
    if not isinstance(data, bytes):
        return data
    return (data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK))


def _closed(connection: Connection) -> None:
    connection.close()
