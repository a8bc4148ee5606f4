"""An upstream that responds before it has received the request, under both workers."""

from __future__ import annotations

import time

import pytest
import requests
from testing.upstream import Pause
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import raw
from testing.workers import WORKERS
from testing.workers import chat
from testing.workers import gateway

CALM = {"first": 20, "every": 15, "whole": 25}  # a keep-alive would commit the status
LARGE = [{"role": "user", "content": "x" * 8_000_000}]
EARLY = b"HTTP/1.1 413 Too Large\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


@pytest.mark.fault("F18", "C12")
@pytest.mark.parametrize("worker", WORKERS)
def test_an_early_413_is_answered_at_once(worker: str) -> None:
    with Upstream(read_bodies=False) as up, gateway(up, worker, heartbeat=CALM) as gate:
        up.plays(raw(EARLY, Pause(20)))
        begun = time.monotonic()

        got = requests.post(
            f"{gate.url}/v1/chat/completions", json=chat(messages=LARGE), timeout=30
        )

    assert got.status_code == 413
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("worker", WORKERS)
def test_a_large_body_arrives_whole(worker: str, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    with gateway(upstream, worker) as gate:
        url = f"{gate.url}/v1/chat/completions"
        for _ in range(2):
            assert requests.post(url, json=chat(messages=LARGE), timeout=30).status_code == 200

    assert [seen.json["messages"] for seen in upstream.requests] == [LARGE] * 2
    assert len({seen.connection for seen in upstream.requests}) == 1
