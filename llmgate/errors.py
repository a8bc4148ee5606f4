"""Errors of a request, each with its HTTP status and its OpenAI error body.

Only `endpoints.error_responses` turns one into a response. Source of the shape and the codes:
https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any


class GateError(Exception):
    """An error that is returned to the client; *message* contains what is wrong and the remedy."""

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    retry: bool = False  # x-should-retry: whether a retry is safe and may succeed
    details: Sequence[Mapping[str, Any]] = ()  # Google's, for clients of its API
    cause: str | None = None  # for the log; None: the exception it was raised from

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
    """The client's request is invalid."""

    status = 400
    type = "invalid_request_error"


class Unauthorized(GateError):
    """The request has no key of this gateway, or a wrong one."""

    status = 401
    type = "authentication_error"
    code = "invalid_api_key"


class Forbidden(GateError):
    """The caller is authenticated but not permitted to do this."""

    status = 403
    type = "permission_error"
    code = "permission_denied"


class NotFound(InvalidRequest):
    """The resource does not exist."""

    status = 404
    code = "not_found"


class ModelNotFound(NotFound):
    """The model group does not exist."""

    code = "model_not_found"


class MethodNotAllowed(InvalidRequest):
    """The path does not support this method."""

    status = 405
    code = "method_not_allowed"


class UnsupportedOperation(InvalidRequest):
    """No upstream that the request may use performs the operation; nothing was sent."""

    code = "unsupported_operation"


class RequestTimeout(InvalidRequest):
    """The client took too long to send its request."""

    status = 408
    code = "request_timeout"
    retry = True


class TooLarge(InvalidRequest):
    """The request is larger than the limit."""

    status = 413
    code = "request_too_large"


class UnsupportedMedia(InvalidRequest):
    """The endpoint does not support the body's media type."""

    status = 415
    code = "unsupported_media_type"


class RateLimited(GateError):
    """A limit of this gateway is reached."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"
    retry = True


class UpstreamError(GateError):
    """The upstream returned an error: its status, its message in OpenAI's shape."""

    has_provider_message = True  # *message* is the upstream's own
    members: Mapping[str, Any] = {}  # further members of its error, numbers only

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
        self.retry = status in TRANSIENT_STATUSES and code != "insufficient_quota"

    def redact(self, cleaned: Callable[[str], str]) -> None:
        """Replace each text of the upstream by what *cleaned* returns for it."""
        self.message, self.type = cleaned(self.message), cleaned(self.type)
        self.param = self.param and cleaned(self.param)
        self.code = self.code and cleaned(self.code)

    def body(self) -> dict[str, Any]:
        """Return OpenAI's error object with the upstream's further members."""
        return {"error": {**self.members, **super().body()["error"]}}


class UnexplainedError(UpstreamError):
    """The upstream returned an error status without a message."""

    has_provider_message = False


class BadUpstream(GateError):
    """The upstream's response is invalid: not JSON, a redirect, an empty stream, too large.

    The upstream may have done (and billed) the work.
    """

    status = 502
    type = "upstream_error"
    code = "bad_upstream_response"


class CutShort(BadUpstream):
    """The upstream's response ended before it was complete."""

    code = "upstream_cut_short"


class Unreachable(GateError):
    """No connection to the upstream; nothing was sent, so a retry is safe."""

    status = 503
    type = "upstream_error"
    code = "upstream_unavailable"
    retry = True


class OutOfResources(GateError):
    """The system refused a socket, a thread or memory; no upstream is to blame."""

    status = 503
    code = "out_of_resources"
    retry = True


class LoopDetected(GateError):
    """The request has come through this gateway before: an upstream is the gateway itself."""

    status = 508
    code = "loop_detected"


class UpstreamTimeout(GateError):
    """The upstream timed out; it may have done (and billed) the work."""

    status = 504
    type = "upstream_error"
    code = "upstream_timeout"


class StreamTooLong(GateError):
    """A stream has lasted as long as the operator allows."""

    status = 504
    type = "timeout_error"
    code = "stream_time_limit"


TRANSIENT_STATUSES = frozenset({408, 409, 429, 498, *range(500, 600)}) - {501, 505, 508}
"""Statuses of an upstream for which the same request may succeed later. 498 is Groq's for a lack of
capacity; 520 to 530 are Cloudflare's: most of them mean that the upstream was not reached."""

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
"""OpenAI's error type for a status, for upstreams that return none."""


def type_of(status: int) -> str:
    """Return OpenAI's error type for *status*."""
    return TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


class ConfigError(Exception):
    """The configuration is invalid; the message contains the place and the remedy in one line."""
