from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from llmgate.storage import sqlite_counters
from llmgate.storage.counters import MemoryStore
from llmgate.storage.counters import RateLimit
from llmgate.storage.sqlite_counters import SqliteStore

NOW = 1_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "state.db")


@pytest.fixture
def store(path: str) -> Iterator[SqliteStore]:
    with closing(SqliteStore(path)) as found:
        yield found


def test_limits_hold_across_threads_and_workers(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_counters, "_PATIENCE", 30.0)  # a busy machine may hold it long
    stores = [SqliteStore(path) for _ in range(2)]

    def ask(at: int) -> float:
        return stores[at % 2].take("a", RateLimit(requests=20), 0, NOW)

    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(ask, range(200)))

    assert waits.count(0) == 20
    for each in stores:
        each.close()


@pytest.mark.fault("F6", "P8", "P10")
def test_a_locked_file_delays_one_request_and_then_none(store: SqliteStore, path: str) -> None:
    limit = RateLimit(requests=1000)
    store.take("a", limit, 0, NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _: store.take("a", limit, 0, NOW), range(200)))
        took = time.monotonic() - began
        other.execute("rollback")

    assert took < 20 * sqlite_counters._PATIENCE  # not 200 times
    assert store.used("a", NOW) == (200, 0)  # counted in memory


@pytest.mark.fault("F6", "P8")
def test_a_file_that_works_again_is_used_again(
    store: SqliteStore, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store.take("a", RateLimit(), 0, NOW)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        store.take("a", RateLimit(), 0, NOW)
        store.take("a", RateLimit(), 0, NOW)
        other.execute("rollback")

    monkeypatch.setattr(store._breaker, "_open_until", 0.0)

    assert store.used("a", NOW) == (1, 0)
    assert [record.message.split(":")[1].strip() for record in caplog.records] == [
        "warning",
        "limits and cooldowns are shared again",
    ]


@pytest.mark.fault("P7")
def test_a_full_disk_leaves_limits_per_worker(
    store: SqliteStore, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.take("a", RateLimit(), 0, NOW)
    store._connection().execute("pragma max_page_count = 1")  # SQLITE_FULL at the next page
    limit = RateLimit(requests=2000)

    for at in range(600):
        assert store.take(f"{at}", limit, 0, NOW) == 0

    assert store._breaker.is_open()
    assert store.used("599", NOW) == (1, 0)


@pytest.mark.fault("F11", "P11")
def test_counts_of_another_boot_are_dropped(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SqliteStore(path)) as before:
        before.take("a", RateLimit(requests=1), 0, NOW)
        before.start_cooldown("a", NOW + 5)
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("another\n")
    monkeypatch.setattr(sqlite_counters, "_BOOT_ID", boot_id)

    with closing(SqliteStore(path)) as after:
        assert after.take("a", RateLimit(requests=1), 0, 7.0) == 0
        assert after.cooldowns() == {}
    with closing(SqliteStore(path)) as again:
        assert again.used("a", 7.0) == (1, 0)


def test_a_file_of_its_own_is_created_when_needed() -> None:
    found = sqlite_counters.open_store(None)

    assert isinstance(found, SqliteStore)
    assert not Path(found._path).exists()
    assert found.cooldowns() == {}
    assert isinstance(sqlite_counters.open_store("off"), MemoryStore)


def test_a_file_of_its_own_is_removed_with_its_store() -> None:
    found = sqlite_counters.open_store(None)
    assert isinstance(found, SqliteStore)
    found.start_cooldown("one", 1.0)
    path = Path(found._path)
    before = path.exists()

    del found
    gc.collect()

    assert (before, list(path.parent.glob(f"{path.name}*"))) == (True, [])


_KILLED = """
import os
from llmgate.storage import sqlite_counters
found = sqlite_counters.open_store(None)
found.start_cooldown("one", 1.0)
os._exit(9)
"""


def test_the_file_of_a_killed_gateway_is_removed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_counters.tempfile, "tempdir", str(tmp_path))
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    living, other = sqlite_counters.open_store(None), sqlite_counters.open_store(None)
    living.start_cooldown("one", 1.0)
    subprocess.run([sys.executable, "-c", _KILLED], env=environ, check=False)
    before = len(list(tmp_path.glob("*.db")))

    other.start_cooldown("one", 1.0)

    assert before == 2
    files = {path.name for path in tmp_path.glob("*.db")}
    assert files == {Path(each._path).name for each in (living, other)}  # type: ignore[attr-defined]


def test_in_a_reference_cycle_the_connection_is_closed_first(store: SqliteStore, path: str) -> None:
    found = SqliteStore(path)
    cycle: list[object] = [found]
    cycle.append(cycle)
    closed = weakref.ref(found)
    gc.freeze()
    found.start_cooldown("one", 1.0)
    gc.collect()
    gc.unfreeze()  # now a collection reaches the connection first

    del found, cycle  # SQLite warns about a connection that was not closed, which fails this test
    gc.collect()

    assert closed() is None


def test_without_a_temporary_directory_the_file_is_in_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none_usable() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", none_usable)

    assert sqlite_counters._temporary_folder() == "/dev/shm"


def test_a_number_that_is_too_large_leaves_the_counters_usable(tmp_path: Path) -> None:
    store = SqliteStore(str(tmp_path / "state.db"))

    with pytest.raises(OverflowError):
        store.take("a", RateLimit(5, None), 10**30, 100.0)

    assert store.take("a", RateLimit(1, None), 1, 100.0) == 0
    assert store.used("a", 100.0) == (1, 1)
    store.close()
