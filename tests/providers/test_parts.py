"""What a provider takes in one call, and which of its faces a model sees."""

from __future__ import annotations

from typing import Any

import pytest

from llmgate import providers
from llmgate.contract import Deployment
from llmgate.contract import first_reply
from llmgate.contract import whole_body
from llmgate.dialects.openai import embeddings as openai_embeddings
from llmgate.dialects.openai import wire as openai_wire
from llmgate.providers import PROVIDERS


def deployment(provider: str, model: str, **over: Any) -> Deployment:
    return Deployment("g", provider, model, "https://x", **over)


@pytest.mark.parametrize(
    ("provider", "model", "wanted"),
    [
        ("bedrock", "amazon.titan-embed-text-v2:0", [1] * 201),
        ("bedrock", "cohere.embed-english-v3", [96, 96, 9]),
        ("cohere", "embed-v4.0", [96, 96, 9]),
        ("gemini", "gemini-embedding-001", [100, 100, 1]),
        ("vertex_ai", "text-embedding-005", [201]),
        ("openai", "text-embedding-3-small", [201]),
    ],
)
def test_inputs_are_embedded_in_as_many_calls_as_it_takes(
    provider: str, model: str, wanted: list[int]
) -> None:
    operation = PROVIDERS[provider].operations["embeddings"]
    body = {"model": "g", "input": ["x"] * 201}

    parts = operation.split(body, deployment(provider, model))

    assert [len(part["input"]) for part in parts] == wanted
    several = operation.split is not whole_body
    assert operation.merge is (openai_embeddings.joined if several else first_reply)


def test_one_reply_is_the_reply() -> None:
    assert first_reply([{"a": 1}]) == {"a": 1}


@pytest.mark.parametrize(
    ("provider", "model", "wanted"),
    [
        ("vertex_ai", "claude-sonnet-4-5@20250929", True),
        ("vertex_ai", "gemini-2.5-pro", False),
        ("bedrock", "us.anthropic.claude-opus-4-1-20250805-v1:0", True),
        ("bedrock", "meta.llama3-1-8b-instruct-v1:0", False),
        ("anthropic", "claude-opus-4-1", True),
        ("openai", "gpt-4o", False),
    ],
)
def test_claude_is_asked_in_its_makers_words(provider: str, model: str, wanted: bool) -> None:
    found = providers.serving(deployment(provider, model))

    assert ("messages" in found.operations) == wanted
    assert found.name == provider
    assert "chat" in found.operations


@pytest.mark.parametrize(
    ("reply", "wanted"),
    [
        ({"error": {"message": "x"}}, True),
        ({"error": "x"}, True),
        ({"error": None, "output": []}, False),
        ({"error": {"message": "x"}, "output": [], "status": "failed"}, False),
        ({"choices": []}, False),
    ],
)
def test_a_reply_may_be_a_refusal(reply: Any, wanted: bool) -> None:
    assert openai_wire.is_refusal("responses", reply) == wanted


@pytest.mark.parametrize(
    ("name", "reply", "wanted"),
    [
        ("messages", {"content": []}, True),
        ("messages", {"content": "x"}, False),
        ("responses", {"output": []}, True),
        ("responses", {"id": "resp_1"}, False),
        ("rerank", {"results": []}, True),
        ("rerank", {}, False),
        ("stored_responses", {"deleted": True}, True),
    ],
)
def test_a_reply_has_what_its_operation_promises(name: str, reply: Any, wanted: bool) -> None:
    assert openai_wire.is_reply(name, reply) == wanted
