"""Databricks as a provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai.types import CreateEmbeddingResponse
from testing.samples import sample

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers.databricks import DATABRICKS
from llmgate.schema import parameters

BASE = "https://dbc-1.cloud.databricks.com/serving-endpoints"
DEPLOYMENT = Deployment("g", "databricks", "my-endpoint", BASE, api_key="dapi-1")
USER = {"role": "user", "content": "Hi"}


def built(name: str, body: dict[str, Any]) -> Call:
    return DATABRICKS.operations[name].build(body, DEPLOYMENT)


def test_a_chat_names_its_endpoint() -> None:
    call = built("chat", {"model": "g", "messages": [USER], "max_completion_tokens": 5})
    signed = DATABRICKS.authorize(call, DEPLOYMENT)

    assert (call.method, call.url) == ("POST", f"{BASE}/chat/completions")
    assert json.loads(bytes(call.data)) == {
        "model": "my-endpoint",
        "messages": [USER],
        "max_tokens": 5,
    }
    assert signed.headers["Authorization"] == "Bearer dapi-1"


def test_a_chat_is_read() -> None:
    reply = sample("databricks", "reply_thinking")["reply"]

    got = DATABRICKS.operations["chat"].parse(reply, DEPLOYMENT)

    assert got["choices"][0]["message"]["content"] == "Hello!"


def test_what_it_refuses_is_not_sent() -> None:
    body = {
        "model": "g",
        "messages": [USER],
        "user": "u",
        "stream": True,
        "stream_options": {"include_usage": True},
        "parallel_tool_calls": True,
    }

    got = parameters.upstream_body(body, DEPLOYMENT, "chat", DATABRICKS.operations["chat"])

    assert got == {"model": "g", "messages": [USER], "stream": True}


def test_what_would_be_lost_is_refused() -> None:
    body = {"model": "g", "messages": [USER], "seed": 1}

    with pytest.raises(errors.InvalidRequest) as caught:
        parameters.upstream_body(body, DEPLOYMENT, "chat", DATABRICKS.operations["chat"])

    assert (caught.value.param, caught.value.code) == ("seed", "unsupported_parameter")


def test_inputs_are_embedded_as_texts_in_several_calls() -> None:
    embeddings = DATABRICKS.operations["embeddings"]
    body = {"model": "g", "input": ["x"] * 151, "encoding_format": "base64"}

    parts = embeddings.split(body, DEPLOYMENT)
    call = built("embeddings", parts[1])

    assert call.url == f"{BASE}/embeddings"
    assert json.loads(bytes(call.data)) == {"model": "my-endpoint", "input": ["x"]}


def test_embeddings_are_openais() -> None:
    reply = sample("databricks", "embeddings")["reply"]
    embeddings = DATABRICKS.operations["embeddings"]

    CreateEmbeddingResponse.model_validate(embeddings.parse(reply, DEPLOYMENT), strict=True)
    assert embeddings.usage(reply) == {"prompt_tokens": 6}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, ""),
        ("https://dbc-1.cloud.databricks.com", BASE),
        ("https://dbc-1.cloud.databricks.com/", BASE),
        (BASE, BASE),
        (f"{BASE}/my-endpoint/invocations", BASE),
        (
            "https://dbc-1.example/ai-gateway/mlflow/v1",
            "https://dbc-1.example/ai-gateway/mlflow/v1",
        ),
    ],
)
def test_an_address_is_the_workspaces(given: str | None, wanted: str) -> None:
    assert DATABRICKS.base_url({"api_base": given}) == wanted


def test_a_missing_key_is_named() -> None:
    with pytest.raises(errors.Unauthorized, match="DATABRICKS_API_KEY or DATABRICKS_TOKEN"):
        DATABRICKS.authorize(Call("POST", BASE, {}), DEPLOYMENT._replace(api_key=None))
