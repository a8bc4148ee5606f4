"""Cohere: chat, embeddings and rerank of its API v2.

Source: https://docs.cohere.com/reference/about
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Events
from llmgate.contract import ModelListing
from llmgate.contract import NativeApi
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import Reply
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.dialects.others import cohere
from llmgate.dialects.others import cohere_search
from llmgate.dialects.others import cohere_stream
from llmgate.providers import credentials
from llmgate.providers import listings
from llmgate.providers import natives
from llmgate.schema import parameters

_KEY_ENV = ("COHERE_API_KEY", "CO_API_KEY")
_ENDPOINT = re.compile(r"/(v[12](/(chat|embed|rerank))?)?/*$")
_CHAT = frozenset(
    """model messages stream temperature top_p stop seed presence_penalty frequency_penalty
    max_tokens max_completion_tokens response_format tools tool_choice logprobs
    reasoning_effort""".split()
)


def _url(deployment: Deployment, path: str) -> str:
    """Return the address of *path*, whether the base names an endpoint or the host alone."""
    return _ENDPOINT.sub("", deployment.api_base) + path


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for a chat *body*."""
    body = cohere.chat_body({**body, "model": deployment.model})
    return openai_wire.json_call(_url(deployment, "/v2/chat"), body)


def _chat_reply(reply: Any, deployment: Deployment) -> Reply:
    """Return a chat completion."""
    return cohere.chat_reply(reply, deployment.model)


def _chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a chat completion."""
    return cohere_stream.chunks(pieces, deployment.model)


_MOST_INPUTS = 96  # in one call


def _parts(body: Body, deployment: Deployment) -> list[Body]:
    """Return the bodies of the calls that embed all inputs of *body*."""
    return openai_embeddings.parts(body, _MOST_INPUTS)


def _embed(body: Body, deployment: Deployment) -> Call:
    """Return the call for an embeddings *body*."""
    input_type = str(deployment.settings.get("input_type") or "search_document")
    body = cohere_search.embed_body({**body, "model": deployment.model}, input_type)
    return openai_wire.json_call(_url(deployment, "/v2/embed"), body)


def _embeddings(reply: Any, deployment: Deployment) -> Reply:
    """Return embeddings."""
    return cohere_search.embeddings_reply(reply, deployment.model)


def _rerank(body: Body, deployment: Deployment) -> Call:
    """Return the call for a rerank *body*."""
    body = cohere_search.rerank_body({**body, "model": deployment.model})
    return openai_wire.json_call(_url(deployment, "/v2/rerank"), body)


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where Cohere is."""
    return str(settings.get("api_base") or "https://api.cohere.com")


def _list_models(deployment: Deployment) -> Call:
    """Return the call for the models.

    Source: https://docs.cohere.com/reference/list-models
    """
    return Call("GET", _url(deployment, "/v1/models?page_size=1000"), {})


_VERSION = re.compile(r"/v[12](/.*)?$")


def _native_url(path: str, deployment: Deployment) -> str:
    """Return where *path*, which names the version of the API, is."""
    return f"{_VERSION.sub('', deployment.api_base)}/{natives.escaped(path)}"


COHERE = Provider(
    name="cohere",
    native=NativeApi(("cohere",), _native_url, family="message"),
    base_url=_base_url,
    authorize=credentials.bearer(_KEY_ENV),
    failure=cohere.failure,
    operations={
        "chat": Operation(_chat, _chat_reply, _chunks, cohere.usage, _CHAT, cohere.EXTENSIONS),
        "embeddings": Operation(
            _embed,
            _embeddings,
            usage=openai_wire.usage,
            params=parameters.OPENAI["embeddings"] - {"user"},
            split=_parts,
            merge=openai_embeddings.joined,
        ),
        "rerank": Operation(_rerank, usage=cohere_search.rerank_usage),
    },
    env={"api_key": _KEY_ENV, "api_base": ("COHERE_API_BASE",)},
    settings=frozenset({"input_type"}),
    listing=ModelListing(_list_models, listings.names("models", "name")),
)
