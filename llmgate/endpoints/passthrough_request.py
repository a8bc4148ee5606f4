"""The path, the query and the headers of a pass-through request, validated."""

from __future__ import annotations

import re
from collections.abc import Container
from collections.abc import Iterable
from urllib.parse import quote
from urllib.parse import unquote_plus

from flask import request

from llmgate import errors

_SEGMENT = re.compile(r"[A-Za-z0-9._~:@!$&'()*+,=-]{1,2048}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@=+~-]{0,511}")
_ALLOWED = re.compile(
    r"accept|content-type|content-language|idempotency-key|x-idempotency-key|range"
    r"|anthropic-(?!organization).*|openai-(beta|organization|project|safety-identifier)"
    r"|x-goog-(?!api-key|user-project|iam-|authenticated).*"
    r"|x-amzn-(?!trace-id|oidc|mtls).*|x-client-name|x-ms-client-request-id|x-ms-useragent"
    r"|prefer|model-version"
)
_NAMED = {"openai-organization": "OpenAI-Organization", "openai-project": "OpenAI-Project"}
_OURS = frozenset({"key", "api-key", "api_key", "access_token", "x-api-key", "custom_llm_provider"})


def path(below: str) -> str:
    """Return *below*, a decoded path, as it is passed on: without empty segments.

    Raises InvalidRequest for what could lead elsewhere, or be read otherwise by those after us.
    """
    steps = [step for step in below.split("/") if step]
    for step in steps:
        if not _SEGMENT.fullmatch(step) or not step.strip("."):
            raise errors.InvalidRequest(
                "The path has a segment that is not passed on: it takes letters, digits and"
                " ._~:@!$&'()*+,=- and no segment of dots alone.",
                code="invalid_path",
            )
    return "/".join(steps)


def own_root() -> str:
    """Return the address of this gateway as the client has it, behind a TLS proxy as well."""
    sent = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip()
    scheme = sent if sent in ("http", "https") else request.scheme
    return f"{scheme}://{request.host}{request.script_root}"


def quoted(path: str) -> str:
    """Return *path*, one that `path` returned, as it is sent."""
    return quote(path, safe="~:@!$&'()*+,=-._/")


def is_id(text: str) -> bool:
    """Return whether *text* can be the id of something."""
    return bool(_ID.fullmatch(text))


def query(less: Container[str] = ()) -> list[tuple[str, str]]:
    """Return the query as names and pairs as they are sent, without *less* and without our keys."""
    found = []
    for raw in request.query_string.split(b"&"):
        name = unquote_plus(raw.partition(b"=")[0].decode("latin-1")).strip().lower()
        if raw and name not in _OURS and name not in less:
            found.append((name, quote(raw, safe="%~:@!$'()*+,;=-._/?")))
    return found


def url(base: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return *base*, which may have a query, with those of *pairs* that it does not say itself."""
    own = {pair.partition("=")[0] for pair in base.partition("?")[2].split("&")}
    added = "&".join(raw for name, raw in pairs if name not in own)
    return base + ("&" if "?" in base else "?") + added if added else base


def headers() -> dict[str, str]:
    """Return the client's headers that go upstream."""
    return {
        _NAMED.get(name.lower(), name): value
        for name, value in request.headers.items()
        if _ALLOWED.fullmatch(name.lower()) and value
    }
