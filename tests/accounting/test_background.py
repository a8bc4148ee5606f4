from __future__ import annotations

import threading

import pytest

from llmgate.accounting.background import BackgroundQueue


def test_items_are_handled_in_order_by_another_thread() -> None:
    seen: list[tuple[int, int]] = []
    queue = BackgroundQueue[int](lambda item: seen.append((item, threading.get_ident())))

    for item in range(100):
        queue.put(item)

    assert queue.flush(10)
    assert [item for item, _ in seen] == list(range(100))
    assert {ident for _, ident in seen}.isdisjoint({threading.get_ident()})


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    release, seen = threading.Event(), list[int]()

    def handle(item: int) -> None:
        release.wait(10)
        seen.append(item)

    queue = BackgroundQueue[int](handle, limit=2)
    taken = [queue.put(item) for item in range(10)]
    release.set()

    assert queue.flush(10)
    assert queue.dropped == taken.count(False) >= 7
    assert seen == [item for item, fits in enumerate(taken) if fits]


def test_an_idle_queue_is_flushed_at_once() -> None:
    assert BackgroundQueue[int](lambda item: None).flush(0)


def test_a_full_queue_is_not_waited_for_longer_than_asked() -> None:
    release = threading.Event()
    queue = BackgroundQueue[int](lambda item: release.wait(10) and None)
    queue.put(1)

    assert not queue.flush(0.05)
    release.set()
    assert queue.flush(10)


def test_items_wait_until_a_thread_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    seen: list[int] = []
    queue = BackgroundQueue[int](seen.append)
    with monkeypatch.context() as patched:
        patched.setattr("_thread.start_new_thread", refuse)
        taken = queue.put(1)

    queue.put(2)

    assert taken and queue.flush(10)
    assert seen == [1, 2]
