"""What happens on a connection after the response, under each worker: it holds no one up."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from testing import workers
from testing.bystander import Bystander
from testing.gateway import Gateway
from testing.sockets import connected
from testing.sockets import received
from testing.sockets import received_until
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer

KEY = "sk-a-master-key"
HEALTH = b"GET /health HTTP/1.1\r\nHost: h\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n"
THREADS = 8
CLIENTS = 24


@pytest.fixture(scope="module", params=workers.WORKERS)
def gate(request: pytest.FixtureRequest, session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway with one worker of eight threads, and small limits."""
    args = ("--threads", str(THREADS)) if request.param == "gthread" else ()
    own = {"max_body_mb": 1, "max_upload_mb": 1}
    with workers.gateway(session_upstream, request.param, *args, **own) as found:
        yield found


@pytest.fixture(scope="module", params=workers.WORKERS)
def keyed(request: pytest.FixtureRequest, session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway that needs a key."""
    args = ("--threads", str(THREADS)) if request.param == "gthread" else ()
    found = workers.gateway(session_upstream, request.param, *args)
    found._env["LLMGATE_MASTER_KEY"] = KEY
    with found:
        yield found


def cpu_seconds(gate: Gateway) -> float:
    """Return the processor time of the worker so far."""
    (pid,) = gate.workers()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@pytest.mark.fault("F1", "C12")
def test_an_endless_body_without_a_key_is_refused_and_read_no_further(keyed: Gateway) -> None:
    stop = threading.Event()

    def send(sock: socket.socket) -> None:
        with suppress(OSError):
            while not stop.is_set():
                sock.sendall(b"x" * 65536)

    with ExitStack() as stack:
        socks = [
            stack.enter_context(connected(keyed.url, POST + b"Content-Length: 99999999999\r\n\r\n"))
            for _ in range(4)
        ]
        threads = [threading.Thread(target=send, args=(sock,)) for sock in socks]
        for thread in threads:
            thread.start()
        began, used = time.monotonic(), cpu_seconds(keyed)
        waits = []
        while time.monotonic() - began < 3:
            asked = time.monotonic()
            assert requests.get(keyed.url + "/health", timeout=20).ok
            waits.append(time.monotonic() - asked)
        first = [sock.recv(12) for sock in socks]
        workers.eventually(lambda: not any(thread.is_alive() for thread in threads), 15)
        stop.set()

    assert first == [b"HTTP/1.1 401"] * 4
    assert max(waits) < 2
    assert cpu_seconds(keyed) - used < 12


@pytest.mark.fault("F1", "C12")
@pytest.mark.parametrize("size", [5, 40])
def test_a_client_that_is_refused_in_mid_upload_reads_413(gate: Gateway, size: int) -> None:
    for _ in range(3):
        began = time.monotonic()
        got = requests.post(gate.url + "/v1/chat/completions", data=b"x" * (size << 20), timeout=20)

        assert (got.status_code, got.headers["Connection"]) == (413, "close")
        assert time.monotonic() - began < 10


@pytest.mark.fault("F7")
def test_bodies_that_do_not_come_hold_no_thread(gate: Gateway, upstream: Upstream) -> None:
    with Bystander(gate, upstream), ExitStack() as stack:
        for head in (HEALTH, b"POST /x HTTP/1.1\r\nHost: h\r\n"):
            for _ in range(CLIENTS):
                sock = stack.enter_context(connected(gate.url, head + b"Content-Length: 9\r\n\r\n"))
                got = received_until(sock, b"\r\n\r\n")
                assert b"\r\nConnection: close\r\n" in got
        time.sleep(2.5)


@pytest.mark.fault("F7", "C21")
def test_half_a_head_behind_a_request_holds_no_thread(gate: Gateway, upstream: Upstream) -> None:
    with Bystander(gate, upstream), ExitStack() as stack:
        socks = [
            stack.enter_context(connected(gate.url, HEALTH + b"\r\n" + HEALTH))
            for _ in range(CLIENTS)
        ]
        for sock in socks:
            assert received_until(sock, b"running").startswith(b"HTTP/1.1 200 ")
        time.sleep(0.3)
        for sock in socks[:3]:
            sock.sendall(b"\r\n")
            assert received_until(sock, b"running").startswith(b"HTTP/1.1 200 ")
        time.sleep(2.5)


@pytest.mark.fault("F7", "C6")
def test_half_a_head_and_a_close_cost_no_processor_time(gate: Gateway) -> None:
    with ExitStack() as stack:
        for shut in (True, False) * 5:
            sock = stack.enter_context(connected(gate.url, HEALTH))
            time.sleep(0.02)
            if shut:
                sock.shutdown(socket.SHUT_WR)
            else:
                sock.close()
        before = cpu_seconds(gate)
        time.sleep(0.8)  # the read timeout is a second

        assert cpu_seconds(gate) - before < 0.4


@pytest.mark.fault("F7", "C6")
def test_a_head_that_never_ends_is_refused(gate: Gateway, upstream: Upstream) -> None:
    with Bystander(gate, upstream), ExitStack() as stack:
        socks = [
            stack.enter_context(connected(gate.url, HEALTH + b"X: y\r\n" * 15_000))
            for _ in range(CLIENTS)
        ]
        for sock in socks:
            got = received(sock)
            assert got.startswith(b"HTTP/1.1 431 ") or (
                not got and gate._env["LLMGATE_WORKER_CLASS"] == "gevent"
            )


@pytest.mark.fault("C6")
def test_a_slow_head_has_one_time_limit(gate: Gateway) -> None:
    """A byte now and then does not renew the read timeout, which is a second here."""
    began = time.monotonic()
    with connected(gate.url, HEALTH) as sock, suppress(OSError):
        while time.monotonic() - began < 8:
            sock.sendall(b"X")
            sock.settimeout(0.3)
            with suppress(TimeoutError):
                if not sock.recv(1000):
                    break

    assert time.monotonic() - began < 5


def test_a_small_body_that_is_not_read_keeps_the_connection(gate: Gateway) -> None:
    with connected(gate.url) as sock:
        for _ in range(3):
            sock.sendall(HEALTH + b"Content-Length: 5\r\n\r\nhello")
            got = received_until(sock, b"running")
            assert b"\r\nConnection: keep-alive\r\n" in got


@pytest.mark.fault("C12")
def test_a_refused_client_that_expects_100_continue_does_not_receive_it(keyed: Gateway) -> None:
    with connected(keyed.url, POST + b"Content-Length: 99\r\nExpect: 100-continue\r\n\r\n") as sock:
        got = received(sock)

    assert got.startswith(b"HTTP/1.1 401 ")


def test_100_continue_is_sent_when_the_body_is_read(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    body = b'{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}]}'
    head = POST + b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body)

    with connected(gate.url, head) as sock:
        interim = received_until(sock, b"\r\n\r\n")
        sock.sendall(body)
        got = received_until(sock, b"_response_ms")

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert got.startswith(b"HTTP/1.1 200 ")


@pytest.mark.fault("C21")
def test_requests_in_one_packet_are_answered_in_order(gate: Gateway) -> None:
    requests_ = [b"GET /health?%d HTTP/1.1\r\nHost: h\r\n\r\n" % at for at in range(5)]
    last = b"GET /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    with connected(gate.url, b"".join(requests_) + last) as sock:
        got = received(sock)

    assert re.findall(rb"HTTP/1.1 (\d+)", got) == [*[b"200"] * 5, b"404"]
