"""Clients that are slow or dead, as far as they hold up others; a second stands for 15."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import suppress

import pytest
import requests
from testing import workers
from testing.gateway import Gateway
from testing.sockets import asked
from testing.sockets import connected
from testing.sockets import received
from testing.sockets import received_until
from testing.upstream import Repeat
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import sse
from testing.workers import chat

CHAT = "/v1/chat/completions"
SILENT = "the client sent no data of its body for LLMGATE_READ_TIMEOUT seconds"
HALF = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n"
JSON = HALF + b"Content-Type: application/json\r\n"
UPLOAD = HALF.replace(b"chat/completions", b"audio/transcriptions")
UPLOAD += b"Content-Type: multipart/form-data; boundary=x\r\n"
SOME = 6  # more than there are threads


@pytest.fixture(scope="module", params=workers.WORKERS)
def gate(request: pytest.FixtureRequest, session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway with four threads."""
    args = ("--threads", "4") if request.param == "gthread" else ()
    with workers.gateway(session_upstream, request.param, *args) as found:
        yield found


def health(gate: Gateway) -> float:
    """Return the seconds that the gateway needs to say that it is well."""
    begun = time.monotonic()
    assert requests.get(gate.url + "/health", timeout=10).ok
    return time.monotonic() - begun


@pytest.mark.fault("C6")
@pytest.mark.parametrize("sent", [b"", b"G", HALF])
def test_half_a_head_holds_nobody_up(sent: bytes, gate: Gateway) -> None:
    with ExitStack() as clients:
        for _ in range(SOME):
            clients.enter_context(connected(gate.url, sent))
        time.sleep(0.05)

        assert max(health(gate) for _ in range(5)) < 0.2


def test_half_a_head_is_not_waited_for(gate: Gateway) -> None:
    with connected(gate.url, HALF) as sock:
        begun = time.monotonic()
        with suppress(ConnectionResetError):
            received(sock)

    assert time.monotonic() - begun < 4


def test_a_head_in_pieces_is_read(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}'
    whole = JSON + b"Content-Length: %d\r\n\r\n" % len(body) + body

    with connected(gate.url) as sock:
        for _ in range(2):  # on a new connection and on a kept one
            for at in range(0, len(whole), 20):
                sock.sendall(whole[at : at + 20])
                time.sleep(0.005)
            assert received_until(sock, b"_response_ms").startswith(b"HTTP/1.1 200 OK\r\n")
            time.sleep(0.05)


@pytest.mark.fault("C6", "C9")
@pytest.mark.parametrize(
    "sent",
    [
        JSON + b"Content-Length: 100\r\n\r\n{",
        JSON + b"Transfer-Encoding: chunked\r\n\r\n",
        JSON + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_a_body_that_does_not_come_times_out(sent: bytes, gate: Gateway) -> None:
    request_id = f"{time.monotonic()}"
    sent = sent.replace(b"Host: x", b"Host: x\r\nX-Request-Id: " + request_id.encode())

    with connected(gate.url, sent) as sock:
        begun = time.monotonic()
        data = received_until(sock, b"request_timeout")

    assert data.startswith(b"HTTP/1.1 408 ")
    assert gate.log(lambda line: line["request_id"] == request_id)["cause"] == SILENT
    assert 0.5 < time.monotonic() - begun < 3


@pytest.mark.fault("C6")
@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (JSON + b"Content-Length: 1000\r\n\r\n", b" "),
        (JSON + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
        (UPLOAD + b"Content-Length: 1000\r\n\r\n--x\r\n", b"a"),
        (JSON + b"Content-Length: 1000000\r\n\r\n", b" " * 4000),  # fast enough, but too long
    ],
)
def test_a_body_that_drips_times_out(head: bytes, piece: bytes, gate: Gateway) -> None:
    request_id = f"{time.monotonic()}"
    head = head.replace(b"Host: x", b"Host: x\r\nX-Request-Id: " + request_id.encode())
    begun = time.monotonic()

    with connected(gate.url, head) as sock:
        sock.settimeout(0.1)
        data = b""
        while not data and time.monotonic() - begun < 6:
            sock.sendall(piece)
            with suppress(TimeoutError):
                data = sock.recv(65536)

    assert data.startswith(b"HTTP/1.1 408 ")
    assert 0.9 < time.monotonic() - begun < 4.5
    line = gate.log(lambda line: line["request_id"] == request_id)
    assert line["cause"].startswith("the client sent ") and " of its body in " in line["cause"]


def test_a_slow_body_that_goes_on_is_read(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"%s"}]}' % (b"a" * 4000)

    with connected(gate.url, JSON + b"Content-Length: %d\r\n\r\n" % len(body)) as sock:
        for at in range(0, len(body), 400):
            sock.sendall(body[at : at + 400])
            time.sleep(0.15)
        assert received_until(sock, b"_response_ms").startswith(b"HTTP/1.1 200 OK\r\n")


def test_an_upload_that_does_not_come_times_out(gate: Gateway) -> None:
    with connected(gate.url, UPLOAD + b"Content-Length: 1000\r\n\r\n--x\r\n") as sock:
        data = received_until(sock, b"request_timeout")

    assert data.startswith(b"HTTP/1.1 408 ")


@pytest.mark.fault("C11")
@pytest.mark.parametrize("chunk", [b"_5\r\nhello", b"0x5\r\nhello", b"zz\r\n", b"-1\r\n"])
def test_a_malformed_chunk_is_a_bad_request(chunk: bytes, gate: Gateway) -> None:
    with connected(gate.url, JSON + b"Transfer-Encoding: chunked\r\n\r\n" + chunk) as sock:
        data = received_until(sock, b"\r\n\r\n")

    assert data.startswith(b"HTTP/1.1 400 ")


@pytest.mark.fault("C5")
def test_a_client_that_never_reads_is_left(gate: Gateway, upstream: Upstream) -> None:
    piece = b": " + b"x" * 65536 + b"\n\n"
    upstream.plays(sse([chat_chunks()[0], Repeat(piece)]))
    user = f"{time.monotonic()}"

    with asked(gate.url + CHAT, chat(stream=True, user=user)):
        (seen,) = upstream.wait_for(1)

        assert seen.closed_by_peer.wait(8)
    assert gate.log(lambda line: line["user"] == user)["aborted"] is True


@pytest.mark.fault("C22")
def test_connections_that_are_not_closed_hold_nobody_up(gate: Gateway) -> None:
    with ExitStack() as clients:
        for _ in range(12):
            sock = clients.enter_context(asked(gate.url + "/health", connection="close"))
            received_until(sock, b"running")

        assert max(health(gate) for _ in range(5)) < 0.2


def test_slow_clients_leave_no_traceback(gate: Gateway) -> None:
    with connected(gate.url, JSON + b"Content-Length: 100\r\n\r\n{") as sock:
        received_until(sock, b"request_timeout")

    assert "Traceback" not in gate.stderr()
