"""POST /v1/moderations."""

from __future__ import annotations

from flask import Blueprint
from flask import Response

from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import routes
from llmgate.pipeline import dispatch

blueprint = Blueprint("moderations", __name__)

_MODEL = "omni-moderation-latest"  # what OpenAI takes for requests without a model


@routes.route(blueprint, routes.paths("moderations"), methods=["POST"])
@auth.keyed
def moderations() -> Response:
    """Classify one or more inputs."""
    body = common.body("moderations", None, default_model=lambda body: _MODEL)
    return common.whole(dispatch.complete(common.gate(), "moderations", body, common.meter()))
