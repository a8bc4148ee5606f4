"""Requests and tokens of the last minute, and cooldowns, by deployment.

All times are seconds of one monotonic clock (CLOCK_MONOTONIC, the same for all processes of a
machine): a step of the wall clock must not stretch a limit or a cooldown. Limits are counted in a
sliding window: no 60 seconds exceed them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import NamedTuple
from typing import Protocol

WINDOW = 60
"""Seconds over which requests and tokens are counted."""


class RateLimit(NamedTuple):
    """Limits per minute; None: unlimited."""

    requests: int | None = None
    tokens: int | None = None


class Store(Protocol):
    """Counts and cooldowns by deployment id; *now* and *until* are on the monotonic clock."""

    def take(self, name: str, limit: RateLimit, tokens: int, now: float) -> float:
        """Count a request of *tokens* and return 0, or return the seconds until there is room."""

    def add(self, name: str, tokens: int, now: float) -> None:
        """Add *tokens*, which may be negative."""

    def used(self, name: str, now: float) -> tuple[int, int]:
        """Return the requests and tokens of the last minute."""

    def start_cooldown(self, name: str, until: float) -> None:
        """Put *name* in cooldown; a later end replaces an earlier one."""

    def cooldowns(self) -> Mapping[str, float]:
        """Return the end of each cooldown by name."""


class _Bucket:
    """The counts of one second."""

    def __init__(self, second: int) -> None:
        self.second = second
        self.requests = 0
        self.tokens = 0


class MemoryStore:
    """The counts of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, list[_Bucket]] = {}
        self._cooldowns: dict[str, float] = {}

    def take(self, name: str, limit: RateLimit, tokens: int, now: float) -> float:
        with self._lock:
            rows = [(b.second, b.requests, b.tokens) for b in self._current(name, now)]
            wait = seconds_until_room(rows, limit, tokens, now)
            if wait == 0:
                bucket = self._bucket(name, now)
                bucket.requests += 1
                bucket.tokens += tokens
            return wait

    def add(self, name: str, tokens: int, now: float) -> None:
        with self._lock:
            self._current(name, now)
            self._bucket(name, now).tokens += tokens

    def used(self, name: str, now: float) -> tuple[int, int]:
        with self._lock:
            current = self._current(name, now)
            return sum(b.requests for b in current), sum(b.tokens for b in current)

    def start_cooldown(self, name: str, until: float) -> None:
        with self._lock:
            self._cooldowns[name] = max(until, self._cooldowns.get(name, until))

    def cooldowns(self) -> Mapping[str, float]:
        with self._lock:
            return dict(self._cooldowns)

    def _current(self, name: str, now: float) -> list[_Bucket]:
        """Return the buckets of *name* in the window, and drop the older ones."""
        buckets = self._buckets.setdefault(name, [])
        while buckets and buckets[0].second < int(now) - WINDOW:
            buckets.pop(0)
        return buckets

    def _bucket(self, name: str, now: float) -> _Bucket:
        """Return the bucket of this second."""
        buckets = self._buckets[name]
        if not buckets or buckets[-1].second < int(now):
            buckets.append(_Bucket(int(now)))
        return buckets[-1]


def seconds_until_room(
    rows: list[tuple[int, int, int]], limit: RateLimit, tokens: int, now: float
) -> float:
    """Return the seconds until *rows* (second, requests, tokens) leave room, 0 if they do.

    A request above the limit of tokens waits for an empty window; else it would wait without end.
    """
    requests = sum(row[1] for row in rows)
    used = sum(row[2] for row in rows)
    needed = tokens if limit.tokens is None else min(tokens, limit.tokens)
    wait = 0.0
    for second, freed_requests, freed_tokens in rows:
        if _has_room(requests, used + needed, limit):
            return wait
        requests, used = requests - freed_requests, used - freed_tokens
        wait = max(0.001, second + WINDOW + 1 - now)
    return wait if _has_room(requests, used + needed, limit) else float(WINDOW)


def _has_room(requests: int, tokens: int, limit: RateLimit) -> bool:
    """Return whether one request after *requests*, and *tokens* in total, are within *limit*."""
    within = limit.requests is None or requests < limit.requests
    return within and (limit.tokens is None or tokens <= limit.tokens)
