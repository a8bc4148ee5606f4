"""Starts what is measured, and takes the CPU and the memory of its whole process tree."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
CGROUPS = Path("/sys/fs/cgroup")
KEPT = ("PATH", "HOME", "LANG", "LLMGATE_WORKER_CLASS")
"""What of the environment it gets: no keys, no proxies."""


class Running(NamedTuple):
    """A process that answers."""

    pid: int
    ready: float  # seconds until it did
    log: Path


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, path: str) -> bool:
    """Return whether something on *port* answers with success."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status < 500
    return False


def tree(pid: int) -> list[int]:
    """Return *pid* and the processes below it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def cpu(pid: int) -> float:
    """Return the CPU seconds, user and system, of the tree of *pid* so far."""
    fields = [Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split() for p in tree(pid)]
    return sum(sum(map(int, field[11:15])) for field in fields) / TICKS


def pss(pid: int) -> float:
    """Return the PSS of the tree of *pid* in MB."""
    texts = [Path(f"/proc/{p}/smaps_rollup").read_text() for p in tree(pid)]
    return sum(int(text.partition("\nPss:")[2].split()[0]) for text in texts) / 1024


@contextlib.contextmanager
def running(
    command: Sequence[str],
    env: Mapping[str, str],
    port: int,
    path: str,
    group: Path | None = None,
) -> Iterator[Running]:
    """Run *command* until it answers on *port*, in the cgroup at *group*; end it afterwards."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    if group:
        command = ["/bin/sh", "-c", f'echo $$ >{group}/cgroup.procs && exec "$@"', "-", *command]
    began = time.perf_counter()
    with tempfile.NamedTemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**kept, **env}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            while not answers(port, path):
                if process.poll() is not None or time.perf_counter() - began > 120:
                    raise SystemExit(f"{command} does not serve:\n{Path(log.name).read_text()}")
                time.sleep(0.005)
            yield Running(process.pid, time.perf_counter() - began, Path(log.name))
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End *process* and what it started."""
    pids = tree(process.pid)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


class Limit(NamedTuple):
    """A cgroup whose memory is limited."""

    path: Path
    peak_file: str
    events_file: str

    def peak(self) -> float:
        """Return the most memory that it had, in MB; caches of files count."""
        return int((self.path / self.peak_file).read_text()) / 2**20

    def kills(self) -> int:
        """Return how many of its processes were killed because memory ran out."""
        lines = (self.path / self.events_file).read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith("oom_kill "))


@contextlib.contextmanager
def limited(megabytes: int) -> Iterator[Limit | None]:
    """Make a cgroup with so much memory, of either version; None if that is not allowed."""
    second = (CGROUPS / "cgroup.controllers").exists()
    path = CGROUPS / ("" if second else "memory") / f"llmgate-bench-{os.getpid()}"
    size = str(megabytes * 2**20)
    try:
        path.mkdir()
        if second:
            (path / "memory.max").write_text(size)
            limit = Limit(path, "memory.peak", "memory.events")
        else:
            (path / "memory.limit_in_bytes").write_text(size)
            limit = Limit(path, "memory.max_usage_in_bytes", "memory.oom_control")
    except OSError:
        with contextlib.suppress(OSError):
            path.rmdir()
        yield None
        return
    try:
        yield limit
    finally:
        while (path / "cgroup.procs").read_text():
            time.sleep(0.05)
        path.rmdir()
