"""Resolve host names within a time limit, without blocking anything but the caller.

`socket.getaddrinfo` has no time limit: a mute name server holds it for 30 s and more. Each name is
looked up in a thread of its own (under gevent: a greenlet on gevent's resolver), which all callers
for that name share, and which outlives callers that time out. Names that clients choose are
limited in number, so that they cannot occupy the resolver of all others.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import threading

MAX_CLIENT_LOOKUPS = 4
"""Look-ups of names that clients choose, at a time; gevent's resolver has 10 threads."""


class _Lookup:
    """A running look-up."""

    def __init__(self, is_client: bool) -> None:
        self.is_client = is_client
        self.done = threading.Event()
        self.addresses: list[str] = []
        self.error: OSError | UnicodeError | None = None

    def run(self, host: str) -> None:
        """Look *host* up; the functions are read from the module now, for gevent replaces them."""
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            self.addresses = [str(entry[4][0]) for entry in found]
        except (OSError, UnicodeError) as error:
            self.error = error
        finally:
            with _LOCK:
                _RUNNING.pop(host, None)
            self.done.set()


_RUNNING: dict[str, _Lookup] = {}  # by host name
_LOCK = threading.Lock()  # never held while anything waits: it is not gevent's


def resolve(host: str, port: int, seconds: float, is_client: bool = False) -> list[tuple[str, int]]:
    """Return the addresses of *host* with *port*, looked up within *seconds*.

    *is_client*: a client has chosen the name. Raises TimeoutError, or OSError if the name does not
    exist, a thread cannot be started or too many names of clients are being looked up.
    """
    if _is_address(host):
        return [(host, port)]
    lookup = _start(host, is_client)
    if not lookup.done.wait(max(0.0, seconds)):
        raise TimeoutError(f"{host} was not resolved within {seconds:.3g} s")
    if lookup.error is not None:
        raise socket.gaierror(*lookup.error.args[:2]) from None
    return [(address, port) for address in lookup.addresses]


def _is_address(host: str) -> bool:
    """Return whether *host* is an IP address, which needs no look-up."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _start(host: str, is_client: bool) -> _Lookup:
    """Return the running look-up of *host*, started if there is none."""
    with _LOCK:
        lookup = _RUNNING.get(host)
        if lookup is not None:
            return lookup
        if is_client and sum(each.is_client for each in _RUNNING.values()) >= MAX_CLIENT_LOOKUPS:
            raise OSError(errno.EBUSY, "too many host names are being looked up")
        lookup = _RUNNING[host] = _Lookup(is_client)
    try:
        name = "llmgate-name-resolution"
        threading.Thread(target=lookup.run, args=(host,), name=name, daemon=True).start()
    except RuntimeError as error:  # the system's limit of threads
        with _LOCK:
            del _RUNNING[host]
        lookup.error = OSError(errno.ENOMEM, "cannot start a thread")
        lookup.done.set()
        raise lookup.error from error
    return lookup
