from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.http.body import Body
from gunicorn.http.body import LengthReader
from gunicorn.http.unreader import IterUnreader

from llmgate.server import response_writer


class Sent(list[bytes]):
    """A socket that keeps what is sent, each time."""

    def sendall(self, data: bytes) -> None:
        self.append(bytes(data))


def request_of(method: str) -> Any:
    """Return a request without a body."""
    body = Body(LengthReader(IterUnreader([]), 0))
    return SimpleNamespace(method=method, version=(1, 1), should_close=lambda: False, body=body)


def response(method: str = "POST", **headers: str) -> tuple[response_writer.Response, Sent]:
    """Return a response with *headers*, and what it sends."""
    sent = Sent()
    request = request_of(method)
    found = response_writer.Response(request, sent, Config())
    given = [(name.replace("_", "-"), value) for name, value in headers.items()]
    found.start_response("200 OK", given)
    return found, sent


def wanted(pieces: list[bytes], method: str = "POST", **headers: str) -> bytes:
    """Return all that gunicorn's own response sends."""
    sent = Sent()
    request = request_of(method)
    own = response_writer.Response.__base__(request, sent, Config())
    own.start_response("200 OK", [(n.replace("_", "-"), value) for n, value in headers.items()])
    for piece in pieces:
        own.write(piece)
    own.close()
    return dateless(sent)


def dateless(sent: list[bytes]) -> bytes:
    """Return all that was *sent*, but for the time."""
    return re.sub(rb"Date: [^\r]*", b"", b"".join(sent))


def test_head_and_body_go_out_at_once() -> None:
    found, sent = response(Content_Length="2")

    found.write(b"{}")
    found.close()

    (data,) = sent
    assert data.startswith(b"HTTP/1.1 200 OK\r\n") and data.endswith(b"\r\n\r\n{}")


def test_the_first_event_goes_out_with_the_head_and_each_other_alone() -> None:
    found, sent = response()

    for piece in (b"data: 1\n\n", b"data: 2\n\n"):
        found.write(piece)
    found.close()

    assert sent[0].endswith(b"\r\n\r\n9\r\ndata: 1\n\n\r\n")
    assert sent[1:] == [b"9\r\ndata: 2\n\n\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize("method", ["POST", "HEAD"])
@pytest.mark.parametrize("headers", [{}, {"Content_Length": "4"}])
@pytest.mark.parametrize("pieces", [[], [b""], [b"data"], [b"", b"data"], [b"da", b"ta", b"more"]])
def test_the_bytes_are_those_of_gunicorn(method: str, headers: Any, pieces: list[bytes]) -> None:
    found, sent = response(method, **headers)

    for piece in pieces:
        found.write(piece)
    found.close()

    assert dateless(sent) == wanted(pieces, method, **headers)


def test_a_large_body_is_not_copied() -> None:
    found, sent = response(Content_Length="100000")

    found.write(b"x" * 100_000)

    assert [len(each) for each in sent[1:]] == [100_000]
