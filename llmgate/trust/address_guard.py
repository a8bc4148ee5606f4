"""The guard of addresses that clients name: public ones only, looked up once and then pinned.

A name is resolved here, every address it has is judged, and the call is connected to the address
that was judged: a second answer of the name server changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from typing import NamedTuple
from urllib.parse import urlsplit

from llmgate import errors

Resolve = Callable[..., list[tuple[Any, ...]]]
"""`socket.getaddrinfo`, or what stands in for it."""

_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")
_MOST_BYTES = 2048
_UNSUITED = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b:1::/48", "fec0::/10", "::/96", "2001::/23", "192.88.99.0/24")
)
"""Networks that Python takes for global or that lead to others, and nobody serves models in."""


class Place(NamedTuple):
    """An address in its parts."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """Return it as it is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _usual(self.scheme)
        return f"{self.scheme}://{host}{'' if usual else f':{self.port}'}{self.path}"


def place(url: Any, name: str, private: bool = False) -> Place:
    """Return the parts of the *url* that a client gives at *name*; raises InvalidRequest.

    It must be https, of a host and a path alone; *private* gateways take http and any port.
    """
    if not isinstance(url, str) or len(url) > _MOST_BYTES or not url.isascii():
        raise _wrong(name)
    if not url.isprintable() or any(sign in url for sign in ' \\@?#%"<>^`{|}'):
        raise _wrong(name)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong(name) from None
    host, scheme = (parts.hostname or "").lower(), parts.scheme.lower()
    path = parts.path.rstrip("/")
    if scheme not in (("http", "https") if private else ("https",)):
        raise _wrong(name)
    if not (_HOST.fullmatch(host) or _is_ip6(host)) or not _PATH.fullmatch(path):
        raise _wrong(name)
    port = port or _usual(scheme)
    if not private and port != 443 and port < 1024:  # mail and the like
        raise _wrong(name)
    if any(step in (".", "..") for step in path.split("/")):
        raise _wrong(name)
    return Place(scheme, host, port, path)


def _usual(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _is_ip6(host: str) -> bool:
    """Return whether *host* is an IPv6 address without a zone."""
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return "%" not in host


def _wrong(name: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(
        f"'{name}' must be an address such as https://host/v1: https, a host in ASCII and a path,"
        " and nothing else.",
        param=name,
        code="invalid_address",
    )


def pinned(url: str, private: bool = False, resolve: Resolve = socket.getaddrinfo) -> str:
    """Return the address to connect to for *url*; raises Forbidden if one of it is not public.

    Raises Unreachable if there is none.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _usual(parts.scheme)
    try:
        found = resolve(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise errors.Unreachable(
            "The host that the request names could not be found. Check api_base."
        ) from error
    given = [str(entry[4][0]) for entry in found]
    if not given or not (private or all(map(is_public, given))):
        raise errors.Forbidden(
            "The host that the request names is not a public one; llmgate sends requests of"
            " clients only to public addresses.",
            param="api_base",
            code="client_address_not_allowed",
        )
    return given[0]


def is_public(text: str) -> bool:
    """Return whether *text* is an IP address of the public internet, wherever it is hidden in."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    inner = _inner(address)
    if inner is not None:
        return is_public(str(inner))
    if any(address.version == net.version and address in net for net in _UNSUITED):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _inner(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 *address* leads to, None if it does not."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


# -- an operator's patterns


class Pattern(NamedTuple):
    """An operator's pattern, in the parts that a `Place` has."""

    scheme: re.Pattern[str]
    host: re.Pattern[str]
    path: re.Pattern[str]

    def fits(self, found: Place) -> bool:
        """Return whether it allows *found*, each part on its own."""
        host = found.host if found.port == _usual(found.scheme) else f"{found.host}:{found.port}"
        return bool(
            self.scheme.fullmatch(found.scheme)
            and self.host.fullmatch(host)
            and self.path.fullmatch(found.path)
        )


_PARTS = re.compile(r"\^?(https?\??|\(https?\|https?\)):(?:\\?/){2}([^/]+?)(?:\\?(/.*?))?/?\$?")
_WILD = re.compile(r"(?<!\\)\.[*+]\??(?=\)*[A-Za-z0-9])")
_DOT = re.compile(r"(?<!\\)\.(?![*+?{])")


@lru_cache(256)
def pattern(text: str) -> Pattern:
    r"""Return the pattern that *text* is, a regular expression for a whole address.

    It is cut into scheme, host and path, so that `.*` reaches no further than its part; within a
    host it ends where a label does, and a dot is a dot. Raises ValueError with what is wrong.
    """
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError("must begin with https:// and a host, as in ^https://.*\\.example\\.com$")
    scheme, host, path = found[1], found[2], found[3] or ""
    host = _DOT.sub(r"\\.", _WILD.sub(r"[^/]*(?<![^.])", host))
    try:
        return Pattern(re.compile(scheme), re.compile(host, re.I), re.compile(path))
    except re.error as error:
        raise ValueError(f"is no pattern that can be cut into host and path: {error}") from None
