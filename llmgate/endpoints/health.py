"""GET /health and its aliases: constant responses, no key, no upstream call."""

from __future__ import annotations

from flask import Blueprint
from flask import Response
from flask import current_app

from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import routes
from llmgate.version import VERSION

blueprint = Blueprint("health", __name__)


@routes.route(blueprint, ["/health/readiness"], methods=["GET"])
@auth.public
def readiness() -> Response:
    """Report whether this process takes new requests: 503 while it shuts down."""
    if current_app.extensions["llmgate.admission"].is_closing:
        message = "this process is shutting down; use another"
        return common.json_response({"status": "draining", "message": message}, 503)
    return health()


@routes.route(blueprint, ["/health", "/healthz"], methods=["GET"])
@auth.public
def health() -> Response:
    """Report that the process answers requests."""
    return common.json_response({"status": "healthy", "message": "llmgate is up and running"})


@routes.route(blueprint, ["/health/liveliness", "/health/liveness"], methods=["GET"])
@auth.public
def liveness() -> Response:
    """Report that the process is alive, as LiteLLM does."""
    return Response('"I\'m alive!"', content_type="application/json")


@routes.route(blueprint, ["/"], methods=["GET"])
@auth.public
def root() -> Response:
    """Describe the service to a person who opens the address in a browser."""
    return common.json_response(
        {
            "name": "llmgate",
            "version": VERSION,
            "message": "An OpenAI-compatible gateway: POST /v1/chat/completions, GET /v1/models",
        }
    )
