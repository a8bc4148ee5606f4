from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmgate.storage.counters import MemoryStore
from llmgate.storage.counters import RateLimit
from llmgate.storage.leases import Full
from llmgate.storage.leases import Leases
from llmgate.storage.leases import Wanted

redis_counters = pytest.importorskip("llmgate.storage.redis_counters")

URL = os.environ.get("REDIS_URL", "")
with_server = pytest.mark.skipif(not URL, reason="needs REDIS_URL: .ci/services pytest")


@pytest.fixture
def name() -> str:
    return secrets.token_hex(6)


def store(url: str = URL) -> redis_counters.RedisStore:
    return redis_counters.RedisStore(redis_counters.Server(url), MemoryStore())


@pytest.fixture
def stopped() -> Iterator[str]:
    """Yield the address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


@with_server
def test_a_limit_of_requests_is_exact_over_all_machines(name: str) -> None:
    machines = [store() for _ in range(4)]

    with ThreadPoolExecutor(16) as pool:
        waits = list(
            pool.map(lambda n: machines[n % 4].take(name, RateLimit(10), 5, 0.0), range(64))
        )

    assert waits.count(0.0) == 10
    assert all(0 < wait <= 61 for wait in waits if wait)
    assert machines[0].used(name, 0.0) == (10, 50)


@with_server
def test_tokens_are_limited_and_corrected(name: str) -> None:
    limit = RateLimit(None, 100)
    assert store().take(name, limit, 60, 0.0) == 0
    assert store().take(name, limit, 60, 0.0) > 0

    store().add(name, -30, 0.0)

    assert store().take(name, limit, 60, 0.0) == 0
    assert store().used(name, 0.0) == (2, 90)


@with_server
def test_a_cooldown_acts_on_every_machine_and_is_never_shortened(name: str) -> None:
    one, other = store(), store()
    until = time.monotonic() + 30

    one.start_cooldown(name, until)
    one.start_cooldown(name, until - 20)

    assert other.cooldowns()[name] == pytest.approx(until, abs=2)


@with_server
def test_leases_are_shared_and_end_with_their_request(name: str, tmp_path: Path) -> None:
    one, other = (
        redis_counters.RedisLeases(redis_counters.Server(URL), Leases(tmp_path / "leases.db"))
        for _ in range(2)
    )
    wanted = [Wanted(f"{name}-team", 5), Wanted(name, 1)]
    one.take("r1", wanted, 0)

    with pytest.raises(Full) as refused:
        other.take("r2", wanted, 0)
    one.release("r1")
    other.take("r2", wanted, 0)

    assert (refused.value.name, refused.value.limit) == (name, 1)
    other.release("r2")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault("P10")
def test_a_server_that_does_not_answer_costs_one_request_some_milliseconds(
    stopped: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = redis_counters.Server(stopped)
    found = redis_counters.RedisStore(server, MemoryStore())
    leases = redis_counters.RedisLeases(server, Leases(tmp_path / "leases.db"))

    waits = [found.take("a", RateLimit(2), 1, 5.0) for _ in range(3)]
    leases.take("r1", [Wanted("a", 1)], 1)
    with pytest.raises(Full):
        leases.take("r2", [Wanted("a", 1)], 1)
    leases.release("r1")

    assert [wait == 0 for wait in waits] == [True, True, False]
    assert found.used("a", 5.0) == (2, 2)
    found.add("a", 3, 5.0)
    found.start_cooldown("b", 9.0)
    assert found.cooldowns() == {"b": 9.0}
    assert caplog.text.count("because Redis cannot be used") == 1  # it was tried once


class Scripted:
    """A server with an answer for each script that is run; it notes what it was asked."""

    def __init__(self, *answers: int | None) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[list[str], list[str | int | float]]] = []
        self.usable = True

    def is_usable(self) -> bool:
        return self.usable

    def run(self, text: str, keys: list[str], given: list[str | int | float]) -> int | None:
        self.asked.append((keys, given))
        return self.answers.pop(0)


def leases(server: Scripted, folder: Path) -> redis_counters.RedisLeases:
    return redis_counters.RedisLeases(server, Leases(folder / "leases.db"))


def test_a_lease_that_could_not_be_ended_is_ended_before_the_next(tmp_path: Path) -> None:
    server = Scripted(0, None, 1, 0)
    found = leases(server, tmp_path)
    found.take("r1", [Wanted("a", 1), Wanted("b", 1)], 0)
    found.release("r1")

    found.take("r2", [Wanted("c", 1)], 0)

    ended = ([redis_counters._lease("a"), redis_counters._lease("b")], ["r1", "r1"])
    assert server.asked[1:3] == [ended, ended]
    assert len(server.asked) == 4


def test_a_lease_whose_answer_was_lost_is_ended(tmp_path: Path) -> None:
    server = Scripted(None, 1, 0)
    found = leases(server, tmp_path)
    found.take("r1", [Wanted("a", 1)], 0)
    found.release("r1")

    found.take("r2", [Wanted("c", 1)], 0)

    assert server.asked[1] == ([redis_counters._lease("a")], ["r1"])


def test_a_server_that_is_not_asked_has_no_lease_to_end(tmp_path: Path) -> None:
    server = Scripted(0)
    server.usable = False
    found = leases(server, tmp_path)
    found.take("r1", [Wanted("a", 1)], 0)
    found.release("r1")
    server.usable = True

    found.take("r2", [Wanted("c", 1)], 0)

    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("error", "is_usable"),
    [
        ("value is not an integer or out of range script: 006a, on @user_script:1.", True),
        ("increment or decrement would overflow script: 006a, on @user_script:1.", True),
        ("NOREPLICAS Not enough good replicas to write.", False),
    ],
)
def test_one_value_that_is_refused_does_not_stop_the_counters(
    error: str, is_usable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(keys: list[str], given: list[str]) -> None:
        raise redis_counters.redis.ResponseError(error)

    server = redis_counters.Server("redis://127.0.0.1:1/0")
    monkeypatch.setattr(server, "_scripts", {redis_counters._ADD: refused})

    assert server.run(redis_counters._ADD, ["a"], [1]) is None
    assert server.is_usable() is is_usable
