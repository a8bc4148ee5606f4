"""Cooldowns, limits and strategies, simulated: the clock and chance are the test's."""

from __future__ import annotations

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from llmgate import errors
from llmgate.accounting.records import Caller
from llmgate.accounting.records import Entry
from llmgate.contract import Deployment
from llmgate.contract import RoutingOptions
from llmgate.routing.load_balancer import LoadBalancer
from llmgate.routing.load_balancer import bulkhead
from llmgate.routing.rate_limits import Limits
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.storage import counters
from llmgate.storage.sqlite_counters import SqliteStore


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def to(name: str, weight: float = 1.0, prices: Any = None, **options: Any) -> Deployment:
    where = f"https://{name}"
    own = {"id": name, "weight": weight, "prices": prices or {}}
    return Deployment("g", "openai", name, where, routing=RoutingOptions(**options), **own)


def entry(deployment: Deployment, status: int = 200, **over: Any) -> Entry:
    """Return the entry of an attempt at *deployment* that took a second."""
    said = {"attempt": 1, "final": True, "usage": {}, "took": 1.0, "caller": Caller()}
    given = {**dict.fromkeys(Entry._fields), "deployment": deployment, "status": status, **said}
    given["error"] = None if status < 400 else "x"
    return Entry(**given | over)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def traffic(clock: Clock, kept: counters.Store | None = None, **rules: Any) -> LoadBalancer:
    return LoadBalancer(RouterSettings(**rules), kept, clock=clock, chance=random.Random(7))


def picked(going: LoadBalancer, *deployments: Deployment, last: bool = False) -> str | None:
    """Return who is picked, None if nobody may be."""
    try:
        return going.pick(deployments, {}, last).id
    except errors.RateLimited:
        return None


# -- cooldowns


def test_one_failure_too_many_is_one_more_than_allowed(clock: Clock) -> None:
    a = to("a")
    going = traffic(clock, allowed_fails=2)

    found = []
    for _ in range(4):
        found.append(picked(going, a))
        going.record(entry(a, 500))

    assert found == ["a", "a", "a", None]


def test_failures_of_more_than_a_minute_ago_do_not_count(clock: Clock) -> None:
    a = to("a")
    going = traffic(clock, allowed_fails=1)

    for _ in range(5):
        assert picked(going, a) == "a"
        going.record(entry(a, 500))
        clock.now += 61


@pytest.mark.parametrize(
    ("status", "over", "rests"),
    [
        (500, {}, True),
        (503, {}, True),
        (504, {}, True),
        (401, {}, True),
        (408, {}, True),
        (429, {}, True),
        (400, {}, False),
        (403, {}, False),
        (404, {}, False),
        (422, {}, False),
        (499, {"error_code": "client_left"}, False),
        (200, {}, False),
        (200, {"error": "cut", "error_code": "upstream_cut_short"}, True),
        (500, {"attempt": 0}, False),
    ],
)
def test_only_faults_of_the_deployment_count(
    clock: Clock, status: int, over: dict[str, Any], rests: bool
) -> None:
    a = to("a")
    going = traffic(clock, allowed_fails=0)

    going.record(entry(a, status, **over))

    assert (picked(going, a) is None) is rests


@pytest.mark.fault("U14")
@pytest.mark.parametrize(
    ("settings", "asked", "length"),
    [
        ({}, None, 5.5),
        ({}, 30.0, 30.0),
        ({}, 1e9, 120.0),
        ({"cooldown_time": 7}, 30.0, 7.0),
        ({"cooldown_time": 0}, None, 0.0),
    ],
)
def test_a_rest_is_as_long_as_is_said(
    clock: Clock, settings: dict[str, Any], asked: float | None, length: float
) -> None:
    a = to("a", **settings)
    going = traffic(clock)
    going.record(entry(a, 429, retry_after=asked))

    clock.now += length * 0.9
    during = picked(going, a)
    clock.now += length * 0.1 + 0.01

    assert during is None or length == 0
    assert picked(going, a) == "a"


