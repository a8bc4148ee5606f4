"""Cohere's SDK at /v1/rerank and /v2/rerank, and OpenAI's imitators of them."""

from __future__ import annotations

from collections.abc import Iterator

import cohere
import httpx
import pytest
import requests
from testing.answers import json_answer
from testing.gateway import API_KEY
from testing.gateway import Gateway
from testing.samples import sample
from testing.upstream import Upstream

REPLY = sample("cohere", "rerank")["reply"]
DOCUMENTS = ["Köln: rain", "Bonn: sun"]


@pytest.fixture
def client(gateway: Gateway) -> Iterator[cohere.ClientV2]:
    with httpx.Client() as http:
        yield cohere.ClientV2(api_key="anything", base_url=gateway.url, httpx_client=http)


def test_documents_are_ranked(upstream: Upstream, client: cohere.ClientV2) -> None:
    upstream.plays(json_answer(REPLY))

    got = client.rerank(model="cohere-rerank", query="Where?", documents=DOCUMENTS, top_n=1)

    assert [(row.index, row.relevance_score) for row in got.results] == [(0, 0.875)]
    (seen,) = upstream.requests
    assert (seen.path, seen.headers["authorization"]) == ("/v2/rerank", f"Bearer {API_KEY}")
    assert seen.json == {
        "model": "rerank-v3.5",
        "query": "Where?",
        "documents": DOCUMENTS,
        "top_n": 1,
    }


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank"])
def test_an_imitator_is_asked_in_the_same_words(
    upstream: Upstream, gateway: Gateway, path: str
) -> None:
    reply = {
        "model": "jina-reranker-v2",
        "usage": {"total_tokens": 12},
        "results": [{"index": 1, "relevance_score": 0.5, "document": {"text": "Bonn: sun"}}],
    }
    upstream.plays(json_answer(reply))
    body = {"model": "jina-rerank", "query": "Where?", "documents": DOCUMENTS}

    got = requests.post(gateway.url + path, json=body, timeout=10)

    assert (got.status_code, got.json()) == (200, reply)
    assert upstream.requests[0].path == "/v1/rerank"
    assert upstream.requests[0].json == {**body, "model": "jina-reranker-v2"}


@pytest.mark.parametrize("asked", [None, False, True])
def test_documents_are_returned_if_that_is_asked_for(
    upstream: Upstream, gateway: Gateway, asked: bool | None
) -> None:
    upstream.plays(json_answer(REPLY))
    body = {"model": "cohere-rerank", "query": "Where?", "documents": DOCUMENTS}

    got = requests.post(
        f"{gateway.url}/v1/rerank", json={**body, "return_documents": asked}, timeout=10
    )

    (row,) = got.json()["results"]
    assert row.get("document") == ({"text": "Köln: rain"} if asked else None)
    assert "return_documents" not in upstream.requests[0].json


def test_documents_of_an_imitator_are_returned_by_it(upstream: Upstream, gateway: Gateway) -> None:
    results = [{"index": 1, "relevance_score": 0.5, "document": {"text": "Bonn: sun"}}]
    upstream.plays(json_answer({"model": "jina", "results": results}))
    body = {"model": "jina-rerank", "query": "?", "documents": DOCUMENTS, "return_documents": True}

    got = requests.post(f"{gateway.url}/v1/rerank", json=body, timeout=10)

    assert got.json()["results"] == results
    assert upstream.requests[0].json["return_documents"] is True


def test_a_provider_that_cannot_rank_says_so(upstream: Upstream, gateway: Gateway) -> None:
    body = {"model": "anthropic", "query": "Where?", "documents": DOCUMENTS}

    got = requests.post(f"{gateway.url}/v1/rerank", json=body, timeout=10)

    assert (got.status_code, got.json()["error"]["code"]) == (400, "unsupported_operation")
    assert upstream.requests == []
