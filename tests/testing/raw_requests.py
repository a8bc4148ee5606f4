"""Raw HTTP/1.1 requests as no client library sends them: a corpus, and random ones.

END ends the connection, so that a test reads to its end whatever came before.
"""

from __future__ import annotations

import random
from typing import NamedTuple

END = b"GET /health?end HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
_GET = b"GET /health HTTP/1.1\r\nHost: h\r\n"
_POST = b"POST /health HTTP/1.1\r\nHost: h\r\n"
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"


class Case(NamedTuple):
    """What is sent, and the statuses of the responses."""

    name: str
    data: bytes
    statuses: list[int]


def _refused(name: str, data: bytes, status: int = 400) -> Case:
    """Return a case in which nothing that follows the first request is looked at."""
    return Case(name, data + _SMUGGLED + END, [status])


def _taken(name: str, data: bytes, *statuses: int) -> Case:
    return Case(name, data + END, [*statuses, 200])


CORPUS = [
    _taken("two in one packet", _GET + b"\r\n" + _GET + b"\r\n", 200, 200),
    _taken("an empty line before", b"\r\n" + _GET + b"\r\n", 200),
    _refused(
        "a chunked body", _POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 405
    ),
    _refused(
        "an extension", _POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", 405
    ),
    _refused("a trailer", _POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n\r\n", 405),
    _taken("a body", _POST + b"Content-Length: 3\r\n\r\nabc", 405),
    _taken("a body of a GET", _GET + b"Content-Length: 3\r\n\r\nabc", 200),
    _taken("no body", _POST + b"Content-Length: 0\r\n\r\n", 405),
    _refused("both", _POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    _refused(
        "both, reversed",
        _POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    ),
    _refused("two lengths", _POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
    _refused("a list of lengths", _POST + b"Content-Length: 3, 3\r\n\r\nabc"),
    _refused("a sign", _POST + b"Content-Length: +3\r\n\r\nabc"),
    _refused("a hexadecimal length", _POST + b"Content-Length: 0x3\r\n\r\nabc"),
    _refused("an underscore", _POST + b"Content-Length: 1_0\r\n\r\nabcdefghij"),
    _refused("a negative length", _POST + b"Content-Length: -1\r\n\r\n"),
    _refused("digits that are not ASCII", _POST + "Content-Length: ３\r\n\r\nabc".encode()),
    _refused("an unknown coding", _POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    _refused(
        "chunked, then more", _POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"
    ),
    _refused("chunked twice", _POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    _refused("a space before the colon", _POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    _refused("a tab in a name", _POST + b"Transfer-\tEncoding: chunked\r\n\r\n0\r\n\r\n"),
    _refused("a fold", _POST + b"X: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    _refused("a fold of the first", b"GET /health HTTP/1.1\r\n Host: h\r\n\r\n"),
    _refused("a bare CR", _GET + b"X: a\rY: b\r\n\r\n"),
    _refused("a NUL", _GET + b"X: a\0b\r\n\r\n"),
    _refused("a name of nothing", _GET + b": x\r\n\r\n"),
    _refused("no colon", _GET + b"Transfer-Encoding chunked\r\n\r\n"),
    _refused("no version", b"GET /health\r\n\r\n"),
    _refused("two spaces", b"GET  /health  HTTP/1.1\r\nHost: h\r\n\r\n"),
    _refused("version 2", b"GET /health HTTP/2.0\r\nHost: h\r\n\r\n"),
    _refused("the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    _refused("a method of signs", b"G(T /health HTTP/1.1\r\nHost: h\r\n\r\n"),
    _refused("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
]
"""Kinds of requests that servers and proxies have disagreed about."""


def some(rng: random.Random) -> bytes:
    """Return a random request that may be wrong in any place, and END."""
    method = rng.choice([b"GET", b"POST", b"POST", b"POST", b"HEAD", b"get", b"A" * 30, b"G T"])
    target = rng.choice([b"/health", b"/health", b"/nowhere", b"*", b"http://h/health", b"/%00"])
    version = rng.choice([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.2", b"http/1.1", b""])
    lines = [b" ".join([method, target, version]), b"Host: h"]
    lines += [rng.choice(_HEADERS) for _ in range(rng.randrange(4))]
    end = rng.choice([b"\r\n"] * 9 + [b"\n"])
    data = end.join([*lines, b"", b""]) + rng.choice(_BODIES)
    if rng.random() < 0.3:  # one byte is another
        at = rng.randrange(data.index(b"Host: h") + 7, len(data))
        data = data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
    return data + END


_HEADERS = [
    b"Content-Length: 3",
    b"Content-Length: 3",
    b"Content-Length: 0",
    b"Content-Length: 03",
    b"Content-Length: 3 ",
    b"Content-Length:3",
    b"content-length: 5",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: Chunked",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding:\tchunked",
    b"Transfer_Encoding: chunked",
    b"Connection: close",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b"X: " + b"y" * 3000,
    b" folded: x",
    b"X:\xff\xfe",
]
_BODIES = [
    b"",
    b"",
    b"abc",
    b"abc",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"3\nabc\n0\n\n",
    b"03\r\nabc\r\n0\r\n\r\n",
    b"0x3\r\nabc\r\n0\r\n\r\n",
    b"3 \r\nabc\r\n0\r\n\r\n",
    b'3;x="\r\n"\r\nabc\r\n0\r\n\r\n',
    b"3\r\nabcd\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\nabc",
    b"0\r\nX: y\r\n\r\n",
    b"-1\r\nabc\r\n0\r\n\r\n",
    b"3\r\nabc\r\n0\r\n\r\nGET /health?x HTTP/1.1\r\nHost: h\r\n\r\n",
]
