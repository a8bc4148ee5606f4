"""GET /v1beta/models: the available models, in Gemini's shape.

Source: https://ai.google.dev/api/models
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from flask import Response
from flask import request

from llmgate import errors
from llmgate import providers
from llmgate.accounting import pricing
from llmgate.contract import Deployment
from llmgate.endpoints import auth
from llmgate.endpoints import common
from llmgate.endpoints import routes

blueprint = Blueprint("generate_models", __name__)

_PATHS = ("/v1beta/models", "/v1alpha/models")
_USUAL, _MOST = 50, 1000  # on a page

_GENERATES = ("generateContent", "streamGenerateContent", "countTokens")
_EMBEDS = ("embedContent", "batchEmbedContents")


@routes.route(blueprint, _PATHS, methods=["GET"])
@auth.keyed_in_query
def models() -> Response:
    """List the available models, in Gemini's shape."""
    names = [name for name in common.gate().routes.names() if common.may_use(name)]
    size = min(_number("pageSize") or _USUAL, _MOST)
    start = _number("pageToken")
    more = {"nextPageToken": str(start + size)} if start + size < len(names) else {}
    page = [_model(name) for name in names[start : start + size]]
    return common.json_response({"models": page, **more})


@routes.route(blueprint, [f"{path}/<path:model>" for path in _PATHS], methods=["GET"])
@auth.keyed_in_query
def model(model: str) -> Response:
    """Describe one model, in Gemini's shape."""
    common.usable(model)
    return common.json_response(_model(model))


def is_google_client() -> bool:
    """Return whether this request is of a client of Google's, on a path that OpenAI has too."""
    return any(name in request.headers for name in ("x-goog-api-client", "x-goog-api-key"))


def _number(name: str) -> int:
    """Return the number that the query has at *name*, 0 if it has none; raises InvalidRequest."""
    text = request.args.get(name) or request.args.get(_snake(name)) or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise errors.InvalidRequest(f"'{name}' must be a number of at least 0.", param=name)
    return int(text)


def _snake(name: str) -> str:
    """Return a *name* such as `pageSize` in its other spelling: `page_size`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _model(name: str) -> dict[str, Any]:
    """Return Gemini's object for the model called *name*; raises ModelNotFound."""
    deployment = common.gate().routes.find(name)[0]
    about = pricing.about(deployment.provider, deployment.model)
    limits = {
        "inputTokenLimit": about.get("max_input_tokens"),
        "outputTokenLimit": about.get("max_output_tokens"),
    }
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name,
        "description": f"{deployment.model} of {deployment.provider}",
        **{key: limit for key, limit in limits.items() if limit},
        "supportedGenerationMethods": _methods(deployment, about.get("mode")),
    }


def _methods(deployment: Deployment, mode: str | None) -> list[str]:
    """Return what *deployment*'s model can do, a model of this *mode* (None: unknown)."""
    known = providers.serving(deployment).operations
    methods = [*_GENERATES] if "chat" in known and mode in ("chat", "responses", None) else []
    return methods + ([*_EMBEDS] if "embeddings" in known and mode in ("embedding", None) else [])
