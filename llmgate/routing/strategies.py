"""Select one of several equal deployments: LiteLLM's `routing_strategy`."""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence

from llmgate.accounting.records import Entry
from llmgate.contract import Deployment
from llmgate.routing.rate_limits import Limits
from llmgate.routing.router_settings import RouterSettings

_MEASURED = 10  # latencies that are kept per deployment
_KNOWN = 1000  # deployments whose latencies are kept
_LIFETIME = 3600.0  # seconds that a latency is kept
_FAILED = 1000.0  # seconds that a failure counts as


def by_weight(deployments: Sequence[Deployment], chance: random.Random) -> Deployment:
    """Return one of *deployments* by weighted random choice."""
    weights = [deployment.weight for deployment in deployments]
    return chance.choices(deployments, weights if any(weights) else None)[0]


class Strategy:
    """The configured strategy and its measurements."""

    def __init__(
        self,
        settings: RouterSettings,
        limits: Limits,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
    ) -> None:
        self._narrowed = _STRATEGIES.get(settings.strategy, _all)
        self._measures = settings.strategy == "latency-based-routing"
        self._clock, self._chance = clock, chance or random.Random()
        self._latencies: OrderedDict[str, list[tuple[float, float]]] = OrderedDict()
        self.limits = limits
        self.lifetime = float(settings.strategy_args.get("ttl") or _LIFETIME)
        self.buffer = float(settings.strategy_args.get("lowest_latency_buffer") or 0.0)

    def choose(self, deployments: Sequence[Deployment]) -> Deployment:
        """Return one of *deployments*."""
        if len(deployments) == 1:
            return deployments[0]
        return by_weight(self._narrowed(self, deployments), self._chance)

    def record(self, entry: Entry) -> None:
        """Learn from an attempt."""
        deployment = entry.deployment
        if not self._measures or deployment is None or deployment.has_client_key:
            return
        if entry.status == 499 or 400 <= entry.status < 429:
            return  # not evidence about the deployment
        took = _FAILED if entry.error is not None else entry.took
        kept = self._latencies.setdefault(deployment.id, [])
        kept.append((self._clock(), took))
        del kept[:-_MEASURED]
        if len(self._latencies) > _KNOWN:
            self._latencies.popitem(last=False)

    def latency(self, deployment: Deployment) -> float:
        """Return the mean latency of *deployment* in seconds; 0 if unknown."""
        since = self._clock() - self.lifetime
        took = [t for when, t in self._latencies.get(deployment.id, ()) if when > since]
        return sum(took) / len(took) if took else 0.0


def _all(strategy: Strategy, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
    """Return all of *deployments*."""
    return deployments


def _least_busy(strategy: Strategy, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
    """Return those with the fewest requests at the moment."""
    return _lowest(deployments, strategy.limits.busy)


def _least_used(strategy: Strategy, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
    """Return those that have used least of their limits in the last minute."""
    return _lowest(deployments, strategy.limits.used)


def _fastest(strategy: Strategy, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
    """Return those with the lowest latency, or near it; untried ones first."""
    return _lowest(deployments, strategy.latency, strategy.buffer)


def _cheapest(strategy: Strategy, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
    """Return the cheapest."""
    return _lowest(deployments, _price)


def _price(deployment: Deployment) -> float:
    """Return the price of an input token plus an output token; 1 dollar if unknown."""
    prices = deployment.prices
    names = ("input_cost_per_token", "output_cost_per_token")
    if not any(name in prices for name in names):
        return 1.0
    return sum(prices.get(name, 0.0) for name in names)


def _lowest(
    deployments: Sequence[Deployment], measure: Callable[[Deployment], float], slack: float = 0.0
) -> Sequence[Deployment]:
    """Return those with the lowest *measure*, or at most the share *slack* above it."""
    measured = [(measure(deployment), deployment) for deployment in deployments]
    most = min(value for value, _ in measured) * (1.0 + slack)
    return [deployment for value, deployment in measured if value <= most]


_STRATEGIES: Mapping[str, Callable[[Strategy, Sequence[Deployment]], Sequence[Deployment]]] = {
    "simple-shuffle": _all,
    "least-busy": _least_busy,
    "usage-based-routing": _least_used,
    "usage-based-routing-v2": _least_used,
    "latency-based-routing": _fastest,
    "cost-based-routing": _cheapest,
}
