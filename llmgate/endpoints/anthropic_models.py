"""GET /v1/models as Anthropic's clients read it: those that send `anthropic-version`.

Source: https://platform.claude.com/docs/en/api/models-list
"""

from __future__ import annotations

from typing import Any

from flask import Response
from flask import request

from llmgate import errors
from llmgate.endpoints import common

_CREATED = "2026-01-01T00:00:00Z"  # the SDKs' types require a time; nothing reads it
_USUAL, _MOST = 20, 1000  # on a page


def is_requested() -> bool:
    """Return whether this request is from a client of Anthropic's API."""
    return "anthropic-version" in request.headers


def model(name: str) -> dict[str, Any]:
    """Return Anthropic's object for the model called *name*."""
    return {"type": "model", "id": name, "display_name": name, "created_at": _CREATED}


def models() -> Response:
    """List the available models, a page at a time."""
    names = [name for name in common.gate().routes.names() if common.may_use(name)]
    limit = _limit()
    before, after = request.args.get("before_id"), request.args.get("after_id")
    if before in names:
        rest = names[: names.index(before)]
        page, has_more = rest[-limit:], len(rest) > limit
    else:
        rest = names[names.index(after) + 1 :] if after in names else names
        page, has_more = rest[:limit], len(rest) > limit
    return common.json_response(
        {
            "data": [model(name) for name in page],
            "has_more": has_more,
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def _limit() -> int:
    """Return the size of a page; raises InvalidRequest."""
    text = request.args.get("limit", str(_USUAL))
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= _MOST):
        raise errors.InvalidRequest(
            f"'limit' must be a number from 1 to {_MOST}.", param="limit", code="invalid_value"
        )
    return int(text)
