from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import ollama
import pytest
from flask.testing import FlaskClient
from testing.gateway import Gateway
from testing.gateway import deployment
from testing.upstream import Upstream
from testing.upstream import chat_chunks
from testing.upstream import chat_completion
from testing.upstream import embedding
from testing.upstream import json_answer
from testing.upstream import sse
from testing.upstream import tool_call
from testing.upstream import usage

AppFor = Callable[..., FlaskClient]
USER = {"role": "user", "content": "Hi"}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


@pytest.fixture
def sdk(gateway: Gateway) -> Iterator[ollama.Client]:
    client = ollama.Client(host=gateway.url)
    yield client
    client._client.close()


def config(upstream: Upstream) -> dict[str, Any]:
    own = {"model": "ollama_chat/llama3", "api_base": upstream.url}
    return {
        "model_list": [
            deployment("gpt-4o", upstream.url),
            deployment("text-embedding-3-small", upstream.url),
            deployment("speech", upstream.url, "openai/tts-1"),
            deployment("tagged:latest", upstream.url, "custom_openai/tagged"),
            {"model_name": "llama3", "litellm_params": own},
        ]
    }


def test_the_sdk_chats(sdk: ollama.Client, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("Moin")))

    found = sdk.chat("gpt-4o", [USER], options={"temperature": 0, "num_predict": 7})

    assert (found.message.content, found.done, found.done_reason) == ("Moin", True, "stop")
    assert (found.prompt_eval_count, found.eval_count) == (9, 12)
    (seen,) = upstream.requests
    assert seen.json == {
        "model": "gpt-4o",
        "messages": [USER],
        "temperature": 0,
        "max_completion_tokens": 7,
        "stream": False,
    }


def test_the_sdk_streams_and_calls_tools(sdk: ollama.Client, upstream: Upstream) -> None:
    upstream.plays(sse(chat_chunks("Moin", " Welt", tool_calls=[tool_call(arguments={"a": 1})])))

    found = list(sdk.chat("gpt-4o:latest", [USER], tools=[WEATHER], stream=True))

    assert "".join(each.message.content or "" for each in found) == "Moin Welt"
    (calls,) = [each.message.tool_calls for each in found if each.message.tool_calls]
    assert [(call.function.name, call.function.arguments) for call in calls] == [
        ("weather", {"a": 1})
    ]
    assert found[-1].done
    assert upstream.requests[0].json["tools"] == [WEATHER]


def test_the_sdk_generates_with_images(sdk: ollama.Client, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("A cat.")))

    found = sdk.generate("gpt-4o", "What?", images=[b"\x89PNG\r\n\x1a\n"], format="json")

    assert found.response == "A cat."
    sent = upstream.requests[0].json
    url = sent["messages"][0]["content"][1]["image_url"]["url"]
    assert url.startswith("data:image/png;base64,iVBOR")
    assert sent["response_format"] == {"type": "json_object"}


def test_the_sdk_embeds(sdk: ollama.Client, upstream: Upstream) -> None:
    upstream.plays(json_answer(embedding([1.0], [2.0])), json_answer(embedding([3.0])))

    assert sdk.embed("text-embedding-3-small", ["a", "b"]).embeddings == [[1.0], [2.0]]
    assert sdk.embeddings("text-embedding-3-small", "a").embedding == [3.0]


def test_the_sdk_lists_and_shows_models(sdk: ollama.Client) -> None:
    assert "gpt-4o" in [each.model for each in sdk.list().models]
    assert sdk.ps().models == []
    shown = sdk.show("gpt-4o:latest")
    assert shown.modelinfo == {
        "general.architecture": "openai",
        "general.basename": "gpt-4o",
        "openai.context_length": 128000,
    }
    assert shown.capabilities is not None
    assert {"completion", "tools"} <= set(shown.capabilities)


def test_errors_have_ollamas_shape(sdk: ollama.Client, upstream: Upstream) -> None:
    with pytest.raises(ollama.ResponseError, match="Unknown model 'nobody'") as caught:
        sdk.chat("nobody", [USER])
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError, match="those of its configuration"):
        sdk.pull("llama3")
    upstream.plays(sse(chat_chunks("Moin")[:2], done=False))
    with pytest.raises(ollama.ResponseError, match="before it was complete"):
        list(sdk.chat("gpt-4o", [USER], stream=True))


