"""Ollama's API, with any provider's model: /api/chat, /api/generate, /api/embed, /api/embeddings.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import time
from collections.abc import Callable
from collections.abc import Iterator

from flask import Blueprint
from flask import Response

from llmgate import errors
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.endpoints import routes
from llmgate.fronts.ollama import reply as front_reply
from llmgate.fronts.ollama import request as front_request
from llmgate.pipeline import dispatch
from llmgate.pipeline.shapes import Front

blueprint = Blueprint("ollama", __name__)

LATEST = ":latest"
"""The tag that Ollama's clients add to names without one."""

_UNSUPPORTED = "/api/create /api/pull /api/push /api/copy /api/delete /api/blobs".split()
_PATHS = "/api/chat /api/generate /api/embed /api/tags /api/show /api/ps /api/version".split()

error_responses.use_shape(blueprint, front_reply.error_body, *_PATHS, *_UNSUPPORTED)


@routes.route(blueprint, ["/api/chat"], methods=["POST"])
@auth.keyed
def chat() -> Response:
    """Chat, in Ollama's shape: streamed as lines of JSON, unless `stream` is false."""
    body = _body("ollama_chat")
    if not body["messages"]:
        return _loaded(body, {"message": {"role": "assistant", "content": ""}})
    return _answered("ollama_chat", front_request.chat_from_chat(body), front_reply.chat_line)


@routes.route(blueprint, ["/api/generate"], methods=["POST"])
@auth.keyed
def generate() -> Response:
    """Complete a prompt, in Ollama's shape: streamed as /api/chat is."""
    body = _body("ollama_generate")
    if not body.get("prompt") and not body.get("images"):
        return _loaded(body, {"response": ""})
    made = front_request.chat_from_generate(body)
    return _answered("ollama_generate", made, front_reply.generate_line)


@routes.route(blueprint, ["/api/embed"], methods=["POST"])
@auth.keyed
def embed() -> Response:
    """Return the vectors of one or more texts, in Ollama's shape."""
    body = front_request.embeddings(_body("ollama_embed"))
    front = Front("embeddings", _same, front_reply.embedded(common.meter().elapsed), _no_events)
    return common.whole(
        dispatch.complete(common.gate(), "ollama_embed", body, common.meter(), front)
    )


@routes.route(blueprint, ["/api/embeddings"], methods=["POST"])
@auth.keyed
def embeddings() -> Response:
    """Return the vector of one text, in Ollama's former shape."""
    body = front_request.embeddings(_body("ollama_embeddings"))
    front = Front("embeddings", _same, front_reply.embedding, _no_events)
    return common.whole(
        dispatch.complete(common.gate(), "ollama_embed", body, common.meter(), front)
    )


@routes.route(blueprint, _UNSUPPORTED, methods=["POST", "DELETE"])
@auth.keyed
def unsupported() -> Response:
    """Refuse to create, copy, pull or delete models."""
    raise errors.NotFound("The models of this gateway are those of its configuration.")


def group_of(name: str) -> str:
    """Return the model that *name* stands for, without the tag that clients add."""
    known = common.gate().routes
    if name in known.groups or name in known.aliases:
        return name
    return name.removesuffix(LATEST)


def _body(schema: str) -> Body:
    """Return the body of this request, valid against *schema*, its model one of ours."""
    body = common.body(schema, None)
    body["model"] = common.meter().group = group_of(body["model"])
    return body


def _loaded(body: Body, empty: Body) -> Response:
    """Return the answer to a request without a prompt, which loads a model or unloads it."""
    common.usable(body["model"])
    reason = "unload" if body.get("keep_alive") == 0 else "load"
    head = {"model": body["model"], "created_at": front_reply.timestamp(time.time())}
    return common.json_response({**head, **empty, "done": True, "done_reason": reason})


def _answered(name: str, body: Body, say: front_reply.Say) -> Response:
    """Return the response to the chat *body* that the operation *name* stands for."""
    gate, meter = common.gate(), common.meter()
    meter.body = body
    front = _front(say, meter.elapsed)
    if not body["stream"]:
        return common.whole(dispatch.complete(gate, name, body, meter, front))
    written = front_reply.written_error
    return common.flowing(dispatch.stream(gate, name, body, meter, front, written))


def _front(say: front_reply.Say, elapsed: Callable[[], float]) -> Front:
    """Return Ollama's API over chat."""
    return Front(
        "chat",
        _same,
        front_reply.whole(say, elapsed),
        front_reply.lines(say, elapsed),
        front_request.adapted,
        front_reply.CONTENT_TYPE,
    )


def _same(body: Body) -> Body:
    """Return *body*: it was translated before the policies saw it."""
    return body


def _no_events(chunks: Iterator[Event]) -> Iterator[bytes]:
    """Return nothing: embeddings are not streamed."""
    return iter(())
