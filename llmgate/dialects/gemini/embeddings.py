"""OpenAI's embeddings as Google has them: batchEmbedContents, embedContent, Vertex's predict.

Sources: https://ai.google.dev/api/embeddings
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.contract import Reply
from llmgate.dialects.openai import embeddings as openai_embeddings

PARAMS = frozenset("model input dimensions encoding_format user".split())
"""OpenAI's parameters that it supports; vectors are numbers, whatever encoding is requested."""

_CONFIG = {
    "dimensions": "outputDimensionality",
    "output_dimensionality": "outputDimensionality",
    "outputDimensionality": "outputDimensionality",
    "task_type": "taskType",
    "taskType": "taskType",
    "title": "title",
    "auto_truncate": "autoTruncate",
    "autoTruncate": "autoTruncate",
}
"""A name in the body -> Google's."""


def batch(body: Body, model: str) -> dict[str, Any]:
    """Return the Gemini API's batchEmbedContents request; *model* is a resource name."""
    config = _config(body)
    return {
        "requests": [
            {"model": model, "content": _content(text), **config}
            for text in openai_embeddings.texts(body)
        ],
        **_unknown(body),
    }


def vertex(body: Body) -> tuple[str, dict[str, Any]]:
    """Return Vertex's method for Gemini's own embedding models, and its request."""
    config = {"embedContentConfig": found} if (found := _config(body)) else {}
    requests = [{"content": _content(text), **config} for text in openai_embeddings.texts(body)]
    if len(requests) == 1:
        return "embedContent", {**requests[0], **_unknown(body)}
    return "batchEmbedContents", {"requests": requests, **_unknown(body)}


def predict(body: Body) -> tuple[str, dict[str, Any]]:
    """Return Vertex's method for its older embedding models, and its request."""
    config = _config(body)
    each = {
        name: config.pop(key)
        for key, name in (("taskType", "task_type"), ("title", "title"))
        if key in config
    }
    request: dict[str, Any] = {
        "instances": [{"content": text, **each} for text in openai_embeddings.texts(body)]
    }
    if config:
        request["parameters"] = config
    return "predict", {**request, **_unknown(body)}


def reply(raw: Any, deployment: Deployment) -> Reply:
    """Return OpenAI's list of embeddings for Google's answer *raw*, of whichever method."""
    found = _vectors(raw)
    counted = (raw.get("usageMetadata") or {}).get("promptTokenCount")
    tokens = int(counted if counted is not None else sum(_tokens(vector) for vector in found))
    return openai_embeddings.embedding_list(
        (vector["values"] for vector in found), deployment.model, tokens
    )


def _vectors(raw: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the embedding objects of an answer, in the order of the input."""
    if "predictions" in raw:
        return [prediction["embeddings"] for prediction in raw["predictions"]]
    return [raw["embedding"]] if "embedding" in raw else raw["embeddings"]


def _tokens(vector: Mapping[str, Any]) -> float:
    """Return the token count of a *vector*'s text, 0 if it is not reported."""
    statistics = vector.get("statistics") or {}
    count: float = statistics.get("token_count") or statistics.get("tokenCount") or 0
    return count


def _content(text: str) -> dict[str, Any]:
    """Return *text* as a content of its own: contents share no vector."""
    return {"role": "user", "parts": [{"text": text}]}


def _config(body: Body) -> dict[str, Any]:
    """Return the embedding options of *body* under Google's names."""
    return {name: body[key] for key, name in _CONFIG.items() if body.get(key) is not None}


def _unknown(body: Body) -> dict[str, Any]:
    """Return the members of *body* that are unknown here: they are sent unchanged."""
    return {key: value for key, value in body.items() if key not in PARAMS and key not in _CONFIG}
