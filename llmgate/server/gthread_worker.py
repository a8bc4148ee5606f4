"""gunicorn's threaded worker, without the ways in which clients can hold it up, and its logger.

Measured with gunicorn 27.0.1 alone: a client that does not close its side of a closed connection
stops the whole worker for 2 s; a client that sends nothing, or half a head, holds a thread for 5 s
or without limit; EMFILE and "can't start new thread" end the worker.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import selectors
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn import glogging
from gunicorn.http import errors as http_errors
from gunicorn.workers import gthread

from llmgate.inbound import admission
from llmgate.inbound import body_rate
from llmgate.inbound import lazy_socket
from llmgate.inbound.lingering import Lingering
from llmgate.server import accept_balance
from llmgate.server import gunicorn_api
from llmgate.server import parse_errors
from llmgate.server import response_writer
from llmgate.server import timeouts
from llmgate.server.thread_pool import ThreadPool

_NOTIFY_SECONDS = 0.5
_MAX_HEAD = 65536
_PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_MAX_BACKLOG = 2048  # connections, gunicorn's default
_ACCEPT_PAUSE = 0.5  # seconds without accepting after the system has run out of something
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_EVICTED_AT_ONCE = 16
_EVICTION_AGE = 1.0  # seconds that half a head may take when connections are scarce

_WHOLE, _PARTIAL, _CLOSED = "whole", "partial", "closed"  # what has arrived of a request's head


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """Threads; a request gets one when its head has arrived completely."""

    def init_process(self) -> None:
        """Start, with a thread for connections that are being closed."""
        gunicorn_api.install_response(response_writer.Response)
        self._lingering = Lingering()
        self._notified = 0.0
        self._accept_at = 0.0  # when accepting may begin again
        self._thread_limit = self.cfg.threads
        self.on_thread_limit: Callable[[int], None] = lambda limit: None
        super().init_process()

    def get_thread_pool(self) -> ThreadPool:
        """Return a pool that survives the platform's limit of threads."""
        return ThreadPool(self.cfg.threads, admission.reserved_threads(self.cfg.threads))

    def notify(self) -> None:
        """Report to the master that this worker lives, and to other workers how busy it is."""
        now = time.monotonic()
        if now - self._notified >= _NOTIFY_SECONDS:  # it is called for each event
            self._notified = now
            super().notify()
        accept_balance.CONNECTIONS.record(self.age, self.nr_conns if self.alive else None)
        if self.nr_conns >= self.worker_connections:
            self._evict(now)
        if self.tpool.limit != self._thread_limit:
            self._thread_limit = self.tpool.limit
            self.on_thread_limit(self._thread_limit)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or stop accepting connections; at shutdown the backlog is accepted first.

        gunicorn's own keeps the listeners open, and with them the backlog, until the last request
        is complete.
        """
        if enabled and time.monotonic() < self._accept_at:
            return
        super().set_accept_enabled(enabled)
        for listener in [] if self.alive else self.sockets:
            all(self.accept(listener) for _ in range(_MAX_BACKLOG))
            listener.close()

    def accept(self, listener: Any) -> bool:
        """Return whether a connection was accepted.

        It waits for the head of its first request without a thread.
        """
        if self.alive:
            accept_balance.CONNECTIONS.yield_to_others(self.age, self.nr_conns)
        try:
            sock, address = listener.accept()
            conn = gthread.TConn(
                self.cfg, lazy_socket.LazyTimeoutSocket(sock), address, listener.getsockname()
            )
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except (OSError, MemoryError) as error:
            self._pause_accepting(error)
            return False
        self.nr_conns += 1
        self._dispatch(conn)
        return True

    def _pause_accepting(self, error: Exception) -> None:
        """Accept nothing for a moment if the system has run out of files or memory."""
        if isinstance(error, OSError) and error.errno not in _EXHAUSTED:
            raise error
        self.log.warning("accepting is paused for %s s: %s", _ACCEPT_PAUSE, error or "no memory")
        now = time.monotonic()
        self._accept_at = now + _ACCEPT_PAUSE
        self._evict(now)
        if self._accepting:
            super().set_accept_enabled(False)

    def _dispatch(self, conn: Any) -> None:
        """Give *conn* to a thread if a whole head has arrived, else wait for it."""
        state = self._head_state(conn)
        if state == _WHOLE:
            conn.data_ready = True
            self.enqueue_req(conn)
        elif state == _PARTIAL:
            self._await_head(conn)
        else:
            self._drop(conn)

    def enqueue_req(self, conn: Any) -> None:
        """Give *conn* to a thread; without any thread it is closed."""
        try:
            super().enqueue_req(conn)
        except (RuntimeError, MemoryError) as error:
            self.log.error("no thread for a request: %s", error)
            self._drop(conn)

    def _drop(self, conn: Any) -> None:
        """Close *conn*, which no thread uses."""
        self.nr_conns -= 1
        conn.close()

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Give *conn* to a thread if a whole head has arrived."""
        state = self._head_state(conn)
        if state == _WHOLE:
            super().on_pending_socket_readable(conn, client)
        elif state == _CLOSED:  # it would stay readable
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            self._drop(conn)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Give the persistent connection *conn* to a thread if a whole head has arrived."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._dispatch(conn)

    def _await_head(self, conn: Any) -> None:
        """Check again when more of a head has arrived on *conn*, within the read timeout."""
        conn.timeout = time.monotonic() + timeouts.READ_TIMEOUT
        self.pending_conns.append(conn)
        callback = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, callback)

    def _head_state(self, conn: Any) -> str:
        """Return what has arrived of the next head on *conn*.

        If it is partial, the socket becomes readable when more arrives.
        """
        arrived = _peeked(conn.sock)
        if self.cfg.is_ssl:
            return _PARTIAL if arrived is None else _WHOLE
        head = gunicorn_api.buffered(conn) + (arrived or b"")
        conn.is_oversized = b"\r\n\r\n" not in head and len(head) >= _MAX_HEAD
        state = _WHOLE if conn.is_oversized or b"\r\n\r\n" in head else _PARTIAL
        if arrived is None:
            return state
        if state == _PARTIAL and (not arrived or _is_half_closed(conn.sock)):
            return _CLOSED
        if state == _PARTIAL or getattr(conn, "has_low_water", False):
            conn.has_low_water = state == _PARTIAL
            _set_low_water(conn.sock, len(arrived) + 1 if conn.has_low_water else 1)
        return state

    def handle(self, conn: Any) -> Any:
        """Answer a request, unless its head is too large."""
        if getattr(conn, "is_oversized", False):
            error = http_errors.LimitRequestHeaders("head too large")
            parse_errors.respond(conn.sock, error, self.cfg)
            return False
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose body must arrive at the minimum rate."""
        interim = gunicorn_api.take_expectation(req)
        with body_rate.enforced(req.unreader, timeouts.MINIMUM_RATE, interim):
            return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer a request that cannot be parsed, or on which gunicorn failed."""
        if not parse_errors.respond(client, exc, self.cfg):
            super().handle_error(req, client, addr, exc)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Close *conn* off the accept loop, or wait for its next request without a thread."""
        if fs.cancelled() or fs.exception() is not None:
            super().finish_request(conn, fs)
        elif not fs.result():
            self.nr_conns -= 1
            self._lingering.add(conn.sock)
        elif gunicorn_api.buffered(conn):
            self._dispatch(conn)
        else:
            super().finish_request(conn, fs)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Run the callbacks of what is ready; running out of resources does not end the worker."""
        try:
            super().wait_for_and_dispatch_events(timeout)
        except (OSError, MemoryError) as error:
            self._pause_accepting(error)

    def _evict(self, now: float) -> None:
        """Close connections that only wait, so that others can be accepted."""
        for _ in range(_EVICTED_AT_ONCE):
            oldest = self.pending_conns[0] if self.pending_conns else None
            if oldest and oldest.timeout - timeouts.READ_TIMEOUT + _EVICTION_AGE < now:
                conn = self.pending_conns.popleft()
            elif self.keepalived_conns:
                conn = self.keepalived_conns.popleft()
            else:
                return
            self.poller.unregister(conn.sock)
            self._drop(conn)


