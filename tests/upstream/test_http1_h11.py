"""Responses read by llmgate and by h11: the same, refused, or read but the connection closed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from typing import NamedTuple

import h11
import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from llmgate.upstream import http1
from llmgate.upstream import http1_head


class Verdict(NamedTuple):
    """What became of a response; status 0: refused."""

    status: int
    body: bytes = b""
    is_reused: bool = False


REFUSED = Verdict(0)


class Peer:
    """A connection on which a response arrives in pieces and then ends."""

    is_used = False
    is_truncated = False
    has_pending = False

    def __init__(self, data: bytes, size: int) -> None:
        self._pieces = iter([data[at : at + size] for at in range(0, len(data), size)])
        self.unread = data

    def open(self, timeout: float) -> None: ...
    def close(self) -> None: ...
    def release_client(self) -> None: ...
    def set_timeout(self, seconds: float) -> None: ...

    def send(self, data: bytes) -> int:
        return len(data)

    def receive(self) -> bytes:
        piece = next(self._pieces, b"")
        self.unread = self.unread[len(piece) :]
        return piece


def by_us(data: bytes, method: str, size: int) -> Verdict:
    """Return llmgate's verdict; bytes that are not read yet count as surplus before the reuse."""
    kept: list[Any] = []
    peer: Any = Peer(data, size)
    exchange = http1.Exchange(peer, lambda: 1.0, kept.append)
    try:
        exchange.send(b"", b"")
        head = exchange.read_head(method)
        body = b"".join(exchange.body(head))
    except (http1_head.ProtocolError, EOFError):
        return REFUSED
    return Verdict(head.status, body, bool(kept) and not peer.unread)


def by_h11(data: bytes, method: str, size: int) -> Verdict:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    client.send(h11.EndOfMessage())
    status, body = 0, b""
    try:
        for event in events(client, data, size):
            if isinstance(event, h11.InformationalResponse) and event.status_code == 101:
                return Verdict(101)
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
    except h11.RemoteProtocolError:
        return REFUSED
    is_done = client.our_state is h11.DONE and client.their_state is h11.DONE
    return Verdict(status, body, is_done and not client.trailing_data[0])


