"""gunicorn's gevent worker, for installations with `llmgate[gevent]`."""

from __future__ import annotations

import contextlib
import socket
import warnings
from collections.abc import Iterator
from typing import Any

import gevent
from gevent import monkey
from gunicorn.workers import ggevent

from llmgate.inbound import body_rate
from llmgate.inbound.lingering import Lingering
from llmgate.server import gunicorn_api
from llmgate.server import parse_errors
from llmgate.server import response_writer
from llmgate.server import timeouts
from llmgate.upstream.network import connections

_DRAIN_IDLE_SECONDS = 2.0  # that idle connections have for a last request, as under threads
_SPARE_CONNECTIONS = 16  # places of the pool that idle connections are closed for


class Worker(ggevent.GeventWorker):  # type: ignore[misc]
    """Greenlets; a client that is too slow, or idle during shutdown, does not keep one."""

    @classmethod
    def setup(cls) -> None:
        """Patch the standard library before the app creates locks and threads."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)  # nothing has used ssl yet
            # the master calls this, too: with gevent's fork libev takes SIGCHLD over, and the
            # master never notices that a worker has died
            monkey.patch_all(os=False, signal=False)
        connections.use_patched_ssl()

    def patch(self) -> None:
        """Patch what `setup` left out, and the sockets."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)
            super().patch()

    def init_process(self) -> None:
        """Start, with a native thread for connections that are being closed."""
        gunicorn_api.install_response(response_writer.Response)
        self._lingering = Lingering()
        self._connections: dict[Any, Any] = {}  # by greenlet
        self._new: set[Any] = set()  # greenlets whose first request has not come
        self._idle: dict[Any, None] = {}  # connections that wait for a request, oldest first
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Answer the requests of a connection; the first must arrive within the read timeout."""
        client.settimeout(timeouts.READ_TIMEOUT)
        current = gevent.getcurrent()
        self._connections[current] = client
        self._new.add(current)
        if len(self._connections) > self.worker_connections - _SPARE_CONNECTIONS:
            self._close_oldest_idle()
        try:
            super(ggevent.GeventWorker, self).handle(listener, client, addr)
        finally:
            del self._connections[current]
            self._new.discard(current)

    @contextlib.contextmanager
    def timeout_ctx(self) -> Iterator[None]:
        """Wait for the next request on a connection, within the keep-alive time.

        The first one has the read timeout in all, or a byte now and then would hold its place.
        """
        current = gevent.getcurrent()
        client = self._connections[current]
        seconds = timeouts.READ_TIMEOUT if current in self._new else self.cfg.keepalive
        self._new.discard(current)
        gevent.sleep(0)  # a client that always has a next request must not starve the others
        self._idle[client] = None
        try:
            with gevent.Timeout(seconds, False):
                yield
        finally:
            self._idle.pop(client, None)

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> None:
        """Answer a request whose body must arrive at the minimum rate."""
        sock.settimeout(timeouts.READ_TIMEOUT)
        interim = gunicorn_api.take_expectation(req)
        try:
            with body_rate.enforced(req.unreader, timeouts.MINIMUM_RATE, interim):
                super().handle_request(listener_name, req, sock, addr)
        except StopIteration:  # the connection is to be closed
            self._lingering.add(sock)
            raise
        sock.settimeout(None)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be parsed, or on which gunicorn failed."""
        if parse_errors.respond(client, exc, self.cfg):
            self._lingering.add(client)
        else:
            super().handle_error(req, client, addr, exc)

    def handle_exit(self, sig: Any, frame: Any) -> None:
        """Begin to shut down: idle connections are closed after a moment."""
        super().handle_exit(sig, frame)
        gevent.spawn_later(_DRAIN_IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        """End all connections that wait for a request."""
        while self._idle:
            self._close_oldest_idle()

    def _close_oldest_idle(self) -> None:
        """Let the greenlet of the oldest idle connection find its end."""
        client = next(iter(self._idle), None)
        if client is not None:
            del self._idle[client]
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RD)
