"""Pass-through: providers' own APIs below a prefix, and the operator's custom paths.

`/anthropic/v1/files` goes to Anthropic with the gateway's key in place of the client's; the
response is forwarded unchanged. More specific routes of the gateway take precedence over a prefix.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from flask import Blueprint
from flask import Flask
from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.codecs import sse
from llmgate.config import resource_deployments
from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import SpooledFile
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.endpoints import passthrough_request
from llmgate.endpoints import routes
from llmgate.endpoints import spooled_bodies
from llmgate.fronts.anthropic import wire as front_wire
from llmgate.fronts.gemini import errors as front_errors
from llmgate.pipeline import dispatch
from llmgate.pipeline import passthrough
from llmgate.pipeline import passthrough_links
from llmgate.pipeline import request_options
from llmgate.pipeline import shapes
from llmgate.pipeline import streaming
from llmgate.routing.fallbacks import Fallbacks
from llmgate.routing.routes import Routes

blueprint = Blueprint("passthrough", __name__)

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_REPEATABLE = ("GET", "HEAD", "PUT", "DELETE")  # what else is done twice may be there twice
_GOOGLES = [prefix for prefix, (_, api) in providers.NATIVE.items() if api.family == "google"]


def _message(error: errors.GateError) -> Mapping[str, Any]:
    """Return *error* as Cohere and AWS tell of theirs."""
    return {"message": error.message}


_SHAPES: Mapping[str, error_responses.ErrorShape] = {
    "openai": errors.GateError.body,
    "anthropic": front_wire.error_body,
    "google": front_errors.error_body,
    "message": _message,
}
"""How the clients of a family of APIs read errors of ours."""


def _shape(error: errors.GateError) -> Mapping[str, Any]:
    """Return *error* as the clients of this path read it."""
    _, api = providers.NATIVE.get(request.path.split("/")[1], (None, None))
    return _SHAPES[api.family if api else "openai"](error)


error_responses.use_shape(blueprint, _shape)


def _written_for_anthropic(error: errors.GateError) -> bytes:
    """Return *error* as Anthropic's streams tell it."""
    return sse.encoded(front_wire.error_body(error), "error")


_STREAMS: Mapping[str, tuple[str, shapes.WriteError | None]] = {
    "openai": ("chat", streaming.written_error),
    "anthropic": ("messages", _written_for_anthropic),
    "google": ("generate", front_errors.written),
    "message": ("passthrough", None),
}
"""How server-sent events of a family of APIs report an error: the wire, and what writes it."""


@routes.route(
    blueprint,
    [f"/{name}/<path:below>" for name in providers.NATIVE if name not in _GOOGLES],
    METHODS,
)
@auth.keyed
def native(below: str) -> Response:
    """Forward a request to the provider's own API."""
    return forwarded(below)


@routes.route(blueprint, [f"/{name}/<path:below>" for name in _GOOGLES], METHODS)
@auth.keyed_in_query
def googles(below: str) -> Response:
    """Forward a request to Google's own API."""
    return forwarded(below)


def forwarded(below: str, prefix: str | None = None) -> Response:
    """Return the answer of the provider that this path begins with to what is *below* it.

    A *prefix* names the provider of a path that does not begin so.
    """
    own = passthrough_request.own_root() + ("" if prefix else f"/{request.path.split('/')[1]}")
    prefix = prefix or request.path.split("/")[1]
    provider, api = providers.NATIVE[prefix]
    known = common.settings().resource_deployments
    if {"*", prefix, prefix.replace("-", "_")} & known.off:
        raise errors.NotFound(
            f"/{prefix} is switched off here (general_settings.disable_pass_through)."
        )
    path = passthrough_request.path(below)
    data = _data()
    members = _members(data)
    named = api.model.search(path)
    model = named[1] if named else members.get("model")
    found = resource_deployments.of(provider.name, common.gate().routes, known, _text(model))
    if not found:
        raise resource_deployments.missing(provider.name)
    build = _build(lambda deployment: api.url(path, deployment), data)
    wire, write_error = _STREAMS[api.family]

    key = next(auth.shown(), "") if common.key() else ""

    def links(deployment: Deployment) -> passthrough_links.Links:
        upstream = api.url(path, deployment).removesuffix(f"/{passthrough_request.quoted(path)}")
        return passthrough_links.Links(upstream, own, key)

    native_request = passthrough.PassthroughRequest(
        build,
        untouched=True,
        is_stream=_is_stream(members),
        wire=wire,
        write_error=write_error,
        links=links,
    )
    return answered(native_request, found, members)


