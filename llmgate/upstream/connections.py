"""Connections to upstreams: opened, checked and kept by `requests` and urllib3.

They end when the client that they serve leaves; only `upstream` and `exchange` use them.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
from typing import Any
from typing import TypeAlias
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3 import connection
from urllib3.util import ssl_

from llmgate.inbound import disconnect

_BLOCK = 16384  # bytes that are asked for at once: what a TLS record may have
_NEARLY = 0.99  # of a limit that is set already: not worth a system call
_LONGEST = 1e6  # seconds


def _timeval(seconds: float) -> bytes:
    """Return *seconds* as the system's struct timeval; nothing would be for ever."""
    return struct.pack("ll", *divmod(max(1, round(min(seconds, _LONGEST) * 1e6)), 1_000_000))


class _Tracked:
    """A connection that knows for whom it is used, and whether it was used before."""

    sock: Any
    host: str
    port: int | None
    default_port: int
    is_used = False  # it has answered
    _limit = 0.0  # seconds that a wait may take, as was set last
    _is_plain = False
    _client: disconnect.Client | None = None  # whose leaving ends the call
    _fd = -1  # the socket that is shut down then

    @property
    def is_connected(self) -> bool:
        """Return whether a kept connection is open, with nothing on it that nobody asked for."""
        if self.sock is None:
            return False
        poll = disconnect.native("select").poll()
        poll.register(self.sock.fileno(), select.POLLIN)
        return not poll.poll(0)

    @property
    def authority(self) -> str:
        """Return what the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (None, self.default_port) else f"{host}:{self.port}"

    def opened(self, timeout: float) -> None:
        """Let it serve the client of this thread; connect within *timeout* seconds if it is new.

        Raises ClientLeft if the client has left.
        """
        fresh = self.sock is None
        if fresh:
            self.timeout = timeout
            self.connect()  # type: ignore[attr-defined]
            self._limit = 0.0
            self._is_plain = type(self.sock) is disconnect.native("socket").socket
            if self._is_plain:
                self.sock.settimeout(None)
        client = disconnect.current()
        if client is not None:
            self._client, self._fd = client, self.sock.fileno()
            client.watch(self._fd, fresh)

    def limit(self, seconds: float) -> None:
        """Let no wait take longer than *seconds*; raises TimeoutError if there are none.

        A plain socket is told so itself: Python would ask before each call whether it has to wait.
        """
        if seconds <= 0:
            raise TimeoutError
        if _NEARLY * self._limit <= seconds <= self._limit:
            return
        self._limit = seconds
        if not self._is_plain:
            self.sock.settimeout(seconds)
            return
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.sock.setsockopt(socket.SOL_SOCKET, option, _timeval(seconds))

    def receive(self) -> bytes:
        """Return what has come, after waiting for at least a byte; nothing at the end."""
        try:
            return self.sock.recv(_BLOCK)  # type: ignore[no-any-return]
        except BlockingIOError as error:
            raise TimeoutError from error

    def send(self, data: memoryview) -> int:
        """Send some of *data*, after waiting for room; return how many bytes went out."""
        try:
            return self.sock.send(data)  # type: ignore[no-any-return]
        except BlockingIOError as error:
            raise TimeoutError from error

    def close(self) -> None:
        """Close."""
        self.unwatch()
        self.is_used = False
        super().close()  # type: ignore[misc]

    def unwatch(self) -> None:
        """Note that the call is over: the client may leave."""
        client, self._client = self._client, None
        if client is not None:
            client.unwatch(self._fd)


class _Connection(_Tracked, connection.HTTPConnection):  # type: ignore[misc]
    """Plain HTTP."""


class _SecureConnection(_Tracked, connection.HTTPSConnection):  # type: ignore[misc]
    """HTTP over TLS."""


Connection: TypeAlias = _Connection | _SecureConnection


class _Keeping:
    """What is asked of a pool."""

    def taken(self, fresh: bool) -> Connection:
        """Return a connection, an open one if there is one and it need not be *fresh*."""
        return self._new_conn() if fresh else self._get_conn()  # type: ignore[attr-defined, no-any-return]

    def given(self, connection: Connection) -> None:
        """Keep *connection* for a next call."""
        self._put_conn(connection)  # type: ignore[attr-defined]


class _Pool(_Keeping, urllib3.HTTPConnectionPool):
    ConnectionCls = _Connection  # type: ignore[assignment]


class _SecurePool(_Keeping, urllib3.HTTPSConnectionPool):
    ConnectionCls = _SecureConnection  # type: ignore[assignment]


Pool: TypeAlias = _Pool | _SecurePool


class Adapter(HTTPAdapter):
    """The pools of `requests`, with its certificates, for connections of ours."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def pool(self, origin: str) -> Pool:
        """Return the connections to *origin*, its certificate checked."""
        request = requests.Request("GET", origin).prepare()
        pool = self.get_connection_with_tls_context(request, verify=True)
        self.cert_verify(pool, origin, verify=True, cert=None)  # type: ignore[no-untyped-call]
        assert isinstance(pool, _Pool | _SecurePool)
        return pool

    def pinned(self, origin: str, address: str) -> Pool:
        """Return new connections to *origin* that go to *address*, whatever its name resolves to.

        The certificate is checked against the name.
        """
        parts = urlsplit(origin)
        pool: Pool = _Pool(address, parts.port or 80, maxsize=1)
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
