from __future__ import annotations

from typing import Any

import pytest
from testing.openai_bodies import embedding

from llmgate import errors
from llmgate.fronts.gemini import embeddings as front_embeddings

HI: dict[str, Any] = {"parts": [{"text": "Hi"}]}


def test_one_content_is_one_input() -> None:
    assert front_embeddings.embeddings_from_one(
        {"model": "m", "content": HI, "output_dimensionality": 2, "taskType": "X", "user": "u"}
    ) == {"model": "m", "input": ["Hi"], "dimensions": 2, "encoding_format": "float", "user": "u"}


def test_several_contents_are_several_inputs() -> None:
    two = {"content": {"parts": [{"text": "a"}, {"text": "b"}]}}

    assert front_embeddings.embeddings_from_many(
        {"model": "m", "requests": [{"model": "models/m", "content": HI}, two]}
    ) == {"model": "m", "input": ["Hi", "ab"], "encoding_format": "float"}


def test_the_size_may_be_in_the_config() -> None:
    body = {"content": HI, "embed_content_config": {"output_dimensionality": 3}}

    assert front_embeddings.embeddings_from_one(body)["dimensions"] == 3


@pytest.mark.parametrize(
    ("requests", "why"),
    [
        ([{"content": HI}, {"content": HI, "outputDimensionality": 2}], "at different sizes"),
        ([{"content": {"parts": [{"inlineData": {}}]}}], "embeds pictures"),
    ],
)
def test_what_only_gemini_embeds_is_refused(requests: Any, why: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=why):
        front_embeddings.embeddings_from_many({"requests": requests})


def test_vectors_come_back_in_order() -> None:
    reply = embedding([1.0], [2.0])
    count = reply["usage"]["prompt_tokens"]
    turned = {**reply, "data": reply["data"][::-1]}

    assert front_embeddings.many_from_embeddings(turned) == {
        "embeddings": [{"values": [1.0]}, {"values": [2.0]}],
        "usageMetadata": {"promptTokenCount": count},
    }
    assert front_embeddings.one_from_embeddings({"data": reply["data"]}) == {
        "embedding": {"values": [1.0]}
    }
