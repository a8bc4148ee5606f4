"""How long every report takes over a ledger of ten million calls.

python bench/reports.py make /tmp/ledger 10000000     about twenty minutes, 7 GB
python bench/reports.py measure /tmp/ledger
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

from llmgate.storage import places
from llmgate.storage.reports import rollups
from llmgate.storage.reports.shapes import MICROS
from llmgate.storage.reports.shapes import Cursor
from llmgate.storage.reports.shapes import Filter
from llmgate.storage.reports.shapes import Page
from llmgate.storage.reports.shapes import Range
from llmgate.storage.reports.shapes import Subject
from llmgate.storage.reports.shapes import Wanted
from llmgate.storage.reports.sql_reports import SqlReports
from llmgate.storage.sql_ledger import SqlLedger

DAYS = 90
DAY, HOUR = MICROS["day"], MICROS["hour"]
START = 20_000 * DAY
END = START + DAYS * DAY
KEYS, USERS, TEAMS, END_USERS, TAGS, NAMES = 500, 200, 20, 2000, 30, 10

CALLS = f"""insert into calls with recursive n (n) as
    (select 1 union all select n + 1 from n where n < ?),
    r as (select n, (random() >> 11) / 9.007199254740992e15 + 0.5 a,
        (random() >> 11) / 9.007199254740992e15 + 0.5 b,
        (random() >> 11) / 9.007199254740992e15 + 0.5 c, abs(random()) d from n),
    p as (select *, cast({KEYS} * a * a as integer) key, cast({NAMES} * b * b as integer) m from r)
    select n, printf('%032x/ab12cd34', n), {START} + cast({DAYS * DAY}.0 * n / ? as integer),
    printf('%064x', key), 'user-' || (key % {USERS}), 'team-' || (key % {TEAMS}),
    'customer-' || cast({END_USERS} * c * c * c as integer), 'model-' || m, 'provider-' || (m % 4),
    'model-' || m || '-a', '/v1/chat/completions', case d % 50 when 0 then 429 else 200 end,
    d % 5000, d % 800, d % 2000, d % 5000 * 2500, 0, 1, 900, n % 2,
    'model-' || m || '-2026', 0, 200, case d % 50 when 0 then 'rate_limit_exceeded' else '' end
    from p"""
"""A few keys and models make most of the calls, as everywhere."""

TAGS_OF_CALLS = f"""insert into call_tags
    select 'tag-' || cast({TAGS} * (abs(random()) % 1000) / 1000.0 as integer) tag, n from calls
    order by tag, n"""


def fill(db: Connection, total: int) -> None:
    """Make *total* calls and their sums; the indices are made afterwards, which is faster."""
    indices = db.execute(
        "select name, sql from sqlite_master where type = 'index' and sql is not null"
    ).fetchall()
    db.execute("pragma cache_size = -1000000")
    for name, _ in indices:
        db.execute(f"drop index {name}")
    for sql, given in ((CALLS, (total, total)), (TAGS_OF_CALLS, ())):
        db.execute(sql, given)
        print(sql[:30], flush=True)
    tagged = "calls join call_tags on call = n"
    names = ("key_id", "user_id", "team_id", "end_user", "model", "provider", "tag")
    for column in ("''", *names):
        kind = "gateway" if column == "''" else column.removesuffix("_id")
        for unit, length in MICROS.items():
            db.execute(
                f"""insert into rollups select '{kind}', '{unit}', at - at % {length}, {column},
                {SUMS} from {tagged if kind == "tag" else "calls"} group by 3, 4"""
            )
        print(kind, flush=True)
    for kind in ("", "tag"):
        db.execute(
            f"""insert into combinations select null, '{kind}', {kind or "''"}, at - at % {DAY},
            {COMMON}, {SUMS} from {tagged if kind else "calls"} group by 3, 4, {COMMON}"""
        )
    for name, sql in indices:
        db.execute(sql)
        print(name, flush=True)


SUMS = rollups._SUMS  # the same that a gateway writes
COMMON = rollups._IN_COMMON


def make(folder: Path, total: int) -> None:
    """Make a ledger of *total* calls."""
    ledger = SqlLedger(places.database(folder, "ledger"))
    ledger.database.write(functools.partial(fill, total=total))


def reports(found: SqlReports) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield each report that a page or an endpoint makes."""
    every, month = Range(START, END), Range(END - 30 * MICROS["day"], END)
    key, team = f"{0:064x}", "team-3"
    day = Range(END - MICROS["day"], END)
    last = found.calls(Filter(), None, 1)[0]
    middle = Cursor((START + END) // 2, last.n // 2)
    yield "totals, 90 days", lambda: found.totals("day", every)
    yield "series by day, 90 days, one key", lambda: found.series("day", every, Subject("key", key))
    yield "series by hour, 90 days", lambda: found.series("hour", every)
    for kind in ("key", "user", "team", "end_user", "tag", "model", "provider"):
        yield f"top {kind}s, 90 days", lambda kind=kind: found.top(kind, "day", every, 50)
    yield "top keys by hour, 1 day", lambda: found.top("key", "hour", day, 50)
    yield "top end users by hour, 1 day", lambda: found.top("end_user", "hour", day, 50)
    for subject in (Wanted(every, "key", [key]), Wanted(month, "team", [team])):
        yield f"models of a {subject.kind}", lambda s=subject: found.top_within("model", s, 50)
    yield "activity, 30 days, page 1", lambda: found.combinations(Wanted(month), Page())
    yield "activity, 30 days, page 51", lambda: found.combinations(Wanted(month), Page(50_000))
    yield "activity, 30 days, pages", lambda: found.count_combinations(Wanted(month))
    yield "activity of a tag", lambda: found.combinations(Wanted(month, "tag", ["tag-1"]), Page())
    filters = {
        "": Filter(),
        "of a key": Filter(key=key),
        "of a rare key": Filter(key=f"{KEYS - 1:064x}"),
        "of a model": Filter(model="model-9"),
        "of a key and a model": Filter(key=key, model="model-9"),
        "that failed": Filter(failed=True),
        "with status 429 of a team": Filter(status=429, team=team),
        "of a tag": Filter(tag="tag-29"),
        "of an end user": Filter(end_user="customer-1999"),
        "of a day": Filter(start=END - 5 * MICROS["day"], end=END - 4 * MICROS["day"]),
    }
    for name, only in filters.items():
        yield f"calls {name}", lambda only=only: found.calls(only, None, 100)
        yield f"calls {name}, in the middle", lambda only=only: found.calls(only, middle, 100)
    yield "one call by its id", lambda: found.call(last.id)
    yield "one call by its request's id", lambda: found.call(last.id.partition("/")[0])


def measure(folder: Path) -> None:
    """Print the milliseconds of each report, of three runs: elapsed and CPU time."""
    print(f"{'slowest':>8} {'median':>8} {'CPU':>8} {'median':>8}")
    for name, work in reports(SqlReports(places.database(folder, "ledger"))):
        times = []
        for _ in range(3):
            began = time.perf_counter(), time.process_time()
            work()
            ended = time.perf_counter(), time.process_time()
            times.append(
                [(after - before) * 1000 for before, after in zip(began, ended, strict=True)]
            )
        wall, cpu = (sorted(each) for each in zip(*times, strict=True))
        print(f"{wall[-1]:8.1f} {wall[1]:8.1f} {cpu[-1]:8.1f} {cpu[1]:8.1f}  {name}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        measure(Path(sys.argv[2]))
