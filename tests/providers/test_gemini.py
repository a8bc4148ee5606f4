"""The Gemini API as a provider."""

from __future__ import annotations

import json
from typing import Any

import pytest
from testing import samples

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers.gemini import GEMINI
from llmgate.schema import parameters

BASE = "https://generativelanguage.googleapis.com/v1beta"


def deployment(model: str = "gemini-2.5-flash", **over: Any) -> Deployment:
    return Deployment("g", "gemini", model, BASE, **over)


def built(name: str, body: dict[str, Any], deployment: Deployment) -> Call:
    return GEMINI.operations[name].build(body, deployment)


def chat(**over: Any) -> dict[str, Any]:
    return {"model": "g", "messages": [{"role": "user", "content": "Grüße"}], **over}


def test_a_chat_is_posted_to_the_model() -> None:
    got = built("chat", chat(), deployment())

    assert got == Call(
        "POST",
        f"{BASE}/models/gemini-2.5-flash:generateContent",
        {"Content-Type": "application/json"},
        '{"contents":[{"role":"user","parts":[{"text":"Grüße"}]}]}'.encode(),
    )


def test_a_stream_is_asked_for_in_events() -> None:
    got = built("chat", chat(stream=True), deployment())

    assert got.url == f"{BASE}/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    assert b"stream" not in got.data


def test_embeddings_are_asked_for_in_one_batch() -> None:
    sample = samples.sample("gemini", "embeddings_batch")

    got = built("embeddings", sample["body"], deployment(sample["model"]))

    assert got.url == f"{BASE}/models/{sample['model']}:batchEmbedContents"
    assert json.loads(got.data) == sample["request"]


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/gemini-2.5-pro", "models/gemini-2.5-pro"),
        ("tunedModels/mine-1", "tunedModels/mine-1"),
        ("odd name?key=1#x", "models/odd%20name%3Fkey%3D1%23x"),
    ],
)
def test_a_name_is_a_path_of_its_own_or_one_of_the_models(model: str, path: str) -> None:
    assert built("chat", chat(), deployment(model)).url == f"{BASE}/{path}:generateContent"


@pytest.mark.parametrize("model", ["..", "models/../files", "a//b", "/a", "a/."])
def test_a_name_that_leads_elsewhere_is_refused(model: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        built("chat", chat(), deployment(model))

    assert caught.value.param == "model"


def test_the_key_goes_in_a_header() -> None:
    call = built("chat", chat(), deployment())

    got = GEMINI.authorize(call, deployment(api_key="k"))

    assert got == call._replace(headers={**call.headers, "x-goog-api-key": "k"})
    assert "x-goog-api-key" not in call.headers


def test_without_a_key_the_error_says_where_to_put_it() -> None:
    with pytest.raises(errors.Unauthorized) as caught:
        GEMINI.authorize(built("chat", chat(), deployment()), deployment())

    assert "GEMINI_API_KEY or GOOGLE_API_KEY" in caught.value.message


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (None, BASE),
        ("https://proxy.example/", "https://proxy.example/v1beta"),
        ("https://proxy.example/v1alpha/", "https://proxy.example/v1alpha"),
    ],
)
def test_a_host_alone_gets_the_version(given: str | None, wanted: str) -> None:
    assert GEMINI.base_url({"api_base": given} if given else {}) == wanted


def test_a_reply_a_stream_and_their_usage_are_openais() -> None:
    whole = samples.sample("gemini", "reply_text")
    streamed = samples.sample("gemini", "stream_text")
    operation = GEMINI.operations["chat"]
    assert operation.stream is not None
    pieces = [f"data: {json.dumps(event)}\n\n".encode() for event in streamed["events"]]

    reply = operation.parse(whole["response"], deployment())
    chunks = list(operation.stream(iter(pieces), deployment()))

    assert (reply, chunks) == (whole["completion"], streamed["chunks"])
    counted = {
        "prompt_tokens": 9,
        "completion_tokens": 7,
        "cached_tokens": 0,
        "reasoning_tokens": 0,
        "audio_prompt_tokens": 0,
        "audio_completion_tokens": 0,
    }
    assert operation.usage(reply) == operation.usage(chunks[-1]) == counted


def test_vectors_and_their_usage_are_openais() -> None:
    sample = samples.sample("gemini", "embeddings_batch")
    operation = GEMINI.operations["embeddings"]

    reply = operation.parse(sample["response"], deployment(sample["model"]))

    assert reply == sample["embeddings"]
    assert operation.usage(reply) == {"prompt_tokens": 4}


@pytest.mark.parametrize("name", ["logit_bias", "audio", "prediction", "functions"])
def test_parameters_that_gemini_lacks_are_refused(name: str) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        parameters.upstream_body(
            chat(**{name: {"x": 1}}), deployment(), "chat", GEMINI.operations["chat"]
        )

    assert caught.value.param == name


def test_what_googles_own_openai_endpoint_takes_beside_is_taken() -> None:
    extra = {"google": {"thinking_config": {"thinking_budget": 9}, "cached_content": "c/1"}}
    body = parameters.upstream_body(
        chat(extra_body=extra), deployment(), "chat", GEMINI.operations["chat"]
    )

    got = json.loads(built("chat", body, deployment()).data)

    assert got["generationConfig"] == {"thinkingConfig": {"thinking_budget": 9}}
    assert got["cachedContent"] == "c/1"


def test_errors_are_read() -> None:
    body = {"error": {"code": 429, "message": "Quota.", "status": "RESOURCE_EXHAUSTED"}}

    assert GEMINI.failure(body).code == "rate_limit_exceeded"
