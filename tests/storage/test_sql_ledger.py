from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from llmgate.storage import places
from llmgate.storage.database import Unavailable
from llmgate.storage.ledger import ALL_TIME
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Exceeded
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.ledger import Spent
from llmgate.storage.ledger import member
from llmgate.storage.ledger import nano_dollars
from llmgate.storage.ledger import storable
from llmgate.storage.sql_ledger import SqlLedger

ANN = Payer("k1", "ann", "red", "customer", "gpt-4o", ("a", "b"))
FAR = 10**18
_KILLS = Path(__file__).parents[2] / "bench" / "kills.py"


@pytest.fixture
def ledger(place: str) -> Iterator[SqlLedger]:
    found = SqlLedger(places.database(place, "ledger"))
    yield found
    found.database.close()


def hold(id: str, nano: int, at: int = 100, payer: Payer = ANN) -> Hold:
    return Hold(id, at, FAR, nano, payer)


def call(id: str, nano: int | None, at: int = 100, payer: Payer = ANN) -> Call:
    return Call(id, at, payer, 200, nano)


def sums(ledger: SqlLedger, scope: str, *window: int) -> Spent:
    period = "w" if window else ALL_TIME
    given = Budget(scope, None, period, *window) if window else Budget(scope, None)
    return ledger.sums([given])[0]


def test_a_ledger_that_is_never_used_makes_no_file(tmp_path: Path) -> None:
    ledger = SqlLedger(places.database(tmp_path / "data", "ledger"))

    assert sums(ledger, "key:k1") == Spent()
    assert ledger.check() == []
    assert list(tmp_path.iterdir()) == []


def test_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    ledger = SqlLedger(places.database(tmp_path / "data", "ledger"))

    ledger.settle(call("r1", 5), 100)

    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert {p.stat().st_mode & 0o077 for p in (tmp_path / "data").iterdir()} == {0}


def test_a_reservation_is_held_until_it_is_settled(ledger: SqlLedger) -> None:
    budget = Budget("key:k1", 100)

    ledger.reserve(hold("r1", 60), [budget])
    before = sums(ledger, "key:k1")
    ledger.settle(call("r1", 40), 101)

    assert (before, sums(ledger, "key:k1")) == (Spent(0, 60, 0), Spent(40, 0, 1))


def test_a_reservation_beyond_the_budget_is_refused_and_changes_nothing(
    ledger: SqlLedger,
) -> None:
    team, key = Budget("team:red", 200), Budget("key:k1", 100)
    ledger.reserve(hold("r1", 60), [team, key])

    with pytest.raises(Exceeded) as refused:
        ledger.reserve(hold("r2", 41), [team, key])

    assert (refused.value.budget, refused.value.sums) == (key, Spent(0, 60, 0))
    assert sums(ledger, "team:red") == Spent(0, 60, 0)


def test_a_budget_can_be_spent_to_the_last(ledger: SqlLedger) -> None:
    ledger.reserve(hold("r1", 100), [Budget("key:k1", 100)])

    with pytest.raises(Exceeded):  # even by a call that costs nothing
        ledger.reserve(hold("r2", 0), [Budget("key:k1", 100)])


def test_every_scope_of_a_call_is_charged(ledger: SqlLedger) -> None:
    ledger.settle(call("r1", 7)._replace(payer=ANN._replace(provider="openai")), 100)

    scopes = ["gateway:", "key:k1", "user:ann", "team:red", "end_user:customer", "tag:a", "tag:b"]
    scopes += ["model:gpt-4o", "provider:openai", member("red", "ann"), "key_model:k1\ngpt-4o"]
    assert [sums(ledger, scope) for scope in scopes] == [Spent(7, 0, 1)] * len(scopes)


def test_a_call_is_charged_once(ledger: SqlLedger) -> None:
    ledger.reserve(hold("r1", 9), [Budget("key:k1", 100)])

    assert [ledger.settle(call("r1", 7), 100) for _ in range(3)] == [True, False, False]
    assert sums(ledger, "key:k1") == Spent(7, 0, 1)


