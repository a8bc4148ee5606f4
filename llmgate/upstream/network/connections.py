"""Connections to upstreams, opened and verified by urllib3.

The only module that uses private API of urllib3, beside network/pools (both are listed in
tests/upstream/network/test_connections.py). A connection is shut down when the client it is used
for disconnects. Only `session`, `http1` and `network` use this module.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
import struct
import time
from typing import Any
from typing import TypeAlias

import urllib3
from urllib3 import connection
from urllib3.util import ssl_
from urllib3.util.connection import create_connection
from urllib3.util.ssltransport import SSLTransport

from llmgate.inbound import disconnect
from llmgate.trust import name_resolution
from llmgate.upstream.network import tunnel

# A TLS record has at most 16384 bytes, and OpenSSL's read_ahead is off: a read of this size leaves
# nothing in the TLS object that a poll of the socket would not show.
_BLOCK = 16384
_CLOSE_ENOUGH = 0.99  # of the time-out that is set already: not worth a system call
_MAX_TIMEOUT = 1e6  # seconds
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
"""Error numbers of a system that refuses sockets, threads or memory."""

_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


def _timeval(seconds: float) -> bytes:
    """Return *seconds* as the system's struct timeval; 0 would mean no timeout."""
    microseconds = max(1, round(min(seconds, _MAX_TIMEOUT) * 1e6))
    return struct.pack("ll", *divmod(microseconds, 1_000_000))


