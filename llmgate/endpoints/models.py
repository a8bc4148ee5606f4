"""GET /v1/models and /model/info: answered by the gateway itself."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import Response

from llmgate.accounting import pricing
from llmgate.contract import Deployment
from llmgate.endpoints import anthropic_models
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import generate_models
from llmgate.endpoints import routes
from llmgate.trust import redaction

blueprint = Blueprint("models", __name__)

_SINCE = 1677610602  # the SDKs' types require a creation time; nothing reads it


_LIBRECHAT = ["/v1/chat/completions/models", "/chat/completions/models"]


@routes.route(blueprint, [*routes.paths("models"), *_LIBRECHAT], methods=["GET"])
@auth.keyed
def models() -> Response:
    """List the available models."""
    if generate_models.is_asked():
        return generate_models.models()
    if anthropic_models.is_requested():
        return anthropic_models.models()
    names = filter(common.may_use, common.gate().routes.names())
    return common.json_response({"object": "list", "data": [_model(name) for name in names]})


@routes.route(blueprint, routes.paths("models/<path:model>"), methods=["GET"])
@auth.keyed
def model(model: str) -> Response:
    """Describe one model."""
    common.usable(model)
    if generate_models.is_asked():
        return generate_models.model(model)
    if anthropic_models.is_requested():
        return common.json_response(anthropic_models.model(model))
    return common.json_response(_model(model))


def _model(name: str) -> dict[str, Any]:
    """Return OpenAI's object for the model called *name*."""
    deployment = common.gate().routes.find(name)[0]
    return {"id": name, "object": "model", "created": _SINCE, "owned_by": deployment.provider}


@routes.route(blueprint, routes.paths("model/info"), methods=["GET"])
@auth.keyed
def info() -> Response:
    """Describe every deployment, without its secrets."""
    groups = common.gate().routes.groups
    deployments = [d for name, found in groups.items() if common.may_use(name) for d in found]
    return common.json_response({"data": [_info(deployment) for deployment in deployments]})


def _info(deployment: Deployment) -> dict[str, Any]:
    """Return *deployment* as LiteLLM's /model/info shows it."""
    about = pricing.about(deployment.provider, deployment.model)
    return {
        "model_name": deployment.group,
        "litellm_params": {
            "model": f"{deployment.provider}/{deployment.model}",
            "api_base": redaction.without_login(deployment.api_base),
        },
        "model_info": {
            "id": deployment.id,
            "litellm_provider": deployment.provider,
            **about,
            **deployment.prices,
            **deployment.info,
        },
    }
