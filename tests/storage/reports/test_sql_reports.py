from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from llmgate.storage import places
from llmgate.storage.database import TooSlow
from llmgate.storage.ledger import LOST
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.reports.shapes import MICROS
from llmgate.storage.reports.shapes import CallRow
from llmgate.storage.reports.shapes import Cursor
from llmgate.storage.reports.shapes import Filter
from llmgate.storage.reports.shapes import Measures
from llmgate.storage.reports.shapes import Page
from llmgate.storage.reports.shapes import Range
from llmgate.storage.reports.shapes import Subject
from llmgate.storage.reports.shapes import Wanted
from llmgate.storage.reports.sql_reports import SqlReports
from llmgate.storage.sql_ledger import SqlLedger

HOUR, DAY = MICROS["hour"], MICROS["day"]
WEEK = Range(0, 7 * DAY)
ANN = Payer("k1", "ann", "red", "customer", "gpt-4o", ("a", "b"), "openai")
BOB = Payer("k2", "bob", "red", "", "claude", (), "anthropic")


@pytest.fixture
def ledger(place: str) -> Iterator[SqlLedger]:
    found = SqlLedger(places.database(place, "ledger"))
    yield found
    found.database.close()


@pytest.fixture
def reports(place: str) -> Iterator[SqlReports]:
    found = SqlReports(places.database(place, "ledger"))
    yield found
    found.database.close()


def charge(ledger: SqlLedger, id: str, at: int, payer: Payer, nano: int, status: int = 200) -> None:
    call = Call(id, at, payer, status, nano, "d1", "/v1/chat/completions", 10, 5, 3)
    ledger.settle(call._replace(duration_ms=7, upstream_model="up", cache_write_tokens=2), at)


def of(calls: int, nano: int, failed: int = 0) -> Measures:
    return Measures(calls, failed, nano, 10 * calls, 5 * calls, 3 * calls, 2 * calls, 7 * calls)


def test_reports_of_a_ledger_that_is_never_used_are_empty_and_make_no_file(
    reports: SqlReports, tmp_path: Path
) -> None:
    assert reports.totals("day", WEEK) == Measures()
    assert reports.series("hour", WEEK) == []
    assert reports.top("key", "day", WEEK, 10) == []
    assert reports.combinations(Wanted(WEEK), Page()) == []
    assert reports.count_combinations(Wanted(WEEK)) == 0
    assert (reports.calls(Filter(), None, 10), reports.call("r1/")) == ([], None)
    assert list(tmp_path.iterdir()) == []


def test_each_call_is_in_the_sums_of_all_that_it_belongs_to(
    ledger: SqlLedger, reports: SqlReports
) -> None:
    charge(ledger, "r1", 5, ANN, 100)
    charge(ledger, "r2", HOUR, ANN, 30, status=500)
    charge(ledger, "r3", DAY + 1, BOB, 1000)

    owned = {"key": "k1", "user": "ann", "end_user": "customer", "tag": "b", "model": "gpt-4o"}
    for kind, id in {**owned, "provider": "openai"}.items():
        assert reports.totals("day", WEEK, Subject(kind, id)) == of(2, 130, failed=1), kind
    assert reports.totals("hour", WEEK, Subject("team", "red")) == of(3, 1130, failed=1)
    assert reports.series("hour", WEEK) == [
        (0, of(1, 100)),
        (HOUR, of(1, 30, failed=1)),
        (DAY, of(1, 1000)),
    ]
    assert reports.series("day", Range(5, 6), Subject("key", "k1")) == [(0, of(2, 130, 1))]
    assert reports.top("key", "day", WEEK, 10) == [("k2", of(1, 1000)), ("k1", of(2, 130, 1))]
    assert reports.top("key", "day", WEEK, 1) == [("k2", of(1, 1000))]
    assert reports.top("user", "day", Range(0, DAY), 9) == [("ann", of(2, 130, 1))]


def test_combinations_show_who_used_what_on_a_day(ledger: SqlLedger, reports: SqlReports) -> None:
    charge(ledger, "r1", 5, ANN, 100)
    charge(ledger, "r2", 6, ANN, 100)
    charge(ledger, "r3", DAY, BOB, 7)

    found = reports.combinations(Wanted(WEEK, "team", ["red"]), Page())
    shown = [(each.day, each.key, each.model, each.measures) for each in found]
    assert shown == [(DAY, "k2", "claude", of(1, 7)), (0, "k1", "gpt-4o", of(2, 200))]
    assert reports.count_combinations(Wanted(WEEK, "team", ["red", "blue"])) == 2
    assert reports.combinations(Wanted(WEEK), Page(1, 1)) == found[1:]
    assert reports.combinations(Wanted(WEEK, key="k2"), Page()) == found[:1]
    assert reports.combinations(Wanted(WEEK, model="up"), Page()) == found
    assert reports.combinations(Wanted(WEEK, model="other"), Page()) == []
    assert reports.combinations(Wanted(WEEK, "user", ["nobody"]), Page()) == []
    tagged = reports.combinations(Wanted(WEEK, "tag"), Page())
    assert sorted((each.id, each.measures) for each in tagged) == [
        ("a", of(2, 200)),
        ("b", of(2, 200)),
    ]
    within = Wanted(WEEK, "team", ["red"])
    assert reports.top_within("model", within, 9) == [("gpt-4o", of(2, 200)), ("claude", of(1, 7))]
    assert reports.top_within("key", Wanted(WEEK, "tag", ["a"]), 9) == [("k1", of(2, 200))]


