"""Sums of calls by hour and day: made of many calls at a time, always exact when they are read.

`unsummed` holds the calls that are not in the sums. Every 256th call adds those: calls that have
everything in common, as most of a gateway's have, cost one change. A report adds the rest first.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

from llmgate.storage.database import Connection
from llmgate.storage.reports.shapes import MICROS

EVERY = 256
"""Calls that are added at a time."""

MEASURES = """calls failed nano prompt_tokens completion_tokens cached_tokens cache_write_tokens
duration_ms""".split()

_IN_COMMON = "key_id, user_id, team_id, model, upstream_model, provider, endpoint"
_PLACES = {"key": 0, "user": 1, "team": 2, "model": 3, "provider": 5}  # of kinds in _IN_COMMON
_NUMBER = 7  # of columns in _IN_COMMON
_SUMS = "count(*), count(*) filter (where status not between 1 and 399)" + "".join(
    f", cast(coalesce(sum({name}), 0) as bigint)" for name in MEASURES[2:]
)


def _upsert(table: str, columns: str) -> str:
    """Return the statement that adds to the row of *table* that *columns* identify."""
    names = f"{columns}, {', '.join(MEASURES)}"
    marks = ", ".join("?" * (names.count(",") + 1))
    changes = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in MEASURES)
    return f"""insert into {table} ({names}) values ({marks})
    on conflict ({columns}) do update set {changes}"""


_ADD_ROLLUP = _upsert("rollups", "kind, unit, bucket, id")
_ADD_COMBINATION = _upsert("combinations", f"kind, id, day, {_IN_COMMON}")

Row = tuple[Any, ...]
"""The hour, an id, the columns of _IN_COMMON, and the measures of some calls."""


@functools.lru_cache
def _query(source: str, id: str, number: int) -> str:
    """Return the query for the Rows of a *number* of calls, by *id*."""
    hour = f"at - at % {MICROS['hour']}"
    columns = f"{hour}, {id}, {_IN_COMMON}"
    marks = ", ".join("?" * number)
    grouped = ", ".join(str(n + 1) for n in range(_NUMBER + 2))
    return f"select {columns}, {_SUMS} from {source} where n in ({marks}) group by {grouped}"


def _changes(rows: Iterable[Row], kind: str) -> Iterator[tuple[Row, Sequence[int]]]:
    """Yield the rollups that *rows* change; *kind* is that of their ids."""
    for hour, id, *more in rows:
        common, sums = more[:_NUMBER], more[_NUMBER:]
        ids = {kind: id}
        if kind == "end_user":
            ids |= {name: common[place] for name, place in _PLACES.items()}
            yield ("gateway", "hour", hour, ""), sums
        for name, found in ids.items():
            if found:
                yield (name, "hour", hour, found), sums


def _added_up(changes: Iterable[tuple[Row, Sequence[int]]]) -> dict[Row, list[int]]:
    """Return *changes* with one sum for each row."""
    found: dict[Row, list[int]] = {}
    for row, sums in changes:
        known = found.get(row)
        found[row] = [a + b for a, b in zip(known, sums, strict=True)] if known else [*sums]
    return found


def _day(hour: int) -> int:
    """Return the start of the day of *hour*."""
    return hour - hour % MICROS["day"]


def _change(db: Connection, numbers: Sequence[int], sign: int) -> None:
    """Add the calls with these *numbers* to all sums, or with the *sign* -1 remove them."""
    own = db.execute(_query("calls", "end_user", len(numbers)), numbers).fetchall()
    tagged = db.execute(
        _query("calls join call_tags on call = n", "tag", len(numbers)), numbers
    ).fetchall()
    hours = _added_up([*_changes(own, "end_user"), *_changes(tagged, "tag")])
    days = _added_up(
        ((kind, "day", _day(hour), id), sums) for (kind, _, hour, id), sums in hours.items()
    )
    for row, sums in sorted({**hours, **days}.items()):  # always in one order: no deadlocks
        db.execute(_ADD_ROLLUP, (*row, *(sign * each for each in sums)))
    combined = [(("", "", _day(row[0]), *row[2:9]), row[9:]) for row in own]
    combined += [(("tag", row[1], _day(row[0]), *row[2:9]), row[9:]) for row in tagged]
    for row, sums in sorted(_added_up(combined).items()):
        db.execute(_ADD_COMBINATION, (*row, *(sign * each for each in sums)))


def note(db: Connection, ids: Sequence[str]) -> int:
    """Note that the calls *ids* are not in the sums; return how many they are."""
    if ids:
        marks = ", ".join("?" * len(ids))
        db.execute(f"insert into unsummed select n from calls where id in ({marks})", ids)
    return len(ids)


def fold(db: Connection, most: int = EVERY) -> bool:
    """Add at most *most* calls to the sums; return whether there may be more."""
    rows = db.execute(
        """delete from unsummed where n in (select n from unsummed order by n limit ?)
        returning n""",
        (most,),
    ).fetchall()
    numbers = [n for (n,) in rows]
    if numbers:  # filled with zeros: one text of each query for any number
        _change(db, [*numbers, *[0] * (most - len(numbers))], 1)
    return len(rows) == most


def remove(db: Connection, n: int) -> None:
    """Take the call *n*, which is about to be deleted, out of the sums."""
    if not db.execute("delete from unsummed where n = ?", (n,)).rowcount:
        _change(db, [n], -1)