def events(client: h11.Connection, data: bytes, size: int) -> Iterator[Any]:
    """Yield h11's events up to the end of the response; all that arrives is given to it."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)] + [b""]
    is_over = False
    for piece in pieces:
        if is_over and not piece:  # the end of the connection comes after the reuse
            return
        client.receive_data(piece)
        while not is_over:
            event = client.next_event()
            if event in (h11.NEED_DATA, h11.PAUSED):
                break
            yield event
            is_over = isinstance(event, h11.EndOfMessage)


def check(data: bytes, method: str, size: int) -> None:
    """Assert that the verdicts fit."""
    ours, theirs = by_us(data, method, size), by_h11(data, method, size)
    if theirs == REFUSED:
        assert not ours.is_reused, (ours, theirs)
    elif ours != REFUSED:
        assert ours[:2] == theirs[:2]
        assert theirs.is_reused or not ours.is_reused


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SIZED = OK + b"Content-Length: 5\r\n\r\n"
CORPUS = [
    SIZED + b"hello",
    SIZED + b"hell",
    SIZED + b"hello!",
    SIZED + b"helloHTTP/1.1 200 OK\r\n\r\n",
    OK + b"\r\nuntil the close",
    OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"Connection: keep-alive, Close\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"Content-Length: 5, 5\r\n\r\nhello",
    OK + b"Content-Length: 5,\r\n\r\nhello",
    OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    OK + b"Content-Length: 05\r\n\r\nhello",
    OK + b"Content-Length: 0x5\r\n\r\nhello",
    OK + b"Content-Length: \r\n\r\nhello",
    OK + b"Content-Length : 5\r\n\r\nhello",
    OK + b"Content-Length\0: 5\r\n\r\nhello",
    OK + b"Content-Length: 5\0\r\n\r\nhello",
    OK + b"Content-Length: 5\n\r\nhello",
    OK + b"Content-Length: 5\n\nhello",
    OK + b"Content-Length: 5\r\r\n\r\nhello",
    OK + b"\tContent-Length: 5\r\n\r\nhello",
    OK + b"X: 1\r\n Content-Length: 5\r\n\r\nhello",
    OK + b"X: 1\rContent-Length: 9\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"no header\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: chunked, identity\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding : chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    OK + b"Transfer-Encoding:\x0bchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    CHUNKED + b'5;a=b;c="d"\r\nhello\r\n0\r\nX: y\r\n\r\n',
    CHUNKED + b"0x5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b" 5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5 \r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"+5\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5\r\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5\nhello\r\n0\r\n\r\n",
    CHUNKED + b"5\r\nhello\n0\r\n\r\n",
    CHUNKED + b"5\r\nhello0\r\n\r\n",
    CHUNKED + b"5\r\nhello!\r\n0\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\n0\n\n",
    CHUNKED + b"5\r\nhello\r\n0\r\nno trailer\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\n0\r\n X: folded\r\n\r\n",
    CHUNKED + b"5\r\nhello\r\n0\r\n",
    CHUNKED + b"5\r\nhel",
    CHUNKED + b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    CHUNKED + b"fffffffffffffffff\r\nhello",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED + b"hello",
    b"HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\nhello" + SIZED + b"hello",
    b"HTTP/1.1 103 Early\nX: y\n\n" + SIZED + b"hello",
    b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 20 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\rX: y\r\nContent-Length: 5\r\n\r\nhello",
    b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"",
]


@pytest.mark.fault("U23")
@pytest.mark.parametrize("size", [1, 7, 65536])
@pytest.mark.parametrize("method", ["POST", "HEAD"])
@pytest.mark.parametrize("data", CORPUS)
def test_a_known_attack_is_read_as_h11_does_or_ends_the_connection(
    data: bytes, method: str, size: int
) -> None:
    check(data, method, size)


ENDS = st.sampled_from([b"\r\n"] * 12 + [b"\n", b"\r\r\n", b"\n\r\n"])
LINES = st.sampled_from(
    [
        b"Content-Length: 5",
        b"Content-Length: 5",
        b"content-length: 6",
        b"Content-Length: 5, 5",
        b"Content-Length : 5",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: x",
        b"Connection: close",
        b"Connection: keep-alive",
        b"X-A: b",
        b" folded",
        b"nonsense",
        b"X: \x00",
        b"X: a\rb",
    ]
)
STATUS = st.sampled_from(
    [b"HTTP/1.1 200 OK"] * 8
    + [b"HTTP/1.0 200 OK", b"HTTP/1.1 204 N", b"HTTP/1.1 304 N", b"HTTP/1.1 100 C", b"HTTP/1.1 200"]
)
BODIES = st.lists(
    st.sampled_from(
        [b"hello", b"5", b"5 ", b"05", b"5;x=y", b"0", b"", b"X: y", b"hello!", b" ", b"0x5", b"a"]
    ),
    max_size=6,
)
ALPHABET = [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b"5", b"0", b",", b"a", b"\xff", b";"]


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Return a response that is mostly well-formed, then damaged here and there."""
    data = draw(STATUS) + draw(ENDS)
    for line in draw(st.lists(LINES, max_size=4)):
        data += line + draw(ENDS)
    data += draw(ENDS)
    for line in draw(BODIES):
        data += line + draw(ENDS)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from(ALPHABET)) + data[at + draw(st.integers(0, 1)) :]
    return data


@pytest.mark.fault("F0")
@settings(max_examples=400)
@given(responses(), st.sampled_from(["POST", "GET", "HEAD"]), st.sampled_from([1, 3, 65536]))
@example(SIZED + b"hello", "POST", 65536)
def test_any_response_is_read_as_h11_does_or_ends_the_connection(
    data: bytes, method: str, size: int
) -> None:
    check(data, method, size)


@pytest.mark.parametrize("data", [SIZED + b"hello", CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"])
def test_a_connection_is_reused_after_a_well_formed_response(data: bytes) -> None:
    wanted = Verdict(200, b"hello", is_reused=True)

    assert by_us(data, "POST", 65536) == by_h11(data, "POST", 65536) == wanted
