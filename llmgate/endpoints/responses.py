"""POST /v1/responses: OpenAI's Responses API, natively where there is one, else over chat.

Stored responses are below /v1/responses/<id>.
Source: https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from urllib.parse import urlencode

from flask import Blueprint
from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.codecs import sse
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.contract import Reply
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import response_history
from llmgate.endpoints import routes
from llmgate.fronts import upstream_chat
from llmgate.fronts.responses import stream as front_stream
from llmgate.fronts.responses import wire as front_wire
from llmgate.pipeline import dispatch
from llmgate.pipeline.shapes import Front

blueprint = Blueprint("responses", __name__)

_STORED = "stored_responses"
# LibreChat makes the last of OPENAI_REVERSE_PROXY: it appends to the configured URL.
_PATHS = [*routes.paths("responses"), "/v1/chat/completions/responses"]


@routes.route(blueprint, _PATHS, methods=["POST"])
@auth.keyed
def create() -> Response:
    """Create a response, whole or streamed."""
    gate, meter = common.gate(), common.meter()
    given = common.body("responses", None, _model_of)
    body = response_history.completed(given)
    front = _front(given, body)
    if body.get("stream"):
        return common.flowing(
            dispatch.stream(gate, "responses", body, meter, front, _written_error)
        )
    return common.whole(dispatch.complete(gate, "responses", body, meter, front))


def _model_of(body: Body) -> str | None:
    """Return a model for a *body* that leaves it to a stored prompt or a previous response.

    Its upstream does not get the name.
    """
    if not any(body.get(name) for name in ("prompt", "previous_response_id", "conversation")):
        return None
    try:
        found = _keeper()
    except errors.UnsupportedOperation:
        return None
    body["additional_drop_params"] = ["model"]
    return found


def _front(given: Body, body: Body) -> Front:
    """Return the Responses API over chat, for a request as it was *given* and its whole *body*."""
    id, now = f"resp_{uuid.uuid4().hex}", int(time.time())
    save, request = response_history.saver(given), response_history.marked(given, body)

    def reply(chat: Reply) -> Mapping[str, Any]:
        found = front_wire.response_from_chat(chat, request, id, now)
        save(found)
        return found

    def events(chunks: Iterator[Event]) -> Iterator[bytes]:
        for event in front_stream.response_events(chunks, request, id, now):
            if event.get("type") in _ENDS:
                save(event["response"])
            yield sse.encoded(event, event["type"]) if event else b""

    return Front("chat", _chat, reply, events, upstream_chat.adapted)


_ENDS = ("response.completed", "response.incomplete")


def _chat(body: Body) -> Body:
    """Return the chat body for a Responses *body*; raises InvalidRequest."""
    missing = response_history.missing(body)
    if missing:
        raise missing
    try:
        return front_wire.chat_from_response(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        lacks = f" it lacks '{error.args[0]}'" if isinstance(error, KeyError) else " look at it"
        raise errors.InvalidRequest(
            f"An item of 'input' or a tool does not match the Responses API:{lacks}.",
            param="input",
        ) from error


def _written_error(error: errors.GateError) -> bytes:
    """Return *error* as the Responses API streams it."""
    shown = error.body()["error"]
    event = {"type": "error", **{key: shown[key] for key in ("code", "message", "param")}}
    return sse.encoded({**event, "sequence_number": 0}, "error")


_ITEM = [f"{path}/<id>" for path in _PATHS]


@routes.route(blueprint, _ITEM, methods=["GET", "DELETE"])
@auth.keyed
def stored(id: str) -> Response:
    """Return or delete a stored response."""
    return _forwarded(id)


@routes.route(blueprint, [f"{path}/cancel" for path in _ITEM], methods=["POST"])
@auth.keyed
def cancel(id: str) -> Response:
    """Cancel a background response."""
    return _forwarded(id, "/cancel")


@routes.route(blueprint, [f"{path}/input_items" for path in _ITEM], methods=["GET"])
@auth.keyed
def input_items(id: str) -> Response:
    """List the input items of a stored response."""
    return _forwarded(id, "/input_items")


def _forwarded(id: str, below: str = "") -> Response:
    """Return the response *id*, ours or that of the upstream that stores it."""
    own = response_history.answer(id, below)
    if own is not None:
        return own
    query = [(key, value) for key, value in request.args.items(multi=True) if key != "model"]
    path = quote(id, safe="") + below + (f"?{urlencode(query)}" if query else "")
    body: Body = {"model": _keeper(), "method": request.method, "path": path}
    common.record_request(body)
    if request.args.get("stream") == "true":
        return common.flowing(dispatch.raw(common.gate(), _STORED, body, common.meter()))
    return common.whole(dispatch.complete(common.gate(), _STORED, body, common.meter()))


def _keeper() -> str:
    """Return the model that the query names, else the first whose upstream stores responses."""
    routes, named = common.gate().routes, request.args.get("model")
    for group in [named] if named else [routes.forced] if routes.forced else routes.groups:
        model = group.replace("*", "any")
        if any(_STORED in providers.serving(each).operations for each in routes.find(model)):
            return model
    raise errors.UnsupportedOperation(
        "No model of this gateway is at an upstream that stores responses, which OpenAI's and"
        " Azure's do. If several do, name the model of the response: ?model=<model>.",
        param="model",
    )
