from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from testing.sockets import asked
from testing.sockets import connected
from testing.sockets import received
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Pause
from testing.upstream import Repeat
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import cut_up
from testing.upstream import event
from testing.upstream import gzip_bomb
from testing.upstream import head
from testing.upstream import json_answer
from testing.upstream import raw
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


# What was asked


def test_a_request_is_seen_as_it_was_sent(up: Upstream) -> None:
    up.plays(json_answer({}))

    requests.put(up.url + "/v1/x?a=1", json={"b": 2}, headers={"X-Key": "k"})

    (seen,) = up.requests
    assert (seen.method, seen.path, seen.json) == ("PUT", "/v1/x?a=1", {"b": 2})
    assert seen.headers["x-key"] == "k"
    assert time.monotonic() - seen.at < 5


def test_repeated_headers_are_joined(up: Upstream) -> None:
    up.plays(raw(head()))

    with connected(up.url, b"GET / HTTP/1.1\r\nA: 1\r\nB:\r\na:2\r\n\r\n") as sock:
        received(sock)

    assert up.requests[0].headers == {"a": "1, 2", "b": ""}


def test_a_chunked_request_is_put_together(up: Upstream) -> None:
    up.plays(json_answer({}))

    requests.post(up.url, data=iter([b"a" * 70_000, b"b"]))

    assert up.requests[0].body == b"a" * 70_000 + b"b"


def test_the_parts_of_a_multipart_request_are_found_by_name(up: Upstream) -> None:
    up.plays(json_answer({}))

    requests.post(
        up.url, data={"model": "m"}, files={"file": ("a.wav", b"\0\r\n\xff\n", "audio/wav")}
    )

    parts = up.requests[0].parts
    assert parts == {
        "model": (None, "text/plain", b"m"),
        "file": ("a.wav", "audio/wav", b"\0\r\n\xff\n"),
    }


def test_a_request_that_breaks_off_is_not_seen(up: Upstream) -> None:
    for part in [b"", b"GET / HT", b"GET / HTTP/1.1\r\nA", b"GET / HTTP/1.1\r\na: b\r\n"]:
        with connected(up.url, part) as sock:
            sock.shutdown(socket.SHUT_WR)
            assert received(sock) == b""

    assert (up.requests, up.connections) == ([], 4)


def test_connections_are_kept_alive_and_told_apart(up: Upstream) -> None:
    up.plays(json_answer({}))

    with requests.Session() as session:
        session.get(up.url)
        session.get(up.url)
    requests.get(up.url)

    assert [seen.connection for seen in up.requests] == [1, 1, 2]
    assert up.connections == 2


def test_wait_for_returns_as_soon_as_the_requests_are_there(up: Upstream) -> None:
    up.plays(raw(HANG))

    with asked(up.url), asked(up.url):
        assert len(up.wait_for(2)) == 2


def test_wait_for_fails_when_they_do_not_come(up: Upstream) -> None:
    with pytest.raises(AssertionError, match=r"0 of 1 requests came in 0\.01 s"):
        up.wait_for(1, timeout=0.01)


# Which answer


def test_answers_are_played_in_turn_and_the_last_one_stays(up: Upstream) -> None:
    up.plays(json_answer(1, 503), json_answer(2), json_answer(3))

    assert [requests.get(up.url).json() for _ in range(4)] == [1, 2, 3, 3]


def test_a_function_may_choose_the_answer(up: Upstream) -> None:
    def path(seen: Seen) -> Answer:
        return json_answer(seen.path)

    up.answers = path

    assert requests.get(up.url + "/p").json() == "/p"


def test_without_a_plan_it_says_so(up: Upstream) -> None:
    reply = requests.get(up.url)

    assert reply.status_code == 500
    assert reply.json()["error"]["code"] == "nothing_planned"


def test_reset_forgets_and_ends_what_is_played_and_keeps_idle_connections(up: Upstream) -> None:
    up.plays(json_answer({}), raw(HANG))
    with requests.Session() as session:
        session.get(up.url)
        with asked(up.url) as hanging:
            (_, hung) = up.wait_for(2)

            up.reset()

            assert received(hanging) == b""
        up.plays(json_answer({}))
        session.get(up.url)

    assert [seen.connection for seen in up.requests] == [1]
    assert not hung.closed_by_peer.is_set()


def test_drop_closes_idle_connections(up: Upstream) -> None:
    up.plays(raw(head(headers={"content-length": "0"}), close=False))
    with asked(up.url) as sock:
        up.wait_for(1)[0].answered.wait(5)

        up.drop()

        assert received(sock) == head(headers={"content-length": "0"})


# How it is sent


def test_headers_can_be_replaced_and_taken_away(up: Upstream) -> None:
    planned = answer([b"ab"], status=299, headers={"Content-Length": None, "X": "y"})

    assert exchanged(up, planned._replace(close=True)) == b"HTTP/1.1 299 Unknown\r\nx: y\r\n\r\nab"


def test_a_length_can_be_a_lie(up: Upstream) -> None:
    up.plays(answer([b"half", CUT], headers={"content-length": "8"}))

    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="4 more expected"):
        requests.get(up.url)


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("compress", [False, True])
def test_a_body_is_the_same_in_every_framing(up: Upstream, framing: Any, compress: bool) -> None:
    up.plays(answer([b"ab", b"", Pause(0), b"cd"], framing=framing, compress=compress))

    assert requests.get(up.url).content == b"abcd"


def test_each_piece_is_a_chunk(up: Upstream) -> None:
    planned = answer([*cut_up(b"abc"), Repeat(b"de", 2)], framing="chunked")

    got = exchanged(up, planned._replace(close=True))

    assert got.endswith(b"\r\n\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n2\r\nde\r\n2\r\nde\r\n0\r\n\r\n")


def test_a_repeated_piece_counts_in_the_length(up: Upstream) -> None:
    up.plays(answer([b"[", Repeat(b" " * 1000, 1000), b"]"]))

    reply = requests.get(up.url)

    assert reply.json() == []
    assert reply.headers["content-length"] == "1000002"


def test_json_may_be_broken(up: Upstream) -> None:
    up.plays(json_answer(b'{"a":'))

    assert requests.get(up.url).content == b'{"a":'


def test_raw_bytes_are_all_there_is(up: Upstream) -> None:
    assert exchanged(up, raw(b"\0garbage", Pause(0), b"!")) == b"\0garbage!"


def test_a_bomb_is_small_until_it_is_unpacked(up: Upstream) -> None:
    bomb = gzip_bomb(10_000_000)
    up.plays(answer([bomb], headers={"content-encoding": "gzip"}))

    assert len(bomb) < 20_000
    assert len(requests.get(up.url).content) == 10_000_000


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("compress", [False, True])
def test_events_come_one_by_one(up: Upstream, chunked: bool, compress: bool) -> None:
    up.plays(sse([{"a": 1}, "b", b": c\n\n"], pause=0.05, chunked=chunked, compress=compress))

    with requests.get(up.url, stream=True) as reply:
        pieces = []
        while piece := reply.raw.read1(65536, decode_content=True):
            pieces.append((piece, time.monotonic()))

    texts = [piece for piece, _ in pieces]
    assert texts == [b'data: {"a": 1}\n\n', b"data: b\n\n", b": c\n\n", b"data: [DONE]\n\n"]
    assert pieces[-1][1] - pieces[0][1] > 0.1


def test_an_event_may_have_a_name() -> None:
    assert event({"a": 1}, "ping") == b'event: ping\ndata: {"a": 1}\n\n'
