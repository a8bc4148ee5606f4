"""The ledger in one SQLite file.

A row of `spend` is the sum of the calls and holds of its scope in its window, and of nothing else:
it is made from them when its window is first used, changed in the transaction that changes them,
and `check` compares. So nothing is ever reset, and a new budget knows what was spent before it.
"""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import NamedTuple

from llmgate.storage.ledger import LOST
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Difference
from llmgate.storage.ledger import Exceeded
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent
from llmgate.storage.sqlite import Database

_SWEEP_EVERY = 30_000_000  # microseconds between looks for expired holds
_SWEPT_AT_ONCE = 200

_WHERE = {
    "gateway": "1",
    "key": "c.key_id = ?",
    "user": "c.user_id = ?",
    "team": "c.team_id = ?",
    "end_user": "c.end_user = ?",
    "model": "c.model = ?",
    "provider": "c.provider = ?",
    "member": "c.team_id = ? and c.user_id = ?",
    "key_model": "c.key_id = ? and c.model = ?",
    "tag": "c.n in (select call from call_tags where tag = ?)",
}
"""Which calls are those of a scope, by its kind."""

_SPENT = "select spent, held, calls from spend where scope = ? and period = ? and window_start = ?"
_RESERVE = """update spend set held = held + ?1
    where scope = ?2 and window_start <= ?3 and window_end > ?3"""
_RESERVE_WITHIN = """update spend set held = held
    where scope = ? and period = ? and window_start = ? and spent + held + ? <= ?"""
_CHARGE = """update spend set spent = spent + ?1, held = held - ?2, calls = calls + ?3
    where scope = ?4 and window_start <= ?5 and window_end > ?5"""


class _Change(NamedTuple):
    """What changes in the sums."""

    spent: int
    held: int
    calls: int


class SqliteLedger:
    """The ledger in the file at *path*."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, "ledger")
        self._swept = 0

    def exists(self) -> bool:
        return self.database.exists()

    def reserve(self, hold: Hold, budgets: list[Budget]) -> None:
        def reserved(db: sqlite3.Connection) -> None:
            self._sweep_now_and_then(db, hold.at)
            _make_rows(db, [*budgets, *_for_all_time(hold.payer)])
            _check_room(db, budgets, hold.nano)
            payer = json.dumps(hold.payer)
            row = (hold.id, hold.at, hold.expires, hold.nano, payer)
            db.execute("insert into holds values (?, ?, ?, ?, ?)", row)
            for scope in hold.payer.scopes():
                db.execute(_RESERVE, (hold.nano, scope, hold.at))

        self.database.write(reserved)

    def raise_hold(self, id: str, nano: int, budgets: list[Budget]) -> None:
        def raised(db: sqlite3.Connection) -> None:
            hold = _hold(db, id)
            if hold is None or hold.nano >= nano:
                return
            more = nano - hold.nano
            _check_room(db, budgets, more)
            db.execute("update holds set nano = ? where id = ?", (nano, id))
            for scope in hold.payer.scopes():
                db.execute(_RESERVE, (more, scope, hold.at))

        self.database.write(raised)

    def settle(self, call: Call, now: int) -> bool:
        def settled(db: sqlite3.Connection) -> bool:
            self._sweep_now_and_then(db, now)
            hold = _hold(db, call.id)
            if hold is None:
                return _charge_without_hold(db, call)
            _charge(db, call._replace(at=hold.at), hold)
            return True

        return self.database.write(settled)

    def sums(self, budgets: list[Budget]) -> list[Spent]:
        if not self.exists():
            return [Spent() for _ in budgets]
        return self.database.read(lambda db: [_sums(db, budget) for budget in budgets])

    def sweep(self, now: int) -> int:
        return self.database.write(lambda db: _sweep(db, now))

    def check(self, repair: bool = False) -> list[Difference]:
        def checked(db: sqlite3.Connection) -> list[Difference]:
            found = list(_differences(db))
            for each in found if repair else ():
                db.execute(
                    """update spend set spent = ?, held = ?, calls = ?
                    where scope = ? and period = ? and window_start = ?""",
                    (*each.actual, each.scope, each.period, each.start),
                )
            return found

        return self.database.write(checked) if self.exists() else []

    def _sweep_now_and_then(self, db: sqlite3.Connection, now: int) -> None:
        """Charge holds of processes that died, if that was not done lately."""
        if now - self._swept > _SWEEP_EVERY:
            self._swept = now
            _sweep(db, now)


def now() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1000


def _hold(db: sqlite3.Connection, id: str) -> Hold | None:
    """Return the hold *id*."""
    row = db.execute("select * from holds where id = ?", (id,)).fetchone()
    return _hold_of(row) if row else None


def _hold_of(row: tuple[str, int, int, int, str]) -> Hold:
    """Return the hold in *row*."""
    id, at, expires, nano, payer = row
    return Hold(id, at, expires, nano, _payer(payer))


def _payer(text: str) -> Payer:
    """Return the payer that *text* holds as JSON."""
    found = Payer(*json.loads(text))
    return found._replace(tags=tuple(found.tags))


def _make_rows(db: sqlite3.Connection, budgets: list[Budget]) -> None:
    """Make the row of each window that is used for the first time, from its calls and holds."""
    for budget in budgets:
        key = (budget.scope, budget.period, budget.start)
        if db.execute(_SPENT, key).fetchone() is None:
            sums = _actual(db, budget.scope, budget.start, budget.end)
            row = (*key, budget.end, *sums)
            db.execute("insert into spend values (?, ?, ?, ?, ?, ?, ?)", row)


def _check_room(db: sqlite3.Connection, budgets: list[Budget], nano: int) -> None:
    """Raise Exceeded for the first of *budgets* that has no room for *nano* more.

    A budget that is spent to the last cent has no room for a call that costs nothing either.
    """
    for budget in budgets:
        if budget.nano is None:
            continue
        key = (budget.scope, budget.period, budget.start)
        if db.execute(_RESERVE_WITHIN, (*key, max(nano, 1), budget.nano)).rowcount == 0:
            raise Exceeded(budget, _sums(db, budget))


def _sums(db: sqlite3.Connection, budget: Budget) -> Spent:
    """Return the sums of the window of *budget*, also if it has no row yet."""
    row = db.execute(_SPENT, (budget.scope, budget.period, budget.start)).fetchone()
    return Spent(*row) if row else _actual(db, budget.scope, budget.start, budget.end)


def _for_all_time(payer: Payer) -> list[Budget]:
    """Return the windows without an end that *payer* is counted in."""
    return [Budget(scope, None) for scope in payer.scopes()]


def _charge(db: sqlite3.Connection, call: Call, hold: Hold | None) -> None:
    """Write *call*, end *hold*, and change the sums by both."""
    _make_rows(db, _for_all_time(call.payer))
    if hold is not None:
        db.execute("delete from holds where id = ?", (hold.id,))
        _change(db, hold.payer, call.at, _Change(0, hold.nano, 0))
    _insert(db, call)
    _change(db, call.payer, call.at, _Change(call.nano or 0, 0, 1))


def _change(db: sqlite3.Connection, payer: Payer, at: int, change: _Change) -> None:
    """Change the sums of *payer*'s scopes in all windows that hold *at*."""
    for scope in payer.scopes():
        db.execute(_CHARGE, (*change, scope, at))