@pytest.mark.fault("U14")
def test_a_second_refusal_does_not_shorten_a_rest(clock: Clock) -> None:
    a = to("a")
    going = traffic(clock)
    going.record(entry(a, 429, retry_after=60.0))
    going.record(entry(a, 429, retry_after=1.0))

    clock.now += 30

    assert picked(going, a) is None


@pytest.mark.fault("U15", "P17")
def test_after_a_rest_one_request_goes_first(clock: Clock) -> None:
    a, b = to("a", order=1), to("b", order=2)
    going = traffic(clock)
    going.record(entry(a, 429))
    clock.now += 6

    assert [picked(going, a, b) for _ in range(4)] == ["a", "b", "b", "b"]
    going.record(entry(a))
    assert [picked(going, a, b) for _ in range(3)] == ["a", "a", "a"]


def test_a_probe_that_fails_means_another_rest(clock: Clock) -> None:
    a, b = to("a", order=1), to("b", order=2)
    going = traffic(clock, allowed_fails=9)
    going.record(entry(a, 429))
    clock.now += 6
    picked(going, a, b)
    going.record(entry(a, 500))

    assert picked(going, a, b) == "b"
    clock.now += 6
    assert picked(going, a, b) == "a"


def test_a_probe_of_which_nothing_is_heard_is_given_up(clock: Clock) -> None:
    a = to("a")
    going = traffic(clock)
    going.record(entry(a, 429))
    clock.now += 6
    picked(going, a)

    clock.now += 29
    early = picked(going, a)
    clock.now += 2

    assert (early, picked(going, a)) == (None, "a")


@pytest.mark.fault("P17")
def test_of_two_hundred_threads_one_probes(clock: Clock) -> None:
    a, b = to("a", order=1), to("b", order=2)
    going = traffic(clock)
    going.record(entry(a, 429))
    clock.now += 6
    gate = threading.Barrier(50)

    def ask(_: int) -> str | None:
        gate.wait()
        return picked(going, a, b)

    with ThreadPoolExecutor(50) as pool:
        found = Counter(pool.map(ask, range(200)))

    assert found == {"a": 1, "b": 199}


def test_if_all_rest_the_last_resort_is_one_that_did_not_ask_for_it(clock: Clock) -> None:
    a, b = to("a"), to("b")
    going = traffic(clock, allowed_fails=0)
    going.record(entry(a, 429, retry_after=60.0))
    going.record(entry(b, 500))

    assert picked(going, a, b) is None
    assert picked(going, a, b, last=True) == "b"
    assert picked(going, a, last=True) == "a"


def test_cooldowns_can_be_off_or_go_by_kind(clock: Clock) -> None:
    a = to("a")
    off = traffic(clock, allowed_fails=0, cooldowns=False)
    patient = traffic(clock, allowed_fails=0, allowed_fails_by_kind={"RateLimitError": 1})

    off.record(entry(a, 500))
    patient.record(entry(a, 429))

    assert (picked(off, a), picked(patient, a)) == ("a", "a")


