"""gunicorn's gevent worker, for installations with `llmgate[gevent]`."""

from __future__ import annotations

import contextlib
import socket
import warnings
from collections.abc import Iterator
from typing import Any

import gevent
from gevent import monkey
from gunicorn import util
from gunicorn.workers import ggevent

from llmgate.inbound import body_rate
from llmgate.server import parse_errors
from llmgate.server import response_writer
from llmgate.server import timeouts
from llmgate.upstream import connections

_LINGER = 2.0  # seconds that kept connections have for a last request, as under threads


class Worker(ggevent.GeventWorker):  # type: ignore[misc]
    """Greenlets; a client that is too slow, or idle at the end, does not keep one."""

    @classmethod
    def setup(cls) -> None:
        """Make the standard library cooperative, before the app makes locks and threads."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)  # nothing has used ssl yet
            monkey.patch_all()
        connections.cooperate()

    def init_process(self) -> None:
        """Start."""
        response_writer.install()
        self._serving: dict[Any, Any] = {}  # greenlet -> its connection
        self._idle: set[Any] = set()  # connections between two requests
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, whose first request has to come soon."""
        client.settimeout(timeouts.READ_TIMEOUT)
        here = gevent.getcurrent()
        self._serving[here] = client
        try:
            super(ggevent.GeventWorker, self).handle(listener, client, addr)
        finally:
            del self._serving[here]

    @contextlib.contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Wait for the next request on a connection, for as long as it is kept."""
        client = self._serving[gevent.getcurrent()]
        gevent.sleep(0)  # a client that always has a next request would never let others be served
        self._idle.add(client)
        try:
            with gevent.Timeout(self.cfg.keepalive, False):
                yield
        finally:
            self._idle.discard(client)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer a request within the time that its client is given."""
        sock.settimeout(timeouts.READ_TIMEOUT)
        with body_rate.enforced(getattr(req, "unreader", None), timeouts.MINIMUM_RATE):
            super().handle_request(listener_name, req, sock, addr)
        sock.settimeout(None)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Tell a client that its request cannot be read, or that gunicorn failed on it."""
        if parse_errors.respond(client, exc, self.cfg):
            util.close_graceful(client)  # else what it still sends may cost it the answer
        else:
            super().handle_error(req, client, addr, exc)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Begin to end: connections that stay idle are closed after a moment."""
        super().handle_exit(sig, frame)
        gevent.spawn_later(_LINGER, self._close_idle)

    def _close_idle(self) -> None:
        """Let what waits for a next request find the end of its connection."""
        for client in list(self._idle):
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)
