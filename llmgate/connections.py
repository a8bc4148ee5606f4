"""Connections to upstreams, over the pools of `requests` and urllib3.

They end when the client that they serve leaves; only `upstream` uses them.
"""

from __future__ import annotations

import http.client
import math
import os
import select
import socket
import ssl
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import connection
from urllib3.util import ssl_

from llmgate import hangup

_BLOCK = 65536  # bytes of a body that go out with the head of its request


class Stale(Exception):
    """A kept connection was closed by the upstream before it answered anything."""


LEFT: ContextVar[Callable[[], float]] = ContextVar("llmgate_left")
"""The seconds that this thread's call has left, set before each; its answer's head comes within."""


class _Patience(socket.SocketIO):
    """What a response is read from: no read waits for longer than the call has left."""

    left: Callable[[], float] | None = None

    def readinto(self, buffer: Any) -> int | None:
        """Read into *buffer* what has come; raises TimeoutError."""
        if self.left is not None:
            _check(seconds := self.left())
            if seconds < (self._sock.gettimeout() or math.inf):  # type: ignore[attr-defined]
                self._sock.settimeout(seconds)  # type: ignore[attr-defined]
        return super().readinto(buffer)


class _Response(http.client.HTTPResponse):
    """A response whose head may not drip for longer than there is time."""

    def begin(self) -> None:
        """Read the head; how long the body may take is its reader's to say."""
        raw = getattr(self.fp, "raw", None)
        if type(raw) is socket.SocketIO:
            raw.__class__ = _Patience
            raw.left = LEFT.get(None)  # type: ignore[attr-defined]
        super().begin()
        if isinstance(raw, _Patience):
            raw.left = None


def _check(seconds: float) -> None:
    """Raise TimeoutError if no *seconds* are left."""
    if seconds <= 0:
        raise TimeoutError


class _Tracked:
    """A connection that knows for whom it is used, and whether it was used before.

    It sends small requests in one piece.
    """

    sock: Any
    response_class = _Response
    answered = False
    _tail = b""  # a body that goes out with the head of its request
    _client: hangup.Client | None = None  # whose leaving ends the call
    _fd = -1  # the socket that is shut down then
    _keeps_fd = False  # while an answer is read that closes the connection at its end

    @property
    def is_connected(self) -> bool:
        """Return whether a kept connection is open, with nothing on it that nobody asked for."""
        if self.sock is None:
            return False
        poll = hangup.native("select").poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        return not poll.poll(0)

    def connect(self) -> None:
        """Connect, unless the client has left."""
        super().connect()  # type: ignore[misc]
        self._pair(fresh=True)

    def close(self) -> None:
        """Close; an answer that is yet to be read keeps the socket, and we watch for its client."""
        if self._keeps_fd and self._client and self.sock:
            kept = os.dup(self._fd)
            self._client.moved(self._fd, kept)
            self._fd = kept
        else:
            self.unpair()
        super().close()  # type: ignore[misc]

    def _pair(self, fresh: bool) -> None:
        """Let the client of this thread end the call by leaving; raises ClientLeft if it has."""
        client = hangup.current()
        if client is not None and self._client is None:
            fd = self.sock.fileno()
            client.pair(fd, fresh)
            self._client, self._fd = client, fd

    def unpair(self) -> None:
        """Note that the call is over: the client may leave."""
        client, self._client = self._client, None
        if client is not None:
            client.unpair(self._fd)
            if self.sock is None:  # a duplicate is left
                os.close(self._fd)

    def request(self, method: str, url: str, body: Any = None, **kwargs: Any) -> None:
        """Send a request; raises Stale if a used connection does not take it."""
        if self.sock is not None:
            self._pair(fresh=False)
        if isinstance(body, bytes) and len(body) <= _BLOCK:
            self._tail, body = body, None
        try:
            super().request(method, url, body, **kwargs)  # type: ignore[misc]
        except ConnectionResetError as error:
            raise self._lost(error) from error

    def send(self, data: Any) -> None:
        """Send *data*, and the body that waits for it; raises TimeoutError if it is too late."""
        _check(LEFT.get(lambda: 1.0)())
        if self._tail:
            data, self._tail = data + self._tail, b""
        super().send(data)  # type: ignore[misc]

    def getresponse(self) -> Any:
        """Return the response; raises Stale if a used connection gave none."""
        self._keeps_fd = True
        try:
            response = super().getresponse()  # type: ignore[misc]
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            raise self._lost(error) from error
        finally:
            self._keeps_fd = False
        self.answered = True
        return response

    def _lost(self, error: Exception) -> Exception:
        """Return what it means that the connection was lost before any answer."""
        return hangup.reason() or (Stale() if self.answered else error)


class _Connection(_Tracked, connection.HTTPConnection):  # type: ignore[misc]
    """Plain HTTP."""


class _SecureConnection(_Tracked, connection.HTTPSConnection):  # type: ignore[misc]
    """HTTP over TLS."""


class _Parting:
    """A pool whose connections belong to nobody while they are in it."""

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.unpair()
        super()._put_conn(conn)  # type: ignore[misc]


class _Pool(_Parting, urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment]


class _SecurePool(_Parting, urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection  # type: ignore[assignment]


class Adapter(HTTPAdapter):
    """The pools of `requests`, with its certificates, for connections of ours."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def pool(self, origin: str) -> urllib3.HTTPConnectionPool:
        """Return the connections to *origin*, its certificate checked."""
        request = requests.Request("GET", origin).prepare()
        pool = self.get_connection_with_tls_context(request, verify=True)
        self.cert_verify(pool, origin, verify=True, cert=None)  # type: ignore[no-untyped-call]
        assert isinstance(pool, urllib3.HTTPConnectionPool)
        return pool

    def pinned(self, origin: str, address: str) -> urllib3.HTTPConnectionPool:
        """Return new connections to *origin* that go to *address*, whatever its name resolves to.

        The certificate is checked against the name.
        """
        parts = urlsplit(origin)
        pool: urllib3.HTTPConnectionPool = _Pool(address, parts.port or 80, maxsize=1)
        if parts.scheme == "https":
            pool = _SecurePool(
                address,
                parts.port or 443,
                maxsize=1,
                server_hostname=parts.hostname,
                assert_hostname=parts.hostname,
            )
        self.cert_verify(pool, origin, verify=True, cert=None)  # type: ignore[no-untyped-call]
        return pool


def cooperate() -> None:
    """Make TLS contexts of the class that `ssl` has by now, which gevent replaces.

    urllib3 took the earlier one when it was imported, and that calls itself for ever.
    """
    ssl_.SSLContext = ssl.SSLContext  # type: ignore[assignment]
