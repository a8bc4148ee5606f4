"""The models as Google's clients read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from testing.gateway import MODELS
from testing.gateway import deployment
from testing.upstream import Upstream

GENERATES = ["generateContent", "streamGenerateContent", "countTokens"]
EMBEDS = ["embedContent", "batchEmbedContents"]


def test_a_model_is_described(client: FlaskClient) -> None:
    assert client.get("/v1beta/models/gpt-4o").get_json() == {
        "name": "models/gpt-4o",
        "version": "001",
        "displayName": "gpt-4o",
        "description": "gpt-4o of openai",
        "inputTokenLimit": 128000,
        "outputTokenLimit": 16384,
        "supportedGenerationMethods": GENERATES,
    }


@pytest.mark.parametrize("header", ["x-goog-api-key", "x-goog-api-client"])
def test_on_openais_path_googles_clients_are_known_by_their_headers(
    client: FlaskClient, header: str
) -> None:
    for path in ("/models", "/models/gpt-4o"):
        got = client.get(f"/v1{path}", headers={header: "x"})
        assert got.get_json() == client.get(f"/v1beta{path}").get_json()


@pytest.mark.parametrize(
    ("size", "token"), [("pageSize", "pageToken"), ("page_size", "page_token")]
)
def test_a_list_comes_in_pages(client: FlaskClient, size: str, token: str) -> None:
    found: list[str] = []
    query: dict[str, Any] = {size: 4}

    while True:
        page = client.get("/v1beta/models", query_string=query).get_json()
        found += [model["name"] for model in page["models"]]
        if "nextPageToken" not in page:
            break
        assert len(page["models"]) == 4
        query[token] = page["nextPageToken"]

    assert found == [f"models/{name}" for name in MODELS]


@pytest.mark.parametrize(
    "query", ["pageSize=x", "pageToken=-1", "pageSize=٣", "pageSize=9999999999"]
)
def test_a_page_is_a_number(client: FlaskClient, query: str) -> None:
    got = client.get(f"/v1beta/models?{query}")

    assert (got.status_code, got.get_json()["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_a_model_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    got = client.get("/v1beta/models/gpt-99")

    assert (got.status_code, got.get_json()["error"]["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("model", "wanted"),
    [
        ("openai/text-embedding-3-small", EMBEDS),
        ("openai/whisper-1", []),
        ("openai/unknown", [*GENERATES, *EMBEDS]),
        ("anthropic/claude-unknown", GENERATES),
        ("jina_ai/unknown", EMBEDS),
    ],
)
def test_what_a_model_can_do(
    app_for: Callable[..., FlaskClient], upstream: Upstream, model: str, wanted: list[str]
) -> None:
    client = app_for({"model_list": [deployment("m", upstream.url, model)]})

    got = client.get("/v1beta/models/m").get_json()

    assert got["supportedGenerationMethods"] == wanted
