from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from testing import workers
from testing.gateway import Gateway
from testing.sockets import connected

from llmgate.server.accept_balance import AcceptBalance


def test_the_worker_with_the_fewest_connections_waits_for_nobody() -> None:
    counts = AcceptBalance()
    counts.record(1, 0)
    counts.record(2, 3)

    assert not counts.is_busier(1, 0)
    assert not counts.is_busier(1, 2)
    assert counts.is_busier(2, 3)


def test_a_worker_alone_waits_for_nobody() -> None:
    counts = AcceptBalance()
    counts.record(1, 5)

    assert not counts.is_busier(1, 5)


def test_nobody_waits_for_a_worker_that_is_gone() -> None:
    counts = AcceptBalance()
    counts.record(1, 5)
    counts.record(2, 0)
    counts.record(2, None)

    assert not counts.is_busier(1, 5)


def test_only_a_fuller_worker_waits_a_moment() -> None:
    counts, waits = AcceptBalance(), list[float]()
    counts.record(1, 0)

    counts.yield_to_others(2, 1, waits.append)
    counts.yield_to_others(2, 0, waits.append)

    assert waits == [0.002]


@pytest.fixture
def gate() -> Iterator[Gateway]:
    """A gateway with two workers under threads."""
    with Gateway(workers=2, env={"LLMGATE_WORKER_CLASS": "gthread"}) as found:
        yield found


def sockets(pid: int) -> int:
    """Return how many sockets the process *pid* has."""
    return sum(is_socket(link) for link in Path(f"/proc/{pid}/fd").iterdir())


def is_socket(link: Path) -> bool:
    """Return whether *link*, of a process's open files, leads to a socket; closed ones do not."""
    try:
        return os.readlink(link).startswith("socket:")
    except FileNotFoundError:
        return False


threads = pytest.mark.skipif("gthread" not in workers.WORKERS, reason="gevent takes one at a time")


def taken(gate: Gateway) -> bool:
    """Return whether a worker that has none of 8 connections gets the next 8."""
    stopped, other = gate.workers()
    before = sockets(stopped), sockets(other)
    with ExitStack() as kept:
        os.kill(stopped, signal.SIGSTOP)
        for number in range(1, 9):
            kept.enter_context(connected(gate.url))
            workers.eventually(lambda want=number: sockets(other) - before[1] == want)
        os.kill(stopped, signal.SIGCONT)
        for number in range(9, 17):
            kept.enter_context(connected(gate.url))
            workers.eventually(
                lambda want=number: sockets(stopped) + sockets(other) - sum(before) == want
            )
        found = sockets(stopped) - before[0]
    workers.eventually(lambda: (sockets(stopped), sockets(other)) == before)
    return found == 8


@threads
def test_connections_go_to_the_worker_that_has_fewer(gate: Gateway) -> None:
    workers.eventually(lambda: [sockets(pid) for pid in gate.workers()] == [1, 1])  # they listen

    assert any(taken(gate) for _ in range(8))  # a machine with much to do may be late
