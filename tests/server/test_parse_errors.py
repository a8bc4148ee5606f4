"""What gunicorn cannot read is told and logged as all errors are, under each of the workers."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http import errors as http
from testing.gateway import Gateway
from testing.upstream import Upstream
from testing.workers import WORKERS
from testing.workers import gateway as under

from llmgate.server import parse_errors

SECRET = "sk-canary-0123456789"
LIMITS = SimpleNamespace(
    limit_request_line=4094, limit_request_field_size=8190, limit_request_fields=100
)
UNREADABLE = [
    (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "invalid_request_line"),
    (b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n" % (b"x" * 5000), 414, "url_too_long"),
    (b"GET / HTTP/9.9\r\nHost: h\r\n\r\n", 400, "invalid_request_line"),
    (b"GET / HTTP/1.1\r\nX-Long: %s\r\n\r\n" % (b"x" * 9000), 431, "headers_too_large"),
    (b"GET / HTTP/1.1\r\n%s\r\n" % (b"A: b\r\n" * 200), 431, "headers_too_large"),
    (b"GET / HTTP/1.1\r\nAuthorization %s\r\n\r\n" % SECRET.encode(), 400, "invalid_header"),
    (b"GET / HTTP/1.1\r\nAuthorization: Bearer\r\n %s\r\n\r\n" % SECRET.encode(), 400, None),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: rot13\r\n\r\n", 501, "unsupported_transfer_coding"),
    (b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "invalid_header"),
    (b"POST / HTTP/1.1\r\nExpect: a-miracle\r\n\r\n", 417, "expectation_failed"),
]


@pytest.fixture(scope="module", params=WORKERS)
def gate(request: pytest.FixtureRequest, session_upstream: Upstream) -> Iterator[Gateway]:
    with under(session_upstream, request.param) as found:
        yield found


def answer_to(gate: Gateway, data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the answer to *data*, read to its end."""
    with socket.create_connection(("127.0.0.1", gate.port), timeout=10) as sock:
        sock.sendall(data)
        got = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


@pytest.mark.fault("C10", "S10")
@pytest.mark.parametrize(("data", "status", "code"), UNREADABLE)
def test_what_cannot_be_read_is_told_in_json_and_logged(
    gate: Gateway, data: bytes, status: int, code: str | None
) -> None:
    got, headers, body = answer_to(gate, data)

    told = json.loads(body)["error"]
    assert (got, told["type"]) == (status, "invalid_request_error")
    assert code in (None, told["code"])
    assert headers["content-type"] == "application/json"
    assert (headers["connection"], headers["x-should-retry"]) == ("close", "false")
    request_id = headers["x-request-id"]
    line = gate.log(lambda each: isinstance(each, dict) and each["request_id"] == request_id)
    assert (line["status"], line["error"]) == (status, told["message"])
    assert line["error_code"] == told["code"]
    assert SECRET not in f"{gate.logs()}{gate.stderr()}{body!r}"
    assert gate.stderr().count("Invalid request") == 0


def test_a_client_that_still_sends_gets_the_answer(gate: Gateway) -> None:
    data = b"POST / HTTP/1.1\r\nX-Long: %s\r\n\r\n" % (b"x" * 9000) + b"y" * 50_000

    assert answer_to(gate, data)[0] == 431


def test_a_request_has_one_answer(gate: Gateway) -> None:
    """What is wrong with a body that nobody asked for comes to light after the answer."""
    data = b"GET /health HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"

    status, _, body = answer_to(gate, data)

    assert (status, body.count(b"HTTP/1.1")) == (200, 0)
    assert "Traceback" not in gate.stderr()


class Client:
    """A socket that keeps what it is sent, or has *failure*."""

    def __init__(self, failure: OSError | None = None) -> None:
        self.sent = b""
        self._failure = failure

    def sendall(self, data: bytes) -> None:
        if self._failure:
            raise self._failure
        self.sent += data


@pytest.mark.parametrize(
    "exc",
    [
        http.InvalidResponseHeader("x"),
        http.InvalidResponseHeaderName("x"),
        http.ConfigurationProblem("x"),
        ValueError("x"),
    ],
)
def test_what_is_not_the_clients_fault_is_left_to_gunicorn(exc: Exception) -> None:
    client = Client()

    assert parse_errors.respond(client, exc, LIMITS) is False
    assert client.sent == b""


def test_a_client_that_has_left_is_logged_all_the_same(lines: list[Any]) -> None:
    gone = Client(BrokenPipeError())

    assert parse_errors.respond(gone, http.LimitRequestLine(9), LIMITS) is True

    assert [(line["status"], line["error_code"]) for line in lines] == [(414, "url_too_long")]
