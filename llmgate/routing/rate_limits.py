"""How much is sent to a deployment: requests and tokens in a minute, requests at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from llmgate.accounting.records import Entry
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.schema import parameters
from llmgate.storage.counters import RateLimit
from llmgate.storage.counters import Store

_BYTES_PER_TOKEN = 4
_SOON = 1.0  # seconds after which one of many requests at once may be over


class Limits:
    """Who is used how much; the limits of a minute hold for all workers of a machine."""

    def __init__(
        self,
        store: Store,
        parallel: Callable[[], int] = lambda: 0,
        counts_all: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*parallel* is for deployments that say nothing of it, 0 is any number.

        *counts_all*: the tokens of those without a limit are counted as well.
        """
        self._store, self._parallel, self._counts_all = store, parallel, counts_all
        self._clock = clock
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()

    def enter(self, deployment: Deployment, body: Body, forced: bool = False) -> float:
        """Return 0 and count a request, or return the seconds until there may be room.

        *forced*: it goes on in a place that it has already.
        """
        name = deployment.id
        at_once = deployment.routing.max_parallel_requests or self._parallel()
        with self._lock:
            if not forced and at_once and self._busy[name] >= at_once:
                return _SOON
            self._busy[name] += 1
        wait = self._taken(deployment, body)
        if wait:
            self.leave(name)
        return wait

    def _taken(self, deployment: Deployment, body: Body) -> float:
        """Return 0 if the limits of the minute leave room, else the seconds until they do."""
        most = limits_of(deployment)
        if most == RateLimit() and not self._counts_all:
            return 0.0
        tokens = estimate(body) if most.tokens is not None else 0
        return self._store.take(deployment.id, most, tokens, self._clock())

    def record(self, entry: Entry) -> None:
        """Note that an attempt is over, and what it has used in fact."""
        deployment = entry.deployment
        if deployment is None or not entry.attempt or deployment.origin == "client":
            return
        self.leave(deployment.id)
        most = limits_of(deployment)
        if most.tokens is not None or self._counts_all:
            used = int(
                entry.usage.get("prompt_tokens", 0) + entry.usage.get("completion_tokens", 0)
            )
            reserved = estimate(entry.body or {}) if most.tokens is not None else 0
            self._store.add(deployment.id, used - reserved, self._clock())

    def leave(self, name: str) -> None:
        """Give back the place of a request at the deployment with the id *name*."""
        with self._lock:
            self._busy[name] -= 1
            if self._busy[name] <= 0:
                del self._busy[name]

    def busy(self, deployment: Deployment) -> int:
        """Return how many requests *deployment* has now, from this process."""
        return self._busy.get(deployment.id, 0)

    def used(self, deployment: Deployment) -> float:
        """Return what share of its limits *deployment* has used in the last minute.

        Without a limit it is the tokens themselves, as if a million were the limit.
        """
        requests, tokens = self._store.used(deployment.id, self._clock())
        most = limits_of(deployment)
        share = tokens / (most.tokens or 1_000_000)
        return max(share, requests / most.requests) if most.requests else share


def limits_of(deployment: Deployment) -> RateLimit:
    """Return the limits of a minute that *deployment* has."""
    return RateLimit(deployment.routing.rpm, deployment.routing.tpm)


def estimate(body: Body) -> int:
    """Return the tokens that *body* may use, as far as it says."""
    most = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    answer = most if isinstance(most, int) and most > 0 else 0
    return parameters.text_length(body) // _BYTES_PER_TOKEN + answer
