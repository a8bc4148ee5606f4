"""A path in front of every route: where a reverse proxy serves the gateway below a prefix."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

_PREFIX = re.compile(r"(/[\w.~%-]+)+")


class Prefixes(NamedTuple):
    """Where prefixes come from."""

    root: str = ""  # SERVER_ROOT_PATH, such as /llm
    proxies: tuple[str, ...] = ()  # whose X-Forwarded-Prefix is obeyed: addresses, networks, *


class RootPath:
    """WSGI middleware that moves the prefix of a path to SCRIPT_NAME.

    Requests without the prefix are served as well: health probes come past the proxy.
    """

    def __init__(self, app: Callable[..., Any], prefixes: Prefixes) -> None:
        self._app = app
        self._root = prefixes.root
        self._trusts_all = "*" in prefixes.proxies
        self._proxies = networks(prefixes.proxies)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request, as WSGI applications do."""
        for prefix in (self._forwarded(environ), self._root):
            if prefix:
                environ = _below(prefix, environ)
        return self._app(environ, start_response)

    def _forwarded(self, environ: dict[str, Any]) -> str:
        """Return the prefix that a trusted proxy has removed, or would have."""
        given = environ.get("HTTP_X_FORWARDED_PREFIX")
        if given is None or not self._is_trusted(environ.get("REMOTE_ADDR", "")):
            return ""
        prefix = str(given).rstrip("/")
        return prefix if _PREFIX.fullmatch(prefix) else ""

    def _is_trusted(self, address: str) -> bool:
        """Return whether the peer at *address* is a proxy; on a Unix socket, without one, it is."""
        if self._trusts_all or not address:
            return True
        try:
            peer = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(peer in network for network in self._proxies)


def networks(
    names: Iterable[str],
) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return the networks that *names* are; raises ValueError for anything but these and a star."""
    return [ipaddress.ip_network(name, strict=False) for name in names if name != "*"]


def is_prefix(text: str) -> bool:
    """Return whether *text* can be a prefix."""
    return _PREFIX.fullmatch(text) is not None


def _below(prefix: str, environ: dict[str, Any]) -> dict[str, Any]:
    """Return *environ* with *prefix* moved from the path to the script's name."""
    path = environ.get("PATH_INFO", "")
    if path == prefix or path.startswith(f"{prefix}/"):
        path = path[len(prefix) :] or "/"
    return {**environ, "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix, "PATH_INFO": path}
