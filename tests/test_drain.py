from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from testing import workers
from testing.gateway import Gateway
from testing.gateway import config_for
from testing.sockets import asked
from testing.sockets import received
from testing.sockets import received_until
from testing.upstream import HANG
from testing.upstream import Pause
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.upstream import raw
from testing.upstream import sse
from testing.workers import chat

CHAT = "/v1/chat/completions"
GRACE = 4
CHUNKS = chat_chunks("Hel", "lo")
END = b"0\r\n\r\n"  # of a chunked body


@pytest.fixture(params=workers.WORKERS)
def gate(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[Gateway]:
    """A gateway that has four seconds to end."""
    grace = ("--graceful-timeout", str(GRACE))
    with workers.gateway(upstream, request.param, *grace, heartbeat=False) as found:
        yield found


def alive(pid: int) -> bool:
    """Return whether there is such a process, and not only what is left of it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def terminated(gate: Gateway) -> list[int]:
    """Return the processes of *gate*, each told to end twice, as Heroku does."""
    pids = [gate.pid, *gate.workers()]
    for pid in pids * 2:
        if alive(pid):
            os.kill(pid, signal.SIGTERM)
    return pids


@pytest.mark.fault("P1", "P2", "P3")
def test_streams_that_can_end_do_and_the_others_are_told(gate: Gateway, upstream: Upstream) -> None:
    short = sse([CHUNKS[0], Pause(0.6), *CHUNKS[1:]])
    long = {"stream": sse([CHUNKS[0], HANG]), "silent": raw(HANG), "whole": raw(HANG)}
    upstream.answers = lambda seen: long.get(seen.json["user"], short)
    users = ["short", "stream", "silent", "whole"]
    bodies = [chat(user=user, stream=user != "whole") for user in users]
    socks = [asked(gate.url + CHAT, body, connection="close") for body in bodies]
    upstream.wait_for(4)
    for sock in socks[:2]:
        received_until(sock, b"data:")

    begun = time.monotonic()
    pids = terminated(gate)
    data = [received(sock) for sock in socks]
    told = time.monotonic() - begun
    took = workers.eventually(lambda: not any(alive(pid) for pid in pids), GRACE + 2)
    for sock in socks:
        sock.close()

    assert b"data: [DONE]\n\n" in data[0] and data[0].endswith(END)
    assert b'"code":"server_shutdown"' in data[1] and data[1].endswith(END)
    assert b"[DONE]" not in data[1]
    for refused in data[2:]:
        head, _, body = refused.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ") and b"retry-after: 1" in head.lower()
        assert json.loads(body)["error"]["code"] == "server_shutdown"
    assert 1 < told < GRACE - 0.5
    assert told + took < GRACE + 2
    assert len([line for line in gate.logs() if line["status"]]) == 4


@pytest.mark.fault("P2")
def test_an_idle_gateway_ends_soon(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    with requests.Session() as kept:
        kept.post(gate.url + CHAT, json=chat())
        pids = terminated(gate)

        workers.eventually(lambda: not any(alive(pid) for pid in pids), 8)


def test_readiness_turns_false(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(raw(HANG))
    with asked(gate.url + CHAT, chat()), requests.Session() as kept:
        upstream.wait_for(1)
        before = kept.get(gate.url + "/health/readiness")
        terminated(gate)
        time.sleep(0.1)

        after = kept.get(gate.url + "/health/readiness")

    assert (before.status_code, after.status_code) == (200, 503)
    assert after.json()["status"] == "draining"


def models(gate: Gateway) -> list[str]:
    return sorted(each["id"] for each in requests.get(gate.url + "/v1/models").json()["data"])


def write(gate: Gateway, text: str) -> None:
    (gate.home / "config.yaml").write_text(text)
    os.kill(gate.pid, signal.SIGHUP)


@pytest.mark.fault("P5")
def test_sighup_reads_the_configuration_again(gate: Gateway, upstream: Upstream) -> None:
    upstream.plays(sse([CHUNKS[0], Pause(1.5), *CHUNKS[1:]]))
    config: dict[str, Any] = config_for(upstream)
    config["model_list"] = [{**config["model_list"][0], "model_name": "new"}]
    old = gate.workers()

    with asked(gate.url + CHAT, chat(stream=True), connection="close") as sock:
        received_until(sock, b"data:")
        write(gate, yaml.safe_dump(config))
        workers.eventually(lambda: models(gate) == ["new"])
        rest = received(sock)

    assert b"[DONE]" in rest
    workers.eventually(lambda: not set(old) & set(gate.workers()))


@pytest.mark.fault("P5")
def test_a_wrong_configuration_keeps_the_old_one(gate: Gateway) -> None:
    before = models(gate)

    write(gate, "model_list: 5\n")
    workers.eventually(lambda: "not reloaded" in gate.stderr())

    assert "model_list" in gate.stderr()
    time.sleep(0.5)
    assert models(gate) == before


@pytest.mark.fault("P4")
@pytest.mark.parametrize("worker", workers.WORKERS)
def test_a_killed_worker_is_survived(worker: str, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    with workers.gateway(upstream, worker, "--workers", "2") as gate:
        workers.eventually(lambda: len(gate.workers()) == 2)
        os.kill(gate.workers()[0], signal.SIGKILL)

        statuses = {requests.post(gate.url + CHAT, json=chat()).status_code for _ in range(20)}

        assert statuses == {200}
        workers.eventually(lambda: len(gate.workers()) == 2)


@pytest.mark.parametrize("to_master", [True, False])
def test_new_connections_do_not_wait_for_the_end(
    gate: Gateway, upstream: Upstream, to_master: bool
) -> None:
    """They are refused, or served at once: none hangs until the process is gone."""
    upstream.plays(raw(HANG))
    with asked(gate.url + CHAT, chat()) as sock:
        upstream.wait_for(1)
        for pid in [gate.pid, *([] if to_master else gate.workers())]:
            os.kill(pid, signal.SIGTERM)
        begun = time.monotonic()

        workers.eventually(lambda: not connects(gate), 2)

        assert time.monotonic() - begun < GRACE / 2
        assert received_until(sock, b"server_shutdown")  # what was asked before is still served


def connects(gate: Gateway) -> bool:
    """Return whether a new connection is taken; one that is has to be answered."""
    try:
        with asked(gate.url + "/health/readiness", connection="close") as sock:
            sock.settimeout(1)
            assert received(sock).startswith(b"HTTP/1.1 ")
    except (ConnectionRefusedError, ConnectionResetError):
        return False
    return True


def test_it_ends_without_a_word(upstream: Upstream) -> None:
    with Gateway(config_for(upstream)) as gate:
        said = gate.stderr()

        assert gate.stop() == 0
        assert gate.stderr() == said
