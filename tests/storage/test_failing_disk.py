"""The ledger on a disk that is full, and in a file that another program holds."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from contextlib import contextmanager
from pathlib import Path

import pytest

from llmgate.storage import breaker
from llmgate.storage import places
from llmgate.storage import sqlite
from llmgate.storage.database import Unavailable
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent
from llmgate.storage.queued_ledger import QueuedLedger
from llmgate.storage.sql_ledger import SqlLedger

PAYER = Payer("k1", "ann")
BUDGET = [Budget("key:k1", 100)]


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[QueuedLedger]:
    monkeypatch.setattr(sqlite, "_PATIENCE", 0.05)
    monkeypatch.setattr(breaker, "OPEN_SECONDS", 0.0)
    inner = SqlLedger(places.database(tmp_path, "ledger"))
    inner.settle(call("first"), 100)
    found = QueuedLedger(inner, tmp_path)
    yield found
    found.close()
    inner.database.close()


def hold(id: str) -> Hold:
    return Hold(id, 100, 10**18, 1, PAYER)


def call(id: str) -> Call:
    return Call(id, 100, PAYER, 200, 1)


@contextmanager
def full(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond *size* bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [0, 100])
def test_on_a_full_disk_nothing_is_lost(ledger: QueuedLedger, size: int) -> None:
    with full(size):
        with pytest.raises(Unavailable, match=r"ledger\.db cannot be used"):
            ledger.reserve(hold("r1"), BUDGET)
        for n in range(5):
            ledger.charge(call(f"c{n}"), False)
        with pytest.raises(Unavailable):
            ledger.flush()

    ledger.reserve(hold("r2"), BUDGET)

    assert ledger.sums(BUDGET) == [Spent(6, 1, 6)]
    assert ledger.check() == []


def test_while_another_program_holds_the_file_calls_are_kept(
    ledger: QueuedLedger, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(Unavailable, match="locked"):
            ledger.reserve(hold("r1"), BUDGET)
        ledger.charge(call("c1"), False)

    ledger.reserve(hold("r2"), BUDGET)

    assert ledger.sums(BUDGET) == [Spent(2, 1, 2)]
