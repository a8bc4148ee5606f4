from __future__ import annotations

import itertools
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.pipeline.failover import Failover
from llmgate.routing import retry_policy as rules
from llmgate.routing.fallbacks import Fallbacks
from llmgate.routing.fallbacks import Target
from llmgate.routing.retry_policy import RetryPolicy


def to(model: str, provider: str = "groq", **over: Any) -> Deployment:
    return Deployment("g", provider, model, "https://x", **over)


class Pool:
    """Deployments by group, tried in order; `full` and `gone` are models that cannot be had."""

    def __init__(self, groups: Mapping[str, Sequence[Deployment]], retries: int = 0) -> None:
        self.groups, self.retries = groups, retries
        self.picks: list[bool] = []  # the last resorts

    def find(self, target: Target) -> Sequence[Deployment]:
        if target.model not in self.groups:
            raise errors.ModelNotFound(target.model)
        return self.groups[target.model]

    def pick(self, deployments: Sequence[Deployment], last_resort: bool) -> Deployment:
        self.picks.append(last_resort)
        if deployments[0].model == "full":
            raise errors.RateLimited("full")
        return deployments[0]

    def retake(self, deployment: Deployment) -> bool:
        return True

    def retry_policy(self, deployment: Deployment) -> RetryPolicy:
        return RetryPolicy(self.retries)


def forever() -> float:
    return float("inf")


# -- retries: what may be tried again, and where


def upstream(status: int, **headers: str) -> errors.UpstreamError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return errors.UpstreamError("x", status=status, headers=named)


def coded(status: int, code: str, **headers: str) -> errors.UpstreamError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return errors.UpstreamError("x", status=status, code=code, headers=named)


REFUSED = errors.InvalidRequest("x", code="unsupported_parameter")
TABLE = [  # error, may the same be tried again, may another be tried
    (errors.Unreachable("x"), True, True),
    (errors.UpstreamTimeout("x"), False, True),
    (errors.BadUpstream("x"), False, True),
    (errors.CutShort("x"), False, True),
    *[
        (upstream(status), True, True)
        for status in (408, 409, 498, 500, 502, 503, 504, 520, 522, 524, 526, 529, 530)
    ],
    *[(upstream(status), False, True) for status in (401, 402, 403, 404, 501, 505)],
    *[(upstream(status), False, False) for status in (400, 413, 415, 422)],
    (coded(413, "rate_limit_exceeded"), False, True),
    (coded(400, "billing_hard_limit_reached"), False, True),
    (coded(429, "insufficient_quota", retry_after="1"), False, True),
    (coded(403, "content_policy_violation"), False, False),
    (coded(404, "context_length_exceeded"), False, False),
    (errors.Unauthorized("x", code="missing_provider_key"), False, True),
    (errors.Unauthorized("x"), False, False),
    (upstream(429), False, True),
    (upstream(429, retry_after="2"), True, True),
    (upstream(429, retry_after="0"), True, True),
    (upstream(429, retry_after="2.5"), False, True),
    (upstream(429, retry_after="-1"), False, True),
    (upstream(429, retry_after="nan"), False, True),
    (upstream(429, retry_after="soon"), False, True),
    (upstream(429, retry_after="Wed, 21 Oct 2026 07:28:00 GMT"), False, True),
    (upstream(429, retry_after_ms="1500"), True, True),
    (upstream(429, retry_after_ms="1500", retry_after="9"), True, True),
    (upstream(429, retry_after_ms="x", retry_after="9"), False, True),
    (upstream(503, retry_after="2"), True, True),
    (upstream(503, retry_after="30"), False, True),
    (upstream(503, retry_after="inf"), False, True),
    (upstream(503, retry_after="soon"), True, True),
    (upstream(400, retry_after="1"), False, False),
    (errors.InvalidRequest("x"), False, False),
    (REFUSED, False, True),
    (errors.InvalidRequest("x", code="unsupported_operation"), False, True),
    (errors.RateLimited("x"), False, False),
    (errors.GateError("x"), False, False),
]


@pytest.mark.parametrize(("error", "same", "other"), TABLE)
def test_the_table_of_retries(error: errors.GateError, same: bool, other: bool) -> None:
    assert rules.verdict(error) == rules.Retry(same, other)


@pytest.mark.parametrize(("error", "same", "other"), TABLE)
@pytest.mark.parametrize("retries", [0, 2])
def test_one_deployment_is_tried_again_as_often_as_allowed(
    error: errors.GateError, same: bool, other: bool, retries: int
) -> None:
    assert len(tried([to("a")], retries, error)) == 1 + (retries if same else 0)


@pytest.mark.parametrize(("error", "same", "other"), TABLE)
def test_the_others_are_tried_once_each(error: errors.GateError, same: bool, other: bool) -> None:
    got = tried([to("a"), to("b"), to("c")], 2, error)

    assert got == ["a", *(["b", "c"] if other else []), *(["c" if other else "a"] * 2 * same)]


def tried(
    deployments: Sequence[Deployment],
    retries: int,
    *failures: errors.GateError,
    pauses: list[float] | None = None,
) -> list[str]:
    """Return the models that are tried, the first one first, if each fails (the last for ever)."""
    slept = [] if pauses is None else pauses
    pool = Pool({"g": deployments}, retries)
    return played(Failover("g", pool, Fallbacks(), forever, slept.append), *failures)


