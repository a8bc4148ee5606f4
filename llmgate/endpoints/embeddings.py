"""POST /v1/embeddings: vectors as numbers or in base64, as the client asks."""

from __future__ import annotations

from flask import Blueprint
from flask import Response

from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import routes
from llmgate.pipeline import dispatch

blueprint = Blueprint("embeddings", __name__)


@routes.route(blueprint, routes.paths("embeddings", azure=True), methods=["POST"])
@auth.keyed
def embeddings(model: str | None = None) -> Response:
    """Return the vectors of one or more inputs."""
    body = common.body("embeddings", model)
    return common.whole(dispatch.complete(common.gate(), "embeddings", body, common.meter()))
