"""Which errors are retried, where, and after how long: the table of docs/routing.md."""

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
_ACCOUNT_STATUSES = frozenset({401, 402, 403, 404})
_ACCOUNT_CODES = frozenset(
    """invalid_api_key insufficient_quota billing_hard_limit_reached billing_not_active
    account_deactivated credit_balance_too_low insufficient_balance quota_exceeded access_terminated
    missing_provider_key""".split()
)
"""Errors of a deployment's key or account, not of the request: another one may succeed."""


class RetryPolicy(NamedTuple):
    """How often a failed attempt is retried on the same deployment."""

    retries: int = 2
    by_kind: Mapping[str, int] = {}  # by `kind`, in place of *retries*
    min_backoff: float = 0.0  # seconds before any retry
    retries_after_429: int = 0  # of an upstream that does not say how long to wait

    def allowed(self, error: errors.GateError) -> int:
        """Return how often the same deployment may be tried again after *error*."""
        own = of_kind(self.by_kind, kind(error))
        if own is not None:
            return own
        if error.status == 429 and retry_after.seconds(error) is None:
            return self.retries_after_429
        return self.retries if verdict(error).same else 0


def kind(error: errors.GateError) -> str:
    """Return LiteLLM's name for *error*, without its suffix: `RateLimitError`, ..."""
    if is_too_long(error) or error.code == "content_policy_violation":
        return "ContentPolicyViolationError" if not is_too_long(error) else "BadRequestError"
    return kind_of(error.status)


def kind_of(status: int) -> str:
    """Return LiteLLM's name for the errors of *status*, less its end."""
    named = {401: "AuthenticationError", 408: "TimeoutError", 429: "RateLimitError"}
    named |= {503: "ServiceUnavailableError", 504: "TimeoutError"}
    return named.get(status, "InternalServerError" if status >= 500 else "BadRequestError")


def of_kind(numbers: Mapping[str, int], kind: str) -> int | None:
    """Return the number for *kind*; one for internal errors is for unavailable services, too."""
    if kind == "ServiceUnavailableError" and kind not in numbers:
        kind = "InternalServerError"
    return numbers.get(kind)


def is_too_long(error: errors.GateError) -> bool:
    """Return whether *error* means that the request is too long for the model."""
    return error.code == "context_length_exceeded"


def is_refused_by_us(error: errors.GateError) -> bool:
    """Return whether a provider lacks what the request demands; nothing was sent."""
    return error.code in _REFUSED_BY_US and not isinstance(error, errors.UpstreamError)


class Retry(NamedTuple):
    """Where a request may be sent again after an error."""

    same: bool  # to the same deployment
    elsewhere: bool  # to another deployment of the group


def verdict(error: errors.GateError, after_timeout: bool | None = None) -> Retry:
    """Return whether to retry after *error* on the same deployment, and on another.

    *after_timeout* false: not after a timeout, when the upstream may have done the work.
    """
    if isinstance(error, errors.UpstreamTimeout):
        return Retry(False, after_timeout is not False)
    if isinstance(error, errors.Unreachable):
        return Retry(True, True)
    if isinstance(error, errors.BadUpstream):
        return Retry(False, True)
    if isinstance(error, errors.UpstreamError):
        transient = error.status in errors.TRANSIENT_STATUSES and not _is_billing(error)
        wait = retry_after.seconds(error)
        soon = error.status != 429 if wait is None else wait <= SHORT_WAIT
        return Retry(
            transient and soon, transient or error.status >= 500 or is_account_error(error)
        )
    return Retry(False, is_refused_by_us(error) or is_account_error(error))


def _is_billing(error: errors.GateError) -> bool:
    """Return whether *error* is permanent although its status is not: an account is empty."""
    return error.code in _ACCOUNT_CODES


def is_account_error(error: errors.GateError) -> bool:
    """Return whether *error* is about the deployment's key, account, quota or model name."""
    if not isinstance(error, errors.UpstreamError):
        return error.code == "missing_provider_key"
    return is_account_status(error.status, error.code)


def is_account_status(status: int, code: str | None) -> bool:
    """Return whether an upstream's *status* and *code* are about its key, account or quota."""
    if code in ("content_policy_violation", "context_length_exceeded"):
        return False
    is_limit = status == 413 and code == "rate_limit_exceeded"  # Groq's, of tokens per minute
    return status in _ACCOUNT_STATUSES or code in _ACCOUNT_CODES or is_limit


def is_for_others(error: errors.GateError, after_timeout: bool | None = None) -> bool:
    """Return whether another model group may be tried after *error*, as for `verdict`."""
    return isinstance(error, errors.RateLimited) or verdict(error, after_timeout).elsewhere


def usefulness(error: errors.GateError) -> int:
    """Return how much *error* informs the client, for the choice among several: higher is more."""
    if is_refused_by_us(error):
        return 0
    return 1 if is_account_error(error) else 2


def backoff(error: errors.GateError, number: int, min_backoff: float = 0.0) -> float:
    """Return the seconds to wait before retry *number* of the same deployment."""
    wait = retry_after.seconds(error)
    if wait is None or wait > SHORT_WAIT:  # else an explicit policy would sleep for hours
        wait = min(2.0, 0.25 * 2 ** min(number, 9)) * random.uniform(0.5, 1.0)
    return max(wait, min_backoff)