def _text(value: Any) -> str | None:
    """Return *value* if it can be the name of a model."""
    return value if isinstance(value, str) and 0 < len(value) <= 200 else None


def _data() -> bytes | SpooledFile:
    """Return the request's body: JSON in memory, other large bodies on disk."""
    settings = common.settings()
    if request.is_json:
        return spooled_bodies.body(settings.max_body, settings.max_body)
    return spooled_bodies.body(settings.max_upload)


def _members(data: bytes | SpooledFile) -> Mapping[str, Any]:
    """Return *data* as a JSON object; empty if it is not one, because nothing depends on it."""
    if not isinstance(data, bytes) or not request.is_json:
        return {}
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_stream(members: Mapping[str, Any]) -> bool:
    """Return whether the client requests server-sent events."""
    return members.get("stream") is True or request.args.get("alt") == "sse"


def _build(
    url: Callable[[Deployment], str], data: bytes | SpooledFile
) -> Callable[[Deployment], Call]:
    """Return the function that builds the call which forwards this request to *url*."""
    method, pairs, headers = (
        request.method,
        passthrough_request.query(),
        passthrough_request.headers(),
    )

    def call(deployment: Deployment) -> Call:
        return Call(method, passthrough_request.url(url(deployment), pairs), headers, data)

    return call


def answered(
    native_request: passthrough.PassthroughRequest,
    found: Sequence[Deployment],
    members: Mapping[str, Any],
    credentials: Mapping[str, Any] = {},
) -> Response:
    """Return the response of one of the deployments *found*; *members* are the body's.

    *credentials* are a key and an address of the client's own.
    """
    meter, gate = common.meter(), common.gate()
    group = found[0].group
    once = {} if request.method in _REPEATABLE else {"num_retries": 0}
    body: Body = {
        "model": group,
        **once,
        **credentials,
        **request_options.from_headers(request.headers),
    }
    meter.caller = common.caller_of(members)
    meter.body = dict(members)
    if request.method != "POST":  # those are counted already
        common.enter()
    gate = gate._replace(
        routes=Routes({group: tuple(each._replace(group=group) for each in found)}),
        settings=gate.settings._replace(fallbacks=Fallbacks()),
    )
    return common.flowing(dispatch.relayed(gate, native_request, body, meter))


# -- the operator's own


def register(app: Flask, targets: Sequence[resource_deployments.Target]) -> None:
    """Add the routes for *targets* to *app*, before its other routes, so that they win."""
    for at, target in enumerate(targets):
        view = auth.keyed(_view(target))
        methods = list(target.methods) or METHODS
        paths = [target.path, *([f"{target.path}/<path:below>"] if target.below else [])]
        for path in paths:
            app.add_url_rule(
                path, f"pass_through_{at}", view, methods=methods, strict_slashes=False
            )


def _view(target: resource_deployments.Target) -> Callable[..., Response]:
    """Return the view that forwards requests to *target*."""

    def view(below: str = "") -> Response:
        path = passthrough_request.path(below)
        address = target.deployment.api_base + (
            f"/{passthrough_request.quoted(path)}" if path else ""
        )
        data = _data()
        build = _build(lambda deployment: address, data)
        native_request = passthrough.PassthroughRequest(
            build, untouched=True, provider=resource_deployments.OPERATORS
        )
        return answered(native_request, (target.deployment,), _members(data))

    view.__doc__ = "Pass a request on to an address of the operator's."
    return view