def played(failover: Failover, *failures: errors.GateError) -> list[str]:
    """Return the models that *failover* tries if each fails, the last for ever."""
    left = list(failures)
    models = [failover.first().deployment.model]
    while True:
        error = left.pop(0) if len(left) > 1 else left[0]
        candidate = failover.next(error)
        if candidate is None:
            return models
        models.append(candidate.deployment.model)


def test_equal_deployments_are_tried_one_by_one() -> None:
    assert tried([to("a"), to("a")], 0, errors.BadUpstream("x")) == ["a", "a"]


def test_an_error_that_is_for_good_ends_it_at_once() -> None:
    failures = [upstream(500), upstream(400)]

    assert tried([to("a"), to("b"), to("c")], 2, *failures) == ["a", "b"]


def test_the_last_one_is_tried_again_and_no_earlier_one() -> None:
    failures = [upstream(429), upstream(503), upstream(503), errors.BadUpstream("x")]

    assert tried([to("a"), to("b")], 5, *failures) == ["a", "b", "b", "b"]


# -- pauses


def test_nobody_waits_for_another_deployment() -> None:
    pauses: list[float] = []

    tried([to("a"), to("b")], 0, upstream(429, retry_after="1"), pauses=pauses)

    assert pauses == []


def test_what_an_upstream_asks_for_is_waited() -> None:
    pauses: list[float] = []

    failures = [upstream(429, retry_after="1.5"), upstream(503, retry_after_ms="250")]

    tried([to("a")], 3, *failures, pauses=pauses)

    assert pauses == [1.5, 0.25, 0.25]


@pytest.mark.parametrize(
    "error", [upstream(503), upstream(503, retry_after="x"), errors.Unreachable("x")]
)
def test_pauses_grow_and_are_never_quite_the_same(error: errors.GateError) -> None:
    pauses: list[float] = []

    tried([to("a")], 5, error, pauses=pauses)

    for pause, most in zip(pauses, [0.5, 1.0, 2.0, 2.0, 2.0], strict=True):
        assert most / 2 <= pause <= most
    assert len(set(pauses)) == 5


def test_a_pause_is_slept_by_default() -> None:
    failover = Failover("g", Pool({"g": [to("a")]}, 1), Fallbacks(), forever)
    failover.first()

    candidate = failover.next(upstream(429, retry_after="0"))

    assert candidate is not None
    assert candidate.deployment.model == "a"


# -- time


class Time:
    """A clock that attempts and pauses move on."""

    def __init__(self, budget: float) -> None:
        self.now, self.end = 0.0, budget
        self.pauses: list[float] = []

    def left(self) -> float:
        return self.end - self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


ERRORS = [
    *(upstream(status) for status in (401, 408, 429, 500, 503)),
    upstream(429, retry_after="1"),
    upstream(503, retry_after_ms="700"),
    errors.Unreachable("x"),
    errors.BadUpstream("x"),
    errors.UpstreamTimeout("x"),
    REFUSED,
]


@given(
    budget=st.floats(0.1, 20),
    played_out=st.lists(st.tuples(st.sampled_from(ERRORS), st.floats(0, 8)), min_size=1),
    retries=st.integers(0, 5),
    groups=st.integers(1, 4),
    timeouts=st.booleans(),
)
def test_no_attempt_begins_after_the_time_of_its_request(
    budget: float, played_out: list[Any], retries: int, groups: int, timeouts: bool
) -> None:
    time = Time(budget)
    names = [f"g{at}" for at in range(groups)]
    deployments = {name: [to(f"{name}a"), to(f"{name}b")] for name in names}
    chain = {name: (following,) for name, following in itertools.pairwise(names)}
    failover = Failover(
        "g0",
        Pool(deployments, retries),
        Fallbacks(chain, retry_after_timeout=timeouts),
        time.left,
        time.sleep,
    )
    failover.first()
    number = 1

    for error, took in itertools.cycle(played_out):
        time.now += min(took, time.left())  # as the deadline lets it
        candidate = failover.next(error)
        if candidate is None:
            break
        number += 1
        assert time.left() > 0
        assert candidate.fallbacks < groups

    assert number <= groups * (2 + retries)
    assert time.now <= budget + 1e-9


def test_a_group_that_is_full_is_passed_over() -> None:
    pool = Pool({"g": [to("full")], "b": [to("free")]})

    candidate = Failover("g", pool, Fallbacks({"g": ("b",)}), forever).first()

    assert (candidate.deployment.model, candidate.fallbacks) == ("free", 1)


def test_nobody_free_is_an_error_of_its_own() -> None:
    pool = Pool({"g": [to("full")]}, 2)

    with pytest.raises(errors.RateLimited):
        Failover("g", pool, Fallbacks(), forever).first()

    assert pool.picks == [False, True]


def test_a_first_group_that_may_not_be_used_is_an_error() -> None:
    with pytest.raises(errors.ModelNotFound):
        Failover("gone", Pool({"b": [to("b")]}), Fallbacks({"gone": ("b",)}), forever).first()


def test_a_fallback_that_does_not_exist_is_passed_over() -> None:
    pool = Pool({"g": [to("g")], "b": [to("b")]})

    failover = Failover("g", pool, Fallbacks({"g": ("gone", "b")}), forever)

    assert played(failover, errors.BadUpstream("x")) == ["g", "b"]
