"""The engine's chats, stored in one SQLite file if the operator configures it.

All workers of one machine share the file; the oldest rows are deleted when there are too many.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sqlite3
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import closing
from contextlib import contextmanager
from typing import Any

from llmgate.storage.breaker import OPEN_SECONDS
from llmgate.storage.breaker import Breaker
from llmgate.trust import redaction

COLUMNS = (
    "chat_input chat_output session_id context provider model deployment parameters metrics".split()
)
"""What LLMstudio's tracking stores of a chat."""

_TEXTS = frozenset("session_id provider model deployment".split())  # the others are JSON
_CREATE = f"""
create table if not exists logs (
    log_id integer primary key autoincrement,
    created_at text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    {", ".join(f"{name} text" for name in COLUMNS)}
);
create index if not exists logs_by_session on logs (session_id);
"""
_PATIENCE = 0.08  # seconds to wait while another process holds the file
_LOGGER = logging.getLogger("llmgate")


class ChatLog:
    """The rows in the file at *path*, the last *most* of them."""

    def __init__(self, path: str, most: int = 10_000) -> None:
        self._path = path
        self._most = most
        self._breaker = Breaker()

    def add(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return *row* as stored: COLUMNS and nothing else, without what looks like a key."""
        values = [_kept(name, row.get(name)) for name in COLUMNS]
        marks = ", ".join("?" * len(COLUMNS))
        with self._open() as file:
            cursor = file.execute(
                f"insert into logs ({', '.join(COLUMNS)}) values ({marks})", values
            )
            number = cursor.lastrowid or 0
            file.execute("delete from logs where log_id <= ?", [number - self._most])
            found = file.execute("select * from logs where log_id = ?", [number]).fetchone()
        return _row(found)

    def note(self, row: Mapping[str, Any]) -> None:
        """Store *row*; a failure is logged and not raised, and chats go unstored for a while."""
        if self._breaker.is_open():
            return
        try:
            self.add(row)
        except sqlite3.Error as error:
            self._breaker.failed()
            _LOGGER.warning(
                "llmgate: chats are not stored in %s for the next %.0f s: %s",
                self._path,
                OPEN_SECONDS,
                error,
            )
        else:
            self._breaker.succeeded()

    def rows(self, skip: int, limit: int, session_id: str | None = None) -> list[dict[str, Any]]:
        """Return at most *limit* rows after the first *skip*, oldest first; of one session if
        *session_id* is given."""
        chosen, values = ("where session_id = ?", [session_id]) if session_id else ("", [])
        with self._open() as file:
            found = file.execute(
                f"select * from logs {chosen} order by log_id limit ? offset ?",
                [*values, limit, skip],
            )
            return [_row(row) for row in found]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection; commit if nothing is raised."""
        with closing(sqlite3.connect(self._path, timeout=_PATIENCE)) as file, file:
            file.row_factory = sqlite3.Row
            file.executescript(_CREATE)
            yield file


def _kept(name: str, value: Any) -> str | None:
    """Return *value* as the column *name* stores it.

    Texts are cleaned before they are encoded: in JSON a cut could take a backslash with it.
    """
    if value is None:
        return None
    if name in _TEXTS and isinstance(value, str):
        return redaction.clean(value)
    return json.dumps(_cleaned(value))


def _cleaned(value: Any) -> Any:
    """Return *value* with all its texts cleaned."""
    if isinstance(value, str):
        return redaction.clean(value)
    if isinstance(value, Mapping):
        return {redaction.clean(str(key)): _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list | tuple) else value


def _row(found: sqlite3.Row) -> dict[str, Any]:
    """Return a row of the file as LLMstudio's clients read it; invalid JSON stays a text."""
    row = dict(found)
    for name in COLUMNS:
        if name not in _TEXTS and row[name] is not None:
            with contextlib.suppress(ValueError):
                row[name] = json.loads(row[name])
    return row
