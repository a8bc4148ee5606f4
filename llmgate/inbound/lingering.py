"""Closes connections without losing the response that was just sent.

If a server closes a connection while data of the client is unread, the kernel sends RST, which may
destroy the response before the client has read it. So the server ends its own side first, discards
what the client still sends, and closes when the client has, or after a limit of time and bytes:
https://www.rfc-editor.org/rfc/rfc9112#section-9.6

That takes seconds, so one native thread of the worker does it, under gevent too: neither the accept
loop nor a thread that answers requests waits for it.
"""

from __future__ import annotations

import _socket
import contextlib
import os
import select
import socket
import time
from typing import Any
from typing import NamedTuple

from llmgate.inbound import disconnect

IDLE_SECONDS = 2.0  # without data from the client
_TOTAL_SECONDS = 10.0
_MAX_BYTES = 64 * 1024 * 1024  # a client whose upload was refused may be far from its end
_MAX_CONNECTIONS = 1024
_BLOCK = 256 * 1024
_BLOCKS_PER_TURN = 16
_POLL_SECONDS = 0.1


class _Closing(NamedTuple):
    """A connection that is half closed; times are on the monotonic clock."""

    sock: Any  # _socket.socket: gevent must not wait for it
    until: float
    idle_until: float
    bytes_left: int


class Lingering:
    """The connections of a worker that wait for their clients to close."""

    def __init__(self) -> None:
        self._closing: dict[int, _Closing] = {}
        self._epoll = disconnect.native("select").epoll()
        self._buffer = bytearray(_BLOCK)
        self._wake = disconnect.native("_thread").allocate_lock()
        self._wake.acquire()
        disconnect.native("_thread").start_new_thread(self._run, ())

    def add(self, sock: Any) -> None:
        """Close the connection of *sock* as soon as its client has; *sock* itself is closed now."""
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
            copy = _socket.socket(fileno=os.dup(sock.fileno()))
            copy.settimeout(0)
            now = time.monotonic()
            self._closing[copy.fileno()] = _Closing(
                copy, now + _TOTAL_SECONDS, now + IDLE_SECONDS, _MAX_BYTES
            )
            self._epoll.register(copy.fileno(), select.EPOLLIN)
            with contextlib.suppress(RuntimeError):  # the thread is awake
                self._wake.release()
        sock.close()

    def __len__(self) -> int:
        return len(self._closing)

    def _run(self) -> None:
        """Discard and close, without end."""
        while True:
            if not self._closing:
                self._wake.acquire()
            for fd, _ in self._epoll.poll(_POLL_SECONDS):
                self._discard(fd)
            self._close_expired(time.monotonic())

    def _discard(self, fd: int) -> None:
        """Read what has arrived on *fd*; close it at the end of the data or of its budget."""
        closing = self._closing.get(fd)
        if closing is None:  # closed in this turn
            return
        left = closing.bytes_left
        try:
            for _ in range(_BLOCKS_PER_TURN):
                received = closing.sock.recv_into(self._buffer)
                left -= received
                if not received or left < 0:
                    self._close(fd)
                    return
        except BlockingIOError:
            pass
        except OSError:
            self._close(fd)
            return
        idle_until = time.monotonic() + IDLE_SECONDS
        self._closing[fd] = closing._replace(bytes_left=left, idle_until=idle_until)

    def _close_expired(self, now: float) -> None:
        """Close what is out of time, and the oldest if there are too many."""
        for fd, closing in list(self._closing.items()):
            is_surplus = len(self._closing) > _MAX_CONNECTIONS
            if is_surplus or now > closing.until or now > closing.idle_until:
                self._close(fd)

    def _close(self, fd: int) -> None:
        """Close *fd*.

        The kernel would keep it in the epoll set as long as the connection has another descriptor,
        and gevent closes that of the worker a little later.
        """
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)
        self._closing.pop(fd).sock.close()
