from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from testing import workers
from testing.gateway import Gateway
from testing.gateway import config_for
from testing.sockets import asked
from testing.sockets import received_until
from testing.upstream import HANG
from testing.upstream import Answer
from testing.upstream import Seen
from testing.upstream import Upstream
from testing.upstream import answer
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import error_body
from testing.upstream import head
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse
from testing.workers import chat

SOON = 0.25  # seconds
CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}
FIRST, *_ = chat_chunks()


@pytest.fixture(scope="module", params=workers.WORKERS)
def gate(request: pytest.FixtureRequest, session_upstream: Upstream) -> Iterator[Gateway]:
    """A gateway that beats too seldom to notice anything by it."""
    with workers.gateway(session_upstream, request.param, heartbeat={"first": 60}) as found:
        yield found


def ended(seen: Seen, since: float) -> float:
    """Return the seconds from *since* until the upstream saw its caller leave."""
    assert seen.closed_by_peer.wait(5)
    assert seen.closed_by_peer.at
    return seen.closed_by_peer.at - since


@pytest.mark.fault("C1", "C2", "C3")
@pytest.mark.parametrize(
    ("planned", "streams", "tokens"),
    [
        (raw(HANG), True, 0),
        (raw(HANG), False, 0),
        (raw(b"HTTP/1.1 200 OK\r\nX-Half", HANG), False, 0),
        (raw(b"HTTP/1.1 103 Early Hints\r\n\r\n", HANG), True, 0),
        (sse([FIRST, HANG]), True, 1),
        (sse([FIRST, HANG], chunked=False), True, 1),
        (sse([FIRST, HANG], compress=True), True, 1),
        (answer([b"{", HANG], headers=JSON, framing="chunked"), False, 0),
        (answer([b"{", HANG], headers=JSON, framing="close"), False, 0),
        (raw(head(200, {**JSON, "content-length": "99"}), b"{", HANG), False, 0),
        (raw(head(200, {**JSON, "content-length": "99", "connection": "close"}), HANG), False, 0),
    ],
)
def test_a_client_that_leaves_ends_the_upstream_call(
    planned: Answer, streams: bool, tokens: int, gate: Gateway, upstream: Upstream
) -> None:
    upstream.plays(planned)
    user = f"{time.monotonic()}"

    with asked(gate.url + CHAT, chat(stream=streams, user=user)) as sock:
        (seen,) = upstream.wait_for(1)
        if tokens:
            received_until(sock, b"data:")
        time.sleep(0.02)
        left = time.monotonic()

    assert ended(seen, left) < SOON
    line = gate.log(lambda line: line["user"] == user)
    assert line["aborted"] is True
    assert line["usage_estimated"] is True
    assert line["usage"] == {"prompt_tokens": 8, "completion_tokens": tokens}
    assert line["error_code"] == "client_left"
    assert line["cause"].startswith("the client closed its connection")
    assert "said" not in line["upstream"]


@pytest.mark.fault("C2", "C3")
def test_every_route_ends_its_call(gate: Gateway, upstream: Upstream) -> None:
    bodies: dict[str, Any] = {
        "embeddings": {"model": "text-embedding-3-small", "input": "Hi"},
        "completions": {"model": "gpt-3.5-turbo-instruct", "prompt": "Hi"},
        "moderations": {"model": "omni-moderation-latest", "input": "Hi"},
        "images/generations": {"model": "dall-e-3", "prompt": "Hi"},
        "audio/speech": {"model": "tts-1", "input": "Hi", "voice": "alloy"},
        "responses": {"model": "gpt-4o", "input": "Hi"},
        "messages": {**chat(), "max_tokens": 5},
    }

    for number, (path, body) in enumerate(bodies.items(), 1):
        upstream.plays(raw(HANG))
        with asked(f"{gate.url}/v1/{path}", body):
            seen = upstream.wait_for(number)[-1]
            left = time.monotonic()
        assert ended(seen, left) < SOON, path


def test_many_clients_leave_at_once(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(sse([FIRST, HANG]))
    socks = [asked(gate.url + CHAT, chat(stream=True)) for _ in range(30)]
    seen = upstream.wait_for(30)
    for sock in socks:
        received_until(sock, b"data:")

    left = time.monotonic()
    for sock in socks:
        sock.close()

    assert max(ended(each, left) for each in seen) < SOON


def test_nothing_is_sent_again_for_a_client_that_left(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(error_body("busy"), 503, {"retry-after": "1"}))
    with asked(gate.url + CHAT, chat()):
        upstream.wait_for(1)
        time.sleep(0.1)

    time.sleep(1.2)

    assert len(upstream.requests) == 1


def test_a_kept_connection_does_not_suffer_from_an_earlier_client(
    gate: Gateway, upstream: Upstream
) -> None:
    upstream.plays(json_answer(chat_completion()))

    for _ in range(50):
        with asked(gate.url + CHAT, chat()) as sock:
            received_until(sock, b"_response_ms")

    assert requests.post(gate.url + CHAT, json=chat()).status_code == 200
    assert upstream.connections <= 2


@pytest.mark.fault("C4")
def test_a_client_that_shuts_its_side_has_left(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(raw(HANG))

    with asked(gate.url + CHAT, chat()) as sock:
        (seen,) = upstream.wait_for(1)
        left = time.monotonic()
        sock.shutdown(1)

        assert ended(seen, left) < SOON
        status = received_until(sock, b"\r\n").split()
    assert status[1] == b"499"


def test_a_stream_that_ends_is_not_aborted(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(sse(chat_chunks(usage={"prompt_tokens": 1, "completion_tokens": 2})))
    user = f"{time.monotonic()}"

    text = requests.post(gate.url + CHAT, json=chat(stream=True, user=user)).text

    assert text.endswith("data: [DONE]\n\n")
    assert "aborted" not in json.dumps(gate.log(lambda line: line["user"] == user))


@pytest.mark.parametrize("worker", workers.WORKERS)
def test_an_encrypted_call_is_made_and_ended(worker: str, tmp_path: Path) -> None:
    with Upstream(tls="self-signed") as up:
        trusting = f"import certifi\ncertifi.where = lambda: {str(up.ca)!r}\n"
        (tmp_path / "sitecustomize.py").write_text(trusting)
        env = {"LLMGATE_WORKER_CLASS": worker, "PYTHONPATH": str(tmp_path)}
        with Gateway(config_for(up), env=env) as gate:
            up.plays(json_answer(chat_completion()), sse([FIRST, HANG]))
            status = requests.post(gate.url + CHAT, json=chat()).status_code

            with asked(gate.url + CHAT, chat(stream=True)) as sock:
                received_until(sock, b"data:")
                left = time.monotonic()

            assert status == 200
            assert ended(up.requests[-1], left) < SOON
