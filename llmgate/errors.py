"""What can go wrong with a request: each kind knows its HTTP status and its OpenAI error body.

Only `endpoints.common` turns one into a response. Source of the shape and the codes:
https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class GateError(Exception):
    """An error that a client is told: *message* says what was wrong and what to do."""

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    retry: bool = False  # x-should-retry: whether trying again is safe, and may help
    cause: str | None = None  # for the operator, in words; None: the exception that it is from

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code or self.code
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return OpenAI's error object."""
        return {
            "error": {
                "message": self.message,
                "type": self.type,
                "param": self.param,
                "code": self.code,
            }
        }


class InvalidRequest(GateError):
    """The client's request cannot be served as it stands."""

    status = 400
    type = "invalid_request_error"


class Unauthorized(GateError):
    """No key of ours, or a wrong one."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(GateError):
    """The caller is known and may not do this."""

    status = 403
    type = "permission_error"
    code = "permission_denied"


class NotFound(InvalidRequest):
    """There is no such thing here."""

    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    """There is no such model group."""

    code = "model_not_found"


class MethodNotAllowed(InvalidRequest):
    """The path exists, for other methods."""

    status = 405
    code = "method_not_allowed"


class RequestTimeout(InvalidRequest):
    """The client took too long to send its request."""

    status = 408
    code = "request_timeout"
    retry = True


class TooLarge(InvalidRequest):
    """The request is larger than the gate takes."""

    status = 413
    code = "request_too_large"


class UnsupportedMedia(InvalidRequest):
    """The body is of a kind that this endpoint does not read."""

    status = 415
    code = "unsupported_media_type"


class RateLimited(GateError):
    """A limit of the gate's own is reached."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retry = True


class UpstreamError(GateError):
    """The upstream answered with an error: its status, its words in OpenAI's shape."""

    understood = True  # they are its words

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str | None = None,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, param=param, code=code, headers=headers)
        self.status = status
        self.type = type or type_of(status)
        self.retry = status in MENDABLE and code != "insufficient_quota"


class BadUpstream(GateError):
    """The upstream's answer makes no sense: not JSON, a redirect, an empty stream, too large.

    It may have done (and billed) the work all the same.
    """

    status = 502
    type = "upstream_error"
    code = "bad_upstream_response"


class CutShort(BadUpstream):
    """The upstream's answer ended before it was complete."""

    code = "upstream_cut_short"


class Unreachable(GateError):
    """The upstream was not reached; nothing was sent, so trying again is safe."""

    status = 503
    type = "upstream_error"
    code = "upstream_unavailable"
    retry = True


class UpstreamTimeout(GateError):
    """The upstream was silent for too long; it may have done (and billed) the work."""

    status = 504
    type = "upstream_error"
    code = "upstream_timeout"


MENDABLE = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""An upstream's statuses that may be gone when the same is asked again."""

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    408: "timeout_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
"""OpenAI's error type for a status, where an upstream gives none."""


def type_of(status: int) -> str:
    """Return OpenAI's error type for *status*."""
    return TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


class ConfigError(Exception):
    """The configuration cannot be used; the message names the place and the remedy in one line."""
