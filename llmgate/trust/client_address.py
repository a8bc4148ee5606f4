"""The address of a client, behind the proxies that the operator trusts."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

DEFAULT_PROXIES: tuple[Network, ...] = (
    ipaddress.ip_network("127.0.0.1"),
    ipaddress.ip_network("::1"),
)
"""The proxies that are trusted by default; gunicorn's own are the same."""

ALL = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))
_PORT = re.compile(r"^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$")


def parse_proxies(text: str) -> tuple[Network, ...]:
    """Return the networks in *text*, separated by commas; `*`: all. Raises ValueError."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if "*" in names:
        return ALL
    return tuple(ipaddress.ip_network(name, strict=False) for name in names)


def client_network(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """Return the network of the client that sent a request from *peer*, with an X-Forwarded-For.

    Each proxy appends the address that it has seen: only what trusted proxies appended counts.
    Where all are trusted, that is the last address alone. An IPv6 client has its whole /64.
    """
    client = _address(peer)
    for text in reversed(forwarded.split(",")):
        if client is not None and not _is_in(client, proxies):
            break
        found = _address(text)
        if found is None:
            break
        client = found
        if tuple(proxies) == ALL:
            break
    if client is None:
        return peer  # a Unix socket
    if client.version == 6:
        return str(ipaddress.IPv6Network((int(client), 64), strict=False))
    return str(client)


def _address(text: str) -> Address | None:
    """Return the address in *text*, which may have a port; None if there is none."""
    text = text.strip()
    match = _PORT.match(text)
    try:
        found = ipaddress.ip_address((match[1] or match[2]) if match else text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
