"""Addresses as people copy them: with the endpoint's path, a query, Azure's api-version."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qs
from urllib.parse import urlsplit

from llmgate.errors import ConfigError

_ENDPOINT = re.compile(
    r"/(?:chat/completions|completions|embeddings|responses|moderations|rerank|messages|models"
    r"|images/(?:generations|edits|variations)|audio/(?:speech|transcriptions|translations))$"
)
_METHOD = re.compile(r"/(?:projects/.+/)?(?:publishers/[^/]+/)?models/[^/]+:[A-Za-z]+$")
_OLLAMA = re.compile(r"/api/(?:generate|chat|tags|embed|embeddings|show)$")
_VERSION = re.compile(r"\?*api-version=", re.I)


class Address(NamedTuple):
    """Where a provider is, and the version of its API if the address contains one."""

    base: str
    api_version: str | None = None


def cleaned(given: str, path: str, default_path: str, versioned: bool) -> Address:
    """Return the address *given*, which stands at *path*, less what llmgate appends itself.

    *default_path* is what the provider adds to a host alone. *versioned*: its addresses may have
    an api-version. Raises ConfigError for what cannot be an address.
    """
    base, _, query = given.strip().partition("?")
    version = None
    if query:
        given_query = parse_qs(query)
        version = next(iter(given_query.get("api-version", ())), None) if versioned else None
        if not version or len(given_query) > 1:
            raise ConfigError(
                f"{path}: an address cannot have a query; write it up to the '?', and put"
                " parameters into api_version, extra_headers or extra_body"
            )
    base = _less_endpoint(base.rstrip("/"), default_path)
    if versioned:
        base = base.removesuffix("/openai")
    if "#" in base or not urlsplit(base).netloc or not _has_valid_port(base):
        raise ConfigError(f"{path}: must be a complete address such as https://host/v1")
    return Address(base, version)


def _has_valid_port(base: str) -> bool:
    """Return whether the port in *base* is a number, if there is one."""
    try:
        urlsplit(base).port  # noqa: B018 - reading it checks it
    except ValueError:
        return False
    return True


def _less_endpoint(base: str, default_path: str) -> str:
    """Return *base* without the path of an endpoint at its end."""
    native = _OLLAMA.search(base)
    if native:
        return base[: native.start()] + default_path
    return _ENDPOINT.sub("", _METHOD.sub("", base))


def api_version(given: str) -> str:
    """Return an API version, without the name it has in a query."""
    return _VERSION.sub("", given.strip())
