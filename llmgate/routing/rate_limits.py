"""Limits per deployment: requests and tokens per minute, concurrent requests."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from llmgate.accounting import token_estimate
from llmgate.accounting.records import Entry
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.storage.counters import RateLimit
from llmgate.storage.counters import Store

_MOST_TOKENS = 10**8  # that a client can ask for; more would not fit in every counter
_RETRY_SOON = 1.0  # seconds after which a concurrent request may have ended


class Limits:
    """The use of each deployment; limits per minute apply across all workers of a machine."""

    def __init__(
        self,
        store: Store,
        parallel: Callable[[], int] = lambda: 0,
        counts_all: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*parallel* is the default limit of concurrent requests; 0 means no limit.

        *counts_all*: tokens are counted for deployments without a limit as well.
        """
        self._store, self._parallel, self._counts_all = store, parallel, counts_all
        self._clock = clock
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()

    def acquire(self, deployment: Deployment, body: Body, forced: bool = False) -> float:
        """Count a request and return 0, or return the seconds until a slot may be free.

        *forced*: the request already holds a slot.
        """
        name = deployment.id
        at_once = deployment.routing.max_parallel_requests or self._parallel()
        with self._lock:
            if not forced and at_once and self._busy[name] >= at_once:
                return _RETRY_SOON
            self._busy[name] += 1
        wait = self._reserve(deployment, body)
        if wait:
            self.release(name)
        return wait

    def _reserve(self, deployment: Deployment, body: Body) -> float:
        """Reserve requests and tokens; returns 0, or the seconds until the limits permit it."""
        most = limits_of(deployment)
        if most == RateLimit() and not self._counts_all:
            return 0.0
        tokens = estimate(body) if most.tokens is not None else 0
        return self._store.take(deployment.id, most, tokens, self._clock())

    def record(self, entry: Entry) -> None:
        """Release the slot of an attempt that ended, and correct its tokens."""
        deployment = entry.deployment
        if deployment is None or not entry.attempt or deployment.origin == "client":
            return
        self.release(deployment.id)
        most = limits_of(deployment)
        if most.tokens is not None or self._counts_all:
            used = int(
                entry.usage.get("prompt_tokens", 0) + entry.usage.get("completion_tokens", 0)
            )
            reserved = estimate(entry.body or {}) if most.tokens is not None else 0
            self._store.add(deployment.id, used - reserved, self._clock())

    def release(self, name: str) -> None:
        """Release a slot of the deployment with the id *name*."""
        with self._lock:
            self._busy[name] -= 1
            if self._busy[name] <= 0:
                del self._busy[name]

    def busy(self, deployment: Deployment) -> int:
        """Return the number of requests in progress at *deployment*, of this process."""
        return self._busy.get(deployment.id, 0)

    def counts(self, deployment: Deployment) -> tuple[int, int]:
        """Return the requests and tokens of *deployment* in the last minute, where counted."""
        return self._store.used(deployment.id, self._clock())

    def used(self, deployment: Deployment) -> float:
        """Return the share of its limits that *deployment* has used in the last minute.

        Without a limit, the tokens as a share of one million.
        """
        requests, tokens = self.counts(deployment)
        most = limits_of(deployment)
        share = tokens / (most.tokens or 1_000_000)
        return max(share, requests / most.requests) if most.requests else share


def limits_of(deployment: Deployment) -> RateLimit:
    """Return the limits per minute of *deployment*."""
    return RateLimit(deployment.routing.rpm, deployment.routing.tpm)


def estimate(body: Body) -> int:
    """Return an estimate of the tokens of *body*: its text plus its maximum output."""
    most = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    is_number = isinstance(most, int) and not isinstance(most, bool)
    answer = max(0, min(most, _MOST_TOKENS)) if is_number else 0
    return token_estimate.tokens(body) + answer
