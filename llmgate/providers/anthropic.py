"""Anthropic: Claude at its maker's.

Source: https://platform.claude.com/docs/en/api/overview
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.contract import Build
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import Events
from llmgate.contract import ModelListing
from llmgate.contract import NativeApi
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import Reply
from llmgate.contract import web_search
from llmgate.dialects.anthropic import betas as anthropic_betas
from llmgate.dialects.anthropic import native as anthropic_native
from llmgate.dialects.anthropic import relay as anthropic_relay
from llmgate.dialects.anthropic import wire as anthropic_wire
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import credentials
from llmgate.providers import listings
from llmgate.providers import natives

_KEY_ENV = ("ANTHROPIC_API_KEY",)
VERSION = "2023-06-01"
"""The default version of the API: the next one supports no temperature."""

_OURS = frozenset(("authorization", "x-api-key"))


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where Anthropic is, or what stands in for it."""
    return str(settings.get("api_base") or "https://api.anthropic.com")


def url(deployment: Deployment, path: str) -> str:
    """Return the URL of *path*, whether the base URL ends in /v1 or not."""
    return f"{deployment.api_base.rstrip('/').removesuffix('/v1')}/v1{path}"


def _chat(body: Body, deployment: Deployment) -> Call:
    """Return the call for the chat *body*."""
    request = anthropic_wire.messages_from_chat(body, deployment.model, deployment.drop_params)
    return openai_wire.json_call(url(deployment, "/messages"), request)


def _parsed(message: Any, deployment: Deployment) -> Reply:
    """Return the chat completion that *message* stands for."""
    return anthropic_wire.chat_from_message(message)


def _chunks(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield the chunks of a stream; raises UpstreamError and CutShort."""
    return anthropic_wire.chunks(pieces)


def _native(path: str) -> Build:
    """Return the function that posts a body in Anthropic's own shape to *path*."""

    def call(body: Body, deployment: Deployment) -> Call:
        request = anthropic_native.with_own_thinking(body)
        return anthropic_betas.call(url(deployment, path), {**request, "model": deployment.model})

    return call


def _events(pieces: Iterator[bytes], deployment: Deployment) -> Events:
    """Yield Anthropic's own events, less pings; raises UpstreamError and CutShort."""
    return anthropic_wire.whole(anthropic_wire.decoded(pieces))


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the deployment's key, whatever key it had, and a version of the API.

    A version that the client named stays: its requests and its reading of the answers depend on it.
    """
    if not deployment.api_key:
        raise credentials.missing(deployment, _KEY_ENV)
    kept = {name: value for name, value in call.headers.items() if name.lower() not in _OURS}
    if "anthropic-version" not in map(str.lower, kept):
        kept["anthropic-version"] = deployment.api_version or VERSION
    return call._replace(headers={**kept, "x-api-key": deployment.api_key})


def _list_models(deployment: Deployment) -> Call:
    """Return the call for the models.

    Source: https://platform.claude.com/docs/en/api/models-list
    """
    return Call("GET", url(deployment, "/models?limit=1000"), {})


def _native_url(path: str, deployment: Deployment) -> str:
    """Return where *path*, which may begin with v1, is."""
    root = deployment.api_base.removesuffix("/v1")
    return f"{root}/v1/{natives.escaped(path.removeprefix('v1/'))}"


ANTHROPIC = Provider(
    name="anthropic",
    native=NativeApi(("anthropic",), _native_url, family="anthropic"),
    base_url=_base_url,
    authorize=_authorize,
    failure=anthropic_wire.failure,
    operations={
        "chat": Operation(
            _chat, _parsed, _chunks, openai_wire.usage, anthropic_wire.PARAMS, web_search=web_search
        ),
        "messages": Operation(
            _native("/messages"),
            stream=_events,
            usage=anthropic_wire.counted,
            passthrough=True,
            stream_filter=anthropic_relay.relay(anthropic_relay.ANTHROPIC),
        ),
        "count_tokens": Operation(_native("/messages/count_tokens"), passthrough=True),
    },
    env={"api_key": _KEY_ENV, "api_base": ("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL")},
    listing=ModelListing(_list_models, listings.names()),
)
