from __future__ import annotations

import json
from typing import Any

import pytest
from testing.samples import sample

from llmgate import errors
from llmgate.contract import Call
from llmgate.contract import Deployment
from llmgate.providers.ollama_native import OLLAMA_CHAT
from llmgate.schema import parameters

DEPLOYMENT = Deployment("g", "ollama_chat", "llama3.2", "http://localhost:11434")
USER = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "f"}}


def built(name: str, body: dict[str, Any], deployment: Deployment = DEPLOYMENT) -> Call:
    return OLLAMA_CHAT.operations[name].build({"model": "g", **body}, deployment)


def body_of(call: Call) -> Any:
    assert isinstance(call.data, bytes)
    return json.loads(call.data)


def test_ollama_is_on_this_machine_unless_the_settings_say_otherwise() -> None:
    assert OLLAMA_CHAT.base_url({}) == "http://localhost:11434"
    assert OLLAMA_CHAT.base_url({"api_base": "http://h"}) == "http://h"


@pytest.mark.parametrize(
    ("name", "path", "body", "wanted"),
    [
        ("chat", "/api/chat", {"messages": [USER]}, {"messages": [USER], "stream": False}),
        ("embeddings", "/api/embed", {"input": "a"}, {"input": ["a"]}),
    ],
)
@pytest.mark.parametrize("base", ["", "/", "/v1", "/api", "/api/chat", "/api/generate/"])
def test_calls_go_to_ollamas_own_api(
    name: str, path: str, body: Any, wanted: Any, base: str
) -> None:
    deployment = DEPLOYMENT._replace(api_base=DEPLOYMENT.api_base + base)

    call = built(name, body, deployment)

    assert (call.method, call.url) == ("POST", f"http://localhost:11434{path}")
    assert body_of(call) == {"model": "llama3.2", **wanted}


def test_no_key_is_needed_and_one_is_sent() -> None:
    call = Call("POST", "u", {})

    assert OLLAMA_CHAT.authorize(call, DEPLOYMENT) is call
    keyed = OLLAMA_CHAT.authorize(call, DEPLOYMENT._replace(api_key="k"))
    assert keyed.headers == {"Authorization": "Bearer k"}


def test_a_call_that_cannot_be_forced_is_refused_unless_it_may_be_dropped() -> None:
    body = {"messages": [USER], "tools": [TOOL], "tool_choice": "required"}

    with pytest.raises(errors.InvalidRequest):
        built("chat", body)

    assert body_of(built("chat", body, DEPLOYMENT._replace(drop_params=True))) == {
        "model": "llama3.2",
        "messages": [USER],
        "stream": False,
        "tools": [TOOL],
    }


def test_replies_are_in_openais_shape() -> None:
    chat, embeddings = (OLLAMA_CHAT.operations[name] for name in OLLAMA_CHAT.operations)

    completion = chat.parse(sample("ollama", "reply_text")["reply"], DEPLOYMENT)
    vectors = embeddings.parse(sample("ollama", "embed")["reply"], DEPLOYMENT)

    assert completion["object"] == "chat.completion"
    assert chat.usage(completion) == {"prompt_tokens": 11, "completion_tokens": 18}
    assert vectors["object"] == "list"
    assert embeddings.usage(vectors) == {"prompt_tokens": 8}


def test_a_stream_is_chunks() -> None:
    stream = OLLAMA_CHAT.operations["chat"].stream
    assert stream is not None
    lines = sample("ollama", "stream_text")["lines"]

    got = list(stream((json.dumps(line).encode() + b"\n" for line in lines), DEPLOYMENT))

    assert OLLAMA_CHAT.operations["chat"].usage(got[-1])["completion_tokens"] == 18


@pytest.mark.parametrize("name", ["n", "logit_bias", "parallel_tool_calls"])
def test_what_ollama_lacks_is_refused(name: str) -> None:
    body = {"model": "g", "messages": [USER], name: 2}

    with pytest.raises(errors.InvalidRequest) as caught:
        parameters.upstream_body(body, DEPLOYMENT, "chat", OLLAMA_CHAT.operations["chat"])

    assert caught.value.param == name


def test_failures_are_ollamas() -> None:
    assert OLLAMA_CHAT.failure({"error": "model 'x' not found"}).code == "model_not_found"
