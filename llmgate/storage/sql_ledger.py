"""The ledger in a database.

A row of `spend` is the sum of the calls of its scope in its window, and of the reservations that
name it (`storage.windows`). So nothing is ever reset, and a new budget knows what was spent
before it. Reserving and settling are written for few statements: each costs some microseconds.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterable
from collections.abc import Sequence

from llmgate.storage import windows
from llmgate.storage.database import Connection
from llmgate.storage.database import Database
from llmgate.storage.ledger import LOST
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Difference
from llmgate.storage.ledger import Exceeded
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent
from llmgate.storage.reports import retention
from llmgate.storage.reports import rollups
from llmgate.storage.windows import Window

_SWEEP_EVERY = 30_000_000  # microseconds between looks for expired holds
_SWEPT_AT_ONCE = 200
_MOST_KNOWN = 100_000  # scopes in memory

_HOLD_WITHIN = """update spend set held = held + ?
    where scope = ? and period = ? and window_start = ? and spent + held + ? <= ?"""
_RELEASE = """update spend set held = held - ?
    where scope = ? and period = ? and window_start = ?"""
_CALL = f"""insert into calls (id, at, key_id, user_id, team_id, end_user, model, provider,
    deployment, endpoint, status, prompt_tokens, completion_tokens, cached_tokens, nano, estimated,
    attempts, duration_ms, stream, upstream_model, cache_write_tokens, ttft_ms, error)
    values ({", ".join("?" * 23)}) on conflict (id) do nothing"""


class SqlLedger:
    """The ledger in *database*."""

    def __init__(self, database: Database, keep: int | None = None) -> None:
        """Keep calls for *keep* microseconds, None: for ever."""
        self.database = database
        self._keep = keep
        self._swept = 0
        self._unsummed = 0  # calls of this process since it added some to the rollups
        self._known: set[str] = set()  # scopes that have the window without an end

    def exists(self) -> bool:
        return self.database.exists()

    def reserve(self, hold: Hold, budgets: list[Budget], calls: Sequence[Call] = ()) -> None:
        made: list[str] = []

        def reserved(db: Connection) -> None:
            made[:] = self._settled(db, calls)[1]
            self._sweep_now_and_then(db, hold.at)
            limited = [each for each in budgets if each.nano is not None]
            _add_hold(db, limited, hold.nano)
            text = _text_of_windows(tuple(windows.of(each) for each in limited))
            row = (hold.id, hold.at, hold.expires, hold.nano, _text(hold.payer), text)
            db.execute("insert into holds values (?, ?, ?, ?, ?, ?)", row)

        try:
            self.database.write(reserved)
        except Exceeded:
            self._learn(made)
            raise
        self._learn(made)

    def raise_hold(self, id: str, nano: int, budgets: list[Budget]) -> None:
        def raised(db: Connection) -> None:
            for each in budgets:
                windows.ensure(db, each)
            row = db.execute("select nano, windows from holds where id = ?", (id,)).fetchone()
            if row is None or row[0] >= nano:
                return
            limits = {windows.of(each): each for each in budgets if each.nano is not None}
            held = [limits.get(each, Budget(each[0], None, *each[1:])) for each in _windows(row[1])]
            _add_hold(db, held, nano - row[0])
            db.execute("update holds set nano = ? where id = ?", (nano, id))

        self.database.write(raised)

    def settle(self, call: Call, now: int) -> bool:
        return self.settle_all([call], now)[0]

    def settle_all(self, calls: Sequence[Call], now: int) -> list[bool]:
        def settled(db: Connection) -> tuple[list[bool], list[str]]:
            self._sweep_now_and_then(db, now)
            return self._settled(db, calls)

        done, made = self.database.write(settled)
        self._learn(made)
        return done

    def sums(self, budgets: list[Budget]) -> list[Spent]:
        if not self.exists():
            return [Spent() for _ in budgets]
        return self.database.read(lambda db: [windows.sums(db, each) for each in budgets])

    def sweep(self, now: int) -> int:
        return self.database.write(lambda db: _sweep(db, now))

    def sync(self) -> None:
        self.database.sync()

    def check(self, repair: bool = False) -> list[Difference]:
        def checked(db: Connection) -> list[Difference]:
            found = list(windows.differences(db))
            for each in found if repair else ():
                windows.correct(db, each)
            return found

        return self.database.write(checked) if self.exists() else []

    def _settled(self, db: Connection, calls: Sequence[Call]) -> tuple[list[bool], list[str]]:
        """Charge *calls*; return which were not charged before, and scopes that are new."""
        new = [call.payer for call in calls if not self._known.issuperset(call.payer.scopes())]
        for payer in new:
            _make_windows(db, payer)
        made = [scope for payer in new for scope in payer.scopes()]
        done = [_settle(db, call) for call in calls]
        self._unsummed += rollups.note(
            db, [c.id for c, new in zip(calls, done, strict=True) if new]
        )
        if self._unsummed >= rollups.EVERY:
            self._unsummed = 0
            rollups.fold(db)
        return done, made

    def _learn(self, scopes: list[str]) -> None:
        """Note that *scopes* have the window without an end."""
        if len(self._known) > _MOST_KNOWN:
            self._known = set()
        self._known.update(scopes)

    def _sweep_now_and_then(self, db: Connection, now: int) -> None:
        """Charge holds of processes that died, if that was not done lately."""
        if now - self._swept > _SWEEP_EVERY:
            self._swept = now
            _sweep(db, now)
            if self._keep is not None:
                retention.expire(db, now - self._keep, now)


def now() -> int:
    """Return the time in microseconds since the epoch."""
    return time.time_ns() // 1000


def _add_hold(db: Connection, budgets: Sequence[Budget], nano: int) -> None:
    """Reserve *nano* in the windows of *budgets*; raises Exceeded, and changes nothing.

    A budget that is spent to the last cent has no room for a call that costs nothing either.
    """
    for n, budget in enumerate(budgets):
        if not _is_held(db, budget, nano):
            for each in budgets[:n]:
                db.execute(_RELEASE, (nano, *windows.of(each)))
            raise Exceeded(budget, windows.sums(db, budget))


def _is_held(db: Connection, budget: Budget, nano: int) -> bool:
    """Reserve *nano* in the window of *budget* and return True, or return False."""
    if budget.nano is None:
        db.execute(_RELEASE, (-nano, *windows.of(budget)))
        return True
    given = (nano, *windows.of(budget), max(nano, 1), budget.nano)
    if db.execute(_HOLD_WITHIN, given).rowcount:
        return True
    return windows.ensure(db, budget) and db.execute(_HOLD_WITHIN, given).rowcount > 0


def _settle(db: Connection, call: Call) -> bool:
    """Charge *call* and end its hold; return whether it was not charged before."""
    held = db.execute("select at, nano, windows from holds where id = ?", (call.id,)).fetchone()
    if held is not None:
        call = call._replace(at=held[0])
        _end_hold(db, call.id, held[1], held[2])
    return _charge(db, call) or _correct_lost(db, call)


def _end_hold(db: Connection, id: str, nano: int, text: str) -> None:
    """Delete the hold *id* of *nano* in the windows that *text* names."""
    db.execute("delete from holds where id = ?", (id,))
    for window in _windows(text):
        db.execute(_RELEASE, (nano, *window))


def _charge(db: Connection, call: Call) -> bool:
    """Write *call* and add it to the sums, or return False if there is such a call."""
    payer = call.payer
    row: list[str | int | None] = [call.id, call.at, payer.key, payer.user, payer.team]
    row += [payer.end_user, payer.model, payer.provider, call.deployment, call.endpoint]
    row += [call.status, call.prompt_tokens, call.completion_tokens, call.cached_tokens, call.nano]
    row += [int(call.estimated), call.attempts, call.duration_ms, int(call.stream)]
    row += [call.upstream_model, call.cache_write_tokens, call.ttft_ms, call.error]
    if not db.execute(_CALL, row).rowcount:
        return False
    if payer.tags:
        (n,) = db.execute("select n from calls where id = ?", (call.id,)).fetchone()
        for tag in sorted(set(payer.tags)):
            db.execute("insert into call_tags values (?, ?)", (tag, n))
    _add(db, payer.scopes(), call.at, call.nano or 0, 1)
    return True


def _add(db: Connection, scopes: Sequence[str], at: int, nano: int, calls: int) -> None:
    """Add *nano* and *calls* to the sums of *scopes* in every window that holds *at*."""
    db.execute(_statement(len(scopes)), (nano, calls, *scopes, at, at))


@functools.lru_cache
def _statement(scopes: int) -> str:
    """Return the statement that adds to the sums of so many *scopes*."""
    return f"""update spend set spent = spent + ?, calls = calls + ?
        where scope in ({", ".join("?" * scopes)}) and window_end > ? and window_start <= ?"""


def _correct_lost(db: Connection, call: Call) -> bool:
    """Replace the call of a hold that expired by *call*; return False if it was charged before."""
    n, status, at, nano = db.execute(
        "select n, status, at, nano from calls where id = ?", (call.id,)
    ).fetchone()
    if status != LOST or call.status == LOST:
        return False
    _add(db, _payer_of(db, n).scopes(), at, -(nano or 0), -1)
    rollups.remove(db, n)
    db.execute("delete from call_tags where call = ?", (n,))
    db.execute("delete from calls where n = ?", (n,))
    return _charge(db, call._replace(at=at))


def _payer_of(db: Connection, n: int) -> Payer:
    """Return who was charged for the call *n*."""
    key, user, team, end_user, model, provider = db.execute(
        "select key_id, user_id, team_id, end_user, model, provider from calls where n = ?", (n,)
    ).fetchone()
    tags = db.execute("select tag from call_tags where call = ?", (n,)).fetchall()
    return Payer(key, user, team, end_user, model, tuple(tag for (tag,) in tags), provider)


def _sweep(db: Connection, now: int) -> int:
    """Charge the holds that expired before *now*."""
    rows = db.execute(
        "select id, at, nano, payer from holds where expires < ? limit ?", (now, _SWEPT_AT_ONCE)
    ).fetchall()
    for id, at, nano, text in rows:
        payer = windows.payer(text)
        _make_windows(db, payer)
        _settle(db, Call(id, at, payer, LOST, nano, estimated=True))
        rollups.note(db, [id])
    return len(rows)


def _make_windows(db: Connection, payer: Payer) -> None:
    """Make the windows without an end that every call of *payer* is counted in."""
    for scope in payer.scopes():
        if scope.partition(":")[0] in windows.ALWAYS:
            windows.ensure(db, Budget(scope, None))


@functools.lru_cache(1024)
def _text(payer: Payer) -> str:
    """Return *payer* as JSON."""
    return json.dumps(payer)


@functools.lru_cache(1024)
def _text_of_windows(found: Iterable[Window]) -> str:
    """Return the windows *found* as JSON."""
    return json.dumps(found)


@functools.lru_cache(1024)
def _windows(text: str) -> list[Window]:
    """Return the windows that *text* holds as JSON."""
    return [(scope, period, start) for scope, period, start in json.loads(text)]
