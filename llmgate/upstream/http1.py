"""One HTTP/1.1 exchange: a request on a connection, and the response as it arrives.

`connections` opens what this sends and receives on; heads are in `http1_head`.
"""

from __future__ import annotations

import contextlib
import itertools
import ssl
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator

from llmgate import errors
from llmgate.contract import SpooledFile
from llmgate.inbound import disconnect
from llmgate.upstream import http1_chunked
from llmgate.upstream import http1_head
from llmgate.upstream.network.connections import Connection

_BLOCK = 65536
_DRAIN_SECONDS = 0.5  # in all, for the end of the framing of a stream that is complete
_CLOSED = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_BODILESS_METHODS = frozenset({"HEAD", "CONNECT"})
_BODILESS_STATUSES = frozenset({204, 304})


class Stale(Exception):
    """The upstream closed a pooled connection before it sent any byte of a response."""


class Exchange:
    """An exchange on *connection*, which is passed to *keep* at the end if it may be reused.

    *patience*() returns the seconds that the next wait may take.
    """

    def __init__(
        self,
        connection: Connection,
        patience: Callable[[], float],
        keep: Callable[[Connection], None],
    ) -> None:
        self._connection: Connection | None = connection
        self._patience, self._keep = patience, keep
        self._method = ""
        self._head: http1_head.Head | None = None
        self._received = b""  # and not yet used: an early response, a body's beginning
        self._has_received = False
        self._is_request_complete = False

    @contextlib.contextmanager
    def until_answered(self) -> Iterator[None]:
        """Close the connection if the block fails."""
        is_answered = False
        try:
            yield
            is_answered = True
        finally:
            if not is_answered:
                self.close()

    def open(self, timeout: float) -> str:
        """Connect within *timeout* seconds if necessary; return the value of the Host header.

        Raises ClientLeft if the client has disconnected, urllib3's errors, OSError.
        """
        assert self._connection is not None
        self._connection.open(timeout)
        return self._connection.authority

    def send(self, head: bytes, data: bytes | SpooledFile) -> None:
        """Send a request, in one piece if it is small; raises OSError.

        If the upstream responds or closes before it has received all, the rest is not sent.
        """
        with contextlib.suppress(*_CLOSED):  # there may be a response all the same
            if isinstance(data, bytes) and len(data) <= _BLOCK:
                self._is_request_complete = self._send_waiting(head + data)
            else:
                blocks = itertools.chain([head], _blocks(data))
                self._is_request_complete = all(map(self._send_watching, blocks))

    def read_head(self, method: str) -> http1_head.Head:
        """Return the head of the response; raises Stale, EOFError, ProtocolError, OSError."""
        self._method = method
        try:
            head, self._received = http1_head.read(self._receive, method, self._received)
        except (EOFError, ConnectionResetError, BrokenPipeError, http1_head.ProtocolError):
            self._check_lost()
            raise
        assert self._connection is not None
        self._connection.is_used = True
        self._head = head
        if head.length == 0:
            self._complete(self._received)
        return head

    def body(self, head: http1_head.Head) -> Iterator[bytes]:
        """Return the body behind *head* as it arrives, to be read to its end or not at all.

        Raises ProtocolError, OSError.
        """
        first = [self._received] if self._received else []
        reads = itertools.chain(first, iter(self._receive, b""))
        if head.is_chunked:
            return self._chunked(reads)
        return self._until_close(reads) if head.length is None else self._sized(reads, head.length)

    def _chunked(self, reads: Iterable[bytes]) -> Iterator[bytes]:
        frame = http1_chunked.Frame()
        yield from http1_chunked.decoded(reads, frame)
        self._complete(frame.has_surplus, frame.is_strict)

    def _sized(self, reads: Iterable[bytes], size: int) -> Iterator[bytes]:
        if not size:
            return
        left = size
        for piece in reads:
            left -= len(piece)
            if left > 0:
                yield piece
                continue
            self._complete(left < 0)
            yield piece[:left] if left else piece
            return
        raise http1_head.IncompleteError(f"connection closed after {size - left} of {size} bytes")

    def _until_close(self, reads: Iterable[bytes]) -> Iterator[bytes]:
        yield from reads
        if reason := disconnect.reason():
            raise reason  # we have closed the connection, not the upstream
        if self._connection is not None and self._connection.is_truncated:
            raise http1_head.IncompleteError("TLS connection closed without close_notify")
        self.close()

    def finish(self, pieces: Iterator[bytes]) -> None:
        """Read the end of a stream whose last event has come, so that its connection can be kept.

        Only the end of the framing is due; it has `_DRAIN_SECONDS` in all.
        """
        end = time.monotonic() + _DRAIN_SECONDS
        self._patience = lambda: end - time.monotonic()
        with contextlib.suppress(errors.GateError):
            next(pieces, b"")

    def close(self) -> None:
        """Close the connection if the exchange is not complete; may be called twice."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _complete(self, has_surplus: object, is_body_strict: bool = True) -> None:
        """End the exchange: the connection is kept or closed."""
        connection, self._connection = self._connection, None
        if connection is None or self._head is None:
            return
        connection.release_client()
        is_clean = not has_surplus and not connection.has_pending
        if is_clean and is_reusable(
            self._method, self._head, is_body_strict, self._is_request_complete
        ):
            self._keep(connection)
        else:
            connection.close()

    def _receive(self) -> bytes:
        """Return received bytes, waiting for at least one; empty at the end."""
        connection = self._connection
        if connection is None:  # closed by another thread
            return b""
        connection.set_timeout(self._patience())
        data = connection.receive()
        self._has_received = self._has_received or bool(data)
        return data

    def _send_waiting(self, data: bytes) -> bool:
        """Send *data*; return True."""
        assert self._connection is not None
        left = memoryview(data)
        while left:
            self._connection.set_timeout(self._patience())
            left = left[self._connection.send(left) :]
        return True

    def _send_watching(self, data: bytes) -> bool:
        """Send *data* unless a response comes first; return whether all was sent."""
        assert self._connection is not None
        left = memoryview(data)
        while left:
            if self._has_early_response():
                return False
            sent = self._connection.send_now(left)
            left = left[sent:]
            if not sent:
                self._connection.wait(self._patience())
        return True

    def _has_early_response(self) -> bool:
        """Return whether the upstream has responded (1xx aside) or closed; waits for nothing."""
        assert self._connection is not None
        while (data := self._connection.receive_now()) is not None:
            self._received += data
            self._has_received = self._has_received or bool(data)
            if not data or not http1_head.is_interim(self._received):
                return True
        return False

    def _check_lost(self) -> None:
        """Raise the reason for which we closed the connection, or Stale, if either applies."""
        if reason := disconnect.reason():
            raise reason
        if self._connection is not None and self._connection.is_used and not self._has_received:
            raise Stale


def _blocks(data: bytes | SpooledFile) -> Iterable[bytes]:
    """Return *data* in blocks, each with a timeout of its own."""
    if not isinstance(data, bytes):
        return data
    return (data[at : at + _BLOCK] for at in range(0, len(data), _BLOCK))


def is_reusable(
    method: str, head: http1_head.Head, is_body_strict: bool, is_request_complete: bool
) -> bool:
    """Return whether the connection may carry another request after this response.

    Connections are shared by all clients of an origin: a byte that is still to come would be
    read as the response to somebody else's request. So every doubt closes the connection:

    - an upstream may (wrongly) send a body after HEAD, 204 or 304, and any time later;
    - lenient framing (is_strict, *is_body_strict*): its end may be elsewhere for the upstream;
    - a request that was not sent completely: the upstream may still wait for the rest of it.

    The caller also checks that no byte behind the response was received.
    """
    return (
        head.is_persistent
        and head.is_strict
        and (head.is_chunked or head.length is not None)
        and is_body_strict
        and is_request_complete
        and head.status >= 200
        and head.status not in _BODILESS_STATUSES
        and method not in _BODILESS_METHODS
    )
