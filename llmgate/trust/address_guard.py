"""Check the addresses that clients send: public ones only, resolved once and then pinned.

A name is resolved here, all its addresses are checked, and the call is connected to an address
that was checked: a second answer of the name server (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from typing import NamedTuple
from urllib.parse import urlsplit

from llmgate import errors
from llmgate.trust import name_resolution

Resolve = Callable[[str, int], list[tuple[str, int]]]
"""Returns the addresses of a host and port; raises OSError."""

_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?\.)*[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?")
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")
_MOST_BYTES = 2048
_RESOLVE_SECONDS = 5.0
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(network)
    for network in ("64:ff9b:1::/48", "fec0::/10", "::/96", "2001::/23", "192.88.99.0/24")
)
"""Networks that Python considers global, or that embed other addresses, and that are refused."""


class Address(NamedTuple):
    """The parts of a URL that a client sends."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """Return it as a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        is_default = self.port == _default_port(self.scheme)
        return f"{self.scheme}://{host}{'' if is_default else f':{self.port}'}{self.path}"


def parse(url: Any, name: str, private: bool = False) -> Address:
    """Return the parts of *url*, a client's parameter *name*; raises InvalidRequest.

    It must be https with only a host and a path; if *private*, http and any port are allowed.
    """
    if not isinstance(url, str) or len(url) > _MOST_BYTES or not url.isascii():
        raise _invalid(name)
    if not url.isprintable() or any(sign in url for sign in ' \\@?#%"<>^`{|}'):
        raise _invalid(name)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _invalid(name) from None
    host, scheme = (parts.hostname or "").lower(), parts.scheme.lower()
    path = parts.path.rstrip("/")
    if scheme not in (("http", "https") if private else ("https",)):
        raise _invalid(name)
    if not (_HOST.fullmatch(host) or _is_ip6(host)) or not _PATH.fullmatch(path):
        raise _invalid(name)
    port = port or _default_port(scheme)
    if not private and port != 443 and port < 1024:  # such as mail
        raise _invalid(name)
    if any(step in (".", "..") for step in path.split("/")):
        raise _invalid(name)
    return Address(scheme, host, port, path)


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _is_ip6(host: str) -> bool:
    """Return whether *host* is an IPv6 address without a zone."""
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return "%" not in host


def _invalid(name: str) -> errors.InvalidRequest:
    return errors.InvalidRequest(
        f"'{name}' must be a URL such as https://host/v1: https, a host in ASCII and a path, and"
        " nothing else.",
        param=name,
        code="invalid_address",
    )


def pinned(url: str, private: bool = False, resolve: Resolve | None = None) -> str:
    """Return the IP address to connect to for *url*; raises Forbidden if one is not public.

    Raises Unreachable if the name cannot be resolved.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or _default_port(parts.scheme)
    try:
        found = (resolve or _resolve)(host, port)
    except TimeoutError as error:
        raise errors.Unreachable(
            f"The host in api_base could not be resolved within {_RESOLVE_SECONDS:.3g} s."
        ) from error
    except OSError as error:
        raise errors.Unreachable(
            "The host in api_base could not be resolved. Check api_base."
        ) from error
    addresses = [address for address, _ in found]
    if not addresses or not (private or all(map(is_public, addresses))):
        raise errors.Forbidden(
            "The host in api_base is not a public address; llmgate sends requests of clients only"
            " to public addresses.",
            param="api_base",
            code="client_address_not_allowed",
        )
    return addresses[0]


def _resolve(host: str, port: int) -> list[tuple[str, int]]:
    """Return the addresses of *host*, which a client has chosen."""
    return name_resolution.resolve(host, port, _RESOLVE_SECONDS, is_client=True)


def is_public(text: str) -> bool:
    """Return whether *text* is a public IP address, also if it is embedded in an IPv6 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    embedded = _embedded(address)
    if embedded is not None:
        return is_public(str(embedded))
    if any(address.version == net.version and address in net for net in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _embedded(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> ipaddress.IPv4Address | None:
    """Return the IPv4 address that an IPv6 *address* embeds, None if it embeds none."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


# -- an operator's patterns


class Pattern(NamedTuple):
    """An operator's pattern, a regular expression for each part of an `Address`."""

    scheme: re.Pattern[str]
    host: re.Pattern[str]
    path: re.Pattern[str]

    def matches(self, address: Address) -> bool:
        """Return whether it allows *address*, each part on its own."""
        host = address.host
        if address.port != _default_port(address.scheme):
            host += f":{address.port}"
        return bool(
            self.scheme.fullmatch(address.scheme)
            and self.host.fullmatch(host)
            and self.path.fullmatch(address.path)
        )


_PARTS = re.compile(r"\^?(https?\??|\(https?\|https?\)):(?:\\?/){2}([^/]+?)(?:\\?(/.*?))?/?\$?")
_WILD = re.compile(r"(?<!\\)\.[*+]\??(?=\)*[A-Za-z0-9])")
_DOT = re.compile(r"(?<!\\)\.(?![*+?{])")


@lru_cache(256)
def pattern(text: str) -> Pattern:
    r"""Return the pattern in *text*, a regular expression for a whole URL.

    It is split into scheme, host and path, so that `.*` matches within its part only; in a host
    it ends at a label's end, and a dot matches a dot. Raises ValueError with the cause.
    """
    found = _PARTS.fullmatch(text)
    if found is None:
        raise ValueError("must begin with https:// and a host, as in ^https://.*\\.example\\.com$")
    scheme, host, path = found[1], found[2], found[3] or ""
    host = _DOT.sub(r"\\.", _WILD.sub(r"[^/]*(?<![^.])", host))
    try:
        return Pattern(re.compile(scheme), re.compile(host, re.I), re.compile(path))
    except re.error as error:
        raise ValueError(f"cannot be split into host and path: {error}") from None
