"""Pick the next deployment by order, cooldowns, limits and the strategy."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import NamedTuple

from llmgate import errors
from llmgate.accounting.records import Entry
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.routing.cooldown import Cooldown
from llmgate.routing.rate_limits import Limits
from llmgate.routing.router_settings import RouterSettings
from llmgate.routing.routes import Routes
from llmgate.routing.strategies import Strategy
from llmgate.storage.counters import MemoryStore
from llmgate.storage.counters import Store
from llmgate.trust import client_credentials

_RESERVE = 4  # threads of a worker that a single upstream cannot use


class State(NamedTuple):
    """How a deployment is now."""

    cooldown: float  # seconds that remain; 0: it is used
    running: int  # requests in progress, of this process
    requests: int  # in the last minute, of all workers; counted where there is a limit
    tokens: int


class LoadBalancer:
    """Picks the deployment for the next request, and learns from each attempt."""

    def __init__(
        self,
        settings: RouterSettings,
        store: Store | None = None,
        parallel: Callable[[], int] = lambda: 0,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        store = store or MemoryStore()
        counts_all = settings.strategy.startswith("usage-based")
        most = settings.parallel
        self._limits = Limits(store, parallel if most is None else lambda: most, counts_all, clock)
        self._cooldown = Cooldown(settings, store, clock, chance)
        self._strategy = Strategy(settings, self._limits, clock, chance)
        self._chance = chance or random.Random()

    def pick(
        self, deployments: Sequence[Deployment], body: Body, last_resort: bool = False
    ) -> Deployment:
        """Return the one of *deployments* to use now, its slot taken; raises RateLimited.

        With *last_resort*, one in cooldown if no other is free, unless its upstream requested
        the cooldown.
        """
        waits: list[float] = []
        for same_order in by_order(deployments, body):
            found = self._first_free(same_order, body, waits)
            if found is not None:
                return found
        for deployment in deployments if last_resort else ():
            requested = len(deployments) > 1 and self._cooldown.server_requested(deployment)
            is_cooling = self._cooldown.wait(deployment) > 0 and not requested
            if is_cooling and not self._limits.acquire(deployment, body):
                return deployment
        raise self._rate_limited(waits)

    def _first_free(
        self, deployments: Sequence[Deployment], body: Body, waits: list[float]
    ) -> Deployment | None:
        """Return the one of *deployments* that accepts the request; fills *waits*."""
        ready = []
        for deployment in deployments:
            wait = self._cooldown.wait(deployment)
            if wait:
                waits.append(wait)
            else:
                ready.append(deployment)
        while ready:
            chosen = self._strategy.choose(ready)
            wait = self._limits.acquire(chosen, body)
            if not wait:
                if self._cooldown.admits(chosen):
                    return chosen
                self._limits.release(chosen.id)
                wait = 1.0
            waits.append(wait)
            ready = [deployment for deployment in ready if deployment is not chosen]
        return None

    def retake(self, deployment: Deployment, body: Body) -> bool:
        """Return whether *deployment* accepts a retry of a request that holds a slot."""
        return not self._limits.acquire(deployment, body, forced=True)

    def record(self, entry: Entry) -> None:
        """Learn from an attempt."""
        self._limits.record(entry)
        self._cooldown.record(entry)
        self._strategy.record(entry)

    def state(self, deployment: Deployment) -> State:
        """Return how *deployment* is now."""
        requests, tokens = self._limits.counts(deployment)
        wait, running = self._cooldown.wait(deployment), self._limits.busy(deployment)
        return State(wait, running, requests, tokens)

    def _rate_limited(self, waits: Sequence[float]) -> errors.RateLimited:
        """Return the error for a request without a free deployment."""
        seconds = math.ceil(min(waits, default=1.0) + self._chance.random())
        return errors.RateLimited(
            "All deployments of this model are rate-limited or in cooldown after failures. Retry"
            f" in {seconds} s.",
            code="no_deployment_available",
            headers={"Retry-After": str(seconds)},
        )


def by_order(deployments: Sequence[Deployment], body: Body) -> Iterator[Sequence[Deployment]]:
    """Yield *deployments* by their `order`, lower ones first, those without one at the end.

    Those that lack a key, which the client does not send either, come after all others.
    """
    orders = [_order(deployment, body) for deployment in deployments]
    if len(set(orders)) == 1:
        yield deployments
        return
    for order in sorted(set(orders)):
        yield [each for each, own in zip(deployments, orders, strict=True) if own == order]


def _order(deployment: Deployment, body: Body) -> tuple[bool, float]:
    """Return whether *deployment* lacks a key for *body*, and its `order`."""
    order = deployment.routing.order
    lacks_key = not deployment.has_key and not client_credentials.has_credentials(body)
    return lacks_key, math.inf if order is None else order


def bulkhead(routes: Routes, limit: Callable[[], int]) -> Callable[[], int]:
    """Return how many concurrent requests one deployment may have, of the *limit* of a worker.

    0 means no limit: if all deployments have one address, no threads need to stay free for others.
    """
    places = {d.api_base for found in routes.groups.values() for d in found}
    if len(places) < 2:
        return lambda: 0
    return lambda: max(0, limit() - max(_RESERVE, limit() // 8))
