from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from testing import tls as certificates
from testing.upstream import CUT
from testing.upstream import RESET
from testing.upstream import Answer as Planned
from testing.upstream import Pause
from testing.upstream import Upstream
from testing.upstream import json_answer
from testing.upstream import raw

from llmgate import errors
from llmgate.contract import Answer
from llmgate.contract import Call
from llmgate.upstream import session as gate

LARGE = b"x" * 8_000_000
EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}"


def read(answer: Answer) -> bytes:
    return gate.body(answer)


def test_a_request_arrives_as_it_was_built(upstream: Upstream) -> None:
    upstream.plays(json_answer({"a": 1}))
    headers = {"user-agent": "theirs", "Content-length": "7", "x-a": "b"}

    got = gate.Session().send(Call("POST", f"{upstream.url}/a", headers, b"body"), 5.0)

    assert (got.status, read(got)) == (200, b'{"a": 1}')
    (seen,) = upstream.requests
    assert (seen.method, seen.path, seen.body) == ("POST", "/a", b"body")
    assert dict(seen.headers) == {
        "host": upstream.url.removeprefix("http://"),
        "accept-encoding": "identity",
        "user-agent": "theirs",
        "content-length": "4",
        "x-a": "b",
    }


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("", "/"),
        ("/", "/"),
        ("/a/../b//c", "/a/../b//c"),
        ("/Gr\u00fc\u00dfe x?q=\u4e16 1&r=%20%ff", "/Gr%C3%BC%C3%9Fe%20x?q=%E4%B8%96%201&r=%20%ff"),
        ("/a?b=c#part", "/a?b=c"),
        ("/a%zz\udcff", "/a%25zz%ED%B3%BF"),
        ("/a\r\nX-Evil: 1", "/a%0D%0AX-Evil:%201"),
    ],
)
def test_an_address_is_sent_in_characters_that_may_stand_there(
    upstream: Upstream, asked: str, wanted: str
) -> None:
    upstream.plays(json_answer({}))

    read(gate.Session().send(Call("GET", f"{upstream.url}{asked}", {}), 5.0))

    assert [seen.path for seen in upstream.requests] == [wanted]


def test_a_large_body_arrives_whole(upstream: Upstream) -> None:
    upstream.plays(json_answer({}))

    read(gate.Session().send(Call("POST", upstream.url, {}, LARGE), 5.0))

    assert [seen.body for seen in upstream.requests] == [LARGE]


