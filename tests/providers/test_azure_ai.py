from __future__ import annotations

import json
from typing import Any

import pytest

from llmgate import errors
from llmgate import providers
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers import azure_ai

HOST = "https://x.services.ai.azure.com"
CHAT = {"model": "g", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 9}


def sent(base: str, name: str = "chat", **over: Any) -> tuple[Call, Any]:
    """Return the call that goes to *base*, authorized, and its body."""
    deployment = Deployment("g", "azure_ai", "m", base, api_key="k", **over)
    provider = providers.serving(deployment)
    body = CHAT if name != "embeddings" else {"model": "g", "input": ["a"]}
    call = provider.authorize(provider.operations[name].build(body, deployment), deployment)
    assert isinstance(call.data, bytes)
    return call, json.loads(call.data)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", ""),
        (HOST, f"{HOST}/openai/v1"),
        (f"{HOST}/", f"{HOST}/openai/v1"),
        (f"{HOST}/models", f"{HOST}/models"),
        (f"{HOST}/anthropic", f"{HOST}/anthropic"),
        ("https://m.eastus.models.ai.azure.com", "https://m.eastus.models.ai.azure.com/v1"),
        ("https://own/v1", "https://own/v1"),
    ],
)
def test_a_host_alone_is_completed(given: str, wanted: str) -> None:
    assert azure_ai.AZURE_AI.base_url({"api_base": given}) == wanted


@pytest.mark.parametrize(
    ("base", "version", "url"),
    [
        (f"{HOST}/openai/v1", None, f"{HOST}/openai/v1/chat/completions"),
        (f"{HOST}/openai/v1", "2024-10-21", f"{HOST}/openai/v1/chat/completions"),
        (
            f"{HOST}/models",
            None,
            f"{HOST}/models/chat/completions?api-version=2024-05-01-preview",
        ),
        (f"{HOST}/models", "v", f"{HOST}/models/chat/completions?api-version=v"),
    ],
)
def test_the_address_decides_on_the_wire(base: str, version: str | None, url: str) -> None:
    call, body = sent(base, api_version=version)

    assert call.url == url
    assert call.headers["api-key"] == "k"
    assert body["model"] == "m"


def test_claude_has_its_own_wire() -> None:
    call, body = sent(f"{HOST}/anthropic")
    native, _ = sent(f"{HOST}/anthropic", "messages")

    assert call.url == native.url == f"{HOST}/anthropic/v1/messages"
    assert (call.headers["x-api-key"], body["max_tokens"]) == ("k", 9)


def test_serverless_endpoints_take_a_bearer_token() -> None:
    call, _ = sent("https://m.eastus.models.ai.azure.com/v1", "embeddings")

    assert call.url == "https://m.eastus.models.ai.azure.com/v1/embeddings"
    assert call.headers["Authorization"] == "Bearer k"


def test_a_key_is_needed() -> None:
    with pytest.raises(errors.Unauthorized, match="AZURE_AI_API_KEY"):
        azure_ai.AZURE_AI.authorize(
            Call("POST", "https://h", {}), Deployment("g", "azure_ai", "m", HOST)
        )
