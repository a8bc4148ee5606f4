"""Sockets of clients that make a system call only where it matters.

gunicorn tells a connection five times a request to wait or not to wait, and mostly it does so
already. Under threads each of these calls is a turn that another thread may take.
"""

from __future__ import annotations

import socket
from typing import Any

_recv, _send, _sendall = socket.socket.recv, socket.socket.send, socket.socket.sendall


class Socket(socket.socket):
    """A socket that is told whether to wait when it is next used, if it has to be told at all."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over what *sock* was."""
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        super().setblocking(True)  # macOS hands on that the listener does not wait
        self._wanted: float | None = None
        self._told: float | None = None

    def settimeout(self, value: float | None) -> None:
        """Wait for *value* seconds from the next use on; None: for ever."""
        self._wanted = value

    def setblocking(self, flag: bool) -> None:
        """Wait for ever, or not at all."""
        self._wanted = None if flag else 0.0

    def gettimeout(self) -> float | None:
        """Return for how long it waits."""
        return self._wanted

    def recv(self, *args: Any) -> bytes:
        """Receive as a socket does."""
        if self._told != self._wanted:
            self._tell()
        return _recv(self, *args)

    def send(self, *args: Any) -> int:
        """Send as a socket does."""
        if self._told != self._wanted:
            self._tell()
        return _send(self, *args)

    def sendall(self, *args: Any) -> None:
        """Send all as a socket does."""
        if self._told != self._wanted:
            self._tell()
        _sendall(self, *args)

    def _tell(self) -> None:
        super().settimeout(self._wanted)
        self._told = self._wanted
