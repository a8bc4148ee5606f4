from __future__ import annotations

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
    with journal.abandoned(folder) as found:
        return [each for _, calls in found for each in calls]


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
