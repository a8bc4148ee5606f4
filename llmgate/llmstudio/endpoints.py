"""LLMstudio's engine: /api/engine/*, chats at any provider with their metrics.

Its 0.x wire is at the root, that of 1.x below /llmstudio/v1.
"""

from __future__ import annotations

import errno
import time
import uuid
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from functools import partial
from typing import Any
from typing import NamedTuple
from typing import NoReturn

from flask import Blueprint
from flask import Response
from flask import current_app
from flask import request

from llmgate import errors
from llmgate.accounting.meter import Meter
from llmgate.contract import Event
from llmgate.contract import Usage
from llmgate.dialects.openai import wire as openai_wire
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.endpoints import json_bodies
from llmgate.endpoints import routes
from llmgate.inbound import keepalive
from llmgate.llmstudio import answers as engine_answers
from llmgate.llmstudio import models as engine_models
from llmgate.llmstudio import parameters as engine_parameters
from llmgate.llmstudio import requests as engine_requests
from llmgate.llmstudio.answers import AnswerContext
from llmgate.llmstudio.answers import Bill
from llmgate.llmstudio.chat_log import ChatLog
from llmgate.llmstudio.requests import EngineRequest
from llmgate.pipeline import dispatch
from llmgate.pipeline.response import Completed
from llmgate.pipeline.shapes import Front
from llmgate.pipeline.shapes import Streamed
from llmgate.pipeline.shapes import WriteError
from llmgate.schema import validation
from llmgate.trust import client_credentials

blueprint = Blueprint("engine", __name__)

V1 = "/llmstudio/v1"
error_responses.use_shape(blueprint, engine_requests.detail, "/api/", f"{V1}/")

Events = Callable[[AnswerContext, Iterator[Event]], Iterator[bytes]]


class Wire(NamedTuple):
    """What differs between the engines of 0.x and 1.x."""

    read: Callable[[dict[str, Any], str], EngineRequest]
    whole: Events
    events: Events
    content_type: str  # of a stream
    write_error: WriteError


def paths(path: str) -> list[str]:
    """Return where *path* of LLMstudio is here: on both wires."""
    return [path, f"{V1}{path}"]


def _broken(error: errors.GateError) -> NoReturn:
    """Break the connection: raw text has no other sign that it is not complete."""
    raise ConnectionResetError(errno.ECONNRESET, error.message) from error


def _error_object(error: errors.GateError) -> bytes:
    """Return *error* as an object of the stream."""
    return openai_wire.encoded(engine_requests.detail(error))


_TEXT = Wire(
    read=engine_requests.engine_request,
    whole=engine_answers.whole,
    events=engine_answers.text,
    content_type="text/plain; charset=utf-8",
    write_error=_broken,
)
_OBJECTS = Wire(
    read=engine_requests.engine_request_v1,
    whole=engine_answers.whole_v1,
    events=engine_answers.objects,
    content_type="application/json",
    write_error=_error_object,
)


@routes.route(blueprint, ["/api/engine/chat/<provider>"], methods=["POST"])
@auth.keyed
def chat(provider: str) -> Response:
    """Create a chat as the engine 0.x does: JSON, or raw text."""
    return _chat(provider, _TEXT)


@routes.route(blueprint, [f"{V1}/api/engine/chat/<provider>"], methods=["POST"])
@auth.keyed
def chat_v1(provider: str) -> Response:
    """Create a chat as the engine 1.x does: one JSON object, or a stream of them."""
    return _chat(provider, _OBJECTS)


def _chat(provider: str, wire: Wire) -> Response:
    """Return the answer of *provider* on *wire*."""
    engine_models.check(provider)
    engine = _engine_request(provider, wire)
    noted = common.meter()
    context = AnswerContext(
        request=engine,
        id=str(uuid.uuid4()),
        clock=time.perf_counter,
        now=time.time,
        begun=time.perf_counter(),
        first=noted.mark_first_token,
        bill=partial(_bill, noted),
        log=_log(),
    )
    events = partial(wire.events if engine.is_stream else wire.whole, context)
    front = Front(
        target_operation="chat",
        body=lambda body: body,
        reply=lambda reply: reply,
        events=events,
        content_type=wire.content_type if engine.is_stream else "application/json",
    )
    if not engine.is_stream:
        keepalive.expect_json()
    try:
        answer = _streamed(engine, front, wire.write_error)
    finally:
        noted.stream = engine.is_stream  # for the log: the upstream request is always a stream
    return common.flowing(answer) if engine.is_stream else _whole(answer, noted)


