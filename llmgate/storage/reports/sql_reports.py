"""Reports from the ledger in a database."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from llmgate.storage.database import Connection
from llmgate.storage.database import Database
from llmgate.storage.database import Rows
from llmgate.storage.database import Unavailable
from llmgate.storage.reports import rollups
from llmgate.storage.reports.shapes import MICROS
from llmgate.storage.reports.shapes import CallRow
from llmgate.storage.reports.shapes import Combination
from llmgate.storage.reports.shapes import Cursor
from llmgate.storage.reports.shapes import Filter
from llmgate.storage.reports.shapes import Measures
from llmgate.storage.reports.shapes import Page
from llmgate.storage.reports.shapes import Range
from llmgate.storage.reports.shapes import Subject
from llmgate.storage.reports.shapes import Unit
from llmgate.storage.reports.shapes import Wanted

T = TypeVar("T")

_FOLDED_AT_ONCE = 2000
_SORTED = 7 * MICROS["day"]  # of longer ranges there is too much to sort

_ANY_UNSUMMED = "select n from unsummed limit 1"
_SUMS = ", ".join(f"cast(coalesce(sum({name}), 0) as bigint)" for name in rollups.MEASURES)
_COMMON = "day, id, key_id, user_id, team_id, model, upstream_model, provider, endpoint"
_INDEXED = """key_id desc, user_id desc, team_id desc, model desc, upstream_model desc,
    provider desc, endpoint desc"""
_BUCKETS = """with recursive buckets (start) as (
    select cast(? as bigint) union all select start + ? from buckets where start + ? < ?)"""
_OF_SUBJECT = """from buckets join rollups
    on kind = ? and unit = ? and bucket = start and id = ?"""
_CALL = """n, id, at, key_id, user_id, team_id, end_user, model, provider, deployment, endpoint,
    status, prompt_tokens, completion_tokens, cached_tokens, nano, estimated, attempts, duration_ms,
    stream, upstream_model, cache_write_tokens, ttft_ms, error"""
_COLUMN = {
    "key": "key_id",
    "user": "user_id",
    "team": "team_id",
    "end_user": "end_user",
    "model": "model",
    "provider": "provider",
    "status": "status",
}
_FAILED = "status not between 1 and 399"


class SqlReports:
    """The reports of the ledger in *database*, which is another connection than the ledger's.

    A slow report must not delay what reads the ledger before a request. *flush* writes the calls
    that this process has not written yet.
    """

    def __init__(self, database: Database, flush: Callable[[], None] = lambda: None) -> None:
        self.database = database
        self._flush = flush

    def totals(self, unit: Unit, range: Range, subject: Subject = Subject()) -> Measures:
        sql = f"{_BUCKETS} select {_SUMS} {_OF_SUBJECT}"
        rows = self._rows(sql, [*_buckets(unit, range), subject.kind, unit, subject.id])
        return Measures(*rows[0]) if rows else Measures()

    def series(
        self, unit: Unit, range: Range, subject: Subject = Subject()
    ) -> list[tuple[int, Measures]]:
        named = ", ".join(rollups.MEASURES)
        sql = f"{_BUCKETS} select start, {named} {_OF_SUBJECT} where calls > 0 order by start"
        rows = self._rows(sql, [*_buckets(unit, range), subject.kind, unit, subject.id])
        return [(start, Measures(*sums)) for start, *sums in rows]

    def top(self, kind: str, unit: Unit, range: Range, limit: int) -> list[tuple[str, Measures]]:
        start, end = _whole(unit, range)
        # "+" (SQLite's for: no index) keeps a long range to rollups_ranked: nothing is sorted then
        bucket = "+bucket" if unit == "day" and end - start > _SORTED else "bucket"
        sql = f"""select id, {_SUMS} from rollups where kind = ? and unit = '{unit}'
        and {bucket} >= ? and {bucket} < ? group by id having sum(calls) > 0
        order by sum(nano) desc, sum(calls) desc, id limit ?"""
        rows = self._rows(sql, [kind, start, end, limit])
        return [(id, Measures(*sums)) for id, *sums in rows]

    def top_within(self, kind: str, wanted: Wanted, limit: int) -> list[tuple[str, Measures]]:
        where, given = _wanted(wanted)
        column = _COLUMN.get(kind, "id")
        sql = f"""select {column}, {_SUMS} from combinations where {where} group by 1
        having sum(calls) > 0 order by sum(nano) desc, sum(calls) desc, 1 limit ?"""
        return [(id, Measures(*sums)) for id, *sums in self._rows(sql, [*given, limit])]

    def combinations(self, wanted: Wanted, page: Page) -> list[Combination]:
        where, given = _wanted(wanted)
        named = ", ".join(rollups.MEASURES)
        order = _INDEXED if wanted.kind in ("", "tag") else "n desc"
        sql = f"""select {_COMMON}, {named} from combinations where {where} and calls > 0
        order by day desc, {order} limit ? offset ?"""
        rows = self._rows(sql, [*given, page.limit, page.offset])
        return [Combination._make([*row[:9], Measures(*row[9:])]) for row in rows]

    def count_combinations(self, wanted: Wanted) -> int:
        where, given = _wanted(wanted)
        sql = f"select count(*) from combinations where {where} and calls > 0"
        rows = self._rows(sql, given)
        return int(rows[0][0]) if rows else 0

    def calls(self, only: Filter, before: Cursor | None, limit: int) -> list[CallRow]:
        source, where, given = _found(only)
        order = "at desc, n desc" if only.tag is None else "call desc"  # along those of the tag
        if before is not None and only.tag is not None:
            where, given = [*where, "call < ?"], [*given, before.n]
        elif before is not None:
            where, given = [*where, "(at < ? or n < ?)"], [*given, before.at, before.n]
            given[1] = min(only.end, before.at + 1)
        sql = f"select {_CALL} from {source} where {' and '.join(where)} order by {order} limit ?"
        return self._read(lambda db: _with_tags(db, db.execute(sql, [*given, limit])), [])

    def count_calls(self, only: Filter, most: int) -> int:
        source, where, given = _found(only)
        sql = f"""select count(*) from
        (select 1 as found from {source} where {" and ".join(where)} limit ?) as some"""
        return self._read(lambda db: int(db.execute(sql, [*given, most]).fetchone()[0]), 0)

    def call(self, id: str) -> CallRow | None:
        return next(iter(self.calls(Filter(id=id), None, 1)), None)

    def _rows(self, sql: str, given: Sequence[Any]) -> list[Any]:
        """Return the rows of sums that *sql* finds; all calls are added first."""
        return self._read(lambda db: db.execute(sql, given).fetchall(), [], fold=True)

    def _read(self, work: Callable[[Connection], T], nothing: T, fold: bool = False) -> T:
        """Return what *work* reads, *nothing* if nothing was ever stored. Raises TooSlow."""
        with contextlib.suppress(Unavailable):
            self._flush()
        if not self.database.exists():
            return nothing
        if fold:
            self._fold()
        return self.database.read(work)

    def _fold(self) -> None:
        """Add the calls that are not in the sums yet; sums that cannot be written are older."""
        with contextlib.suppress(Unavailable):
            while self.database.read(lambda db: db.execute(_ANY_UNSUMMED).fetchone()):
                self.database.write(lambda db: rollups.fold(db, _FOLDED_AT_ONCE))


def _whole(unit: Unit, range: Range) -> Range:
    """Return *range*, widened to whole buckets of *unit*."""
    length = MICROS[unit]
    return Range(range.start - range.start % length, -(-range.end // length) * length)


def _buckets(unit: Unit, range: Range) -> list[int]:
    """Return the parameters of _BUCKETS."""
    length = MICROS[unit]
    start, end = _whole(unit, range)
    return [start, length, length, end]


def _wanted(wanted: Wanted) -> tuple[str, list[Any]]:
    """Return the condition for the combinations *wanted*, and its parameters."""
    start, end = _whole("day", wanted.range)
    own = wanted.kind in ("", "tag")
    where = ["kind = ?", "day >= ?", "day < ?"]
    given: list[Any] = [wanted.kind if own else "", start, end]
    if not wanted.kind:
        where.append("id = ''")
    elif wanted.ids:
        column = "id" if own else _COLUMN[wanted.kind]
        where.append(f"{column} in ({', '.join('?' * len(wanted.ids))})")
        given += wanted.ids
    if wanted.key is not None:
        where.append("key_id = ?")
        given.append(wanted.key)
    if wanted.model is not None:
        where.append("(model = ? or upstream_model = ?)")
        given += [wanted.model, wanted.model]
    return " and ".join(where), given


def _found(only: Filter) -> tuple[str, list[str], list[Any]]:
    """Return the tables of the calls of *only*, the conditions, and their parameters."""
    where, given = _filter(only)
    if only.tag is None:
        return "calls", where, given
    return "call_tags join calls on n = call", [*where, "tag = ?"], [*given, only.tag]


def _filter(only: Filter) -> tuple[list[str], list[Any]]:
    """Return the conditions for the calls of *only*, and their parameters."""
    plus = "" if only.id is None else "+"  # as in `top`: another index is better
    where = [f"{plus}at >= ?", f"{plus}at < ?"]
    given: list[Any] = [only.start, only.end]
    for name, column in _COLUMN.items():
        value = getattr(only, name)
        if value is not None:
            where.append(f"{column} = ?")
            given.append(value)
            if name in ("user", "team", "end_user"):
                where.append(f"{column} <> ''")  # for its index
    if only.id is not None:
        first, last = (only.id, only.id) if "/" in only.id else (f"{only.id}/", f"{only.id}0")
        where.append("id >= ? and id <= ?")  # "0" follows "/"
        given += [first, last]
    is_failed = only.failed
    if only.status is not None and not 1 <= only.status <= 399:
        is_failed = True  # for its index
    if is_failed is not None:
        where.append(_FAILED if is_failed else f"not ({_FAILED})")
    return where, given


def _with_tags(db: Connection, rows: Rows) -> list[CallRow]:
    """Return *rows* as calls with their tags."""
    found = {row[0]: CallRow(*row) for row in rows}
    if not found:
        return []
    marks = ", ".join("?" * len(found))
    sql = f"select call, tag from call_tags where call in ({marks}) order by tag"
    for n, tag in db.execute(sql, list(found)):
        found[n] = found[n]._replace(tags=(*found[n].tags, tag))
    return [
        row._replace(estimated=bool(row.estimated), stream=bool(row.stream))
        for row in found.values()
    ]
