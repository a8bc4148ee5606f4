from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from testing import workers
from testing.gateway import Gateway
from testing.sockets import asked
from testing.sockets import connected
from testing.sockets import received_until

from llmgate.sharing import Counts


def test_the_worker_with_the_fewest_connections_waits_for_nobody() -> None:
    counts = Counts()
    counts.note(1, 0)
    counts.note(2, 3)

    assert not counts.is_fuller(1, 0)
    assert not counts.is_fuller(1, 2)
    assert counts.is_fuller(2, 3)


def test_a_worker_alone_waits_for_nobody() -> None:
    counts = Counts()
    counts.note(1, 5)

    assert not counts.is_fuller(1, 5)


def test_nobody_waits_for_a_worker_that_is_gone() -> None:
    counts = Counts()
    counts.note(1, 5)
    counts.note(2, 0)
    counts.note(2, None)

    assert not counts.is_fuller(1, 5)


def test_a_fuller_worker_waits_a_moment() -> None:
    counts = Counts()
    counts.note(1, 0)

    begun = time.monotonic()
    counts.give_way(2, 1)
    waited = time.monotonic() - begun
    counts.give_way(2, 0)

    assert waited >= 0.001


@pytest.fixture
def gate() -> Iterator[Gateway]:
    """A gateway with two workers under threads."""
    with Gateway(workers=2, env={"LLMGATE_WORKER_CLASS": "gthread"}) as found:
        yield found


def sockets(pid: int) -> int:
    """Return how many sockets the process *pid* has."""
    links = Path(f"/proc/{pid}/fd").iterdir()
    return sum(os.readlink(link).startswith("socket:") for link in links)


threads = pytest.mark.skipif("gthread" not in workers.WORKERS, reason="gevent takes one at a time")


@threads
def test_connections_that_come_at_once_are_shared_among_the_workers(gate: Gateway) -> None:
    pids = gate.workers()
    before = [sockets(pid) for pid in pids]

    with ExitStack() as kept:
        for _ in range(20):
            kept.enter_context(connected(gate.url))
        workers.eventually(lambda: sum(map(sockets, pids)) - sum(before) == 20)

        own = [sockets(pid) - was for pid, was in zip(pids, before, strict=True)]
        assert min(own) >= 7


@threads
def test_a_worker_that_was_killed_holds_nobody_up(gate: Gateway) -> None:
    killed, other = gate.workers()
    with ExitStack() as kept:
        for _ in range(4):
            kept.enter_context(connected(gate.url))
        os.kill(killed, signal.SIGKILL)
        workers.eventually(lambda: killed not in gate.workers() and len(gate.workers()) == 2)

        with asked(gate.url + "/health", connection="close") as sock:
            assert b'"healthy"' in received_until(sock, b"}")
    assert other in gate.workers()