def test_a_new_budget_knows_what_its_window_has_spent(ledger: SqlLedger) -> None:
    ledger.settle(call("old", 50, at=900), 900)
    ledger.settle(call("r1", 30, at=1000), 1000)
    ledger.reserve(hold("r2", 20, at=1001), [])

    with pytest.raises(Exceeded) as refused:
        ledger.reserve(hold("r3", 51, at=1002), [Budget("user:ann", 100, "w", 1000, 2000)])

    assert refused.value.sums == Spent(30, 20, 1)


def test_what_is_reserved_in_a_window_is_settled_in_it(ledger: SqlLedger) -> None:
    old, new = Budget("key:k1", 100, "w", 0, 1000), Budget("key:k1", 100, "w", 1000, 2000)
    ledger.reserve(hold("r1", 80, at=999), [old])

    ledger.reserve(hold("r2", 90, at=1001), [new])  # the next window is empty
    ledger.settle(call("r1", 70, at=1500), 1500)

    assert sums(ledger, "key:k1", 0, 1000) == Spent(70, 0, 1)
    assert sums(ledger, "key:k1", 1000, 2000) == Spent(0, 90, 0)


def test_a_hold_can_be_raised_within_the_budget(ledger: SqlLedger) -> None:
    budget = [Budget("key:k1", 100)]
    ledger.reserve(hold("r1", 60), budget)

    ledger.raise_hold("r1", 100, budget)
    ledger.raise_hold("r1", 50, budget)  # never lowered
    with pytest.raises(Exceeded):
        ledger.raise_hold("r1", 101, budget)

    assert sums(ledger, "key:k1") == Spent(0, 100, 0)
    assert ledger.check() == []


def test_the_hold_of_a_dead_process_is_charged_and_corrected_if_it_lives(
    ledger: SqlLedger,
) -> None:
    ledger.reserve(Hold("r1", 100, 200, 60, ANN), [Budget("key:k1", 100)])

    assert ledger.sweep(201) == 1
    lost = sums(ledger, "key:k1")
    assert ledger.settle(call("r1", 10, at=300), 300)

    assert (lost, sums(ledger, "key:k1")) == (Spent(60, 0, 1), Spent(10, 0, 1))
    assert ledger.check() == []


def test_expired_holds_are_charged_by_the_next_request(ledger: SqlLedger) -> None:
    ledger.reserve(Hold("r1", 100, 200, 60, ANN), [Budget("key:k1", 100)])

    later = 10**9
    ledger.settle(call("r2", 1, at=later), later)

    assert sums(ledger, "key:k1") == Spent(61, 0, 2)


def test_a_call_without_a_price_is_counted(ledger: SqlLedger) -> None:
    ledger.settle(call("r1", None), 100)

    assert sums(ledger, "key:k1") == Spent(0, 0, 1)


def test_check_finds_and_repairs_a_wrong_sum(ledger: SqlLedger) -> None:
    ledger.settle(call("r1", 5), 100)
    ledger.database.write(lambda db: db.execute("update spend set spent = 6 where scope = 'tag:a'"))

    (found,) = ledger.check(repair=True)

    assert (found.scope, found.stored, found.actual) == ("tag:a", Spent(6, 0, 1), Spent(5, 0, 1))
    assert ledger.check() == []


def test_a_place_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ledger = SqlLedger(places.database(tmp_path / "file", "ledger"))

    with pytest.raises(Unavailable, match=r"ledger\.db cannot be used: .*LLMGATE_DATA_DIR"):
        ledger.settle(call("r1", 5), 100)


@pytest.mark.parametrize("text", ["nul \x00", "surrogate \ud800", "é", "plain"])
def test_any_text_can_be_stored(ledger: SqlLedger, text: str) -> None:
    payer = ANN._replace(end_user=storable(text), tags=(storable(text),))

    ledger.reserve(hold("r1", 1, payer=payer), [Budget(f"end_user:{payer.end_user}", 10)])
    ledger.settle(call("r1", 1, payer=payer), 100)

    assert sums(ledger, f"tag:{payer.tags[0]}") == Spent(1, 0, 1)
    assert (storable(text) == text) == ("\x00" not in text and "\ud800" not in text)


