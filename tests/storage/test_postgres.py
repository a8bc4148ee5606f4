from __future__ import annotations

import pytest

from llmgate.storage.database import Unavailable

postgres = pytest.importorskip("llmgate.storage.postgres")
psycopg = pytest.importorskip("psycopg")


class Connection:
    """A connection that may end, and notes whether it was closed."""

    closed = broken = False

    def execute(self, sql: bytes) -> Connection:
        if self.broken:
            raise psycopg.OperationalError("the connection is lost")
        return self

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Connection]:
    found: list[Connection] = []

    def connected(**given: object) -> Connection:
        found.append(Connection())
        return found[-1]

    monkeypatch.setattr(postgres.psycopg, "connect", connected)
    monkeypatch.setattr(postgres, "_migrate", lambda db, name: None)
    return found


def test_tables_of_a_later_program_cost_one_connection_that_is_closed(
    connections: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    def later(db: object, name: str) -> None:
        raise Unavailable("the tables are of a later program")

    monkeypatch.setattr(postgres, "_migrate", later)
    database = postgres.PostgresDatabase("postgres://db/llmgate", "ledger")

    for _ in range(3):
        with pytest.raises(Unavailable):
            database.read(lambda db: db.execute("select 1"))

    assert [each.closed for each in connections] == [True]


@pytest.mark.parametrize("error", [psycopg.OperationalError, KeyboardInterrupt])
def test_a_connection_whose_tables_cannot_be_updated_is_closed(
    connections: list[Connection],
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    def fails(db: object, name: str) -> None:
        raise error("stopped")

    monkeypatch.setattr(postgres, "_migrate", fails)
    database = postgres.PostgresDatabase("postgres://db/llmgate", "ledger")

    with pytest.raises((Unavailable, KeyboardInterrupt)):
        database.write(lambda db: db.execute("select 1"))

    assert [each.closed for each in connections] == [True]


def test_a_connection_that_was_lost_is_closed_before_the_next(
    connections: list[Connection],
) -> None:
    database = postgres.PostgresDatabase("postgres://db/llmgate", "ledger")
    database.read(lambda db: db.execute("select 1"))
    connections[0].broken = True

    database.read(lambda db: db.execute("select 1"))

    assert [each.closed for each in connections] == [True, False]
