"""GET /api/tags, /api/ps, /api/version and POST /api/show: the models, in Ollama's shape.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint
from flask import Response

from llmgate import errors
from llmgate import providers
from llmgate.accounting import pricing
from llmgate.contract import Deployment
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import error_responses
from llmgate.endpoints import json_bodies
from llmgate.endpoints import ollama
from llmgate.endpoints import routes
from llmgate.fronts.ollama import reply as front_reply

blueprint = Blueprint("ollama_models", __name__)

_SPEAKS = "0.12.6"  # the version of Ollama whose API this is: clients look at it
_SINCE = "2023-02-28T16:43:22Z"  # clients require a time; nothing reads it

error_responses.use_shape(blueprint, front_reply.error_body)


@routes.route(blueprint, ["/api/version"], methods=["GET"])
@auth.public
def version() -> Response:
    """Report the version of Ollama's API."""
    return common.json_response({"version": _SPEAKS})


@routes.route(blueprint, ["/api/tags"], methods=["GET"])
@auth.keyed
def tags() -> Response:
    """List the available models, in Ollama's shape."""
    names = filter(common.may_use, common.gate().routes.names())
    return common.json_response({"models": [_model(name) for name in names]})


@routes.route(blueprint, ["/api/ps"], methods=["GET"])
@auth.keyed
def running() -> Response:
    """List the models that are in memory: none."""
    return common.json_response({"models": []})


@routes.route(blueprint, ["/api/show"], methods=["POST"])
@auth.keyed
def show() -> Response:
    """Describe one model, in Ollama's shape."""
    body = json_bodies.parsed(common.settings().max_body)
    name = body.get("model") or body.get("name")
    if not isinstance(name, str):
        raise errors.InvalidRequest("Missing required parameter: 'model'.", param="model")
    deployment = common.usable(ollama.group_of(name))[0]
    about = {**pricing.about(deployment.provider, deployment.model), **deployment.info}
    return common.json_response(
        {
            "modelfile": f"FROM {name}",
            "parameters": "",
            "template": "",
            "license": "",
            "modified_at": _SINCE,
            "details": _details(deployment),
            "model_info": _info(deployment, about),
            "capabilities": _capabilities(deployment, about),
        }
    )


def _model(name: str) -> dict[str, Any]:
    """Return Ollama's object for the model called *name*."""
    return {
        "name": name,
        "model": name,
        "modified_at": _SINCE,
        "size": 0,
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "details": _details(common.gate().routes.find(name)[0]),
    }


def _details(deployment: Deployment) -> dict[str, Any]:
    """Return the details of *deployment*'s model: its family is the provider."""
    return {
        "parent_model": "",
        "format": "",
        "family": deployment.provider,
        "families": [deployment.provider],
        "parameter_size": "",
        "quantization_level": "",
    }


def _info(deployment: Deployment, about: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of *deployment*'s model, by Ollama's names."""
    family = deployment.provider
    found = {"general.architecture": family, "general.basename": deployment.model}
    limit = about.get("max_input_tokens")
    return {**found, **({f"{family}.context_length": limit} if limit else {})}


def _capabilities(deployment: Deployment, about: dict[str, Any]) -> list[str]:
    """Return what *deployment*'s model can do, in Ollama's words; all that is not known to lack."""
    operations = providers.serving(deployment).operations
    if about.get("mode") == "embedding" or "chat" not in operations:
        return ["embedding"] if "embeddings" in operations else []
    known = ["completion"]
    known += ["tools"] if about.get("supports_function_calling", True) else []
    known += ["vision"] if about.get("supports_vision") else []
    return known + (["thinking"] if about.get("supports_reasoning") else [])
