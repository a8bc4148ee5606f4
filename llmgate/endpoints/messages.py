"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's API, whatever provider is behind it.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from flask import Blueprint
from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.accounting import token_estimate
from llmgate.codecs import sse
from llmgate.config import resource_deployments
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.dialects.anthropic import betas as anthropic_betas
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.endpoints import passthrough
from llmgate.endpoints import routes
from llmgate.fronts import upstream_chat
from llmgate.fronts.anthropic import wire as front_wire
from llmgate.pipeline import dispatch
from llmgate.pipeline.shapes import Front
from llmgate.pipeline.shapes import Gate

blueprint = Blueprint("messages", __name__)

_PATHS = ("/v1/messages", "/messages", "/anthropic/v1/messages", "/anthropic/messages")
_VERSION = "anthropic-version"

error_responses.use_shape(blueprint, front_wire.error_body, *_PATHS)


@blueprint.after_request
def add_request_id(response: Response) -> Response:
    """Add the header that Anthropic's SDKs read: the upstream's id, else ours."""
    response.headers.setdefault("request-id", common.meter().request_id)
    return response


@routes.route(blueprint, _PATHS, methods=["POST"])
@auth.keyed
def create() -> Response:
    """Create a message, whole or streamed."""
    body, meter = _with_headers(common.body("messages", None)), common.meter()
    gate = _gate(body)
    front = _front(body["model"])
    if body.get("stream"):
        return common.flowing(dispatch.stream(gate, "messages", body, meter, front, _written_error))
    return common.whole(dispatch.complete(gate, "messages", body, meter, front))


@routes.route(blueprint, [f"{path}/count_tokens" for path in _PATHS], methods=["POST"])
@auth.keyed
def count_tokens() -> Response:
    """Count the tokens of a message request, or estimate them where the provider cannot count."""
    body = _with_headers(common.body("count_tokens", None))
    gate = _gate(body)
    dispatch.admit(gate, "count_tokens", body, common.meter())
    found = gate.routes.find(body["model"])
    if any("count_tokens" in providers.serving(each).operations for each in found):
        try:
            return common.whole(dispatch.complete(gate, "count_tokens", body, common.meter()))
        except errors.UpstreamError as error:
            if error.status != 403 and error.code != "counting_not_supported":
                raise
            common.meter().end_attempt()
    return common.json_response({"input_tokens": token_estimate.tokens(body), "estimated": True})


_BATCHES = "/v1/messages/batches"


@routes.route(blueprint, [_BATCHES, f"{_BATCHES}/<path:below>"], ["GET", "POST", "DELETE"])
@auth.keyed
def batches(below: str = "") -> Response:
    """Forward a request for Message Batches to Anthropic."""
    path = f"{_BATCHES}/{below}" if below else _BATCHES
    return passthrough.forwarded(path[1:], "anthropic")


def _gate(body: Body) -> Gate:
    """Return the gate; below /anthropic one that has every Claude model, if there is a key."""
    gate, model = common.gate(), body["model"]
    if not request.path.startswith("/anthropic/") or not model.startswith("claude-"):
        return gate
    try:
        gate.routes.find(model)
    except errors.ModelNotFound:
        known = common.settings().resource_deployments
        if not {"*", "anthropic"} & known.off:
            found = resource_deployments.of("anthropic", gate.routes, known, model)
            groups = {**gate.routes.groups, **({model: found} if found else {})}
            return gate._replace(routes=gate.routes._replace(groups=groups))
    return gate


def _with_headers(body: Body) -> Body:
    """Return *body* with what Anthropic's clients say in headers: the betas, the API's version."""
    betas = anthropic_betas.listed(request.headers.get("anthropic-beta"))
    version = request.headers.get(_VERSION)
    if betas:
        body[anthropic_betas.FIELD] = [*(body.get(anthropic_betas.FIELD) or ()), *betas]
    if version:
        body["extra_headers"] = {**(body.get("extra_headers") or {}), _VERSION: version}
    return body


def _chat(body: Body) -> Body:
    """Return the chat body for the Messages *body*, less what only Anthropic's API reads."""
    known = {key: value for key, value in body.items() if key != anthropic_betas.FIELD}
    extra = {k: v for k, v in (body.get("extra_headers") or {}).items() if k != _VERSION}
    try:
        return front_wire.chat_from_messages({**known, "extra_headers": extra})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        lacks = f" it lacks '{error.args[0]}'" if isinstance(error, KeyError) else " look at it"
        raise errors.InvalidRequest(
            f"A content block or a tool is not as Anthropic's API has it:{lacks}.",
            param="messages",
        ) from error


def _events(model: str, chunks: Iterator[Event]) -> Iterator[bytes]:
    """Yield a chat's *chunks* as Anthropic's events, of a message of *model*."""
    for event in front_wire.message_events(chunks, model):
        yield sse.encoded(event, event["type"]) if event else b""


def _written_error(error: errors.GateError) -> bytes:
    """Return *error* as Anthropic's streams carry it."""
    return sse.encoded(front_wire.error_body(error), "error")


def _front(model: str) -> Front:
    """Return Messages over chat. Its messages name the *model* that was requested.

    Claude Code returns signatures only in a conversation of one model: of a message that names
    another one it drops the thinking, and with it what Google and others want back.
    """
    reply = partial(front_wire.message_from_chat, model=model)
    return Front("chat", _chat, reply, partial(_events, model), upstream_chat.adapted)
