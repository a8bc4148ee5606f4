"""Run by .ci/agents: each client does its task over each scripted upstream.

A task works if the client prints the right final text, no request was refused, by the upstream or
by the gateway, and no thought signature was lost that the client returns.
"""

from __future__ import annotations

import argparse
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import installed
import table
from clients import CLIENTS
from clients import FILES
from clients import Client
from clients import Task
from testing.gateway import Gateway
from testing.strict.errand import Errand
from testing.strict.server import KINDS
from testing.strict.server import StrictUpstream

WORDS = ("heron", "walnut")
TIMEOUT = 120  # seconds for a client
_UP = 0x1  # IFF_UP of <net/if.h>
_SET_FLAGS = 0x8914  # SIOCSIFFLAGS of <linux/sockios.h>


class Result(NamedTuple):
    """What came of a task: empty faults, or the reasons why it failed."""

    client: Client
    model: str
    seconds: float
    faults: list[str]


def main() -> int:
    """Return the exit code: 1 if a client failed."""
    given = _arguments()
    chosen = [client for client in CLIENTS if not given.names or client.name in given.names]
    folders = _installed(chosen)
    isolated = _without_network()
    print("network: loopback only" if isolated else "network: not isolated (needs root)")
    results: list[Result] = []
    with StrictUpstream() as upstream, Gateway(upstream.config()) as gate:
        for client in chosen:
            for model in KINDS if client.name in folders else ():
                if not given.models or model in given.models:
                    result = _ran(client, model, folders[client.name], upstream, gate)
                    _show(result)
                    results.append(result)
    failed = sum(bool(result.faults) for result in results)
    if given.write:
        table.write({(r.client, r.model): "fails" if r.faults else "works" for r in results})
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def _arguments() -> Any:
    parser = argparse.ArgumentParser(prog=".ci/agents")
    names = sorted({client.name for client in CLIENTS})
    parser.add_argument("names", nargs="*", help=f"of clients: {', '.join(names)}")
    parser.add_argument("--models", nargs="+", choices=list(KINDS), help="scripted upstreams")
    parser.add_argument("--write", action="store_true", help="write the table of docs/clients.md")
    given = parser.parse_args()
    unknown = set(given.names) - set(names)
    if unknown:
        parser.error(f"unknown clients: {', '.join(sorted(unknown))}")
    return given


def _installed(chosen: list[Client]) -> dict[str, Path]:
    """Return the folders of the clients that could be installed, by their names."""
    found: dict[str, Path] = {}
    for client in {client.name: client for client in chosen}.values():
        try:
            found[client.name] = installed.install(client.name, client.package)
        except installed.NotInstalled as reason:
            print(f"SKIPPED {client.name}: could not install it: {reason}", flush=True)
    return found


def _without_network() -> bool:
    """Move this process to a network of its own that has only loopback; return whether it did."""
    if not hasattr(os, "unshare"):  # Python 3.12
        return False
    try:
        os.unshare(os.CLONE_NEWNET)
    except OSError:
        return False
    import fcntl

    with socket.socket() as sock:
        fcntl.ioctl(sock, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP))
    return True


def _ran(
    client: Client, model: str, folder: Path, upstream: StrictUpstream, gate: Gateway
) -> Result:
    """Return the result of *client*'s task over *model*."""
    with tempfile.TemporaryDirectory(prefix="llmgate-agents-") as place:
        task = Task(gate.url, model, Path(place) / "work", Path(place) / "home", folder)
        for each in (task.work, task.home):
            each.mkdir()
        for file, word in zip(FILES, WORDS, strict=True):
            (task.work / file).write_text(f"The word is {word}.\n", "utf-8")
        values = [client.value.format(folder=task.work, file=file) for file in FILES]
        arguments = tuple({client.argument: value} for value in values)
        errand = upstream.errands[model] = Errand(client.tool, arguments, WORDS)
        upstream.begin(model)
        logged, began = len(gate.logs()), time.monotonic()
        printed, faults = _output(client, task)
        seconds = time.monotonic() - began
    if errand.answer not in printed:
        faults.append(f"printed {printed[-600:]!r}")
    faults += [f"the upstream refused: {each}" for each in upstream.refused[model]]
    if client.signs and upstream.unsigned[model]:
        faults.append("thought signatures were lost")
    faults += _gate_faults(gate.logs()[logged:])
    return Result(client, model, seconds, faults)


def _output(client: Client, task: Task) -> tuple[str, list[str]]:
    """Return what the client printed, and what went wrong."""
    setup = client.setup(task)
    for name, text in setup.files.items():
        path = task.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    env = {"PATH": os.environ["PATH"], "HOME": str(task.home), "LANG": "C.UTF-8", **setup.env}
    try:
        done = subprocess.run(
            setup.command,
            cwd=task.work,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        return (error.output or b"").decode("utf-8", "replace"), [f"no end in {TIMEOUT} s"]
    printed = done.stdout.decode("utf-8", "replace")
    return printed, [f"exit status {done.returncode}"] if done.returncode else []


def _gate_faults(lines: list[Any]) -> list[str]:
    """Return the requests to a model that the gateway did not answer well."""
    return [
        f"{line['status']} at {line['endpoint']}: {line.get('error')}"
        for line in lines
        if isinstance(line, dict) and line.get("model_group") and line.get("status", 0) >= 400
    ]


def _show(result: Result) -> None:
    client = result.client
    name = f"{client.title} {client.package.version}, {client.api}, {result.model}"
    print(f"{'FAILED' if result.faults else 'works'} {name} ({result.seconds:.1f} s)", flush=True)
    for fault in result.faults:
        print(f"    {fault}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
