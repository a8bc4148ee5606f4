"""Upstreams: where they are, how they are authorized, which dialect they speak."""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Mapping

from llmgate.contract import Deployment
from llmgate.contract import NativeApi
from llmgate.contract import Provider
from llmgate.providers import natives
from llmgate.providers.anthropic import ANTHROPIC
from llmgate.providers.azure import AZURE
from llmgate.providers.azure_ai import AZURE_AI
from llmgate.providers.bedrock_claude import BEDROCK
from llmgate.providers.cloudflare import CLOUDFLARE
from llmgate.providers.cohere import COHERE
from llmgate.providers.compatible import provider
from llmgate.providers.databricks import DATABRICKS
from llmgate.providers.echo import ECHO
from llmgate.providers.gemini import GEMINI
from llmgate.providers.ollama_native import OLLAMA_CHAT
from llmgate.providers.openai import OPENAI
from llmgate.providers.rows import ROWS
from llmgate.providers.sagemaker import SAGEMAKER
from llmgate.providers.sagemaker import SAGEMAKER_CHAT
from llmgate.providers.vertex_claude import VERTEX_AI
from llmgate.providers.watsonx import WATSONX

_OWN_MODULES = (
    OPENAI,
    AZURE,
    AZURE_AI,
    ANTHROPIC,
    GEMINI,
    VERTEX_AI,
    BEDROCK,
    SAGEMAKER,
    SAGEMAKER_CHAT,
    COHERE,
    CLOUDFLARE,
    DATABRICKS,
    WATSONX,
    ECHO,
)

PROVIDERS: Mapping[str, Provider] = {
    **{known.name: known for known in _OWN_MODULES},
    **{name: provider(name, row) for name, row in ROWS.items()},
    OLLAMA_CHAT.name: OLLAMA_CHAT,  # after the row of the same server, which comes first
}
"""Every provider by its name, which is also the prefix of its models in a configuration."""

NATIVE: Mapping[str, tuple[Provider, NativeApi]] = {
    prefix: (known, known.native)
    for known in PROVIDERS.values()
    if known.native
    for prefix in known.native.prefixes
}
"""The first segment of a path -> whose own API is below it."""

_ALIASES = {
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "chutes_ai": "chutes",
    "cohere_chat": "cohere",
    "text-completion-openai": "openai",
    "vertex_ai_beta": "vertex_ai",
    "vllm": "hosted_vllm",
}
_ROUTES = {"azure": ("o_series/", "gpt5_series/")}
"""Routes that LiteLLM has before a provider's models; here they change nothing."""

_RESPONSES_ROUTE = "responses/"
_RESPONSES = ("azure", "openai", *(name for name, row in ROWS.items() if row.responses))
"""Providers whose models may have the route of the Responses API: their chat goes through it."""

_MEANT = {"google": "gemini/<model> or vertex_ai/<model>", "custom": "custom_openai/<model>"}
"""Corrections for prefixes that are used by mistake."""

_SIBLINGS = {
    "gemini": ("vertex_ai", {"vertex_project", "vertex_location", "vertex_credentials"}),
}
"""The provider that a bare name means where one of these settings is given."""

_BARE_NAMES = {
    "openai": re.compile(
        r"(gpt-|chatgpt-|o\d|text-embedding-|text-moderation-|omni-moderation-|dall-e-|whisper-"
        r"|tts-|ft:|davinci-|babbage-|codex-|computer-use-|sora-)"
    ),
    "anthropic": re.compile("claude-"),
    "gemini": re.compile("gemini-"),
}


def resource_url(path: str, deployment: Deployment) -> str:
    """Return where a resource of OpenAI's API is, `files/file-1` for instance, at any provider."""
    url = PROVIDERS[deployment.provider].resource_url
    return url(path, deployment) if url else f"{deployment.api_base}/{natives.escaped(path)}"


def serving(deployment: Deployment) -> Provider:
    """Return the provider of *deployment*, for the deployment's model."""
    provider = PROVIDERS[deployment.provider]
    return provider.for_model(deployment) if provider.for_model else provider


def has_responses_route(model: str) -> bool:
    """Return whether a *model* string sends chat through the Responses API."""
    prefix, _, rest = model.partition("/")
    return _ALIASES.get(prefix, prefix) in _RESPONSES and rest.startswith(_RESPONSES_ROUTE)


def split(model: str, settings: Collection[str] = ()) -> tuple[str, str]:
    """Return the provider and its model that a *model* string names.

    `groq/llama-3.3-70b` names both; a bare name is of the maker whose names look so, of a sibling
    of it where one of the *settings* beside the model is the sibling's.
    Raises LookupError with what to write instead.
    """
    prefix, slash, rest = model.partition("/")
    prefix = _ALIASES.get(prefix, prefix)
    if slash and prefix in PROVIDERS and rest:
        for route in (*_ROUTES.get(prefix, ()), _RESPONSES_ROUTE):
            if prefix in _ROUTES or prefix in _RESPONSES:
                rest = rest.removeprefix(route)
        return prefix, rest
    if prefix in PROVIDERS and PROVIDERS[prefix].local_handler:
        return prefix, prefix
    if prefix in PROVIDERS:
        raise LookupError(f"'{model}' is a provider without a model: write {prefix}/<model>")
    for name, pattern in _BARE_NAMES.items():
        if pattern.match(model):
            sibling, own = _SIBLINGS.get(name, (name, set()))
            return (sibling if own & set(settings) else name), model
    if slash and prefix in _MEANT:
        raise LookupError(f"unknown provider '{prefix}' in '{model}'; write {_MEANT[prefix]}")
    if slash:
        raise LookupError(
            f"unknown provider '{prefix}' in '{model}'; known are {', '.join(sorted(PROVIDERS))};"
            " for any OpenAI-compatible server write custom_openai/<model> with an api_base"
        )
    raise LookupError(
        f"'{model}' names no provider: write it as <provider>/<model>, openai/{model} for instance"
    )
