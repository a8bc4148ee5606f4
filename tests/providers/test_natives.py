"""Where paths of providers' own APIs are."""

from __future__ import annotations

from typing import Any

import pytest

from llmgate import errors
from llmgate import providers
from llmgate.contract import Deployment

AZURE = "https://res.openai.azure.com"
VERTEX = "https://us-central1-aiplatform.googleapis.com/v1"


def deployment(provider: str, base: str, **over: Any) -> Deployment:
    return Deployment("g", provider, "m", base, **over)


@pytest.mark.parametrize(
    ("provider", "base", "wanted"),
    [
        ("openai", "https://x/v1", "https://x/v1/files/file-1"),
        ("azure", AZURE, f"{AZURE}/openai/files/file-1?api-version=2024-10-21"),
        (
            "azure",
            f"{AZURE}/openai/deployments/own",
            f"{AZURE}/openai/files/file-1?api-version=2024-10-21",
        ),
        ("azure", f"{AZURE}/openai/v1", f"{AZURE}/openai/v1/files/file-1"),
    ],
)
def test_a_resource_is_below_its_providers_address(provider: str, base: str, wanted: str) -> None:
    assert providers.resource_url("files/file-1", deployment(provider, base)) == wanted


PLACE = "projects/p/locations/europe-west4/publishers/google/models/m:predict"
HERE = "https://europe-west4-aiplatform.googleapis.com"


@pytest.mark.parametrize(
    ("path", "base", "wanted"),
    [
        (f"v1/{PLACE}", VERTEX, f"{HERE}/v1/{PLACE}"),
        (f"v1beta1/{PLACE}", "https://own/v1", f"https://own/v1beta1/{PLACE}"),
        (PLACE, "https://own/v1", f"https://own/v1/{PLACE}"),
    ],
)
def test_a_path_names_its_location_at_google_alone(path: str, base: str, wanted: str) -> None:
    here = deployment("vertex_ai", base, settings={"vertex_project": "p"})

    assert providers.NATIVE["vertex_ai"][1].url(path, here) == wanted


def test_a_location_that_cannot_be_is_refused() -> None:
    here = deployment("vertex_ai", VERTEX, settings={"vertex_project": "p"})
    path = PLACE.replace("europe-west4", "evil.example")

    with pytest.raises(errors.InvalidRequest, match="location"):
        providers.NATIVE["vertex_ai"][1].url(f"v1/{path}", here)


def reached(prefix: str, base: str = "", **settings: Any) -> Deployment:
    """Return a deployment of the provider below *prefix*, at *base* or its usual place."""
    provider = providers.NATIVE[prefix][0]
    place = base or provider.base_url(settings).rstrip("/")
    return Deployment("g", provider.name, "m", place, settings=settings)


@pytest.mark.parametrize(
    ("prefix", "base", "path", "wanted"),
    [
        ("openai", "", "v1/x", "https://api.openai.com/v1/x"),
        ("openai", "https://p.example/o/v1", "v1/x", "https://p.example/o/v1/x"),
        ("azure", "https://a.example", "openai/x", "https://a.example/openai/x"),
        ("azure", "https://a.example/openai/v1", "openai/v1/x", "https://a.example/openai/v1/x"),
        ("azure", "https://a.example/openai/deployments/d", "x", "https://a.example/x"),
        ("anthropic", "", "v1/x", "https://api.anthropic.com/v1/x"),
        ("anthropic", "https://a.example/v1", "x", "https://a.example/v1/x"),
        ("gemini", "", "v1/x", "https://generativelanguage.googleapis.com/v1/x"),
        ("gemini", "", "x", "https://generativelanguage.googleapis.com/v1beta/x"),
        ("cohere", "", "v2/x", "https://api.cohere.com/v2/x"),
        ("cohere", "https://c.example/v2/chat", "v2/x", "https://c.example/v2/x"),
        ("mistral", "", "v1/x", "https://api.mistral.ai/v1/x"),
        ("bedrock", "https://b", "model/a:0/converse", "https://b/model/a%3A0/converse"),
        ("bedrock", "https://b", "model/arn:a/b/invoke", "https://b/model/arn%3Aa%2Fb/invoke"),
        ("bedrock", "https://b", "async-invoke", "https://b/async-invoke"),
        ("vllm", "http://v:1/v1", "health", "http://v:1/health"),
        ("vllm", "http://v:1/v1", "v1/x", "http://v:1/v1/x"),
    ],
)
def test_a_path_is_below_the_providers_address(
    prefix: str, base: str, path: str, wanted: str
) -> None:
    assert providers.NATIVE[prefix][1].url(path, reached(prefix, base)) == wanted


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (
            "v1/projects/p/locations/eu/x",
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/x",
        ),
        (
            "v1beta1/projects/p/locations/europe-west1/x",
            "https://europe-west1-aiplatform.googleapis.com/v1beta1/projects/p/locations/"
            "europe-west1/x",
        ),
        (
            "projects/p/locations/global/x",
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/x",
        ),
        (
            "v1/publishers/google/models/m:x",
            "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/"
            "publishers/google/models/m:x",
        ),
    ],
)
def test_a_path_of_vertex_goes_to_its_location(path: str, wanted: str) -> None:
    ours = reached("vertex_ai", vertex_project="p")

    assert providers.NATIVE["vertex_ai"][1].url(path, ours) == wanted


def test_a_key_of_vertexs_has_its_own_project() -> None:
    got = providers.NATIVE["vertex_ai"][1].url("v1/publishers/x", reached("vertex_ai"))

    assert got == "https://us-central1-aiplatform.googleapis.com/v1/publishers/x"


def test_the_project_of_the_credentials_is_the_gates() -> None:
    ours = reached("vertex_ai", vertex_credentials={"project_id": "p"})

    with pytest.raises(errors.Forbidden, match="projects/p"):
        providers.NATIVE["vertex_ai"][1].url("v1/projects/q/locations/eu/x", ours)


def test_a_resource_of_azures_is_asked_for_by_the_deployments_version() -> None:
    ours = deployment("azure", AZURE, api_version="2025-01-01")

    assert providers.resource_url("files", ours) == f"{AZURE}/openai/files?api-version=2025-01-01"
