"""Check that the bind addresses are free before starting."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from llmgate.errors import ConfigError

_REMEDIES = {
    errno.EADDRINUSE: "stop what uses it, or choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address: choose another host",
    errno.EACCES: "only root may use this port: choose one of 1024 or more",
}


def inherits(environ: Mapping[str, str], pid: int) -> bool:
    """Return whether the process *pid* inherits sockets from systemd or an older gunicorn."""
    return environ.get("LISTEN_PID") == str(pid) or "GUNICORN_FD" in environ


def check(addresses: Iterable[Any], reuse_port: bool, how: str) -> None:
    """Raise ConfigError for the first of gunicorn's *addresses* that cannot be bound.

    *how* names the options that set the address. Unix sockets and descriptors are not checked.
    """
    for address in addresses:
        if isinstance(address, tuple):
            available_port(address[0], address[1], reuse_port, how)


def available_port(host: str, wanted: int, reuse_port: bool, how: str) -> int:
    """Return *wanted* if it can be bound on *host*, for 0 a free port; raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            probe.bind((host, wanted))
            return int(probe.getsockname()[1])
    except (OSError, OverflowError, UnicodeError) as error:
        shown = f"[{host}]:{wanted}" if ":" in host else f"{host}:{wanted}"
        what = getattr(error, "strerror", None) or str(error)
        remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "choose another host or port")
        raise ConfigError(f"cannot listen on {shown}: {what}; {remedy}, {how}") from None
