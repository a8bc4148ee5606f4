"""Anthropic's errors, read and written.

Source: https://platform.claude.com/docs/en/api/errors
"""

from __future__ import annotations

import re
from typing import Any
from typing import NamedTuple

from llmgate import errors
from llmgate.contract import Failure


class _Kind(NamedTuple):
    """What one of Anthropic's error types stands for."""

    status: int
    type: str
    code: str | None = None


_KINDS = {
    "invalid_request_error": _Kind(400, "invalid_request_error"),
    "authentication_error": _Kind(401, "authentication_error", "invalid_api_key"),
    "billing_error": _Kind(402, "insufficient_quota", "insufficient_quota"),
    "permission_error": _Kind(403, "permission_error", "permission_denied"),
    "not_found_error": _Kind(404, "invalid_request_error", "not_found"),
    "conflict_error": _Kind(409, "invalid_request_error", "conflict"),
    "request_too_large": _Kind(413, "invalid_request_error", "request_too_large"),
    "rate_limit_error": _Kind(429, "rate_limit_error", "rate_limit_exceeded"),
    "api_error": _Kind(500, "server_error"),
    "timeout_error": _Kind(504, "timeout_error", "upstream_timeout"),
    "overloaded_error": _Kind(529, "server_error", "overloaded_error"),
}
_UNKNOWN = _Kind(502, "server_error")

_TOO_LONG = re.compile(r"prompt is too long|exceed context limit", re.I)
_NO_CREDIT = re.compile(r"credit balance is too low", re.I)
_NO_MODEL = re.compile(r"^model\b", re.I)


def failure(body: Any) -> Failure:
    """Return the failure for an error *body*.

    An account without credit is not an error of the request: it gets OpenAI's 429.
    """
    error = body.get("error") if isinstance(body, dict) else body
    if not isinstance(error, dict):
        return Failure(error if isinstance(error, str) else "")
    message = str(error.get("message") or "")
    kind = _KINDS.get(str(error.get("type")), _UNKNOWN)
    if kind.status == 402 or _NO_CREDIT.search(message):
        return Failure(message, "insufficient_quota", "insufficient_quota", status=429)
    return Failure(message, kind.type, _code(error, kind, message))


def _code(error: dict[str, Any], kind: _Kind, message: str) -> str | None:
    """Return OpenAI's code for an *error*, or Anthropic's own."""
    if _TOO_LONG.search(message):
        return "context_length_exceeded"
    if kind.status == 404 and _NO_MODEL.search(message):
        return "model_not_found"
    details = error.get("details")
    own = details.get("error_code") if isinstance(details, dict) else None
    return kind.code or (own if isinstance(own, str) else None)


def stream_error(event: dict[str, Any]) -> errors.UpstreamError:
    """Return the error that the *event* of a stream reports, with the status it stands for."""
    found = failure(event)
    error = event.get("error")
    kind = _KINDS.get(str(error.get("type")), _UNKNOWN) if isinstance(error, dict) else _UNKNOWN
    return errors.UpstreamError(
        found.message or "The upstream reported an error in its stream.",
        status=found.status or kind.status,
        type=found.type,
        code=found.code,
    )


_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def error_body(error: errors.GateError) -> dict[str, Any]:
    """Return *error* as Anthropic's API writes it."""
    other = "api_error" if error.status >= 500 else "invalid_request_error"
    message = error.message
    if error.code == "context_length_exceeded" and not _TOO_LONG.search(message):
        message = f"prompt is too long: {message}"  # clients compact their history by these words
    return {"type": "error", "error": {"type": _TYPES.get(error.status, other), "message": message}}
