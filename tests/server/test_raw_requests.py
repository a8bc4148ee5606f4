"""Requests that parsers disagree about: none is read in two ways, none is an error of ours."""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import h11
import pytest
from testing import workers
from testing.gateway import Gateway
from testing.raw_requests import CORPUS
from testing.raw_requests import Case
from testing.raw_requests import some
from testing.sockets import connected
from testing.upstream import Upstream

ROUND = 60
_STATUS = re.compile(rb"HTTP/1\.[01] (\d+) ")


@pytest.fixture(scope="module", params=workers.WORKERS)
def gate(request: pytest.FixtureRequest, session_upstream: Upstream) -> Iterator[Gateway]:
    with workers.gateway(session_upstream, request.param) as found:
        yield found


def statuses(sock: socket.socket) -> list[int]:
    """Return the statuses of all responses until the connection ends, those of 1xx left out."""
    data = b""
    try:
        while piece := sock.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return [status for found in _STATUS.findall(data) if (status := int(found)) >= 200]


@pytest.mark.fault("C10", "S10")
@pytest.mark.parametrize("case", CORPUS, ids=[case.name for case in CORPUS])
def test_a_request_is_refused_or_understood_in_one_way(gate: Gateway, case: Case) -> None:
    with connected(gate.url, case.data) as sock:
        assert statuses(sock) == case.statuses


def requests_by_h11(data: bytes) -> int:
    """Return how many requests h11 reads in *data*, one that it refuses included."""
    connection, count = h11.Connection(h11.SERVER), 0
    connection.receive_data(data)
    while True:
        try:
            event = connection.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                if connection.states[h11.CLIENT] is not h11.DONE:
                    return count + 1
                answer(connection)
            elif isinstance(event, h11.EndOfMessage):
                count += 1
        except h11.RemoteProtocolError:
            return count + 1
        if connection.states[h11.CLIENT] in (h11.MUST_CLOSE, h11.CLOSED):
            return count


def answer(connection: h11.Connection) -> None:
    """Let *connection* go on to the next request."""
    connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    if connection.states[h11.CLIENT] is h11.DONE and connection.states[h11.SERVER] is h11.DONE:
        connection.start_next_cycle()


@pytest.mark.fault("C10", "S10")
def test_no_request_has_more_responses_than_requests_in_it(gate: Gateway) -> None:
    """Nothing that is one request for h11 is two for us, and nothing is an error of ours."""
    seed = random.randrange(2**32)
    rng = random.Random(seed)
    sent = [some(rng) for _ in range(ROUND)]
    with ExitStack() as stack:
        socks = [stack.enter_context(connected(gate.url, data)) for data in sent]
        got = [statuses(sock) for sock in socks]

    for data, found in zip(sent, got, strict=True):
        assert len(found) <= requests_by_h11(data), (seed, data, found)
        assert [each for each in found if each >= 500 and each != 501] == [], (seed, data, found)
    assert "Traceback" not in gate.stderr()
    with connected(
        gate.url, b"GET /health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    ) as sock:
        assert statuses(sock) == [200]
