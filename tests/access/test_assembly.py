from __future__ import annotations

from pathlib import Path

import pytest

from llmgate import errors
from llmgate.access import assembly
from llmgate.access.assembly import Settings
from llmgate.storage.counters import MemoryStore

URL = "postgres://user:secret@host/name"


def test_a_postgres_server_is_used_in_place_of_the_directory() -> None:
    assert assembly.database_url(URL) == URL
    assert Settings(Path("data"), URL).place == URL
    assert Settings(Path("data")).place == Path("data")
    assert "secret" not in repr(Settings(Path("data"), URL))


@pytest.mark.parametrize("url", [None, "", "mysql://host/name"])
def test_other_databases_are_not_used(url: str | None) -> None:
    assert assembly.database_url(url) is None


def test_without_the_extra_the_start_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "find_spec", lambda name: None)

    with pytest.raises(errors.ConfigError, match=r"llmgate\[postgres\]"):
        assembly.database_url(URL)


def test_a_dyno_without_a_database_is_warned_of() -> None:
    assert "lost when it restarts" in assembly.warnings(Settings(is_dyno=True))[0]
    assert assembly.warnings(Settings(database_url=URL, is_dyno=True)) == []
    assert assembly.warnings(Settings()) == []


def test_without_the_extra_redis_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "find_spec", lambda name: None)
    settings, counters = Settings(redis_url="redis://127.0.0.1:1"), MemoryStore()

    assert assembly.shared(settings, counters).counters is counters
    assert "llmgate[redis]" in assembly.warnings(settings)[0]


def test_redis_counts_where_it_is_configured() -> None:
    pytest.importorskip("redis")
    settings, counters = Settings(redis_url="redis://127.0.0.1:1"), MemoryStore()

    found = assembly.shared(settings, counters)

    assert type(found.counters).__name__ == "RedisStore"
    assert type(found.leases).__name__ == "RedisLeases"
