"""The rows of `spend`: for a scope and a window, the sums of its calls and its reservations.

A row is made from what it sums when its window is first used, and is changed in the transaction
that changes that. It sums the calls of its scope in its window, and the holds that name the row:
making it makes the holds that run name it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from llmgate.storage.database import Connection
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Difference
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent

Window = tuple[str, str, int]
"""The scope, the period and the start that a row of `spend` is found by."""

ALWAYS = frozenset("key user team member end_user tag".split())
"""The kinds of scopes whose sums of all time are kept without a budget, too."""

_WHERE = {
    "gateway": "1 = 1",
    "key": "c.key_id = ?",
    "user": "c.user_id = ? and c.user_id <> ''",
    "team": "c.team_id = ? and c.team_id <> ''",
    "end_user": "c.end_user = ? and c.end_user <> ''",
    "model": "c.model = ?",
    "provider": "c.provider = ?",
    "member": "c.team_id = ? and c.team_id <> '' and c.user_id = ?",
    "key_model": "c.key_id = ? and c.model = ?",
    "tag": "c.n in (select call from call_tags where tag = ?)",
}
"""Which calls are those of a scope, by its kind; `<> ''` lets SQLite use a partial index."""

_EXPIRED = "select spent, calls from expired where scope = ?"
_SUMS = "select spent, held, calls from spend where scope = ? and period = ? and window_start = ?"


def of(budget: Budget) -> Window:
    """Return the window of *budget*."""
    return budget.scope, budget.period, budget.start


def payer(text: str) -> Payer:
    """Return the payer that *text* holds as JSON."""
    found = Payer(*json.loads(text))
    return found._replace(tags=tuple(found.tags))


def sums(db: Connection, budget: Budget) -> Spent:
    """Return the sums of the window of *budget*, also if it has no row yet."""
    row = db.execute(_SUMS, of(budget)).fetchone()
    if row:
        return Spent(*row)
    held = sum(nano for _, nano, _ in _holds(db, budget))
    return _calls(db, budget.scope, budget.start, budget.end)._replace(held=held)


def ensure(db: Connection, budget: Budget) -> bool:
    """Make the row of the window of *budget* if there is none; return whether it was made."""
    if db.execute(_SUMS, of(budget)).fetchone():
        return False
    spent, _, calls = _calls(db, budget.scope, budget.start, budget.end)
    holds = _holds(db, budget)
    held = sum(nano for _, nano, _ in holds)
    row = (*of(budget), budget.end, spent, held, calls)
    db.execute("insert into spend values (?, ?, ?, ?, ?, ?, ?)", row)
    for id, _, text in holds:
        text = json.dumps([*json.loads(text), of(budget)])
        db.execute("update holds set windows = ? where id = ?", (text, id))
    return True


def _holds(db: Connection, budget: Budget) -> list[tuple[str, int, str]]:
    """Return the id, the amount and the windows of each hold in the window of *budget*."""
    rows = db.execute(
        "select id, nano, windows, payer from holds where at >= ? and at < ?",
        (budget.start, budget.end),
    )
    return [(id, nano, text) for id, nano, text, who in rows if budget.scope in payer(who).scopes()]


def _calls(db: Connection, scope: str, start: int, end: int) -> Spent:
    """Return the sums of the calls of *scope* from *start* to *end*."""
    kind, _, id = scope.partition(":")
    given = id.split("\n", 1) if "?" in _WHERE[kind] else []
    spent, calls = db.execute(
        f"""select cast(coalesce(sum(c.nano), 0) as bigint), count(*) from calls c
        where {_WHERE[kind]} and c.at >= ? and c.at < ?""",
        (*given, start, end),
    ).fetchone()
    old = None if start else db.execute(_EXPIRED, (scope,)).fetchone()
    return Spent(spent + old[0], 0, calls + old[1]) if old else Spent(spent, 0, calls)


def differences(db: Connection) -> Iterator[Difference]:
    """Yield the rows that are not the sums of their calls and holds."""
    held: dict[Window, int] = {}
    for nano, text in db.execute("select nano, windows from holds").fetchall():
        for scope, period, start in json.loads(text):
            window = scope, period, start
            held[window] = held.get(window, 0) + nano
    rows = db.execute(
        "select scope, period, window_start, window_end, spent, held, calls from spend"
    ).fetchall()
    for scope, period, start, end, *stored in rows:
        actual = _calls(db, scope, start, end)._replace(held=held.get((scope, period, start), 0))
        if actual != Spent(*stored):
            yield Difference(scope, period, start, Spent(*stored), actual)


def correct(db: Connection, found: Difference) -> None:
    """Write the actual sums of *found*."""
    db.execute(
        """update spend set spent = ?, held = ?, calls = ?
        where scope = ? and period = ? and window_start = ?""",
        (*found.actual, found.scope, found.period, found.start),
    )
