"""Kills processes (SIGKILL) while they reserve and charge, and checks that nothing is lost.

    python bench/kills.py [COUNT] [--place DIRECTORY_OR_POSTGRES_URL] [--spread SECONDS]

A process reports each call that it has given to the ledger, as a gateway answers its client. After
COUNT kills at random moments every reported call must be charged, once; every sum must be that of
its rows; and the reservations of the dead must settle. Prints what it found; exits with 1 if not.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from llmgate.storage import places
from llmgate.storage.ledger import Budget
from llmgate.storage.ledger import Call
from llmgate.storage.ledger import Hold
from llmgate.storage.ledger import Payer
from llmgate.storage.queued_ledger import QueuedLedger
from llmgate.storage.sql_ledger import SqlLedger

EACH = 10
EXPIRES = 10**15
PAYER = Payer("k1", "ann", "red", tags=("t",))
BUDGETS = [Budget("key:k1", 10**15), Budget("team:red", 10**15, "w", 0, 10**6)]


def work(place: str, folder: Path, name: str, report: int) -> None:
    """Reserve and charge without end; half of the calls have no reservation."""
    ledger = QueuedLedger(SqlLedger(places.database(place, "ledger")), folder)
    n = 0
    while True:
        n += 1
        id = f"{name}-{n}"
        if n % 2:
            ledger.reserve(Hold(id, 100, EXPIRES, EACH, PAYER), BUDGETS)
        ledger.charge(Call(id, 100, PAYER, 200, EACH), n % 2 == 1)
        os.write(report, f"{id}\n".encode())


def killed(place: str, folder: Path, name: str, seconds: float) -> set[str]:
    """Return the calls that a process reported in the *seconds* before it was killed."""
    reading, report = os.pipe()
    child = os.fork()
    if child == 0:
        work(place, folder, name, report)
    os.close(report)
    with os.fdopen(reading, "rb") as reports:
        first = reports.readline()
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        lines = [first, *reports.readlines()]
    return {line.decode().strip() for line in lines if line.endswith(b"\n")}


def problems(place: str, folder: Path, reported: set[str]) -> list[str]:
    """Return what is wrong after the kills."""
    inner = SqlLedger(places.database(place, "ledger"))
    ledger = QueuedLedger(inner, folder)
    found = [f"a sum differs: {each}" for each in ledger.check()]
    rows = inner.database.read(lambda db: db.execute("select id from calls").fetchall())
    stored = [id for (id,) in rows]
    found += [f"lost: {id}" for id in sorted(reported - set(stored))]
    found += ["charged twice"] if len(stored) > len(set(stored)) else []
    while ledger.sweep(EXPIRES + 1):
        pass
    found += [f"a sum differs after the sweep: {each}" for each in ledger.check()]
    (sums,) = ledger.sums(BUDGETS[:1])
    if sums.held or sums.spent != EACH * sums.calls or sums.calls < len(reported):
        found.append(f"{len(reported)} calls were reported, the sums are {sums}")
    left = list(folder.glob("journal-*"))
    ledger.close()
    inner.database.close()
    return found + [f"not removed: {path}" for path in left]


def main() -> None:
    """Kill, check, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=1000)
    parser.add_argument("--place")
    parser.add_argument("--spread", type=float, default=0.02, help="seconds that one may live")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place, chance, reported = given.place or folder, random.Random(7), set[str]()
        for n in range(given.count):
            seconds = chance.random() * given.spread
            reported |= killed(place, Path(folder), str(n), seconds)
        found = problems(place, Path(folder), reported)
    print(f"{given.count} kills, {len(reported)} calls reported, {len(found)} problems")
    for each in found[:20]:
        print(each)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
