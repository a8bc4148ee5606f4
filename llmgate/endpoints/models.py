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
from llmgate.pipeline import model_listing
from llmgate.trust import redaction

blueprint = Blueprint("models", __name__)

_SINCE = 1677610602  # the SDKs' types require a creation time; nothing reads it


_LIBRECHAT = ["/v1/chat/completions/models", "/chat/completions/models"]


@routes.route(blueprint, [*routes.paths("models"), *_LIBRECHAT], methods=["GET"])
@auth.keyed
def models() -> Response:
    """List the available models."""
    if generate_models.is_google_client():
        return generate_models.models()
    if anthropic_models.is_requested():
        return anthropic_models.models()
    names = list(filter(common.may_use, _names()))
    return common.json_response({"object": "list", "data": [_model(name) for name in names]})


def _names() -> list[str]:
    """Return the names of models, those that upstreams list behind a wildcard if that is set."""
    gate = common.gate()
    if not common.settings().models.asks_upstreams:
        return gate.routes.names()
    return model_listing.names(gate)


@routes.route(blueprint, routes.paths("models/<path:model>"), methods=["GET"])
@auth.keyed
def model(model: str) -> Response:
    """Describe one model."""
    common.usable(model)
    if generate_models.is_google_client():
        return generate_models.model(model)
    if anthropic_models.is_requested():
        return common.json_response(anthropic_models.model(model))
    return common.json_response(_model(model))


def _model(name: str) -> dict[str, Any]:
    """Return OpenAI's object for the model called *name*."""
    deployment = common.gate().routes.find(name)[0]
    head = {"id": name, "object": "model", "created": _SINCE, "owned_by": deployment.provider}
    return {**head, **_about(deployment), **_pricing(deployment)}


_SHOWN = {
    "mode": "mode",
    "max_input_tokens": "context_length",
    "max_output_tokens": "max_output_tokens",
    "supports_vision": "supports_vision",
    "supports_function_calling": "supports_function_calling",
    "supports_reasoning": "supports_reasoning",
}
"""What is known of a model, by the names of model_info and in the list of models."""

_PRICES = {
    "input_cost_per_token": "prompt",
    "output_cost_per_token": "completion",
    "cache_read_input_token_cost": "input_cache_read",
    "cache_creation_input_token_cost": "input_cache_write",
    "input_cost_per_request": "request",
    "output_cost_per_image": "image",
}
"""Prices, in dollars as text, by OpenRouter's names."""


def _about(deployment: Deployment) -> dict[str, Any]:
    """Return what is known of *deployment*'s model: the operator's word, then the price list's."""
    named = str(deployment.info.get("base_model") or deployment.model)
    about = {**pricing.about(deployment.provider, named), **deployment.info}
    return {shown: about[name] for name, shown in _SHOWN.items() if about.get(name) is not None}


def _pricing(deployment: Deployment) -> dict[str, Any]:
    """Return the prices of *deployment*, if the operator shows them and they are known."""
    known = deployment.prices if common.settings().models.shows_prices else {}
    found = {shown: f"{known[name]:.12g}" for name, shown in _PRICES.items() if name in known}
    return {"pricing": found} if found else {}


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
