from __future__ import annotations

from pathlib import Path

import pytest

from llmgate import errors
from llmgate.access import assembly
from llmgate.access.assembly import Settings

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
