"""Google's errors as OpenAI's: of an error body, and inside a stream.

Sources: https://cloud.google.com/apis/design/errors
https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate import errors
from llmgate.contract import Failure

_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNKNOWN": 500,
    "DATA_LOSS": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""The HTTP status of Google's status names."""

_CODES = {
    "UNAUTHENTICATED": "invalid_api_key",
    "PERMISSION_DENIED": "permission_denied",
    "NOT_FOUND": "model_not_found",
    "RESOURCE_EXHAUSTED": "rate_limit_exceeded",
}
"""OpenAI's code for Google's status names; the others go on as they are."""

_TOO_LONG = re.compile(
    r"token count.{0,60}(exceeds|only supports)|exceeds the maximum number of tokens", re.I | re.S
)
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_TOO_LARGE = re.compile(r"payload size exceeds", re.I)


def failure(body: Any) -> Failure:
    """Return the failure for an error *body*: Google's object, in a list or not, or OAuth's."""
    error = _error(body)
    details = tuple(_objects(error.get("details")))
    return _kind(error, details)._replace(details=details, retry_after=_retry_delay(details))


def _kind(error: Mapping[str, Any], details: Iterable[Mapping[str, Any]]) -> Failure:
    """Return the failure for an *error*, less its details."""
    message = str(error.get("message") or error.get("error_description") or "")
    status = error.get("status")
    if "API_KEY_INVALID" in [detail.get("reason") for detail in details]:  # with status 400
        return Failure(message, "authentication_error", "invalid_api_key", status=401)
    if _TOO_LONG.search(message):
        return Failure(
            message, "invalid_request_error", "context_length_exceeded", "messages", status=400
        )
    if _TOO_LARGE.search(message):
        return Failure(message, "invalid_request_error", "request_too_large", status=413)
    code = _CODES.get(str(status), status)
    return Failure(message, code=code if isinstance(code, str) else None, param=_field(error))


def _retry_delay(details: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the seconds of a RetryInfo among *details*, None without one."""
    for detail in details:
        found = _DURATION.fullmatch(str(detail.get("retryDelay")))
        if found:
            return float(found[1])
    return None


def stream_error(event: Any) -> errors.UpstreamError:
    """Return the error that an *event* of a stream reports."""
    found, error = failure(event), _error(event)
    status = found.status or error.get("code")
    if not isinstance(status, int) or not 400 <= status <= 599:
        status = _STATUSES.get(str(error.get("status")), 502)
    delay = found.retry_after
    headers = {} if delay is None else {"retry-after": str(math.ceil(delay))}
    raised = errors.UpstreamError(
        found.message or "Google reported an error in its stream.",
        status=status,
        type=found.type,
        param=found.param,
        code=found.code,
        headers=headers,
    )
    raised.details = found.details
    return raised


def _error(body: Any) -> Mapping[str, Any]:
    """Return the error object of *body*; OAuth's has only the name of its error."""
    if isinstance(body, list):
        body = body[0] if body else {}
    if not isinstance(body, Mapping):
        return {"message": body if isinstance(body, str) else ""}
    error = body.get("error", body)
    if isinstance(error, Mapping):
        return error
    return {"message": body.get("error_description") or error, "status": error}


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of *value*, if it is a list."""
    for item in value if isinstance(value, list) else ():
        if isinstance(item, Mapping):
            yield item


def _field(error: Mapping[str, Any]) -> str | None:
    """Return the field of the first violation, None without one."""
    for detail in _objects(error.get("details")):
        for violation in _objects(detail.get("fieldViolations")):
            if violation.get("field"):
                return str(violation["field"])
    return None
