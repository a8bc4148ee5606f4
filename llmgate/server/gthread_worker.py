"""gunicorn's threaded worker, cured of what lets slow clients hold it up, and its logger.

Without these cures (measured with gunicorn 27.0.1): a client that does not close its side of an
ended connection stops the whole worker for 2 s; one that sends nothing, or half a head, holds a
thread for 5 s, or for ever.
"""

from __future__ import annotations

import os
import selectors
import socket
import sys
import threading
import time
from collections import deque
from functools import partial
from typing import Any

from gunicorn import glogging
from gunicorn.workers import gthread

from llmgate.inbound import body_rate
from llmgate.inbound import lazy_socket
from llmgate.server import accept_balance
from llmgate.server import parse_errors
from llmgate.server import response_writer
from llmgate.server import timeouts

_NOTIFIED_EVERY = 0.5  # seconds
_LINGER = 2.0  # seconds that a client may take to close its side
_LARGEST_HEAD = 65536
_LOOK = socket.MSG_PEEK | socket.MSG_DONTWAIT
_MOST_LINGERING = 256
_MOST_WAITING = 2048  # connections, as many as gunicorn lets wait to be accepted


class Worker(gthread.ThreadWorker):  # type: ignore[misc]
    """Threads; a thread begins with a request when the head of it has come as a whole."""

    def init_process(self) -> None:
        """Start, with a thread for connections that were ended."""
        response_writer.install()
        self._lingering = _Lingering()
        self._notified = 0.0
        super().init_process()

    def notify(self) -> None:
        """Tell the master that this worker lives, and the other workers how much it has to do."""
        now = time.monotonic()
        if now - self._notified >= _NOTIFIED_EVERY:  # it is called for each event
            self._notified = now
            super().notify()
        accept_balance.CONNECTIONS.record(self.age, self.nr_conns if self.alive else None)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Begin or cease to accept connections; at the end none is left to wait for nobody.

        gunicorn's own closes the listeners when the last request is over.
        """
        super().set_accept_enabled(enabled)
        for listener in [] if self.alive else self.sockets:
            all(self.accept(listener) for _ in range(_MOST_WAITING))
            listener.close()

    def accept(self, listener: Any) -> bool:
        """Return whether a connection was accepted.

        It waits for the head of its first request without a thread.
        """
        if self.alive:
            accept_balance.CONNECTIONS.yield_to_others(self.age, self.nr_conns)
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        self.nr_conns += 1
        conn = gthread.TConn(
            self.cfg, lazy_socket.LazyTimeoutSocket(sock), address, listener.getsockname()
        )
        if self._has_head(conn):
            conn.data_ready = True
            self.enqueue_req(conn)
        else:
            self._await_head(conn)
        return True

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """Give *conn* to a thread if a whole head has come."""
        if self._has_head(conn):
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Give *conn*, which was kept after a request, to a thread if a whole head has come."""
        if self._has_head(conn):
            super().on_client_socket_readable(conn, client)
        else:
            self.poller.unregister(client)
            self.keepalived_conns.remove(conn)
            self._await_head(conn)

    def _await_head(self, conn: Any) -> None:
        """Look again when more of a head has come on *conn*, until it is too late."""
        conn.timeout = time.monotonic() + timeouts.READ_TIMEOUT
        self.pending_conns.append(conn)
        found = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, found)

    def _has_head(self, conn: Any) -> bool:
        """Return whether a thread can go on with *conn*: a whole head has come, or the end.

        If not, its socket will be readable when more than now has come.
        """
        if self.cfg.is_ssl:
            return _peeked(conn.sock) is not None
        head = _peeked(conn.sock)
        if head is None:
            return False
        whole = not head or b"\r\n\r\n" in head or len(head) >= _LARGEST_HEAD
        if not whole or getattr(conn, "partial", False):
            conn.partial = not whole
            least = 1 if whole else len(head) + 1
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, least)
        return whole

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Answer a request whose body has to come at some pace."""
        with body_rate.enforced(getattr(req, "unreader", None), timeouts.MINIMUM_RATE):
            return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Tell a client that its request cannot be read, or that gunicorn failed on it."""
        if not parse_errors.respond(client, exc, self.cfg):
            super().handle_error(req, client, addr, exc)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Go on with *conn* after a request; what is to be closed does not hold up the rest."""
        if not fs.cancelled() and fs.exception() is None and not fs.result():
            self.nr_conns -= 1
            self._lingering.add(conn.sock)
        else:
            super().finish_request(conn, fs)


def _peeked(sock: Any) -> bytes | None:
    """Return what has come on *sock*, and leave it there; empty at its end, None: nothing yet."""
    try:
        found: bytes = socket.socket.recv(sock, _LARGEST_HEAD, _LOOK)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""
    return found


class _Lingering:
    """Ended connections whose clients have yet to close: read from until then, else data is lost.

    Source: https://www.rfc-editor.org/rfc/rfc9112#section-9.6
    """

    def __init__(self) -> None:
        self._socks: deque[tuple[float, socket.socket]] = deque()
        self._come = threading.Event()
        threading.Thread(target=self._run, name="llmgate-linger", daemon=True).start()

    def add(self, sock: socket.socket) -> None:
        """Close *sock* as soon as its client has, or in a while."""
        try:
            sock.setblocking(False)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            sock.close()
            return
        if _is_over(sock) or len(self._socks) >= _MOST_LINGERING:
            sock.close()
            return
        self._socks.append((time.monotonic() + _LINGER, sock))
        self._come.set()

    def _run(self) -> None:
        """Close what can be closed, a few times a second while there is anything."""
        while True:
            self._come.wait()
            self._come.clear()
            while self._socks:
                time.sleep(0.1)
                now = time.monotonic()
                for _ in range(len(self._socks)):
                    until, sock = self._socks.popleft()
                    if now > until or _is_over(sock):
                        sock.close()
                    else:
                        self._socks.append((until, sock))


def _is_over(sock: socket.socket) -> bool:
    """Return whether the client of *sock* has closed its side; what it sent is thrown away."""
    try:
        return not sock.recv(_LARGEST_HEAD)
    except (BlockingIOError, InterruptedError):
        return False
    except OSError:
        return True


class Logger(glogging.Logger):  # type: ignore[misc]
    """gunicorn's log without a line for each request: llmgate writes its own.

    Heroku's GUNICORN_CMD_ARGS turns the access log on; only LLMGATE_ACCESS_LOG=1 does it here.
    """

    def access(self, resp: Any, req: Any, environ: Any, request_time: Any) -> None:
        """Write a line for a request, if that is wanted."""
        if os.environ.get("LLMGATE_ACCESS_LOG"):
            super().access(resp, req, environ, request_time)

    def exception(self, msg: Any, *args: Any, **kwargs: Any) -> None:
        """Write a traceback; not for a client that was too slow."""
        if isinstance(sys.exc_info()[1], BlockingIOError | TimeoutError):
            self.debug("a client was too slow")
        else:
            super().exception(msg, *args, **kwargs)
