"""Ollama on its own API, with what its imitation of OpenAI's lacks: think, num_ctx, keep_alive.

Source: https://github.com/ollama/ollama/blob/main/docs/api.md
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
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import Reply
from llmgate.dialects.openai import wire as openai_wire
from llmgate.dialects.others import ollama
from llmgate.providers import credentials
from llmgate.providers import listings
from llmgate.schema import parameters

_ENDPOINT = re.compile(r"(/(v1|api(/(chat|embed|generate))?))?/*$")
_CHAT = frozenset(
    """model messages stream temperature top_p stop seed presence_penalty frequency_penalty
    max_tokens max_completion_tokens response_format tools tool_choice logprobs top_logprobs
    reasoning_effort""".split()
)


def _url(deployment: Deployment, path: str) -> str:
    """Return the address of *path*, whether the base names an endpoint or the host alone."""
    return _ENDPOINT.sub("", deployment.api_base, count=1) + path


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for a chat *body*."""
    if deployment.drop_params:
        body = ollama.unforced(body)
    body = ollama.chat_body({**body, "model": deployment.model})
    return openai_wire.json_call(_url(deployment, "/api/chat"), body)


def _chat_reply(reply: Any, deployment: Deployment) -> Reply:
    """Return a chat completion."""
    return ollama.chat_reply(reply)


def _chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a chat completion."""
    return ollama.chat_chunks(pieces)


def _embed(body: Body, deployment: Deployment) -> Call:
    """Return the call for an embeddings *body*."""
    body = ollama.embed_body({**body, "model": deployment.model})
    return openai_wire.json_call(_url(deployment, "/api/embed"), body)


def _embeddings(reply: Any, deployment: Deployment) -> Reply:
    """Return embeddings."""
    return ollama.embeddings_reply(reply)


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where Ollama is: on this machine."""
    return str(settings.get("api_base") or "http://localhost:11434")


def _list_models(deployment: Deployment) -> Call:
    """Return the call for the models that the server has."""
    return Call("GET", _url(deployment, "/api/tags"), {})


OLLAMA_CHAT = Provider(
    name="ollama_chat",
    base_url=_base_url,
    authorize=credentials.bearer(()),
    failure=ollama.failure,
    operations={
        "chat": Operation(_chat, _chat_reply, _chunks, openai_wire.usage, _CHAT, ollama.EXTENSIONS),
        "embeddings": Operation(
            _embed,
            _embeddings,
            usage=openai_wire.usage,
            params=parameters.OPENAI["embeddings"] - {"user"},
        ),
    },
    env={"api_key": ("OLLAMA_API_KEY",), "api_base": ("OLLAMA_API_BASE",)},
    listing=ModelListing(_list_models, listings.names("models", "name")),
)
