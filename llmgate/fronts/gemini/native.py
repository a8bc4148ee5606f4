"""Requests on Gemini's own wire, as they go to Gemini: what came, less what only the gate reads.

Sources: https://ai.google.dev/api/generate-content https://ai.google.dev/api/tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.dialects.gemini import names as gemini_names
from llmgate.dialects.gemini import request as gemini_request
from llmgate.dialects.openai import chat as openai_chat
from llmgate.fronts.gemini import request as front_request
from llmgate.fronts.gemini import thoughts as front_thoughts

_OURS = frozenset(("model", "stream"))
_LIMITS = frozenset(("max_tokens", "max_completion_tokens", "stop"))
_COUNTED = frozenset(
    "contents generateContentRequest systemInstruction tools toolConfig generationConfig".split()
)


def request(body: Body) -> Body:
    """Return the generateContent request *body*, with a deployment's defaults in their place.

    Their names are OpenAI's or Google's; the request takes precedence over them.
    """
    given = {key: value for key, value in body.items() if key not in _OURS}
    if "contents" in given:
        given["contents"] = front_thoughts.without_ours(given["contents"])
    defaults = _defaults(given)
    if not defaults:
        return given
    loose = {key for key in given if key in _DEFAULTED or _is_generation(key)}
    kept = {key: value for key, value in given.items() if key not in loose}
    name = "generation_config" if "generation_config" in kept else "generationConfig"
    config = kept.get(name) or {}
    spelled = {gemini_names.camel(key) for key in config}
    new = {key: value for key, value in defaults.items() if key not in spelled}
    return {**kept, name: {**new, **config}}


_DEFAULTED = frozenset(name for name, _ in gemini_request.SETTINGS) | _LIMITS


def _is_generation(key: str) -> bool:
    """Return whether *key*, beside the contents, belongs into the generationConfig."""
    return gemini_names.camel(key) in gemini_request.GENERATION


def _defaults(given: Body) -> Mapping[str, Any]:
    """Return what stands beside the contents in *given* and belongs into the generationConfig."""
    found = {gemini_names.camel(key): given[key] for key in given if _is_generation(key)}
    found |= {name: given[key] for key, name in gemini_request.SETTINGS if key in given}
    limit, stops = openai_chat.limit(given), openai_chat.stops(given)
    found |= {} if limit is None else {"maxOutputTokens": limit}
    return found | ({"stopSequences": stops} if stops else {})


def with_roles(body: Body) -> Body:
    """Return *body* with a role in each turn: Vertex AI wants one, the Gemini API does not."""
    contents = body.get("contents")
    if not isinstance(contents, list):
        return body
    turns = [{"role": "user", **turn} if isinstance(turn, Mapping) else turn for turn in contents]
    return {**body, "contents": turns}


def count(body: Body, model: str) -> Body:
    """Return the countTokens request *body* for what the Gemini API calls *model*."""
    given = {key: value for key, value in body.items() if gemini_names.camel(key) in _COUNTED}
    for key in list(given):
        if gemini_names.camel(key) == "generateContentRequest" and given[key]:
            given[key] = {**given[key], "model": model}
    return given


def count_plainly(body: Body) -> Body:
    """Return the countTokens request *body* as Vertex AI takes it: its members side by side."""
    found = front_request.counted(body)
    given = {key: value for key, value in found.items() if gemini_names.camel(key) in _COUNTED}
    return with_roles(given)


def embed_one(body: Body, model: str) -> Body:
    """Return the embedContent request *body* for *model*."""
    return {"model": model, **_embedding(body)}


def embed_many(body: Body, model: str) -> Body:
    """Return the batchEmbedContents request *body*, each of its requests for *model*."""
    return {**_embedding(body), "requests": [{**each, "model": model} for each in body["requests"]]}


def _embedding(body: Body) -> Body:
    """Return *body* less what is not of embeddings: a deployment's defaults for chats, say."""
    return {k: v for k, v in body.items() if k not in _OURS and not _is_generation(k)}
