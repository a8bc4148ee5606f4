from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llmgate.llmstudio.chat_log import ChatLog

ROW = {
    "chat_input": "Hi",
    "chat_output": "Hello",
    "session_id": "s1",
    "context": [{"role": "user", "content": "Hi"}],
    "provider": "openai",
    "model": "gpt-4o",
    "deployment": None,
    "parameters": {"temperature": 1},
    "metrics": {"cost_usd": 0.1},
}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "chats.db")


def test_rows_are_kept_and_numbered(path: str) -> None:
    first, second = ChatLog(path).add(ROW), ChatLog(path).add({**ROW, "session_id": None})

    assert ChatLog(path).rows(0, 10) == [first, second]
    assert {**first, "created_at": ""} == {"log_id": 1, "created_at": "", **ROW}
    assert second["log_id"] == 2


def test_rows_are_found_by_their_session_and_page(path: str) -> None:
    tracking = ChatLog(path)
    for session_id in ("a", "b", "a", "a"):
        tracking.add({**ROW, "session_id": session_id})

    assert [row["log_id"] for row in tracking.rows(0, 10, "a")] == [1, 3, 4]
    assert [row["log_id"] for row in tracking.rows(1, 1, "a")] == [3]
    assert [row["log_id"] for row in tracking.rows(2, 10)] == [3, 4]


def test_the_oldest_rows_go(path: str) -> None:
    tracking = ChatLog(path, most=2)
    for _ in range(5):
        tracking.add(ROW)

    assert [row["log_id"] for row in tracking.rows(0, 10)] == [4, 5]


def test_nothing_else_and_no_key_is_kept(path: str) -> None:
    said: Any = {**ROW, "chat_input": "my key: sk-abcdefghijklmnop", "api_key": "secret", "x": 1}

    got = ChatLog(path).add(said)

    assert set(got) == {"log_id", "created_at", *ROW}
    assert got["chat_input"] == "my key: ***"
    assert b"sk-abcdefghijklmnop" not in Path(path).read_bytes()


def test_texts_may_be_anything(path: str) -> None:
    row = {"chat_input": [{"type": "text", "text": "Hi"}], "session_id": 7, "chat_output": "\ud83d"}

    got = ChatLog(path).add(row)

    assert got["chat_input"] == row["chat_input"]
    assert (got["session_id"], got["chat_output"], got["metrics"]) == ("7", "\ud83d", None)


def test_a_file_that_cannot_be_written_fails_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "llmgate"):
        ChatLog(str(tmp_path)).note(ROW)

    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.fault("F12")
def test_a_text_that_looks_like_a_key_in_a_url_keeps_the_row_readable(path: str) -> None:
    log = ChatLog(path)

    got = log.add({**ROW, "chat_input": '?key=abcdef"ghi', "metrics": {"a": ['?key=abcdef"g']}})

    assert got["chat_input"].endswith('"ghi') and "abcdef" not in got["chat_input"]
    assert log.rows(0, 10) == [got]


@pytest.mark.fault("F12")
def test_one_bad_row_does_not_break_the_listing(path: str) -> None:
    log = ChatLog(path)
    log.add(ROW)
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("update logs set chat_input = '{'")

    assert log.rows(0, 10)[0]["chat_input"] == "{"


@pytest.mark.fault("F6", "P8")
def test_a_locked_file_delays_one_chat_and_then_none(path: str) -> None:
    log = ChatLog(path)
    log.add(ROW)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        began = time.monotonic()
        for _ in range(100):
            log.note(ROW)
        took = time.monotonic() - began
        other.execute("rollback")

    assert took < 4
    assert len(log.rows(0, 10)) == 1
