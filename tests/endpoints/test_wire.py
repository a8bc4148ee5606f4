"""What only shows on the wire, under gunicorn: framing, breaking off, one event at a time."""

from __future__ import annotations

import json

import pytest
from testing.gateway import Gateway
from testing.inprocess import CHAT
from testing.inprocess import asks
from testing.sockets import asked
from testing.sockets import connected
from testing.sockets import received
from testing.sockets import received_until
from testing.upstream import CUT
from testing.upstream import HANG
from testing.upstream import Pause
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import event
from testing.upstream import json_answer
from testing.upstream import sse

SPEECH = {"model": "tts-1", "input": "Hi", "voice": "alloy"}
BODY = json.dumps(asks()).encode()


def chunked(url: str, *chunks: bytes) -> bytes:
    """Return the answer to a body sent in *chunks*, framing and all."""
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n"
    with connected(url, head.encode() + b"\r\n" + b"".join(chunks)) as sock:
        return received(sock)


@pytest.mark.fault("C7")
def test_a_chunked_body_is_read(gateway: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))

    got = chunked(gateway.url, b"%x\r\n%s\r\n" % (len(BODY), BODY), b"0\r\n\r\n")

    assert got.startswith(b"HTTP/1.1 200 ")
    assert upstream.requests[0].json == asks()


@pytest.mark.fault("C11")
@pytest.mark.parametrize("chunk", [b"xyz\r\n", b"_5\r\n", b"-1\r\n", b"5\r\nabcdefgh\r\n"])
def test_a_malformed_chunk_is_the_clients_fault(
    gateway: Gateway, upstream: Upstream, chunk: bytes
) -> None:
    got = chunked(gateway.url, chunk, b"0\r\n\r\n")

    assert got.startswith(b"HTTP/1.1 400 ")
    assert upstream.requests == []


def test_a_file_that_breaks_off_does_not_end_well(gateway: Gateway, upstream: Upstream) -> None:
    mp3 = {"content-type": "audio/mpeg"}
    upstream.plays(answer([b"ID3" * 1000, Pause(0.05), CUT], headers=mp3, framing="chunked"))
    before = gateway.stderr()

    with asked(gateway.url + "/v1/audio/speech", SPEECH, x_request_id="broken-1") as sock:
        try:
            got = received(sock)
        except ConnectionResetError:
            got = b""

    assert not got.endswith(b"0\r\n\r\n")
    line = gateway.log(lambda line: isinstance(line, dict) and line["request_id"] == "broken-1")
    assert (line["status"], line["error_code"]) == (200, "upstream_cut_short")
    assert gateway.stderr() == before


def test_events_arrive_one_by_one(gateway: Gateway, upstream: Upstream) -> None:
    said = chat_chunks("Hi")
    upstream.plays(sse([said[0], HANG]))

    with asked(gateway.url + CHAT, asks(stream=True)) as sock:
        got = received_until(sock, event(said[0]))

    assert event(said[0]) in got
    assert b"transfer-encoding: chunked" in got.lower()
    upstream.drop()


def test_a_connection_is_kept_after_an_error(gateway: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    head = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n"
    bad, good = (head % 1).encode() + b"\r\n{", (head % len(BODY)).encode()

    with connected(gateway.url, bad + good + b"connection: close\r\n\r\n" + BODY) as sock:
        got = received(sock)

    assert got.count(b"HTTP/1.1 400 ") == 1
    assert got.count(b"HTTP/1.1 200 ") == 1
