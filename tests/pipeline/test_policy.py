from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import pytest

from llmgate import errors
from llmgate.accounting.records import Caller
from llmgate.accounting.records import Entry
from llmgate.accounting.records import Request
from llmgate.contract import Deployment
from llmgate.pipeline.policy import BasePolicy
from llmgate.pipeline.policy import Policies

REQUEST = Request("r", None, Caller("k"), "/v1/chat/completions", "chat", "gpt-4o", {})
A, B = (Deployment("gpt-4o", "openai", "gpt-4o", "https://x", id=name) for name in "ab")


def entry(request_id: str = "r") -> Entry:
    return Entry(
        request_id, "", Caller(), None, None, 0, True, 200, None, None, None, False, False, {},
        False, None, 0.0, 0.0, None, None,
    )  # fmt: skip


class Only(BasePolicy):
    """Allows deployments by id; its error has *status*."""

    def __init__(self, ids: Sequence[str], status: int = 403) -> None:
        self.ids, self.status = ids, status

    def allows(self, request: Request, deployment: Deployment) -> bool:
        return deployment.id in self.ids

    def refusal(self, request: Request) -> errors.GateError:
        error = errors.GateError(f"not for {request.caller.key}")
        error.status = self.status
        return error


class Broken(BasePolicy):
    def record(self, entry: Entry) -> None:
        raise ZeroDivisionError("oops")


class Keeping(BasePolicy):
    def __init__(self) -> None:
        self.ids: list[str] = []

    def record(self, entry: Entry) -> None:
        self.ids.append(entry.request_id)


def test_deployments_that_every_policy_allows_are_left() -> None:
    policies = Policies([Only("ab"), Only("b"), BasePolicy()])

    assert policies.allowed(REQUEST, [A, B]) == [B]


def test_the_policy_that_leaves_no_deployment_gives_the_error() -> None:
    policies = Policies([Only("a"), Only("b", status=429)])

    with pytest.raises(errors.GateError, match="not for k") as raised:
        policies.allowed(REQUEST, [A, B])

    assert raised.value.status == 429


def test_without_deployments_no_policy_is_to_blame() -> None:
    assert policies_allow_nothing() == []


def policies_allow_nothing() -> Sequence[Deployment]:
    return Policies([Only("")]).allowed(REQUEST, [])


def test_a_policy_without_an_error_of_its_own_forbids() -> None:
    class Nothing(BasePolicy):
        def allows(self, request: Request, deployment: Deployment) -> bool:
            return False

    with pytest.raises(errors.Forbidden, match="'gpt-4o'"):
        Policies([Nothing()]).allowed(REQUEST, [A])


def test_a_policy_that_fails_is_logged_once_and_harms_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    keeping = Keeping()
    policies = Policies([Broken(), keeping])

    with caplog.at_level(logging.ERROR, "llmgate"):
        policies.record(entry("one"))
        policies.record(entry("two"))

    assert keeping.ids == ["one", "two"]
    assert [record.getMessage() for record in caplog.records] == [
        "llmgate: policy Broken failed to record a request; further failures of it are not logged:"
        " ZeroDivisionError: oops"
    ]


def test_a_slow_policy_holds_up_nobody() -> None:
    release = threading.Event()

    class Slow(Keeping):
        slow = True

        def record(self, entry: Entry) -> None:
            release.wait(10)
            super().record(entry)

    slow, fast = Slow(), Keeping()
    policies = Policies([slow, fast])

    policies.record(entry("one"))
    policies.record(entry("two"))
    assert (slow.ids, fast.ids) == ([], ["one", "two"])

    release.set()
    policies.flush(10)
    assert slow.ids == ["one", "two"]


def test_only_hooks_of_their_own_are_called() -> None:
    policies = Policies([BasePolicy(), Keeping()])

    assert (policies._admitting, policies._allowing, policies._starting) == ((), (), ())
