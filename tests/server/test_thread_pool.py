from __future__ import annotations

import threading
from typing import Any

import pytest

from llmgate.server import thread_pool
from llmgate.server.thread_pool import ThreadPool


class Platform:
    """Threads until there are *most*."""

    def __init__(self, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.most, self.started = most, 0
        start = threading.Thread.start

        def limited(thread: threading.Thread) -> None:
            if self.started >= self.most:
                raise RuntimeError("can't start new thread")
            self.started += 1
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)


def test_tasks_run_at_the_same_time_up_to_the_limit() -> None:
    pool = ThreadPool(3, 0)
    together = threading.Barrier(3)

    done = [pool.submit(together.wait, 10) for _ in range(3)]

    assert sorted(each.result(10) for each in done) == [0, 1, 2]
    pool.shutdown()


def test_an_error_is_the_futures() -> None:
    pool = ThreadPool(1, 0)

    with pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result(10)

    assert pool.submit(len, "abc").result(10) == 3
    pool.shutdown()


@pytest.mark.fault("F8")
def test_when_the_platform_refuses_threads_the_others_do_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform(4, monkeypatch)
    now = [0.0]
    pool = ThreadPool(100, 2, lambda: now[0])
    go_on = threading.Event()

    busy = [pool.submit(go_on.wait, 10) for _ in range(3)]
    limit = pool.limit
    quick = [pool.submit(len, "abc") for _ in range(5)]

    assert limit == 4  # known while a thread is still free
    assert [each.result(10) for each in quick] == [3] * 5
    platform.most = 100
    pool.submit(len, "").result(10)
    assert platform.started == 4  # it is not tried again at once
    now[0] += thread_pool.RETRY_SECONDS
    pool.submit(len, "").result(10)
    assert platform.started > 4
    assert pool.limit == 100
    go_on.set()
    assert all(each.result(10) for each in busy)
    pool.shutdown()


@pytest.mark.fault("F8")
def test_without_any_thread_a_task_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    Platform(0, monkeypatch)
    pool = ThreadPool(2, 1)
    ran: list[Any] = []

    with pytest.raises(RuntimeError, match="can't start new thread"):
        pool.submit(ran.append, 1)

    monkeypatch.undo()
    pool.submit(ran.append, 2).result(10)
    assert ran == [2]
    pool.shutdown()
