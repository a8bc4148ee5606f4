from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from llmgate.storage import journal
from llmgate.storage.journal import JournalFile
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Payer

PAYER = Payer("k1", "ann", tags=("a", "b"), provider="openai")


def call(id: str) -> Call:
    return Call(id, 100, PAYER, 200, 7, estimated=True)


def abandoned(folder: Path) -> list[Call]:
    found: list[Call] = []
    journal.charge_abandoned(folder, found.extend)
    return found


_DYING = """
import os, sys
from pathlib import Path
from llmgate.storage.journal import JournalFile
from llmgate.storage.ledger import Call, Payer
payer = Payer("k1", "ann", tags=("a", "b"), provider="openai")
JournalFile(Path(sys.argv[1])).append(Call("r1", 100, payer, 200, 7, estimated=True))
os._exit(9)
"""


def test_the_calls_of_a_dead_process_are_found(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", _DYING, str(tmp_path)], check=False)

    assert abandoned(tmp_path) == [call("r1")]


def test_the_file_of_a_process_that_lives_is_its_own(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    file.append(call("r1"))

    assert abandoned(tmp_path) == []
    assert list(file.read()) == [call("r1")]
    file.close()
    assert abandoned(tmp_path) == [call("r1")]


def test_a_file_whose_calls_are_charged_is_removed(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    file.append(call("r1"), durably=True)
    file.charged(1)

    file.close()

    assert list(tmp_path.iterdir()) == []


def test_a_file_does_not_grow_without_end(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    for n in range(3000):
        file.append(call(f"r{n}"))
        file.charged(1)

    (path,) = tmp_path.iterdir()
    assert path.stat().st_size < 300_000
    file.close()


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    file = JournalFile(tmp_path)
    file.append(call("r1"))
    file.close()
    (path,) = tmp_path.iterdir()
    with path.open("a") as half:
        half.write('["r2", 1')

    assert abandoned(tmp_path) == [call("r1")]


def test_a_file_that_was_taken_for_abandoned_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = journal.fcntl.flock
    removed: list[Path] = []

    def remove_first(file: int, how: int) -> None:
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(file, how)

    monkeypatch.setattr(journal.fcntl, "flock", remove_first)
    file = JournalFile(tmp_path)
    file.append(call("r1"))
    monkeypatch.undo()

    assert [os.path.exists(path) for path in removed] == [True]
    file.close()
    assert abandoned(tmp_path) == [call("r1")]


def test_half_a_line_does_not_spoil_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write = JournalFile(tmp_path), os.write
    file.append(call("r1"))
    monkeypatch.setattr(journal.os, "write", lambda to, line: write(to, line[:9]))
    with pytest.raises(OSError, match="No space left"):
        file.append(call("r2"))
    monkeypatch.undo()

    file.append(call("r3"))

    assert list(file.read()) == [call("r1"), call("r3")]
    file.close()


@pytest.mark.parametrize("line", [b'["r2", 10["r3", 1]', b"7", b'["r2", 1, [], 2]', b"\xff\0\0"])
def test_a_line_that_cannot_be_read_stops_no_other(
    tmp_path: Path, line: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "journal-1.jsonl").write_bytes(
        line + b"\n" + json.dumps(call("r1")).encode() + b"\n"
    )

    assert abandoned(tmp_path) == [call("r1")]

    assert [path.name for path in tmp_path.iterdir()] == ["journal-1.bad"]
    assert "cannot be read: 1" in caplog.text
