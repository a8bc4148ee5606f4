"""Which deployments are tried for one request, in turn, until one answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Sequence
from typing import NamedTuple
from typing import Protocol

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.routing import retry_policy
from llmgate.routing.fallbacks import Fallbacks
from llmgate.routing.fallbacks import Target


class Candidate(NamedTuple):
    """A deployment to try now."""

    deployment: Deployment
    overrides: Body = {}  # what replaces members of the body
    fallbacks: int = 0  # model groups that were tried before its own


class Pool(Protocol):
    """The deployments that one request may use."""

    def find(self, target: Target) -> Sequence[Deployment]:
        """Return the deployments of a model group; raises GateError if it may not be used."""

    def pick(self, deployments: Sequence[Deployment], last_resort: bool) -> Deployment:
        """Return the one to try now, its slot taken; raises RateLimited if none is free.

        With *last_resort* one in cooldown may be picked.
        """

    def retake(self, deployment: Deployment) -> bool:
        """Take the slot of *deployment* again for a retry; returns whether it is free."""

    def retry_policy(self, deployment: Deployment) -> retry_policy.RetryPolicy:
        """Return how often *deployment* may be retried."""


class Failover:
    """Chooses the first deployment of a request, and after each error the next.

    Each deployment of a group is tried once, and the last of them again as its retry policy allows;
    then come the fallbacks. Nothing is tried for which the request has no time left.
    """

    def __init__(
        self,
        model: str,
        pool: Pool,
        fallbacks: Fallbacks,
        time_left: Callable[[], float],  # seconds
        sleep: Callable[[float], None] | None = None,  # None: time.sleep, as gevent has it
    ) -> None:
        self._model, self._pool, self._fallbacks = model, pool, fallbacks
        self._time_left, self._sleep = time_left, sleep or time.sleep
        self._queue: list[Target] = []  # model groups that are still to be tried
        self._seen: set[str] = set()
        self._groups = 0  # that have been tried, or were not free
        self._last_resort = False
        self._target = Target(model)
        self._current: Deployment | None = None
        self._untried: list[Deployment] = []  # of the current group
        self._retries = 0  # of the current deployment
        self._refusal: errors.GateError | None = None  # of the first group that was not free

    def first(self) -> Candidate:
        """Return what to try first.

        Raises what `Pool.find` raises for the first group, and RateLimited if none is free.
        """
        for last_resort in (False, True):
            self._last_resort = last_resort
            self._queue, self._seen = [Target(self._model)], {self._model}
            self._groups, self._refusal = 0, None
            found = self._next_group()
            if found is not None:
                return found
        assert self._refusal is not None
        raise self._refusal

    def next(self, error: errors.GateError) -> Candidate | None:
        """Return what to try after *error* of the last candidate, None if nothing is left."""
        current = self._current
        assert current is not None
        other = self._other(error)
        if other is not None:
            return self._candidate(other)
        if self._may_retry(current, error):
            self._retries += 1
            return self._candidate(current)
        self._leave_group(error)
        return self._next_group()

    def _candidate(self, deployment: Deployment) -> Candidate:
        """Return *deployment*, which is not untried any more, as the candidate."""
        self._current = deployment
        self._untried = [each for each in self._untried if each is not deployment]
        return Candidate(deployment, self._target.over, self._groups)

    def _next_group(self) -> Candidate | None:
        """Return the first candidate of the next group that has a free one."""
        while self._queue and (self._time_left() > 0 or not self._groups):
            self._target = self._queue.pop(0)
            try:
                self._untried = list(self._pool.find(self._target))
            except errors.GateError as error:
                if self._groups:
                    continue  # a fallback that does not exist, or that this request may not use
                if not self._fallbacks.after(self._target.model, error):
                    raise
                self._refusal = error.with_traceback(None)
                self._leave_group(error)
                continue
            self._retries = 0
            try:
                return self._candidate(self._pool.pick(self._untried, self._last_resort))
            except errors.RateLimited as refusal:
                # its frames would hold this object, which holds it
                self._refusal = self._refusal or refusal.with_traceback(None)
                self._leave_group(refusal)
        return None

    def _leave_group(self, error: errors.GateError) -> None:
        """Append the fallbacks of the current group after *error*."""
        self._groups += 1
        more = self._fallbacks.after(self._target.model, error)
        self._queue += [each for each in more if each.model not in self._seen]
        self._seen.update(each.model for each in more)
        del self._queue[max(0, self._fallbacks.most + 1 - self._groups) :]

    def _other(self, error: errors.GateError) -> Deployment | None:
        """Return another deployment of the group to try after *error*, None if there is none."""
        elsewhere = retry_policy.verdict(error, self._fallbacks.retry_after_timeout).elsewhere
        if not self._untried or not elsewhere or self._time_left() <= 0:
            return None
        try:
            return self._pool.pick(self._untried, self._last_resort)
        except errors.RateLimited:
            return None

    def _may_retry(self, current: Deployment, error: errors.GateError) -> bool:
        """Return whether *current* is to be tried again, after the delay that is due."""
        policy = self._pool.retry_policy(current)
        if self._retries >= policy.allowed(error):
            return False
        delay = retry_policy.backoff(error, self._retries + 1, policy.min_backoff)
        if delay >= self._time_left() or not self._pool.retake(current):
            return False
        self._sleep(delay)
        return True
