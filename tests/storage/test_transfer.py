from __future__ import annotations

from pathlib import Path

from llmgate.storage import places
from llmgate.storage import transfer
from llmgate.storage.control import Control
from llmgate.storage.control import Records
from llmgate.storage.database import Database
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent
from llmgate.storage.reports import retention
from llmgate.storage.sql_ledger import SqlLedger

PAYER = Payer("k1", "ann", "red", "customer", "gpt-4o", ("a", "b"), "openai")


def fill(control: Database, ledger: Database) -> None:
    def work(records: Records) -> None:
        records.put("key", "h1", {"key_alias": "ci", "user_id": "ann"})
        records.put("team", "red", {"models": ["a"]})
        records.audit("master", "create", "key", "h1")

    Control(control).change(work)
    found = SqlLedger(ledger)
    for n in range(3):
        found.settle(Call(f"r{n}", 100, PAYER, 200, 7, "d", "/v1/chat", ttft_ms=5), 100)
    found.reserve(Hold("held", 100, 200, 50, PAYER), [Budget("key:k1", 1000)])


def test_everything_moves_to_another_store_once(place: str, tmp_path: Path) -> None:
    old = [places.database(tmp_path / "old", name) for name in ("control", "ledger")]
    new = [places.database(place, name) for name in ("control", "ledger")]
    fill(*old)
    lines = list(transfer.exported(*old))

    counts = [transfer.imported(lines, *new) for _ in range(2)]

    assert counts[0] == {"records": 2, "audit": 1, "calls": 3, "holds": 1}
    assert sum(counts[1].values()) == 0
    assert sorted(transfer.exported(*new)) == sorted(lines)
    ledger = SqlLedger(new[1])
    assert ledger.sums([Budget("tag:b", None)]) == [Spent(21, 50, 3)]
    assert ledger.sweep(201) == 1
    assert ledger.sums([Budget("key:k1", None)]) == [Spent(71, 0, 4)]
    assert ledger.check() == []
    for database in (*old, *new):
        database.close()


def test_a_store_without_anything_has_no_lines(tmp_path: Path) -> None:
    empty = [places.database(tmp_path, name) for name in ("control", "ledger")]

    assert list(transfer.exported(*empty)) == []
    assert list(tmp_path.iterdir()) == []


def test_a_record_whose_alias_is_taken_stays_out(tmp_path: Path) -> None:
    old = [places.database(tmp_path / "old", name) for name in ("control", "ledger")]
    new = [places.database(tmp_path / "new", name) for name in ("control", "ledger")]
    fill(*old)
    Control(new[0]).change(lambda records: records.put("key", "other", {"key_alias": "ci"}))

    assert transfer.imported(transfer.exported(*old), *new)["records"] == 1


def test_what_deleted_calls_cost_moves_once(tmp_path: Path) -> None:
    old = [places.database(tmp_path / "old", name) for name in ("control", "ledger")]
    new = [places.database(tmp_path / "new", name) for name in ("control", "ledger")]
    fill(*old)
    old[1].write(lambda db: retention.expire(db, 101, 300))

    for _ in range(2):
        transfer.imported(transfer.exported(*old), *new)

    assert SqlLedger(new[1]).sums([Budget("tag:b", None)]) == [Spent(21, 50, 3)]


def test_the_sums_of_a_ledger_in_use_hold_what_is_imported(tmp_path: Path) -> None:
    old = [places.database(tmp_path / "old", name) for name in ("control", "ledger")]
    new = [places.database(tmp_path / "new", name) for name in ("control", "ledger")]
    fill(*old)
    ledger = SqlLedger(new[1])
    ledger.reserve(Hold("mine", 100, 10**18, 5, PAYER), [Budget("key:k1", 1000)])

    transfer.imported(transfer.exported(*old), *new)

    assert ledger.sums([Budget("key:k1", None)]) == [Spent(21, 5, 3)]
    assert ledger.check() == []
