"""Both stores: counts in a sliding window. The clock is the test's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmgate.storage.counters import MemoryStore
from llmgate.storage.counters import RateLimit
from llmgate.storage.counters import Store
from llmgate.storage.sqlite_counters import SqliteStore

START = 1_000_000.0


@pytest.fixture(params=["memory", "file", "unusable file"])
def store(request: Any, tmp_path: Path) -> Iterator[Store]:
    """Each kind of store; with a file that cannot be used, memory takes its place."""
    if request.param == "memory":
        yield MemoryStore()
        return
    path = tmp_path if request.param == "unusable file" else tmp_path / "state.db"
    found = SqliteStore(str(path))
    yield found
    found.close()


def test_no_minute_has_more_requests_than_the_limit(store: Store) -> None:
    chance = random.Random(7)
    now = START
    taken: list[float] = []

    for _ in range(600):
        now += chance.expovariate(1.0)
        if store.take("a", RateLimit(requests=10), 0, now) == 0:
            taken.append(now)

    for at in taken:
        assert sum(1 for other in taken if at <= other < at + 60) <= 10
    assert len(taken) > 60


def test_there_is_room_after_the_returned_wait(store: Store) -> None:
    limit = RateLimit(requests=3)
    for at in range(3):
        store.take("a", limit, 0, START + 10 * at)
    now = START + 30

    wait = store.take("a", limit, 0, now)

    assert store.take("a", limit, 0, now + wait - 1.1) > 0
    assert store.take("a", limit, 0, now + wait) == 0


def test_tokens_are_reserved_and_corrected(store: Store) -> None:
    limit = RateLimit(tokens=100)

    assert store.take("a", limit, 60, START) == 0
    assert store.take("a", limit, 60, START) > 0
    store.add("a", -50, START)
    assert store.take("a", limit, 60, START) == 0
    assert store.used("a", START) == (2, 70)
    assert store.used("a", START + 62) == (0, 0)


def test_a_request_above_the_limit_waits_for_an_empty_minute(store: Store) -> None:
    assert store.take("a", RateLimit(tokens=100), 500, START) == 0
    assert store.take("a", RateLimit(tokens=100), 500, START) > 0


def test_the_later_end_of_a_cooldown_counts(store: Store) -> None:
    store.start_cooldown("a", START + 5)
    store.start_cooldown("a", START + 2)

    assert store.cooldowns() == {"a": START + 5}
