"""Policies: who may send a request, which deployments it may reach, what is done with its record.

Access control, budgets, limits, the load balancer's feedback and the request log are policies. An
operator adds more with `create_app(settings, policies=[...])`; docs/policies.md has an example.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Protocol

from llmgate import errors
from llmgate.accounting.background import BackgroundQueue
from llmgate.accounting.records import Entry
from llmgate.accounting.records import Request
from llmgate.contract import Deployment
from llmgate.routing.load_balancer import LoadBalancer

_LOGGER = logging.getLogger("llmgate")


class Policy(Protocol):
    """What takes part in every request. `BasePolicy` permits everything and does nothing."""

    slow: bool
    """Whether `record` may block: it then runs in a thread of its own, behind a bounded queue."""

    def admit(self, request: Request) -> None:
        """Raise a GateError to refuse *request*; called once, before anything is sent.

        A request that was admitted ends in exactly one final Entry with its id.
        """

    def allows(self, request: Request, deployment: Deployment) -> bool:
        """Return whether *request* may be sent to *deployment*."""

    def refusal(self, request: Request) -> errors.GateError:
        """Return the error for a *request* for which `allows` has left no deployment."""

    def started(self, request: Request, deployment: Deployment) -> None:
        """Note that an attempt at *deployment* begins; an Entry with it follows."""

    def headers(self, request: Request) -> Mapping[str, str]:
        """Return headers for the response to *request*, which `admit` has admitted."""

    def record(self, entry: Entry) -> None:
        """Note how an attempt, or the request, ended. What it raises is logged, once."""


class BasePolicy:
    """A policy that permits everything; override what yours decides."""

    slow = False

    def admit(self, request: Request) -> None:
        """Admit *request*."""

    def allows(self, request: Request, deployment: Deployment) -> bool:
        """Allow *deployment*."""
        return True

    def refusal(self, request: Request) -> errors.GateError:
        """Return a 403."""
        return errors.Forbidden(
            f"No deployment of model '{request.model[:200]}' may be used with this key.",
            param="model",
        )

    def started(self, request: Request, deployment: Deployment) -> None:
        """Ignore the attempt."""

    def headers(self, request: Request) -> Mapping[str, str]:
        """Return no headers."""
        return {}

    def record(self, entry: Entry) -> None:
        """Ignore *entry*."""


class Policies:
    """The policies of an app, as one; each hook calls only those that override it."""

    def __init__(self, policies: Iterable[Policy] = ()) -> None:
        given = tuple(policies)
        self._admitting = _overriding(given, "admit")
        self._allowing = _overriding(given, "allows")
        self._starting = _overriding(given, "started")
        self._describing = _overriding(given, "headers")
        recording = _overriding(given, "record")
        self._recording = tuple(policy for policy in recording if not policy.slow)
        slow = tuple(policy for policy in recording if policy.slow)
        self._queue: BackgroundQueue[Entry] | None = None
        if slow:
            self._queue = BackgroundQueue(lambda entry: self._record(slow, entry))
        self._failed: set[int] = set()

    def admit(self, request: Request) -> None:
        """Raise what a policy has against *request*."""
        for policy in self._admitting:
            policy.admit(request)

    def allowed(self, request: Request, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
        """Return those of *deployments* that *request* may be sent to.

        Raises the error of the policy that leaves none.
        """
        for policy in self._allowing:
            left = [each for each in deployments if policy.allows(request, each)]
            if deployments and not left:
                raise policy.refusal(request)
            deployments = left
        return deployments

    def started(self, request: Request, deployment: Deployment) -> None:
        """Tell the policies that an attempt at *deployment* begins."""
        for policy in self._starting:
            policy.started(request, deployment)

    def headers(self, request: Request) -> dict[str, str]:
        """Return the headers of all policies for the response to *request*."""
        found: dict[str, str] = {}
        for policy in self._describing:
            found.update(policy.headers(request))
        return found

    def record(self, entry: Entry) -> None:
        """Give *entry* to every policy; one that fails harms neither the request nor the others."""
        self._record(self._recording, entry)
        if self._queue is not None:
            self._queue.put(entry)

    def flush(self, seconds: float) -> None:
        """Wait at most *seconds* until slow policies have all records."""
        if self._queue is not None:
            self._queue.flush(seconds)

    def _record(self, policies: Iterable[Policy], entry: Entry) -> None:
        for policy in policies:
            try:
                policy.record(entry)
            except Exception as error:  # a policy may be anybody's code
                self._report(policy, error)

    def _report(self, policy: Policy, error: Exception) -> None:
        """Log the first failure of *policy*."""
        if id(policy) not in self._failed:
            self._failed.add(id(policy))
            name = type(policy).__name__
            _LOGGER.error(
                "llmgate: policy %s failed to record a request; further failures of it are not"
                " logged: %s: %s",
                name,
                type(error).__name__,
                error,
            )


def _overriding(policies: Iterable[Policy], hook: str) -> tuple[Policy, ...]:
    """Return those of *policies* that have a *hook* of their own."""
    ours = getattr(BasePolicy, hook)
    return tuple(each for each in policies if getattr(type(each), hook) is not ours)


# -- those that every app has


class Feedback(BasePolicy):
    """Lets the load balancer learn from each attempt: slots, limits, cooldowns, latencies."""

    def __init__(self, load_balancer: LoadBalancer) -> None:
        self._load_balancer = load_balancer

    def record(self, entry: Entry) -> None:
        """Give *entry* to the load balancer."""
        self._load_balancer.record(entry)


class RequestLog(BasePolicy):
    """Writes a line for each request."""

    def __init__(self, write: Callable[[Entry], None]) -> None:
        self._write = write

    def record(self, entry: Entry) -> None:
        """Write the line of *entry*."""
        self._write(entry)


class RejectTags(BasePolicy):
    """Refuses requests with tags: `reject_clientside_metadata_tags`."""

    def admit(self, request: Request) -> None:
        """Raise InvalidRequest if *request* has tags."""
        if request.caller.tags:
            raise errors.InvalidRequest(
                "This gateway does not accept tags from clients (reject_clientside_metadata_tags)."
                " Remove them.",
                param="tags",
                code="tags_not_allowed",
            )
