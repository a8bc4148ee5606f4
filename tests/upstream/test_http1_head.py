from __future__ import annotations

import http.client
import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate.upstream import http1_head

OK = b"HTTP/1.1 200 OK\r\n"
TOKEN = st.text("abcXYZ019-_", min_size=1, max_size=12)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_categories=["Cc"]))


def arriving(data: bytes, size: int = 65536) -> Callable[[], bytes]:
    """Return what gives *data* in pieces of *size* bytes, then the end."""
    return iter([data[at : at + size] for at in range(0, len(data), size)] + [b""] * 2).__next__


def read(data: bytes, method: str = "POST", size: int = 65536) -> http1_head.Head:
    return http1_head.read(arriving(data, size), method)[0]


def by_http_client(data: bytes) -> dict[str, str]:
    """Return the headers of the answer *data* as `http.client` reads them."""

    class _Sock:
        def makefile(self, mode: str) -> Any:
            return io.BytesIO(data)

    response = http.client.HTTPResponse(_Sock())  # type: ignore[arg-type]
    response.begin()
    return {name.lower(): value for name, value in response.getheaders()}


@given(st.dictionaries(TOKEN.map(str.lower), VALUE, max_size=8), st.integers(1, 40))
def test_headers_are_read_as_http_client_does(fields: dict[str, str], size: int) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    data = OK + lines.encode("latin-1") + b"content-length: 4\r\n\r\nbody"

    assert read(data, size=size).headers == by_http_client(data) == fields | {"content-length": "4"}


@given(st.integers(1, 60))
def test_what_follows_is_not_lost(size: int) -> None:
    data = OK + b"Content-Length: 9\r\n\r\nthe body."
    receive = arriving(data, size)

    _, rest = http1_head.read(receive, "POST")

    assert rest + b"".join(iter(receive, b"")) == b"the body."


@pytest.mark.parametrize(
    ("lines", "method", "length", "is_chunked", "is_persistent", "is_strict"),
    [
        (b"200 OK\r\nContent-Length: 12\r\n", "POST", 12, False, True, True),
        (b"200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n", "POST", 5, False, True, False),
        (b"200 OK\r\nContent-Length: 5, 5\r\n", "POST", 5, False, True, False),
        (b"200 OK\r\nContent-Length: 5,\r\n", "POST", 5, False, True, False),
        (b"200 OK\r\nContent-Length: 5\r\nConnection: Close\r\n", "POST", 5, False, False, True),
        (b"200 OK\r\nTransfer-Encoding: Chunked\r\n", "POST", None, True, True, True),
        (
            b"200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "POST",
            None,
            True,
            True,
            False,
        ),
        (b"200 OK\r\n", "POST", None, False, True, True),
        (b"200 OK\r\nContent-Length:\r\n", "POST", None, False, True, False),
        (
            b"200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n",
            "POST",
            5,
            False,
            True,
            False,
        ),
        (
            b"200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "POST",
            None,
            True,
            True,
            False,
        ),
        (b"200 OK\r\nTransfer-Encoding: identity, chunked\r\n", "POST", None, True, True, False),
        (b"204 No\r\nConnection: a\r\nConnection: close\r\n", "GET", 0, False, False, True),
        (b"200\r\nContent-Length: 0\r\n", "POST", 0, False, True, True),
        (b"204 No Content\r\n", "DELETE", 0, False, True, True),
        (b"304 Not Modified\r\nContent-Length: 5\r\n", "GET", 0, False, True, False),
        (b"200 OK\r\nContent-Length: 5\r\n", "HEAD", 0, False, True, False),
        (b"101 Switching Protocols\r\n", "GET", 0, False, True, True),
    ],
)
def test_a_head_determines_how_the_body_ends(
    lines: bytes,
    method: str,
    length: int | None,
    is_chunked: bool,
    is_persistent: bool,
    is_strict: bool,
) -> None:
    got = read(b"HTTP/1.1 " + lines + b"\r\n", method)

    wanted = (length, is_chunked, is_persistent, is_strict)
    assert (got.length, got.is_chunked, got.is_persistent, got.is_strict) == wanted


