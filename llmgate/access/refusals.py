"""Why a request is refused: each error has its status, and names the remedy."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager

from llmgate import errors
from llmgate.access import periods
from llmgate.access import rules
from llmgate.access.rules import Rules
from llmgate.storage.database import Unavailable
from llmgate.storage.ledger import FOREVER
from llmgate.storage.ledger import Exceeded
from llmgate.storage.ledger import dollars


class BudgetExceeded(errors.GateError):
    """A budget has no room for the request; trying again does not help before it is raised."""

    status = 422
    type = "budget_exceeded"
    code = "budget_exceeded"


class KeyRefused(errors.Unauthorized):
    """The key is one of ours, and is not valid now."""


class TooManyWrongKeys(errors.RateLimited):
    """The client's address has sent too many keys that are not ours."""

    code = "too_many_wrong_keys"
    retry = False  # the same key stays wrong

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "Too many wrong keys have come from this address. Check your api_key; the next one is"
            f" looked at in {math.ceil(seconds)} s.",
            headers={"Retry-After": str(math.ceil(seconds))},
        )


class StoreUnavailable(errors.GateError):
    """What decides on the request cannot be read or written now."""

    status = 503
    type = "server_error"
    code = "store_unavailable"
    retry = True

    def __init__(self, cause: str) -> None:
        super().__init__(
            "The gateway's store is unavailable; retry in a few seconds.",
            headers={"Retry-After": "5"},
        )
        self.cause = cause


@contextmanager
def store_errors() -> Iterator[None]:
    """Raise StoreUnavailable in place of the store's own error."""
    try:
        yield
    except Unavailable as error:
        raise StoreUnavailable(str(error)) from error


def check_others(
    others: Iterable[Rules], model: str, access_groups: Callable[[str], Iterable[str]]
) -> None:
    """Raise Forbidden if an end user or tag, whose rules are *others*, may not use *model*."""
    for each in others:
        if each.is_blocked:
            raise errors.Forbidden(
                f"End user '{each.id[:200]}' is blocked. An administrator can unblock it.",
                code="end_user_blocked",
            )
        if each.models and not rules.allows_model(each.models, model, access_groups(model)):
            raise errors.Forbidden(
                f"Model '{model[:200]}' is not available for '{each.id[:200]}'.",
                param="model",
                code="key_model_access_denied",
            )


_NAMES = {
    "gateway": "the whole gateway",
    "key": "this key",
    "user": "user",
    "team": "team",
    "end_user": "end user",
    "model": "model",
    "tag": "tag",
    "provider": "provider",
}


def budget_exceeded(error: Exceeded, status: int = 422) -> BudgetExceeded:
    """Return the error for a client whose reservation *error* refused."""
    budget, sums = error.budget, error.sums
    assert budget.nano is not None
    held = f" and ${_money(sums.held)} reserved by running requests" if sums.held else ""
    message = (
        f"Budget has been exceeded! {_subject(budget.scope)} may spend ${_money(budget.nano)}"
        f"{_window(budget.period)}; ${_money(sums.spent)} is spent{held}."
    )
    if budget.end < FOREVER[1]:
        message += f" The next window starts at {periods.iso(budget.end)}."
    else:
        message += " An administrator can raise the budget."
    found = BudgetExceeded(message)
    found.status = status
    return found


def _subject(scope: str) -> str:
    """Return whose budget *scope* is, in words; a key is not named."""
    kind, _, id = scope.partition(":")
    first, _, second = id.partition("\n")
    if kind == "member":
        return f"User '{second}' in team '{first}'"
    if kind == "key_model":
        return f"This key with model '{second}'"
    name = _NAMES[kind]
    return name[0].upper() + name[1:] + ("" if kind in ("key", "gateway") else f" '{id}'")


def _window(period: str) -> str:
    """Return *period* in words."""
    return f" per {period}" if period else ""


def _money(nano: int) -> str:
    """Return dollars, without zeros at the end."""
    return f"{dollars(nano):.9f}".rstrip("0").rstrip(".")


def rate_limited(
    name: str, kind: str, limit: int, seconds: float, headers: Mapping[str, str] = {}
) -> errors.RateLimited:
    """Return the error for a request beyond the *limit* of *kind* of the record *name*."""
    wait = max(1, math.ceil(seconds))
    return errors.RateLimited(
        f"Rate limit exceeded for {name}. Limit type: {kind}. Current limit: {limit}."
        f" Retry in {wait} s.",
        code="rate_limit_exceeded",
        headers={**headers, "Retry-After": str(wait)},
    )
