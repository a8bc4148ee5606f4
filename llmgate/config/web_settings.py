"""How browsers and reverse proxies reach the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from llmgate.errors import ConfigError
from llmgate.inbound import cors
from llmgate.inbound import root_path
from llmgate.trust import client_address

_PROXIES = "FORWARDED_ALLOW_IPS"
"""gunicorn's variable for the addresses of trusted proxies."""


class Web(NamedTuple):
    """How the gateway is reached."""

    cors: cors.Rules | None = None
    prefixes: root_path.Prefixes | None = None
    proxies: tuple[client_address.Network, ...] = client_address.DEFAULT_PROXIES


def load(own: Mapping[str, Any], environ: Mapping[str, str]) -> Web:
    """Return what llmgate_settings and the environment say; raises ConfigError."""
    prefixes = _prefixes(environ)  # checks the addresses
    found = Web(_cross_origin(own.get("cors")), prefixes)
    if _PROXIES not in environ:
        return found
    return found._replace(proxies=client_address.parse_proxies(environ[_PROXIES]))


def _cross_origin(given: Mapping[str, Any] | None) -> cors.Rules | None:
    """Return the rules of `llmgate_settings.cors`, None if there are no origins."""
    if not given or not given.get("origins"):
        return None
    for at, origin in enumerate(given["origins"]):
        is_url = origin.startswith(("http://", "https://")) and origin.count("/") == 2
        if not is_url and origin not in ("*", "null") and "://" not in origin.removesuffix("/"):
            raise ConfigError(
                f"llmgate_settings.cors.origins[{at}]: '{origin}' is not an origin; write"
                " https://app.example.com, or '*' for all"
            )
    origins = tuple(origin.rstrip("/") for origin in given["origins"])
    age = given.get("max_age")
    rules = cors.Rules(origins, tuple(given.get("headers") or ()))
    return rules if age is None else rules._replace(max_age=int(age))


def _prefixes(environ: Mapping[str, str]) -> root_path.Prefixes | None:
    """Return the prefixes that SERVER_ROOT_PATH and FORWARDED_ALLOW_IPS describe, None without."""
    root = "/" + environ.get("SERVER_ROOT_PATH", "").strip("/ ")
    given = [each.strip() for each in environ.get(_PROXIES, "").split(",")]
    proxies = tuple(filter(None, given))
    if root == "/":
        root = ""
    elif not root_path.is_prefix(root):
        raise ConfigError(
            "the environment variable SERVER_ROOT_PATH is not a path; write it as /llm"
        )
    try:
        root_path.networks(proxies)
    except ValueError as error:
        raise ConfigError(
            f"the environment variable {_PROXIES}: {error}; list the addresses or"
            " networks of your proxies, or *"
        ) from None
    return root_path.Prefixes(root, proxies) if root or proxies else None
