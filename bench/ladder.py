"""How many streams llmgate holds in 512 MB: 30 s each, a chunk every 500 ms.

    python bench/ladder.py [--only 'llmgate,llmgate[gevent]'] [--levels 250,500,1000,2000,3000]

The memory limit is a cgroup's where one can be made (root), else the PSS that was seen has to stay
below it. A level stands if no stream and no chunk is lost and the first chunks come less than
100 ms (p99) later than the provider sends them. From the middle level it goes up while levels
stand, else down, and prints a JSON line for each.
"""

import argparse
import json
import statistics
import threading
from pathlib import Path

import gateways
import load
import peers
import processes
from gateways import GATEWAYS
from gateways import Place

LIMIT = 512  # MB
CHUNKS = 60
SPREAD = 10  # seconds in which the streams begin
LATEST = 100  # milliseconds
BODY = load.chat(f"d500 n{CHUNKS} i500", stream=True)


class Watch:
    """The highest PSS of a process tree, looked at once a second."""

    def __init__(self, pid: int) -> None:
        self.peak = 0.0
        self._pid, self._over = pid, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(1):
            self.peak = max(self.peak, processes.pss(self._pid))


def stands(name: str, place: Place, count: int) -> bool:
    """Return whether the gateway called *name* holds *count* streams; prints what was seen."""
    gateway = GATEWAYS[name]
    with processes.limited(LIMIT) as limit:
        group = limit.path if limit else None
        started = processes.running(
            gateway.command(place), gateway.env, place.port, gateway.health, group
        )
        with started as server:
            before = processes.cpu(server.pid)
            with Watch(server.pid) as watch:
                found = load.held(gateway.target(place), BODY, count, SPREAD)
            used = processes.cpu(server.pid) - before
        killed = limit.kills() if limit else 0
        peak = limit.peak() if limit else watch.peak
    good = [seen for seen in found if seen.status == 200 and seen.chunks >= CHUNKS]
    added = [seen.added * 1000 for seen in good]
    late = statistics.quantiles(added, n=100)[98] if len(added) > 1 else float("inf")
    ok = len(good) == count and not killed and peak <= LIMIT and late < LATEST
    line = {"gateway": name, "streams": count, "stands": ok, "lost": count - len(good)}
    line |= {"ttfc_added_p50_ms": round(statistics.median(added or [0]), 1)}
    line |= {"ttfc_added_p99_ms": round(late, 1), "pss_peak_mb": round(watch.peak, 1)}
    line |= {"limited": bool(limit), "group_peak_mb": round(peak, 1), "oom_kills": killed}
    line |= {"cpu_us_per_chunk": round(used * 1e6 / (count * CHUNKS), 1)}
    lost = next((seen for seen in found if seen not in good), None) if len(good) < count else None
    print(json.dumps({**line, "such_as": lost and lost._asdict()}), flush=True)
    return ok


def climbed(name: str, directory: Path, up: str, levels: list[int]) -> int:
    """Return the most of *levels* that stands, 0 if none does."""
    start = min(len(levels) - 1, (len(levels) + 1) // 2)

    def tried(level: int) -> bool:
        with peers.placed(directory, name, up) as place:
            return stands(name, place, level)

    if tried(levels[start]):
        best = levels[start]
        for level in levels[start + 1 :]:
            if not tried(level):
                return best
            best = level
        return best
    return next((level for level in reversed(levels[:start]) if tried(level)), 0)


def main() -> None:
    """Install, climb, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="llmgate,llmgate[gevent]", help="which, by commas")
    parser.add_argument("--levels", default="250,500,1000,2000,3000")
    parser.add_argument("--dir", type=Path, default=peers.CACHE)
    given = parser.parse_args()
    names = given.only.split(",")
    levels = sorted(map(int, given.levels.split(",")))
    gateways.installed(given.dir, names)
    with peers.provider() as up:
        most = {name: climbed(name, given.dir, up, levels) for name in names}
    print("\n| | streams held |\n|---|---:|")
    for name, level in most.items():
        print(f"| {name} | {level} |")


if __name__ == "__main__":
    main()
