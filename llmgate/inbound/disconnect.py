"""Ends the upstream calls of a client that has disconnected, even while the upstream is idle.

WSGI notices that a client has disconnected only when it writes to it. Here a thread of each worker
waits for the disconnect of every client whose upstream call is open, and shuts that call's socket
down: the thread that waits for the upstream wakes up and finds the reason in its `Client`. A drain
ends calls in the same way.

The thread is a native one, under gevent too: gevent's `poll` does not report EPOLLRDHUP.
"""

from __future__ import annotations

import _socket
import contextlib
import select
import socket
import sys
import threading
import weakref
from contextvars import ContextVar
from typing import Any

from llmgate import errors

_RDHUP = getattr(select, "EPOLLRDHUP", 0)


class ClientDisconnected(errors.GateError):
    """The client has disconnected; only the log receives this error, and it shows it."""

    status = 499
    type = "client_error"
    code = "client_left"
    cause = "the client closed its connection, so the upstream call was ended"


class ShuttingDown(errors.GateError):
    """This process stops before the response is complete."""

    status = 503
    code = "server_shutdown"
    retry = True
    cause = "gateway shutting down (SIGTERM): the graceful timeout ended before the response did"


def client_disconnected() -> ClientDisconnected:
    """Return the error for a client that has disconnected."""
    return ClientDisconnected("The client disconnected before the response was complete.")


class Client:
    """The client of one request: its connection, and the upstream calls made for it."""

    def __init__(self, sock: Any, fd: int) -> None:
        self.sock, self.fd = sock, fd
        self.reason: errors.GateError | None = None  # for which its calls were ended
        self.upstreams: list[int] = []
        self._calls = 0

    def watch(self, upstream: int, fresh: bool) -> None:
        """End the call on the socket *upstream* when the client disconnects.

        Raises the reason if it has already disconnected. That is checked where a system call is
        cheap compared with the rest: on *fresh* connections and on retries.
        """
        if (fresh or self._calls) and self.reason is None and _has_disconnected(self.fd):
            self.reason = client_disconnected()
        if self.reason is None:
            self._calls += 1
            _reaper().add(self, upstream)
        if self.reason:
            raise self.reason

    def unwatch(self, upstream: int) -> None:
        """Stop watching for the socket *upstream*: it is closed, or belongs to another call."""
        _reaper().remove(self, upstream)

    def end(self, reason: errors.GateError) -> None:
        """End all its upstream calls for *reason*; the reaper's lock is held."""
        self.reason = self.reason or reason
        for upstream in self.upstreams:
            _shut(upstream)


class Subtask(Client):
    """One of several threads that work for the same client; its calls can be ended alone."""

    def __init__(self, parent: Client | None) -> None:
        self._parent = parent
        self._own: errors.GateError | None = None
        self._lock = threading.Lock()
        super().__init__(parent and parent.sock, parent.fd if parent else -1)

    @property
    def reason(self) -> errors.GateError | None:
        """Return why its calls were ended."""
        return self._own or (self._parent.reason if self._parent else None)

    @reason.setter
    def reason(self, reason: errors.GateError | None) -> None:
        self._own = reason

    def watch(self, upstream: int, fresh: bool) -> None:
        """Let `cancel`, or a disconnect of the client, end the call on the socket *upstream*."""
        with self._lock:
            if self.reason:
                raise self.reason
            self.upstreams.append(upstream)
        if self._parent:
            self._parent.watch(upstream, fresh)

    def unwatch(self, upstream: int) -> None:
        """Stop watching for the socket *upstream*."""
        with self._lock, contextlib.suppress(ValueError):
            self.upstreams.remove(upstream)
        if self._parent:
            self._parent.unwatch(upstream)

    def cancel(self, reason: errors.GateError) -> None:
        """End its calls for *reason*, including calls that begin later."""
        with self._lock:
            self._own = reason
            for upstream in self.upstreams:
                _shut(upstream)


_CURRENT: ContextVar[Client | None] = ContextVar("llmgate_client", default=None)


def begin(sock: Any) -> None:
    """Set the client of this thread to the one at *sock*; None: unknown."""
    fd = sock.fileno() if sock is not None and _RDHUP else -1
    _CURRENT.set(Client(sock, fd) if fd >= 0 else None)


def set_current(client: Client) -> None:
    """Set the client of this thread."""
    _CURRENT.set(client)


def current() -> Client | None:
    """Return the client of this thread."""
    return _CURRENT.get()


def reason() -> errors.GateError | None:
    """Return why the calls of this thread's client were ended, None if they were not."""
    client = _CURRENT.get()
    return client.reason if client else None


