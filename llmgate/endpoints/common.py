"""What every endpoint shares: the app's parts, bodies, the frame of a request, responses."""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from flask import Flask
from flask import Response
from flask import current_app
from flask import g
from flask import has_request_context
from flask import request

from llmgate import config
from llmgate import errors
from llmgate.access.policy import MASTER
from llmgate.accounting import client_headers
from llmgate.accounting import in_flight
from llmgate.accounting import meter as metering
from llmgate.accounting import records
from llmgate.accounting.meter import Meter
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.endpoints import auth
from llmgate.endpoints import error_responses
from llmgate.endpoints import json_bodies
from llmgate.endpoints import wrong_keys
from llmgate.endpoints.error_responses import printable
from llmgate.endpoints.streamed_response import StreamedResponse
from llmgate.inbound import admission
from llmgate.inbound import keepalive
from llmgate.pipeline import request_options
from llmgate.pipeline.response import Completed
from llmgate.pipeline.shapes import Gate
from llmgate.pipeline.shapes import Streamed
from llmgate.schema import validation
from llmgate.trust import loop_guard

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_VIA = "HTTP_" + loop_guard.HEADER.upper().replace("-", "_")
_CHOICE = re.compile(r"<any\([^)]*\):")  # in a route: one of many names


def gate() -> Gate:
    """Return the gate of the running app."""
    found: Gate = current_app.extensions["llmgate"]
    received = request.environ.get(_VIA) if has_request_context() else None
    return found._replace(via=received) if received else found


def settings() -> config.Settings:
    """Return the settings of the running app."""
    found: config.Settings = current_app.extensions["llmgate.settings"]
    return found


def key() -> str:
    """Return the name of the key that the client has sent."""
    found: str = g.key
    return found


def enter() -> None:
    """Count a request in that may take long; raises Overloaded if there is no room for it."""
    admission_control: admission.AdmissionControl = current_app.extensions["llmgate.admission"]
    admission_control.acquire(g.meter)


def meter() -> Meter:
    """Return the meter of this request."""
    found: Meter = g.meter
    return found


# -- bodies


def body(
    schema: str, model: str | None, default_model: Callable[[Body], str | None] | None = None
) -> Body:
    """Return the JSON body of this request, valid against *schema*.

    *model* is the one in the path, which takes precedence over the body's; *default_model* is for
    a body without one. Raises InvalidRequest, TooLarge, UnsupportedMedia.
    """
    value = json_bodies.parsed(settings().max_body)
    if model is not None:
        value["model"] = model
    elif value.get("model") is None and default_model:
        value |= {"model": named} if (named := default_model(value)) else {}
    routes = gate().routes
    if routes.forced:
        value["model"] = routes.forced
    try:
        validation.check(schema, value)
    except errors.InvalidRequest:
        record_invalid_request(value)
        raise
    record_request(value)
    return value


def record_request(value: Body) -> None:
    """Note in the meter who sends the valid body *value*, and for which model."""
    noted = meter()
    value.update(request_options.from_headers(request.headers))
    noted.caller = caller_of(value)
    noted.group = value.get("model")
    noted.body = value


def record_invalid_request(value: Body) -> None:
    """Note in the meter who sends the body *value*, which is not valid, and for which model."""
    noted, model = meter(), value.get("model")
    noted.caller = caller_of(value)
    noted.group = model[:200] if isinstance(model, str) else None


def caller_of(value: Mapping[str, Any]) -> records.Caller:
    """Return who sends the body *value*."""
    found = records.caller(g.key, value, request.headers)
    return client_headers.identified(found, request.environ, settings().user_headers)


def may_use(model: str) -> bool:
    """Return whether the policies leave this caller a deployment of *model*."""
    noted, shared = meter(), gate()
    question = records.Request(
        noted.request_id, None, noted.caller, noted.endpoint, "models", model, None
    )
    try:
        return bool(shared.policies.allowed(question, shared.routes.find(model)))
    except errors.GateError:
        return False


def usable(model: str) -> Sequence[Deployment]:
    """Return the deployments of *model*; raises ModelNotFound also if the caller may not use it.

    The names of other models are listed only to callers that no policy restricts.
    """
    if may_use(model):
        return gate().routes.find(model)
    if key() in ("", MASTER):
        gate().routes.find(model)
    raise errors.ModelNotFound(
        f"Unknown model '{model[:200]}'. GET /v1/models lists the models of this key.",
        param="model",
    )


# -- the frame of every request


