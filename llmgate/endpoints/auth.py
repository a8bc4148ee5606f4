"""Which views need a key, and where clients send it."""

from __future__ import annotations

import hashlib
import hmac
import re

from flask import current_app
from flask import g
from flask import request

from llmgate import errors
from llmgate.accounting import records
from llmgate.endpoints.routes import View


def keyed(view: View) -> View:
    """Return *view*, marked as one that needs a key of ours where one is set."""
    view.auth = "key"  # type: ignore[attr-defined]
    return view


def keyed_in_query(view: View) -> View:
    """Return *view*, marked as one that takes its key from the query too, as `?key=`."""
    view.key_in_query = True  # type: ignore[attr-defined]
    return keyed(view)


def public(view: View) -> View:
    """Return *view*, marked as one that anybody may ask."""
    view.auth = "public"  # type: ignore[attr-defined]
    return view


def check_key(master_digest: bytes | None) -> None:
    """Raise Unauthorized if a key is needed and the client's is not it."""
    if master_digest is None or g.key:
        return
    if shown() is None:
        raise errors.Unauthorized(
            "This gateway needs a key: send it as 'Authorization: Bearer <key>' (or api-key,"
            " x-api-key).",
            code="missing_api_key",
        )
    raise errors.Unauthorized("The key is not one of this gateway's. Check your api_key.")


def note_key(master_digest: bytes | None) -> None:
    """Note which of our keys the client shows, empty if none: who asks, for the log."""
    g.key = ""
    key = shown() if master_digest is not None else None
    if master_digest is None or key is None:
        return
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    if hmac.compare_digest(digest, master_digest):
        g.key = "master"
        g.meter.caller = records.Caller(g.key)


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
