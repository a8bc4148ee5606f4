"""A worker that has no file descriptors or memory left, and workers that are killed."""

from __future__ import annotations

import json
import os
import resource
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from testing import workers
from testing.bystander import Bystander
from testing.sockets import asked
from testing.sockets import connected
from testing.sockets import received_until
from testing.upstream import Upstream
from testing.upstream import chat_completion
from testing.upstream import json_answer
from testing.workers import chat

CHAT = "/v1/chat/completions"


@pytest.mark.fault("F8", "P14")
@pytest.mark.parametrize("worker", workers.WORKERS)
def test_without_file_descriptors_the_worker_and_its_streams_go_on(
    worker: str, upstream: Upstream
) -> None:
    args = ("--threads", "16") if worker == "gthread" else ()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with workers.gateway(upstream, worker, *args) as gate:
        (pid,) = gate.workers()
        with Bystander(gate, upstream, prompt=8.0), ExitStack() as stack:
            used = len(os.listdir(f"/proc/{pid}/fd"))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 8, hard))
            for _ in range(40):
                stack.enter_context(connected(gate.url, b"GET /"))
            time.sleep(2)
            stack.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
            time.sleep(1)

        assert gate.workers() == [pid]
        assert "Traceback" not in gate.stderr() or worker == "gevent"


def address_space(pid: int) -> int:
    """Return the bytes of memory that the process *pid* has mapped."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmSize:")[2].split()[0]) * 1024


@pytest.mark.fault("P6", "F8")
@pytest.mark.parametrize("worker", workers.WORKERS)
def test_without_memory_large_requests_are_refused_and_streams_go_on(
    worker: str, upstream: Upstream
) -> None:
    body = json.dumps(chat(user="x" * (24 << 20))).encode()
    headers = {"Content-Type": "application/json"}
    with workers.gateway(upstream, worker) as gate:
        (pid,) = gate.workers()
        with Bystander(gate, upstream, prompt=1.0):
            upstream.plays(json_answer(chat_completion()))
            limit = address_space(pid) + (60 << 20)
            resource.prlimit(pid, resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))

            refused = requests.post(gate.url + CHAT, data=body, headers=headers, timeout=30)
            small = requests.post(gate.url + CHAT, json=chat(), timeout=30)

        assert (refused.status_code, small.status_code) == (503, 200)
        assert refused.json()["error"]["code"] == "out_of_resources"
        assert refused.headers["Retry-After"] == "5"
        assert gate.workers() == [pid]
        assert "Traceback" not in gate.stderr()


@pytest.mark.fault("P4", "P19")
def test_many_killed_workers_leave_nothing_behind(upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion()))
    with workers.gateway(upstream, workers.WORKERS[0]) as gate:
        files = f"/proc/{gate.pid}/fd"
        before = None
        for _ in range(6):
            (pid,) = gate.workers()
            with asked(gate.url + CHAT, chat()) as sock:
                assert received_until(sock, b"_response_ms").startswith(b"HTTP/1.1 200 ")
            before = before or len(os.listdir(files))
            os.kill(pid, signal.SIGKILL)
            workers.eventually(lambda old=pid: gate.workers() not in ([], [old]), 10)

        assert requests.post(gate.url + CHAT, json=chat(), timeout=10).status_code == 200
        assert len(os.listdir(files)) == before
