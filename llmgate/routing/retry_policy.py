"""What may be tried again, by whom, and after how long: the table of docs/routing.md."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import NamedTuple

from llmgate import errors
from llmgate.upstream import retry_after

KINDS = (
    "AuthenticationError",
    "TimeoutError",
    "RateLimitError",
    "ContentPolicyViolationError",
    "ServiceUnavailableError",
    "InternalServerError",
    "BadRequestError",
)
"""LiteLLM's names for kinds of errors, less their ends `Retries` and `AllowedFails`."""

SHORT_WAIT = 2.0
"""Seconds of Retry-After that are waited for on the same deployment."""

_REFUSED_BY_US = frozenset({"unsupported_parameter", "unsupported_operation"})
_ELSEWHERE = frozenset({401, 403, 404})  # what another group may well have right


class RetryPolicy(NamedTuple):
    """How often a failed attempt is repeated on the same deployment."""

    retries: int = 2
    by_kind: Mapping[str, int] = {}  # of `kind`, instead of *retries*
    least_wait: float = 0.0  # seconds before any repetition
    unsafe: bool = False  # another deployment is tried after a silence, too

    def allowed(self, error: errors.GateError) -> int:
        """Return how often the same deployment may be tried again after *error*."""
        said = self.by_kind.get(kind(error))
        if said is not None:
            return said
        return self.retries if verdict(error).same else 0


def kind(error: errors.GateError) -> str:
    """Return LiteLLM's name for *error*, less its end: `RateLimitError` and the like."""
    if is_too_long(error) or error.code == "content_policy_violation":
        return "ContentPolicyViolationError" if not is_too_long(error) else "BadRequestError"
    return kind_of(error.status)


def kind_of(status: int) -> str:
    """Return LiteLLM's name for the errors of *status*, less its end."""
    named = {401: "AuthenticationError", 408: "TimeoutError", 429: "RateLimitError"}
    if status == 504:
        return "TimeoutError"
    return named.get(status, "InternalServerError" if status >= 500 else "BadRequestError")


def is_too_long(error: errors.GateError) -> bool:
    """Return whether *error* says that the request is too long for the model."""
    return error.code == "context_length_exceeded"


def is_refused_by_us(error: errors.GateError) -> bool:
    """Return whether *error* is that a provider does not take what is asked; nothing was sent."""
    return error.code in _REFUSED_BY_US and not isinstance(error, errors.UpstreamError)


class Retry(NamedTuple):
    """Where a request may be sent again after an error."""

    same: bool  # to the same deployment
    elsewhere: bool  # to another deployment of the group


def verdict(error: errors.GateError) -> Retry:
    """Return whether to retry after *error* on the same deployment, and on another."""
    if isinstance(error, errors.UpstreamTimeout):
        return Retry(False, False)
    if isinstance(error, errors.Unreachable):
        return Retry(True, True)
    if isinstance(error, errors.BadUpstream):
        return Retry(False, True)
    if isinstance(error, errors.UpstreamError):
        mendable = error.status in errors.TRANSIENT_STATUSES
        asked = retry_after.seconds(error)
        soon = error.status != 429 if asked is None else asked <= SHORT_WAIT
        return Retry(mendable and soon, mendable)
    return Retry(False, is_refused_by_us(error))


def is_for_others(error: errors.GateError, unsafe: bool = False) -> bool:
    """Return whether another model group may be asked after *error*.

    After a silence only if *unsafe*: the work may have been done, and billed.
    """
    if isinstance(error, errors.UpstreamTimeout):
        return unsafe
    if isinstance(error, errors.UpstreamError) and error.status in _ELSEWHERE:
        return True
    return isinstance(error, errors.RateLimited) or verdict(error).elsewhere


def pause(error: errors.GateError, again: int, least: float = 0.0) -> float:
    """Return the seconds to wait before the *again*-th retry of the same deployment."""
    asked = retry_after.seconds(error)
    if asked is None or asked > SHORT_WAIT:  # else an explicit policy would sleep for hours
        asked = min(2.0, 0.25 * 2 ** min(again, 9)) * random.uniform(0.5, 1.0)
    return max(asked, least)
