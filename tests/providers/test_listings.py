from __future__ import annotations

from typing import Any

import pytest

from llmgate.contract import Deployment
from llmgate.providers import PROVIDERS

OPENAIS = {"object": "list", "data": [{"id": "a", "object": "model"}]}
NAMED = {"models": [{"name": "a"}]}


@pytest.mark.parametrize(
    ("name", "base", "url", "answer"),
    [
        ("openai", "https://h/v1", "https://h/v1/models", OPENAIS),
        ("groq", "https://h/openai/v1", "https://h/openai/v1/models", OPENAIS),
        ("together_ai", "https://h/v1", "https://h/v1/models", [{"id": "a"}]),
        ("anthropic", "https://h", "https://h/v1/models?limit=1000", OPENAIS),
        (
            "gemini",
            "https://h/v1beta",
            "https://h/v1beta/models?pageSize=1000",
            {"models": [{"name": "models/a"}]},
        ),
        ("cohere", "https://h/v2", "https://h/v1/models?page_size=1000", NAMED),
        ("ollama_chat", "http://h", "http://h/api/tags", NAMED),
        (
            "databricks",
            "https://h/serving-endpoints",
            "https://h/api/2.0/serving-endpoints",
            {"endpoints": [{"name": "a"}]},
        ),
    ],
)
def test_the_names_of_an_upstreams_models(name: str, base: str, url: str, answer: Any) -> None:
    listing = PROVIDERS[name].listing
    assert listing is not None
    assert listing.names is not None

    call = listing.call(Deployment("g", name, "m", base))

    assert (call.method, call.url) == ("GET", url)
    assert list(listing.names(answer)) == ["a"]


def test_azures_models_are_not_its_deployments() -> None:
    listing = PROVIDERS["azure"].listing
    assert listing is not None
    assert listing.names is None

    versioned = listing.call(Deployment("g", "azure", "m", "https://h", api_version="2024-10-21"))
    current = listing.call(Deployment("g", "azure", "m", "https://h/openai/v1"))

    assert versioned.url == "https://h/openai/models?api-version=2024-10-21"
    assert current.url == "https://h/openai/v1/models"


def test_a_row_may_have_none() -> None:
    assert PROVIDERS["perplexity"].listing is None
