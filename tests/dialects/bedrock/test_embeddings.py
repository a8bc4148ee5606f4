from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse

from llmgate import errors
from llmgate.dialects.bedrock import embeddings as bedrock_embeddings

SAMPLES = Path(__file__).parents[2] / "samples" / "bedrock" / "embeddings.json"
REPLIES = json.loads(SAMPLES.read_text("utf-8"))["replies"]
TITAN_1 = "amazon.titan-embed-text-v1"
TITAN_2 = "amazon.titan-embed-text-v2:0"
TITAN_IMAGE = "amazon.titan-embed-image-v1"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
COHERE_3 = "cohere.embed-multilingual-v3"
COHERE_4 = "us.cohere.embed-v4:0"
PNG = "data:image/png;base64,iVBORw0KGgo="


def request(model: str, /, **body: Any) -> dict[str, Any]:
    before = deepcopy(body)
    got = bedrock_embeddings.request(body, model)
    assert body == before
    return got


def nova(**wanted: Any) -> dict[str, Any]:
    usual = {
        "embeddingPurpose": "GENERIC_INDEX",
        "embeddingDimension": 3072,
        "text": {"truncationMode": "END", "value": "a"},
    }
    return {
        "schemaVersion": "nova-multimodal-embed-v1",
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {**usual, **wanted},
    }


@pytest.mark.parametrize(
    ("model", "body", "wanted"),
    [
        (TITAN_1, {"input": "a", "model": "x", "user": "u"}, {"inputText": "a"}),
        (TITAN_1, {"input": ["a"], "encoding_format": "base64"}, {"inputText": "a"}),
        (
            TITAN_2,
            {"input": "a", "dimensions": 256, "normalize": False, "embeddingTypes": None},
            {"inputText": "a", "dimensions": 256, "normalize": False},
        ),
        (TITAN_IMAGE, {"input": "a"}, {"inputText": "a"}),
        (
            TITAN_IMAGE,
            {"input": PNG, "dimensions": 384},
            {"inputImage": "iVBORw0KGgo=", "embeddingConfig": {"outputEmbeddingLength": 384}},
        ),
        (NOVA, {"input": "a"}, nova()),
        (
            NOVA,
            {"input": "a", "dimensions": 256, "embeddingPurpose": "CLASSIFICATION"},
            nova(embeddingDimension=256, embeddingPurpose="CLASSIFICATION"),
        ),
        (COHERE_3, {"input": "a"}, {"texts": ["a"], "input_type": "search_document"}),
        (
            COHERE_4,
            {"input": ["a", "b"], "dimensions": 512, "input_type": "clustering", "truncate": "END"},
            {
                "texts": ["a", "b"],
                "output_dimension": 512,
                "input_type": "clustering",
                "truncate": "END",
            },
        ),
        (COHERE_3, {"input": [PNG]}, {"images": [PNG], "input_type": "image"}),
    ],
)
def test_every_makers_models_are_asked_in_their_way(
    model: str, body: dict[str, Any], wanted: dict[str, Any]
) -> None:
    assert request(model, **body) == wanted


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        (TITAN_1, [1] * 97),
        (TITAN_2, [1] * 97),
        (TITAN_IMAGE, [1] * 97),
        (NOVA, [1] * 97),
        (COHERE_3, [96, 1]),
    ],
)
def test_a_call_has_as_many_inputs_as_the_model_takes(model: str, sizes: list[int]) -> None:
    parts = bedrock_embeddings.parts(
        {"input": [str(at) for at in range(97)], "dimensions": 8}, model
    )

    assert [len(part["input"]) for part in parts] == sizes
    assert [text for part in parts for text in part["input"]] == [str(at) for at in range(97)]
    assert {part["dimensions"] for part in parts} == {8}


def test_a_model_that_is_not_known_is_refused_with_a_remedy() -> None:
    with pytest.raises(errors.InvalidRequest, match=r"known are .*model_info.base_model") as caught:
        request("arn:aws:bedrock:us-east-1:1:provisioned-model/abc", input="a")

    assert caught.value.param == "model"


@pytest.mark.parametrize("model", REPLIES)
def test_every_makers_reply_is_openais(model: str) -> None:
    got = bedrock_embeddings.reply(REPLIES[model], model)

    two = "cohere" in model
    tokens = 4 if "titan" in model else 0
    rows = [[0.1, -0.2], [0.3, 0.4]][: 2 if two else 1]
    assert got == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": at, "embedding": row} for at, row in enumerate(rows)
        ],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    CreateEmbeddingResponse.model_validate(got, strict=True)


@pytest.mark.parametrize(
    ("headers", "reported", "tokens"),
    [
        ({"x-amzn-bedrock-input-token-count": "5"}, 0, 5),
        ({"x-amzn-bedrock-input-token-count": "5"}, 7, 7),
        ({"x-amzn-bedrock-input-token-count": "many"}, 0, 0),
        ({}, 0, 0),
    ],
)
def test_tokens_are_counted_by_the_header(
    headers: dict[str, str], reported: int, tokens: int
) -> None:
    usage = {"prompt_tokens": reported, "total_tokens": reported}

    got = bedrock_embeddings.counted({"data": [], "usage": usage}, headers)

    assert got == {"data": [], "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}
