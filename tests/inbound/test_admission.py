from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import requests
from testing import workers
from testing.gateway import Gateway
from testing.sockets import asked
from testing.upstream import HANG
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import raw
from testing.workers import chat

from llmgate.inbound import admission

CHAT = "/v1/chat/completions"
ROOM = 6  # of eight


@pytest.fixture(scope="module", params=workers.WORKERS)
def gate(request: pytest.FixtureRequest, session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway that serves eight at a time."""
    with workers.gateway(session_upstream, request.param, "--threads", "8") as found:
        yield found


@pytest.fixture
def full(gate: Gateway, upstream: Upstream) -> Iterator[ExitStack]:
    """What keeps the gateway busy, as long as it is not closed."""
    upstream.plays(raw(HANG))
    with ExitStack() as clients:
        for _ in range(ROOM):
            clients.enter_context(asked(gate.url + CHAT, chat(), x_llmgate_heartbeat="off"))
        seen = upstream.wait_for(ROOM)
        yield clients
    workers.eventually(lambda: all(each.closed_by_peer.is_set() for each in seen))
    time.sleep(0.1)  # until the gateway's requests are over, too


def seconds(asked: Callable[[], requests.Response]) -> float:
    begun = time.perf_counter()
    assert asked().ok
    return time.perf_counter() - begun


@pytest.mark.fault("P12")
def test_a_request_that_there_is_no_room_for_is_refused_at_once(
    gate: Gateway, full: ExitStack
) -> None:
    begun = time.monotonic()

    replies = [requests.post(gate.url + CHAT, json=chat()) for _ in range(5)]

    assert time.monotonic() - begun < 1
    assert {reply.status_code for reply in replies} == {503}
    assert {reply.headers["retry-after"] for reply in replies} == {"1"}
    assert {reply.headers["x-should-retry"] for reply in replies} == {"true"}
    assert replies[0].json()["error"]["code"] == "overloaded"


@pytest.mark.fault("P12")
@pytest.mark.parametrize("path", ["/health", "/health/readiness", "/v1/models"])
def test_what_is_quick_is_answered_all_the_same(path: str, gate: Gateway, full: ExitStack) -> None:
    with requests.Session() as session:
        session.get(gate.url + path)

        times = [seconds(lambda: session.get(gate.url + path)) for _ in range(15)]

    assert statistics.median(times) < 0.05


def test_there_is_room_again_when_clients_have_left(
    gate: Gateway, full: ExitStack, upstream: Upstream
) -> None:
    full.close()
    upstream.plays(json_answer(chat_completion()))

    workers.eventually(lambda: requests.post(gate.url + CHAT, json=chat()).ok, seconds=1)


@pytest.mark.parametrize(
    ("most", "kept"), [(1, 0), (3, 0), (4, 1), (8, 2), (64, 4), (256, 4), (1024, 16)]
)
def test_a_few_threads_are_kept(most: int, kept: int) -> None:
    assert admission.reserved_threads(most) == kept
