"""OpenAI's embeddings in Google's three ways of making them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse
from testing import samples

from llmgate.contract import Deployment
from llmgate.dialects.gemini import embeddings as gemini_embeddings

SAMPLES = samples.names("gemini", "embeddings_")


def requested(sample: Any) -> tuple[str, Any]:
    """Return the method and the request for the body of *sample*."""
    if sample["api"] == "v1beta":
        model = f"models/{sample['model']}"
        return "batchEmbedContents", gemini_embeddings.batch(sample["body"], model)
    if "gemini" in sample["model"]:
        return gemini_embeddings.vertex(sample["body"])
    return gemini_embeddings.predict(sample["body"])


@pytest.mark.parametrize("name", SAMPLES)
def test_texts_become_the_request_that_google_documents(name: str) -> None:
    sample = samples.sample("gemini", name)
    before = copy.deepcopy(sample["body"])

    got = requested(sample)

    assert got == (sample["method"], sample["request"])
    assert sample["body"] == before


@pytest.mark.parametrize("name", SAMPLES)
def test_vectors_become_a_list_that_openais_types_take(name: str) -> None:
    sample = samples.sample("gemini", name)
    deployment = Deployment("g", "gemini", sample["model"], "x")

    got = gemini_embeddings.reply(sample["response"], deployment)

    assert got == sample["embeddings"]
    CreateEmbeddingResponse.model_validate(got)


def test_what_is_unknown_goes_on_as_it_is() -> None:
    body = {"model": "g", "input": "a", "title": "T", "task_type": "X", "new": 1}

    assert gemini_embeddings.predict(body)[1] == {
        "instances": [{"content": "a", "task_type": "X", "title": "T"}],
        "new": 1,
    }


def test_vectors_without_counts_cost_nothing_that_is_known() -> None:
    raw = {"embeddings": [{"values": [1.0]}]}

    got = gemini_embeddings.reply(raw, Deployment("g", "gemini", "m", "x"))

    assert got["usage"] == {"prompt_tokens": 0, "total_tokens": 0}
