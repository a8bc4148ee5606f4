"""OpenAI, and the shared parts of every provider that has its wire format.

Source: https://platform.openai.com/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from llmgate.contract import Body
from llmgate.contract import Build
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.contract import MessageRules
from llmgate.contract import NativeApi
from llmgate.contract import Operation
from llmgate.contract import Provider
from llmgate.contract import passed_on
from llmgate.contract import web_search
from llmgate.dialects.anthropic import relay as anthropic_relay
from llmgate.dialects.openai import chat as openai_chat
from llmgate.dialects.openai import models
from llmgate.dialects.openai import normalize
from llmgate.dialects.openai import prepare
from llmgate.dialects.openai import relay as openai_relay
from llmgate.dialects.openai import wire as openai_wire
from llmgate.dialects.responses import items as responses_items
from llmgate.dialects.responses import reply as responses_reply
from llmgate.dialects.responses import request as responses_request
from llmgate.dialects.responses import stream as responses_stream
from llmgate.providers import credentials
from llmgate.providers import listings
from llmgate.providers import natives

_KEY_ENV = ("OPENAI_API_KEY",)


def build(name: str, asks_usage: bool = True) -> Build:
    """Return the function that builds calls of the operation called *name*."""
    path = openai_wire.path(name)

    def call(body: Body, deployment: Deployment) -> Call:
        if name == "chat":
            body = chat_body(body, deployment)
        return call_to(f"{deployment.api_base}{path}", name, body, deployment, asks_usage)

    return call


_RULES = MessageRules(cache_marks=True, one_system=False)
_OWN_RULES = _RULES._replace(reasoning=None)
"""Of OpenAI's own models: "Unknown parameter: 'messages[1].reasoning_content'"."""


def chat_body(body: Body, deployment: Deployment) -> Body:
    """Return a chat *body* as OpenAI's model accepts it; `base_model` names it at Azure."""
    model = model_name(deployment)
    rules = _OWN_RULES if models.is_openais(model) else _RULES
    return models.adapted(prepare.prepared(body, rules), model)


def model_name(deployment: Deployment) -> str:
    """Return the name of the deployment's model by which its features are known."""
    named = deployment.info.get("base_model") or deployment.settings.get("base_model")
    return str(named or deployment.model)


def call_to(
    url: str, name: str, body: Body, deployment: Deployment, asks_usage: bool = True
) -> Call:
    """Return the call to *url* for the operation called *name*, for the deployment's model."""
    body = {**body, "model": deployment.model}
    if name in openai_wire.FORMS:
        return openai_wire.form_call(url, body)
    if name in openai_wire.STREAMED and asks_usage:
        body = openai_wire.with_usage(body)
    return openai_wire.json_call(url, body)


def operation(name: str, build: Build, params: frozenset[str] | None = None) -> Operation:
    """Return the operation called *name* on OpenAI's wire, its requests made by *build*."""
    streamed = openai_wire.chunks if name in openai_wire.STREAMED else None
    relay = openai_relay.relayed if name in openai_wire.STREAMED else None
    return Operation(
        build,
        parse=normalize.reply if name == "chat" else passed_on,
        stream=streamed,
        usage=openai_wire.usage,
        params=params,
        passthrough=True,
        stream_filter=relay,
        web_search=openai_chat.can_search,
    )


def responses(url: Callable[[Deployment], str]) -> dict[str, Operation]:
    """Return the operations of the Responses API, which is at the *url* of a deployment.

    `stored_responses` requests what is kept there: `method`, and a `path` below the API's own.
    """

    def call(body: Body, deployment: Deployment) -> Call:
        body = responses_items.without_foreign(body)
        if "model" not in body:  # it is the stored prompt's, or that of the previous response
            return openai_wire.json_call(url(deployment), body)
        return call_to(url(deployment), "responses", body, deployment)

    def stored(body: Body, deployment: Deployment) -> Call:
        return Call(body["method"], f"{url(deployment)}/{body['path']}", {})

    relay = anthropic_relay.relay(anthropic_relay.RESPONSES)
    return {
        "responses": Operation(
            call, usage=openai_wire.usage, passthrough=True, stream_filter=relay
        ),
        "stored_responses": Operation(stored, passthrough=True),
    }