def test_money_is_rounded_up_once() -> None:
    assert nano_dollars(0.00075) == 750_000
    assert nano_dollars(1e-10) == 1
    assert nano_dollars(7.5e-8) == 75


_steps = st.lists(
    st.tuples(
        st.sampled_from("reserve settle raise sweep".split()), st.integers(0, 5), st.integers(0, 60)
    ),
    max_size=30,
)


@settings(max_examples=30)
@given(_steps)
def test_the_sums_are_right_and_within_the_budget_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    ledger = SqlLedger(places.database(tmp_path_factory.mktemp("ledger"), "ledger"))
    budgets = [Budget("key:k1", 100), Budget("tag:a", 80, "w", 0, 10**6)]
    reserved: dict[str, int] = {}
    for at, (step, n, nano) in enumerate(steps, 1):
        id = f"r{n}"
        try:
            if step == "reserve" and id not in reserved:
                ledger.reserve(Hold(id, at, at + 3, nano, ANN), budgets)
                reserved[id] = nano
            elif step == "raise" and id in reserved:
                ledger.raise_hold(id, nano, budgets)
                reserved[id] = max(reserved[id], nano)
            elif step == "settle" and id in reserved:
                ledger.settle(call(id, min(nano, reserved[id]), at=at), at)
            elif step == "sweep":
                ledger.sweep(at)
        except Exceeded:
            pass
    assert ledger.check() == []
    key, tag = ledger.sums(budgets)
    assert key.spent + key.held <= 100
    assert tag.spent + tag.held <= 80
    ledger.database.close()


_CLIENTS = """
import os, sys, threading
from llmgate.storage import places
from llmgate.storage.ledger import Budget, Call, Exceeded, Hold, Payer
from llmgate.storage.sql_ledger import SqlLedger
place, processes = sys.argv[1], int(sys.argv[2])
payer, (starting, start) = Payer("k1"), os.pipe()
def work(ledger, id):
    try:
        ledger.reserve(Hold(id, 100, 10**18, 10, payer), [Budget("key:k1", 100)])
    except Exceeded:
        return
    ledger.settle(Call(id, 100, payer, 200, 10), 101)
def client(name):
    ledger = SqlLedger(places.database(place, "ledger"))
    ids = [f"{name}-{n}" for n in range(64 // processes)]
    each = [threading.Thread(target=work, args=(ledger, id)) for id in ids]
    os.read(starting, 1)
    [t.start() for t in each]; [t.join() for t in each]
    ledger.database.close()
children = []
for name in range(processes):
    children.append(os.fork())
    if children[-1] == 0:
        client(name)
        os._exit(0)
os.write(start, b"." * processes)
[os.waitpid(child, 0) for child in children]
"""


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_of_64_parallel_requests_a_budget_for_ten_admits_ten(
    ledger: SqlLedger, place: str, processes: int
) -> None:
    subprocess.run([sys.executable, "-c", _CLIENTS, place, str(processes)], check=True)

    assert sums(ledger, "key:k1") == Spent(100, 0, 10)
    assert ledger.check() == []


def test_a_killed_process_loses_nothing_that_was_acknowledged(place: str) -> None:
    command = [sys.executable, str(_KILLS), "8", "--place", place]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("8 kills, ")


def test_threads_share_a_commit_and_each_gets_its_own_result(ledger: SqlLedger) -> None:
    results: dict[int, bool] = {}

    def settle(n: int) -> None:
        results[n] = ledger.settle(call(f"r{n % 50}", 1), 100)

    threads = [threading.Thread(target=settle, args=(n,)) for n in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results.values()) == [False] * 50 + [True] * 50
    assert sums(ledger, "key:k1") == Spent(50, 0, 50)
