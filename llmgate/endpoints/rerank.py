"""POST /v1/rerank and /v2/rerank: documents in the order of their relevance, as Cohere has it."""

from __future__ import annotations

import json

from flask import Blueprint
from flask import Response

from llmgate.dialects.openai import wire as openai_wire
from llmgate.dialects.others import cohere_search
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import routes
from llmgate.pipeline import dispatch

blueprint = Blueprint("rerank", __name__)


@routes.route(blueprint, [*routes.paths("rerank"), "/v2/rerank"], methods=["POST"])
@auth.keyed
def rerank() -> Response:
    """Rank documents by their relevance to a query."""
    body = common.body("rerank", None)
    answer = dispatch.complete(common.gate(), "rerank", body, common.meter())
    if body.get("return_documents"):  # Cohere's API v2 does not
        reply = cohere_search.with_documents(json.loads(answer.body), body["documents"])
        answer = answer._replace(body=openai_wire.encoded(reply))
    return common.whole(answer)