def end_all() -> None:
    """End every upstream call of this process, which is about to stop."""
    if _REAPERS:
        _reaper().end_all(
            ShuttingDown(
                "The gateway is restarting and stopped before this response was complete. Retry.",
                headers={"Retry-After": "1"},
            )
        )


class _ClientConnection:
    """The connection of a client, during all its requests."""

    def __init__(self, sock: Any) -> None:
        self.sock = weakref.ref(sock)
        self.client: Client | None = None  # whose upstream calls are open
        self.has_ended = False


class _Reaper:
    """The clients whose upstream calls are open, and the thread that waits for disconnects.

    A connection stays in the epoll set from its first call until it is closed; the kernel then
    removes it. So later calls on the connection cost no system call.
    """

    def __init__(self) -> None:
        self._lock = native("_thread").allocate_lock()
        self._epoll = native("select").epoll()
        self._connections: dict[int, _ClientConnection] = {}  # by the number of the socket
        native("_thread").start_new_thread(self._run, ())

    def add(self, client: Client, upstream: int) -> None:
        """Watch *client* on behalf of the socket *upstream*, or note that it has disconnected."""
        connection = self._connections.get(client.fd)
        if connection is None or connection.sock() is not client.sock:
            connection = self._watched(client)
        with self._lock:
            if connection.has_ended:
                client.reason = client.reason or client_disconnected()
            else:
                client.upstreams.append(upstream)
                connection.client = client

    def _watched(self, client: Client) -> _ClientConnection:
        """Return the connection of *client*, registered with epoll."""
        with self._lock:
            connection = self._connections.get(client.fd)
            if (
                connection is None or connection.sock() is not client.sock
            ):  # another subtask may have been first
                connection = _ClientConnection(client.sock)
                try:
                    self._epoll.register(client.fd, _RDHUP | select.EPOLLET)
                except FileExistsError:  # registered by another object for the same socket
                    connection.has_ended = _has_disconnected(client.fd)
                self._connections[client.fd] = connection
            return connection

    def remove(self, client: Client, upstream: int) -> None:
        """Remove the socket *upstream*, and *client* with its last one."""
        with self._lock:
            if upstream in client.upstreams:
                client.upstreams.remove(upstream)
            connection = self._connections.get(client.fd)
            if not client.upstreams and connection and connection.client is client:
                connection.client = None

    def end_all(self, reason: errors.GateError) -> None:
        """End the calls of all clients for *reason*."""
        with self._lock:
            for connection in self._connections.values():
                if connection.client:
                    connection.client.end(reason)

    def _run(self) -> None:
        """Wait for disconnects, without end."""
        while True:
            for fd, _ in self._epoll.poll():
                self._reap(fd)

    def _reap(self, fd: int) -> None:
        """End the calls of the client at *fd*, if it has disconnected.

        The number may belong to another connection by now.
        """
        with self._lock:  # `_watched` may not have stored it yet
            connection = self._connections.get(fd)
        if connection and _has_disconnected(fd):
            with self._lock:
                connection.has_ended = True
                if connection.client:
                    connection.client.end(client_disconnected())
                    connection.client = None


_REAPERS: list[
    _Reaper
] = []  # at most one, made by the first request: threads do not survive a fork
_MAKING = threading.Lock()


def _reaper() -> _Reaper:
    """Return this process's reaper."""
    if not _REAPERS:
        with _MAKING:
            if not _REAPERS:
                _REAPERS.append(_Reaper())
    return _REAPERS[0]


def native(name: str) -> Any:
    """Return the module called *name* as it was before gevent replaced parts of it."""
    monkey = sys.modules.get("gevent.monkey")
    return _Original(monkey, name) if monkey else sys.modules[name]


class _Original:
    """A module whose members gevent has kept."""

    def __init__(self, monkey: Any, name: str) -> None:
        self._monkey = monkey
        self._name = name

    def __getattr__(self, member: str) -> Any:
        return self._monkey.get_original(self._name, member)


def _has_disconnected(fd: int) -> bool:
    """Return whether the peer of *fd* has closed its side, or the connection broke."""
    poll = native("select").poll()
    poll.register(fd, select.POLLRDHUP)
    return bool(poll.poll(0))


def _shut(fd: int) -> None:
    """Shut the socket *fd* down below all that is built on it: TLS, gevent."""
    with contextlib.suppress(OSError):
        sock = _socket.socket(fileno=fd)
        try:
            sock.shutdown(socket.SHUT_RDWR)
        finally:
            sock.detach()
