"""POST /v1/messages and /v1/messages/count_tokens: Anthropic's API, whatever provider is behind it.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from flask import Blueprint
from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.accounting import token_estimate
from llmgate.codecs import sse
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.contract import Reply
from llmgate.dialects.anthropic import betas as anthropic_betas
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.endpoints import routes
from llmgate.fronts import upstream_chat
from llmgate.fronts.anthropic import wire as front_wire
from llmgate.pipeline import dispatch
from llmgate.pipeline.shapes import Front

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
    gate, meter = common.gate(), common.meter()
    body = _with_headers(common.body("messages", None))
    if body.get("stream"):
        return common.flowing(dispatch.stream(gate, "messages", body, meter, FRONT, _written_error))
    return common.whole(dispatch.complete(gate, "messages", body, meter, FRONT))


@routes.route(blueprint, [f"{path}/count_tokens" for path in _PATHS], methods=["POST"])
@auth.keyed
def count_tokens() -> Response:
    """Count the tokens of a message request, or estimate them where the provider cannot count."""
    gate = common.gate()
    body = _with_headers(common.body("count_tokens", None))
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


def _message(reply: Reply) -> Mapping[str, Any]:
    """Return a chat *reply* as a message of the model that gave it."""
    return front_wire.message_from_chat(reply, str(reply.get("model") or ""))


def _events(chunks: Iterator[Event]) -> Iterator[bytes]:
    """Yield a chat's *chunks* as Anthropic's events, of the model that the first one names."""
    first = next(filter(None, chunks), None)
    if first is None:
        return
    model = str(first.get("model") or "")
    for event in front_wire.message_events(itertools.chain((first,), chunks), model):
        yield sse.encoded(event, event["type"]) if event else b""


def _written_error(error: errors.GateError) -> bytes:
    """Return *error* as Anthropic's streams carry it."""
    return sse.encoded(front_wire.error_body(error), "error")


FRONT = Front("chat", _chat, _message, _events, upstream_chat.adapted)
