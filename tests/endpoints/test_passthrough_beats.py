"""Signs of life in what is passed on: in server-sent events alone, never within one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from testing.gateway import Gateway
from testing.upstream import HANG
from testing.upstream import Pause
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import raw

EVENTS = {"content-type": "text/event-stream"}
FIRST = b'event: message_start\ndata: {"type": "message_start"}\n\n'
LAST = b'event: message_stop\ndata: {"type": "message_stop"}\n\n'
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
LONG = Pause(0.9)


@pytest.fixture(scope="module")
def gate(session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway that gives a sign of life after a third of a second of silence."""
    params = {"model": "anthropic/x", "api_base": session_upstream.url, "api_key": "k"}
    given = {
        "model_list": [{"model_name": "x", "litellm_params": params}],
        "llmgate_settings": {"heartbeat": {"first": 0.3, "every": 0.3, "whole": 0.3}},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    with Gateway(given) as gateway:
        yield gateway


def asked(gate: Gateway, stream: bool = True) -> requests.Response:
    """Return the answer to a request for a stream, or for none."""
    url = f"{gate.url}/anthropic/v1/x"
    return requests.post(url, json={"stream": stream}, timeout=9)


def test_a_silent_stream_is_kept_alive_between_its_events(
    gate: Gateway, upstream: Upstream
) -> None:
    steps: list[Any] = [LONG, FIRST[:20], LONG, FIRST[20:], LONG, LAST]
    upstream.plays(answer(steps, headers=EVENTS, framing="chunked"))

    got = asked(gate)

    assert got.status_code == 200
    assert got.content.replace(PING, b"") == FIRST + LAST
    before, between = got.content.split(FIRST)
    assert before.count(PING) >= 3
    assert between.count(PING) >= 1


def test_an_error_after_a_sign_of_life_is_told_in_the_stream(
    gate: Gateway, upstream: Upstream
) -> None:
    body = b'{"type": "error", "error": {"type": "overloaded_error", "message": "later"}}'
    upstream.plays(raw(LONG, b"HTTP/1.1 529 x\r\ncontent-length: %d\r\n\r\n" % len(body), body))

    got = asked(gate)

    assert got.status_code == 200
    name, data = got.content.replace(PING, b"").decode().strip().split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: "))["error"]["message"] == "later"


def test_an_answer_that_is_no_stream_gets_no_signs_of_life(
    gate: Gateway, upstream: Upstream
) -> None:
    steps: list[Any] = [b'{"a"', LONG, b": 1}"]
    upstream.plays(answer(steps, headers={"content-type": "application/json"}, framing="chunked"))

    assert asked(gate).content == b'{"a": 1}'


def test_what_is_asked_for_as_a_whole_gets_none(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(raw(LONG, b"HTTP/1.1 418 x\r\ncontent-length: 2\r\n\r\n", b"no"))

    got = asked(gate, stream=False)

    assert (got.status_code, got.content) == (418, b"no")


def test_a_client_that_leaves_ends_the_upstreams_work(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(answer([FIRST, HANG], headers=EVENTS, framing="chunked"))

    with requests.post(
        f"{gate.url}/anthropic/v1/x", json={"stream": True}, stream=True, timeout=9
    ) as got:
        next(got.iter_content(8))

    assert upstream.requests[0].closed_by_peer.wait(5)
