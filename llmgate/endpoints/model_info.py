"""GET /utils/supported_openai_params and POST /utils/token_counter: answered here, at once."""

from __future__ import annotations

from flask import Blueprint
from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.accounting import token_estimate
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import routes
from llmgate.schema import parameters

blueprint = Blueprint("advice", __name__)


@routes.route(blueprint, routes.paths("utils/supported_openai_params"), methods=["GET"])
@auth.keyed
def supported_openai_params() -> Response:
    """List the OpenAI parameters that a model supports, for chat or another operation."""
    model = request.args.get("model")
    if not model:
        raise errors.InvalidRequest(
            "Missing required parameter: 'model'. Send it in the query: ?model=<model>.",
            param="model",
            code="missing_required_parameter",
        )
    deployment = common.usable(model)[0]
    operations = providers.serving(deployment).operations
    name = "chat" if "chat" in operations else next(iter(operations))
    taken = operations[name].params
    known = parameters.OPENAI.get(name, frozenset()) if taken is None else taken
    return common.json_response({"supported_openai_params": sorted(known)})


@routes.route(blueprint, routes.paths("utils/token_counter"), methods=["POST"])
@auth.keyed
def token_counter() -> Response:
    """Estimate the tokens of a prompt or of messages, without a call to a provider."""
    body = common.body("token_counter", None)
    deployment = common.usable(body["model"])[0]
    return common.json_response(
        {
            "total_tokens": token_estimate.tokens(body),
            "request_model": body["model"],
            "model_used": deployment.model,
            "tokenizer_type": "estimate",
        }
    )
