"""POST /v1/completions: the endpoint before chat, over chat where an upstream has it no more."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint
from flask import Response

from llmgate.codecs import sse
from llmgate.contract import Body
from llmgate.contract import Event
from llmgate.dialects.openai import wire as openai_wire
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import routes
from llmgate.fronts import completions as completion_dialect
from llmgate.pipeline import dispatch
from llmgate.pipeline.shapes import Front

blueprint = Blueprint("completions", __name__)


@routes.route(blueprint, routes.paths("completions", azure=True), methods=["POST"])
@auth.keyed
def completions(model: str | None = None) -> Response:
    """Create a completion, whole or streamed."""
    gate, meter = common.gate(), common.meter()
    body = common.body("completions", model)
    front = _front(body)
    if body.get("stream"):
        return common.flowing(dispatch.stream(gate, "completions", body, meter, front))
    return common.whole(dispatch.complete(gate, "completions", body, meter, front))


def _front(request: Body) -> Front:
    """Return completions over chat, for this *request*."""
    shows_usage = openai_wire.usage_wanted(request)

    def events(chunks: Iterator[Event]) -> Iterator[bytes]:
        for chunk in completion_dialect.completion_chunks(chunks):
            if not chunk:
                yield b""
            elif shows_usage or chunk["choices"]:
                yield sse.encoded(chunk)
        yield sse.DONE

    return Front(
        "chat",
        completion_dialect.chat_from_completion,
        completion_dialect.completion_from_chat,
        events,
    )