def _charge_without_hold(db: sqlite3.Connection, call: Call) -> bool:
    """Charge *call*, which has no hold: none was needed, or it expired, or it was charged."""
    found = db.execute("select n, status, at, nano from calls where id = ?", (call.id,)).fetchone()
    if found is None:
        _charge(db, call, None)
        return True
    n, status, at, nano = found
    if status != LOST or call.status == LOST:
        return False
    _change(db, _payer_of(db, n), at, _Change(-(nano or 0), 0, -1))
    db.execute("delete from call_tags where call = ?", (n,))
    db.execute("delete from calls where n = ?", (n,))
    _charge(db, call._replace(at=at), None)
    return True


def _payer_of(db: sqlite3.Connection, n: int) -> Payer:
    """Return who was charged for the call *n*."""
    key, user, team, end_user, model, provider = db.execute(
        "select key_id, user_id, team_id, end_user, model, provider from calls where n = ?", (n,)
    ).fetchone()
    tags = db.execute("select tag from call_tags where call = ?", (n,)).fetchall()
    return Payer(key, user, team, end_user, model, tuple(tag for (tag,) in tags), provider)


def _insert(db: sqlite3.Connection, call: Call) -> None:
    """Write *call* and its tags."""
    payer = call.payer
    row: list[str | int | None] = [call.id, call.at, payer.key, payer.user, payer.team]
    row += [payer.end_user, payer.model, payer.provider, call.deployment, call.endpoint]
    row += [call.status, call.prompt_tokens, call.completion_tokens, call.cached_tokens, call.nano]
    row += [int(call.estimated), call.attempts, call.duration_ms, int(call.stream)]
    n = db.execute(f"insert into calls values (null{', ?' * len(row)})", row).lastrowid
    for tag in sorted(set(payer.tags)):
        db.execute("insert into call_tags values (?, ?)", (tag, n))


def _sweep(db: sqlite3.Connection, now: int) -> int:
    """Charge the holds that expired before *now*."""
    rows = db.execute(
        "select * from holds where expires < ? limit ?", (now, _SWEPT_AT_ONCE)
    ).fetchall()
    for row in rows:
        hold = _hold_of(row)
        lost = Call(hold.id, hold.at, hold.payer, LOST, hold.nano, estimated=True)
        _charge(db, lost, hold)
    return len(rows)


def _actual(db: sqlite3.Connection, scope: str, start: int, end: int) -> Spent:
    """Return the sums of the calls and holds of *scope* from *start* to *end*."""
    kind, _, id = scope.partition(":")
    given = id.split("\n", 1) if "?" in _WHERE[kind] else []
    spent, calls = db.execute(
        f"""select coalesce(sum(c.nano), 0), count(*) from calls c
        where {_WHERE[kind]} and c.at >= ? and c.at < ?""",
        (*given, start, end),
    ).fetchone()
    rows = db.execute("select nano, payer from holds where at >= ? and at < ?", (start, end))
    held = sum(nano for nano, payer in rows if scope in _payer(payer).scopes())
    return Spent(spent, held, calls)


def _differences(db: sqlite3.Connection) -> list[Difference]:
    """Return the sums that are not those of their rows."""
    found = []
    rows = db.execute("select * from spend").fetchall()
    for scope, period, start, end, *sums in rows:
        actual = _actual(db, scope, start, end)
        if actual != Spent(*sums):
            found.append(Difference(scope, period, start, Spent(*sums), actual))
    return found
