"""Error responses: in OpenAI's shape, or in that of the endpoint's wire format."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import current_app
from flask import g
from flask import request
from werkzeug import exceptions

from llmgate import errors
from llmgate.endpoints import exhausted
from llmgate.inbound import keepalive

ErrorShape = Callable[[errors.GateError], Mapping[str, Any]]
"""A function that returns the JSON body for an error in an endpoint's wire format."""

_SHAPES = "llmgate.error_shapes"


def use_shape(blueprint: Blueprint, shape: ErrorShape, *prefixes: str) -> None:
    """Use *shape* for errors of *blueprint*'s views and on paths that begin with *prefixes*.

    Where there is no view (404, 405) the path decides.
    """

    def record(state: Any) -> None:
        known = state.app.extensions.setdefault(_SHAPES, {})
        known.update(dict.fromkeys((blueprint.name, *prefixes), shape))

    blueprint.record(record)


def register(app: Flask) -> None:
    """Make *app* answer every error in JSON."""
    app.register_error_handler(errors.GateError, error_response)
    app.register_error_handler(exceptions.HTTPException, _http_error)
    app.register_error_handler(Exception, _bug)


def printable(text: str) -> str:
    """Return *text* with only the characters that a header may contain."""
    if text.isascii() and text.isprintable():
        return text[:256]
    return re.sub(r"[^\x20-\x7e]", "?", text)[:256]


def error_response(error: errors.GateError) -> Response:
    """Return the response for *error*."""
    g.meter.set_error(error)
    data = keepalive.format_error(error) or json.dumps(_shape()(error))
    response = Response(data, error.status, content_type="application/json")
    response.headers["x-should-retry"] = "true" if error.retry else "false"
    response.headers.update(error.headers)
    return response


def _shape() -> ErrorShape:
    """Return the shape of errors on the path of this request."""
    known: dict[str, ErrorShape] = current_app.extensions.get(_SHAPES, {})
    if request.blueprint in known:
        return known[request.blueprint]
    for prefix, shape in known.items():
        if request.path.startswith(prefix):
            return shape
    return errors.GateError.body


def _http_error(error: exceptions.HTTPException) -> Response:
    """Return the response for an error that Flask itself raises."""
    if isinstance(error, exceptions.MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        shown: errors.GateError = errors.MethodNotAllowed(
            f"Method {request.method} not allowed; allowed: {allowed}.", headers={"Allow": allowed}
        )
    elif isinstance(error, exceptions.NotFound):
        shown = errors.NotFound(
            f"Unknown path: {request.method} {printable(request.path)}. Chat completions are at"
            " /v1/chat/completions, models at /v1/models."
        )
    else:
        shown = errors.InvalidRequest(error.description or error.name)
        shown.status = error.code or 500
        shown.type = errors.type_of(shown.status)
    return error_response(shown)


def _bug(error: Exception) -> Response:
    """Return 500 for a bug of ours; the traceback is in the log.

    If the system has run out of something it is 503 or 507, and the log line has the cause.
    """
    shortage = exhausted.exhausted(error)
    if shortage is not None:
        return error_response(shortage)
    request_id = g.meter.request_id
    current_app.logger.error("request %s failed", request_id, exc_info=error)
    return error_response(
        errors.GateError(
            f"Internal error (request {request_id}). See the server log.",
            code="internal_error",
        )
    )
