from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from testing.upstream import Upstream
from testing.upstream import json_answer
from testing.upstream import raw

from llmgate import errors
from llmgate.contract import Answer
from llmgate.contract import Call
from llmgate.upstream import session as gate

LARGE = b"x" * 8_000_000
REFUSED = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


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


def test_what_is_answered_before_all_was_heard_is_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:

        def served() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(REFUSED)

        server = pool.submit(served)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        got = gate.Session().send(Call("POST", url, {}, LARGE), 5.0)

        assert (got.status, read(got)) == (413, b"{}")
        server.result(5)


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


def connections(upstream: Upstream, body: bytes) -> int:
    """Return on how many connections three HEADs go out that are answered with *body*."""
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    upstream.plays(raw(said + body, close=False))
    session = gate.Session()
    for _ in range(3):
        got = session.send(Call("HEAD", upstream.url, {}), 5.0)
        assert (got.status, read(got)) == (200, b"")
    return len({seen.connection for seen in upstream.requests})


def test_answers_without_a_body_leave_the_connection_open(upstream: Upstream) -> None:
    assert connections(upstream, b"") == 1


def test_a_body_that_should_not_be_there_is_nobodys_answer(upstream: Upstream) -> None:
    assert connections(upstream, b"{}") == 3
