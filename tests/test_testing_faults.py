from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests
from testing.sockets import asked
from testing.sockets import connected
from testing.sockets import received
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import RESET
from testing.upstream import Answer
from testing.upstream import Pause
from testing.upstream import Repeat
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import head
from testing.upstream import raw
from testing.upstream import refused_url
from testing.upstream import silent_url
from testing.upstream import sse


@pytest.fixture
def up() -> Iterator[Upstream]:
    before = set(threading.enumerate())
    with Upstream() as up:
        yield up
    assert set(threading.enumerate()) <= before


def exchanged(up: Upstream, planned: Answer) -> bytes:
    """Return the bytes of *planned*, which ends with its connection."""
    up.plays(planned)
    with asked(up.url) as sock:
        return received(sock)


# How it ends


def test_a_cut_is_an_end_without_the_last_chunk(up: Upstream) -> None:
    got = exchanged(up, sse(["a", CUT]))

    assert got.endswith(b"\r\n\r\n9\r\ndata: a\n\n\r\n")


def test_a_cut_before_the_first_byte_is_an_empty_answer(up: Upstream) -> None:
    assert exchanged(up, raw(CUT)) == b""


def test_a_reset_is_an_error_at_the_other_end(up: Upstream) -> None:
    up.plays(raw(RESET))

    with asked(up.url) as sock, pytest.raises(ConnectionResetError):
        received(sock)


@pytest.mark.parametrize(
    "planned",
    [
        raw(HANG),
        raw(head(), Pause(60)),
        sse(["a", HANG]),
        sse([Repeat(b"x" * 65536)]),
        raw(head(), Repeat(b"x", pause=0.01)),
    ],
)
def test_a_departure_is_noticed_at_once(up: Upstream, planned: Answer) -> None:
    up.plays(planned)
    with asked(up.url) as sock:
        (seen,) = up.wait_for(1)
        time.sleep(0.02)
        assert not seen.closed_by_peer.is_set()

        left = time.monotonic()
        sock.shutdown(socket.SHUT_RDWR)

        assert seen.closed_by_peer.wait(5)
    assert seen.closed_by_peer.at is not None
    assert 0 <= seen.closed_by_peer.at - left < 0.5
    assert not seen.answered.is_set()


def test_who_stays_to_the_end_has_not_departed(up: Upstream) -> None:
    up.plays(raw(b"abc"))

    with asked(up.url) as sock:
        received(sock)

    assert up.requests[0].answered.wait(5)
    assert not up.requests[0].closed_by_peer.is_set()
    assert up.requests[0].sent == 3


@pytest.mark.parametrize("planned", [raw(HANG), raw(Repeat(b"x" * 65536))])
def test_the_end_of_the_test_ends_everything(planned: Answer) -> None:
    with ExitStack() as stack:
        with Upstream() as up:
            up.plays(planned)
            stack.enter_context(asked(up.url))
            stack.enter_context(connected(up.url))
            (seen,) = up.wait_for(1)
            started = time.monotonic()

        assert time.monotonic() - started < 0.5
        assert not seen.closed_by_peer.is_set()


def test_a_body_may_stay_unread() -> None:
    with Upstream(read_bodies=False) as up:
        up.plays(raw(head(413, {"content-length": "0"})))

        with connected(up.url, b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n") as sock:
            got = received(sock)

    assert got.startswith(b"HTTP/1.1 413 ")
    assert up.requests[0].body == b""


# What is no answer at all


def test_a_refused_url_refuses() -> None:
    with pytest.raises(requests.ConnectionError, match="Connection refused"):
        requests.get(refused_url())


def test_a_silent_url_neither_accepts_nor_refuses() -> None:
    with silent_url() as url, pytest.raises(requests.ConnectTimeout):
        requests.get(url, timeout=0.2)


@pytest.mark.parametrize(
    ("kind", "trusting", "fault"),
    [
        ("self-signed", False, "self-signed certificate"),
        ("self-signed", True, None),
        ("expired", True, "certificate has expired"),
        ("wrong-name", True, "not valid for '127.0.0.1'"),
        ("old-protocol", True, "(?i)version"),
    ],
)
def test_certificates_are_as_bad_as_they_say(kind: Any, trusting: bool, fault: str | None) -> None:
    with Upstream(tls=kind) as up:
        up.plays(answer([b"ab"], framing="close"))
        verify = str(up.ca) if trusting else True

        if fault:
            with pytest.raises(requests.exceptions.SSLError, match=fault):
                requests.get(up.url, verify=verify)
        else:
            assert requests.get(up.url, verify=verify).content == b"ab"
    assert up.connections == 1
    assert len(up.requests) == (fault is None)


def test_a_departure_is_noticed_through_tls() -> None:
    with Upstream(tls="self-signed") as up:
        up.plays(sse(["a", HANG]))

        with requests.get(up.url, verify=str(up.ca), stream=True) as reply:
            assert reply.raw.read1(65536) == b"data: a\n\n"

        assert up.requests[0].closed_by_peer.wait(5)


def test_a_handshake_that_never_comes_does_not_keep_it_running() -> None:
    with Upstream(tls="self-signed") as up, connected(up.url):
        started = time.monotonic()
    assert time.monotonic() - started < 0.5