@pytest.mark.parametrize("connection", [b"", b"Connection: Keep-Alive\r\n"])
def test_http_1_0_is_never_persistent(connection: bytes) -> None:
    got = read(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n" + connection + b"\r\n")

    assert (got.length, got.is_persistent) == (5, False)


def test_chunked_is_not_strict_in_http_1_0() -> None:
    got = read(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

    assert (got.is_chunked, got.is_strict) == (True, False)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n X: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: 1\r2\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: \0\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx y: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 103 Early\nA: b\n\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 100 C\r\nContent-Length: 2\r\n\r\nHTTP/1.1 200 K\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_a_head_that_is_parsed_leniently_is_not_strict(head: bytes) -> None:
    got = read(head)

    assert (got.length, got.is_strict) == (2, False)


def test_lines_may_end_without_a_return() -> None:
    got, rest = http1_head.read(
        arriving(b"HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\n{}"), "POST"
    )

    assert got.headers == {"content-length": "2", "x-a": "b"}
    assert rest == b"{}"


def test_a_header_may_go_on_in_the_next_line() -> None:
    got = read(OK + b"X-Long: one\r\n two\r\n\t three\r\nX-Next: a\r\n\r\n")

    assert got.headers == {"x-long": "one two three", "x-next": "a"}


def test_repeated_headers_are_joined_unless_they_are_no_lists() -> None:
    lines = b"X-A: 1\r\nRetry-After: 1\r\nx-a : 2\r\nretry-after: 2\r\n"

    assert read(OK + lines + b"\r\n").headers == {"x-a": "1, 2", "retry-after": "2"}


def test_lines_that_are_not_headers_are_skipped() -> None:
    lines = b"X: 1\r\nno header\r\n: nor this\r\n"
    names = b"x a: b\r\nx\0: c\r\nx\ry: d\r\n\xe9: e\r\n"

    assert read(OK + lines + names + b"\r\n").headers == {"x": "1"}


def test_a_length_said_twice_is_one() -> None:
    got = read(OK + b"Content-Length: 9\r\nContent-Length: 9\r\n\r\n")

    assert (got.length, got.headers) == (9, {"content-length": "9"})


def test_a_body_may_be_compressed() -> None:
    assert read(OK + b"Content-Encoding: GZip\r\n\r\n").coding == "gzip"
    assert read(OK + b"\r\n").coding == "identity"


def test_what_only_announces_an_answer_is_passed_over() -> None:
    got = read(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nA: b\r\n\r\n" + OK + b"\r\n")

    assert (got.status, got.headers) == (200, {})


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"H", "connection closed within the response head"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "connection closed within"),
        (b"<html></html>\r\n\r\n", "malformed status line"),
        (b"HTTP/2 200\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 20x OK\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", "malformed status line"),
        (b"ICY 200 OK\r\n\r\n", "malformed status line"),
        (OK + b"Content-Length: two\r\n\r\n", "invalid Content-Length"),
        (OK + b"Content-Length: -1\r\n\r\n", "invalid Content-Length"),
        (OK + b"Content-Length: +1\r\n\r\n", "invalid Content-Length"),
        (OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "conflicting Content-Length"),
        (b"HTTP/1.1 304 N\r\nContent-Length: 1, 2\r\n\r\n", "conflicting Content-Length"),
        (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n", "unsupported Transfer-Encoding"),
        (OK + b"X: y\r\n" * 101 + b"\r\n", "more than 100 headers"),
        (OK + b"X: " + b"y" * 200_000 + b"\r\n\r\n", "response head larger than 65536 bytes"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50, "more than 15 interim"),
    ],
)
def test_an_invalid_head_is_refused_with_its_cause(data: bytes, cause: str) -> None:
    with pytest.raises(http1_head.ProtocolError, match=cause):
        read(data, size=8192)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"HTT", True),
        (b"HTTP/1.1 1", True),
        (b"HTTP/1.1 2", False),
        (b"ICY", False),
        (b"HTTP/1.1 100 Continue\r\n\r", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103", True),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 413", False),
        (b"HTTP/1.1 101 Switching Protocols\r\n", False),
        (b"HTTP/1.1 100 " + b"x" * 70_000, False),
    ],
)
def test_interim_responses_are_told_apart_from_final_ones(data: bytes, wanted: bool) -> None:
    assert http1_head.is_interim(data) is wanted


def test_an_end_before_anything_is_told_apart() -> None:
    with pytest.raises(EOFError):
        read(b"")


def test_a_request_is_written() -> None:
    got = http1_head.request("POST", "/v1/chat?a=b", {"Host": "example.com", "X-A": "1"})

    assert got == b"POST /v1/chat?a=b HTTP/1.1\r\nHost: example.com\r\nX-A: 1\r\n\r\n"