def test_other_workers_know_who_rests(clock: Clock, tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    here, there = (traffic(clock, SqliteStore(path), allowed_fails=0) for _ in range(2))
    a = to("a")
    picked(there, a)

    here.record(entry(a, 500))
    clock.now += 0.3

    assert picked(there, a) is None
    clock.now += 6
    assert picked(there, a) == "a"


# -- limits


def test_requests_at_once_are_limited(clock: Clock) -> None:
    a, b = to("a", order=1, max_parallel_requests=2), to("b", order=2)
    going = traffic(clock)

    assert [picked(going, a, b) for _ in range(3)] == ["a", "a", "b"]
    going.record(entry(a))
    assert picked(going, a, b) == "a"


def test_a_place_is_kept_for_a_retry(clock: Clock) -> None:
    a = to("a", max_parallel_requests=1)
    going = traffic(clock)
    picked(going, a)

    assert going.retake(a, {})
    going.record(entry(a, 500, final=False))
    assert picked(going, a) is None
    going.record(entry(a))
    assert picked(going, a) == "a"


@pytest.mark.fault("P13")
def test_one_hung_upstream_leaves_threads_for_the_others(clock: Clock) -> None:
    routes = Routes({"a": (to("a"),), "b": (to("b"),)})
    parallel = bulkhead(routes, lambda: 64)
    limits = Limits(counters.MemoryStore(), parallel)

    entered = sum(limits.acquire(to("a"), {}) == 0 for _ in range(100))

    assert entered == 56
    assert limits.acquire(to("b"), {}) == 0
    assert bulkhead(Routes({"a": (to("a"), to("a"))}), lambda: 64)() == 0


# -- strategies


def rounds(
    going: LoadBalancer, deployments: list[Deployment], number: int, **took: float
) -> Counter[str]:
    """Return how often each was picked in *number* requests, one after the other."""
    found: Counter[str] = Counter()
    by_id = {deployment.id: deployment for deployment in deployments}
    for _ in range(number):
        name = going.pick(deployments, {}).id
        found[name] += 1
        usage = {"prompt_tokens": 10, "completion_tokens": 10}
        going.record(entry(by_id[name], took=took.get(name, 1.0), usage=usage))
    return found


def test_shuffle_goes_by_weight(clock: Clock) -> None:
    got = rounds(traffic(clock), [to("a", 3.0), to("b", 1.0), to("c", 0.0)], 4000)

    assert got["a"] / 4000 == pytest.approx(0.75, abs=0.03)
    assert got["c"] == 0


def test_least_busy_levels_what_goes_on(clock: Clock) -> None:
    going = traffic(clock, strategy="least-busy")
    deployments = [to("a"), to("b"), to("c")]

    got = Counter(going.pick(deployments, {}).id for _ in range(30))

    assert got == {"a": 10, "b": 10, "c": 10}


def test_the_fastest_is_asked_once_all_are_known(clock: Clock) -> None:
    going = traffic(clock, strategy="latency-based-routing")

    got = rounds(going, [to("a"), to("b"), to("c")], 100, a=0.9, b=0.2, c=0.5)

    assert got == {"a": 1, "b": 98, "c": 1}


def test_near_the_fastest_is_fast_enough(clock: Clock) -> None:
    args = {"lowest_latency_buffer": 0.5}
    going = traffic(clock, strategy="latency-based-routing", strategy_args=args)

    got = rounds(going, [to("a"), to("b"), to("c")], 200, a=0.2, b=0.25, c=2.0)

    assert got["c"] == 1
    assert min(got["a"], got["b"]) > 60


def test_what_is_known_of_latencies_grows_old(clock: Clock) -> None:
    args = {"ttl": 60}
    going = traffic(clock, strategy="latency-based-routing", strategy_args=args)
    both = [to("a"), to("b")]
    rounds(going, both, 10, a=0.9, b=0.2)

    clock.now += 61

    assert rounds(going, both, 2, a=0.1, b=0.2) == {"a": 1, "b": 1}


@pytest.mark.parametrize("name", ["usage-based-routing", "usage-based-routing-v2"])
def test_the_least_used_is_asked(clock: Clock, name: str) -> None:
    got = rounds(traffic(clock, strategy=name), [to("a", tpm=3000), to("b", tpm=1000)], 80)

    assert got["a"] / 80 == pytest.approx(0.75, abs=0.05)


def test_the_cheapest_is_asked(clock: Clock) -> None:
    dear = {"input_cost_per_token": 2e-6, "output_cost_per_token": 8e-6}
    cheap = {"input_cost_per_token": 1e-7, "output_cost_per_token": 4e-7}
    deployments = [to("a", prices=dear), to("b", prices=cheap), to("c")]

    assert rounds(traffic(clock, strategy="cost-based-routing"), deployments, 20) == {"b": 20}
