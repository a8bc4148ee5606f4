"""Measures what keys and budgets cost, beside the same gateway without keys, in turn.

    python bench/ledger.py [--rounds 3] [--seconds 1] [--worker gthread] [--database-url URL]

Run it with the Python of a venv that llmgate is installed in. CPU is user and system time of the
whole process tree, memory its PSS; two workers; the store is SQLite unless a URL is given. The
last table has the differences to the gateway without keys.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import load
import processes
from peers import provider
from peers import succeeded

GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "python:llmgate.gunicorn_conf", "app:app"]
MASTER = "sk-bench-master"
PRICES = {"input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}
VARIANTS: dict[str, dict[str, object] | None] = {
    "no keys": None,
    "key": {},
    "key, user, team, limits": {
        "user_id": "ann",
        "team_id": "red",
        "rpm_limit": 10**6,
        "max_parallel_requests": 1000,
    },
    "budget": {"max_budget": 1e6},
    "three budgets": {
        "max_budget": 1e6,
        "budget_limits": [{"max_budget": 1e6, "budget_duration": "1d"}],
        "team_id": "red",
    },
}
FIGURES = {
    "cpu_us": "CPU of a request as fast as they are answered, µs",
    "cpu_200_us": "CPU of a request at 200 requests/s, µs",
    "p50_ms": "latency added at 200 requests/s, p50, ms",
    "p99_ms": "p99, ms",
    "pss_mb": "memory after load, MB",
}


def admin(port: int, path: str, given: dict[str, object]) -> dict[str, object]:
    """Return the answer of the management API."""
    head = {"Authorization": f"Bearer {MASTER}", "Content-Type": "application/json"}
    url = f"http://127.0.0.1:{port}{path}"
    request = urllib.request.Request(url, json.dumps(given).encode(), head)
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def config(folder: Path, up: str) -> str:
    """Return the path of a configuration with the provider at *up*."""
    params = {"model": "openai/gpt-4o-mini", "api_base": f"{up}/v1", "api_key": "sk-up", **PRICES}
    found = {
        "model_list": [{"model_name": "gpt-4o-mini", "litellm_params": params}],
        "general_settings": {"master_key": MASTER},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(found))
    return str(path)


def key(port: int, fields: dict[str, object] | None) -> str:
    """Return a new key with *fields*; None: the master key."""
    if fields is None:
        return MASTER
    if "team_id" in fields:
        admin(
            port,
            "/team/new",
            {"team_id": fields["team_id"], "max_budget": fields.get("max_budget")},
        )
    return str(admin(port, "/key/generate", fields)["key"])


def measure(name: str, up: str, given: argparse.Namespace) -> dict[str, float]:
    """Return the figures of one run of the variant called *name*."""
    with tempfile.TemporaryDirectory(dir=given.dir) as folder:
        port, root = processes.free_port(), Path(__file__).resolve().parents[1]
        env = {
            "PORT": str(port),
            "LLMGATE_CONFIG": config(Path(folder), up),
            "LLMGATE_DATA_DIR": f"{folder}/data",
            "LLMGATE_WORKER_CLASS": given.worker,
            "WEB_CONCURRENCY": "2",
            "PYTHONPATH": str(root),
        }
        if given.database_url:
            env["DATABASE_URL"] = given.database_url
        with processes.running(
            [*GUNICORN, "--chdir", str(root)], env, port, "/health/liveliness"
        ) as server:
            head = (("Authorization", f"Bearer {key(port, VARIANTS[name])}"),)
            target, body = load.Target(port, headers=head), load.chat("")
            succeeded(name, load.closed(target, body, 8, 1 * given.seconds))
            found = {
                "cpu_us": cpu_of(
                    server.pid, lambda: load.closed(target, body, 8, 4 * given.seconds)
                )[0]
            }
            used, seen = cpu_of(
                server.pid, lambda: load.paced(target, body, 200, 8 * given.seconds)
            )
            added = statistics.quantiles(
                (each.added * 1000 for each in succeeded(name, seen)), n=100
            )
            found |= {"cpu_200_us": used, "p50_ms": added[49], "p99_ms": added[98]}
            time.sleep(0.5)
            return found | {"pss_mb": processes.pss(server.pid)}


def cpu_of(pid, work):  # type: ignore[no-untyped-def]
    """Return the microseconds of CPU that each request of *work* costs, and what came of them."""
    before = processes.cpu(pid)
    seen = work()
    return (processes.cpu(pid) - before) * 1e6 / len(seen), seen


def table(found: dict[str, dict[str, float]]) -> str:
    """Return *found* in Markdown, with the differences to the first."""
    first = next(iter(found.values()))
    lines = [f"| | {' | '.join(found)} |", "|---|" + "---:|" * len(found)]
    for figure, words in FIGURES.items():
        cells = [
            f"{each[figure]:.3g}" if each is first else f"{each[figure] - first[figure]:+.3g}"
            for each in found.values()
        ]
        lines.append(f"| {words} | {' | '.join(cells)} |")
    ratios = (f"{each['cpu_us'] / first['cpu_us']:.3f}" for each in found.values())
    return "\n".join([*lines, f"| CPU, ratio | {' | '.join(ratios)} |"])


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0, help="a factor of how long each is")
    parser.add_argument("--worker", default=os.environ.get("LLMGATE_WORKER_CLASS", "gthread"))
    parser.add_argument("--only", default=";".join(VARIANTS), help="which, by semicolons")
    parser.add_argument("--dir", help="where the data directories are made")
    parser.add_argument("--database-url")
    given = parser.parse_args()
    names = given.only.split(";")
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with provider() as up:
        for _ in range(given.rounds):
            for name in names:
                runs[name].append(measure(name, up, given))
                print(json.dumps({"variant": name, **runs[name][-1]}), flush=True)
    medians = {
        name: {figure: statistics.median(run[figure] for run in done) for figure in FIGURES}
        for name, done in runs.items()
    }
    print(f"\nmedians of {given.rounds} rounds; all but the first column: differences to it\n")
    print(table(medians))


if __name__ == "__main__":
    main()