def test_calls_are_listed_newest_first_a_page_at_a_time(
    ledger: SqlLedger, reports: SqlReports
) -> None:
    for at in range(5):
        charge(ledger, f"r{at}", at, ANN if at % 2 else BOB, at, status=500 if at == 3 else 200)

    def ids(only: Filter = Filter(), before: Cursor | None = None, limit: int = 9) -> list[str]:
        return [call.id for call in reports.calls(only, before, limit)]

    first = reports.calls(Filter(), None, 2)
    assert [call.id for call in first] == ["r4", "r3"]
    assert ids(before=Cursor(first[-1].at, first[-1].n)) == ["r2", "r1", "r0"]
    assert ids(Filter(tag="a")) == ["r3", "r1"]
    assert ids(Filter(tag="a"), Cursor(3, first[-1].n)) == ["r1"]
    assert ids(Filter(key="k2", model="claude", provider="anthropic")) == ["r4", "r2", "r0"]
    assert ids(Filter(user="ann", team="red", end_user="customer")) == ["r3", "r1"]
    assert ids(Filter(failed=True)) == ids(Filter(status=500)) == ["r3"]
    assert ids(Filter(failed=False, status=200)) == ["r4", "r2", "r1", "r0"]
    assert ids(Filter(start=1, end=3)) == ["r2", "r1"]


def test_a_call_is_found_by_its_id_and_by_that_of_its_request(
    ledger: SqlLedger, reports: SqlReports
) -> None:
    charge(ledger, "abc/1", 5, ANN, 100)
    charge(ledger, "abcd/2", 6, BOB, 100)

    found = reports.call("abc")

    assert found == reports.call("abc/1")
    assert found is not None and found == CallRow(
        *(found.n, "abc/1", 5, "k1", "ann", "red", "customer", "gpt-4o", "openai", "d1"),
        *("/v1/chat/completions", 200, 10, 5, 3, 100, False, 1, 7, False, "up", 2, None, ""),
        tags=("a", "b"),
    )


def test_a_lost_call_that_is_corrected_leaves_the_sums(
    ledger: SqlLedger, reports: SqlReports
) -> None:
    ledger.reserve(Hold("r1", 5, 6, 900, ANN), [])
    ledger.sweep(10)
    assert reports.totals("day", WEEK) == Measures(1, 1, 900)

    charge(ledger, "r1", 5, ANN, 100)

    assert reports.totals("day", WEEK) == of(1, 100)
    assert reports.top("tag", "day", WEEK, 1) == [("a", of(1, 100))]
    assert reports.top_within("key", Wanted(WEEK), 9) == [("k1", of(1, 100))]


def test_the_sums_are_those_of_the_calls_whatever_is_read_and_corrected(tmp_path: Path) -> None:
    @settings(max_examples=10)
    @given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), max_size=12))
    def holds_for(steps: list[tuple[int, bool, bool]]) -> None:
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        ledger = SqlLedger(places.database(place, "ledger"))
        reports = SqlReports(ledger.database)
        charged = {}
        for number, (at, lost, read) in enumerate(steps):
            call = Call(f"r{number}", at * DAY, ANN, LOST, 9)
            if lost:
                ledger.settle(call, 0)
            if read:
                reports.totals("day", WEEK)
            ledger.settle(call._replace(status=200, nano=number), 0)
            charged[number] = at
        expected = [(sum(1 for at in charged.values() if at == day), day * DAY) for day in range(4)]
        assert [(sums.calls, day) for day, sums in reports.series("day", WEEK)] == [
            each for each in expected if each[0]
        ]
        assert reports.totals("day", WEEK, Subject("tag", "a")).nano == sum(charged)

    holds_for()


def test_many_calls_are_added_as_they_are_charged(ledger: SqlLedger, reports: SqlReports) -> None:
    def unsummed() -> int:
        count = "select count(*) from unsummed"
        return reports.database.read(lambda db: int(db.execute(count).fetchone()[0]))

    for number in range(257):
        charge(ledger, f"r{number}", 5, ANN, 1)
    assert unsummed() == 1
    assert reports.totals("day", WEEK).calls == 257
    assert unsummed() == 0


def test_a_list_that_takes_too_long_is_refused(ledger: SqlLedger, place: str) -> None:
    charge(ledger, "r1", 5, ANN, 1)
    ledger.database.write(
        lambda db: db.execute(
            """insert into calls (id, at, status) with recursive n (i) as
            (select 1 union all select i + 1 from n where i < 30000)
            select 'x' || i, i, 200 from n"""
        )
    )

    reports = SqlReports(places.database(place, "ledger", seconds=0.0))
    with pytest.raises(TooSlow):
        reports.calls(Filter(provider="none"), None, 1)