class _Tracked:
    """A connection that knows the client it is used for, and whether it was used before."""

    sock: Any
    host: str
    _dns_host: str
    port: int | None
    default_port: int
    socket_options: Any
    timeout: Any
    proxy: Any
    tunnel: tunnel.Tunnel | None = None
    is_used = False  # a response was received
    is_truncated = False  # the peer closed TCP without TLS's close_notify
    _end = 0.0  # of the time to connect
    _timeout = 0.0  # seconds, as set last; valid for this socket only
    _is_plain = False
    _client: disconnect.Client | None = None  # whose disconnect ends the call
    _fd = -1  # the socket that is shut down then

    @property
    def is_idle(self) -> bool:
        """Return whether a pooled connection is open, with no byte received since its last use."""
        return self.sock is not None and not self._poll(select.POLLIN, 0)

    # urllib3's pool closes a connection for which this is false instead of reusing it.
    is_connected = is_idle

    @property
    def has_pending(self) -> bool:
        """Return whether the TLS object holds bytes that were not read."""
        if isinstance(self.sock, SSLTransport):
            return True  # TLS within TLS does not show it
        return not self._is_plain and bool(getattr(self.sock, "pending", int)())

    @property
    def authority(self) -> str:
        """Return the value of the Host header."""
        if self.tunnel is not None:
            return self.tunnel.authority.removesuffix(f":{self.default_port}")
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port in (None, self.default_port) else f"{host}:{self.port}"

    def open(self, timeout: float) -> None:
        """Bind the connection to the client of this thread; connect within *timeout* seconds.

        Raises ClientLeft if the client has disconnected.
        """
        is_new = self.sock is None
        if is_new:
            self.timeout = timeout
            self._connect()
            self._timeout = 0.0
            self.is_truncated = False
            self._is_plain = type(self.sock) is disconnect.native("socket").socket
            if self._is_plain:
                self.sock.settimeout(None)
            if hasattr(self.sock, "suppress_ragged_eofs"):
                self.sock.suppress_ragged_eofs = False  # an EOF without close_notify is an error
        client = disconnect.current()
        if client is not None:
            self._client, self._fd = client, self.sock.fileno()
            client.watch(self._fd, is_new)

    def _connect(self) -> None:
        """Connect, the proxy's tunnel and the TLS handshake included."""
        if self.tunnel is not None:  # urllib3 forgets it when it closes the connection
            host, port, scheme, headers = self.tunnel
            self.set_tunnel(host, port, headers, scheme)  # type: ignore[attr-defined]
        self._end = time.monotonic() + self.timeout
        try:
            self.connect()  # type: ignore[attr-defined]
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, "timed out") from error
        except (
            urllib3.exceptions.NewConnectionError,
            urllib3.exceptions.NameResolutionError,
        ) as error:
            if self.proxy is None:
                raise
            raise urllib3.exceptions.ProxyError("The proxy is unreachable", error) from error

    def _tunnel(self) -> None:
        """Have the proxy connect to the upstream, in what is left of the time to connect."""
        assert self.tunnel is not None
        tunnel.connect(self.sock, self.tunnel, self._end)

    def _new_conn(self) -> socket.socket:
        """Return a socket connected within `timeout` seconds in all, the name's look-up included.

        urllib3's own has no limit for the look-up, and its time-out holds for each address.
        """
        end = time.monotonic() + self.timeout
        try:
            addresses = name_resolution.resolve(
                self._dns_host, self.port or self.default_port, self.timeout
            )
        except OSError as error:
            if error.errno in EXHAUSTED:
                raise
            raise urllib3.exceptions.NameResolutionError(self.host, self, error) from error  # type: ignore[arg-type]
        failure: OSError = TimeoutError()
        for address in addresses:
            try:
                return create_connection(
                    address, max(0.001, end - time.monotonic()), None, self.socket_options
                )
            except OSError as error:
                failure = error
        if failure.errno in EXHAUSTED:
            raise failure
        if isinstance(failure, TimeoutError):
            raise urllib3.exceptions.ConnectTimeoutError(self, "timed out") from failure
        raise urllib3.exceptions.NewConnectionError(self, str(failure)) from failure  # type: ignore[arg-type]

    def set_timeout(self, seconds: float) -> None:
        """Let no wait take longer than *seconds*; raises TimeoutError if that is not positive.

        A plain socket gets it as a socket option: Python would poll before each call.
        """
        if seconds <= 0:
            raise TimeoutError
        if _CLOSE_ENOUGH * self._timeout <= seconds <= self._timeout:
            return
        self._timeout = seconds
        if not self._is_plain:
            self.sock.settimeout(seconds)
            return
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.sock.setsockopt(socket.SOL_SOCKET, option, _timeval(seconds))

    def receive(self) -> bytes:
        """Return received bytes, waiting for at least one; empty at the end of the connection."""
        try:
            return self.sock.recv(_BLOCK)  # type: ignore[no-any-return]
        except BlockingIOError as error:
            raise TimeoutError from error
        except ssl.SSLEOFError:
            self.is_truncated = True
            return b""

    def send(self, data: memoryview) -> int:
        """Send some of *data*, waiting for buffer space; return the number of bytes."""
        try:
            return self.sock.send(data)  # type: ignore[no-any-return]
        except BlockingIOError as error:
            raise TimeoutError from error

    def receive_now(self) -> bytes | None:
        """Return received bytes without waiting, None if there are none; empty at the end."""
        try:
            if self._is_plain:
                return self.sock.recv(_BLOCK, socket.MSG_DONTWAIT)  # type: ignore[no-any-return]
            self._set_nonblocking()
            return self.sock.recv(_BLOCK)  # type: ignore[no-any-return]
        except _WOULD_BLOCK:
            return None
        except ssl.SSLEOFError:
            self.is_truncated = True
            return b""

    def send_now(self, data: memoryview) -> int:
        """Send what fits into the buffer without waiting; return the number of bytes."""
        try:
            if self._is_plain:
                return self.sock.send(data, socket.MSG_DONTWAIT)  # type: ignore[no-any-return]
            self._set_nonblocking()
            return self.sock.send(data)  # type: ignore[no-any-return]
        except _WOULD_BLOCK:
            return 0

    def _set_nonblocking(self) -> None:
        """Let TLS sockets and gevent's not wait, until `set_timeout` is called."""
        if self._timeout:
            self._timeout = 0.0
        self.sock.settimeout(0.0)

    def wait(self, seconds: float) -> None:
        """Wait until bytes can be sent or were received; raises TimeoutError after *seconds*."""
        if seconds <= 0 or not self._poll(select.POLLIN | select.POLLOUT, seconds):
            raise TimeoutError

    def _poll(self, events: int, seconds: float) -> bool:
        """Return whether one of *events*, or the end of the connection, occurs in *seconds*."""
        # gevent's poll switches to other greenlets, which a look without a wait must not.
        poll = select.poll() if seconds else disconnect.native("select").poll()
        poll.register(self.sock.fileno(), events)
        return bool(poll.poll(min(seconds, _MAX_TIMEOUT) * 1000))

    def close(self) -> None:
        """Close it, after the client is unbound: its number may then be another connection's."""
        self.release_client()
        self.is_used = False
        super().close()  # type: ignore[misc]

    def release_client(self) -> None:
        """Unbind it from its client: the call is over."""
        client, self._client = self._client, None
        if client is not None:
            client.unwatch(self._fd)


class PlainConnection(_Tracked, connection.HTTPConnection):  # type: ignore[misc]
    """Plain HTTP."""


class SecureConnection(_Tracked, connection.HTTPSConnection):  # type: ignore[misc]
    """HTTP over TLS."""


Connection: TypeAlias = PlainConnection | SecureConnection


def use_patched_ssl() -> None:
    """Make urllib3 use the TLS context class that gevent has put into `ssl`.

    urllib3 bound the original at import, whose setters recurse for ever once `ssl` is patched.
    """
    ssl_.SSLContext = ssl.SSLContext  # type: ignore[assignment]
