"""What a ledger is: reservations before a call, its cost after, sums per scope and window.

Money is in nano-dollars, times are in microseconds since the epoch (UTC).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import NamedTuple
from typing import Protocol

from llmgate.storage.database import Database
from llmgate.storage.database import Refused

ALL_TIME = ""
"""The period whose only window has no end."""

FOREVER = (0, sys.maxsize)
"""That window."""

LOST = 0
"""The status of a call whose process died: it was charged what it had reserved."""


class Payer(NamedTuple):
    """Who is charged for a call; empty: no one of that kind."""

    key: str = ""
    user: str = ""
    team: str = ""
    end_user: str = ""
    model: str = ""
    tags: tuple[str, ...] = ()
    provider: str = ""

    def scopes(self) -> list[str]:
        """Return the scopes whose sums a call of this payer changes, in the order of locking."""
        found = ["gateway:"]
        for kind in ("key", "user", "team", "end_user", "model", "provider"):
            if getattr(self, kind):
                found.append(f"{kind}:{getattr(self, kind)}")
        if self.team and self.user:
            found.append(member(self.team, self.user))
        if self.key and self.model:
            found.append(key_model(self.key, self.model))
        return found + [f"tag:{tag}" for tag in sorted(set(self.tags))]


def member(team: str, user: str) -> str:
    """Return the scope of *user* in *team*."""
    return f"member:{team}\n{user}"


def key_model(key: str, model: str) -> str:
    """Return the scope of *model* used with *key*."""
    return f"key_model:{key}\n{model}"


class Budget(NamedTuple):
    """What a scope may spend in one window."""

    scope: str
    nano: int | None  # None: only count
    period: str = ALL_TIME
    start: int = FOREVER[0]
    end: int = FOREVER[1]


class Hold(NamedTuple):
    """A reservation; it is charged in full if nothing is settled before it expires."""

    id: str
    at: int
    expires: int
    nano: int
    payer: Payer


class Call(NamedTuple):
    """One finished client request."""

    id: str
    at: int
    payer: Payer
    status: int
    nano: int | None = None  # None: the price is unknown
    deployment: str = ""
    endpoint: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: bool = False
    attempts: int = 1
    duration_ms: int = 0
    stream: bool = False
    upstream_model: str = ""
    cache_write_tokens: int = 0
    ttft_ms: int | None = None
    error: str = ""  # its code


class Spent(NamedTuple):
    """The sums of one window."""

    spent: int = 0
    held: int = 0
    calls: int = 0


class Difference(NamedTuple):
    """A sum that is not that of its rows."""

    scope: str
    period: str
    start: int
    stored: Spent
    actual: Spent


class Exceeded(Refused):
    """A budget has no room for the reservation."""

    def __init__(self, budget: Budget, sums: Spent) -> None:
        super().__init__(f"{budget.scope}: budget exceeded")
        self.budget = budget
        self.sums = sums


class Ledger(Protocol):
    """Reservations and calls; each method but `exists` raises storage.database.Unavailable."""

    database: Database

    def exists(self) -> bool:
        """Return whether anything was ever stored."""

    def reserve(self, hold: Hold, budgets: list[Budget], calls: Sequence[Call] = ()) -> None:
        """Charge *calls*, then reserve *hold* if each of *budgets* has room for it.

        Raises Exceeded, with *calls* charged.
        """

    def raise_hold(self, id: str, nano: int, budgets: list[Budget]) -> None:
        """Reserve *nano* in all for the hold *id*, if that is more. Raises Exceeded."""

    def settle(self, call: Call, now: int) -> bool:
        """Charge *call* and end its hold; return whether it was not charged before.

        A call whose expired hold was charged as lost is corrected.
        """

    def settle_all(self, calls: Sequence[Call], now: int) -> list[bool]:
        """Do the same for each of *calls*, all of them or none."""

    def sums(self, budgets: list[Budget]) -> list[Spent]:
        """Return the sums of the windows of *budgets*."""

    def sweep(self, now: int) -> int:
        """Charge the holds that expired before *now*; return how many they were."""

    def sync(self) -> None:
        """Let what is stored outlive a failure of the machine."""

    def check(self, repair: bool = False) -> list[Difference]:
        """Return the sums that are not those of their rows; correct them if *repair*."""


MOST = 10**15
"""Tokens, or nano-dollars, of one call that are counted: sums of these do not overflow."""


def storable(text: str) -> str:
    """Return *text* as every database can store it: without NUL and lone surrogates."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def nano_dollars(dollars: float) -> int:
    """Return *dollars* in nano-dollars, rounded up, but not for the noise of binary fractions."""
    return math.ceil(round(dollars * 1e9, 3))


def dollars(nano: int) -> float:
    """Return *nano* in dollars."""
    return nano / 1e9
