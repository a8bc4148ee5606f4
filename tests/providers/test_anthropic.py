from __future__ import annotations

import json
from typing import Any

import pytest
from testing import anthropic_samples as samples

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers.anthropic import ANTHROPIC

HI = {"model": "group", "messages": [{"role": "user", "content": "Hi"}]}


def deployment(**over: Any) -> Deployment:
    known = {
        "group": "group",
        "provider": "anthropic",
        "model": "claude-haiku-4-5",
        "api_base": ANTHROPIC.base_url({}),
        "api_key": "sk-ant-1",
    }
    return Deployment(**{**known, **over})


def built(name: str, body: dict[str, Any], **over: Any) -> Call:
    return ANTHROPIC.operations[name].build(body, deployment(**over))


def sent(call: Call) -> Any:
    assert isinstance(call.data, bytes)
    return json.loads(call.data)


def test_chat_is_posted_as_a_messages_request() -> None:
    call = built("chat", HI)

    assert call.method == "POST"
    assert call.url == "https://api.anthropic.com/v1/messages"
    assert call.headers == {"Content-Type": "application/json"}
    assert sent(call) == {
        "model": "claude-haiku-4-5",
        "max_tokens": 64_000,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
    }


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:1",
        "http://127.0.0.1:1/",
        "http://127.0.0.1:1/v1",
        "http://127.0.0.1:1/v1/",
    ],
)
@pytest.mark.parametrize(
    ("name", "path"),
    [("chat", "/messages"), ("messages", "/messages"), ("count_tokens", "/messages/count_tokens")],
)
def test_the_base_url_may_have_its_version_or_not(base: str, name: str, path: str) -> None:
    assert built(name, HI, api_base=base).url == f"http://127.0.0.1:1/v1{path}"


def test_a_proxy_may_have_a_path_of_its_own() -> None:
    call = built("chat", HI, api_base="https://a.example/anthropic")

    assert call.url == "https://a.example/anthropic/v1/messages"


def test_sampling_is_dropped_if_the_deployment_says_so() -> None:
    body = {**HI, "temperature": 0.2}

    assert "temperature" in sent(built("chat", body, model="claude-opus-4-8"))
    assert "temperature" not in sent(built("chat", body, model="claude-opus-4-8", drop_params=True))


@pytest.mark.parametrize("name", ["messages", "count_tokens"])
def test_anthropics_own_requests_go_on_but_for_the_model(name: str) -> None:
    body = samples.request("tools")

    assert sent(built(name, body)) == {**body, "model": "claude-haiku-4-5"}


def test_the_key_and_the_version_are_headers() -> None:
    call = ANTHROPIC.authorize(Call("POST", "http://x", {"a": "b"}), deployment())

    assert call.headers == {
        "a": "b",
        "x-api-key": "sk-ant-1",
        "anthropic-version": "2023-06-01",
    }


def test_a_clients_key_is_replaced_and_its_version_kept() -> None:
    headers = {
        "X-Api-Key": "sk-ours",
        "Authorization": "Bearer sk-ours",
        "Anthropic-Version": "2026-10-21",
        "anthropic-beta": "b",
    }

    call = ANTHROPIC.authorize(Call("POST", "http://x", headers), deployment())

    assert call.headers == {
        "x-api-key": "sk-ant-1",
        "Anthropic-Version": "2026-10-21",
        "anthropic-beta": "b",
    }


def test_a_deployment_may_name_its_version() -> None:
    call = ANTHROPIC.authorize(Call("POST", "u", {}), deployment(api_version="2026-10-21"))

    assert call.headers["anthropic-version"] == "2026-10-21"


def test_without_a_key_the_variable_is_named() -> None:
    with pytest.raises(errors.Unauthorized, match="ANTHROPIC_API_KEY"):
        ANTHROPIC.authorize(Call("POST", "u", {}), deployment(api_key=None))


def test_a_whole_answer_is_read_and_its_usage_counted() -> None:
    operation = ANTHROPIC.operations["chat"]

    reply = operation.parse(samples.message("text"), deployment())

    assert reply["choices"][0]["message"]["content"] == "Hello! How can I help?"
    assert operation.usage(reply) == {
        "prompt_tokens": 12,
        "completion_tokens": 9,
        "cached_tokens": 0,
        "cache_creation_tokens": 0,
    }


def test_a_stream_is_read_and_its_usage_counted() -> None:
    operation = ANTHROPIC.operations["chat"]
    pieces = iter([samples.stream(samples.events("thinking"))])
    assert operation.stream is not None

    chunks = list(operation.stream(pieces, deployment()))

    assert operation.usage(chunks[-1]) == {
        "prompt_tokens": 2530,
        "completion_tokens": 60,
        "cached_tokens": 2000,
        "cache_creation_tokens": 500,
        "reasoning_tokens": 41,
    }


def test_anthropics_own_stream_is_read_and_its_usage_counted() -> None:
    operation = ANTHROPIC.operations["messages"]
    pieces = iter([samples.stream(samples.events("web_search"))])
    assert operation.stream is not None
    counted: dict[str, float] = {}

    for event in operation.stream(pieces, deployment()):
        counted.update(operation.usage(event))

    assert operation.passthrough
    assert counted == {
        "prompt_tokens": 10_682,
        "completion_tokens": 510,
        "cached_tokens": 0,
        "cache_creation_tokens": 0,
    }


def test_counting_tokens_uses_none() -> None:
    operation = ANTHROPIC.operations["count_tokens"]

    assert operation.parse({"input_tokens": 3}, deployment()) == {"input_tokens": 3}
    assert operation.usage({"input_tokens": 3}) == {}


@pytest.mark.parametrize("sample", samples.failures())
def test_failures_are_read(sample: dict[str, Any]) -> None:
    assert ANTHROPIC.failure(sample["body"]).code == sample["code"]
