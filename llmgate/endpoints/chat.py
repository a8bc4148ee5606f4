"""POST /v1/chat/completions, on every path that OpenAI's, Azure's and LibreChat's clients use."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint
from flask import Response

from llmgate.contract import Body
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import routes
from llmgate.pipeline import dispatch
from llmgate.pipeline import multi_model
from llmgate.pipeline.response import Completed

blueprint = Blueprint("chat", __name__)

# LibreChat makes these of OPENAI_REVERSE_PROXY: old versions post to the value as it is, new
# ones append to it.
_LIBRECHAT = [
    "/",
    "/v1",
    "/v1/chat/completions/chat/completions",
    "/chat/completions/chat/completions",
]


@routes.route(
    blueprint, routes.paths("chat/completions", azure=True) + _LIBRECHAT, methods=["POST"]
)
@auth.keyed
def chat(model: str | None = None) -> Response:
    """Create a chat completion, whole or streamed."""
    body = common.body("chat", model)
    names = multi_model.models(body, common.gate().routes)
    if names:
        return _of_several(names, body)
    if body.get("stream"):
        return common.flowing(dispatch.stream(common.gate(), "chat", body, common.meter()))
    answer = dispatch.complete(common.gate(), "chat", body, common.meter())
    return common.whole(answer._replace(body=timed(answer.body, common.meter().elapsed())))


def _of_several(names: Sequence[str], body: Body) -> Response:
    """Answer a chat with the models *names*: all of them, or the fastest."""
    gate, meter = common.gate(), common.meter()
    if not multi_model.wants_fastest(body):
        found = multi_model.completions(gate, names, body, meter, timed)
        return common.whole(Completed(found, "application/json", {}))
    if body.get("stream"):
        return common.flowing(multi_model.fastest_stream(gate, names, body, meter))
    answer = multi_model.fastest(gate, names, body, meter)
    return common.whole(answer._replace(body=timed(answer.body, meter.elapsed())))


def timed(reply: bytes, elapsed: float) -> bytes:
    """Return the JSON object *reply* with `_response_ms`: the *elapsed* seconds in milliseconds."""
    reply = reply.rstrip()
    if b'"_response_ms"' in reply:  # another gateway behind this one has added it
        return reply
    return reply[:-1] + f', "_response_ms": {elapsed * 1000:.3f}}}'.encode()
