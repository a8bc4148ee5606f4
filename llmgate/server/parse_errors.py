"""Requests that gunicorn cannot read: told as all errors are, and logged by a line as all are."""

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
    """One way to be unreadable; *message* may name settings of gunicorn's."""

    raised: tuple[type[Exception], ...]
    status: int
    code: str
    message: str


_KINDS = (
    _Kind(
        (http.LimitRequestLine,),
        414,
        "url_too_long",
        "The first line of the request has more than {limit_request_line} bytes. Shorten the URL:"
        " what is long belongs into the body.",
    ),
    _Kind(
        (http.LimitRequestHeaders,),
        431,
        "headers_too_large",
        "The headers of the request are too large: a header may have {limit_request_field_size}"
        " bytes, and there may be {limit_request_fields} of them. Send fewer cookies, or shorter"
        " values.",
    ),
    _Kind(
        (http.InvalidRequestLine, http.InvalidRequestMethod, http.InvalidHTTPVersion),
        400,
        "invalid_request_line",
        "The first line is that of no HTTP/1.1 request. Check the URL and the method; https is"
        " not spoken on this port.",
    ),
    _Kind(
        (http.InvalidHeader, http.InvalidHeaderName, http.ObsoleteFolding),
        400,
        "invalid_header",
        "A header of the request is malformed, or contradicts another. Check names and values:"
        " a line break in a key is a common cause.",
    ),
    _Kind(
        (http.InvalidSchemeHeaders,),
        400,
        "invalid_header",
        "The headers contradict each other on whether the request came by https. Check the proxy.",
    ),
    _Kind(
        (http.UnsupportedTransferCoding,),
        501,
        "unsupported_transfer_coding",
        "This Transfer-Encoding is not understood. Use chunked, or a Content-Length.",
    ),
    _Kind(
        (http.ExpectationFailed,),
        417,
        "expectation_failed",
        "What the header Expect says is not understood. Use 100-continue, or leave it out.",
    ),
)
_REST = (http.InvalidChunkSize, http.ChunkMissingTerminator, http.InvalidChunkExtension)
_OURS = (http.InvalidResponseHeader, http.InvalidResponseHeaderName)


def answered(client: Any, exc: BaseException, cfg: Any) -> bool:
    """Return whether *exc* is the client's fault; if so it is told on its socket, and logged.

    What the client sent is in neither: a key may be part of it. Nothing is said of a body that was
    not read to its end: the request has its answer.
    """
    if isinstance(exc, _REST):
        return True
    kind = next((each for each in _KINDS if isinstance(exc, each.raised)), None)
    if kind is None or isinstance(exc, _OURS):
        return False
    limits = {
        name: getattr(cfg, name)
        for name in ("limit_request_line", "limit_request_field_size", "limit_request_fields")
    }
    error = errors.InvalidRequest(kind.message.format(**limits), code=kind.code)
    error.status = kind.status
    noted = Meter(uuid.uuid4().hex, (request_log.sink((), prompts=False),))
    noted.failed(error)
    with contextlib.suppress(OSError):  # it may have left
        client.sendall(_response(error, noted.request_id))
    noted.end(error.status)
    return True


def _response(error: errors.GateError, request_id: str) -> bytes:
    """Return the bytes that tell *error*, after which the connection is closed."""
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
