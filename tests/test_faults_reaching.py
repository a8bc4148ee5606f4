"""An upstream that cannot be reached, or is lost before it answers (U1-U3, U18-U22)."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import deployment
from testing.inprocess import asks
from testing.inprocess import failed
from testing.inprocess import posted
from testing.peer import LINGER_NONE
from testing.peer import read_body
from testing.peer import read_head
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import RESET
from testing.upstream import Pause
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import refused_url
from testing.upstream import silent_url

AppFor = Callable[..., FlaskClient]
GOOD = json_answer(chat_completion())


def at(url: str, **params: Any) -> dict[str, Any]:
    """Return a configuration of one model at *url*, tried once."""
    return {
        "model_list": [deployment("gpt-4o", url, **params)],
        "router_settings": {"num_retries": 0},
    }


# What was never reached


@pytest.mark.fault("U1")
@pytest.mark.parametrize("stream", [False, True])
def test_a_refused_connection_may_be_tried_again(
    app_for: AppFor, lines: list[Any], stream: bool
) -> None:
    client = app_for(at(refused_url()))

    got = posted(client, asks(stream=stream))

    assert failed(got) == (503, "upstream_error", "upstream_unavailable", None)
    assert got.headers["x-should-retry"] == "true"
    assert [(line["status"], line["error_code"], line["attempts"]) for line in lines] == [
        (503, "upstream_unavailable", 1)
    ]


@pytest.mark.fault("U18")
def test_a_name_that_nobody_knows_is_an_upstream_that_cannot_be_reached(app_for: AppFor) -> None:
    got = posted(app_for(at("http://upstream.invalid")), asks())

    assert failed(got) == (503, "upstream_error", "upstream_unavailable", None)
    assert b"upstream.invalid" not in got.data


def test_an_address_that_is_none_cannot_be_reached(app_for: AppFor) -> None:
    got = posted(app_for(at("http://a..b")), asks())

    assert failed(got) == (503, "upstream_error", "upstream_unavailable", None)


@pytest.mark.fault("U2")
def test_a_handshake_that_never_comes_ends_in_time(app_for: AppFor) -> None:
    with silent_url() as url:
        client = app_for(at(url, timeout=0.2))
        began = time.monotonic()

        got = posted(client, asks())

    assert failed(got) == (503, "upstream_error", "upstream_unavailable", None)
    assert time.monotonic() - began < 1


@pytest.mark.fault("U19")
@pytest.mark.parametrize("kind", ["self-signed", "expired", "wrong-name", "old-protocol"])
def test_a_bad_certificate_is_never_accepted(app_for: AppFor, kind: Any) -> None:
    with Upstream(tls=kind) as up:
        got = posted(app_for(at(up.url)), asks())

        assert failed(got) == (502, "upstream_error", "upstream_tls_error", None)
        assert up.requests == []


@pytest.mark.fault("U19")
def test_no_variable_of_the_environment_makes_a_certificate_good(
    app_for: AppFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Upstream(tls="self-signed") as up:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(up.ca))
        monkeypatch.setenv("CURL_CA_BUNDLE", str(up.ca))

        got = posted(app_for(at(up.url)), asks())

        assert failed(got) == (502, "upstream_error", "upstream_tls_error", None)


# What silence is


@pytest.mark.fault("U3")
@pytest.mark.parametrize("stream", [False, True])
def test_silence_before_the_headers_ends_in_a_time_out_that_is_not_tried_again(
    app_for: AppFor, upstream: Upstream, lines: list[Any], stream: bool
) -> None:
    upstream.plays(raw(HANG))
    config = at(upstream.url, timeout=0.2)
    config["router_settings"]["num_retries"] = 3
    client = app_for(config)

    got = posted(client, asks(stream=stream))

    assert failed(got) == (504, "upstream_error", "upstream_timeout", None)
    assert got.headers["x-should-retry"] == "false"
    (seen,) = upstream.requests
    assert seen.closed_by_peer.wait(5)
    assert [(line["status"], line["error_code"]) for line in lines] == [(504, "upstream_timeout")]


def test_an_answer_may_take_longer_than_a_connection(
    app_for: AppFor, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llmgate.upstream.session.CONNECT_TIMEOUT", 0.1)
    upstream.plays(raw(Pause(0.3), *GOOD.steps))
    client = app_for(at(upstream.url, timeout=5))

    got = [posted(client, asks()).status_code for _ in range(2)]

    assert got == [200, 200]


@pytest.mark.parametrize(("unsafe", "number"), [({}, 2), ({"retry_unsafe": False}, 1)])
def test_a_timeout_is_tried_elsewhere_unless_declined(
    app_for: AppFor, upstream: Upstream, unsafe: dict[str, bool], number: int
) -> None:
    upstream.plays(raw(HANG), raw(HANG))
    both = [deployment("gpt-4o", upstream.url, timeout=0.2) for _ in range(2)]

    got = posted(app_for({"model_list": both, "llmgate_settings": unsafe}), asks())

    assert failed(got)[:1] == (504,)
    assert len(upstream.requests) == number


# Connections that were kept


def test_a_connection_is_used_again(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(GOOD)
    client = app_for(at(upstream.url))

    got = [posted(client, asks()).status_code for _ in range(3)]

    assert got == [200] * 3
    assert len({seen.connection for seen in upstream.requests}) == 1


@pytest.mark.fault("U21")
def test_a_connection_closed_while_idle_is_replaced(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(GOOD)
    client = app_for(at(upstream.url))
    posted(client, asks())
    upstream.drop()

    got = posted(client, asks())

    assert got.status_code == 200
    assert len(upstream.requests) == 2
    assert got.headers["x-llmgate-attempts"] == "1"


@pytest.mark.fault("U22")
@pytest.mark.parametrize("end", [RESET, CUT])
def test_a_kept_connection_lost_while_we_send_is_replaced_once(
    app_for: AppFor, upstream: Upstream, end: Any
) -> None:
    upstream.plays(GOOD, raw(end), GOOD)
    client = app_for(at(upstream.url))
    posted(client, asks())

    got = posted(client, asks())

    assert got.status_code == 200
    first, lost, again = upstream.requests
    assert lost.body == again.body
    assert first.connection == lost.connection != again.connection


@pytest.mark.parametrize("said", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 103 Early Hints\r\n\r\n"])
def test_a_kept_connection_lost_within_an_answer_is_not_asked_again(
    app_for: AppFor, upstream: Upstream, said: bytes
) -> None:
    upstream.plays(GOOD, raw(said, Pause(0.05), RESET), GOOD)
    client = app_for(at(upstream.url))
    posted(client, asks())

    got = posted(client, asks())

    assert failed(got) == (502, "upstream_error", "bad_upstream_response", None)
    assert len(upstream.requests) == 2


def test_a_kept_connection_reset_while_a_long_body_goes_out_is_replaced(app_for: AppFor) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    body = json.dumps(chat_completion()).encode()
    long = asks(messages=[{"role": "user", "content": "x" * 8_000_000}])
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor() as pool:

        def served() -> int:
            first, _ = listener.accept()
            first.recv(65536)
            first.sendall(head % len(body) + body)
            first.recv(1)
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
            first.close()
            second, _ = listener.accept()
            with second, second.makefile("rb") as file:
                taken = len(read_body(file, read_head(file).headers))
                second.sendall(head % len(body) + body)
            return taken

        server = pool.submit(served)
        client = app_for(at(f"http://127.0.0.1:{listener.getsockname()[1]}"))
        before, after = posted(client, asks()), posted(client, long)

        assert (before.status_code, after.status_code) == (200, 200)
        assert server.result(5) > 8_000_000


@pytest.mark.fault("U22")
@pytest.mark.parametrize("end", [RESET, CUT])
def test_a_new_connection_lost_before_the_answer_is_not_tried_again(
    app_for: AppFor, upstream: Upstream, end: Any
) -> None:
    upstream.plays(raw(end), GOOD)

    got = posted(app_for(at(upstream.url)), asks())

    assert failed(got) == (502, "upstream_error", "bad_upstream_response", None)
    assert got.headers["x-should-retry"] == "false"
    assert len(upstream.requests) == 1


def test_a_kept_connection_lost_in_mid_answer_is_not_tried_again(
    app_for: AppFor, upstream: Upstream
) -> None:
    upstream.plays(GOOD, raw(b"HTTP/1.1 200 OK\r\nContent-Le", CUT), GOOD)
    client = app_for(at(upstream.url))
    posted(client, asks())

    got = posted(client, asks())

    assert failed(got) == (502, "upstream_error", "bad_upstream_response", None)
    assert len(upstream.requests) == 2


def test_an_answer_that_is_refused_leaves_nothing_on_its_connection(
    app_for: AppFor, upstream: Upstream
) -> None:
    late = json_answer(chat_completion("of the request before"))
    switched = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
    upstream.plays(raw(switched, *late.steps, close=False), GOOD)
    client = app_for(at(upstream.url))

    before, after = posted(client, asks()), posted(client, asks())

    assert failed(before) == (502, "upstream_error", "bad_upstream_response", None)
    assert after.get_json()["choices"] == chat_completion()["choices"]


@pytest.mark.fault("U23")
def test_what_only_announces_an_answer_is_none(app_for: AppFor, upstream: Upstream) -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    upstream.plays(raw(*interim, *GOOD.steps, close=False), GOOD)
    client = app_for(at(upstream.url))

    got = [posted(client, asks()).status_code for _ in range(2)]

    assert got == [200, 200]
    assert len({seen.connection for seen in upstream.requests}) == 1


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_connection_that_said_more_than_was_asked_is_not_used_again(
    app_for: AppFor, upstream: Upstream, is_chunked: bool
) -> None:
    good = json.dumps(chat_completion()).encode()
    body = b"Content-Length: %d\r\n\r\n%s" % (len(good), good)
    if is_chunked:
        body = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(good), good)
    upstream.plays(raw(b"HTTP/1.1 200 OK\r\n" + body + b"HTTP/1.1 200 OK\r\n", close=False), GOOD)
    client = app_for(at(upstream.url))

    got = [posted(client, asks()).status_code for _ in range(2)]

    assert got == [200, 200]
    assert len({seen.connection for seen in upstream.requests}) == 2


# What the machine's environment says


@pytest.fixture
def misleading(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A trap that every proxy variable names, and a netrc with a login for loopback."""
    with Upstream() as trap:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, trap.url)
            monkeypatch.setenv(name.lower(), trap.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        netrc = tmp_path / "netrc"
        netrc.write_text("default login trap password trap\n")
        monkeypatch.setenv("NETRC", str(netrc))
        yield trap


@pytest.mark.fault("U20")
def test_proxies_and_netrc_of_the_environment_are_ignored(
    app_for: AppFor, upstream: Upstream, misleading: Upstream
) -> None:
    upstream.plays(GOOD)

    got = posted(app_for(at(upstream.url)), asks())

    assert got.status_code == 200
    assert upstream.requests[0].headers["authorization"] == "Bearer sk-upstream-secret"
    assert misleading.connections == 0
