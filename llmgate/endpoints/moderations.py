"""POST /v1/moderations."""

from __future__ import annotations

from flask import Blueprint
from flask import Response

from llmgate.endpoints import common
from llmgate.pipeline import dispatch

blueprint = Blueprint("moderations", __name__)

_MODEL = "omni-moderation-latest"  # what OpenAI takes for requests without a model


@common.route(blueprint, common.paths("moderations"), methods=["POST"])
@common.keyed
def moderations() -> Response:
    """Judge one or more inputs."""
    body = common.body("moderations", None, default_model=_MODEL)
    return common.whole(dispatch.complete(common.gate(), "moderations", body, common.meter()))
