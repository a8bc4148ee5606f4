"""Where paths of providers' own APIs are."""

from __future__ import annotations

from typing import Any

import pytest

from llmgate import errors
from llmgate.contract import Deployment
from llmgate.providers import natives

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
    assert natives.resource_url("files/file-1", deployment(provider, base)) == wanted


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

    assert natives.PREFIXES["vertex_ai"].url(path, here) == wanted


def test_a_location_that_cannot_be_is_refused() -> None:
    here = deployment("vertex_ai", VERTEX, settings={"vertex_project": "p"})
    path = PLACE.replace("europe-west4", "evil.example")

    with pytest.raises(errors.InvalidRequest, match="location"):
        natives.PREFIXES["vertex_ai"].url(f"v1/{path}", here)
