"""The server's environment variables: address, workers, threads, timeouts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from llmgate.errors import ConfigError

EVERYWHERE, LOOPBACK = "0.0.0.0", "127.0.0.1"
MASTER_KEYS = ("LLMGATE_MASTER_KEY", "LITELLM_MASTER_KEY")
_LONGEST_SHOWN = 40


class Server(NamedTuple):
    """The parsed variables; None: not set."""

    host: str
    port: int
    workers: int
    threads: int | None
    read_timeout: int  # seconds
    write_timeout: int
    read_rate: int  # bytes a second
    body_timeout: int
    keep_alive: int  # seconds that an idle connection of a client stays open


def server(environ: Mapping[str, str]) -> Server:
    """Return the server's variables in *environ*; raises ConfigError for the first invalid one."""
    return Server(
        host=environ.get("HOST") or (EVERYWHERE if _is_public(environ) else LOOPBACK),
        port=_number(environ, "PORT", 65535) or 4000,
        workers=_number(environ, "WEB_CONCURRENCY", 1000) or 2,
        threads=_number(environ, "LLMGATE_THREADS", 65535),
        read_timeout=_number(environ, "LLMGATE_READ_TIMEOUT", 86400) or 15,
        write_timeout=_number(environ, "LLMGATE_WRITE_TIMEOUT", 86400) or 10,
        read_rate=_number(environ, "LLMGATE_READ_RATE", 10**9) or 1024,
        body_timeout=_number(environ, "LLMGATE_BODY_TIMEOUT", 86400) or 900,
        keep_alive=_number(environ, "LLMGATE_KEEPALIVE_TIMEOUT", 86400) or 95,
    )


def _is_public(environ: Mapping[str, str]) -> bool:
    """Return whether the gateway listens on every address: it has a key, or a platform's PORT."""
    return any(environ.get(name) for name in ("PORT", *MASTER_KEYS))


def _number(environ: Mapping[str, str], name: str, most: int) -> int | None:
    """Return the number in the variable *name*, None if it is not set or empty."""
    text = environ.get(name, "").strip()
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 20 and 1 <= int(text) <= most:
        return int(text)
    raise ConfigError(
        f"the environment variable {name} is {text[:_LONGEST_SHOWN]!r}; set it to a whole number"
        f" from 1 to {most}, or unset it"
    )
