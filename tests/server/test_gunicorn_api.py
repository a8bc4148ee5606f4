"""Every private attribute of gunicorn and gevent in use: a release that drops one fails here."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn import glogging
from gunicorn.config import Config
from gunicorn.http import body as http_body
from gunicorn.http import get_parser
from gunicorn.http import unreader
from gunicorn.http import wsgi
from gunicorn.workers import gthread

from llmgate.server import gunicorn_api

PARAMETERS = [
    (gthread.ThreadWorker.accept, "self listener"),
    (gthread.ThreadWorker.enqueue_req, "self conn"),
    (gthread.ThreadWorker.finish_request, "self conn fs"),
    (gthread.ThreadWorker.get_thread_pool, "self"),
    (gthread.ThreadWorker.handle, "self conn"),
    (gthread.ThreadWorker.handle_error, "self req client addr exc"),
    (gthread.ThreadWorker.handle_request, "self req conn"),
    (gthread.ThreadWorker.init_process, "self"),
    (gthread.ThreadWorker.notify, "self"),
    (gthread.ThreadWorker.on_client_socket_readable, "self conn client"),
    (gthread.ThreadWorker.on_pending_socket_readable, "self conn client"),
    (gthread.ThreadWorker.set_accept_enabled, "self enabled"),
    (gthread.ThreadWorker.wait_for_and_dispatch_events, "self timeout"),
    (gthread.TConn.__init__, "self cfg sock client server"),
    (gthread.TConn.close, "self graceful"),
    (glogging.Logger.access, "self resp req environ request_time"),
    (glogging.Logger.exception, "self msg args kwargs"),
    (wsgi.Response.send_headers, "self"),
    (wsgi.Response.write, "self arg"),
    (wsgi.Response.force_close, "self"),
    (wsgi.Response._emit_body, "self data"),
    (unreader.Unreader.chunk, "self size_hint"),
]


@pytest.mark.parametrize(
    ("function", "names"), PARAMETERS, ids=lambda x: getattr(x, "__qualname__", None)
)
def test_a_method_that_is_overridden_or_called_has_these_parameters(
    function: Any, names: str
) -> None:
    assert list(inspect.signature(function).parameters) == names.split()


def test_the_gevent_worker_has_what_is_overridden() -> None:
    ggevent = pytest.importorskip("gunicorn.workers.ggevent")
    names = "handle handle_request handle_error handle_exit init_process timeout_ctx".split()
    found = {
        name: list(inspect.signature(getattr(ggevent.GeventWorker, name)).parameters)
        for name in names
    }

    assert found == {
        "handle": ["self", "listener", "client", "addr"],
        "handle_request": ["self", "listener_name", "req", "sock", "addr"],
        "handle_error": ["self", "req", "client", "addr", "exc"],
        "handle_exit": ["self", "sig", "frame"],
        "init_process": ["self"],
        "timeout_ctx": ["self"],
    }


def test_gevent_keeps_the_original_functions() -> None:
    monkey = pytest.importorskip("gevent.monkey")

    for module, name in [
        ("select", "poll"),
        ("select", "epoll"),
        ("socket", "socket"),
        ("_thread", "allocate_lock"),
        ("_thread", "start_new_thread"),
        ("time", "sleep"),
    ]:
        assert callable(monkey.get_original(module, name))


def test_the_threaded_worker_has_these_attributes() -> None:
    worker = gthread.ThreadWorker(1, 1, [], SimpleNamespace(), 30, Config(), None)

    names = "_accepting keepalived_conns nr_conns pending_conns poller tpool worker_connections"
    missing = [name for name in [*names.split(), "age", "alive"] if not hasattr(worker, name)]
    worker.tmp.close()
    assert missing == []


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def parsed(here: socket.socket) -> tuple[Any, Any]:
    """Return the parser of a connection, and its first request."""
    parser = get_parser(Config(), here, ("127.0.0.1", 1))
    return parser, next(parser)


HEAD = b"POST / HTTP/1.1\r\nHost: h\r\n"


def test_a_request_has_these_attributes(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    there.sendall(HEAD + b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhelloGET")

    parser, req = parsed(here)

    assert gunicorn_api.take_expectation(req) == gunicorn_api.CONTINUE
    assert gunicorn_api.take_expectation(req) == b""
    assert isinstance(req.body.reader, http_body.LengthReader)
    assert (req.body.reader.length, req.body.failed) == (5, False)
    assert req.unreader is parser.unreader
    assert gunicorn_api.discard_body(req)
    assert gunicorn_api.buffered(SimpleNamespace(parser=parser)) == b"GET"


def test_a_connection_that_was_not_parsed_has_nothing_buffered() -> None:
    assert gunicorn_api.buffered(SimpleNamespace(parser=None)) == b""


@pytest.mark.parametrize(
    ("headers", "body", "is_read"),
    [
        (b"", b"", True),
        (b"Content-Length: 5\r\n", b"hello", True),
        (b"Content-Length: 5\r\n", b"he", False),
        (b"Content-Length: 20000\r\n", b"x" * 20_000, True),
        (b"Content-Length: 70000\r\n", b"x" * 100, False),
        (b"Transfer-Encoding: chunked\r\n", b"", False),
        (b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", False),
    ],
)
def test_a_rest_that_has_arrived_is_discarded(
    pair: tuple[socket.socket, socket.socket], headers: bytes, body: bytes, is_read: bool
) -> None:
    here, there = pair
    there.sendall(HEAD + headers + b"\r\n" + body)

    _, req = parsed(here)

    assert gunicorn_api.discard_body(req) is is_read


def test_a_chunked_body_that_was_read_is_no_rest(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    there.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    _, req = parsed(here)

    assert req.body.read() == b"hello"
    assert gunicorn_api.discard_body(req)


def test_a_connection_that_broke_has_a_rest(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    there.sendall(HEAD + b"Content-Length: 5\r\n\r\n")
    _, req = parsed(here)
    there.close()

    assert not gunicorn_api.discard_body(req)
