"""Where clients show their keys."""

from __future__ import annotations

import re

from flask import current_app
from flask import request

_SIGNED = re.compile(r"(?i)AWS4-HMAC-SHA256\s+Credential=(\S+?)/\d{8}/[\w-]+/[\w-]+/aws4_request\b")


def shown() -> str | None:
    """Return the key that the client sends, wherever it does.

    AWS's clients have it as their access key: what they sign with it is not looked at, for they
    are known by the key alone, as all others are.
    """
    said = request.headers.get("Authorization", "")
    scheme, _, key = said.partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    named = (request.headers.get(name) for name in ("api-key", "x-api-key", "x-goog-api-key"))
    basic = request.authorization  # LLMstudio's clients know no header, but http://any:key@host
    password = basic.password if basic and basic.type == "basic" else None
    signed = _SIGNED.match(said)
    keys = (*named, password, _in_query(), signed and signed[1])
    return next((key.strip() for key in keys if key), None)


def _in_query() -> str | None:
    """Return the key in the query, where a view takes it from there."""
    view = current_app.view_functions.get(request.endpoint or "")
    return request.args.get("key") if getattr(view, "key_in_query", False) else None