class Server:
    """A server for one connection that plays *serve* on it, over TLS if there is a *context*."""

    def __init__(self, serve: Callable[[socket.socket], None], tls: bool = False) -> None:
        self._serve, self._context = serve, certificates.context("self-signed") if tls else None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pool = ThreadPoolExecutor(1)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def _run(self) -> None:
        sock, _ = self._listener.accept()
        if self._context:
            sock = self._context.wrap_socket(sock, server_side=True)
        with sock:
            self._serve(sock)

    def __enter__(self) -> Server:
        self._running = self._pool.submit(self._run)
        return self

    def __exit__(self, *error: object) -> None:
        self._running.result(10)
        self._pool.shutdown()
        self._listener.close()


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def tls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether the upstream speaks TLS; its certificate is then trusted."""
    authority = str(certificates.certificate("self-signed").path)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", authority)
    return bool(request.param)


@pytest.mark.fault("F18")
@pytest.mark.parametrize("ending", ["closes", "stays open", "shuts down its side"])
def test_an_early_response_is_read_while_the_request_is_being_sent(tls: bool, ending: str) -> None:
    over = threading.Event()
    if tls and ending == "closes":  # OpenSSL reads nothing after a write that met a reset
        ending = "stays open"

    def serve(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(EARLY)
        if ending == "shuts down its side" and not isinstance(sock, ssl.SSLSocket):
            sock.shutdown(socket.SHUT_WR)
        if ending != "closes":
            over.wait(10)

    with Server(serve, tls) as server:
        begun = time.monotonic()
        got = gate.Session().send(Call("POST", server.url, {}, LARGE), 5.0)

        assert (got.status, read(got)) == (413, b"{}")
        assert time.monotonic() - begun < 4
        over.set()


def test_the_connection_of_an_early_response_is_not_used_again() -> None:
    with Upstream(read_bodies=False) as up:
        up.plays(raw(EARLY, Pause(0.5), close=False))
        session = gate.Session()
        for _ in range(2):
            assert read(session.send(Call("POST", up.url, {}, LARGE), 5.0)) == b"{}"

        assert [seen.connection for seen in up.requests] == [1, 2]


def test_interim_responses_do_not_stop_a_request(tls: bool) -> None:
    received = bytearray()

    def serve(sock: socket.socket) -> None:
        received.extend(sock.recv(65536))
        for piece in (b"HTTP/1.1 1", b"00 Continue\r\n\r", b"\nHTTP/1.1 103 Early Hints\r\n\r\n"):
            sock.sendall(piece)
            received.extend(sock.recv(65536))
        while not received.endswith(b"yz"):
            received.extend(sock.recv(65536))
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Server(serve, tls) as server:
        got = gate.Session().send(Call("POST", server.url, {}, LARGE + b"yz"), 5.0)

        assert (got.status, read(got)) == (200, b"ok")
    assert received.endswith(LARGE + b"yz")


@pytest.mark.fault("F18")
@pytest.mark.parametrize("is_goodbye", [True, False], ids=["close_notify", "cut"])
def test_a_body_up_to_the_close_is_complete_only_with_close_notify(
    is_goodbye: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf of the file")
        if is_goodbye and isinstance(sock, ssl.SSLSocket):
            sock.settimeout(0)
            with contextlib.suppress(OSError):
                sock.unwrap()

    authority = str(certificates.certificate("self-signed").path)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", authority)
    with Server(serve, tls=True) as server:
        got = gate.Session().send(Call("GET", server.url, {}), 5.0)

        if is_goodbye:
            assert read(got) == b"half of the file"
        else:
            with pytest.raises(errors.CutShort, match="without close_notify"):
                read(got)


def test_a_body_that_is_taken_too_slowly_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        over = threading.Event()

        def served() -> None:
            sock, _ = listener.accept()
            with sock:
                while not over.wait(0.8):
                    sock.recv(30_000)

        server = pool.submit(served)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        end = time.monotonic() + 1
        with pytest.raises(errors.UpstreamTimeout):
            gate.Session().send(
                Call("POST", url, {}, LARGE), 5.0, remaining=lambda: end - time.monotonic()
            )
        late = time.monotonic() - end
        over.set()
        server.result(5)

    assert late < 1.5


def connections(upstream: Upstream, method: str, planned: bytes) -> int:
    """Return on how many connections three calls go out that are answered with *planned*."""
    upstream.plays(raw(planned, close=False))
    session = gate.Session()
    for _ in range(3):
        read(session.send(Call(method, upstream.url, {}), 5.0))
    return len({seen.connection for seen in upstream.requests})


SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.fault("F0")
@pytest.mark.parametrize(
    ("method", "planned", "wanted"),
    [
        ("POST", SIZED + b"{}", 1),
        ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1),
        ("POST", CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", 1),
        ("POST", SIZED + b"{}surplus", 3),
        ("POST", CHUNKED + b"2\r\n{}\r\n0\r\n\r\nsurplus", 3),
        ("POST", CHUNKED + b"2 \r\n{}\r\n0\r\n\r\n", 3),
        ("POST", b"HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", 3),
        ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", 3),
        ("HEAD", SIZED, 3),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", 3),
        ("GET", b"HTTP/1.1 304 Not Modified\r\n\r\n", 3),
        ("GET", b"HTTP/1.1 101 Switching Protocols\r\n\r\n", 3),
    ],
)
def test_a_connection_is_reused_only_after_an_unambiguous_response(
    upstream: Upstream, method: str, planned: bytes, wanted: int
) -> None:
    assert connections(upstream, method, planned) == wanted


@pytest.mark.fault("F0")
def test_a_late_body_of_a_head_request_reaches_nobody(upstream: Upstream) -> None:
    poison = raw(
        SIZED, Pause(0.02), b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison", close=False
    )
    upstream.answers = lambda seen: poison if seen.method == "HEAD" else raw(SIZED + b"{}")
    session = gate.Session()

    for _ in range(10):
        read(session.send(Call("HEAD", upstream.url, {}), 5.0))
        assert read(session.send(Call("POST", upstream.url, {}), 5.0)) == b"{}"


@pytest.mark.parametrize(
    ("planned", "message"),
    [
        (raw(CUT), "The upstream closed the connection without sending a response."),
        (raw(b"HTTP/1.1 200", CUT), "The upstream's response is incomplete: connection closed wit"),
        (raw(b"SSH-2.0\r\n\r\n"), "Invalid HTTP response from the upstream: malformed status line"),
        (
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n"),
            "Invalid HTTP response from the upstream: conflicting Content-Length.",
        ),
        (
            raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n"),
            "Invalid HTTP response from the upstream: unsupported Transfer-Encoding.",
        ),
        (raw(CHUNKED + b"x\r\n"), "Invalid HTTP response from the upstream: invalid chunk size."),
        (raw(SIZED + b"{"), "ended before it was complete: connection closed after 1 of 2 bytes."),
        (raw(CHUNKED + b"1\r\n{", CUT), "ended before it was complete: connection closed before"),
        (raw(SIZED + b"{", RESET), "ended before it was complete: connection reset."),
        (raw(SIZED + b"{", Pause(2)), "The upstream timed out after 0.2 s without sending data."),
        (raw(Pause(2)), "The upstream timed out after 0.2 s without sending data."),
    ],
)
def test_each_cause_has_a_message_of_its_own(
    upstream: Upstream, planned: Planned, message: str
) -> None:
    upstream.plays(planned)

    with pytest.raises(errors.GateError) as caught:
        read(gate.Session().send(Call("GET", upstream.url, {}), 0.2))

    assert message in caught.value.message


def test_a_deadline_is_told_apart_from_an_idle_timeout(upstream: Upstream) -> None:
    upstream.plays(raw(Pause(2)))
    end = time.monotonic() + 0.2

    with pytest.raises(errors.UpstreamTimeout, match="within the request's time limit"):
        gate.Session().send(
            Call("GET", upstream.url, {}), 60.0, remaining=lambda: end - time.monotonic()
        )


@pytest.mark.fault("F10")
@pytest.mark.parametrize("trailers", [b"X: y\r\n", b""])
def test_the_end_of_a_finished_stream_is_waited_for_once(
    upstream: Upstream, trailers: bytes
) -> None:
    drip = [part for _ in range(20) for part in (trailers, Pause(0.3))]
    upstream.plays(raw(CHUNKED + b"2\r\nok\r\n0\r\n", *drip))
    answer = gate.Session().send(Call("GET", upstream.url, {}), 60.0)
    assert next(answer.pieces) == b"ok"
    begun = time.monotonic()

    answer.finish()
    answer.close()

    assert time.monotonic() - begun < 2
