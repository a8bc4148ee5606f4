from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llmgate.storage import places
from llmgate.storage import queued_ledger
from llmgate.storage.database import Unavailable
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Exceeded
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent
from llmgate.storage.queued_ledger import QueuedLedger
from llmgate.storage.sql_ledger import SqlLedger
from llmgate.storage.waiting import Waiting

PAYER = Payer("k1", "ann", tags=("a",))
FAR = 10**18
BUDGET = [Budget("key:k1", 100)]


class Failing(SqlLedger):
    """A ledger that can be stopped."""

    stopped = False

    def settle_all(self, calls: object, now: int) -> list[bool]:
        if self.stopped:
            raise Unavailable("stopped")
        return super().settle_all(calls, now)  # type: ignore[arg-type]


@pytest.fixture
def inner(place: str) -> Iterator[Failing]:
    found = Failing(places.database(place, "ledger"))
    yield found
    found.database.close()


@pytest.fixture
def ledger(
    inner: Failing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[QueuedLedger]:
    monkeypatch.setattr(queued_ledger, "_RETRY_AFTER", 0.05)
    found = QueuedLedger(inner, tmp_path)
    yield found
    inner.stopped = False
    found.close()


def hold(id: str, nano: int) -> Hold:
    return Hold(id, 100, FAR, nano, PAYER)


def call(id: str, nano: int) -> Call:
    return Call(id, 100, PAYER, 200, nano)


def eventually(inner: SqlLedger, wanted: Spent) -> bool:
    end = time.monotonic() + 10
    while inner.sums(BUDGET) != [wanted] and time.monotonic() < end:
        time.sleep(0.01)
    return inner.sums(BUDGET) == [wanted]


@pytest.mark.parametrize("is_held", [True, False])
def test_a_call_is_charged_soon_without_another_request(
    ledger: QueuedLedger, inner: SqlLedger, is_held: bool
) -> None:
    ledger.charge(call("r1", 7), is_held)

    assert eventually(inner, Spent(7, 0, 1))


def test_a_reservation_sees_what_this_process_has_charged(ledger: QueuedLedger) -> None:
    ledger.reserve(hold("r1", 90), BUDGET)
    ledger.charge(call("r1", 10), True)

    ledger.reserve(hold("r2", 90), BUDGET)

    assert ledger.sums(BUDGET) == [Spent(10, 90, 1)]


def test_a_refused_reservation_charges_what_waits_too(
    ledger: QueuedLedger, inner: SqlLedger
) -> None:
    ledger.charge(call("r1", 100), False)

    with pytest.raises(Exceeded) as refused:
        ledger.reserve(hold("r2", 1), BUDGET)

    assert refused.value.sums == Spent(100, 0, 1)


def test_a_reservation_waits_for_what_other_processes_charge(
    ledger: QueuedLedger, inner: SqlLedger, tmp_path: Path
) -> None:
    other = QueuedLedger(inner, tmp_path)
    other.reserve(hold("r1", 100), BUDGET)
    other.charge(call("r1", 10), True)

    ledger.reserve(hold("r2", 90), BUDGET)

    other.close()
    assert ledger.sums(BUDGET) == [Spent(10, 90, 1)]


def test_calls_are_kept_until_the_ledger_is_back(
    ledger: QueuedLedger, inner: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    inner.stopped = True
    for n in range(3):
        ledger.charge(call(f"r{n}", 7), False)
    with pytest.raises(Unavailable):
        ledger.flush()

    inner.stopped = False

    assert eventually(inner, Spent(21, 0, 3))
    assert caplog.text.count("calls are journalled") == 1


def test_more_calls_than_the_memory_has_room_for_are_charged_from_the_file(
    ledger: QueuedLedger, inner: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued_ledger, "_MOST_IN_MEMORY", 2)
    inner.stopped = True
    for n in range(5):
        ledger.charge(call(f"r{n}", 7), False)
        with pytest.raises(Unavailable):
            ledger.flush()

    inner.stopped = False

    assert eventually(inner, Spent(35, 0, 5))
    assert inner.check() == []


def test_calls_are_charged_though_no_file_can_be_made(inner: SqlLedger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ledger = QueuedLedger(inner, tmp_path / "file" / "none")

    ledger.charge(call("r1", 7), True)

    assert eventually(inner, Spent(7, 0, 1))
    ledger.close()


def test_closing_leaves_no_file_behind(ledger: QueuedLedger, tmp_path: Path) -> None:
    ledger.charge(call("r1", 7), True)

    ledger.close()

    assert list(tmp_path.glob("journal*")) == []


def test_closing_leaves_the_calls_that_cannot_be_charged(
    inner: Failing, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = QueuedLedger(inner, tmp_path)
    inner.stopped = True
    ledger.charge(call("r1", 7), False)
    ledger.close()
    inner.stopped = False

    assert QueuedLedger(inner, tmp_path).check() == []

    assert inner.sums(BUDGET) == [Spent(7, 0, 1)]
    assert list(tmp_path.glob("journal*")) == []


_DYING = """
import os, sys
from pathlib import Path
from llmgate.storage import places
from llmgate.storage.ledger import Call, Payer
from llmgate.storage.queued_ledger import QueuedLedger
from llmgate.storage.sql_ledger import SqlLedger
ledger = QueuedLedger(SqlLedger(places.database(sys.argv[1], "ledger")), Path(sys.argv[2]))
ledger.charge(Call("r1", 100, Payer("k1", "ann", tags=("a",)), 200, 7), False)
os._exit(9)
"""


def test_the_calls_of_a_killed_process_are_charged_by_another(
    ledger: QueuedLedger, inner: SqlLedger, place: str, tmp_path: Path
) -> None:
    subprocess.run([sys.executable, "-c", _DYING, place, str(tmp_path)], check=False)

    ledger.charge(call("r2", 1), True)

    assert eventually(inner, Spent(8, 0, 2))


def test_a_fork_does_not_charge_the_calls_of_its_parent(
    ledger: QueuedLedger, inner: SqlLedger
) -> None:
    ledger.charge(call("r1", 7), False)
    child = os.fork()
    if child == 0:
        os._exit(len(ledger._current().calls))
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert eventually(inner, Spent(7, 0, 1))


def test_the_threads_of_a_new_process_share_what_it_has_to_charge(
    inner: SqlLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=10)

    class Slow(Waiting):
        def __init__(self, folder: Path) -> None:
            super().__init__(folder)
            both.wait()

    monkeypatch.setattr(queued_ledger, "Waiting", Slow)
    ledger = QueuedLedger(inner, tmp_path)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: ledger._current(), range(2)))

    assert found[0] is found[1]


def test_a_thread_charges_what_it_was_started_for(
    ledger: QueuedLedger, inner: SqlLedger, tmp_path: Path
) -> None:
    state = Waiting(tmp_path)
    state.calls.append((call("r1", 7), None))

    ledger._charge_due(state)

    assert inner.sums(BUDGET) == [Spent(7, 0, 1)]


def test_a_thread_that_cannot_be_started_is_started_later(
    ledger: QueuedLedger, inner: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", no_thread)
        ledger.charge(call("r1", 7), True)
    ledger.charge(call("r2", 1), True)

    assert eventually(inner, Spent(8, 0, 2))


def test_a_call_that_cannot_be_charged_stops_no_other(
    ledger: QueuedLedger,
    inner: SqlLedger,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settle, reserve = inner.settle_all, inner.reserve

    def settled(calls: Sequence[Call], now: int) -> list[bool]:
        if any(each.nano == -1 for each in calls):
            raise OverflowError("too large")
        return settle(calls, now)

    def reserved(hold: Hold, budgets: list[Budget], calls: Sequence[Call]) -> None:
        settled(calls, 100)
        reserve(hold, budgets)

    monkeypatch.setattr(inner, "settle_all", settled)
    monkeypatch.setattr(inner, "reserve", reserved)
    for n, nano in enumerate((7, -1, 7)):
        ledger._current().calls.append((call(f"r{n}", nano), None))

    with pytest.raises(OverflowError):
        ledger.reserve(hold("r9", 1), BUDGET)
    ledger.flush()

    assert ledger.sums(BUDGET) == [Spent(14, 0, 2)]
    assert caplog.text.count("cannot be charged") == 1
