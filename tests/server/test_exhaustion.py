"""A worker that has no file descriptors left."""

from __future__ import annotations

import os
import resource
import time
from contextlib import ExitStack

import pytest
from testing import workers
from testing.bystander import Bystander
from testing.sockets import connected
from testing.upstream import Upstream


@pytest.mark.fault("F8", "P14")
@pytest.mark.parametrize("worker", workers.WORKERS)
def test_without_file_descriptors_the_worker_and_its_streams_go_on(
    worker: str, upstream: Upstream
) -> None:
    args = ("--threads", "16") if worker == "gthread" else ()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with workers.gateway(upstream, worker, *args) as gate:
        (pid,) = gate.workers()
        with Bystander(gate, upstream, prompt=8.0), ExitStack() as stack:
            used = len(os.listdir(f"/proc/{pid}/fd"))
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 8, hard))
            for _ in range(40):
                stack.enter_context(connected(gate.url, b"GET /"))
            time.sleep(2)
            stack.close()
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
            time.sleep(1)

        assert gate.workers() == [pid]
        assert "Traceback" not in gate.stderr() or worker == "gevent"
