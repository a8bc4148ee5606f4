from __future__ import annotations

import pytest

from llmgate.storage import places
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent
from llmgate.storage.reports import retention
from llmgate.storage.reports import rollups
from llmgate.storage.reports.shapes import MICROS
from llmgate.storage.reports.shapes import Filter
from llmgate.storage.reports.shapes import Range
from llmgate.storage.reports.shapes import Subject
from llmgate.storage.reports.sql_reports import SqlReports
from llmgate.storage.sql_ledger import SqlLedger

DAY = MICROS["day"]
ANN = Payer("k1", "ann", "red", "cc", "gpt-4o", ("a",), "openai")


@pytest.fixture
def ledger(place: str) -> SqlLedger:
    return SqlLedger(places.database(place, "ledger"))


def expire(ledger: SqlLedger, before: int, now: int) -> int:
    return ledger.database.write(lambda db: retention.expire(db, before, now))


def ids(ledger: SqlLedger) -> list[str]:
    return [call.id for call in SqlReports(ledger.database).calls(Filter(), None, 1000)]


def test_old_calls_are_deleted_and_their_sums_stay(ledger: SqlLedger) -> None:
    for day in range(4):
        ledger.settle(Call(f"r{day}", day * DAY, ANN, 200, 10), day * DAY)

    assert expire(ledger, 2 * DAY, 4 * DAY) == 2

    assert ids(ledger) == ["r3", "r2"]
    assert ledger.check() == []
    for scope in ("key:k1", "tag:a", "gateway:"):  # the last has no row: it is summed now
        assert ledger.sums([Budget(scope, None)]) == [Spent(40, 0, 4)], scope
    sums = SqlReports(ledger.database).totals("day", Range(0, 4 * DAY), Subject("tag", "a"))
    assert (sums.calls, sums.nano) == (4, 40)
    assert expire(ledger, 2 * DAY, 4 * DAY) == 0


def test_calls_in_a_window_that_has_not_ended_are_kept(ledger: SqlLedger) -> None:
    month = Budget("key:k1", None, "1mo", DAY, 30 * DAY)
    for day in range(3):
        ledger.settle(Call(f"r{day}", day * DAY, ANN, 200, 10), day * DAY)
    ledger.raise_hold("none", 0, [month])  # makes the row of the window

    assert expire(ledger, 20 * DAY, 20 * DAY) == 1
    assert ids(ledger) == ["r2", "r1"]
    assert ledger.check() == []

    assert expire(ledger, 20 * DAY, 31 * DAY) == 2
    assert ledger.check() == []


def test_calls_are_deleted_a_few_at_a_time_as_others_are_charged(place: str) -> None:
    ledger = SqlLedger(places.database(place, "ledger"), keep=DAY)
    calls = [Call(f"r{n}", n, ANN, 200, 1) for n in range(retention.AT_ONCE + 5)]
    ledger.settle_all(calls, 1)

    for second in (0, 1, 60):
        ledger.settle(Call(f"late{second}", 9 * DAY, ANN, 200, 1), 9 * DAY + second * 1_000_000)

    assert ids(ledger) == ["late60", "late1", "late0"]
    assert ledger.check() == []


def test_a_request_does_not_wait_for_all_sums(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, fold = [True] * 9, rollups.fold
    ledger.settle(Call("r1", 0, ANN, 200, 10), 0)
    monkeypatch.setattr(rollups, "fold", lambda db: left.pop() if left else fold(db))

    assert [expire(ledger, DAY, DAY) for _ in range(2)] == [0, 1]
