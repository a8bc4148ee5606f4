"""The reports that a ledger gives, and their results.

Money is in nano-dollars, times are in microseconds since the epoch (UTC). Keys are known by the
hash that they were created with, which stays when their value is rotated.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal
from typing import NamedTuple
from typing import Protocol
from typing import TypeAlias

Unit: TypeAlias = Literal["hour", "day"]

MICROS: dict[str, int] = {"hour": 3_600_000_000, "day": 86_400_000_000}
"""How long the buckets of a unit are."""

KINDS = ("gateway", "key", "user", "team", "end_user", "tag", "model", "provider")
"""What is summed by hour and by day; the gateway has the id ""."""


class Measures(NamedTuple):
    """Sums of calls."""

    calls: int = 0
    failed: int = 0
    nano: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    duration_ms: int = 0


class Range(NamedTuple):
    """From *start* up to, not including, *end*; widened to whole buckets."""

    start: int
    end: int


class Subject(NamedTuple):
    """Whose calls."""

    kind: str = "gateway"
    id: str = ""


class Combination(NamedTuple):
    """The calls of one day that have all of this in common."""

    day: int
    id: str  # the tag, if tags were requested
    key: str
    user: str
    team: str
    model: str
    upstream_model: str
    provider: str
    endpoint: str
    measures: Measures


class Wanted(NamedTuple):
    """Which combinations."""

    range: Range
    kind: str = ""  # "", key, user, team or tag
    ids: Sequence[str] = ()  # empty: all
    key: str | None = None
    model: str | None = None  # ours or the upstream's


class Page(NamedTuple):
    """Which part of a list."""

    offset: int = 0
    limit: int = 1000


class Filter(NamedTuple):
    """Which calls; None: any."""

    key: str | None = None
    user: str | None = None
    team: str | None = None
    end_user: str | None = None
    model: str | None = None
    provider: str | None = None
    tag: str | None = None
    id: str | None = None  # the ledger's, or the request's x-request-id
    failed: bool | None = None
    status: int | None = None
    start: int = 0
    end: int = sys.maxsize


class Cursor(NamedTuple):
    """The last row of the page before."""

    at: int
    n: int


class CallRow(NamedTuple):
    """A call, as it was charged."""

    n: int
    id: str
    at: int
    key: str
    user: str
    team: str
    end_user: str
    model: str
    provider: str
    deployment: str
    endpoint: str
    status: int  # 0: the process died, the reservation was charged
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    nano: int | None  # None: the price is unknown
    estimated: bool
    attempts: int
    duration_ms: int
    stream: bool
    upstream_model: str
    cache_write_tokens: int
    ttft_ms: int | None
    error: str  # its code
    tags: tuple[str, ...] = ()


class Reports(Protocol):
    """The reports of a ledger; each raises storage.database.Unavailable."""

    def totals(self, unit: Unit, range: Range, subject: Subject = Subject()) -> Measures:
        """Return the sums of *subject*."""

    def series(
        self, unit: Unit, range: Range, subject: Subject = Subject()
    ) -> list[tuple[int, Measures]]:
        """Return the sums of *subject* by bucket, oldest first, without empty buckets."""

    def top(self, kind: str, unit: Unit, range: Range, limit: int) -> list[tuple[str, Measures]]:
        """Return the dearest ids of *kind* with their sums."""

    def top_within(self, kind: str, wanted: Wanted, limit: int) -> list[tuple[str, Measures]]:
        """Return the dearest ids of *kind* among the combinations *wanted*."""

    def combinations(self, wanted: Wanted, page: Page) -> list[Combination]:
        """Return a page of the combinations *wanted*, newest day first."""

    def count_combinations(self, wanted: Wanted) -> int:
        """Return how many combinations *wanted* finds."""

    def calls(self, only: Filter, before: Cursor | None, limit: int) -> list[CallRow]:
        """Return calls, newest first, after *before*. Raises storage.database.TooSlow."""

    def count_calls(self, only: Filter, most: int) -> int:
        """Return how many calls there are, *most* at the most. Raises storage.database.TooSlow."""

    def call(self, id: str) -> CallRow | None:
        """Return the call with the ledger's *id*, or the last with that x-request-id."""