def test_ollamas_own_server_gets_its_options(app_for: AppFor, upstream: Upstream) -> None:
    said = {"model": "llama3", "created_at": "2026-01-01T00:00:00Z", "done": True}
    upstream.plays(json_answer({**said, "message": {"role": "assistant", "content": "Moin"}}))
    body = {"model": "llama3", "messages": [USER], "stream": False, "think": False}

    got = app_for(config(upstream)).post(
        "/api/chat", json={**body, "options": {"num_ctx": 9}, "keep_alive": "5m"}
    )

    assert got.json["message"] == {"role": "assistant", "content": "Moin"}
    assert upstream.requests[0].json == {
        "model": "llama3",
        "messages": [USER],
        "stream": False,
        "think": False,
        "options": {"num_ctx": 9},
        "keep_alive": "5m",
    }


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/api/chat", {"messages": []}, "load"),
        ("/api/generate", {}, "load"),
        ("/api/generate", {"keep_alive": 0}, "unload"),
    ],
)
def test_a_request_to_load_a_model_is_answered_here(
    app_for: AppFor, upstream: Upstream, path: str, body: dict[str, Any], reason: str
) -> None:
    client = app_for(config(upstream))

    got = client.post(path, json={"model": "gpt-4o", **body})

    assert (got.json["done"], got.json["done_reason"]) == (True, reason)
    assert upstream.requests == []
    assert client.post(path, json={"model": "nobody", **body}).status_code == 404


def test_a_stream_is_lines_of_json_with_a_log_line(
    app_for: AppFor, upstream: Upstream, lines: list[Any]
) -> None:
    upstream.plays(sse(chat_chunks("Moin", usage=usage())))

    got = app_for(config(upstream)).post("/api/chat", json={"model": "gpt-4o", "messages": [USER]})

    assert got.content_type == "application/x-ndjson"
    assert [json.loads(line)["done"] for line in got.data.splitlines()] == [False, True]
    got.close()
    assert (lines[-1]["endpoint"], lines[-1]["usage"]["completion_tokens"]) == ("/api/chat", 12)


def test_a_model_may_have_a_tag_of_its_own(app_for: AppFor, upstream: Upstream) -> None:
    upstream.plays(json_answer(chat_completion("Moin")))
    body = {"model": "tagged:latest", "messages": [USER], "stream": False}

    assert app_for(config(upstream)).post("/api/chat", json=body).status_code == 200
    assert upstream.requests[0].json["model"] == "tagged"


@pytest.mark.parametrize(
    ("model", "info", "wanted"),
    [
        ("text-embedding-3-small", {}, ["embedding"]),
        ("speech", {"mode": "embedding"}, ["embedding"]),
        (
            "gpt-4o",
            {"supports_function_calling": False, "supports_vision": False},
            ["completion"],
        ),
        (
            "gpt-4o",
            {"supports_vision": True, "supports_reasoning": True},
            ["completion", "tools", "vision", "thinking"],
        ),
    ],
)
def test_the_capabilities_of_a_model(
    app_for: AppFor, upstream: Upstream, model: str, info: dict[str, Any], wanted: list[str]
) -> None:
    given = config(upstream)
    given["model_list"] = [
        {**each, "model_info": info} if each["model_name"] == model else each
        for each in given["model_list"]
    ]

    got = app_for(given).post("/api/show", json={"name": model})

    assert got.json["capabilities"] == wanted


def test_a_model_without_chat_or_embeddings_can_do_nothing(
    app_for: AppFor, upstream: Upstream
) -> None:
    given = {"model_list": [deployment("rank", upstream.url, "jina_ai/jina-embeddings-v3")]}
    assert app_for(given).post("/api/show", json={"model": "rank"}).json["capabilities"] == [
        "embedding"
    ]


def test_show_needs_a_model(app_for: AppFor, upstream: Upstream) -> None:
    got = app_for(config(upstream)).post("/api/show", json={})

    assert (got.status_code, got.json) == (400, {"error": "Missing required parameter: 'model'."})


def test_the_version_needs_no_key(app_for: AppFor, upstream: Upstream) -> None:
    client = app_for(config(upstream), LLMGATE_MASTER_KEY="sk-master-key")

    assert client.get("/api/version").json["version"].count(".") == 2
    got = client.get("/api/tags")
    assert (got.status_code, list(got.json)) == (401, ["error"])
