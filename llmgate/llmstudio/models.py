"""The providers and models that the engine's clients can use, and the deployments behind them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmgate import errors
from llmgate.accounting import pricing
from llmgate.contract import Body
from llmgate.contract import Deployment
from llmgate.llmstudio import requests as engine_requests
from llmgate.llmstudio.requests import EngineRequest
from llmgate.providers import PROVIDERS
from llmgate.routing.routes import Routes


def names() -> list[str]:
    """Return the providers that chat: LLMstudio's names first, then the gate's."""
    chatting = [name for name, provider in PROVIDERS.items() if "chat" in provider.operations]
    known = [
        name
        for name, ours in engine_requests.NAMES.items()
        if any(each in chatting for each in ours)
    ]
    return list(dict.fromkeys([*known, *chatting]))


def check(provider: str) -> None:
    """Raise NotFound if there is no *provider* of this name."""
    if provider not in names():
        raise errors.NotFound(
            f"Provider {provider[:80]} not found. GET /api/engine/providers lists those there are."
        )


def destination(routes: Routes, engine: EngineRequest) -> Body:
    """Return what selects the destination of a chat: a model group, or a client's deployment.

    A model that is not configured needs a key of the client's. Raises InvalidRequest.
    """
    ours = engine_requests.NAMES.get(engine.provider, (engine.provider,))
    key = engine.chat.get("api_key")
    try:
        name = group(routes, engine.provider, engine.model)
    except errors.InvalidRequest:
        if not key:
            raise
        return _client_deployment(engine, ours[-1])
    if (
        key
        and PROVIDERS[ours[-1]].local_handler is None
        and all(map(_is_built_in, routes.find(name)))
    ):
        return _client_deployment(engine, ours[-1])
    return {"model": name}


def _client_deployment(engine: EngineRequest, provider: str) -> Body:
    """Return the deployment that the client's key makes, as a `user_config`."""
    base = engine.chat.get("api_base") or engine.chat.get("base_url")
    given = {
        "model": f"{provider}/{engine.model}",
        "api_key": engine.chat["api_key"],
        "api_base": base,
        "api_version": engine.chat.get("api_version"),
    }
    params = {name: value for name, value in given.items() if value is not None}
    entry = {"model_name": engine.model, "litellm_params": params}
    return {"model": engine.model, "user_config": {"model_list": [entry]}}


def group(routes: Routes, provider: str, model: str) -> str:
    """Return the model group that serves *model* of *provider*; raises InvalidRequest.

    It is the group of that full name, else one of the model's name that is all this provider's,
    else what the configuration or the environment has for the provider.
    """
    ours = engine_requests.NAMES.get(provider, (provider,))
    full = [f"{name}/{model}" for name in dict.fromkeys([provider, *ours])]
    written = [name for name in full if name in routes.groups or name in routes.aliases]
    if routes.forced or written:
        return routes.forced or written[0]
    for name in (model, *full):
        if _is_served(routes, name, ours):
            return name
    raise errors.InvalidRequest(
        f"Model {model[:200]} is not supported by {engine_requests.title(provider)}. GET"
        f" /api/engine/models?provider={provider} lists those that are.",
        param="model",
        code="model_not_found",
    )


def _is_served(routes: Routes, name: str, providers: Iterable[str]) -> bool:
    """Return whether all that stands behind *name* is of one of *providers*, or built in."""
    try:
        found = routes.find(name)
    except errors.ModelNotFound:
        return False
    return all(each.provider in providers or _is_built_in(each) for each in found)


def _is_built_in(deployment: Deployment) -> bool:
    """Return whether *deployment* is the echo, which stands for all while nothing is set up."""
    return PROVIDERS[deployment.provider].local_handler is not None


def models(routes: Routes) -> dict[str, dict[str, Any]]:
    """Return the models that clients can ask for by provider, in LLMstudio's words."""
    found: dict[str, dict[str, None]] = {}
    for name in routes.names():
        for deployment in filter(_chats, routes.find(name)):
            model = name.removeprefix(f"{deployment.provider}/")
            found.setdefault(_shown(deployment.provider), {})[model] = None
    return {
        provider: {"name": engine_requests.title(provider), "models": list(named)}
        for provider, named in found.items()
    }


def _chats(deployment: Deployment) -> bool:
    """Return whether *deployment* chats, or nothing is known of it."""
    about = pricing.about(deployment.provider, deployment.model)
    return bool(about.get("mode", "chat") == "chat")


def _shown(provider: str) -> str:
    """Return LLMstudio's name for *provider*, else its own."""
    return next(
        (name for name, ours in engine_requests.NAMES.items() if provider in ours), provider
    )
