"""Gemini's API, with any provider's model: /v1beta/models/{model}:generateContent and others.

Source: https://ai.google.dev/api
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator

from flask import Blueprint
from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.accounting import token_estimate
from llmgate.codecs import sse
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.endpoints import passthrough
from llmgate.endpoints import routes
from llmgate.fronts.gemini import embeddings as front_embeddings
from llmgate.fronts.gemini import errors as front_errors
from llmgate.fronts.gemini import reply as front_reply
from llmgate.fronts.gemini import request as front_request
from llmgate.fronts.gemini import stream as front_stream
from llmgate.inbound import keepalive
from llmgate.pipeline import dispatch
from llmgate.pipeline.response import MALFORMED
from llmgate.pipeline.shapes import Front

blueprint = Blueprint("generate", __name__)

VERSIONS = ("/v1beta", "/v1", "/v1alpha")

error_responses.use_shape(
    blueprint, front_errors.error_body, "/v1beta", "/v1alpha", "/upload/", "/download/"
)


METHODS = (
    "generateContent",
    "streamGenerateContent",
    "countTokens",
    "embedContent",
    "batchEmbedContents",
)
"""The methods of a model, with Google's names."""


def _paths(method: str) -> list[str]:
    """Return where a *method* of a model is; clients leave out `models/` if a name has a slash."""
    named = [f"{above}/models/<path:model>:{method}" for above in (*VERSIONS, "")]
    bare = [f"{above}/<path:model>:{method}" for above in VERSIONS if above != "/v1"]
    return [*named, *bare]


@routes.route(blueprint, _paths("generateContent"), methods=["POST"])
@auth.keyed_in_query
def generate(model: str) -> Response:
    """Generate content, in Gemini's shape."""
    body = common.body("generate_content", model)
    body.pop("stream", None)
    return common.whole(dispatch.complete(common.gate(), "generate", body, common.meter(), FRONT))


@routes.route(blueprint, _paths("streamGenerateContent"), methods=["POST"])
@auth.keyed_in_query
def stream(model: str) -> Response:
    """Stream content, in Gemini's shape: as server-sent events (`?alt=sse`) or a JSON array."""
    gate, meter = common.gate(), common.meter()
    body = common.body("generate_content", model)
    body["stream"] = True
    written = front_errors.written
    if request.args.get("alt") == "sse":
        return common.flowing(dispatch.stream(gate, "generate", body, meter, FRONT, written))
    keepalive.expect_json()
    answer = dispatch.stream(gate, "generate", body, meter, _IN_ARRAY, written)
    listed = front_stream.array(answer.pieces)
    return common.flowing(answer._replace(pieces=listed, content_type=_IN_ARRAY.content_type))


@routes.route(blueprint, _paths("countTokens"), methods=["POST"])
@auth.keyed_in_query
def count_tokens(model: str) -> Response:
    """Count the tokens of contents, or estimate them where the provider is not Google."""
    gate = common.gate()
    body = common.body("generate_count", model)
    found = gate.routes.find(body["model"])
    if all("generate_count" in providers.serving(each).operations for each in found):
        return common.whole(dispatch.complete(gate, "generate_count", body, common.meter()))
    tokens = token_estimate.tokens(_chat(front_request.counted(body)))
    response = common.json_response({"totalTokens": tokens})
    response.headers["x-llmgate-usage-estimated"] = "true"
    return response


@routes.route(blueprint, _paths("embedContent"), methods=["POST"])
@auth.keyed_in_query
def embed_one(model: str) -> Response:
    """Return the vector of one content, in Gemini's shape."""
    return _embedded("embed_content", model, _ONE)


@routes.route(blueprint, _paths("batchEmbedContents"), methods=["POST"])
@auth.keyed_in_query
def embed_many(model: str) -> Response:
    """Return the vectors of several contents, in Gemini's shape."""
    return _embedded("embed_contents", model, _MANY)


@routes.route(
    blueprint, [f"{above}/models/<path:model>" for above in VERSIONS if above != "/v1"], ["POST"]
)
@auth.keyed_in_query
def unknown(model: str) -> Response:
    """Return 404 with the supported methods."""
    raise errors.NotFound(
        f"Unknown method in '{model[:200]}'. Append one of"
        f" {', '.join(f':{method}' for method in METHODS)} to the model."
    )


_RESOURCES = "cachedContents operations fileSearchStores interactions tunedModels".split()
_SHARED = ["batches", "files"]  # OpenAI's API has these below /v1: see `resources`


def _resource_paths() -> list[str]:
    """Return where clients of Gemini keep files, cached contents and other resources."""
    found = []
    for above in ("", "/upload", "/download"):
        for version in VERSIONS:
            names = _RESOURCES + ([] if above + version == "/v1" else _SHARED)
            root = f"{above}{version}/<any({', '.join(names)}):root>"
            found += [root, f"{root}/<path:below>"]
    return found


@routes.route(blueprint, _resource_paths(), ["GET", "POST", "PUT", "PATCH", "DELETE"])
@auth.keyed_in_query
def resource(root: str, below: str = "") -> Response:
    """Forward a request for files, cached contents or other resources to Google."""
    return passthrough.forwarded(request.path.strip("/"), "gemini")


def _embedded(name: str, model: str, front: Front) -> Response:
    """Return the response of the operation *name*, made by *front* where a provider lacks it."""
    body = common.body(name, model)
    return common.whole(dispatch.complete(common.gate(), name, body, common.meter(), front))


def _read(made: Callable[[Body], Body]) -> Callable[[Body], Body]:
    """Return *made*, raising InvalidRequest for a body without Google's shape."""

    def body_of(body: Body) -> Body:
        try:
            return made(body)
        except MALFORMED as error:
            lacks = f" it lacks '{error.args[0]}'" if isinstance(error, KeyError) else " look at it"
            raise errors.InvalidRequest(
                f"A part, a tool or a setting does not match Gemini's API:{lacks}.",
                param="contents",
            ) from error

    return body_of


def _events(chunks: Iterator[Event]) -> Iterator[bytes]:
    """Yield a chat's *chunks* as Gemini's events."""
    for response in front_stream.responses(chunks):
        yield sse.encoded(response) if response else b""


def _events_apart(chunks: Iterator[Event]) -> Iterator[bytes]:
    """Yield a chat's *chunks* as Gemini's events, without the pauses between them."""
    return filter(None, _events(chunks))


_chat = _read(front_request.chat_from_generate)
FRONT = Front("chat", _chat, front_reply.response_from_chat, _events, front_request.adapted)
_IN_ARRAY = FRONT._replace(events=_events_apart, content_type="application/json; charset=UTF-8")
_ONE = Front(
    "embeddings",
    _read(front_embeddings.embeddings_from_one),
    front_embeddings.one_from_embeddings,
    _events,  # never called: embeddings are not streamed
)
_MANY = _ONE._replace(
    body=_read(front_embeddings.embeddings_from_many),
    reply=front_embeddings.many_from_embeddings,
)