def register(app: Flask, given: config.Settings) -> None:
    """Make *app* meter, authenticate and record every request, and answer errors in JSON."""
    digest = _digest(given.master_key)
    admission_control: admission.AdmissionControl = app.extensions["llmgate.admission"]
    shared: Gate = app.extensions["llmgate"]
    record, instance = shared.policies.record, shared.instance

    def begin() -> Response | None:
        noted = g.meter = _new_meter(record)
        keepalive.set_request_id(noted.request_id)
        auth.note_key(digest)
        method = request.method
        if method == "OPTIONS":  # a CORS preflight has no key; it learns nothing about the path
            return Response(status=204)
        loop_guard.check(request.environ.get(_VIA), instance)
        view = app.view_functions.get(request.endpoint or "")
        if getattr(view, "auth", "key") not in auth.QUIET:
            if method == "POST":
                admission_control.acquire(noted)
            auth.check_key(digest, view)
            in_flight.TABLE.add(noted, noted.request_id, noted.endpoint, g.key)
        return None

    def end(response: Response) -> Response:
        noted: Meter = g.meter
        _describe(response, noted, shared)
        status = response.status_code
        quiet = (
            status < 400
            and getattr(app.view_functions.get(request.endpoint or ""), "auth", "") in auth.QUIET
        )
        if not quiet:
            response.call_on_close(lambda: over(noted, status))
        return response

    def over(noted: Meter, status: int) -> None:
        keepalive.end()
        admission_control.release(noted)
        noted.end(status)
        in_flight.TABLE.remove(noted)

    app.before_request(begin)
    app.after_request(end)
    error_responses.register(app)
    wrong_keys.register(app, given)


def _digest(secret: str | None) -> bytes | None:
    """Return the hash of the master key, None if there is no key."""
    return hashlib.sha256(secret.encode()).digest() if secret else None


def _describe(response: Response, noted: Meter, shared: Gate) -> None:
    """Add the headers that describe how the request was handled, and those of policies."""
    response.headers.extend(shown_headers(noted))
    if noted.request is not None:
        for name, value in shared.policies.headers(noted.request).items():
            response.headers[name] = value


def _new_meter(record: metering.Record) -> Meter:
    """Return the meter of the request that begins."""
    shown = request.environ.get("HTTP_X_REQUEST_ID", "")
    # not a secret: Python's own generator, which every worker seeds, needs no system call
    request_id = shown if _REQUEST_ID.fullmatch(shown) else random.randbytes(16).hex()
    found = Meter(request_id, record)
    found.internal = metering.INTERNAL in request.environ
    rule = request.url_rule.rule if request.url_rule else request.path[:200]
    found.endpoint = _CHOICE.sub("<", rule) if "<any(" in rule else rule
    return found


def shown_headers(noted: Meter) -> dict[str, str]:
    """Return the headers that describe how the request was handled."""
    found = {"x-request-id": noted.request_id}
    deployment = noted.deployment
    if deployment is None:
        return found
    elapsed = noted.elapsed()
    found |= {
        "x-llmgate-model-group": printable(deployment.group),
        "x-llmgate-model": printable(deployment.model),
        "x-llmgate-provider": deployment.provider,
        "x-llmgate-deployment": printable(deployment.id),
        "x-llmgate-attempts": str(noted.attempts),
        "x-llmgate-attempted-retries": str(max(0, noted.attempts - 1)),
        "x-llmgate-attempted-fallbacks": str(noted.fallbacks),
        "x-llmgate-response-ms": f"{elapsed * 1000:.3f}",
        "x-llmgate-overhead-ms": f"{max(0.0, elapsed - noted.upstream_seconds) * 1000:.3f}",
    }
    cost = None if noted.stream else noted.cost()
    if cost is not None:
        found["x-llmgate-cost"] = f"{cost:.10f}".rstrip("0").rstrip(".")
    return found


# -- answers


def json_response(value: Mapping[str, Any] | list[Any] | int, status: int = 200) -> Response:
    """Return *value* as a JSON response."""
    return Response(json.dumps(value), status, content_type="application/json")


def whole(answer: Completed) -> Response:
    """Return a whole answer as the response."""
    response = Response(answer.body, content_type=answer.content_type)
    response.headers.extend(answer.headers)
    return response


def flowing(answer: Streamed) -> Response:
    """Return a streamed answer as the response, closed with it."""
    response = StreamedResponse(answer.pieces, answer.status, content_type=answer.content_type)
    response.headers.extend(answer.headers)
    if answer.content_type.startswith("text/event-stream"):
        response.headers["Cache-Control"] = "no-cache, no-transform"
        response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(answer.close)
    return response
