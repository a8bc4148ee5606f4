"""The door of the WSGI app: who is served, how many at a time, and until when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from llmgate import errors
from llmgate.inbound import disconnect
from llmgate.inbound import keepalive

_FAREWELL = 3.0  # seconds before the end that are left for telling clients of it
_GLANCE = 0.2  # seconds between looks at whether the worker is told to end


class Overloaded(errors.GateError):
    """As many requests are being served as can be."""

    status = 503
    code = "overloaded"
    retry = True


class Door:
    """Counts those inside, and lets each be known to `hangup` and `heartbeat`."""

    def __init__(self, app: Callable[..., Any], times: keepalive.Times) -> None:
        self._app = app
        self._times = times
        self._inside: set[object] = set()
        self._limit = 0  # 0: none
        self._worker: Any = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request, as WSGI applications do."""
        disconnect.begin(environ.get("gunicorn.socket"))
        times = keepalive.asked(environ.get("HTTP_X_LLMGATE_HEARTBEAT"), self._times)
        beat = keepalive.Beat(start_response, times)
        keepalive.begin(beat)
        return self._app(environ, beat.start)

    def enter(self, request: object) -> None:
        """Count *request* in; raises Overloaded if there is no room for it."""
        if self._limit and len(self._inside) >= self._limit:
            raise Overloaded(
                "The gateway is serving as many requests as it can. Try again in a second.",
                headers={"Retry-After": "1"},
            )
        self._inside.add(request)  # no lock: adding and counting are atomic

    def leave(self, request: object) -> None:
        """Count *request* out."""
        self._inside.discard(request)

    @property
    def limit(self) -> int:
        """Return how many requests may be inside; 0: any number."""
        return self._limit

    @property
    def is_closing(self) -> bool:
        """Return whether this process was told to end."""
        return self._worker is not None and not self._worker.alive

    def opened(self, worker: Any, most: int, grace: float) -> None:
        """Serve in gunicorn's *worker*, *most* requests at a time.

        Once it is told to end it ends its upstream calls shortly before *grace* seconds are over,
        so that clients are told.
        """
        self._worker = worker
        self._limit = most - kept(most)
        threading.Thread(
            target=self._watch, args=(grace,), name="llmgate-drain", daemon=True
        ).start()

    def _watch(self, grace: float) -> None:
        """Wait until the worker is told to end, then until it is time to end all calls."""
        while not self.is_closing:
            time.sleep(_GLANCE)
        time.sleep(max(grace - _FAREWELL, grace / 2))
        while True:
            disconnect.end_all()
            time.sleep(_GLANCE)


def kept(most: int) -> int:
    """Return how many of *most* threads are kept for requests that are answered at once."""
    return max(min(4, most // 4), most // 64)
