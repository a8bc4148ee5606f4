"""Client sockets that change their timeout only when it matters.

gunicorn sets a connection to blocking or non-blocking five times per request, mostly to what it
already is. Under threads each of these system calls is a chance to lose the GIL.
"""

from __future__ import annotations

import socket
from typing import Any

_recv, _send, _sendall = socket.socket.recv, socket.socket.send, socket.socket.sendall


class LazyTimeoutSocket(socket.socket):
    """A socket whose timeout is applied at its next use, and only if it has changed."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over the connection of *sock*."""
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        super().setblocking(True)  # macOS: an accepted socket inherits O_NONBLOCK
        self._requested: float | None = None
        self._applied: float | None = None

    def settimeout(self, value: float | None) -> None:
        """Wait for *value* seconds from the next use on; None: without limit."""
        self._requested = value

    def setblocking(self, flag: bool) -> None:
        """Wait without limit, or not at all."""
        self._requested = None if flag else 0.0

    def gettimeout(self) -> float | None:
        """Return the timeout that the next use has."""
        return self._requested

    def recv(self, *args: Any) -> bytes:
        """Receive, as a socket does."""
        if self._applied != self._requested:
            self._apply()
        return _recv(self, *args)

    def send(self, *args: Any) -> int:
        """Send, as a socket does."""
        if self._applied != self._requested:
            self._apply()
        return _send(self, *args)

    def sendall(self, *args: Any) -> None:
        """Send everything, as a socket does."""
        if self._applied != self._requested:
            self._apply()
        _sendall(self, *args)

    def _apply(self) -> None:
        super().settimeout(self._requested)
        self._applied = self._requested
