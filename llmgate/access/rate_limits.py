"""Requests and tokens a minute, and requests at a time, of keys, users, teams and models."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from typing import NamedTuple
from typing import Protocol

from llmgate import errors
from llmgate.access import refusals
from llmgate.access.directory import Member
from llmgate.access.rules import Limits
from llmgate.access.rules import Rules
from llmgate.storage.leases import Full
from llmgate.storage.leases import Wanted


class Counters(Protocol):
    """What counts the requests and tokens of the last minute, over all workers."""

    def take(self, name: str, limit: Any, tokens: int, now: float, /) -> float:
        """Count a request of *tokens* and return 0, or return the seconds until there is room."""

    def add(self, name: str, tokens: int, now: float, /) -> None:
        """Count more *tokens*, or fewer."""

    def used(self, name: str, now: float, /) -> tuple[int, int]:
        """Return the requests and tokens of the last minute."""


class AnyLeases(Protocol):
    """What counts the requests that run at a time."""

    def take(self, id: str, wanted: list[Wanted], now: int, /) -> None:
        """Take a lease for the request *id* under each name. Raises Full."""

    def release(self, id: str, /) -> None:
        """End the leases of the request *id*."""


class PerMinute(NamedTuple):
    """What is allowed in a minute."""

    requests: int | None
    tokens: int | None


class Limited(NamedTuple):
    """A name with limits."""

    name: str  # in the counters
    shown: str  # to clients
    limits: Limits


def of_request(member: Member, model: str, others: list[Rules]) -> list[Limited]:
    """Return the limits that hold for a request for *model*; *others*: end user and tags."""
    return [each for each in _named(member, model, others) if each.limits != Limits()]


def _named(member: Member, model: str, others: list[Rules]) -> Iterator[Limited]:
    """Yield every limit that may hold."""
    key = member.key
    yield Limited(f"key:{key.spend_id}", "this key", key.rules.limits)
    if model in key.rules.model_limits:
        limits = key.rules.model_limits[model]
        yield Limited(f"key:{key.spend_id}:{model}", f"model '{model}' with this key", limits)
    if member.membership:
        name = member.membership.id.replace("\n", ":")
        yield Limited(f"member:{name}", "this member of the team", member.membership.limits)
    if member.team:
        yield Limited(f"team:{member.team.id}", f"team '{member.team.id}'", member.team.limits)
    elif member.user:
        yield Limited(f"user:{member.user.id}", f"user '{member.user.id}'", member.user.limits)
    for rules in others:
        yield Limited(f"other:{rules.id}", f"'{rules.id}'", rules.limits)


def _headers(left: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """Return the headers for what is *left* of which limit, by kind.

    OpenAI's names, https://platform.openai.com/docs/guides/rate-limits, and LiteLLM's.
    """
    found = {}
    for kind, (number, limit) in left.items():
        for place in ("", "api_key-"):
            found[f"x-ratelimit-{place}limit-{kind}"] = str(limit)
            found[f"x-ratelimit-{place}remaining-{kind}"] = str(number)
    return found


class RateLimits:
    """Holds requests to their limits."""

    def __init__(self, counters: Counters, leases: AnyLeases) -> None:
        self._counters = counters
        self._leases = leases

    def take(self, id: str, limited: list[Limited], tokens: int, now: float) -> bool:
        """Count the request *id* in; return whether `release` must follow. Raises RateLimited."""
        for each in limited:
            limit = PerMinute(each.limits.requests, each.limits.tokens)
            if limit == (None, None):
                continue
            wait = self._counters.take(each.name, limit, tokens, now)
            if wait > 0:
                raise self._refused(each, limit, now, wait)
        wanted = [
            Wanted(each.name, each.limits.parallel)
            for each in limited
            if each.limits.parallel is not None
        ]
        if not wanted:
            return False
        try:
            self._leases.take(id, wanted, int(now * 1e6))
        except Full as full:
            shown = next(each.shown for each in limited if each.name == full.name)
            raise refusals.rate_limited(shown, "max_parallel_requests", full.limit, 1) from None
        return True

    def release(self, id: str) -> None:
        """Note that the request *id* has ended."""
        self._leases.release(id)

    def correct(self, limited: list[Limited], tokens: int, now: float) -> None:
        """Count *tokens* more, or fewer, than were estimated."""
        for each in limited if tokens else ():
            if each.limits.requests is not None or each.limits.tokens is not None:
                self._counters.add(each.name, tokens, now)

    def headers(self, limited: list[Limited], now: float) -> dict[str, str]:
        """Return what is left of the requests and tokens of *limited*: the smallest of each."""
        left: dict[str, tuple[int, int]] = {}
        for each in limited:
            limits = (("requests", each.limits.requests), ("tokens", each.limits.tokens))
            if limits == (("requests", None), ("tokens", None)):
                continue
            used = self._counters.used(each.name, now)
            for (kind, limit), count in zip(limits, used, strict=True):
                if limit is not None:
                    found = max(0, limit - count), limit
                    left[kind] = min(left.get(kind, found), found)
        return _headers(left)

    def _refused(
        self, limited: Limited, limit: PerMinute, now: float, wait: float
    ) -> errors.RateLimited:
        """Return the error for a request that must wait for *wait* seconds."""
        requests, _ = self._counters.used(limited.name, now)
        if limit.requests is not None and (limit.tokens is None or requests >= limit.requests):
            kind, most = "requests", limit.requests
        else:
            kind, most = "tokens", limit.tokens or 0
        left = _headers({kind: (0, most)})
        return refusals.rate_limited(limited.shown, kind, most, wait, left)
