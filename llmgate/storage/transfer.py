"""Moves keys, users, teams and calls between stores, as lines of JSON.

Sums are made again from the calls; of calls that were deleted because they are old, the sums of all
time are moved, those of hours and days are not. What the target has already stays.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from llmgate.storage import windows
from llmgate.storage.database import Connection
from llmgate.storage.database import Database

_AT_ONCE = 500  # rows in one transaction

_RECORDS = "kind, id, alias, user_id, team_id, data"
_AUDIT = "at, actor, action, kind, id, data"
_CALLS = """id, at, key_id, user_id, team_id, end_user, model, provider, deployment, endpoint,
    status, prompt_tokens, completion_tokens, cached_tokens, nano, estimated, attempts, duration_ms,
    stream, upstream_model, cache_write_tokens, ttft_ms, error"""
_EXPIRED = "scope, spent, calls"
_HOLDS = "id, at, expires, nano, payer"

Row = list[Any]


def exported(control: Database, ledger: Database) -> Iterator[str]:
    """Yield what is moved, each row as a line of JSON. Raises Unavailable."""
    for table, columns in (("records", _RECORDS), ("audit", _AUDIT)):
        for _, *row in _pages(control, table, columns):
            yield json.dumps([table, row]) + "\n"
    for n, *row in _pages(ledger, "calls", _CALLS):
        yield json.dumps(["calls", [*row, _tags(ledger, n)]]) + "\n"
    for table, columns in (("expired", _EXPIRED), ("holds", _HOLDS)):
        for row in _all(ledger, table, columns):
            yield json.dumps([table, row]) + "\n"


def _all(database: Database, table: str, columns: str) -> list[Row]:
    """Return the rows of *table*."""
    sql = f"select {columns} from {table}"
    return database.read(lambda db: db.execute(sql).fetchall()) if database.exists() else []


def _pages(database: Database, table: str, columns: str) -> Iterator[Row]:
    """Yield the rows of *table* in their order, each with its number before it."""
    sql, last = f"select n, {columns} from {table} where n > ? order by n limit {_AT_ONCE}", 0
    while database.exists():
        given = (last,)
        rows = database.read(lambda db: db.execute(sql, given).fetchall())  # noqa: B023 - at once
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1][0]


def _tags(ledger: Database, n: int) -> list[str]:
    """Return the tags of the call *n*."""
    sql = "select tag from call_tags where call = ? order by tag"
    return [tag for (tag,) in ledger.read(lambda db: db.execute(sql, (n,)).fetchall())]


def imported(lines: Iterable[str], control: Database, ledger: Database) -> Counter[str]:
    """Store the rows in *lines*; return how many of each table were new. Raises Unavailable."""
    found: Counter[str] = Counter()
    parsed = (json.loads(line) for line in lines)
    for table, rows in itertools.groupby(parsed, key=lambda each: str(each[0])):
        database = control if table in ("records", "audit") else ledger
        given = (row for _, row in rows)
        while batch := list(itertools.islice(given, _AT_ONCE)):
            found[table] += database.write(lambda db: _stored(db, table, batch))  # noqa: B023
    if ledger.exists():
        ledger.write(_correct)
    return found


def _correct(db: Connection) -> None:
    """Let the sums that the target had hold the calls that are new."""
    for each in list(windows.differences(db)):
        windows.correct(db, each)


def _stored(db: Connection, table: str, rows: list[Row]) -> int:
    """Store *rows* of *table*; return how many were new."""
    return sum(_INSERT[table](db, row) for row in rows)


def _record(db: Connection, row: Row) -> int:
    """Store a record, unless there is one with its id or its alias."""
    kind, _, alias, *_ = row
    taken = "select 1 from records where kind = ? and alias = ?"
    if alias is not None and db.execute(taken, (kind, alias)).fetchone():
        return 0
    return _insert(db, "records", _RECORDS, row, "on conflict (kind, id) do nothing")


def _action(db: Connection, row: Row) -> int:
    """Store an action of an administrator, once."""
    at, actor, action, kind, id, _ = row
    known = """select 1 from audit
        where at = ? and actor = ? and action = ? and kind = ? and id = ?"""
    if db.execute(known, (at, actor, action, kind, id)).fetchone():
        return 0
    return _insert(db, "audit", _AUDIT, row, "")


def _call(db: Connection, row: Row) -> int:
    """Store a call and its tags, once; reports add it to their sums."""
    *columns, tags = row
    if not _insert(db, "calls", _CALLS, columns, "on conflict (id) do nothing"):
        return 0
    (n,) = db.execute("select n from calls where id = ?", (columns[0],)).fetchone()
    for tag in tags:
        db.execute("insert into call_tags values (?, ?)", (tag, n))
    db.execute("insert into unsummed values (?)", (n,))
    return 1


def _expired(db: Connection, row: Row) -> int:
    """Store the sums of calls that were deleted, unless the target has some of that scope."""
    return _insert(db, "expired", _EXPIRED, row, "on conflict (scope) do nothing")


def _hold(db: Connection, row: Row) -> int:
    """Store a reservation, once; it is charged when it expires."""
    return _insert(db, "holds", f"{_HOLDS}, windows", [*row, "[]"], "on conflict (id) do nothing")


def _insert(db: Connection, table: str, columns: str, row: Row, conflict: str) -> int:
    """Insert *row*; return 1 if it was new."""
    marks = ", ".join("?" * len(row))
    return db.execute(f"insert into {table} ({columns}) values ({marks}) {conflict}", row).rowcount


_INSERT = {
    "records": _record,
    "audit": _action,
    "calls": _call,
    "expired": _expired,
    "holds": _hold,
}
