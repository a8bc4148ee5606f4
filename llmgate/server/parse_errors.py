"""Requests that gunicorn cannot parse: answered and logged as all errors are."""

from __future__ import annotations

import contextlib
import json
import uuid
from http import HTTPStatus
from typing import Any
from typing import NamedTuple

from gunicorn.http import errors as http

from llmgate import errors
from llmgate.accounting import request_log
from llmgate.accounting.meter import Meter


class _Kind(NamedTuple):
    """One kind of parse error; *message* may contain names of gunicorn's settings."""

    raised: tuple[type[Exception], ...]
    status: int
    code: str
    message: str


_KINDS = (
    _Kind(
        (http.LimitRequestLine,),
        414,
        "url_too_long",
        "The request line exceeds {limit_request_line} bytes. Shorten the URL and send long values"
        " in the body.",
    ),
    _Kind(
        (http.LimitRequestHeaders,),
        431,
        "headers_too_large",
        "The request headers are too large: at most {limit_request_fields} headers of"
        " {limit_request_field_size} bytes each. Send fewer cookies or shorter values.",
    ),
    _Kind(
        (http.InvalidRequestLine, http.InvalidRequestMethod, http.InvalidHTTPVersion),
        400,
        "invalid_request_line",
        "Malformed HTTP request line. Check the URL and the method. If you meant https://, this"
        " port speaks plain HTTP.",
    ),
    _Kind(
        (http.InvalidHeader, http.InvalidHeaderName, http.ObsoleteFolding),
        400,
        "invalid_header",
        "A request header is malformed or contradicts another. Check names and values; a line"
        " break in an API key is a common cause.",
    ),
    _Kind(
        (http.InvalidSchemeHeaders,),
        400,
        "invalid_header",
        "The headers contradict each other on the scheme (http or https). Check the proxy.",
    ),
    _Kind(
        (http.UnsupportedTransferCoding,),
        501,
        "unsupported_transfer_coding",
        "Unsupported Transfer-Encoding. Use chunked, or Content-Length.",
    ),
    _Kind(
        (http.ExpectationFailed,),
        417,
        "expectation_failed",
        "Unsupported Expect header. Use 100-continue, or omit it.",
    ),
)
_BODY_ERRORS = (http.InvalidChunkSize, http.ChunkMissingTerminator, http.InvalidChunkExtension)
_RESPONSE_ERRORS = (http.InvalidResponseHeader, http.InvalidResponseHeaderName)


def respond(client: Any, exc: BaseException, cfg: Any) -> bool:
    """Return whether *exc* is the client's fault; if so, send the error response and log it.

    Neither contains what the client sent: it may include a key. A chunked body that is invalid
    after the response gets no second response.
    """
    if isinstance(exc, _BODY_ERRORS):
        return True
    kind = next((each for each in _KINDS if isinstance(exc, each.raised)), None)
    if kind is None or isinstance(exc, _RESPONSE_ERRORS):
        return False
    limits = {
        name: getattr(cfg, name)
        for name in ("limit_request_line", "limit_request_field_size", "limit_request_fields")
    }
    error = errors.InvalidRequest(kind.message.format(**limits), code=kind.code)
    error.status = kind.status
    meter = Meter(uuid.uuid4().hex, request_log.writer((), prompts=False))
    meter.set_error(error)
    with contextlib.suppress(OSError):  # it may have disconnected
        client.sendall(_response(error, meter.request_id))
    meter.end(error.status)
    return True


def _response(error: errors.GateError, request_id: str) -> bytes:
    """Return a response for *error* that closes the connection."""
    body = json.dumps(error.body())
    lines = [
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        f"x-request-id: {request_id}",
        "x-should-retry: false",
    ]
    return "\r\n".join([*lines, "", body]).encode()