def chat_over_responses(url: Callable[[Deployment], str]) -> Operation:
    """Return the operation chat over the Responses API, which is at the *url* of a deployment."""

    def call(body: Body, deployment: Deployment) -> Call:
        dropping = deployment.drop_params
        made = responses_request.body_from_chat(body, model_name(deployment), dropping)
        return openai_wire.json_call(url(deployment), {**made, "model": deployment.model})

    return Operation(
        call,
        responses_reply.chat_reply,
        responses_stream.chunks,
        openai_wire.usage,
        responses_request.PARAMS,
        responses_request.EXTENSIONS,
        web_search=web_search,
    )


def with_responses(provider: Provider, url: Callable[[Deployment], str]) -> Provider:
    """Return *provider* with its chat through the Responses API where a model needs that.

    `model_info.mode` decides if it is "responses" or "chat", else the table of models. Text
    completions go the same way, over chat.
    """
    chat, over = provider.operations["chat"], chat_over_responses(url)
    mixed = chat._replace(instead=lambda body: over if needs_responses(body) else None)
    others = {name: it for name, it in provider.operations.items() if name != "completions"}
    all_over = provider._replace(operations={**others, "chat": over})
    some_over = provider._replace(operations={**provider.operations, "chat": mixed})

    def for_model(deployment: Deployment) -> Provider:
        mode, name = deployment.info.get("mode"), model_name(deployment)
        if mode == "responses" or (mode != "chat" and models.is_responses_only(name)):
            return all_over
        is_mixed = mode != "chat" and models.refuses_tools_in_chat(name)
        return some_over if is_mixed else provider

    return provider._replace(for_model=for_model)


def with_optional_responses(
    provider: Provider, url: Callable[[Deployment], str], is_stored: bool
) -> Provider:
    """Return *provider* with the Responses API for deployments whose `model_info` has it.

    That is `/v1/responses` in `supported_endpoints`; for `mode: responses`, and where chat is not
    among the endpoints, chat goes through it, too. *is_stored*: responses are kept there.
    """
    own = responses(url)
    native = {name: it for name, it in own.items() if is_stored or name == "responses"}
    beside = provider._replace(operations={**provider.operations, **native})
    chat = {"chat": chat_over_responses(url)}
    others = {name: it for name, it in provider.operations.items() if name != "completions"}
    instead = provider._replace(operations={**others, **native, **chat})

    def for_model(deployment: Deployment) -> Provider:
        info = deployment.info
        endpoints = info.get("supported_endpoints") or ()
        has_responses = "/v1/responses" in endpoints
        if info.get("mode") == "responses" or (has_responses and _CHAT_PATH not in endpoints):
            return instead
        return beside if has_responses else provider

    return provider._replace(for_model=for_model)


_CHAT_PATH = "/v1/chat/completions"


def needs_responses(body: Body) -> bool:
    """Return whether a *body* has tools beside reasoning, which newer models refuse in a chat."""
    return bool(body.get("tools")) and body.get("reasoning_effort") != "none"


def _responses_url(deployment: Deployment) -> str:
    """Return where the Responses API is."""
    return f"{deployment.api_base}{openai_wire.path('responses')}"


def _authorize(call: Call, deployment: Deployment) -> Call:
    """Return *call* with the key, the organization and the project."""
    call = credentials.bearer(_KEY_ENV)(call, deployment)
    named = {"OpenAI-Organization": "organization", "OpenAI-Project": "project"}
    extra = {
        header: str(deployment.settings[setting])
        for header, setting in named.items()
        if deployment.settings.get(setting)
    }
    return call._replace(headers={**call.headers, **extra})


def _base_url(settings: Mapping[str, Any]) -> str:
    """Return where OpenAI is, or what stands in for it."""
    return str(settings.get("api_base") or "https://api.openai.com/v1")


_OPENAI = Provider(
    name="openai",
    native=NativeApi(("openai",), natives.below_base),
    resources="plain",
    base_url=_base_url,
    authorize=_authorize,
    failure=openai_wire.failure,
    operations={
        **{name: operation(name, build(name)) for name in openai_wire.PATHS},
        **responses(_responses_url),
    },
    env={
        "api_key": _KEY_ENV,
        "api_base": ("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        "organization": ("OPENAI_ORGANIZATION", "OPENAI_ORG_ID"),
        "project": ("OPENAI_PROJECT", "OPENAI_PROJECT_ID"),
    },
    listing=listings.openai(),
)

OPENAI = with_responses(_OPENAI, _responses_url)
"""OpenAI, each model through an API that it has."""
