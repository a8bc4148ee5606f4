"""What went wrong, as the client is told of it: in OpenAI's shape, or in that of its endpoint."""

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
from llmgate.inbound import keepalive

ErrorShape = Callable[[errors.GateError], Mapping[str, Any]]
"""How an endpoint's clients read an error: the JSON body that stands for it."""

_SHAPES = "llmgate.error_shapes"


def shaped(blueprint: Blueprint, shape: ErrorShape, *prefixes: str) -> None:
    """Let errors of *blueprint*'s views, and on paths that begin with *prefixes*, have *shape*.

    It goes by the path where there is no view (404, 405).
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
    """Return *text* as a header can carry it."""
    if text.isascii() and text.isprintable():
        return text[:256]
    return re.sub(r"[^\x20-\x7e]", "?", text)[:256]


def error_response(error: errors.GateError) -> Response:
    """Return *error* as the client is told of it."""
    g.meter.failed(error)
    data = keepalive.written(error) or json.dumps(_shape()(error))
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
    """Return what Flask itself refuses."""
    if isinstance(error, exceptions.MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        shown: errors.GateError = errors.MethodNotAllowed(
            f"{request.method} is not for this path; use {allowed}.", headers={"Allow": allowed}
        )
    elif isinstance(error, exceptions.NotFound):
        shown = errors.NotFound(
            f"There is nothing at {request.method} {printable(request.path)}. Chat is at"
            " /v1/chat/completions, the models at /v1/models."
        )
    else:
        shown = errors.InvalidRequest(error.description or error.name)
        shown.status = error.code or 500
        shown.type = errors.type_of(shown.status)
    return error_response(shown)


def _bug(error: Exception) -> Response:
    """Return a plain 500 for a fault of ours, whose traceback is in the log."""
    request_id = g.meter.request_id
    current_app.logger.error("request %s failed", request_id, exc_info=error)
    return error_response(
        errors.GateError(
            "llmgate failed on this request; its operator finds the cause in the log under"
            f" request {request_id}.",
            code="internal_error",
        )
    )
