"""Claude at Vertex AI: Anthropic's bodies, without the model, at Google's addresses.

Source: https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmgate.contract import Body
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Events
from llmgate.contract import Failure
from llmgate.contract import NativeApi
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import Reply
from llmgate.contract import web_search
from llmgate.dialects.anthropic import betas as anthropic_betas
from llmgate.dialects.anthropic import native as anthropic_native
from llmgate.dialects.anthropic import relay as anthropic_relay
from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.dialects.gemini import errors as gemini_errors
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import gemini
from llmgate.providers import vertex
from llmgate.providers import vertex_native

VERSION = "vertex-2023-10-16"
"""The default version of Anthropic's API."""

_COUNTER = "count-tokens"  # stands in the model's place


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for the chat *body*."""
    request = anthropic_wire.messages_from_chat(body, deployment.model, deployment.drop_params)
    return _messages(request, deployment)


def _messages(body: Body, deployment: Deployment) -> Call:
    """Return the call that posts a *body* in Anthropic's own shape."""
    method = "streamRawPredict" if body.get("stream") else "rawPredict"
    request = anthropic_native.for_google(body)
    request.pop("model", None)
    url = f"{vertex.models_url(deployment, 'anthropic')}:{method}"
    return anthropic_betas.call(url, {"anthropic_version": VERSION, **request})


def _count(body: Body, deployment: Deployment) -> Call:
    """Return the call that counts the tokens of a *body* in Anthropic's own shape."""
    url = vertex.models_url(deployment._replace(model=_COUNTER), "anthropic")
    known = anthropic_native.for_google(body)
    request = {"anthropic_version": VERSION, **known, "model": deployment.model}
    return anthropic_betas.call(f"{url}:rawPredict", request)


def _parsed(message: Any, deployment: Deployment) -> Reply:
    """Return the chat completion that *message* stands for."""
    return anthropic_wire.chat_from_message(message)


def _chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream; raises UpstreamError and CutShort."""
    return anthropic_wire.chunks(pieces)


def _events(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield Anthropic's own events, less pings; raises UpstreamError and CutShort."""
    return anthropic_wire.whole(anthropic_wire.decoded(pieces))


def _failure(body: Any) -> Failure:
    """Return the failure for an error *body*: Anthropic's, or Google's own."""
    if isinstance(body, dict) and body.get("type") == "error":
        return anthropic_wire.failure(body)
    return gemini_errors.failure(body)


VERTEX_CLAUDE = vertex.VERTEX._replace(
    failure=_failure,
    operations={
        "chat": Operation(
            _chat, _parsed, _chunks, openai_wire.usage, anthropic_wire.PARAMS, web_search=web_search
        ),
        "messages": Operation(
            _messages,
            stream=_events,
            usage=anthropic_wire.counted,
            passthrough=True,
            stream_filter=anthropic_relay.relay(anthropic_relay.ANTHROPIC),
        ),
        "count_tokens": Operation(_count, passthrough=True),
    },
)


def _variant(deployment: Deployment) -> Provider:
    """Return Vertex AI's provider for the deployment's model."""
    return VERTEX_CLAUDE if "claude" in deployment.model else vertex.VERTEX


VERTEX_AI = vertex.VERTEX._replace(
    for_model=_variant,
    native=NativeApi(
        ("vertex_ai", "vertex-ai"), vertex_native.url, gemini.MODEL_IN_PATH, family="google"
    ),
)
"""Vertex AI with the models of both makers."""