def _peeked(sock: Any) -> bytes | None:
    """Return what has arrived on *sock* and leave it there; empty at the end, None: nothing."""
    try:
        found: bytes = socket.socket.recv(sock, _MAX_HEAD, _PEEK)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""
    return found


def _set_low_water(sock: Any, size: int) -> None:
    """Let *sock* be readable when *size* bytes have arrived, and at its end."""
    with contextlib.suppress(OSError):  # a connection that broke just now is readable
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)


def _is_half_closed(sock: Any) -> bool:
    """Return whether the client of *sock* will send nothing more."""
    poll = select.poll()
    poll.register(sock.fileno(), getattr(select, "POLLRDHUP", 0))
    return bool(poll.poll(0))


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's log without a line for each request: llmgate writes its own.

    Heroku's GUNICORN_CMD_ARGS turns the access log on; only LLMGATE_ACCESS_LOG=1 does it here.
    """

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write a line for a request, if enabled."""
        if os.environ.get("LLMGATE_ACCESS_LOG"):
            super().access(resp, req, environ, request_time)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Write a traceback, but not for a client that was too slow."""
        if isinstance(sys.exc_info()[1], BlockingIOError | TimeoutError):
            self.debug("a client was too slow")
        else:
            super().exception(msg, *args, **kwargs)
