"""The gate's errors as Google writes them.

Source: https://cloud.google.com/apis/design/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.codecs import sse

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    504: "DEADLINE_EXCEEDED",
}
"""Google's name of an HTTP status; the others are INVALID_ARGUMENT or UNAVAILABLE."""

_DOMAIN = "llmgate"


def error_body(error: errors.GateError) -> dict[str, Any]:
    """Return *error* as Google's error object."""
    others = "UNAVAILABLE" if error.status >= 500 else "INVALID_ARGUMENT"
    details: list[Mapping[str, Any]] = [*error.details]
    if error.code and not details:
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": error.code.upper(),
                "domain": _DOMAIN,
            }
        )
    if error.param and not error.details:
        violation = {"field": error.param, "description": error.message}
        details.append(
            {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
        )
    shown = {
        "code": error.status,
        "message": error.message,
        "status": _STATUSES.get(error.status, others),
    }
    return {"error": {**shown, **({"details": details} if details else {})}}


def written(error: errors.GateError) -> bytes:
    """Return *error* as the last event of a stream of Google's."""
    return sse.encoded(error_body(error))
