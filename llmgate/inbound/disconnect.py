"""Ends the upstream calls of a client that has left, however silent the upstream is.

WSGI notices a client that left only when it writes to it. Here a thread of each worker waits for
the hang-up of every client whose upstream call is open, and shuts that call's socket down: what
waits for it wakes up, and finds the reason in its `Client`. A drain uses the same way.

The thread is a native one, under gevent too: gevent's `poll` does not know of hang-ups.
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

_HANGUP = getattr(select, "EPOLLRDHUP", 0)


class ClientLeft(errors.GateError):
    """The client has left; nobody reads what this says, but the log shows it."""

    status = 499
    type = "client_error"
    code = "client_left"
    cause = "the client closed its connection; the upstream's call was ended for that"


class ShuttingDown(errors.GateError):
    """This process ends before the answer did."""

    status = 503
    code = "server_shutdown"
    retry = True
    cause = "this process was told to end (SIGTERM) and could not wait for the upstream any longer"


def left() -> ClientLeft:
    """Return the error for a client that is gone."""
    return ClientLeft("The client left before its answer was complete.")


class Client:
    """The client of one request: its connection, and the upstream calls made for it."""

    def __init__(self, sock: Any, fd: int) -> None:
        self.sock, self.fd = sock, fd
        self.reason: errors.GateError | None = None  # why its calls were ended
        self.upstreams: list[int] = []
        self._calls = 0

    def pair(self, upstream: int, fresh: bool) -> None:
        """End the call on the socket *upstream* when the client leaves.

        Raises the reason if it has left already; that is looked for where it costs little beside
        what was done: on *fresh* connections and when a call is tried again.
        """
        if (fresh or self._calls) and self.reason is None and _has_left(self.fd):
            self.reason = left()
        if self.reason is None:
            self._calls += 1
            _reaper().add(self, upstream)
        if self.reason:
            raise self.reason

    def unpair(self, upstream: int) -> None:
        """Leave the socket *upstream* alone from now on: it is closed, or another's."""
        _reaper().remove(self, upstream)

    def end(self, reason: errors.GateError) -> None:
        """End all its upstream calls for *reason*; the reaper's lock is held."""
        self.reason = self.reason or reason
        for upstream in self.upstreams:
            _shut(upstream)


class Branch(Client):
    """One of several threads that work for the same client; its calls can be ended alone."""

    def __init__(self, trunk: Client | None) -> None:
        self._trunk = trunk
        self._own: errors.GateError | None = None
        self._lock = threading.Lock()
        super().__init__(trunk and trunk.sock, trunk.fd if trunk else -1)

    @property
    def reason(self) -> errors.GateError | None:
        """Return why its calls were ended."""
        return self._own or (self._trunk.reason if self._trunk else None)

    @reason.setter
    def reason(self, reason: errors.GateError | None) -> None:
        self._own = reason

    def pair(self, upstream: int, fresh: bool) -> None:
        """Let `cut`, or the client's leaving, end the call on the socket *upstream*."""
        with self._lock:
            if self.reason:
                raise self.reason
            self.upstreams.append(upstream)
        if self._trunk:
            self._trunk.pair(upstream, fresh)

    def unpair(self, upstream: int) -> None:
        """Leave the socket *upstream* alone from now on."""
        with self._lock, contextlib.suppress(ValueError):
            self.upstreams.remove(upstream)
        if self._trunk:
            self._trunk.unpair(upstream)

    def cut(self, reason: errors.GateError) -> None:
        """End its calls for *reason*, those to come too."""
        with self._lock:
            self._own = reason
            for upstream in self.upstreams:
                _shut(upstream)


_CURRENT: ContextVar[Client | None] = ContextVar("llmgate_client", default=None)


def begin(sock: Any) -> None:
    """Note that this thread serves the client at *sock* from now on; None: one unknown."""
    fd = sock.fileno() if sock is not None and _HANGUP else -1
    _CURRENT.set(Client(sock, fd) if fd >= 0 else None)


def serve(client: Client) -> None:
    """Note that this thread works for *client* from now on."""
    _CURRENT.set(client)


def current() -> Client | None:
    """Return the client that this thread serves."""
    return _CURRENT.get()


def reason() -> errors.GateError | None:
    """Return why the calls of this thread's client were ended, None if they were not."""
    client = _CURRENT.get()
    return client.reason if client else None


def end_all() -> None:
    """End every upstream call of this process: it is about to end itself."""
    if _REAPERS:
        _reaper().end_all(
            ShuttingDown(
                "The gateway is restarting and could not wait for the end of this answer. Try"
                " again.",
                headers={"Retry-After": "1"},
            )
        )


class _Line:
    """The connection of a client, through all its requests."""

    def __init__(self, sock: Any) -> None:
        self.sock = weakref.ref(sock)
        self.client: Client | None = None  # whose upstream calls are open
        self.has_ended = False


class _Reaper:
    """The clients whose upstream calls are open, and the thread that waits for their leaving.

    A connection is watched from its first call on, until it is closed: then the system forgets
    it. So the calls after the first cost no system call.
    """

    def __init__(self) -> None:
        self._lock = native("_thread").allocate_lock()
        self._epoll = native("select").epoll()
        self._lines: dict[int, _Line] = {}  # by the number of the socket
        native("_thread").start_new_thread(self._run, ())

    def add(self, client: Client, upstream: int) -> None:
        """Watch *client* on behalf of the socket *upstream*, or note that it has left."""
        line = self._lines.get(client.fd)
        if line is None or line.sock() is not client.sock:
            line = self._watched(client)
        with self._lock:
            if line.has_ended:
                client.reason = client.reason or left()
            else:
                client.upstreams.append(upstream)
                line.client = client

    def _watched(self, client: Client) -> _Line:
        """Return the line of *client*, watched from now on."""
        with self._lock:
            line = self._lines.get(client.fd)
            if line is None or line.sock() is not client.sock:  # another branch may have come first
                line = _Line(client.sock)
                try:
                    self._epoll.register(client.fd, _HANGUP | select.EPOLLET)
                except FileExistsError:  # by another object for the same socket
                    line.has_ended = _has_left(client.fd)
                self._lines[client.fd] = line
            return line

    def remove(self, client: Client, upstream: int) -> None:
        """Forget the socket *upstream*, and *client* with its last one."""
        with self._lock:
            if upstream in client.upstreams:
                client.upstreams.remove(upstream)
            line = self._lines.get(client.fd)
            if not client.upstreams and line and line.client is client:
                line.client = None

    def end_all(self, reason: errors.GateError) -> None:
        """End the calls of all clients for *reason*."""
        with self._lock:
            for line in self._lines.values():
                if line.client:
                    line.client.end(reason)

    def _run(self) -> None:
        """Wait for clients to leave, for ever."""
        while True:
            for fd, _ in self._epoll.poll():
                self._reap(fd)

    def _reap(self, fd: int) -> None:
        """End the calls of the client at *fd*, if it has left.

        Since the event the number may have gone to another connection.
        """
        with self._lock:  # who watches may not have noted it yet
            line = self._lines.get(fd)
        if line and _has_left(fd):
            with self._lock:
                line.has_ended = True
                if line.client:
                    line.client.end(left())
                    line.client = None


_REAPERS: list[_Reaper] = []  # one, made by the first request: threads do not live through a fork
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


def _has_left(fd: int) -> bool:
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
