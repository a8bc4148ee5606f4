"""A tunnel through an HTTP proxy (CONNECT): RFC 9110, section 9.3.6."""

from __future__ import annotations

import time
from typing import Any
from typing import NamedTuple

import urllib3

from llmgate.inbound import disconnect
from llmgate.upstream import http1_head

_BLOCK = 16384


class Tunnel(NamedTuple):
    """The address that a proxy connects to."""

    host: str
    port: int
    scheme: str  # of the proxy
    headers: dict[str, str]  # for the proxy alone

    @property
    def authority(self) -> str:
        """Return the host and the port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def connect(sock: Any, tunnel: Tunnel, end: float) -> None:
    """Have the proxy at *sock* connect to the upstream, until *end* on the monotonic clock.

    http.client's own waits for each byte anew. A client that disconnects ends it. Raises
    ProxyError, TimeoutError, EOFError, ProtocolError, OSError.
    """

    def receive() -> bytes:
        sock.settimeout(_remaining(end))
        return sock.recv(_BLOCK)  # type: ignore[no-any-return]

    client, fd = disconnect.current(), sock.fileno()
    if client is not None:
        client.watch(fd, True)
    try:
        sock.settimeout(_remaining(end))
        headers = {"Host": tunnel.authority, **tunnel.headers}
        sock.sendall(http1_head.request("CONNECT", tunnel.authority, headers))
        head, surplus = http1_head.read(receive, "CONNECT")
        sock.settimeout(_remaining(end))  # for the TLS handshake
    finally:
        if client is not None:
            client.unwatch(fd)
    if not 200 <= head.status < 300 or surplus:
        text = f"The proxy refused to connect to the upstream (status {head.status})"
        raise urllib3.exceptions.ProxyError(text, OSError(text))


def _remaining(end: float) -> float:
    """Return the seconds until *end*; raises TimeoutError after it."""
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
