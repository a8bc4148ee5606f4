"""Old calls are deleted a few at a time, in the transaction that looks for expired reservations.

What they cost stays in the sums: of all time (`expired`), of hours and of days. Calls in a window
that has not ended are kept: its sum is that of its calls.
"""

from __future__ import annotations

from collections.abc import Sequence

from llmgate.storage.database import Connection
from llmgate.storage.ledger import Payer
from llmgate.storage.reports import rollups

AT_ONCE = 200
"""Calls that are deleted together."""

_FOLDS = 8  # in one transaction

_OLDEST = """select n, key_id, user_id, team_id, end_user, model, provider, coalesce(nano, 0)
    from calls where at < ? order by at limit ?"""
_EXPIRED = """insert into expired (scope, spent, calls) values (?, ?, ?) on conflict (scope)
    do update set spent = expired.spent + excluded.spent, calls = expired.calls + excluded.calls"""


def expire(db: Connection, before: int, now: int) -> int:
    """Delete the oldest calls before *before*; return how many, 0 if sums must be made first."""
    (open_since,) = db.execute(
        "select min(window_start) from spend where window_start > 0 and window_end > ?", (now,)
    ).fetchone()
    rows = db.execute(_OLDEST, (min(before, open_since or before), AT_ONCE)).fetchall()
    if not rows:
        return 0
    if all(rollups.fold(db) for _ in range(_FOLDS)):  # what is deleted must be in them
        return 0  # there may be more: a request does not wait for all of them
    numbers = [row[0] for row in rows]
    for scope, (spent, calls) in sorted(_by_scope(rows, _tags(db, numbers)).items()):
        db.execute(_EXPIRED, (scope, spent, calls))
    db.execute(
        "delete from spend where window_start > 0 and window_end <= ? and window_start < ?",
        (now, before),
    )
    marks = ", ".join("?" * len(numbers))
    db.execute(f"delete from call_tags where call in ({marks})", numbers)
    db.execute(f"delete from calls where n in ({marks})", numbers)
    return len(numbers)


def _tags(db: Connection, numbers: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """Return the tags of the calls with these *numbers*."""
    marks = ", ".join("?" * len(numbers))
    found: dict[int, tuple[str, ...]] = {}
    for n, tag in db.execute(f"select call, tag from call_tags where call in ({marks})", numbers):
        found[n] = (*found.get(n, ()), tag)
    return found


def _by_scope(
    rows: Sequence[tuple[int, str, str, str, str, str, str, int]],
    tags: dict[int, tuple[str, ...]],
) -> dict[str, tuple[int, int]]:
    """Return what the calls in *rows* cost, and how many they are, by scope."""
    found: dict[str, tuple[int, int]] = {}
    for n, key, user, team, end_user, model, provider, nano in rows:
        payer = Payer(key, user, team, end_user, model, tags.get(n, ()), provider)
        for scope in payer.scopes():
            spent, calls = found.get(scope, (0, 0))
            found[scope] = spent + nano, calls + 1
    return found
