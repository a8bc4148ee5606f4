"""Measures llmgate, under both of its workers, against other gateways, all on this machine.

    python bench/peers.py [--rounds 5] [--only llmgate,portkey] [--seconds 1] [--dir ~/.cache/...]

It installs them below --dir (PyPI, npm, apt), runs each as it comes by default in front of a fake
provider, in turn so many rounds, and prints a JSON line a run and a table of the medians. CPU is
user and system time of a gateway's whole process tree, memory its PSS. Loopback only.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import gateways
import load
import processes
from gateways import GATEWAYS
from gateways import Place

HERE = Path(__file__).resolve().parent
CACHE = Path("~/.cache/llmgate-bench").expanduser()
BURST = 500  # chunks
SPACED = 50


class Scenario(NamedTuple):
    """A request whose CPU is measured."""

    body: bytes
    connections: int
    seconds: float
    chunks: int = 0  # of each answer


SCENARIOS = {
    "chat": Scenario(load.chat(""), 8, 2.5),
    "chat_16k": Scenario(load.chat("", turns=20), 8, 2.5),
    "burst_chunk": Scenario(load.chat(f"n{BURST}", stream=True), 8, 2, BURST),
    "spaced_chunk": Scenario(load.chat(f"n{SPACED} i20", stream=True), 20, 4, SPACED),
}
PACED = load.chat("d100")
FIGURES = {
    "ready_s": "seconds until it answers",
    "pss_idle_mb": "memory idle, MB",
    "pss_loaded_mb": "memory after load, MB",
    "size_mb": "installed, MB",
    "size_bare_mb": "the same without byte code, MB",
    "chat_us": "CPU of a small chat, µs",
    "chat_16k_us": "CPU of a chat of 16 KB, µs",
    "burst_chunk_us": "CPU of a chunk back to back, µs",
    "spaced_chunk_us": "CPU of a chunk every 20 ms, µs",
    "added_p50_ms": "latency added at 50 requests/s, p50, ms",
    "added_p99_ms": "p99, ms",
}


def sizes(folder: Path) -> tuple[float, float]:
    """Return the MB of the files below *folder*, and without those that Python compiled."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    taken = sum(path.stat().st_size for path in files) / 1e6
    return taken, taken - sum(path.stat().st_size for path in files if path.suffix == ".pyc") / 1e6


def succeeded(name: str, found: list[load.Seen], chunks: int = 0) -> list[load.Seen]:
    """Return *found*; ends the program if any failed or lost chunks."""
    bad = [seen for seen in found if seen.status != 200 or seen.chunks < chunks]
    if bad:
        raise SystemExit(f"{name}: {len(bad)} of {len(found)} failed, such as {bad[0]}")
    return found


def cpu_of(name: str, pid: int, target: load.Target, asked: Scenario, scale: float) -> float:
    """Return the microseconds of CPU that an answer, or each of its chunks, costs."""
    before = processes.cpu(pid)
    found = load.closed(target, asked.body, asked.connections, asked.seconds * scale)
    used = processes.cpu(pid) - before
    succeeded(name, found, asked.chunks)
    return used * 1e6 / len(found) / (asked.chunks or 1)


def measure(name: str, place: Place, scale: float) -> dict[str, float]:
    """Return the figures of one run of the gateway called *name*."""
    gateway = GATEWAYS[name]
    target, found = gateway.target(place), {}
    command = gateway.command(place)
    with processes.running(command, gateway.env, place.port, gateway.health) as server:
        found["ready_s"] = server.ready
        time.sleep(0.5)
        found["pss_idle_mb"] = processes.pss(server.pid)
        found["size_mb"], found["size_bare_mb"] = sizes(place.home / gateway.package)
        succeeded(name, load.closed(target, SCENARIOS["chat"].body, 8, 1))
        for scenario, asked in SCENARIOS.items():
            found[f"{scenario}_us"] = cpu_of(name, server.pid, target, asked, scale)
        paced = succeeded(name, load.paced(target, PACED, 50, 6 * scale))
        added = statistics.quantiles((seen.added * 1000 for seen in paced), n=100)
        found["added_p50_ms"], found["added_p99_ms"] = added[49], added[98]
        found["pss_loaded_mb"] = processes.pss(server.pid)
    return found


@contextlib.contextmanager
def provider() -> Iterator[str]:
    """Run the fake provider; yield its address."""
    port = processes.free_port()
    command = [sys.executable, str(HERE / "upstream.py"), str(port)]
    with processes.running(command, {}, port, "/"):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def placed(directory: Path, name: str, up: str) -> Iterator[Place]:
    """Yield where a run of the gateway called *name* is."""
    with tempfile.TemporaryDirectory() as folder:
        yield Place(gateways.home(directory, name), Path(folder), processes.free_port(), up)


def table(runs: dict[str, list[dict[str, float]]]) -> str:
    """Return the medians of *runs* in Markdown."""
    lines = [f"| | {' | '.join(runs)} |", "|---|" + "---:|" * len(runs)]
    for key, words in FIGURES.items():
        medians = (statistics.median(run[key] for run in done) for done in runs.values())
        lines.append(f"| {words} | {' | '.join(f'{figure:.3g}' for figure in medians)} |")
    return "\n".join(lines)


def main() -> None:
    """Install, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(gateways.PEERS), help="which, by commas")
    parser.add_argument("--seconds", type=float, default=1.0, help="a factor of how long each is")
    parser.add_argument("--dir", type=Path, default=CACHE)
    given = parser.parse_args()
    names = given.only.split(",")
    gateways.installed(given.dir, names)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with provider() as up:
        for _ in range(given.rounds):
            for name, done in runs.items():
                with placed(given.dir, name, up) as place:
                    done.append(measure(name, place, given.seconds))
                print(json.dumps({"gateway": name, **done[-1]}), flush=True)
    print(f"\nmedians of {given.rounds} rounds\n\n{table(runs)}")


if __name__ == "__main__":
    main()
