"""Admission control: how many requests run at a time, and when a draining worker ends them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from llmgate import errors
from llmgate.inbound import disconnect
from llmgate.inbound import keepalive

DRAIN_NOTICE = 3.0  # seconds before the end in which clients still receive an error event
POLL_INTERVAL = 0.2  # seconds between checks whether the worker is stopping


class Overloaded(errors.GateError):
    """The limit of concurrent requests is reached."""

    status = 503
    code = "overloaded"
    retry = True


class AdmissionControl:
    """WSGI middleware: counts requests, and sets up `disconnect` and `keepalive` for each."""

    def __init__(self, app: Callable[..., Any], times: keepalive.Times) -> None:
        self._app = app
        self._times = times
        self._running: set[object] = set()
        self._limit = 0  # 0: no limit
        self._worker: Any = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request, as WSGI applications do."""
        disconnect.begin(environ.get("gunicorn.socket"))
        header = environ.get("HTTP_X_LLMGATE_HEARTBEAT")
        times = keepalive.times_from_header(header, self._times)
        keep_alive = keepalive.KeepAlive(start_response, times)
        keepalive.begin(keep_alive)
        return self._app(environ, keep_alive.start)

    def acquire(self, request: object) -> None:
        """Count *request* as running; raises Overloaded at the limit."""
        if self._limit and len(self._running) >= self._limit:
            raise Overloaded(
                "The gateway is at its limit of concurrent requests. Retry in a second.",
                headers={"Retry-After": "1"},
            )
        self._running.add(request)  # no lock: adding and counting are atomic

    def release(self, request: object) -> None:
        """Count *request* as finished."""
        self._running.discard(request)

    @property
    def limit(self) -> int:
        """Return how many requests may run at a time; 0: any number."""
        return self._limit

    @property
    def is_closing(self) -> bool:
        """Return whether this process is shutting down."""
        return self._worker is not None and not self._worker.alive

    def start(self, worker: Any, threads: int, graceful_timeout: float) -> None:
        """Run in gunicorn's *worker*, which has *threads*.

        Once the worker is stopping, upstream calls are ended shortly before *graceful_timeout*
        seconds are over, so that clients receive an error instead of a cut connection.
        """
        self._worker = worker
        self.set_threads(threads)
        threading.Thread(
            target=self._drain, args=(graceful_timeout,), name="llmgate-drain", daemon=True
        ).start()

    def set_threads(self, threads: int) -> None:
        """Limit concurrent requests to what *threads* can answer, less the reserved ones."""
        self._limit = max(1, threads - reserved_threads(threads))

    def _drain(self, graceful_timeout: float) -> None:
        """Wait until the worker is stopping, then until it is time to end all calls."""
        while not self.is_closing:
            time.sleep(POLL_INTERVAL)
        time.sleep(max(graceful_timeout - DRAIN_NOTICE, graceful_timeout / 2))
        while True:
            disconnect.end_all()
            time.sleep(POLL_INTERVAL)


def reserved_threads(threads: int) -> int:
    """Return how many of *threads* stay free for requests that are answered at once (/health)."""
    return max(min(4, threads // 4), threads // 64)
