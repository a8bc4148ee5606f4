from __future__ import annotations

from pathlib import Path

import pytest

from llmgate.storage import places
from llmgate.storage.database import Unavailable
from llmgate.storage.journal import Journal
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent
from llmgate.storage.sql_ledger import SqlLedger

PAYER = Payer("k1", "ann", tags=("a", "b"), provider="openai")


def call(id: str) -> Call:
    return Call(id, 100, PAYER, 200, 7, estimated=True)


@pytest.mark.parametrize("has_folder", [True, False])
def test_what_the_ledger_could_not_take_is_charged_once(tmp_path: Path, has_folder: bool) -> None:
    folder = tmp_path if has_folder else tmp_path / "none"  # else it is kept in memory
    journal, ledger = (
        Journal(folder / "journal.jsonl"),
        SqlLedger(places.database(tmp_path, "ledger")),
    )
    journal.keep(call("r1"), "the disk is full")
    journal.keep(call("r2"), "the disk is full")

    for _ in range(2):
        journal.replay(lambda kept: ledger.settle(kept, 101))

    assert ledger.sums([Budget("tag:b", None)]) == [Spent(14, 0, 2)]
    assert ledger.check() == []


def test_calls_are_kept_until_they_are_charged(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).keep(call("r1"), "locked")

    def fail(kept: Call) -> None:
        raise Unavailable("still locked")

    with pytest.raises(Unavailable):
        Journal(path).replay(fail)
    found: list[Call] = []
    Journal(path).replay(found.append)

    assert found == [call("r1")]
    assert path.read_text() == ""


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    Journal(path).keep(call("r1"), "locked")
    with path.open("a") as file:
        file.write('["r2", 1')
    found: list[Call] = []

    Journal(path).replay(found.append)

    assert [each.id for each in found] == ["r1"]