_HIDDEN = client_credentials.SECRETS | {
    "headers",
    "extra_headers",
}  # of free-form parameters


def _engine_request(provider: str, wire: Wire) -> EngineRequest:
    """Return this request to *provider*; raises Invalid."""
    body = json_bodies.parsed(common.settings().max_body)
    engine_requests.check(body, validation.violations("engine_chat", body))
    engine = wire.read(body, provider)
    shown = {name: value for name, value in engine.parameters.items() if name not in _HIDDEN}
    engine = engine._replace(parameters=shown)
    engine.chat.update(engine_models.destination(common.gate().routes, engine))
    engine_requests.check(engine.chat, validation.violations("chat", engine.chat))
    common.record_request(engine.chat)
    return engine


def _streamed(engine: EngineRequest, front: Front, write_error: WriteError) -> Streamed:
    """Return the answer; a 429 without Retry-After is retried as often as the client requests."""
    gate, group = common.gate(), engine.chat["model"]
    policies = gate.settings.policies
    policy = policies.get(group, gate.settings.policy)
    policy = policy._replace(retries_after_429=engine.retries)
    settings = gate.settings._replace(policies={**policies, group: policy})
    gate = gate._replace(settings=settings)
    return dispatch.stream(gate, "engine", engine.chat, common.meter(), front, write_error)


def _whole(answer: Streamed, noted: Meter) -> Response:
    """Return the complete *answer* in one piece."""
    data = b"".join(answer.pieces)
    response = common.whole(Completed(data, answer.content_type, answer.headers))
    if noted.usage_estimated:
        response.headers["x-llmgate-usage-estimated"] = "true"
    return response


def _bill(noted: Meter, estimate: Usage) -> Bill:
    """Return the usage that *noted* has, else *estimate*."""
    noted.add_estimate(estimate)
    return Bill(noted.usage, noted.usage_estimated, noted.cost())


def _log() -> Callable[[Mapping[str, Any]], None]:
    """Return what records the complete answer: the chat log, if there is one."""
    found: ChatLog | None = current_app.extensions.get("llmgate.tracking")
    return found.note if found else lambda answer: None


@routes.route(blueprint, paths("/api/engine/providers"), methods=["GET"])
@auth.keyed
def provider_names() -> Response:
    """List the providers that can be used."""
    return common.json_response(engine_models.names())


@routes.route(blueprint, paths("/api/engine/models"), methods=["GET"])
@auth.keyed
def models() -> Response:
    """List the models of each provider, or of one."""
    provider = request.args.get("provider")
    found = engine_models.models(common.gate().routes)
    if not provider:
        return common.json_response(found)
    engine_models.check(provider)
    nothing = {"name": engine_requests.title(provider), "models": []}
    return common.json_response(found.get(provider, nothing))


@routes.route(blueprint, paths("/api/engine/parameters"), methods=["GET"])
@auth.keyed
def parameters() -> Response:
    """List the parameters of a provider."""
    provider = request.args.get("provider")
    if not provider:
        message = "Name the provider: /api/engine/parameters?provider=openai"
        fault = engine_parameters.wrong(message, kind="missing")
        raise engine_parameters.Invalid([fault | {"loc": ["query", "provider"]}])
    engine_models.check(provider)
    return common.json_response(engine_parameters.shown(provider))


@routes.route(blueprint, paths("/api/export"), methods=["POST"])
@auth.keyed
def export() -> Response:
    """Return a list of objects as CSV."""
    text = "".join(engine_requests.csv(json_bodies.value(common.settings().max_body)))
    response = Response(text, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = "attachment; filename=parameters.csv"
    return response


@routes.route(blueprint, [f"{V1}/health"], methods=["GET"])
@auth.public
def health() -> Response:
    """Report health to the clients of 1.x."""
    return common.json_response({"status": "healthy", "message": "llmgate is up and running"})
