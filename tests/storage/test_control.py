from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmgate.storage import places
from llmgate.storage.control import AliasTaken
from llmgate.storage.control import Control
from llmgate.storage.control import Filter
from llmgate.storage.control import Records


@pytest.fixture
def control(place: str) -> Iterator[Control]:
    found = Control(places.database(place, "control"))
    yield found
    found.database.close()


def test_before_the_first_change_there_is_no_file(control: Control, tmp_path: Path) -> None:
    assert (control.exists(), control.version()) == (False, 0)
    assert list(tmp_path.iterdir()) == []


def test_a_record_is_what_was_put_last(control: Control) -> None:
    control.change(lambda records: records.put("team", "t1", {"models": ["a"]}))
    control.change(lambda records: records.put("team", "t1", {"models": ["b"]}))

    assert control.read(lambda records: records.get("team", "t1")) == {"models": ["b"]}
    assert control.read(lambda records: records.get("user", "t1")) is None


def test_two_keys_cannot_share_an_alias(control: Control) -> None:
    control.change(lambda records: records.put("key", "h1", {"key_alias": "ci"}))

    with pytest.raises(AliasTaken):
        control.change(lambda records: records.put("key", "h2", {"key_alias": "ci"}))

    assert control.read(lambda records: len(records.list("key"))) == 1


def test_an_error_undoes_the_whole_change(control: Control) -> None:
    def fail(records: Records) -> None:
        records.put("team", "t1", {})
        raise LookupError("no")

    with pytest.raises(LookupError):
        control.change(fail)

    assert control.read(lambda records: records.list("team")) == []


def test_records_are_listed_by_owner_in_the_order_they_were_made(control: Control) -> None:
    def fill(records: Records) -> None:
        for n, user in enumerate(["ann", "bob", "ann"]):
            records.put("key", f"h{n}", {"n": n, "user_id": user})
        records.put("key", "h0", {"n": 9, "user_id": "ann"})

    control.change(fill)

    found = control.read(lambda records: records.list("key", Filter(user_id="ann")))
    assert [each["n"] for each in found] == [9, 2]


def test_a_change_by_another_process_changes_the_version(control: Control, place: str) -> None:
    control.change(lambda records: records.put("key", "h1", {}))
    before = control.version()
    program = (
        "import sys; from llmgate.storage import places;"
        "from llmgate.storage.control import Control;"
        "control = Control(places.database(sys.argv[1], 'control'));"
        "control.change(lambda records: records.delete('key', 'h1'))"
    )

    assert control.version() == before
    subprocess.run([sys.executable, "-c", program, place], check=True)

    assert control.version() != before
    assert control.read(lambda records: records.get("key", "h1")) is None


def test_the_audit_tells_who_did_what(control: Control) -> None:
    def block(records: Records) -> None:
        records.put("key", "h1", {"blocked": True})
        records.audit("master", "block", "key", "h1")

    control.change(block)

    (row,) = control.database.read(
        lambda db: db.execute("select actor, action, kind, id, data from audit").fetchall()
    )
    assert row[:4] == ("master", "block", "key", "h1")
    assert json.loads(row[4]) == {"blocked": True}
