"""The request log under each worker: a reader that pauses, a worker that is killed."""

from __future__ import annotations

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from testing import workers
from testing.bystander import Bystander
from testing.gateway import Gateway
from testing.sockets import asked
from testing.sockets import received_until
from testing.upstream import HANG
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import sse
from testing.workers import chat


@pytest.fixture(params=workers.WORKERS)
def gate(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[Gateway]:
    args = ("--threads", "16") if request.param == "gthread" else ()
    yield workers.gateway(upstream, request.param, *args)


@pytest.mark.fault("F4", "P20")
def test_a_reader_of_the_log_that_pauses_stops_nothing(gate: Gateway, upstream: Upstream) -> None:
    path = gate.home / "stdout"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    try:
        with gate, Bystander(gate, upstream):
            for _ in range(60):
                got = requests.post(gate.url + "/v1/nowhere", timeout=20)
                assert got.status_code == 404
    finally:
        os.close(reader)


@pytest.mark.fault("F12", "F18", "P4")
def test_the_requests_of_a_killed_worker_are_logged_as_lost(
    gate: Gateway, upstream: Upstream
) -> None:
    upstream.answers = lambda seen: sse([chat_chunks()[0], HANG])
    with gate:
        socks = [
            asked(gate.url + "/v1/chat/completions", chat(stream=True), x_request_id=f"lost-{at}")
            for at in range(3)
        ]
        for sock in socks:
            received_until(sock, b"data:")
        requests.post(gate.url + "/v1/nowhere", headers={"X-Request-Id": "done"}, timeout=20)
        gate.log(lambda line: line["request_id"] == "done")

        (pid,) = gate.workers()
        os.kill(pid, signal.SIGKILL)
        found = [gate.log(_is_line(f"lost-{at}"), 20) for at in range(3)]
        for sock in socks:
            sock.close()
        workers.eventually(lambda: gate.workers() not in ([], [pid]), 20)  # another one
        lines = [line for line in gate.logs() if isinstance(line, dict)]

    assert [(line["status"], line["error_code"]) for line in found] == [(500, "worker_lost")] * 3
    assert found[0]["endpoint"] == "/v1/chat/completions"
    ids = [line["request_id"] for line in lines]
    assert sorted(ids) == ["done", "lost-0", "lost-1", "lost-2"], json.dumps(lines)


def _is_line(request_id: str) -> Any:
    return lambda line: isinstance(line, dict) and line["request_id"] == request_id
